/**
 * Numbers of the x87 FPU: control and status word, tag values, the formats it works in. Data only.
 *
 * Specification: Intel SDM vol. 1, chapter 8 (§8.1.3 status word, §8.1.5 control word, §8.1.7 tag word).
 */

/**
 * ```
 *  15..13  12  11..10  9..8   7..6   5   4   3   2   1   0
 * ┌───────┬───┬──────┬──────┬─────┬────┬────┬────┬────┬────┬────┐
 * │   0   │ X │  RC  │  PC  │ 0 1 │ PM │ UM │ OM │ ZM │ DM │ IM │   control word, SDM vol. 1 §8.1.5
 * └───────┴───┴──────┴──────┴─────┴────┴────┴────┴────┴────┴────┘
 * ```
 */
export const X87_CONTROL_MASKS = 0x003f;
export const X87_CONTROL_PRECISION_SHIFT = 8;
export const X87_CONTROL_ROUNDING_SHIFT = 10;
/** Bit 6 reads as one and the bits above 12, and bit 7, as zero, whatever is loaded. */
export const X87_CONTROL_RESERVED_ONES = 0x0040;
export const X87_CONTROL_WRITABLE = 0x1f3f;
/** Value after FNINIT: everything masked, 64 bits of precision, round to nearest. */
export const X87_CONTROL_INIT = 0x037f;

/** Significand bits selected by PC; the reserved encoding 1 behaves as full precision. */
export const X87_PRECISION_BITS = [24, 64, 53, 64] as const;

/**
 * ```
 *  15  14  13..11  10   9    8    7    6    5    4    3    2    1    0
 * ┌───┬────┬─────┬────┬────┬────┬────┬────┬────┬────┬────┬────┬────┬────┐
 * │ B │ C3 │ TOP │ C2 │ C1 │ C0 │ ES │ SF │ PE │ UE │ OE │ ZE │ DE │ IE │   status word, SDM vol. 1 §8.1.3
 * └───┴────┴─────┴────┴────┴────┴────┴────┴────┴────┴────┴────┴────┴────┘
 * ```
 */
export const X87_STATUS_EXCEPTIONS = 0x003f;
export const X87_STATUS_STACK_FAULT = 0x0040;
export const X87_STATUS_SUMMARY = 0x0080;
export const X87_STATUS_C0 = 0x0100;
export const X87_STATUS_C1 = 0x0200;
export const X87_STATUS_C2 = 0x0400;
export const X87_STATUS_C3 = 0x4000;
export const X87_STATUS_TOP_SHIFT = 11;
export const X87_STATUS_TOP = 0x3800;
export const X87_STATUS_BUSY = 0x8000;

/** Values of one two-bit field of the full tag word. */
export const X87_TAG_VALID = 0;
export const X87_TAG_ZERO = 1;
export const X87_TAG_SPECIAL = 2;
export const X87_TAG_EMPTY = 3;

/** Physical registers R0–R7, bytes each holds in memory, bits of the opcode that FOP keeps. */
export const X87_REGISTERS = 8;
export const X87_REGISTER_BYTES = 10;
export const X87_OPCODE_MASK = 0x07ff;

/** What FNSTENV and FNSAVE write, bytes (SDM vol. 1 figures 8-9 to 8-12). */
export const X87_ENVIRONMENT_16_BYTES = 14;
export const X87_ENVIRONMENT_32_BYTES = 28;
export const X87_STATE_16_BYTES = 94;
export const X87_STATE_32_BYTES = 108;

/** Double-extended format: exponent bias, all-ones exponent, sign bit, the explicit integer bit and the quiet bit. */
export const EXTENDED_BIAS = 16383;
export const EXTENDED_EXPONENT_ONES = 0x7fff;
export const EXTENDED_SIGN = 0x8000;
export const EXTENDED_INTEGER_BIT = 1n << 63n;
export const EXTENDED_QUIET_BIT = 1n << 62n;
/** Exponent adjustment of unmasked overflow and underflow (SDM vol. 1 §8.5.4, §8.5.5). */
export const EXTENDED_EXPONENT_WRAP = 24576;
