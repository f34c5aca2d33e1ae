/**
 * Encodes zeros as an LZMA stream: one literal, then matches of the greatest length at distance 1. Enough to make streams
 * that unpack to a thousand times their size; no encoder for anything else.
 *
 * Source: I. Pavlov, LZMA specification, the range coder run the other way; lc 3, lp 0, pb 2.
 */

const PROB_START = 1024;
const TOP = 2 ** 24;
const WORD = 2 ** 32;
const MATCH_LENGTH = 273;
/** State after a repeated match: behind a literal, behind a match. */
const STATE = { AFTER_LITERAL: 8, AFTER_MATCH: 11 } as const;

class RangeEncoder {
  readonly #out: number[] = [];
  /** 33 bits. */
  #low = 0;
  #range = WORD - 1;
  #cache = 0;
  #pending = 1;

  bit(probs: Uint16Array, index: number, bit: 0 | 1): void {
    const prob = probs[index];
    const bound = Math.floor(this.#range / 2048) * prob;
    if (bit === 0) {
      this.#range = bound;
      probs[index] = prob + ((2048 - prob) >> 5);
    } else {
      this.#low += bound;
      this.#range -= bound;
      probs[index] = prob - (prob >> 5);
    }
    while (this.#range < TOP) {
      this.#range *= 256;
      this.#shiftLow();
    }
  }

  /** `bits` bits of `value`, the highest first, through a tree of models. */
  tree(probs: Uint16Array, value: number, bits: number): void {
    let node = 1;
    for (let i = bits - 1; i >= 0; i--) {
      const bit = ((value >> i) & 1) as 0 | 1;
      this.bit(probs, node, bit);
      node = (node << 1) | bit;
    }
  }

  finish(): Uint8Array {
    for (let i = 0; i < 5; i++) this.#shiftLow();
    return Uint8Array.from(this.#out);
  }

  #shiftLow(): void {
    if (this.#low < 0xff00_0000 || this.#low >= WORD) {
      const carry = this.#low >= WORD ? 1 : 0;
      for (let byte = this.#cache; this.#pending > 0; this.#pending--, byte = 0xff)
        this.#out.push((byte + carry) & 0xff);
      this.#cache = Math.floor(this.#low / TOP) & 0xff;
    }
    this.#pending += 1;
    this.#low = (this.#low % TOP) * 256;
  }
}

/** A literal and `matches` matches, without an end marker; `size` is what they unpack to. */
export function zeroPackets(matches: number): { bytes: Uint8Array; size: number } {
  const models = (count: number): Uint16Array => new Uint16Array(count).fill(PROB_START);
  const [isMatch, isRep, isRepG0, isRep0Long] = [models(12 * 16), models(12), models(12), models(12 * 16)];
  const [literal, choice, high] = [models(0x300), models(2), models(256)];
  const encoder = new RangeEncoder();
  encoder.bit(isMatch, 0, 0);
  encoder.tree(literal, 0, 8);
  let size = 1;
  let state = 0;
  for (let i = 0; i < matches; i++) {
    const model = state * 16 + (size & 3);
    encoder.bit(isMatch, model, 1);
    encoder.bit(isRep, state, 1);
    encoder.bit(isRepG0, state, 0);
    encoder.bit(isRep0Long, model, 1);
    encoder.bit(choice, 0, 1);
    encoder.bit(choice, 1, 1);
    encoder.tree(high, MATCH_LENGTH - 18, 8);
    state = state < 7 ? STATE.AFTER_LITERAL : STATE.AFTER_MATCH;
    size += MATCH_LENGTH;
  }
  return { bytes: encoder.finish(), size };
}
