/**
 * DEFLATE. Source: RFC 1951. Knows no container; gzip.ts adds the header and the checks.
 *
 * Codes are read through one table a code: the low bits of the input, at most TABLE_BITS, select an entry, which holds
 *   symbol << 4 | code length. An entry of 0 is a longer code, which is looked for bit by bit, or one that does not exist.
 */
import { CodecError } from "./codec-error.js";
import type { Output } from "./output.js";

/** Longest code (RFC 1951 §3.2.7). */
const MAX_BITS = 15;
const LENGTH_BITS = 4;
/** Longer codes are rare in what they code, and tables for them would take long to fill for a block of a few bytes. */
const TABLE_BITS = 11;
const END_OF_BLOCK = 256;
const FIRST_LENGTH_SYMBOL = 257;
/** A match is at most this long: the room one symbol may need. */
const MAX_MATCH = 258;

/** RFC 1951 §3.2.5: extra bits and base of length codes 257–285 and distance codes 0–29. */
const LENGTH_EXTRA = Uint8Array.of(
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
);
const DISTANCE_EXTRA = Uint8Array.of(
  ...[0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13],
);
const LENGTH_BASE = bases(LENGTH_EXTRA, 3);
const DISTANCE_BASE = bases(DISTANCE_EXTRA, 1);
/** §3.2.7: the order in which code lengths of the code length code are sent. */
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

function bases(extra: Uint8Array, first: number): Uint16Array {
  const table = new Uint16Array(extra.length);
  let next = first;
  for (let i = 0; i < extra.length; i++) {
    table[i] = next;
    next += 1 << extra[i];
  }
  // Length code 285 means exactly 258, out of sequence.
  if (first === 3) table[extra.length - 1] = MAX_MATCH;
  return table;
}

/** A decoding table, how many bits index it, and what finds longer codes. */
interface Code {
  readonly table: Uint16Array;
  readonly bits: number;
  /** How many codes have each length. */
  readonly count: Uint16Array;
  /** The symbols, ascending by their codes. */
  readonly symbols: Uint16Array;
}

/**
 * Builds the table of a canonical code (§3.2.2). Incomplete codes are allowed where §3.2.7 allows them: the holes
 * decode to "no such code". Returns undefined for an over-subscribed one.
 */
function makeCode(lengths: Uint8Array): Code | undefined {
  const count = new Uint16Array(MAX_BITS + 1);
  for (const length of lengths) count[length]++;
  count[0] = 0;
  let bits = MAX_BITS;
  while (bits > 1 && count[bits] === 0) bits--;
  const next = new Uint16Array(MAX_BITS + 2);
  const place = new Uint16Array(MAX_BITS + 2);
  let code = 0;
  for (let length = 1; length <= bits; length++) {
    next[length] = code;
    place[length + 1] = place[length] + count[length];
    code += count[length];
    if (code > 1 << length) return undefined;
    code <<= 1;
  }
  bits = Math.min(bits, TABLE_BITS);
  const table = new Uint16Array(1 << bits);
  const symbols = new Uint16Array(lengths.length);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol];
    if (length === 0) continue;
    symbols[place[length]++] = symbol;
    if (length > bits) continue;
    const entry = (symbol << LENGTH_BITS) | length;
    for (let i = reverse(next[length]++, length); i < table.length; i += 1 << length) table[i] = entry;
  }
  return { table, bits, count, symbols };
}

/** The entry of a code that the table does not hold, from the next bits of the input; 0 when there is none. */
function longCode({ count, symbols }: Code, bits: number): number {
  let code = 0;
  let first = 0;
  let place = 0;
  for (let length = 1; length <= MAX_BITS; length++) {
    code |= (bits >>> (length - 1)) & 1;
    if (code < first + count[length]) return (symbols[place + code - first] << LENGTH_BITS) | length;
    place += count[length];
    first = (first + count[length]) << 1;
    code <<= 1;
  }
  return 0;
}

function reverse(code: number, length: number): number {
  let reversed = 0;
  for (let i = 0; i < length; i++) reversed |= ((code >>> i) & 1) << (length - 1 - i);
  return reversed;
}

/** §3.2.6. */
function fixedCodes(): { literals: Code; distances: Code } {
  const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
  const literals = makeCode(lengths);
  const distances = makeCode(new Uint8Array(32).fill(5));
  if (!literals || !distances) throw new Error("the fixed codes of RFC 1951 are complete");
  return { literals, distances };
}
let fixed: ReturnType<typeof fixedCodes> | undefined;

