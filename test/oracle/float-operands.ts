/**
 * Operands that floating-point instructions stumble over: subnormals, NaNs of both kinds with payloads, encodings
 * that the x87 does not support, halfway cases of every precision, ends of integer ranges, and pairs that cancel
 * or lie one unit apart. They are written as 32-bit words, least significant first, because millions are made.
 */
import type { Random } from "./random.js";

/** Words, least significant first. */
type Words = Uint32Array;

const ONES = 0xffffffff;
const TOP_BIT = 0x80000000;
/** Bits cut off 64 by 24 and 53 bits of precision, 52 and 23 by conversions, and others. */
const CUTS = [11, 12, 40, 41, 1, 2, 32, 48, 22, 30];

/** Ones in the lowest `count` bits of a word: 0 to 32. */
const lowOnes = (count: number): number => (count >= 32 ? ONES : count <= 0 ? 0 : (1 << count) - 1) >>> 0;

/** Adds a small signed number to the two words at `at`. */
function add(words: Words, at: number, step: number): void {
  const low = words[at] + step;
  words[at] = low >>> 0;
  words[at + 1] = (words[at + 1] + Math.floor(low / 0x100000000)) >>> 0;
}

/** The low `count` bits of two words set, or all others. */
function setOnes(words: Words, at: number, count: number, inverted: boolean): void {
  const flip = inverted ? ONES : 0;
  words[at] = (lowOnes(count) ^ flip) >>> 0;
  words[at + 1] = (lowOnes(count - 32) ^ flip) >>> 0;
}

/** One bit of two words, or all others. */
function setBit(words: Words, at: number, bit: number, inverted: boolean): void {
  const flip = inverted ? ONES : 0;
  words[at] = ((bit < 32 ? 1 << bit : 0) ^ flip) >>> 0;
  words[at + 1] = ((bit >= 32 ? 1 << (bit - 32) : 0) ^ flip) >>> 0;
}

/** Random upper bits over exactly one half of a unit, or one beside that. */
function setHalfway(words: Words, at: number, random: Random): void {
  const cut = random.pick(CUTS);
  words[at] = (random.u32() & ~lowOnes(cut)) >>> 0;
  words[at + 1] = (random.u32() & ~lowOnes(cut - 32)) >>> 0;
  const half = cut - 1;
  if (half < 32) words[at] = (words[at] | (1 << half)) >>> 0;
  else words[at + 1] = (words[at + 1] | (1 << (half - 32))) >>> 0;
  add(words, at, random.below(3) - 1);
}

/** 64 bits: empty, full, a run of ones, a single bit, a halfway pattern, or random. The caller cuts them to size. */
function pattern(words: Words, at: number, width: number, random: Random): void {
  const choice = random.below(10);
  if (choice < 2) setOnes(words, at, 0, choice === 1);
  else if (choice < 4) setBit(words, at, random.below(width), choice === 3);
  else if (choice < 6) setOnes(words, at, random.below(width), choice === 5);
  else if (choice === 6) setHalfway(words, at, random);
  else {
    words[at] = random.u32();
    words[at + 1] = random.u32();
  }
}

const SINGLE_BIAS = 127;
const DOUBLE_BIAS = 1023;
/** Exponents where signed integers of 16, 32 and 64 bits end. */
const INTEGER_EDGES = [14, 15, 16, 30, 31, 32, 62, 63, 64];
/** Exponents where binary32 begins and ends. */
const SINGLE_EDGES = [-150, -149, -127, -126, -125, 127, 128];

/** A biased exponent of the format whose bias it is: its ends, those of integers and of binary32, or around 1. */
function exponentField(bias: number, random: Random): number {
  const ones = 2 * bias + 1;
  switch (random.below(12)) {
    case 0:
      return 0;
    case 1:
    case 2:
      return ones;
    case 3:
      return 1 + random.below(3);
    case 4:
      return ones - 1 - random.below(3);
    case 5:
      return random.below(ones + 1);
    case 6:
      return Math.min(ones - 1, bias + random.pick(INTEGER_EDGES));
    case 7:
      return Math.max(0, bias + random.pick(SINGLE_EDGES));
    default:
      return bias - 3 + random.below(7);
  }
}

const scratch = new Uint32Array(2);

/** A binary32 as its bits. */
export function single(random: Random): number {
  pattern(scratch, 0, 23, random);
  const sign = (random.u32() & 1) << 31;
  return (sign | (exponentField(SINGLE_BIAS, random) << 23) | (scratch[0] & 0x7fffff)) >>> 0;
}

/** A binary32 that meets `other` somewhere: equal, opposite, a neighbour, some binades away; or any. */
export function relatedSingle(other: number, random: Random): number {
  switch (random.below(7)) {
    case 0:
      return other;
    case 1:
      return (other ^ TOP_BIT) >>> 0;
    case 2:
      return (other - 2 + random.below(5)) >>> 0;
    case 3:
      return ((other ^ TOP_BIT) + ((random.below(9) - 4) << 23)) >>> 0;
    default:
      return single(random);
  }
}

/** A binary64 in two words. */
export function double(words: Words, at: number, random: Random): void {
  pattern(words, at, 52, random);
  const sign = (random.u32() & 1) << 31;
  const top = sign | (exponentField(DOUBLE_BIAS, random) << 20);
  words[at + 1] = (top | (words[at + 1] & 0xfffff)) >>> 0;
}

