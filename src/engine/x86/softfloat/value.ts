/**
 * Unpacked numbers: the one form that arithmetic works on, whatever format a value came from or goes to. Knows the
 * three storage formats, no operation.
 *
 * Specification: Intel SDM vol. 1 §4.2.2 (formats), §8.2.2 (unsupported double-extended encodings).
 */
import {
  EXTENDED_BIAS,
  EXTENDED_EXPONENT_ONES,
  EXTENDED_INTEGER_BIT,
  EXTENDED_QUIET_BIT,
  EXTENDED_SIGN,
} from "../../../spec/x87.js";

export const ZERO = 0;
export const FINITE = 1;
export const INFINITY = 2;
export const QUIET_NAN = 3;
export const SIGNALING_NAN = 4;
/** Double-extended encodings that no operation accepts: pseudo-infinity, pseudo-NaN, unnormal. */
export const UNSUPPORTED = 5;
export type NumberKind = 0 | 1 | 2 | 3 | 4 | 5;

/**
 * A number taken apart. FINITE: the value is ±significand × 2^scale, significand > 0; operands have a significand
 * of exactly 64 bits. NaN: `significand` is the 64-bit one that the extended format would hold (integer bit, quiet
 * bit, payload aligned to the top).
 */
export interface Unpacked {
  kind: NumberKind;
  sign: 0 | 1;
  significand: bigint;
  scale: number;
  /** Whether the encoding was a denormal or pseudo-denormal of its own format. */
  denormal: boolean;
}

/** The 80-bit format: sign in bit 15 and biased exponent in bits 14–0 of `signExponent`. */
export interface Extended {
  signExponent: number;
  significand: bigint;
}

/** One of the interchange formats. */
export interface BinaryFormat {
  width: 32 | 64;
  /** Significand bits including the hidden one. */
  precision: 24 | 53;
  bias: number;
  minExponent: number;
  maxExponent: number;
}

export const BINARY32: BinaryFormat = {
  width: 32,
  precision: 24,
  bias: 127,
  minExponent: -126,
  maxExponent: 127,
};
export const BINARY64: BinaryFormat = {
  width: 64,
  precision: 53,
  bias: 1023,
  minExponent: -1022,
  maxExponent: 1023,
};

/** Bits of the significand of an unpacked operand. */
const SIGNIFICAND_BITS = 64;
const MASK64 = (1n << 64n) - 1n;

/** Number of bits up to and including the highest set one; 0 for 0. */
export function bitLength(value: bigint): number {
  let length = 0;
  while (value > MASK64) {
    value >>= 64n;
    length += 64;
  }
  const high = Number(value >> 32n);
  return high !== 0 ? length + 64 - Math.clz32(high) : length + 32 - Math.clz32(Number(value));
}

/** ±0. */
export function zero(sign: 0 | 1): Unpacked {
  return { kind: ZERO, sign, significand: 0n, scale: 0, denormal: false };
}

/** ±∞. */
export function infinity(sign: 0 | 1): Unpacked {
  return { kind: INFINITY, sign, significand: EXTENDED_INTEGER_BIT, scale: 0, denormal: false };
}

/** ±significand × 2^scale, which may have any number of bits; zero when the significand is. */
export function finite(sign: 0 | 1, significand: bigint, scale: number): Unpacked {
  return { kind: significand === 0n ? ZERO : FINITE, sign, significand, scale, denormal: false };
}

/** The real indefinite: what a masked invalid operation gives. */
export function defaultNan(): Unpacked {
  return {
    kind: QUIET_NAN,
    sign: 1,
    significand: EXTENDED_INTEGER_BIT | EXTENDED_QUIET_BIT,
    scale: 0,
    denormal: false,
  };
}

/** Brings a non-zero significand to exactly 64 bits, which the caller knows is exact. */
function normalised(sign: 0 | 1, significand: bigint, scale: number, denormal: boolean): Unpacked {
  const shift = SIGNIFICAND_BITS - bitLength(significand);
  return { kind: FINITE, sign, significand: significand << BigInt(shift), scale: scale - shift, denormal };
}

