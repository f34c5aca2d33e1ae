/**
 * The x87's transcendental functions on unpacked numbers, computed to hundreds of bits and then rounded once, so
 * that results are the nearest ones (hardware promises one unit in the last place). FSIN, FCOS and FPTAN reduce
 * their argument with the 66-bit π that hardware uses, because software sees the difference.
 *
 * Specification: Intel SDM vol. 1 §8.3.7, §8.3.8 (π), §8.3.10, §8.3.11; vol. 2 F2XM1, FYL2X, FYL2XP1, FSIN, FCOS,
 * FPTAN, FPATAN (tables of special operands).
 */
import { divide, invalid, nanResult, noteDenormals } from "./arithmetic.js";
import { DIVIDE_BY_ZERO, PRECISION, type FloatEnvironment } from "./environment.js";
import {
  FRACTION,
  ONE,
  arctangent,
  cosine,
  exponentialMinusOne,
  ln10,
  ln2,
  logarithmOfRatio,
  over,
  pi,
  sine,
} from "./fixed-point.js";
import {
  FINITE,
  INFINITY,
  ZERO,
  bitLength,
  finite,
  infinity,
  unpackInteger,
  zero,
  type Unpacked,
} from "./value.js";

/** Below this exponent the first term of a series decides every bit of the result but a sticky one. */
const TINY_EXPONENT = -200;
/** Arguments of 2^63 and above are left alone, with C2 set. */
const TRIGONOMETRIC_LIMIT = 63;
/** Bits appended to a significand that gets a sticky bit below it. */
const STICKY_BITS = 66;
/** The π of argument reduction, SDM vol. 1 §8.3.8: 0.C90FDAA22168C234C (hexadecimal) × 4. */
const REDUCTION_PI = 0xc90f_daa2_2168_c234_cn;
const REDUCTION_PI_SCALE = -66;

function exponentOf(value: Unpacked): number {
  return value.scale + 63;
}

/** A finite number as fixed point, with its sign; bits below 2^-FRACTION are cut off. */
function toFixed(value: Unpacked): bigint {
  const shift = value.scale + FRACTION;
  const magnitude = shift >= 0 ? value.significand << BigInt(shift) : value.significand >> BigInt(-shift);
  return value.sign === 1 ? -magnitude : magnitude;
}

/** A fixed-point number, never an exact result, times 2^scale. */
function fromFixed(value: bigint, scale = 0): Unpacked {
  return value < 0n
    ? finite(1, (-value << 1n) | 1n, scale - FRACTION - 1)
    : finite(0, (value << 1n) | 1n, scale - FRACTION - 1);
}

/** The number moved by less than any rounding can resolve, away from zero or towards it. */
function nudged(value: Unpacked, away: boolean): Unpacked {
  const wide = value.significand << BigInt(STICKY_BITS);
  return finite(value.sign, away ? wide + 1n : wide - 1n, value.scale - STICKY_BITS);
}

/** A product with a fixed-point factor. */
function timesFixed(value: Unpacked, factor: bigint): Unpacked {
  return finite(value.sign, value.significand * factor, value.scale - FRACTION);
}

/** 2^a − 1 for −1 ≤ a ≤ 1 (F2XM1). Outside that range the operand comes back, as the result is undefined. */
export function powerMinusOne(a: Unpacked, env: FloatEnvironment): Unpacked {
  const nan = nanResult(a, a, env);
  if (nan !== undefined) return nan;
  if (a.kind === ZERO) return zero(a.sign);
  if (a.kind === INFINITY) return a.sign === 0 ? infinity(0) : unpackInteger(-1n);
  noteDenormals(a, a, env);
  const magnitudeIsOne = exponentOf(a) === 0 && a.significand === 1n << 63n;
  if (magnitudeIsOne) return finite(a.sign, 1n, a.sign === 0 ? 0 : -1);
  env.flags |= PRECISION;
  if (exponentOf(a) >= 0) return finite(a.sign, a.significand, a.scale);
  // 2^a − 1 = a ln 2 (1 + a ln 2 / 2 + …): the second term only shows in a sticky bit.
  if (exponentOf(a) < TINY_EXPONENT) return timesFixed(a, ln2());
  return fromFixed(exponentialMinusOne((toFixed(a) * ln2()) >> BigInt(FRACTION)));
}

/** y × a logarithm that is a fixed-point number, not exact. */
function timesLogarithm(y: Unpacked, logarithm: bigint): Unpacked {
  const sign = (logarithm < 0n ? 1 : 0) === y.sign ? 0 : 1;
  const magnitude = logarithm < 0n ? -logarithm : logarithm;
  return finite(sign, (y.significand * magnitude) | 1n, y.scale - FRACTION);
}

