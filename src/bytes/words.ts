/** Putting 32-bit halves together as `number`s, which hold 53 bits exactly. */

/** What a half is worth that stands above 32 other bits: 2^32. */
export const TWO_32 = 0x1_0000_0000;
