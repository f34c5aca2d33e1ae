/**
 * What differs between the CPUs of one machine in an otherwise shared CPUID table: their APIC ids. The plan holds
 * the table of CPU 0; every other CPU's is derived here. Specification: SDM vol. 2A, CPUID leaves 1 and 0xB.
 */
import { LEAF, LEAF1_EBX } from "../spec/cpuid.js";
import type { CpuidLeaf } from "../x86/cpuid.js";

/** The CPUID table that CPU `id` answers from; its APIC id is its number. */
export function cpuidOf(id: number, table: readonly CpuidLeaf[]): CpuidLeaf[] {
  return table.map((row) => {
    if (row.leaf === LEAF.VERSION) {
      const others = row.ebx & ((1 << LEAF1_EBX.APIC_ID_SHIFT) - 1);
      return { ...row, ebx: (others | (id << LEAF1_EBX.APIC_ID_SHIFT)) >>> 0 };
    }
    return row.leaf === LEAF.TOPOLOGY ? { ...row, edx: id } : { ...row };
  });
}