/** log2 of a positive fixed-point number that is no power of two; its top bit gives the exponent. */
function logarithm2(value: bigint, scale: number): bigint {
  const top = bitLength(value) - 1;
  let exponent = top + scale;
  const shift = FRACTION - top;
  let mantissa = shift >= 0 ? value << BigInt(shift) : value >> BigInt(-shift);
  // Centre the mantissa on 1, where the series is shortest and small logarithms keep their relative precision.
  if (2n * mantissa > 3n * ONE) {
    mantissa >>= 1n;
    exponent += 1;
  }
  const natural = logarithmOfRatio(over(mantissa - ONE, mantissa + ONE));
  return over(natural, ln2()) + (BigInt(exponent) << BigInt(FRACTION));
}

/** y × log2 x when x is zero or infinite, or y is. */
function specialLogarithm(x: Unpacked, y: Unpacked, env: FloatEnvironment): Unpacked | undefined {
  const one = x.kind === FINITE && exponentOf(x) === 0 && x.significand === 1n << 63n;
  if (x.kind === ZERO) {
    if (y.kind === ZERO) return invalid(env);
    if (y.kind === FINITE) env.flags |= DIVIDE_BY_ZERO;
    return infinity(y.sign === 0 ? 1 : 0);
  }
  if (x.sign === 1) return invalid(env);
  if (x.kind === INFINITY) {
    if (y.kind === ZERO) return invalid(env);
    noteDenormals(x, y, env);
    return infinity(y.sign);
  }
  if (y.kind === FINITE && !one) return undefined;
  if (y.kind === INFINITY && one) return invalid(env);
  noteDenormals(x, y, env);
  const negative = exponentOf(x) < 0;
  const sign = negative === (y.sign === 1) ? 0 : 1;
  if (y.kind === INFINITY) return infinity(sign);
  return zero(sign);
}

/** y × log2 x (FYL2X). */
export function timesLog2(x: Unpacked, y: Unpacked, env: FloatEnvironment): Unpacked {
  const nan = nanResult(x, y, env);
  if (nan !== undefined) return nan;
  const special = specialLogarithm(x, y, env);
  if (special !== undefined) return special;
  noteDenormals(x, y, env);
  // Hardware reports the result as inexact even for powers of two.
  env.flags |= PRECISION;
  if (x.significand === 1n << 63n) {
    const exponent = unpackInteger(BigInt(exponentOf(x)));
    const sign = exponent.sign === y.sign ? 0 : 1;
    return finite(sign, exponent.significand * y.significand, exponent.scale + y.scale);
  }
  return timesLogarithm(y, logarithm2(x.significand, x.scale));
}

/** y × log2(x + 1) (FYL2XP1), defined for |x| up to 1 − √½; below −1 it is invalid. */
export function timesLog2Plus1(x: Unpacked, y: Unpacked, env: FloatEnvironment): Unpacked {
  const nan = nanResult(x, y, env);
  if (nan !== undefined) return nan;
  const sign = x.sign === y.sign ? 0 : 1;
  if (x.kind === INFINITY) {
    if (x.sign === 1 || y.kind === ZERO) return invalid(env);
    noteDenormals(x, y, env);
    return infinity(y.sign);
  }
  if (x.kind === ZERO || y.kind !== FINITE) {
    if (x.kind === ZERO && y.kind === INFINITY) return invalid(env);
    noteDenormals(x, y, env);
    return y.kind === INFINITY ? infinity(sign) : zero(sign);
  }
  if (x.sign === 1 && exponentOf(x) >= 0) return invalid(env);
  noteDenormals(x, y, env);
  env.flags |= PRECISION;
  if (exponentOf(x) < TINY_EXPONENT) {
    // log2(1 + x) = x / ln 2 (1 − x / 2 + …)
    const product = x.significand * y.significand * over(ONE, ln2());
    return finite(sign, product | 1n, x.scale + y.scale - FRACTION);
  }
  if (exponentOf(x) >= FRACTION) return timesLogarithm(y, logarithm2(x.significand, x.scale));
  const fixed = toFixed(x);
  if (exponentOf(x) >= -1) return timesLogarithm(y, logarithm2(ONE + fixed, -FRACTION));
  return timesLogarithm(y, over(logarithmOfRatio(over(fixed, 2n * ONE + fixed)), ln2()));
}

/** A reduced angle: x = quadrant × π/2 + rest with |rest| ≤ π/4, for the magnitude of x. */
interface Angle {
  rest: bigint;
  quadrant: number;
}

function reduceAngle(x: Unpacked): Angle {
  const halfPiScale = REDUCTION_PI_SCALE - 1;
  const unit = Math.min(x.scale, halfPiScale);
  const magnitude = x.significand << BigInt(x.scale - unit);
  const halfPi = REDUCTION_PI << BigInt(halfPiScale - unit);
  const turns = (2n * magnitude + halfPi) / (2n * halfPi);
  return { rest: (magnitude - turns * halfPi) << BigInt(FRACTION + unit), quadrant: Number(turns & 3n) };
}

