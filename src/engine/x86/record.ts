/**
 * The record: one decoded instruction as generated handlers read it. Records of consecutive instructions are
 * consecutive in memory, so "next" is `record + RECORD_SIZE`.
 *
 * ```
 *  0        2     3     4        6        8        10       12     13     14    15
 * ┌────────┬─────┬─────┬────────┬────────┬────────┬────────┬──────┬──────┬─────┬─────┐
 * │ op     │ len │ ea  │ offset │ a      │ b      │ x      │scale │ seg8 │ rep │ misc│
 * ├────────┴─────┴─────┴────────┼────────┴────────┴────────┴──────┴──────┴─────┴─────┘
 * │ 16: imm (i64)               │ 24: disp (i32)        28: link (u32)
 * └─────────────────────────────┴────────────────────────────────────────────────────
 * ```
 */

export const RECORD_BYTES = 32;

/** u16: number of the handler. */
export const REC_OP = 0;
/** u8: length of the instruction in bytes. */
export const REC_LENGTH = 2;
/** u8: how the effective address is formed, `EA_*`. */
export const REC_EA = 3;
/** u16: offset of the instruction's first byte in its page. */
export const REC_OFFSET = 4;
/** u16: byte offset in the CPU area of the register that ModRM.reg names. */
export const REC_A = 6;
/** u16: byte offset in the CPU area of the register that ModRM.rm (or the opcode) names, or of the base register. */
export const REC_B = 8;
/** u16: byte offset in the CPU area of the index register (`ZERO_SLOT` when there is none). */
export const REC_X = 10;
/** u8: left shift of the index, 0–3; 32 for the index `ONE_SLOT`. */
export const REC_SCALE = 12;
/** u8: segment index × 8. */
export const REC_SEGMENT = 13;
/** u8: repeat prefix of string instructions: 0, 0xf2 or 0xf3. */
export const REC_REP = 14;
/** u8: address size in bytes (2, 4, 8) in bits 0–3, bit 4: LOCK prefix, bit 5: `MISC_NARROW_BRANCH`, bit 6:
 *  `MISC_DISPLACEMENT_CARRY`. */
export const REC_MISC = 15;
/** The displacement lost 2^32: `effectiveAddress` adds it. */
export const MISC_DISPLACEMENT_CARRY = 64;
/** Mask of the address size in `REC_MISC`. */
export const MISC_ADDRESS_SIZE = 15;
/** A relative branch with a 16-bit operand size: its target has 16 bits. */
export const MISC_NARROW_BRANCH = 32;
/** i64: immediate, sign-extended to 64 bits; for relative branches the target's offset from the start of the page. */
export const REC_IMMEDIATE = 16;
/** i32: displacement; for RIP-relative operands relative to the start of the page. */
export const REC_DISPLACEMENT = 24;
/** u32: record of the branch target when it lies in the same page and is decoded, else 0; otherwise a second immediate. */
export const REC_LINK = 28;

/** u16, in the place of the link: byte offset in the CPU area of the register that VEX.vvvv names. */
export const REC_V = 28;

/** base + displacement, no segment base, no masking beyond LINEAR_MASK. */
export const EA_SIMPLE = 0;
/** base + (index << scale) + displacement + segment base, linear mask applies; flat limits. */
export const EA_FULL = 1;
/** As EA_FULL with the offset wrapped to 16 or 32 bits by address size, and limits and rights checked. */
export const EA_CHECKED = 2;
