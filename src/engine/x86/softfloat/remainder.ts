/**
 * Partial remainder, scaling and extraction: the x87's exact operations on exponents.
 *
 * Specification: Intel SDM vol. 2 FPREM, FPREM1, FSCALE, FXTRACT.
 */
import { invalid, nanResult, noteDenormals } from "./arithmetic.js";
import { DIVIDE_BY_ZERO, ROUND_ZERO, type FloatEnvironment } from "./environment.js";
import { cut } from "./round.js";
import { FINITE, INFINITY, ZERO, finite, infinity, unpackInteger, zero, type Unpacked } from "./value.js";

/** Largest exponent difference that one FPREM reduces completely. */
const COMPLETE_BELOW = 64;
/** A longer one is brought down by 32 to 63, so that the rest is a multiple of 32. */
const PARTIAL_STEP = 32;

export interface Remainder {
  value: Unpacked;
  /** Low three bits of the quotient's magnitude; 0 when partial, undefined when the result is a NaN. */
  quotient: number | undefined;
  /** Whether the reduction is not complete (C2). */
  partial: boolean;
}

/** The remainder of finite a and b, exactly representable whenever both were. */
function reduce(a: Unpacked, b: Unpacked, nearest: boolean): Remainder {
  const difference = a.scale - b.scale;
  if (difference < -1) return { value: finite(a.sign, a.significand, a.scale), quotient: 0, partial: false };
  if (difference >= COMPLETE_BELOW) {
    const step = BigInt(PARTIAL_STEP + (difference % PARTIAL_STEP));
    const scale = a.scale - Number(step);
    const rest = (a.significand << step) % b.significand;
    return { value: remainderValue(a.sign, rest, scale), quotient: 0, partial: true };
  }
  // In units of the smaller scale.
  const scale = Math.min(a.scale, b.scale);
  const dividend = a.significand << BigInt(a.scale - scale);
  const divisor = b.significand << BigInt(b.scale - scale);
  let quotient = dividend / divisor;
  let rest = dividend - quotient * divisor;
  let sign = a.sign;
  if (nearest && (2n * rest > divisor || (2n * rest === divisor && (quotient & 1n) === 1n))) {
    quotient += 1n;
    rest = divisor - rest;
    sign = sign === 0 ? 1 : 0;
  }
  return {
    value: rest === 0n ? zero(a.sign) : remainderValue(sign, rest, scale),
    quotient: Number(quotient & 7n),
    partial: false,
  };
}

function remainderValue(sign: 0 | 1, rest: bigint, scale: number): Unpacked {
  return rest === 0n ? zero(sign) : finite(sign, rest, scale);
}

/** a rem b with a truncated quotient (FPREM) or, when `nearest`, one rounded to nearest even (FPREM1). */
export function remainder(a: Unpacked, b: Unpacked, nearest: boolean, env: FloatEnvironment): Remainder {
  const special = (value: Unpacked, quotient?: number): Remainder => ({ value, quotient, partial: false });
  const nan = nanResult(a, b, env);
  if (nan !== undefined) return special(nan);
  if (a.kind === INFINITY || b.kind === ZERO) return special(invalid(env));
  noteDenormals(a, b, env);
  if (a.kind === ZERO) return special(zero(a.sign), 0);
  if (b.kind === INFINITY) return special(finite(a.sign, a.significand, a.scale), 0);
  return reduce(a, b, nearest);
}

/** Beyond any exponent difference of the format; keeps FSCALE's sum a safe number. */
const SCALE_LIMIT = 0x10000;

/** a × 2^trunc(b) (FSCALE), not yet rounded. */
export function scaleByPower(a: Unpacked, b: Unpacked, env: FloatEnvironment): Unpacked {
  const nan = nanResult(a, b, env);
  if (nan !== undefined) return nan;
  if (b.kind === INFINITY) {
    if (b.sign === 0 ? a.kind === ZERO : a.kind === INFINITY) return invalid(env);
    noteDenormals(a, b, env);
    return b.sign === 0 ? infinity(a.sign) : zero(a.sign);
  }
  noteDenormals(a, b, env);
  if (a.kind !== FINITE) return a.kind === INFINITY ? infinity(a.sign) : zero(a.sign);
  if (b.kind === ZERO) return finite(a.sign, a.significand, a.scale);
  let power: number;
  if (b.scale + 64 > 17) power = SCALE_LIMIT;
  else if (b.scale + 64 <= 0) power = 0;
  else power = Number(cut(b.sign, b.significand, b.scale, 0, ROUND_ZERO).significand);
  return finite(a.sign, a.significand, a.scale + (b.sign === 1 ? -power : power));
}

/** Splits a into exponent and significand in [1, 2) (FXTRACT). Zero gives −∞ and zero with DIVIDE_BY_ZERO. */
export function extract(a: Unpacked, env: FloatEnvironment): { exponent: Unpacked; significand: Unpacked } {
  const nan = nanResult(a, a, env);
  if (nan !== undefined) return { exponent: nan, significand: nan };
  if (a.kind === INFINITY) return { exponent: infinity(0), significand: infinity(a.sign) };
  if (a.kind === ZERO) {
    env.flags |= DIVIDE_BY_ZERO;
    return { exponent: infinity(1), significand: zero(a.sign) };
  }
  noteDenormals(a, a, env);
  return {
    exponent: unpackInteger(BigInt(a.scale + 63)),
    significand: finite(a.sign, a.significand, -63),
  };
}
