/**
 * Arithmetic in the 80-bit extended format with the x87's rules. Operands are unpacked, because x87 instructions
 * take them from registers (`unpackExtended`), from memory (`unpackBinary`) and from integers (`unpackInteger`)
 * and look at the original encoding of each; results are 80-bit values.
 *
 * Specification: Intel SDM vol. 1 chapter 8, §4.8.3.5; vol. 2 (the instructions named).
 */
import * as exact from "./arithmetic.js";
import type { FloatEnvironment, RoundingMode } from "./environment.js";
import { roundIntegral } from "./integer.js";
import { extract, remainder, scaleByPower } from "./remainder.js";
import { roundToBinary, roundToExtended } from "./round.js";
import { packBinary, packExtended, type BinaryFormat, type Extended, type Unpacked } from "./value.js";

/** Significand bits of operations that precision control does not touch. */
const FULL_PRECISION = 64;

/** Rounds an exact result to the precision that the environment asks for. */
export function deliver(value: Unpacked, env: FloatEnvironment): Extended {
  return packExtended(roundToExtended(value, env, env.precision));
}

/** Rounds an exact result to all 64 bits. */
export function deliverFull(value: Unpacked, env: FloatEnvironment): Extended {
  return packExtended(roundToExtended(value, env, FULL_PRECISION));
}

/** a + b (FADD). */
export function extendedAdd(a: Unpacked, b: Unpacked, env: FloatEnvironment): Extended {
  return deliver(exact.add(a, b, env), env);
}

/** a − b (FSUB). */
export function extendedSubtract(a: Unpacked, b: Unpacked, env: FloatEnvironment): Extended {
  return deliver(exact.subtract(a, b, env), env);
}

/** a × b (FMUL). */
export function extendedMultiply(a: Unpacked, b: Unpacked, env: FloatEnvironment): Extended {
  return deliver(exact.multiply(a, b, env), env);
}

/** a ÷ b (FDIV). */
export function extendedDivide(a: Unpacked, b: Unpacked, env: FloatEnvironment): Extended {
  return deliver(exact.divide(a, b, env), env);
}

/** √a (FSQRT). */
export function extendedSquareRoot(a: Unpacked, env: FloatEnvironment): Extended {
  return deliver(exact.squareRoot(a, env), env);
}

/** Rounded to an integral value (FRNDINT). */
export function extendedRoundIntegral(a: Unpacked, rounding: RoundingMode, env: FloatEnvironment): Extended {
  const result = roundIntegral(a, rounding, env);
  if (result.kind < 3) exact.noteDenormals(a, a, env);
  return packExtended(result);
}

/** a × 2^trunc(b) (FSCALE). */
export function extendedScale(a: Unpacked, b: Unpacked, env: FloatEnvironment): Extended {
  return deliverFull(scaleByPower(a, b, env), env);
}

/** Exponent and significand (FXTRACT). */
export function extendedExtract(
  a: Unpacked,
  env: FloatEnvironment,
): { exponent: Extended; significand: Extended } {
  const { exponent, significand } = extract(a, env);
  return { exponent: packExtended(exponent), significand: packExtended(significand) };
}

/** One step of a rem b (FPREM, or FPREM1 when `nearest`). */
export function extendedRemainder(
  a: Unpacked,
  b: Unpacked,
  nearest: boolean,
  env: FloatEnvironment,
): { value: Extended; quotient: number | undefined; partial: boolean } {
  const { value, quotient, partial } = remainder(a, b, nearest, env);
  return { value: deliverFull(value, env), quotient, partial };
}

/** Widens a memory operand or integer without loss (FLD, FILD), quieting a signaling NaN. */
export function extendedFrom(value: Unpacked, env: FloatEnvironment): Extended {
  const nan = exact.nanResult(value, value, env);
  if (nan !== undefined) return packExtended(nan);
  exact.noteDenormals(value, value, env);
  return packExtended(value);
}

/** Narrows to binary32 or binary64 (FST). No DENORMAL is reported for a denormal source. */
export function extendedToBinary(format: BinaryFormat, value: Unpacked, env: FloatEnvironment): bigint {
  const nan = exact.nanResult(value, value, env);
  if (nan !== undefined) return packBinary(format, nan);
  return packBinary(format, roundToBinary(format, value, env));
}
