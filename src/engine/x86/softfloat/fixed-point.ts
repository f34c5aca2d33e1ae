/**
 * Series in fixed-point arithmetic on big integers: constants, exponential, logarithm, sine and arc tangent, each to
 * far more bits than any result needs. A fixed-point number is a bigint in units of 2^-FRACTION. Knows no format,
 * no rounding and no flags; uses no floating-point function of the host, so that every host computes the same.
 *
 * Specification: the series are the textbook ones (Abramowitz and Stegun §4.1.27, §4.2.1, §4.3.65, §4.4.42).
 */
import { integerSquareRoot } from "./arithmetic.js";

/**
 * Bits after the binary point. Arguments down to 2^-200 and differences from 1 down to 2^-64 leave more than 300
 * significant bits of a result.
 */
export const FRACTION = 512;
const SHIFT = BigInt(FRACTION);
export const ONE = 1n << SHIFT;

/** Product of two fixed-point numbers, rounded down. */
function times(a: bigint, b: bigint): bigint {
  return (a * b) >> SHIFT;
}

/** Quotient of two fixed-point numbers, truncated. */
export function over(a: bigint, b: bigint): bigint {
  return (a << SHIFT) / b;
}

/** Σ ±x^(2k+1) / (2k+1): arc tangent with alternating signs, else its hyperbolic twin. |x| well below 1. */
function oddReciprocals(x: bigint, alternating: boolean): bigint {
  const square = alternating ? -times(x, x) : times(x, x);
  let power = x;
  let sum = 0n;
  for (let k = 1n; power > 1n || power < -1n; k += 2n) {
    sum += power / k;
    power = times(power, square);
  }
  return sum;
}

/** Computes a constant at its first use. */
function once(compute: () => bigint): () => bigint {
  let value: bigint | undefined;
  return () => (value ??= compute());
}

/** π, by Machin: 16 atan(1/5) − 4 atan(1/239). */
export const pi = once(() => 16n * oddReciprocals(ONE / 5n, true) - 4n * oddReciprocals(ONE / 239n, true));

/** ln 2 = 2 artanh(1/3). */
export const ln2 = once(() => 2n * oddReciprocals(ONE / 3n, false));

/** ln 10 = 3 ln 2 + 2 artanh(1/9). */
export const ln10 = once(() => 3n * ln2() + 2n * oddReciprocals(ONE / 9n, false));

/** e^x − 1 for |x| ≤ 1. */
export function exponentialMinusOne(x: bigint): bigint {
  let term = x;
  let sum = 0n;
  for (let k = 2n; term > 1n || term < -1n; k += 1n) {
    sum += term;
    term = times(term, x) / k;
  }
  return sum;
}

/** ln((1 + s) / (1 − s)) for |s| ≤ 1/4. */
export function logarithmOfRatio(s: bigint): bigint {
  return 2n * oddReciprocals(s, false);
}

/** Sine (`first` = x) or cosine (`first` = 1) of |x| ≤ 1: Σ ±terms, each the last one × x² / (k (k+1)). */
function alternatingTaylor(first: bigint, x: bigint, start: bigint): bigint {
  const square = -times(x, x);
  let term = first;
  let sum = 0n;
  for (let k = start; term > 1n || term < -1n; k += 2n) {
    sum += term;
    term = times(term, square) / (k * (k + 1n));
  }
  return sum;
}

/** Sine of |x| ≤ 1, both in fixed point. */
export function sine(x: bigint): bigint {
  return alternatingTaylor(x, x, 2n);
}

/** Cosine of |x| ≤ 1, both in fixed point. */
export function cosine(x: bigint): bigint {
  return alternatingTaylor(ONE, x, 1n);
}

/** Halvings that bring an argument of at most 1 below 0.2 before the series. */
const ARCTANGENT_HALVINGS = 2;

/** Arc tangent of 0 ≤ x ≤ 1: atan x = 2 atan(x / (1 + √(1 + x²))). */
export function arctangent(x: bigint): bigint {
  let reduced = x;
  for (let i = 0; i < ARCTANGENT_HALVINGS; i++) {
    const root = integerSquareRoot((ONE + times(reduced, reduced)) << SHIFT);
    reduced = over(reduced, ONE + root);
  }
  return oddReciprocals(reduced, true) << BigInt(ARCTANGENT_HALVINGS);
}
