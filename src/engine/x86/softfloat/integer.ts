/**
 * Conversion of unpacked numbers to integers, and rounding to integral values.
 *
 * Specification: Intel SDM vol. 1 §4.2.1, §8.1.6 (integer indefinite), vol. 2 FIST, FRNDINT, CVTSD2SI, ROUNDSD.
 */
import { nanResult } from "./arithmetic.js";
import { INVALID, PRECISION, type FloatEnvironment, type RoundingMode } from "./environment.js";
import { cut, type Cut } from "./round.js";
import { FINITE, ZERO, bitLength, finite, zero, type Unpacked } from "./value.js";

/** Shifting a number this far below one half changes nothing but spares a huge shift. */
const FAR_BELOW_ONE = -130;

/** Rounds a finite number to an integer magnitude. */
function cutToInteger(value: Unpacked, rounding: RoundingMode): Cut {
  if (value.scale < FAR_BELOW_ONE) return cut(value.sign, 1n, FAR_BELOW_ONE, 0, rounding);
  return cut(value.sign, value.significand, value.scale, 0, rounding);
}

/** The integer indefinite of a width: only the sign bit. */
export function integerIndefinite(width: 16 | 32 | 64): bigint {
  return -(1n << BigInt(width - 1));
}

/**
 * The signed integer of `width` bits, rounded as given. Out of range, infinite or NaN: the integer indefinite with
 * INVALID (and nothing else).
 */
export function toInteger(
  value: Unpacked,
  width: 16 | 32 | 64,
  rounding: RoundingMode,
  env: FloatEnvironment,
): bigint {
  if (value.kind === ZERO) return 0n;
  const outOfRange = value.kind !== FINITE || value.scale + bitLength(value.significand) > width;
  if (!outOfRange) {
    const result = cutToInteger(value, rounding);
    const integer = value.sign === 1 ? -result.significand : result.significand;
    if (BigInt.asIntN(width, integer) === integer) {
      if (result.inexact) {
        env.flags |= PRECISION;
        env.roundedUp = result.up;
      }
      return integer;
    }
  }
  env.flags |= INVALID;
  return integerIndefinite(width);
}

/** The value rounded to an integer in its own format; PRECISION when that changed it, unless `quiet`. */
export function roundIntegral(
  value: Unpacked,
  rounding: RoundingMode,
  env: FloatEnvironment,
  quiet = false,
): Unpacked {
  const nan = nanResult(value, value, env);
  if (nan !== undefined) return nan;
  if (value.kind !== FINITE) return value;
  if (value.scale >= 0) return finite(value.sign, value.significand, value.scale);
  const result = cutToInteger(value, rounding);
  if (result.inexact && !quiet) {
    env.flags |= PRECISION;
    env.roundedUp = result.up;
  }
  return result.significand === 0n ? zero(value.sign) : finite(value.sign, result.significand, 0);
}
