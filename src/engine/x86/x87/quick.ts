/**
 * The fast path of the commonest x87 operations: 64-bit significands as two 32-bit words, for operands that are
 * normal numbers and results well inside the normal range, where only an inexact result can be reported. Whatever
 * else comes up is refused with `false`, nothing changed, and the exact path in `../softfloat` decides.
 *
 * Specification: as for the exact path; multiplication and division by words after Knuth, TAOCP vol. 2 §4.3.1.
 */
import { TWO_32 } from "../../../bytes/words.js";
import {
  EXTENDED_BIAS,
  EXTENDED_EXPONENT_ONES,
  X87_CONTROL_PRECISION_SHIFT,
  X87_CONTROL_ROUNDING_SHIFT,
  X87_PRECISION_BITS,
  X87_STATUS_C1,
} from "../../../spec/x87.js";
import { PRECISION, ROUND_DOWN, ROUND_NEAREST, ROUND_ZERO } from "../softfloat/environment.js";
import type { FpuState } from "./state.js";
import { DOUBLE_BIAS, SINGLE_BIAS, TOP_BIT, type Words } from "./words.js";

/** Results keep this far from the ends of the exponent range, so that rounding cannot leave it. */
const MARGIN = 2;

/** Significand words of a result before rounding; the lowest bit of `third` is sticky. */
let first = 0;
let second = 0;
let third = 0;
/** What the last rounding found. */
let inexact = false;
let roundedUp = false;

/** Whether a cut at some bit carries: `half` is the highest bit cut off, `below` says whether others were set. */
function carries(rounding: number, sign: number, odd: boolean, half: boolean, below: boolean): boolean {
  if (rounding === ROUND_NEAREST) return half && (below || odd);
  if (rounding === ROUND_ZERO || !(half || below)) return false;
  return (rounding === ROUND_DOWN) === (sign === 1);
}

/** Rounds first/second/third to 64, 53 or 24 bits into `result`, whose sign and exponent are set. */
function roundWords(result: Words, precision: number, rounding: number): void {
  let high = first;
  let low = second;
  let half: boolean;
  let below: boolean;
  let odd: boolean;
  let unitLow = 0;
  let unitHigh = 0;
  if (precision === 64) {
    half = third >= TOP_BIT;
    below = (third & 0x7fffffff) !== 0;
    odd = (low & 1) !== 0;
    unitLow = 1;
  } else if (precision === 53) {
    half = (low & 0x400) !== 0;
    below = (low & 0x3ff) !== 0 || third !== 0;
    odd = (low & 0x800) !== 0;
    low = (low & 0xfffff800) >>> 0;
    unitLow = 0x800;
  } else {
    half = (high & 0x80) !== 0;
    below = (high & 0x7f) !== 0 || low !== 0 || third !== 0;
    odd = (high & 0x100) !== 0;
    high = (high & 0xffffff00) >>> 0;
    low = 0;
    unitHigh = 0x100;
  }
  inexact = half || below;
  roundedUp = carries(rounding, result.sign, odd, half, below);
  if (roundedUp) {
    low += unitLow;
    if (low >= TWO_32) {
      low = 0;
      high += 1;
    }
    high += unitHigh;
    if (high >= TWO_32) {
      high = TOP_BIT;
      result.exponent += 1;
    }
  }
  result.high = high;
  result.low = low;
}

/** Whether a result with this exponent is safe from overflow and underflow. */
function safeExponent(exponent: number): boolean {
  return exponent >= MARGIN && exponent <= EXTENDED_EXPONENT_ONES - 1 - MARGIN;
}

function roundByControl(fpu: FpuState, result: Words): boolean {
  if (!safeExponent(result.exponent)) return false;
  const control = fpu.control;
  const precision = X87_PRECISION_BITS[(control >> X87_CONTROL_PRECISION_SHIFT) & 3];
  roundWords(result, precision, (control >> X87_CONTROL_ROUNDING_SHIFT) & 3);
  return true;
}

/** Notes the last rounding in the status word. */
export function noteRounding(fpu: FpuState): void {
  const flags = (inexact ? PRECISION : 0) | (inexact && roundedUp ? X87_STATUS_C1 : 0);
  fpu.status = (fpu.status & ~X87_STATUS_C1) | flags;
}

