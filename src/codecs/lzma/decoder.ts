/**
 * The LZMA decoder proper: range coder, probability models, state machine. Source: I. Pavlov, LZMA specification
 * (draft 2015-06-14). Knows no container: .lzma and LZMA2 feed it.
 */
import { CodecError } from "../codec-error.js";
import type { Output } from "../output.js";
import type { CodecName } from "../../spec/compression.js";

/** Range coder: probabilities of 11 bits, adapted by 1/32, renewed below 2^24. */
const PROB_BITS = 11;
const PROB_ONE = 1 << PROB_BITS;
const PROB_START = PROB_ONE / 2;
const MOVE_BITS = 5;
const TOP = 1 << 24;

const STATES = 12;
const POS_STATES = 16;
/** States below this mean that the last packet was a literal. */
const FIRST_MATCH_STATE = 7;
const MIN_MATCH = 2;
/** The longest match. */
export const MAX_MATCH = MIN_MATCH + 8 + 8 + 256 - 1;

/** Distance slots: from 4 on with extra bits, from 14 on with direct bits and 4 aligned ones. */
const LENGTH_CONTEXTS = 4;
const SLOT_BITS = 6;
const FIRST_MODEL_SLOT = 4;
const FIRST_DIRECT_SLOT = 14;
const FULL_DISTANCES = 1 << (FIRST_DIRECT_SLOT / 2);
const ALIGN_BITS = 4;
const LITERAL_SIZE = 0x300;

/** Where each model's probabilities start in the one array. */
const LENGTH_CODER_SIZE = 2 + POS_STATES * 8 * 2 + 256;
const IS_MATCH = 0;
const IS_REP = IS_MATCH + STATES * POS_STATES;
const IS_REP_G0 = IS_REP + STATES;
const IS_REP_G1 = IS_REP_G0 + STATES;
const IS_REP_G2 = IS_REP_G1 + STATES;
const IS_REP0_LONG = IS_REP_G2 + STATES;
const SLOTS = IS_REP0_LONG + STATES * POS_STATES;
const DISTANCES = SLOTS + LENGTH_CONTEXTS * (1 << SLOT_BITS);
const ALIGN = DISTANCES + 1 + FULL_DISTANCES - FIRST_DIRECT_SLOT;
const LENGTHS = ALIGN + (1 << ALIGN_BITS);
const REP_LENGTHS = LENGTHS + LENGTH_CODER_SIZE;
const LITERALS = REP_LENGTHS + LENGTH_CODER_SIZE;

/** The parameters lc, lp, pb of the properties byte. */
export interface LzmaProperties {
  lc: number;
  lp: number;
  pb: number;
}

/** Decodes the properties byte; undefined when it is above the greatest valid one. */
export function lzmaProperties(byte: number): LzmaProperties | undefined {
  if (byte >= 9 * 5 * 5) return undefined;
  return { lc: byte % 9, lp: Math.floor(byte / 9) % 5, pb: Math.floor(byte / 45) };
}

/** What `run` ended with. */
export type RunEnd = "limit" | "marker";

/** An LZMA stream being decoded onto an output. */
export class LzmaDecoder {
  /** Position in the input. */
  at = 0;
  /** Distances reach back to this position of the output. */
  dictionaryStart = 0;
  dictionarySize = 0xffff_ffff;

  private probs = new Uint16Array(0);
  private end = 0;
  private range = 0;
  private code = 0;
  private state = 0;
  private rep0 = 0;
  private rep1 = 0;
  private rep2 = 0;
  private rep3 = 0;
  private lc = 0;
  private literalMask = 0;
  private posMask = 0;

  constructor(
    private readonly codec: CodecName,
    private readonly input: Uint8Array,
    private readonly output: Output,
  ) {}

  /** Takes new parameters, and resets the state. */
  setProperties({ lc, lp, pb }: LzmaProperties): void {
    this.lc = lc;
    this.literalMask = (1 << lp) - 1;
    this.posMask = (1 << pb) - 1;
    this.probs = new Uint16Array(LITERALS + (LITERAL_SIZE << (lc + lp)));
    this.resetState();
  }

