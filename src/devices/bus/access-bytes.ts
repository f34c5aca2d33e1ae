/** The bytes of a value that one access carries: what both buses do to values. Knows no device and no bus. */
import type { AccessSize } from "../device.js";

export const BYTE_BITS = 8;
const WORD_BITS = 32;
const ALL_ONES = 0xffffffff;

/** The bytes of a value that an access of `size` carries. */
export function lowBytes(value: number, size: AccessSize): number {
  return (value & (ALL_ONES >>> (WORD_BITS - BYTE_BITS * size))) >>> 0;
}
