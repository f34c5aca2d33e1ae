/**
 * Huffman-coded literals: tree descriptions and streams. Source: RFC 8878 §4.2. Knows nothing of blocks.
 */
import { readFseTable } from "./fse.js";
import type { FseTable } from "./fse.js";
import { BackwardBits } from "./input.js";
import type { ZstdInput } from "./input.js";
import { DIRECT_WEIGHTS, MAX_HUFFMAN_BITS, MAX_HUFFMAN_SYMBOLS, WEIGHTS_MAX_LOG } from "./numbers.js";

/** A decoding table: `bits` bits of input select an entry, symbol << 8 | code length. */
export interface HuffmanTable {
  readonly bits: number;
  readonly entries: Uint16Array;
}

const MAX_WEIGHTS = MAX_HUFFMAN_SYMBOLS - 1;
const WEIGHTS_KIND = { name: "Huffman weight", maxLog: WEIGHTS_MAX_LOG, maxSymbol: MAX_HUFFMAN_BITS + 1 };

/** Reads a tree description (§4.2.1) at `at`; returns the table and where it ends. Throws CodecError. */
export function readHuffmanTable(
  input: ZstdInput,
  at: number,
  end: number,
): { table: HuffmanTable; next: number } {
  input.need(at, 1, end, "the Huffman tree");
  const header = input.bytes[at];
  const weights = new Uint8Array(MAX_HUFFMAN_SYMBOLS);
  let count;
  let next;
  if (header >= DIRECT_WEIGHTS) {
    count = header - DIRECT_WEIGHTS + 1;
    next = at + 1 + ((count + 1) >> 1);
    input.need(next, 0, end, "the Huffman weights");
    for (let i = 0; i < count; i++) {
      const pair = input.bytes[at + 1 + (i >> 1)];
      weights[i] = (i & 1) === 0 ? pair >> 4 : pair & 0xf;
    }
  } else {
    next = at + 1 + header;
    input.need(next, 0, end, "the Huffman weights");
    const { table, next: stream } = readFseTable(input, at + 1, next, WEIGHTS_KIND);
    count = unpackWeights(input, stream, next, table, weights);
  }
  return { table: makeTable(input, at, weights, count), next };
}

/** §4.2.1.2: two interleaved states. Returns how many weights there were. */
function unpackWeights(
  input: ZstdInput,
  start: number,
  end: number,
  fse: FseTable,
  weights: Uint8Array,
): number {
  const bits = new BackwardBits(input, start, end);
  const states = [bits.take(fse.log), bits.take(fse.log)];
  if (bits.left < 0) throw input.corrupt(start, "too few Huffman weight bits", "two states");
  for (let count = 0; count < MAX_WEIGHTS - 1; count++) {
    const turn = count & 1;
    const state = states[turn];
    weights[count] = fse.symbol[state];
    states[turn] = fse.base[state] + bits.take(fse.bits[state]);
    if (bits.left < 0) {
      // The bits ran out: the other state holds the last symbol.
      weights[count + 1] = fse.symbol[states[turn ^ 1]];
      return count + 2;
    }
  }
  throw input.corrupt(start, `more than ${MAX_WEIGHTS} Huffman weights`, "at most that many");
}

/** §4.2.1.3: the last weight is implied; codes are given out from the longest on. */
function makeTable(input: ZstdInput, at: number, weights: Uint8Array, count: number): HuffmanTable {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += weights[i] === 0 ? 0 : 1 << (weights[i] - 1);
  const bits = 32 - Math.clz32(sum);
  const rest = (1 << bits) - sum;
  if (sum === 0 || bits > MAX_HUFFMAN_BITS || (rest & (rest - 1)) !== 0) {
    throw input.corrupt(at, "Huffman weights that make no code", `codes of at most ${MAX_HUFFMAN_BITS} bits`);
  }
  weights[count] = 32 - Math.clz32(rest);
  const entries = new Uint16Array(1 << bits);
  let position = 0;
  for (let weight = 1; weight <= bits; weight++) {
    const length = bits + 1 - weight;
    for (let symbol = 0; symbol <= count; symbol++) {
      if (weights[symbol] !== weight) continue;
      const span = 1 << (weight - 1);
      entries.fill((symbol << 8) | length, position, position + span);
      position += span;
    }
  }
  return { bits, entries };
}

/** One Huffman-coded stream: [start, end) of the input becomes out[from, to). */
export interface HuffmanStream {
  start: number;
  end: number;
  out: Uint8Array;
  from: number;
  to: number;
}

/** Decodes one stream (§4.2.2). Throws CodecError unless it ends exactly. */
export function decodeStream(
  input: ZstdInput,
  table: HuffmanTable,
  { start, end, out, from, to }: HuffmanStream,
): void {
  const { view } = input;
  const { bits, entries } = table;
  const mask = entries.length - 1;
  // `low` is the position of the lowest bit of the next `bits` bits; it goes below 0 only in the last symbols,
  // where the missing bits belong to no code.
  let low = new BackwardBits(input, start, end).left - bits;
  let pos = from;
  for (; pos < to && low >= 0; pos++) {
    const entry = entries[(view.getUint32(start + (low >> 3), true) >>> (low & 7)) & mask];
    out[pos] = entry >>> 8;
    low -= entry & 0xff;
  }
  for (; pos < to && low > -bits; pos++) {
    const entry = entries[(view.getUint32(start, true) << -low) & mask];
    out[pos] = entry >>> 8;
    low -= entry & 0xff;
  }
  if (pos < to || low !== -bits) {
    throw input.corrupt(
      start,
      "a Huffman stream of another length",
      `${to - from} literals in ${end - start} bytes`,
    );
  }
}
