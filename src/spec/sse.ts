/**
 * Numbers of SSE floating point: MXCSR's fields and the EFLAGS that comparisons write. Data only.
 *
 * Specification: Intel SDM vol. 1 §10.2.3 (MXCSR), vol. 2 COMISS, FCOMI.
 */

/**
 * ```
 *  31..16  15   14..13  12   11   10   9    8    7    6    5    4    3    2    1    0
 * ┌──────┬─────┬──────┬────┬────┬────┬────┬────┬────┬─────┬────┬────┬────┬────┬────┬────┐
 * │  0   │ FTZ │  RC  │ PM │ UM │ OM │ ZM │ DM │ IM │ DAZ │ PE │ UE │ OE │ ZE │ DE │ IE │   MXCSR
 * └──────┴─────┴──────┴────┴────┴────┴────┴────┴────┴─────┴────┴────┴────┴────┴────┴────┘
 * ```
 */
export const MXCSR_FLAGS = 0x003f;
export const MXCSR_DAZ = 0x0040;
export const MXCSR_MASKS_SHIFT = 7;
export const MXCSR_ROUNDING_SHIFT = 13;
export const MXCSR_FTZ = 0x8000;

/** Immediate byte of ROUNDPS and its kin (vol. 2B table 4-17): a mode, or that of MXCSR; no precision exception. */
export const ROUND_MODE = 3;
export const ROUND_BY_MXCSR = 4;
export const ROUND_QUIET = 8;

/** EFLAGS bits that COMISS, UCOMISS, FCOMI and FUCOMI write: CF, PF, ZF set by outcome, OF, SF and AF cleared. */
export const FLOAT_COMPARE_CF = 0x0001;
export const FLOAT_COMPARE_PF = 0x0004;
export const FLOAT_COMPARE_ZF = 0x0040;
export const FLOAT_COMPARE_AFFECTED = 0x08d5;
