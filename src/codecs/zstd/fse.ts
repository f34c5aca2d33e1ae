/**
 * Finite State Entropy: table descriptions and decoding tables. Source: RFC 8878 §4.1, §4.1.1. Knows nothing of
 * what the symbols mean.
 */
import { MIN_TABLE_LOG } from "./numbers.js";
import type { CodeKind } from "./numbers.js";
import type { ZstdInput } from "./input.js";

/** A decoding table: a state gives a symbol, and how the next state is made of a base and some bits. */
export interface FseTable {
  readonly log: number;
  readonly symbol: Uint8Array;
  readonly bits: Uint8Array;
  readonly base: Uint16Array;
}

/** Builds the decoding table of a distribution whose probabilities sum up to 2^log; -1 means "less than one". */
export function buildFseTable(probabilities: ArrayLike<number>, log: number): FseTable {
  const size = 1 << log;
  const symbol = new Uint8Array(size);
  const next = new Uint16Array(probabilities.length);
  let high = size;
  for (let s = 0; s < probabilities.length; s++) {
    next[s] = Math.abs(probabilities[s]);
    if (probabilities[s] === -1) symbol[--high] = s;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let position = 0;
  for (let s = 0; s < probabilities.length; s++) {
    for (let i = 0; i < probabilities[s]; i++) {
      symbol[position] = s;
      do position = (position + step) & (size - 1);
      while (position >= high);
    }
  }
  const bits = new Uint8Array(size);
  const base = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const x = next[symbol[state]]++;
    bits[state] = log - (31 - Math.clz32(x));
    base[state] = (x << bits[state]) - size;
  }
  return { log, symbol, bits, base };
}

/** A table of one state: a symbol that repeats and takes no bits. */
export function repeatTable(symbol: number): FseTable {
  return { log: 0, symbol: Uint8Array.of(symbol), bits: new Uint8Array(1), base: new Uint16Array(1) };
}

/** Reads a table description (§4.1.1) at `at`; returns the table and where it ends. Throws CodecError. */
export function readFseTable(
  input: ZstdInput,
  at: number,
  end: number,
  kind: Pick<CodeKind, "name" | "maxLog" | "maxSymbol">,
): { table: FseTable; next: number } {
  const what = `the ${kind.name} table`;
  input.need(at, 1, end, what);
  let bit = 0;
  const peek = (count: number): number =>
    (input.view.getUint32(Math.min(at + (bit >> 3), input.end), true) >>> (bit & 7)) & ((1 << count) - 1);
  const log = peek(4) + MIN_TABLE_LOG;
  bit += 4;
  if (log > kind.maxLog) throw input.corrupt(at, `${what} with accuracy ${log}`, `at most ${kind.maxLog}`);
  const probabilities = new Int16Array(kind.maxSymbol + 1);
  let remaining = 1 << log;
  let symbol = 0;
  while (remaining > 0) {
    if (symbol > kind.maxSymbol)
      throw input.corrupt(at, `${what} with too many symbols`, `${kind.maxSymbol + 1}`);
    if (at + (bit >> 3) >= end) input.need(end, 1, end, what);
    // A value 0 … remaining + 1 takes `width` bits, or one less where that leaves no doubt.
    const width = 32 - Math.clz32(remaining + 1);
    const short = (1 << width) - 1 - (remaining + 1);
    let value = peek(width - 1);
    bit += width - 1;
    if (value >= short) {
      const full = value | (peek(1) << (width - 1));
      bit += 1;
      value = full >= 1 << (width - 1) ? full - short : full;
    }
    const probability = value - 1;
    probabilities[symbol++] = probability;
    remaining -= Math.abs(probability);
    if (probability !== 0) continue;
    let repeat;
    do {
      repeat = peek(2);
      bit += 2;
      symbol += repeat;
    } while (repeat === 3 && symbol <= kind.maxSymbol);
  }
  const next = at + ((bit + 7) >> 3);
  if (remaining < 0)
    throw input.corrupt(at, `${what} whose probabilities exceed its size`, `a sum of ${1 << log}`);
  input.need(next, 0, end, what);
  return {
    table: buildFseTable(probabilities.subarray(0, Math.min(symbol, probabilities.length)), log),
    next,
  };
}