  /** All probabilities even, no history. */
  resetState(): void {
    this.probs.fill(PROB_START);
    this.state = this.rep0 = this.rep1 = this.rep2 = this.rep3 = 0;
  }

  /** Starts the range coder on input[at, end). Throws CodecError. */
  startRange(at: number, end: number): void {
    const { input } = this;
    if (end - at < 5) throw this.truncated(end);
    if (input[at] !== 0) throw this.corrupt(at, `first byte ${input[at]}`, "0");
    this.range = -1;
    this.code = (input[at + 1] << 24) | (input[at + 2] << 16) | (input[at + 3] << 8) | input[at + 4];
    this.at = at + 5;
    this.end = end;
  }

  /** Whether the range coder stands where a stream may end. */
  get finished(): boolean {
    this.normalise();
    return this.code === 0;
  }

  corrupt(at: number, found: string, expected: string): CodecError {
    return new CodecError(this.codec, "corrupt", at, found, expected);
  }

  private truncated(at: number): CodecError {
    return new CodecError(this.codec, "truncated", at, "the end of the data", "more of the LZMA stream");
  }

  private normalise(): void {
    if (this.range >>> 0 >= TOP) return;
    if (this.at >= this.end) throw this.truncated(this.at);
    this.range <<= 8;
    this.code = (this.code << 8) | this.input[this.at++];
  }

  /** One bit by the model at `index`. */
  private bit(index: number): number {
    if (this.range >>> 0 < TOP) this.normalise();
    const prob = this.probs[index];
    const bound = Math.imul(this.range >>> PROB_BITS, prob);
    if (this.code >>> 0 < bound >>> 0) {
      this.range = bound;
      this.probs[index] = prob + ((PROB_ONE - prob) >> MOVE_BITS);
      return 0;
    }
    this.range = (this.range - bound) | 0;
    this.code = (this.code - bound) | 0;
    this.probs[index] = prob - (prob >> MOVE_BITS);
    return 1;
  }

