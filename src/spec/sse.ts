/**
 * Numbers of SSE floating point: MXCSR, comparison predicates, and the FXSAVE and XSAVE images. Data only.
 *
 * Specification: Intel SDM vol. 1 §10.2.3 (MXCSR), §10.5.1 (FXSAVE area), §13.4 (XSAVE area).
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
/** Value after RESET: everything masked, round to nearest. */
export const MXCSR_INIT = 0x1f80;
/** Bits that may be set; any other makes LDMXCSR and FXRSTOR raise #GP(0). Stored by FXSAVE as MXCSR_MASK. */
export const MXCSR_WRITABLE = 0xffff;

/** FXSAVE area: byte offsets (SDM vol. 1 table 10-2, vol. 2A FXSAVE). */
export const FXSAVE_BYTES = 512;
export const FXSAVE_FCW = 0;
export const FXSAVE_FSW = 2;
export const FXSAVE_FTW = 4;
export const FXSAVE_FOP = 6;
export const FXSAVE_FIP = 8;
export const FXSAVE_FCS = 12;
export const FXSAVE_FDP = 16;
export const FXSAVE_FDS = 20;
export const FXSAVE_MXCSR = 24;
export const FXSAVE_MXCSR_MASK = 28;
export const FXSAVE_ST = 32;
export const FXSAVE_XMM = 160;
/** One register slot in the image, ST and XMM alike. */
export const FXSAVE_SLOT_BYTES = 16;

/** XSAVE header: behind the legacy area (SDM vol. 1 §13.4.2). */
export const XSAVE_HEADER = 512;
export const XSAVE_HEADER_BYTES = 64;
export const XSAVE_XSTATE_BV = 512;
export const XSAVE_XCOMP_BV = 520;
export const XSAVE_HEADER_RESERVED = 528;
/** State components in XCR0 and XSTATE_BV. */
export const XSTATE_X87 = 1;
export const XSTATE_SSE = 2;
export const XSTATE_AVX = 4;
/** XCOMP_BV bit 63 marks the compacted format. */
export const XCOMP_BV_COMPACTED = 1n << 63n;

/** EFLAGS bits that COMISS, UCOMISS, FCOMI and FUCOMI write: CF, PF, ZF set by outcome, OF, SF and AF cleared. */
export const FLOAT_COMPARE_CF = 0x0001;
export const FLOAT_COMPARE_PF = 0x0004;
export const FLOAT_COMPARE_ZF = 0x0040;
export const FLOAT_COMPARE_AFFECTED = 0x08d5;