/** A binary64 that meets the one at `other` somewhere, or any. */
export function relatedDouble(words: Words, at: number, other: number, random: Random): void {
  const choice = random.below(7);
  if (choice >= 4) {
    double(words, at, random);
    return;
  }
  words[at] = words[other];
  words[at + 1] = (words[other + 1] ^ (choice === 1 || choice === 3 ? TOP_BIT : 0)) >>> 0;
  if (choice === 2) add(words, at, random.below(5) - 2);
  if (choice === 3) words[at + 1] = (words[at + 1] + ((random.below(9) - 4) << 20)) >>> 0;
}

const EXTENDED_BIAS = 16383;
const EXTENDED_ONES = 0x7fff;
/** Exponents at which the formats that a store narrows to begin and end. */
const STORE_EDGES = [-1075, -1074, -1023, -1022, -1021, 1023, 1024, ...SINGLE_EDGES];
const DECIMAL_EDGES = [13, 14, 15, 29, 30, 31, 57, 58, 59, 60, 61, 62, 63, 64];

function extendedExponent(random: Random): number {
  switch (random.below(12)) {
    case 0:
      return random.below(3);
    case 1:
      return EXTENDED_ONES - 1 - random.below(3);
    case 2:
      return EXTENDED_BIAS + random.pick(STORE_EDGES);
    case 3:
    case 4:
      return EXTENDED_BIAS + random.pick(DECIMAL_EDGES);
    case 5:
      return random.below(EXTENDED_ONES);
    case 6:
      return EXTENDED_BIAS - 70 + random.below(141);
    default:
      return EXTENDED_BIAS - 2 + random.below(6);
  }
}

/** Sets sign, exponent and the integer bit above the fraction that is there. */
function compose(words: Words, at: number, sign: number, exponent: number, integerBit: boolean): void {
  words[at + 1] = integerBit ? (words[at + 1] | TOP_BIT) >>> 0 : words[at + 1] & 0x7fffffff;
  words[at + 2] = (sign << 15) | exponent;
}

/** An 80-bit number of any class, supported or not, in two and a half words; the third's upper half is 0. */
export function extended(words: Words, at: number, random: Random): void {
  const sign = random.u32() & 1;
  const choice = random.below(20);
  pattern(words, at, 63, random);
  if (choice === 0 || choice === 3 || choice === 7) setOnes(words, at, choice === 7 ? 64 : 0, false);
  if (choice <= 1)
    compose(words, at, sign, 0, false); // zero, subnormal
  else if (choice === 2)
    compose(words, at, sign, 0, true); // pseudo-denormal
  else if (choice === 3)
    compose(words, at, sign, EXTENDED_ONES, true); // infinity
  else if (choice <= 5)
    compose(words, at, sign, EXTENDED_ONES, true); // NaN
  else if (choice === 6) {
    // Unnormal, pseudo-infinity, pseudo-NaN.
    compose(words, at, sign, random.once(2) ? EXTENDED_ONES : 1 + random.below(EXTENDED_ONES - 1), false);
  } else compose(words, at, sign, extendedExponent(random), true);
}

/** An 80-bit number that meets the one at `other`: equal, opposite, a neighbour, up to 67 binades away; or any. */
export function relatedExtended(words: Words, at: number, other: number, random: Random): void {
  const choice = random.below(8);
  if (choice >= 4) {
    extended(words, at, random);
    return;
  }
  words[at] = words[other];
  words[at + 1] = words[other + 1];
  words[at + 2] = words[other + 2] ^ (choice === 1 ? 0x8000 : 0);
  if (choice === 2) add(words, at, random.below(5) - 2);
  if (choice === 3) {
    const sign = (random.u32() & 1) << 15;
    const exponent = (words[at + 2] & EXTENDED_ONES) + random.below(135) - 67;
    words[at + 2] = sign | (exponent & EXTENDED_ONES);
  }
}

/** A small whole or half number, as 80 bits: what scaling and remainders count with. */
export function smallExtended(words: Words, at: number, random: Random): void {
  const magnitude = random.once(3) ? random.below(0x14000) : 1 + random.below(140);
  const sign = random.u32() & 1;
  const shift = Math.clz32(magnitude);
  words[at] = 0;
  words[at + 1] = magnitude === 0 ? 0 : (magnitude << shift) >>> 0;
  const exponent = magnitude === 0 ? 0 : EXTENDED_BIAS + 31 - shift - random.below(2);
  words[at + 2] = (sign << 15) | exponent;
}

/** 64 bits as integers of any width see them: ends of ranges and powers with their neighbours, or random. */
export function integer(words: Words, at: number, random: Random): void {
  const choice = random.below(5);
  if (choice === 1) setOnes(words, at, 0, random.once(2));
  else if (choice <= 2) setBit(words, at, random.below(64), choice === 2);
  else pattern(words, at, 64, random);
  if (choice <= 2) add(words, at, random.below(7) - 3);
}

const DECIMAL_DIGITS = 18;

/** Packed decimal, ten bytes: 0 to 18 digits, sometimes with the unused bits of the sign byte set. */
export function packedDecimal(words: Words, at: number, random: Random): void {
  const digits = random.once(4) ? 0 : 1 + random.below(DECIMAL_DIGITS);
  words.fill(0, at, at + 3);
  for (let i = 0; i < digits; i++)
    words[at + (i >> 3)] |= (random.once(3) ? 9 : random.below(10)) << (4 * (i & 7));
  words[at + 2] |= ((random.u32() & 1) << 15) | (random.once(4) ? random.below(128) << 8 : 0);
}
