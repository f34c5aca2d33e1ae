/**
 * The exact arithmetic on unpacked numbers that every format shares: results carry all bits (or enough of them and
 * a sticky lowest one) and are rounded elsewhere. Also the rules for NaN operands and invalid operations.
 *
 * Specification: Intel SDM vol. 1 §4.8.3.5 (NaN operands, table 4-7), §8.5.1, §11.5.2; IEEE 754-2008 §5.4.1, §6.
 */
import { EXTENDED_QUIET_BIT } from "../../../spec/x87.js";
import { DENORMAL, DIVIDE_BY_ZERO, INVALID, ROUND_DOWN, type FloatEnvironment } from "./environment.js";
import {
  FINITE,
  INFINITY,
  QUIET_NAN,
  SIGNALING_NAN,
  UNSUPPORTED,
  ZERO,
  defaultNan,
  finite,
  infinity,
  zero,
  type Unpacked,
} from "./value.js";

/** Bits kept below the operands' 64 before a sticky one: more than any rounding looks at. */
const GUARD = 66;

/** Reports an invalid operation and gives its masked result. */
export function invalid(env: FloatEnvironment): Unpacked {
  env.flags |= INVALID;
  return defaultNan();
}

/** A NaN with its quiet bit set. */
function quieted(value: Unpacked): Unpacked {
  return { ...value, kind: QUIET_NAN, significand: value.significand | EXTENDED_QUIET_BIT };
}

/** The x87's choice between two NaNs: a quiet one before a signaling one, then the larger significand. */
function largerNan(a: Unpacked, b: Unpacked): Unpacked {
  if (a.kind !== b.kind) return a.kind === QUIET_NAN ? a : b;
  if (a.significand !== b.significand) return a.significand > b.significand ? a : b;
  return a.sign === 0 ? a : b;
}

/**
 * The result when an operand is a NaN or an unsupported encoding, with INVALID for those that ask for it;
 * undefined when both are numbers. With one operand, pass it twice.
 */
export function nanResult(a: Unpacked, b: Unpacked, env: FloatEnvironment): Unpacked | undefined {
  if (a.kind < QUIET_NAN && b.kind < QUIET_NAN) return undefined;
  if (a.kind === UNSUPPORTED || b.kind === UNSUPPORTED) return invalid(env);
  if (a.kind === SIGNALING_NAN || b.kind === SIGNALING_NAN) env.flags |= INVALID;
  if (a.kind < QUIET_NAN) return quieted(b);
  if (b.kind < QUIET_NAN) return quieted(a);
  return quieted(env.nans === "sse" ? a : largerNan(a, b));
}

/** Reports denormal operands. Comes after NaN and invalid operands, which take precedence. */
export function noteDenormals(a: Unpacked, b: Unpacked, env: FloatEnvironment): void {
  if (a.denormal || b.denormal) env.flags |= DENORMAL;
}

/** The same number with the other sign. */
export function negated(value: Unpacked): Unpacked {
  return { ...value, sign: value.sign === 0 ? 1 : 0 };
}

/** a + b of finite, non-zero numbers. */
function addFinite(a: Unpacked, b: Unpacked, env: FloatEnvironment): Unpacked {
  const [large, small] = a.scale >= b.scale ? [a, b] : [b, a];
  const distance = large.scale - small.scale;
  let low: bigint;
  let high = large.significand << BigInt(GUARD);
  if (distance <= GUARD) low = small.significand << BigInt(GUARD - distance);
  else {
    // So far below that only its existence matters: the shifted significand with a sticky bit.
    const shift = BigInt(Math.min(distance - GUARD, GUARD));
    low = (small.significand >> shift) | 1n;
  }
  if (large.sign === 1) high = -high;
  const sum = small.sign === 1 ? high - low : high + low;
  const scale = large.scale - GUARD;
  if (sum === 0n) return zero(env.rounding === ROUND_DOWN ? 1 : 0);
  return sum < 0n ? finite(1, -sum, scale) : finite(0, sum, scale);
}