/** Puts value >> distance into first/second/third, lost bits sticky. */
function shiftRight(high: number, low: number, distance: number): void {
  let a = high;
  let b = low;
  let c = 0;
  let lost = 0;
  for (; distance >= 32; distance -= 32) {
    lost |= c;
    c = b;
    b = a;
    a = 0;
  }
  if (distance > 0) {
    const up = 32 - distance;
    lost |= c << up;
    c = ((c >>> distance) | (b << up)) >>> 0;
    b = ((b >>> distance) | (a << up)) >>> 0;
    a >>>= distance;
  }
  first = a;
  second = b;
  third = lost !== 0 ? (c | 1) >>> 0 : c;
}

/** From here on only a sticky bit of the smaller operand is left. */
const FAR = 96;

/** Adds the aligned smaller operand in first/second/third to `large`. */
function addAligned(large: Words, result: Words): void {
  const sumLow = large.low + second;
  const sumHigh = large.high + first + (sumLow >= TWO_32 ? 1 : 0);
  second = sumLow >>> 0;
  first = sumHigh >>> 0;
  if (sumHigh < TWO_32) return;
  third = ((second << 31) | (third >>> 1) | (third & 1)) >>> 0;
  second = ((first << 31) | (second >>> 1)) >>> 0;
  first = ((first >>> 1) | TOP_BIT) >>> 0;
  result.exponent += 1;
}

/** Subtracts the aligned smaller operand from `large` and normalises; false when nothing is left. */
function subtractAligned(large: Words, result: Words): boolean {
  const borrow = third !== 0 ? 1 : 0;
  third = -third >>> 0;
  const low = large.low - second - borrow;
  first = (large.high - first - (low < 0 ? 1 : 0)) >>> 0;
  second = low >>> 0;
  while (first === 0) {
    if (second === 0 && third === 0) return false;
    first = second;
    second = third;
    third = 0;
    result.exponent -= 32;
  }
  const shift = Math.clz32(first);
  if (shift > 0) {
    first = ((first << shift) | (second >>> (32 - shift))) >>> 0;
    second = ((second << shift) | (third >>> (32 - shift))) >>> 0;
    third = (third << shift) >>> 0;
    result.exponent -= shift;
  }
  return true;
}

/** a + b, or a − b when `negate` is 1. Zero results are refused: their sign is the exact path's. */
export function quickAdd(fpu: FpuState, a: Words, b: Words, negate: number, result: Words): boolean {
  const bSign = b.sign ^ negate;
  const aLarger =
    a.exponent !== b.exponent
      ? a.exponent > b.exponent
      : a.high !== b.high
        ? a.high > b.high
        : a.low >= b.low;
  const large = aLarger ? a : b;
  const small = aLarger ? b : a;
  shiftRight(small.high, small.low, Math.min(large.exponent - small.exponent, FAR));
  const sign = aLarger ? a.sign : bSign;
  const exponent = large.exponent;
  const sameSign = a.sign === bSign;
  result.sign = sign;
  result.exponent = exponent;
  if (sameSign) addAligned(large, result);
  else if (!subtractAligned(large, result)) return false;
  return roundByControl(fpu, result);
}

/** Upper 32 bits of a product of two 32-bit numbers. */
function multiplyHigh(x: number, y: number): number {
  const xLow = x & 0xffff;
  const xHigh = x >>> 16;
  const yLow = y & 0xffff;
  const yHigh = y >>> 16;
  const middle = xHigh * yLow + ((xLow * yLow) >>> 16);
  const other = xLow * yHigh + (middle & 0xffff);
  return xHigh * yHigh + (middle >>> 16) + (other >>> 16);
}

function multiplyLow(x: number, y: number): number {
  return Math.imul(x, y) >>> 0;
}

/** a × b. */
export function quickMultiply(fpu: FpuState, a: Words, b: Words, result: Words): boolean {
  const lowest = multiplyLow(a.low, b.low);
  const low = multiplyHigh(a.low, b.low) + multiplyLow(a.low, b.high) + multiplyLow(a.high, b.low);
  const carryLow = Math.floor(low / TWO_32);
  const mid =
    carryLow + multiplyHigh(a.low, b.high) + multiplyHigh(a.high, b.low) + multiplyLow(a.high, b.high);
  const carryMid = Math.floor(mid / TWO_32);
  first = multiplyHigh(a.high, b.high) + carryMid;
  second = mid >>> 0;
  third = low >>> 0;
  result.sign = a.sign ^ b.sign;
  result.exponent = a.exponent + b.exponent - EXTENDED_BIAS + 1;
  let fourth = lowest;
  if (first < TOP_BIT) {
    first = ((first << 1) | (second >>> 31)) >>> 0;
    second = ((second << 1) | (third >>> 31)) >>> 0;
    third = ((third << 1) | (fourth >>> 31)) >>> 0;
    fourth = (fourth << 1) >>> 0;
    result.exponent -= 1;
  }
  if (fourth !== 0) third = (third | 1) >>> 0;
  return roundByControl(fpu, result);
}

