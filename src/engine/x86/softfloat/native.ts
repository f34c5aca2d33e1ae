/**
 * The fast path of binary32 and binary64 arithmetic: host arithmetic (round to nearest, binary64) with the sign of
 * its rounding error, from which the inexact flag and the other rounding modes follow. Only for operands and results
 * well inside the normal range, where nothing else can happen; everything else is answered with NaN, which says
 * "take the exact path" (no result here is ever a NaN).
 *
 * Specification: error-free transformations, Muller et al., Handbook of Floating-Point Arithmetic, §4.3 (sum), §4.4
 * (product), §4.7 (quotient, square root); §3.3.1 (binary32 results through binary64 are rounded right).
 */
import {
  PRECISION,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_UP,
  type FloatEnvironment,
  type RoundingMode,
} from "./environment.js";

/** Says that the exact path has to decide. */
export const UNDECIDED = Number.NaN;

/** Magnitudes for which all intermediate results of all operations are exact where they have to be. */
const SMALLEST_64 = 2 ** -480;
const LARGEST_64 = 2 ** 480;
/** Normal binary32 numbers; results have to be strictly above the smallest one, so that none is tiny. */
const SMALLEST_32 = 2 ** -126;
const LARGEST_32 = 2 ** 127;
/** Splits a 53-bit significand into two halves (Veltkamp). */
const SPLITTER = 2 ** 27 + 1;

/** Sign (and only that) of exact result minus delivered result of the last operation. */
let error = 0;

const bits = new DataView(new ArrayBuffer(8));

/** The binary64 neighbour of a normal number, one up or down in magnitude. */
function neighbour64(value: number, outwards: boolean): number {
  bits.setFloat64(0, value);
  const low = bits.getUint32(4);
  bits.setUint32(4, outwards ? low + 1 : low - 1);
  if (outwards ? low === 0xffffffff : low === 0) bits.setUint32(0, bits.getUint32(0) + (outwards ? 1 : -1));
  return bits.getFloat64(0);
}

function neighbour32(value: number, outwards: boolean): number {
  bits.setFloat32(0, value);
  bits.setUint32(0, bits.getUint32(0) + (outwards ? 1 : -1));
  return bits.getFloat32(0);
}

/** How a nearest result moves in another mode: 0 not, 1 away from zero, -1 towards zero. */
function correction(value: number, rounding: RoundingMode): -1 | 0 | 1 {
  if (rounding === ROUND_NEAREST || error === 0) return 0;
  // The exact result lies above (error > 0) or below; each directed mode wants one of the neighbours around it.
  const outside = error > 0 === value > 0;
  if (rounding === ROUND_DOWN) return error > 0 ? 0 : value > 0 ? -1 : 1;
  if (rounding === ROUND_UP) return error < 0 ? 0 : value > 0 ? 1 : -1;
  return outside ? 0 : -1;
}

/** Delivers a nearest binary64 result in the mode asked for. */
function deliver64(value: number, env: FloatEnvironment): number {
  if (error === 0) return value;
  env.flags |= PRECISION;
  const move = correction(value, env.rounding);
  return move === 0 ? value : neighbour64(value, move > 0);
}

/** Narrows a binary64 result with its error to binary32. */
function deliver32(value: number, env: FloatEnvironment): number {
  const narrow = Math.fround(value);
  const magnitude = Math.abs(narrow);
  if (!(magnitude > SMALLEST_32 && magnitude < LARGEST_32))
    return value === 0 && error === 0 ? value : UNDECIDED;
  if (narrow !== value) error = value - narrow;
  if (error === 0) return narrow;
  env.flags |= PRECISION;
  const move = correction(narrow, env.rounding);
  return move === 0 ? narrow : neighbour32(narrow, move > 0);
}

function inRange(value: number, width: 32 | 64): boolean {
  const magnitude = Math.abs(value);
  if (width === 32) return magnitude >= SMALLEST_32 && magnitude < 2 * LARGEST_32;
  return magnitude >= SMALLEST_64 && magnitude <= LARGEST_64;
}

/** Whether an operand is a number that needs no special care: a zero or in range. */
function plain(value: number, width: 32 | 64): boolean {
  return value === 0 || inRange(value, width);
}

/** product − a × b, exactly. */
function productError(a: number, b: number, product: number): number {
  const aWide = a * SPLITTER;
  const aHigh = aWide - (aWide - a);
  const aLow = a - aHigh;
  const bWide = b * SPLITTER;
  const bHigh = bWide - (bWide - b);
  const bLow = b - bHigh;
  return product - aHigh * bHigh - aLow * bHigh - aHigh * bLow - aLow * bLow;
}

function deliver(value: number, width: 32 | 64, env: FloatEnvironment): number {
  return width === 64 ? deliver64(value, env) : deliver32(value, env);
}

/** a + b. Zero results are left to the exact path, which knows their sign. */
export function nativeAdd(a: number, b: number, width: 32 | 64, env: FloatEnvironment): number {
  if (!plain(a, width) || !plain(b, width)) return UNDECIDED;
  const sum = a + b;
  if (sum === 0) return UNDECIDED;
  const bPart = sum - a;
  error = a - (sum - bPart) + (b - bPart);
  return deliver(sum, width, env);
}

/** a × b. */
export function nativeMultiply(a: number, b: number, width: 32 | 64, env: FloatEnvironment): number {
  if (!plain(a, width) || !plain(b, width)) return UNDECIDED;
  const product = a * b;
  error = width === 32 || product === 0 ? 0 : -productError(a, b, product);
  return deliver(product, width, env);
}

/** a ÷ b. */
export function nativeDivide(a: number, b: number, width: 32 | 64, env: FloatEnvironment): number {
  if (!plain(a, width) || !inRange(b, width)) return UNDECIDED;
  const quotient = a / b;
  if (quotient === 0) error = 0;
  else {
    const back = quotient * b;
    const rest = a - back + productError(quotient, b, back);
    error = b > 0 ? rest : -rest;
  }
  return deliver(quotient, width, env);
}

/** √a. */
export function nativeSquareRoot(a: number, width: 32 | 64, env: FloatEnvironment): number {
  if (!(a > 0) || !inRange(a, width)) return UNDECIDED;
  const root = Math.sqrt(a);
  const back = root * root;
  error = a - back + productError(root, root, back);
  return deliver(root, width, env);
}

/** A binary64 number narrowed to binary32. */
export function nativeNarrow(a: number, env: FloatEnvironment): number {
  if (!plain(a, 64)) return UNDECIDED;
  error = 0;
  return deliver32(a, env);
}

/** The neighbouring integer that the mode asks for, in binary64; any finite number. */
export function nativeRound(a: number, rounding: RoundingMode): number {
  if (rounding === ROUND_DOWN) return Math.floor(a);
  if (rounding === ROUND_UP) return Math.ceil(a);
  if (rounding !== ROUND_NEAREST) return Math.trunc(a);
  const below = Math.floor(a);
  const rest = a - below;
  const up = rest === 0.5 ? below % 2 !== 0 : rest > 0.5;
  // The sum loses the sign of a zero.
  return up ? below + 1 || a * 0 : below;
}

/** Whether a number is neither NaN, infinite nor denormal in its format. */
export function isPlain(value: number, width: 32 | 64): boolean {
  const magnitude = Math.abs(value);
  const smallest = width === 32 ? SMALLEST_32 : 2 ** -1022;
  return value === 0 || (magnitude >= smallest && magnitude <= Number.MAX_VALUE);
}