/** One DEFLATE stream being read. */
class Inflater {
  private bitBuffer = 0;
  private bitCount = 0;

  constructor(
    private readonly input: Uint8Array,
    private at: number,
    private readonly output: Output,
  ) {}

  /** Reads blocks to the final one; returns the offset after the stream. */
  run(): number {
    let final;
    do {
      final = this.take(1);
      const type = this.take(2);
      if (type === 0) this.stored();
      else if (type === 1) {
        fixed ??= fixedCodes();
        this.compressed(fixed.literals, fixed.distances);
      } else if (type === 2) this.dynamic();
      else throw this.corrupt("block type 3", "0 (stored), 1 (fixed) or 2 (dynamic)");
    } while (final === 0);
    return this.at - (this.bitCount >>> 3);
  }

  private corrupt(found: string, expected: string): CodecError {
    return new CodecError("gzip", "corrupt", this.at, found, expected);
  }

  private truncated(): CodecError {
    return new CodecError("gzip", "truncated", this.at, "the end of the data", "more of the DEFLATE stream");
  }

  private tooLarge(): CodecError {
    this.output.stopAtLimit();
    return new CodecError(
      "gzip",
      "too-large",
      this.at,
      `more than ${this.output.max} bytes`,
      "no more than that",
    );
  }

  /** The next `count` ≤ 16 bits. */
  private take(count: number): number {
    while (this.bitCount < count) {
      if (this.at >= this.input.length) throw this.truncated();
      this.bitBuffer |= this.input[this.at++] << this.bitCount;
      this.bitCount += 8;
    }
    const value = this.bitBuffer & ((1 << count) - 1);
    this.bitBuffer >>>= count;
    this.bitCount -= count;
    return value;
  }

  /** The next symbol of a code; used for the code lengths only, the data has its own loop. */
  private symbol(code: Code): number {
    while (this.bitCount < code.bits && this.at < this.input.length) {
      this.bitBuffer |= this.input[this.at++] << this.bitCount;
      this.bitCount += 8;
    }
    const entry = code.table[this.bitBuffer & ((1 << code.bits) - 1)];
    const length = entry & MAX_BITS;
    if (length === 0) throw this.corrupt("bits that are no code", "a code of the block's code length code");
    if (length > this.bitCount) throw this.truncated();
    this.bitBuffer >>>= length;
    this.bitCount -= length;
    return entry >>> LENGTH_BITS;
  }

  /** §3.2.4. */
  private stored(): void {
    this.at -= this.bitCount >>> 3;
    this.bitBuffer = 0;
    this.bitCount = 0;
    const { input, output } = this;
    if (input.length - this.at < 4) throw this.truncated();
    const length = input[this.at] | (input[this.at + 1] << 8);
    const check = input[this.at + 2] | (input[this.at + 3] << 8);
    if ((length ^ check) !== 0xffff) throw this.corrupt("LEN and NLEN that disagree", "NLEN = ~LEN");
    this.at += 4;
    if (input.length - this.at < length) throw this.truncated();
    if (!output.reserve(length)) throw this.tooLarge();
    output.bytes.set(input.subarray(this.at, this.at + length), output.length);
    output.length += length;
    this.at += length;
  }

  /** §3.2.7. */
  private dynamic(): void {
    const literalCount = this.take(5) + FIRST_LENGTH_SYMBOL;
    const distanceCount = this.take(5) + 1;
    const lengthCount = this.take(4) + 4;
    const codeLengths = new Uint8Array(CODE_LENGTH_ORDER.length);
    for (let i = 0; i < lengthCount; i++) codeLengths[CODE_LENGTH_ORDER[i]] = this.take(3);
    const lengthCode = makeCode(codeLengths);
    if (!lengthCode) throw this.corrupt("an over-subscribed code length code", "a prefix code");
    const lengths = this.codeLengths(lengthCode, literalCount + distanceCount);
    if (lengths[END_OF_BLOCK] === 0) throw this.corrupt("no code for the end of the block", "one");
    const literals = makeCode(lengths.subarray(0, literalCount));
    const distances = makeCode(lengths.subarray(literalCount));
    if (!literals || !distances) throw this.corrupt("over-subscribed codes", "prefix codes");
    this.compressed(literals, distances);
  }

