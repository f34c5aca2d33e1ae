/**
 * The CPUID table conformance guests see: the features of a default machine, with a vendor and a probe leaf of its own,
 * MAXPHYADDR 48 and without UMIP, so that both sides of such a switch are met.
 *
 * Specification: SDM vol. 2A, CPUID, tables 3-8 to 3-18.
 */
import type { FeatureName } from "../../../src/spec/cpuid.js";
import { withFeatures } from "../../../src/x86/cpu-features.js";
import { cpuidTable } from "../../../src/x86/cpuid-table.js";
import type { CpuidLeaf } from "../../../src/x86/cpuid.js";

const PHYSICAL_48_LINEAR_48 = 0x3030;
const VENDOR_LEAF = 0;
const ADDRESS_SIZES = 0x80000008;
const RATES = { tscHz: 2_000_000_000, apicHz: 1_000_000_000 };

/** "LocoreTest!!" in the order EBX, EDX, ECX of leaf 0. */
export const VENDOR = { ebx: 0x6f636f4c, edx: 0x65546572, ecx: 0x21217473 };
/** A leaf with values no CPU has, to see that CPUID answers from the table. */
export const PROBE_LEAF = {
  leaf: 0x40000001,
  eax: 0x11111111,
  ebx: 0x92222222,
  ecx: 0x33333333,
  edx: 0xf4444444,
};

/** The table, with some switches turned. */
export function conformanceCpuid(changes: Partial<Record<FeatureName, boolean>> = {}): CpuidLeaf[] {
  const features = withFeatures({ umip: false, ...changes });
  return cpuidTable({ features, cpus: 1, ...RATES }).map((row) => {
    if (row.leaf === VENDOR_LEAF) return { ...row, ...VENDOR };
    if (row.leaf === PROBE_LEAF.leaf) return PROBE_LEAF;
    return row.leaf === ADDRESS_SIZES ? { ...row, eax: PHYSICAL_48_LINEAR_48 } : row;
  });
}
