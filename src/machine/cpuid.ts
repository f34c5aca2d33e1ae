/**
 * What differs between the CPUs of one machine in an otherwise shared CPUID table: their APIC ids. The plan holds
 * the table of CPU 0; every other CPU's is derived here. Specification: SDM vol. 2A, CPUID leaves 1, 0xB, 0x1F.
 */
import type { CpuidLeaf } from "../x86/cpuid.js";

const LEAF_FEATURES = 1;
const LEAF_TOPOLOGY = 0xb;
const LEAF_TOPOLOGY_V2 = 0x1f;
/** EBX[31:24] of leaf 1: the initial APIC id. */
const APIC_ID_SHIFT = 24;
const APIC_ID_MASK = 0xff000000;

/** The CPUID table that CPU `id` answers from; its APIC id is its number. */
export function cpuidOf(id: number, table: readonly CpuidLeaf[]): CpuidLeaf[] {
  return table.map((row) => {
    switch (row.leaf) {
      case LEAF_FEATURES:
        return { ...row, ebx: ((row.ebx & ~APIC_ID_MASK) | (id << APIC_ID_SHIFT)) >>> 0 };
      case LEAF_TOPOLOGY:
      case LEAF_TOPOLOGY_V2:
        return { ...row, edx: id };
      default:
        return { ...row };
    }
  });
}