  /** `count` bits without a model, the highest first. */
  private direct(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      this.normalise();
      this.range >>>= 1;
      const below = this.code >>> 0 < this.range >>> 0;
      if (!below) this.code = (this.code - this.range) | 0;
      value = (value << 1) | (below ? 0 : 1);
    }
    return value;
  }

  /** A value of `bits` bits, the highest first, each with a model that depends on those before it. */
  private tree(base: number, bits: number): number {
    return this.descend(base, 1, 1 << bits) - (1 << bits);
  }

  /**
   * Goes down a tree of models from `node` to the first node of at least `leaves`. It is `bit` again and again with the
   * state in locals: most bits of a stream are read here.
   */
  private descend(base: number, node: number, leaves: number): number {
    const { probs, input, end } = this;
    let { range, code, at } = this;
    while (node < leaves) {
      if (range >>> 0 < TOP) {
        if (at >= end) throw this.truncated(at);
        range <<= 8;
        code = (code << 8) | input[at++];
      }
      const prob = probs[base + node];
      const bound = Math.imul(range >>> PROB_BITS, prob);
      if (code >>> 0 < bound >>> 0) {
        range = bound;
        probs[base + node] = prob + ((PROB_ONE - prob) >> MOVE_BITS);
        node <<= 1;
      } else {
        range = (range - bound) | 0;
        code = (code - bound) | 0;
        probs[base + node] = prob - (prob >> MOVE_BITS);
        node = (node << 1) | 1;
      }
    }
    this.range = range;
    this.code = code;
    this.at = at;
    return node;
  }

  /** The same with the lowest bit first. */
  private reverseTree(base: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(base + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  private length(base: number, posState: number): number {
    if (this.bit(base) === 0) return this.tree(base + 2 + posState * 8, 3);
    const mid = base + 2 + POS_STATES * 8;
    if (this.bit(base + 1) === 0) return 8 + this.tree(mid + posState * 8, 3);
    return 16 + this.tree(mid + POS_STATES * 8, 8);
  }

  /** A distance, less one; -1 (all ones) is the end marker. */
  private distance(length: number): number {
    const context = Math.min(length, LENGTH_CONTEXTS - 1);
    const slot = this.tree(SLOTS + (context << SLOT_BITS), SLOT_BITS);
    if (slot < FIRST_MODEL_SLOT) return slot;
    const extra = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) << extra;
    if (slot < FIRST_DIRECT_SLOT) return base + this.reverseTree(DISTANCES + base - slot, extra);
    const high = this.direct(extra - ALIGN_BITS) << ALIGN_BITS;
    return base + high + this.reverseTree(ALIGN, ALIGN_BITS);
  }

  /** A literal, the byte that it is. */
  private literal(pos: number): number {
    const out = this.output.bytes;
    const previous = pos > this.dictionaryStart ? out[pos - 1] : 0;
    // lp bits of the position count from the dictionary's start, as pb bits do below.
    const context =
      (((pos - this.dictionaryStart) & this.literalMask) << this.lc) + (previous >> (8 - this.lc));
    const base = LITERALS + LITERAL_SIZE * context;
    let node = 1;
    if (this.state >= FIRST_MATCH_STATE) {
      // After a match the byte at rep0 is likely not the next one: its bits choose the models until one differs.
      let match = out[pos - this.rep0 - 1];
      do {
        const matchBit = (match >> 7) & 1;
        match <<= 1;
        const bit = this.bit(base + ((1 + matchBit) << 8) + node);
        node = (node << 1) | bit;
        if (bit !== matchBit) break;
      } while (node < 0x100);
    }
    return this.descend(base, node, 0x100) & 0xff;
  }

  /** Chooses among rep1, rep2 and rep3, and moves the chosen one to the front. */
  private repeat(): void {
    let distance = this.rep1;
    if (this.bit(IS_REP_G1 + this.state) !== 0) {
      distance = this.rep2;
      if (this.bit(IS_REP_G2 + this.state) !== 0) {
        distance = this.rep3;
        this.rep3 = this.rep2;
      }
      this.rep2 = this.rep1;
    }
    this.rep1 = this.rep0;
    this.rep0 = distance;
  }

  /**
   * Decodes packets until the output has reached `soft` bytes, or the end marker. The caller has reserved the
   * output up to `hard`; a match beyond it is corrupt.
   */
  run(soft: number, hard: number): RunEnd {
    const { output } = this;
    const out = output.bytes;
    let pos = output.length;
    while (pos < soft) {
      const posState = (pos - this.dictionaryStart) & this.posMask;
      const { state } = this;
      if (this.bit(IS_MATCH + state * POS_STATES + posState) === 0) {
        out[pos] = this.literal(pos);
        pos += 1;
        this.state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
        continue;
      }
      const length = this.matchLength(pos, posState);
      if (length === 0) {
        output.length = pos;
        return "marker";
      }
      const distance = (this.rep0 >>> 0) + 1;
      if (distance > pos - this.dictionaryStart || distance > this.dictionarySize) {
        throw this.corrupt(this.at, `distance ${distance}`, `at most ${pos - this.dictionaryStart}`);
      }
      if (length > hard - pos)
        throw this.corrupt(this.at, `a match of ${length} bytes`, `at most ${hard - pos}`);
      for (let source = pos - distance, stop = pos + length; pos < stop;) out[pos++] = out[source++];
    }
    output.length = pos;
    return "limit";
  }

  /** Reads a match packet into rep0; returns its length, or 0 for the end marker. */
  private matchLength(pos: number, posState: number): number {
    const { state } = this;
    const afterLiteral = state < FIRST_MATCH_STATE;
    if (this.bit(IS_REP + state) === 0) {
      this.rep3 = this.rep2;
      this.rep2 = this.rep1;
      this.rep1 = this.rep0;
      const length = this.length(LENGTHS, posState);
      this.rep0 = this.distance(length);
      this.state = afterLiteral ? 7 : 10;
      return this.rep0 === -1 ? 0 : length + MIN_MATCH;
    }
    if (pos === this.dictionaryStart) throw this.corrupt(this.at, "a repeated match", "bytes before it");
    if (this.bit(IS_REP_G0 + state) === 0) {
      if (this.bit(IS_REP0_LONG + state * POS_STATES + posState) === 0) {
        this.state = afterLiteral ? 9 : 11;
        return 1;
      }
    } else this.repeat();
    this.state = afterLiteral ? 8 : 11;
    return this.length(REP_LENGTHS, posState) + MIN_MATCH;
  }
}
