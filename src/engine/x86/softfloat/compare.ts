/**
 * Ordering of numbers, and SSE's minimum and maximum. Works on unpacked numbers of any format.
 *
 * Specification: Intel SDM vol. 1 §8.3.6 (x87 comparison), vol. 2 COMISS, MINSS, MAXSS.
 */
import { FLOAT_COMPARE_CF, FLOAT_COMPARE_PF, FLOAT_COMPARE_ZF } from "../../../spec/sse.js";
import { noteDenormals } from "./arithmetic.js";
import { INVALID, type FloatEnvironment } from "./environment.js";
import { INFINITY, QUIET_NAN, SIGNALING_NAN, ZERO, type Unpacked } from "./value.js";

export const LESS = -1;
export const EQUAL = 0;
export const GREATER = 1;
export const UNORDERED = 2;
export type Relation = -1 | 0 | 1 | 2;

/** ZF, PF and CF by relation, as FCOMI and COMISS set them (SDM vol. 2). */
export function eflagsOf(relation: Relation): number {
  if (relation === UNORDERED) return FLOAT_COMPARE_ZF | FLOAT_COMPARE_PF | FLOAT_COMPARE_CF;
  if (relation === EQUAL) return FLOAT_COMPARE_ZF;
  return relation === LESS ? FLOAT_COMPARE_CF : 0;
}

/** Compares magnitudes of two non-NaN numbers of any kind. */
function compareMagnitudes(a: Unpacked, b: Unpacked): Relation {
  if (a.kind === ZERO || b.kind === ZERO) return a.kind === b.kind ? EQUAL : a.kind === ZERO ? LESS : GREATER;
  if (a.kind === INFINITY || b.kind === INFINITY) {
    return a.kind === b.kind ? EQUAL : a.kind === INFINITY ? GREATER : LESS;
  }
  if (a.scale !== b.scale) return a.scale > b.scale ? GREATER : LESS;
  if (a.significand === b.significand) return EQUAL;
  return a.significand > b.significand ? GREATER : LESS;
}

/**
 * The relation of a to b. A signaling NaN or an unsupported encoding is INVALID, and so is a quiet NaN when
 * `quietIsInvalid` (FCOM, COMISS; not FUCOM, UCOMISS).
 */
export function compare(a: Unpacked, b: Unpacked, quietIsInvalid: boolean, env: FloatEnvironment): Relation {
  if (a.kind >= QUIET_NAN || b.kind >= QUIET_NAN) {
    const signaling = a.kind >= SIGNALING_NAN || b.kind >= SIGNALING_NAN;
    if (signaling || quietIsInvalid) env.flags |= INVALID;
    return UNORDERED;
  }
  noteDenormals(a, b, env);
  if (a.kind === ZERO && b.kind === ZERO) return EQUAL;
  const negative = a.sign === 1;
  if (a.kind === ZERO) return b.sign === 1 ? GREATER : LESS;
  if (b.kind === ZERO || a.sign !== b.sign) return negative ? LESS : GREATER;
  return negative ? compareMagnitudes(b, a) : compareMagnitudes(a, b);
}

/**
 * Whether MIN or MAX takes its first operand. It takes the second one when either is a NaN (always INVALID) or
 * both are zeros, and delivers the operand unchanged.
 */
export function takesFirst(a: Unpacked, b: Unpacked, maximum: boolean, env: FloatEnvironment): boolean {
  return compare(a, b, true, env) === (maximum ? GREATER : LESS);
}
