/**
 * The floating-point environment: everything besides the operands that decides a result, and what an operation
 * reports back. The bit numbering of modes and exceptions is that of MXCSR and of the x87 control and status
 * words, so that they convert by shifting. Knows no instruction and no register.
 *
 * Specification: Intel SDM vol. 1 §4.8.4 (rounding), §4.9.1 (exceptions).
 */

/** Rounding modes as RC encodes them. */
export const ROUND_NEAREST = 0;
export const ROUND_DOWN = 1;
export const ROUND_UP = 2;
export const ROUND_ZERO = 3;
export type RoundingMode = 0 | 1 | 2 | 3;

/** Exception flags as bits. */
export const INVALID = 0x01;
export const DENORMAL = 0x02;
export const DIVIDE_BY_ZERO = 0x04;
export const OVERFLOW = 0x08;
export const UNDERFLOW = 0x10;
export const PRECISION = 0x20;
/** Exceptions found before the operation is computed. Unmasked, they suppress it altogether. */
export const PRE_COMPUTATION = INVALID | DENORMAL | DIVIDE_BY_ZERO;
export const ALL_EXCEPTIONS = 0x3f;

/** Input and output of every operation in this folder. Plain and mutable; make one per instruction. */
export interface FloatEnvironment {
  rounding: RoundingMode;
  /** Exceptions found so far; operations only add bits. */
  flags: number;
  /** Masked exceptions. Decides only how overflow and underflow are reported, nothing is raised here. */
  masks: number;
  /** Significand bits of results in extended format (x87 precision control). Other formats ignore it. */
  precision: 24 | 53 | 64;
  /** SSE denormals-are-zero: denormal operands count as zeros of the same sign, without DENORMAL. */
  daz: boolean;
  /** SSE flush-to-zero: tiny results become zero while UNDERFLOW is masked. */
  ftz: boolean;
  /** Which NaN results from two NaN operands: the x87's larger significand or SSE's first operand. */
  nans: "x87" | "sse";
  /** Whether the last rounding increased the magnitude (x87 C1). */
  roundedUp: boolean;
}

/** An environment with everything masked: round to nearest, full precision. */
export function defaultEnvironment(nans: "x87" | "sse"): FloatEnvironment {
  return {
    rounding: ROUND_NEAREST,
    flags: 0,
    masks: ALL_EXCEPTIONS,
    precision: 64,
    daz: false,
    ftz: false,
    nans,
    roundedUp: false,
  };
}
