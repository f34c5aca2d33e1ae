/**
 * Normal numbers as two 32-bit words of significand, the form that the x87's fast path works on: reading them from
 * registers and memory, writing registers, ordering. Knows no rounding.
 *
 * Specification: Intel SDM vol. 1 §4.2.2 (formats).
 */
import { EXTENDED_BIAS, EXTENDED_EXPONENT_ONES } from "../../../spec/x87.js";
import type { FpuState } from "./state.js";

/** A normal number: ±(high × 2^32 + low) × 2^(exponent − bias − 63), the top bit of `high` set. */
export interface Words {
  /** 0 or 1. */
  sign: number;
  /** Biased as in the extended format. */
  exponent: number;
  high: number;
  low: number;
}

/** +0. */
export function newWords(): Words {
  return { sign: 0, exponent: 0, high: 0, low: 0 };
}

/** The integer bit, which every normal number has. */
export const TOP_BIT = 0x8000_0000;
const SIGN_SHIFT = 15;
export const DOUBLE_BIAS = 1023;
const DOUBLE_EXPONENT_ONES = 0x7ff;
export const SINGLE_BIAS = 127;
const SINGLE_EXPONENT_ONES = 0xff;

/** Reads a physical register if it holds a normal number. */
export function loadRegister(fpu: FpuState, at: number, into: Words): boolean {
  const { view } = fpu;
  const signExponent = view.getUint16(at + 8, true);
  into.exponent = signExponent & EXTENDED_EXPONENT_ONES;
  into.sign = signExponent >> SIGN_SHIFT;
  into.low = view.getUint32(at, true);
  into.high = view.getUint32(at + 4, true);
  return into.high >= TOP_BIT && into.exponent !== 0 && into.exponent !== EXTENDED_EXPONENT_ONES;
}

/** Writes a physical register. */
export function storeRegister(fpu: FpuState, at: number, value: Words): void {
  const { view } = fpu;
  view.setUint32(at, value.low, true);
  view.setUint32(at + 4, value.high, true);
  view.setUint16(at + 8, (value.sign << SIGN_SHIFT) | value.exponent, true);
}

/** Reads a binary64 if it is a normal number. */
export function loadDouble(memory: DataView, offset: number, into: Words): boolean {
  const top = memory.getUint32(offset + 4, true);
  const bottom = memory.getUint32(offset, true);
  const exponent = (top >>> 20) & DOUBLE_EXPONENT_ONES;
  into.sign = top >>> 31;
  into.exponent = exponent - DOUBLE_BIAS + EXTENDED_BIAS;
  into.high = (TOP_BIT | ((top & 0xfffff) << 11) | (bottom >>> 21)) >>> 0;
  into.low = (bottom << 11) >>> 0;
  return exponent !== 0 && exponent !== DOUBLE_EXPONENT_ONES;
}

/** Reads a binary32 if it is a normal number. */
export function loadSingle(memory: DataView, offset: number, into: Words): boolean {
  const bits = memory.getUint32(offset, true);
  const exponent = (bits >>> 23) & SINGLE_EXPONENT_ONES;
  into.sign = bits >>> 31;
  into.exponent = exponent - SINGLE_BIAS + EXTENDED_BIAS;
  into.high = (TOP_BIT | ((bits & 0x7fffff) << 8)) >>> 0;
  into.low = 0;
  return exponent !== 0 && exponent !== SINGLE_EXPONENT_ONES;
}

/** A 32-bit integer as a number, if it is not zero. */
export function fromInteger(value: number, into: Words): boolean {
  if (value === 0) return false;
  const magnitude = Math.abs(value) >>> 0;
  const shift = Math.clz32(magnitude);
  into.sign = value < 0 ? 1 : 0;
  into.exponent = EXTENDED_BIAS + 31 - shift;
  into.high = (magnitude << shift) >>> 0;
  into.low = 0;
  return true;
}

/** −1, 0 or 1 as a is below, equal to or above b. */
export function compareWords(a: Words, b: Words): -1 | 0 | 1 {
  const above = a.sign === 1 ? -1 : 1;
  const below = a.sign === 1 ? 1 : -1;
  if (a.sign !== b.sign) return above;
  if (a.exponent !== b.exponent) return a.exponent > b.exponent ? above : below;
  if (a.high !== b.high) return a.high > b.high ? above : below;
  if (a.low !== b.low) return a.low > b.low ? above : below;
  return 0;
}
