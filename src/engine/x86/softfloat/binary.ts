/**
 * Arithmetic on binary32 and binary64 bit patterns with SSE's rules: the exact path, correct for every operand,
 * mode and flag. Values are unsigned bigints of 32 or 64 bits.
 *
 * Specification: Intel SDM vol. 1 §11.5.2, vol. 2 (the instructions named); IEEE 754-2008 §5.
 */
import * as exact from "./arithmetic.js";
import { compare, takesFirst, type Relation } from "./compare.js";
import type { FloatEnvironment, RoundingMode } from "./environment.js";
import { roundIntegral, toInteger } from "./integer.js";
import { roundToBinary } from "./round.js";
import { packBinary, unpackBinary, unpackInteger, type BinaryFormat, type Unpacked } from "./value.js";

type Binary = (a: Unpacked, b: Unpacked, env: FloatEnvironment) => Unpacked;

function apply(operation: Binary, format: BinaryFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  const result = operation(unpackBinary(format, a, env.daz), unpackBinary(format, b, env.daz), env);
  return packBinary(format, roundToBinary(format, result, env));
}

/** a + b (ADDSS, ADDSD). */
export function binaryAdd(format: BinaryFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  return apply(exact.add, format, a, b, env);
}

/** a − b (SUBSS, SUBSD). */
export function binarySubtract(format: BinaryFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  return apply(exact.subtract, format, a, b, env);
}

/** a × b (MULSS, MULSD). */
export function binaryMultiply(format: BinaryFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  return apply(exact.multiply, format, a, b, env);
}

/** a ÷ b (DIVSS, DIVSD). */
export function binaryDivide(format: BinaryFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  return apply(exact.divide, format, a, b, env);
}

/** √a (SQRTSS, SQRTSD). */
export function binarySquareRoot(format: BinaryFormat, a: bigint, env: FloatEnvironment): bigint {
  const result = exact.squareRoot(unpackBinary(format, a, env.daz), env);
  return packBinary(format, roundToBinary(format, result, env));
}

function extremum(
  format: BinaryFormat,
  a: bigint,
  b: bigint,
  maximum: boolean,
  env: FloatEnvironment,
): bigint {
  const first = unpackBinary(format, a, env.daz);
  const second = unpackBinary(format, b, env.daz);
  const taken = takesFirst(first, second, maximum, env);
  const flushed = (taken ? first : second).kind === 0;
  // A denormal taken as zero is delivered as zero; everything else, NaNs included, unchanged.
  return flushed ? packBinary(format, taken ? first : second) : taken ? a : b;
}

/** The smaller operand, or b when they do not differ or are unordered (MINSS, MINSD). */
export function binaryMinimum(format: BinaryFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  return extremum(format, a, b, false, env);
}

/** The larger operand, or b when they do not differ or are unordered (MAXSS, MAXSD). */
export function binaryMaximum(format: BinaryFormat, a: bigint, b: bigint, env: FloatEnvironment): bigint {
  return extremum(format, a, b, true, env);
}

/** The relation of a to b; `quietIsInvalid` as COMISS has it and UCOMISS has not. */
export function binaryCompare(
  format: BinaryFormat,
  a: bigint,
  b: bigint,
  quietIsInvalid: boolean,
  env: FloatEnvironment,
): Relation {
  return compare(unpackBinary(format, a, env.daz), unpackBinary(format, b, env.daz), quietIsInvalid, env);
}

/** Between binary32 and binary64 (CVTSS2SD, CVTSD2SS). */
export function binaryConvert(
  from: BinaryFormat,
  to: BinaryFormat,
  a: bigint,
  env: FloatEnvironment,
): bigint {
  const value = unpackBinary(from, a, env.daz);
  const nan = exact.nanResult(value, value, env);
  if (nan !== undefined) return packBinary(to, nan);
  exact.noteDenormals(value, value, env);
  return packBinary(to, roundToBinary(to, value, env));
}

/** From a signed integer (CVTSI2SS, CVTSI2SD, CVTDQ2PS, CVTDQ2PD). */
export function binaryFromInteger(format: BinaryFormat, value: bigint, env: FloatEnvironment): bigint {
  return packBinary(format, roundToBinary(format, unpackInteger(value), env));
}

/** To a signed integer (CVTSS2SI with the current rounding, CVTTSS2SI with ROUND_ZERO). */
export function binaryToInteger(
  format: BinaryFormat,
  a: bigint,
  width: 32 | 64,
  rounding: RoundingMode,
  env: FloatEnvironment,
): bigint {
  return toInteger(unpackBinary(format, a, env.daz), width, rounding, env);
}

/** To an integral value in the same format (ROUNDSS, ROUNDSD); `quiet` suppresses PRECISION. */
export function binaryRoundIntegral(
  format: BinaryFormat,
  a: bigint,
  rounding: RoundingMode,
  quiet: boolean,
  env: FloatEnvironment,
): bigint {
  return packBinary(format, roundIntegral(unpackBinary(format, a, env.daz), rounding, env, quiet));
}
