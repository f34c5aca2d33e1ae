/** 32-bit words: put together as `number`s, which hold 53 bits exactly, and as the lower half of a 64-bit register. */

/** What a half is worth that stands above 32 other bits: 2^32. */
export const TWO_32 = 0x1_0000_0000;

/** A 32-bit word, whichever sign it has as a `number`, as the value of a 64-bit register: 0 to 2^32 - 1. */
export function wide(word: number): bigint {
  return BigInt(word >>> 0);
}