function sineOf(angle: Angle): bigint {
  const value = (angle.quadrant & 1) === 0 ? sine(angle.rest) : cosine(angle.rest);
  return angle.quadrant >= 2 ? -value : value;
}

function cosineOf(angle: Angle): bigint {
  return sineOf({ rest: angle.rest, quadrant: (angle.quadrant + 1) & 3 });
}

export type Trigonometric = "sin" | "cos" | "tan";

/** The function of a finite, non-zero x. */
function ofAngle(name: Trigonometric, x: Unpacked): Unpacked {
  if (exponentOf(x) < TINY_EXPONENT) {
    return name === "cos" ? nudged(unpackInteger(1n), false) : nudged(x, name === "tan");
  }
  const angle = reduceAngle(x);
  if (name === "cos") return fromFixed(cosineOf(angle));
  const value = name === "sin" ? sineOf(angle) : over(sineOf(angle), cosineOf(angle));
  return fromFixed(x.sign === 1 ? -value : value);
}

/**
 * Sine, cosine or tangent (FSIN, FCOS, FPTAN); undefined when |x| ≥ 2^63: the instruction then sets C2 and changes
 * nothing.
 */
export function trigonometric(name: Trigonometric, x: Unpacked, env: FloatEnvironment): Unpacked | undefined {
  const nan = nanResult(x, x, env);
  if (nan !== undefined) return nan;
  if (x.kind === INFINITY) return invalid(env);
  if (x.kind === ZERO) return name === "cos" ? unpackInteger(1n) : zero(x.sign);
  if (exponentOf(x) >= TRIGONOMETRIC_LIMIT) return undefined;
  noteDenormals(x, x, env);
  env.flags |= PRECISION;
  return ofAngle(name, x);
}

/** `quarters` × π/4 with a sign. */
function quartersOfPi(sign: 0 | 1, quarters: bigint, env: FloatEnvironment): Unpacked {
  env.flags |= PRECISION;
  const angle = fromFixed((pi() * quarters) >> 2n);
  return { ...angle, sign };
}

/** The angle of the point (x, y) when a coordinate is zero or infinite. */
function specialArctangent(y: Unpacked, x: Unpacked, env: FloatEnvironment): Unpacked | undefined {
  if (y.kind === INFINITY) {
    return quartersOfPi(y.sign, x.kind !== INFINITY ? 2n : x.sign === 0 ? 1n : 3n, env);
  }
  if (x.kind === INFINITY || y.kind === ZERO)
    return x.sign === 0 ? zero(y.sign) : quartersOfPi(y.sign, 4n, env);
  return x.kind === ZERO ? quartersOfPi(y.sign, 2n, env) : undefined;
}

/** arctan(y / x) in the quadrant of (x, y) (FPATAN). */
export function arctangentOfRatio(y: Unpacked, x: Unpacked, env: FloatEnvironment): Unpacked {
  const nan = nanResult(y, x, env);
  if (nan !== undefined) return nan;
  noteDenormals(y, x, env);
  const special = specialArctangent(y, x, env);
  if (special !== undefined) return special;
  env.flags |= PRECISION;
  const steep = y.scale === x.scale ? y.significand > x.significand : y.scale > x.scale;
  const [small, large] = steep ? [x, y] : [y, x];
  const difference = small.scale - large.scale;
  if (difference < TINY_EXPONENT && !steep && x.sign === 0) {
    return nudged({ ...divide(small, large, env), sign: y.sign }, false);
  }
  const ratio =
    difference < TINY_EXPONENT
      ? 1n
      : (small.significand << BigInt(FRACTION + difference)) / large.significand;
  let angle = arctangent(ratio);
  if (steep) angle = x.sign === 0 ? pi() / 2n - angle : pi() / 2n + angle;
  else if (x.sign === 1) angle = pi() - angle;
  return { ...fromFixed(angle), sign: y.sign };
}

/** The constants that FLD1 … FLDZ push. */
export type X87Constant = "1" | "l2t" | "l2e" | "pi" | "lg2" | "ln2" | "0";

/** A constant to more bits than any format holds; rounding it reports nothing (SDM vol. 2 FLD1). */
export function constant(name: X87Constant): Unpacked {
  switch (name) {
    case "1":
      return unpackInteger(1n);
    case "0":
      return zero(0);
    case "l2t":
      return fromFixed(over(ln10(), ln2()));
    case "l2e":
      return fromFixed(over(ONE, ln2()));
    case "pi":
      return fromFixed(pi());
    case "lg2":
      return fromFixed(over(ln2(), ln10()));
    case "ln2":
      return fromFixed(ln2());
  }
}
