/**
 * Alignment of addresses and sizes kept as safe integers. Knows no format and no memory map. Bit operators are
 * avoided: they would cut addresses above 4 GiB.
 */

function check(value: number, alignment: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`cannot align ${value}`);
  if (!Number.isSafeInteger(alignment) || alignment < 1) throw new RangeError(`bad alignment ${alignment}`);
}

/** The greatest multiple of `alignment` (≥ 1, any integer) that is ≤ `value` (≥ 0). Throws RangeError otherwise. */
export function alignDown(value: number, alignment: number): number {
  check(value, alignment);
  return value - (value % alignment);
}

/** The least multiple of `alignment` (≥ 1, any integer) that is ≥ `value` (≥ 0). Throws RangeError otherwise. */
export function alignUp(value: number, alignment: number): number {
  check(value, alignment);
  const rest = value % alignment;
  return rest === 0 ? value : value + (alignment - rest);
}

/** Whether `value` is a power of two (1 included). */
export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}
