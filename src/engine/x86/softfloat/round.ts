/**
 * Rounding an exact result to a format, with the exceptions that follow from it: overflow, underflow (tininess is
 * detected after rounding) and inexact results. The only place that rounds to a precision.
 *
 * Specification: Intel SDM vol. 1 §4.8.4, §4.9.1.4–4.9.1.6, §8.5.4–8.5.6, §11.5.2.
 */
import { EXTENDED_BIAS, EXTENDED_EXPONENT_WRAP } from "../../../spec/x87.js";
import {
  OVERFLOW,
  PRECISION,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_UP,
  ROUND_ZERO,
  UNDERFLOW,
  type FloatEnvironment,
  type RoundingMode,
} from "./environment.js";
import { FINITE, bitLength, finite, infinity, zero, type BinaryFormat, type Unpacked } from "./value.js";

/** What a result has to fit: significand bits and the exponents of normal numbers. */
interface Shape {
  precision: number;
  minExponent: number;
  maxExponent: number;
  /** Exponent adjustment of unmasked overflow and underflow; 0 where such a result is never delivered. */
  wrap: number;
}

/** A significand cut at some bit. */
export interface Cut {
  significand: bigint;
  inexact: boolean;
  /** Whether the magnitude grew. */
  up: boolean;
}

/** Whether the bits cut off carry into the kept ones. `half` compares the rest with one half: -1, 0, 1. */
function roundsAway(rounding: RoundingMode, sign: 0 | 1, half: number, odd: boolean): boolean {
  if (rounding === ROUND_NEAREST) return half > 0 || (half === 0 && odd);
  if (rounding === ROUND_ZERO) return false;
  return rounding === (sign === 1 ? ROUND_DOWN : ROUND_UP);
}

/** Rounds significand × 2^scale to a multiple of 2^unit, given back in that unit. */
export function cut(
  sign: 0 | 1,
  significand: bigint,
  scale: number,
  unit: number,
  rounding: RoundingMode,
): Cut {
  const drop = unit - scale;
  if (drop <= 0) return { significand: significand << BigInt(-drop), inexact: false, up: false };
  const kept = significand >> BigInt(drop);
  const rest = significand - (kept << BigInt(drop));
  if (rest === 0n) return { significand: kept, inexact: false, up: false };
  const half = 1n << BigInt(drop - 1);
  const up = roundsAway(rounding, sign, rest > half ? 1 : rest === half ? 0 : -1, (kept & 1n) === 1n);
  return { significand: up ? kept + 1n : kept, inexact: true, up };
}

/** Notes what a delivered cut means for the flags. */
function note(env: FloatEnvironment, result: Cut): void {
  if (!result.inexact) return;
  env.flags |= PRECISION;
  env.roundedUp = result.up;
}

/** A result whose rounded exponent is too large. */
function overflow(shape: Shape, sign: 0 | 1, result: Cut, unit: number, env: FloatEnvironment): Unpacked {
  env.flags |= OVERFLOW;
  if ((env.masks & OVERFLOW) === 0) {
    // Only FSCALE gets so far that even the adjusted exponent does not fit.
    if (shape.wrap > 0 && unit + bitLength(result.significand) - 1 - shape.wrap > shape.maxExponent) {
      note(env, { ...result, inexact: true, up: true });
      return infinity(sign);
    }
    note(env, result);
    return finite(sign, result.significand, unit - shape.wrap);
  }
  env.flags |= PRECISION;
  const toInfinity = roundsAway(env.rounding, sign, 1, false);
  env.roundedUp = toInfinity;
  if (toInfinity) return infinity(sign);
  const largest = (1n << BigInt(shape.precision)) - 1n;
  return finite(sign, largest, shape.maxExponent - shape.precision + 1);
}

/** A result that stays below the normal range after rounding with an unbounded exponent. */
function underflow(
  shape: Shape,
  value: Unpacked,
  unbounded: Cut,
  unit: number,
  env: FloatEnvironment,
): Unpacked {
  if ((env.masks & UNDERFLOW) === 0) {
    env.flags |= UNDERFLOW;
    if (shape.wrap > 0 && unit + bitLength(unbounded.significand) - 1 + shape.wrap < shape.minExponent) {
      note(env, { ...unbounded, inexact: true, up: false });
      return zero(value.sign);
    }
    note(env, unbounded);
    return finite(value.sign, unbounded.significand, unit + shape.wrap);
  }
  if (env.ftz) {
    env.flags |= UNDERFLOW | PRECISION;
    return zero(value.sign);
  }
  const lowest = shape.minExponent - shape.precision + 1;
  const result = cut(value.sign, value.significand, value.scale, lowest, env.rounding);
  if (result.inexact) env.flags |= UNDERFLOW;
  note(env, result);
  return finite(value.sign, result.significand, lowest);
}

/**
 * Fits a value to a shape. Its lowest bit may stand for any amount of lost lower bits ("sticky"), provided the
 * significand is at least two bits longer than the precision. Specials pass unchanged.
 */
function round(shape: Shape, value: Unpacked, env: FloatEnvironment): Unpacked {
  if (value.kind !== FINITE) return value;
  const { sign, significand, scale } = value;
  const unit = scale + bitLength(significand) - shape.precision;
  const result = cut(sign, significand, scale, unit, env.rounding);
  const exponent = unit + bitLength(result.significand) - 1;
  if (exponent > shape.maxExponent) return overflow(shape, sign, result, unit, env);
  if (exponent < shape.minExponent) return underflow(shape, value, result, unit, env);
  const lowest = shape.minExponent - shape.precision + 1;
  const delivered = unit >= lowest ? result : cut(sign, significand, scale, lowest, env.rounding);
  note(env, delivered);
  return finite(sign, delivered.significand, Math.max(unit, lowest));
}

/** Fits a value to binary32 or binary64. */
export function roundToBinary(format: BinaryFormat, value: Unpacked, env: FloatEnvironment): Unpacked {
  const { precision, minExponent, maxExponent } = format;
  return round({ precision, minExponent, maxExponent, wrap: 0 }, value, env);
}

/** Fits a value to the extended format with `precision` significand bits (x87 precision control). */
export function roundToExtended(value: Unpacked, env: FloatEnvironment, precision: number): Unpacked {
  const shape = {
    precision,
    minExponent: 1 - EXTENDED_BIAS,
    maxExponent: EXTENDED_BIAS,
    wrap: EXTENDED_EXPONENT_WRAP,
  };
  return round(shape, value, env);
}