  private codeLengths(code: Code, total: number): Uint8Array {
    const lengths = new Uint8Array(total);
    for (let i = 0; i < total;) {
      const symbol = this.symbol(code);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      let value = 0;
      let repeat;
      if (symbol === 16) {
        if (i === 0) throw this.corrupt("a repetition of the code length before the first", "a code length");
        value = lengths[i - 1];
        repeat = 3 + this.take(2);
      } else repeat = symbol === 17 ? 3 + this.take(3) : 11 + this.take(7);
      if (repeat > total - i) throw this.corrupt("more code lengths than announced", `${total} of them`);
      lengths.fill(value, i, i + repeat);
      i += repeat;
    }
    return lengths;
  }

  /** §3.2.3: literals and matches up to the end of the block. State is held in locals: this is the hot loop. */
  // eslint-disable-next-line max-lines-per-function -- one hot loop with its state in locals
  private compressed(literals: Code, distances: Code): void {
    const { input, output } = this;
    const literalTable = literals.table;
    const literalMask = literalTable.length - 1;
    const distanceTable = distances.table;
    const distanceMask = distanceTable.length - 1;
    let { bitBuffer, bitCount, at } = this;
    let out = output.bytes;
    let pos = output.length;
    for (;;) {
      while (bitCount < MAX_BITS && at < input.length) {
        bitBuffer |= input[at++] << bitCount;
        bitCount += 8;
      }
      let entry = literalTable[bitBuffer & literalMask] || longCode(literals, bitBuffer);
      let used = entry & MAX_BITS;
      const symbol = entry >>> LENGTH_BITS;
      if (used === 0 || used > bitCount) throw this.badCode(at, used);
      bitBuffer >>>= used;
      bitCount -= used;
      if (symbol < END_OF_BLOCK) {
        if (pos === out.length) {
          output.length = pos;
          if (!output.reserve(1)) throw this.tooLarge();
          out = output.bytes;
        }
        out[pos++] = symbol;
        continue;
      }
      if (symbol === END_OF_BLOCK) break;
      this.at = at;
      this.bitBuffer = bitBuffer;
      this.bitCount = bitCount;
      const lengthSymbol = symbol - FIRST_LENGTH_SYMBOL;
      if (lengthSymbol >= LENGTH_BASE.length) throw this.corrupt(`length code ${symbol}`, "257 to 285");
      const length = LENGTH_BASE[lengthSymbol] + this.take(LENGTH_EXTRA[lengthSymbol]);
      ({ at, bitBuffer, bitCount } = this);

      while (bitCount < MAX_BITS && at < input.length) {
        bitBuffer |= input[at++] << bitCount;
        bitCount += 8;
      }
      entry = distanceTable[bitBuffer & distanceMask] || longCode(distances, bitBuffer);
      used = entry & MAX_BITS;
      const distanceSymbol = entry >>> LENGTH_BITS;
      if (used === 0 || used > bitCount) throw this.badCode(at, used);
      this.at = at;
      this.bitBuffer = bitBuffer >>> used;
      this.bitCount = bitCount - used;
      if (distanceSymbol >= DISTANCE_BASE.length)
        throw this.corrupt(`distance code ${distanceSymbol}`, "0 to 29");
      const distance = DISTANCE_BASE[distanceSymbol] + this.take(DISTANCE_EXTRA[distanceSymbol]);
      ({ at, bitBuffer, bitCount } = this);
      if (distance > pos) throw this.corrupt(`a distance of ${distance}`, `at most ${pos}, the bytes so far`);
      if (length > out.length - pos) {
        output.length = pos;
        if (!output.reserve(length)) throw this.tooLarge();
        out = output.bytes;
      }
      for (let source = pos - distance, end = pos + length; pos < end;) out[pos++] = out[source++];
    }
    output.length = pos;
    this.at = at;
    this.bitBuffer = bitBuffer;
    this.bitCount = bitCount;
  }

  private badCode(at: number, used: number): CodecError {
    this.at = at;
    return used === 0 && at < this.input.length
      ? this.corrupt("bits that are no code", "a code of the block")
      : this.truncated();
  }
}

/** Unpacks the DEFLATE stream at input[at] onto the output; returns the offset after it. Throws CodecError. */
export function inflate(input: Uint8Array, at: number, output: Output): number {
  return new Inflater(input, at, output).run();
}
