/**
 * Where the parts of a segment descriptor lie in its two words (drawn in `system/descriptors.ts`), for both of the
 * definitions that take it apart. Numbers only.
 *
 * Specification: Intel SDM vol. 3A §3.4.5; access rights as VMX packs them, vol. 3C §24.4.1.
 */

/** Upper word to access rights: shifted, then masked. */
export const DPL_AND_TYPE_SHIFT = 8;
export const VMX_ACCESS = 0xf0ff;
/** Limit bits 19:16 in the upper word. */
export const LIMIT_HIGH = 0xf0000;
/** What follows a limit that counts pages. */
export const PAGE_LOW_BITS = 0xfff;
