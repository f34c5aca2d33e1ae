/**
 * The CPUID table as data: what a plan holds, what an engine answers from. What the leaves mean: SDM vol. 2A,
 * CPUID.
 */

/** One row of the CPUID table: `leaf` and `subleaf` in, four registers out (all unsigned 32-bit). */
export interface CpuidLeaf {
  leaf: number;
  /** The sub-leaf this row answers; absent when the leaf does not look at ECX. */
  subleaf?: number;
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}
