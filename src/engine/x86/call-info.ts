/**
 * The `info` argument of what generated code calls: both sides of the call agree here.
 *
 * Slow paths:  bits 0–7 size in bytes, 8–9 access, 10 stack, 11 implicit supervisor access,
 *              12 a string's ES:rDI, not its source, 13 MAIL_ADDRESS is part of the address,
 *              14 the operand of MASKMOVQ: rDI in the segment of a string's source,
 *              15 a multiple of the size, or #GP(0) before anything of the segment is checked.
 * Helpers:     bits 0–7 operand size in bytes, 8 the ModRM operand is in memory.
 */
export const INFO_SIZE = 0xff;
export const INFO_ACCESS_SHIFT = 8;
/** Mask of an access kind, after the shift. */
export const INFO_ACCESS = 3;
export const INFO_STACK = 1 << 10;
export const INFO_IMPLICIT_SUPERVISOR = 1 << 11;
export const INFO_STRING_DESTINATION = 1 << 12;
export const INFO_MASKED_STORE = 1 << 14;
export const INFO_ALIGNED = 1 << 15;
/** The slot MAIL_ADDRESS is added to the effective address, before that is cut to the address size. */
export const INFO_ADDEND = 1 << 13;
export const INFO_MEMORY = 1 << 8;