/** Bits of a quotient: 64, one to round by and one to spare; the rest is sticky. */
const QUOTIENT_BITS = 66;

/** a ÷ b, bit by bit. */
export function quickDivide(fpu: FpuState, a: Words, b: Words, result: Words): boolean {
  let restHigh = a.high;
  let restLow = a.low;
  result.sign = a.sign ^ b.sign;
  result.exponent = a.exponent - b.exponent + EXTENDED_BIAS;
  if (restHigh < b.high || (restHigh === b.high && restLow < b.low)) {
    restHigh = restHigh * 2 + (restLow >>> 31);
    restLow = (restLow << 1) >>> 0;
    result.exponent -= 1;
  }
  let high = 0;
  let middle = 0;
  let low = 0;
  for (let bit = 0; bit < QUOTIENT_BITS; bit++) {
    let digit = 0;
    // restHigh holds up to 33 bits here.
    if (restHigh > b.high || (restHigh === b.high && restLow >= b.low)) {
      digit = 1;
      const difference = restLow - b.low;
      restLow = difference >>> 0;
      restHigh -= b.high + (difference < 0 ? 1 : 0);
    }
    if (bit < 32) high = high * 2 + digit;
    else if (bit < 64) middle = middle * 2 + digit;
    else low = low * 2 + digit;
    restHigh = restHigh * 2 + (restLow >>> 31);
    restLow = (restLow << 1) >>> 0;
  }
  first = high;
  second = middle;
  third = ((low << 30) | (restHigh !== 0 || restLow !== 0 ? 1 : 0)) >>> 0;
  return roundByControl(fpu, result);
}

/** Rounds a register's number to a shorter format into first/second, if its exponent stays in range. */
function narrow(
  fpu: FpuState,
  value: Words,
  result: Words,
  precision: number,
  bias: number,
): number | undefined {
  const exponent = value.exponent - EXTENDED_BIAS + bias;
  if (exponent < MARGIN || exponent > 2 * bias - MARGIN) return undefined;
  first = value.high;
  second = value.low;
  third = 0;
  result.sign = value.sign;
  result.exponent = exponent;
  roundWords(result, precision, (fpu.control >> X87_CONTROL_ROUNDING_SHIFT) & 3);
  return result.exponent;
}

/** Leaves a number as binary64 in memory. */
export function storeDouble(
  fpu: FpuState,
  value: Words,
  memory: DataView,
  offset: number,
  spare: Words,
): boolean {
  const exponent = narrow(fpu, value, spare, 53, DOUBLE_BIAS);
  if (exponent === undefined) return false;
  const { sign, high, low } = spare;
  memory.setUint32(offset + 4, (sign << 31) | (exponent << 20) | ((high & 0x7fffffff) >>> 11), true);
  memory.setUint32(offset, (high << 21) | (low >>> 11), true);
  return true;
}

/** Leaves a number as binary32 in memory. */
export function storeSingle(
  fpu: FpuState,
  value: Words,
  memory: DataView,
  offset: number,
  spare: Words,
): boolean {
  const exponent = narrow(fpu, value, spare, 24, SINGLE_BIAS);
  if (exponent === undefined) return false;
  memory.setUint32(offset, (spare.sign << 31) | (exponent << 23) | ((spare.high & 0x7fffffff) >>> 8), true);
  return true;
}

/** The integer nearest by `rounding`, for 1 ≤ |value| < 2^30; undefined for others. */
export function toSmallInteger(value: Words, rounding: number): number | undefined {
  const exponent = value.exponent - EXTENDED_BIAS;
  if (exponent < 0 || exponent > 29) return undefined;
  const shift = 31 - exponent;
  const magnitude = value.high >>> shift;
  const rest = (value.high << (32 - shift)) >>> 0;
  const half = rest >= TOP_BIT;
  const below = (rest & 0x7fffffff) !== 0 || value.low !== 0;
  inexact = half || below;
  roundedUp = carries(rounding, value.sign, (magnitude & 1) !== 0, half, below);
  const rounded = roundedUp ? magnitude + 1 : magnitude;
  return value.sign === 1 ? -rounded : rounded;
}
