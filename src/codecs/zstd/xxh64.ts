/**
 * XXH64 with seed 0, the content checksum of Zstandard (RFC 8878 §3.1.1; the xxHash specification, "XXH64
 * Algorithm Description"). 64-bit values are pairs of 32-bit halves: BigInt would take seconds for a kernel.
 */
import { TWO_32 } from "../../bytes/words.js";

/** The five primes as [high, low]. */
const P1 = [0x9e3779b1, 0x85ebca87] as const;
const P2 = [0xc2b2ae3d, 0x27d4eb4f] as const;
const P3 = [0x165667b1, 0x9e3779f9] as const;
const P4 = [0x85ebca77, 0xc2b2ae63] as const;
const P5 = [0x27d4eb2f, 0x165667c5] as const;
type Constant = readonly [high: number, low: number];

const STRIPE = 32;

/** High half of the product of two 32-bit integers, as a signed one; every step stays within 32 bits. */
function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const p01 = Math.imul(a0, b1);
  const p10 = Math.imul(a1, b0);
  const mid = (Math.imul(a0, b0) >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  return (Math.imul(a1, b1) + (p01 >>> 16) + (p10 >>> 16) + (mid >>> 16)) | 0;
}

/** A 64-bit accumulator with the operations that the algorithm uses. */
class Word {
  constructor(
    public high: number,
    public low: number,
  ) {}

  multiply([high, low]: Constant): this {
    const carried = mulHigh(this.low, low);
    this.high = (carried + Math.imul(this.high, low) + Math.imul(this.low, high)) >>> 0;
    this.low = Math.imul(this.low, low) >>> 0;
    return this;
  }

  add(high: number, low: number): this {
    const sum = this.low + low;
    this.high = (this.high + high + (sum >= TWO_32 ? 1 : 0)) >>> 0;
    this.low = sum >>> 0;
    return this;
  }

  /** Rotates left by 0 < n < 32. */
  rotate(n: number): this {
    const high = (this.high << n) | (this.low >>> (32 - n));
    this.low = ((this.low << n) | (this.high >>> (32 - n))) >>> 0;
    this.high = high >>> 0;
    return this;
  }

  xor(high: number, low: number): this {
    this.high = (this.high ^ high) >>> 0;
    this.low = (this.low ^ low) >>> 0;
    return this;
  }

  /** x ^= x >> n. */
  fold(n: number): this {
    return n < 32
      ? this.xor(this.high >>> n, ((this.low >>> n) | (this.high << (32 - n))) >>> 0)
      : this.xor(0, this.high >>> (n - 32));
  }

  /** The round of a lane: this + input × P2, rotated, × P1. */
  round(high: number, low: number): this {
    const lane = new Word(high, low).multiply(P2);
    return this.add(lane.high, lane.low).rotate(31).multiply(P1);
  }
}

function merge(hash: Word, lane: Word): void {
  const mixed = new Word(0, 0).round(lane.high, lane.low);
  hash.xor(mixed.high, mixed.low).multiply(P1).add(P4[0], P4[1]);
}

/**
 * Folds the words at `first`, `first` + 32, … of all whole stripes into a lane. The rounds of Word.round with their
 * state in locals: this is the hot loop.
 */
function foldLane(view: DataView, first: number, lane: Word): void {
  const [P1H, P1L] = P1;
  const [P2H, P2L] = P2;
  let high = lane.high | 0;
  let low = lane.low | 0;
  for (let at = first, end = view.byteLength - (view.byteLength % STRIPE); at < end; at += STRIPE) {
    const inputLow = view.getInt32(at, true);
    const inputHigh = view.getInt32(at + 4, true);
    const productLow = Math.imul(inputLow, P2L);
    const productHigh = (mulHigh(inputLow, P2L) + Math.imul(inputHigh, P2L) + Math.imul(inputLow, P2H)) | 0;
    const sumLow = (low + productLow) | 0;
    const carry = sumLow >>> 0 < low >>> 0 ? 1 : 0;
    const sumHigh = (high + productHigh + carry) | 0;
    const turnedHigh = (sumHigh << 31) | (sumLow >>> 1);
    const turnedLow = (sumLow << 31) | (sumHigh >>> 1);
    low = Math.imul(turnedLow, P1L);
    high = (mulHigh(turnedLow, P1L) + Math.imul(turnedHigh, P1L) + Math.imul(turnedLow, P1H)) | 0;
  }
  lane.high = high >>> 0;
  lane.low = low >>> 0;
}

/** The 64-bit hash folded over whole stripes; the hash of short input starts from P5. */
function stripes(view: DataView): Word {
  if (view.byteLength < STRIPE) return new Word(P5[0], P5[1]);
  const lanes = [
    new Word(P1[0], P1[1]).add(P2[0], P2[1]),
    new Word(P2[0], P2[1]),
    new Word(0, 0),
    // 0 - P1 in two's complement.
    new Word(~P1[0] >>> 0, -P1[1] >>> 0),
  ] as const;
  lanes.forEach((lane, i) => {
    foldLane(view, i * 8, lane);
  });
  const hash = new Word(0, 0);
  [1, 7, 12, 18].forEach((n, i) => {
    const turned = new Word(lanes[i].high, lanes[i].low).rotate(n);
    hash.add(turned.high, turned.low);
  });
  for (const lane of lanes) merge(hash, lane);
  return hash;
}

/** The low 32 bits of the XXH64 of the bytes. */
export function xxh64Low(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hash = stripes(view);
  hash.add(Math.floor(bytes.length / TWO_32), bytes.length >>> 0);
  let at = bytes.length - (bytes.length % STRIPE);
  for (; at + 8 <= bytes.length; at += 8) {
    const lane = new Word(0, 0).round(view.getUint32(at + 4, true), view.getUint32(at, true));
    hash.xor(lane.high, lane.low).rotate(27).multiply(P1).add(P4[0], P4[1]);
  }
  if (at + 4 <= bytes.length) {
    const lane = new Word(0, view.getUint32(at, true)).multiply(P1);
    hash.xor(lane.high, lane.low).rotate(23).multiply(P2).add(P3[0], P3[1]);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    const lane = new Word(0, bytes[at]).multiply(P5);
    hash.xor(lane.high, lane.low).rotate(11).multiply(P1);
  }
  return hash.fold(33).multiply(P2).fold(29).multiply(P3).fold(32).low;
}