/** Takes a binary32 or binary64 bit pattern apart. With `daz`, a denormal is a zero. */
export function unpackBinary(format: BinaryFormat, bits: bigint, daz = false): Unpacked {
  const fractionBits = format.precision - 1;
  const fraction = bits & ((1n << BigInt(fractionBits)) - 1n);
  const top = Number(bits >> BigInt(fractionBits));
  const exponentOnes = 2 * format.bias + 1;
  const exponent = top & exponentOnes;
  const sign = top > exponentOnes ? 1 : 0;
  if (exponent === exponentOnes) {
    if (fraction === 0n) return infinity(sign);
    const significand = EXTENDED_INTEGER_BIT | (fraction << BigInt(63 - fractionBits));
    const kind = (significand & EXTENDED_QUIET_BIT) !== 0n ? QUIET_NAN : SIGNALING_NAN;
    return { kind, sign, significand, scale: 0, denormal: false };
  }
  if (exponent === 0) {
    if (fraction === 0n || daz) return zero(sign);
    return normalised(sign, fraction, format.minExponent - fractionBits, true);
  }
  const significand = (1n << 63n) | (fraction << BigInt(63 - fractionBits));
  return { kind: FINITE, sign, significand, scale: exponent - format.bias - 63, denormal: false };
}

/** Takes an 80-bit value apart. */
export function unpackExtended(value: Extended): Unpacked {
  const { signExponent, significand } = value;
  const exponent = signExponent & EXTENDED_EXPONENT_ONES;
  const sign = (signExponent & EXTENDED_SIGN) !== 0 ? 1 : 0;
  const integerBit = (significand & EXTENDED_INTEGER_BIT) !== 0n;
  if (exponent === 0) {
    if (significand === 0n) return zero(sign);
    return normalised(sign, significand, 1 - EXTENDED_BIAS - 63, true);
  }
  if (!integerBit) return { kind: UNSUPPORTED, sign, significand, scale: 0, denormal: false };
  if (exponent === EXTENDED_EXPONENT_ONES) {
    if (significand === EXTENDED_INTEGER_BIT) return infinity(sign);
    const kind = (significand & EXTENDED_QUIET_BIT) !== 0n ? QUIET_NAN : SIGNALING_NAN;
    return { kind, sign, significand, scale: 0, denormal: false };
  }
  return { kind: FINITE, sign, significand, scale: exponent - EXTENDED_BIAS - 63, denormal: false };
}

/** A signed integer as an exact number. */
export function unpackInteger(value: bigint): Unpacked {
  if (value === 0n) return zero(0);
  return value < 0n ? normalised(1, -value, 0, false) : normalised(0, value, 0, false);
}

/**
 * Encodes a value that `round` has already fitted to the format, or a special one. A NaN must be quiet; its
 * payload is cut to what the format holds.
 */
export function packBinary(format: BinaryFormat, value: Unpacked): bigint {
  const fractionBits = format.precision - 1;
  const sign = value.sign === 1 ? 1n << BigInt(format.width - 1) : 0n;
  const exponentOnes = BigInt(2 * format.bias + 1) << BigInt(fractionBits);
  if (value.kind === ZERO) return sign;
  if (value.kind === INFINITY) return sign | exponentOnes;
  if (value.kind !== FINITE) {
    const fraction = (value.significand & (EXTENDED_INTEGER_BIT - 1n)) >> BigInt(63 - fractionBits);
    return sign | exponentOnes | fraction;
  }
  const length = bitLength(value.significand);
  const exponent = value.scale + length - 1;
  if (exponent < format.minExponent) {
    return sign | (value.significand << BigInt(value.scale - (format.minExponent - fractionBits)));
  }
  const shift = format.precision - length;
  const significand = shift >= 0 ? value.significand << BigInt(shift) : value.significand >> BigInt(-shift);
  // Adding carries the hidden bit into the exponent field, which therefore starts one lower.
  return sign | ((BigInt(exponent + format.bias - 1) << BigInt(fractionBits)) + significand);
}

/** Encodes a fitted or special value as 80 bits. */
export function packExtended(value: Unpacked): Extended {
  const sign = value.sign === 1 ? EXTENDED_SIGN : 0;
  if (value.kind === ZERO) return { signExponent: sign, significand: 0n };
  if (value.kind !== FINITE) {
    return { signExponent: sign | EXTENDED_EXPONENT_ONES, significand: value.significand };
  }
  const shift = SIGNIFICAND_BITS - bitLength(value.significand);
  const exponent = value.scale - shift + 63 + EXTENDED_BIAS;
  if (exponent <= 0) {
    const significand = value.significand << BigInt(value.scale + EXTENDED_BIAS - 1 + 63);
    return { signExponent: sign, significand };
  }
  const significand = shift >= 0 ? value.significand << BigInt(shift) : value.significand >> BigInt(-shift);
  return { signExponent: sign | exponent, significand };
}