/** a + b, exact up to a sticky bit. */
export function add(a: Unpacked, b: Unpacked, env: FloatEnvironment): Unpacked {
  const nan = nanResult(a, b, env);
  if (nan !== undefined) return nan;
  if (a.kind === INFINITY && b.kind === INFINITY && a.sign !== b.sign) return invalid(env);
  noteDenormals(a, b, env);
  if (a.kind === INFINITY) return infinity(a.sign);
  if (b.kind === INFINITY) return infinity(b.sign);
  if (a.kind === ZERO && b.kind === ZERO) {
    return zero(a.sign === b.sign ? a.sign : env.rounding === ROUND_DOWN ? 1 : 0);
  }
  if (a.kind === ZERO) return finite(b.sign, b.significand, b.scale);
  if (b.kind === ZERO) return finite(a.sign, a.significand, a.scale);
  return addFinite(a, b, env);
}

/** a − b. A NaN operand keeps its sign. */
export function subtract(a: Unpacked, b: Unpacked, env: FloatEnvironment): Unpacked {
  return add(a, b.kind >= QUIET_NAN ? b : negated(b), env);
}

/** a × b, exact. */
export function multiply(a: Unpacked, b: Unpacked, env: FloatEnvironment): Unpacked {
  const nan = nanResult(a, b, env);
  if (nan !== undefined) return nan;
  const sign = a.sign === b.sign ? 0 : 1;
  if (a.kind === INFINITY || b.kind === INFINITY) {
    if (a.kind === ZERO || b.kind === ZERO) return invalid(env);
    noteDenormals(a, b, env);
    return infinity(sign);
  }
  noteDenormals(a, b, env);
  if (a.kind === ZERO || b.kind === ZERO) return zero(sign);
  return finite(sign, a.significand * b.significand, a.scale + b.scale);
}

/** a ÷ b, exact up to a sticky bit. */
export function divide(a: Unpacked, b: Unpacked, env: FloatEnvironment): Unpacked {
  const nan = nanResult(a, b, env);
  if (nan !== undefined) return nan;
  const sign = a.sign === b.sign ? 0 : 1;
  if (a.kind === b.kind && a.kind !== FINITE) return invalid(env);
  if (b.kind === ZERO && a.kind === FINITE) {
    env.flags |= DIVIDE_BY_ZERO;
    return infinity(sign);
  }
  noteDenormals(a, b, env);
  if (a.kind === INFINITY) return infinity(sign);
  if (a.kind === ZERO || b.kind === INFINITY) return zero(sign);
  if (b.kind === ZERO) return infinity(sign);
  const dividend = a.significand << BigInt(GUARD);
  const quotient = dividend / b.significand;
  const sticky = quotient * b.significand === dividend ? 0n : 1n;
  return finite(sign, (quotient << 1n) | sticky, a.scale - GUARD - b.scale - 1);
}

/** The largest integer whose square does not exceed `value`, which is positive. */
export function integerSquareRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLengthUp(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** An upper bound of the bit length that is cheap for any size. */
function bitLengthUp(value: bigint): number {
  return value.toString(16).length * 4;
}

/** √a, exact up to a sticky bit. */
export function squareRoot(a: Unpacked, env: FloatEnvironment): Unpacked {
  const nan = nanResult(a, a, env);
  if (nan !== undefined) return nan;
  if (a.kind === ZERO) return zero(a.sign);
  if (a.sign === 1) return invalid(env);
  noteDenormals(a, a, env);
  if (a.kind === INFINITY) return infinity(0);
  const odd = (a.scale & 1) !== 0 ? 1 : 0;
  const shift = 2 * GUARD + odd;
  const radicand = a.significand << BigInt(shift);
  const root = integerSquareRoot(radicand);
  const sticky = root * root === radicand ? 0n : 1n;
  return finite(0, (root << 1n) | sticky, (a.scale - shift) / 2 - 1);
}
