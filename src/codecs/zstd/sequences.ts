/**
 * The sequences section of a compressed block: tables, and execution of the sequences onto the output. Source:
 * RFC 8878 §3.1.1.3.2, §3.1.1.4, §3.1.1.5. Knows nothing of frames.
 */
import type { Output } from "../output.js";
import { buildFseTable, readFseTable, repeatTable } from "./fse.js";
import type { FseTable } from "./fse.js";
import { BackwardBits } from "./input.js";
import type { ZstdInput } from "./input.js";
import type { Literals } from "./literals.js";
import {
  FIRST_REPEATS,
  LITERAL_LENGTH,
  LITERAL_LENGTH_BASE,
  LITERAL_LENGTH_EXTRA,
  LONG_SEQUENCES,
  MATCH_LENGTH,
  MATCH_LENGTH_BASE,
  MATCH_LENGTH_EXTRA,
  MODE,
  OFFSET,
} from "./numbers.js";
import type { CodeKind } from "./numbers.js";

/** Runs longer than this are copied by the engine's own routine, shorter ones byte by byte: it is faster so. */
const BULK = 32;
/** Most bits one 32-bit load gives at any bit position. */
const ONE_LOAD = 25;

const DEFAULTS: ReadonlyMap<CodeKind, FseTable> = new Map(
  [LITERAL_LENGTH, OFFSET, MATCH_LENGTH].map((kind) => [kind, buildFseTable(kind.defaults, kind.defaultLog)]),
);

/** Where the block's output may go. */
export interface Target {
  output: Output;
  /** Offsets reach back to here: the frame's first byte. */
  frameStart: number;
  /** The block may not write beyond this. */
  limit: number;
}

/** Reads sequences sections; keeps tables and repeated offsets from block to block, as the format does. */
export class SequencesReader {
  private readonly tables = new Map<CodeKind, FseTable>();
  private readonly repeats: [number, number, number] = [...FIRST_REPEATS];

  constructor(private readonly input: ZstdInput) {}

  /** Forgets everything: a frame begins. */
  reset(): void {
    this.tables.clear();
    this.repeats.splice(0, 3, ...FIRST_REPEATS);
  }

  /** Executes the section at `at` up to `end`, the block's end. Throws CodecError. */
  execute(at: number, end: number, literals: Literals, target: Target): void {
    const { input } = this;
    input.need(at, 1, end, "the number of sequences");
    const first = input.bytes[at];
    const bytes = first < 128 ? 1 : first < 255 ? 2 : 3;
    input.need(at, bytes, end, "the number of sequences");
    let count = first;
    if (bytes === 2) count = ((first - 128) << 8) + input.bytes[at + 1];
    if (bytes === 3) count = input.view.getUint16(at + 1, true) + LONG_SEQUENCES;
    let used = 0;
    if (count > 0) {
      const modes = at + bytes;
      input.need(modes, 1, end, "the sequence table modes");
      if ((input.bytes[modes] & 3) !== 0) throw input.corrupt(modes, "reserved mode bits", "zeros");
      const stream = this.readTables(modes, end);
      used = this.run(stream, end, count, literals, target);
    } else if (at + bytes !== end)
      throw input.corrupt(at + bytes, "bytes after a block of literals", "its end");
    this.lastLiterals(at, literals, used, target);
  }

  /** §3.1.1.3.2.1.1; returns where the bit stream starts. */
  private readTables(modes: number, end: number): number {
    const { input } = this;
    let at = modes + 1;
    const kinds: [CodeKind, number][] = [
      [LITERAL_LENGTH, 6],
      [OFFSET, 4],
      [MATCH_LENGTH, 2],
    ];
    for (const [kind, shift] of kinds) {
      const mode = (input.bytes[modes] >> shift) & 3;
      if (mode === MODE.REPEAT) {
        if (!this.tables.has(kind))
          throw input.corrupt(modes, `a repeated ${kind.name} table`, "one before it");
        continue;
      }
      const { table, next } = this.readTable(kind, mode, at, end);
      this.tables.set(kind, table);
      at = next;
    }
    return at;
  }

  private readTable(
    kind: CodeKind,
    mode: number,
    at: number,
    end: number,
  ): { table: FseTable; next: number } {
    const { input } = this;
    if (mode === MODE.FSE) return readFseTable(input, at, end, kind);
    if (mode === MODE.RLE) {
      input.need(at, 1, end, `the ${kind.name} code`);
      const symbol = input.bytes[at];
      if (symbol > kind.maxSymbol)
        throw input.corrupt(at, `${kind.name} code ${symbol}`, `≤ ${kind.maxSymbol}`);
      return { table: repeatTable(symbol), next: at + 1 };
    }
    return { table: this.predefined(kind), next: at };
  }

  private predefined(kind: CodeKind): FseTable {
    const table = DEFAULTS.get(kind);
    if (!table) throw new Error(`no default table for ${kind.name} codes`);
    return table;
  }

  private table(kind: CodeKind): FseTable {
    return this.tables.get(kind) ?? this.predefined(kind);
  }

  /** Literals after the last sequence. */
  private lastLiterals(at: number, literals: Literals, used: number, target: Target): void {
    const { output, limit } = target;
    const rest = literals.size - used;
    if (rest > limit - output.length) throw this.overrun(at, target);
    const from = literals.from + used;
    output.bytes.set(literals.bytes.subarray(from, from + rest), output.length);
    output.length += rest;
  }

  private overrun(at: number, target: Target): Error {
    const { output, limit } = target;
    if (limit >= output.max) return this.input.tooLarge(at, output);
    return this.input.corrupt(
      at,
      "a block that unpacks to more than its maximum",
      "the window size or 128 KiB",
    );
  }

  /**
   * Decodes and executes `count` sequences; returns how many literals they took. One function with its state in
   * locals: this is the hot loop.
   */
  // eslint-disable-next-line max-lines-per-function -- one hot loop with its state in locals
  private run(start: number, end: number, count: number, literals: Literals, target: Target): number {
    const { input } = this;
    const { view } = input;
    const [ll, of, ml] = [this.table(LITERAL_LENGTH), this.table(OFFSET), this.table(MATCH_LENGTH)];
    const bits = new BackwardBits(input, start, end);
    let llState = bits.take(ll.log);
    let ofState = bits.take(of.log);
    let mlState = bits.take(ml.log);
    let left = bits.left;
    if (left < 0) throw input.corrupt(start, "too few bits for the first states", "a longer stream");
    let [rep0, rep1, rep2] = this.repeats;
    const { output, limit, frameStart } = target;
    const out = output.bytes;
    const from = literals.bytes;
    const literalEnd = literals.from + literals.size;
    let literal = literals.from;
    let pos = output.length;

    /** The `n` bits below position `left`; 0 when there are not enough, which is noticed once a sequence. */
    const peek = (n: number, at: number): number =>
      at < 0 ? 0 : (view.getUint32(start + (at >> 3), true) >>> (at & 7)) & ((1 << n) - 1);

    for (let i = 0; ;) {
      const ofCode = of.symbol[ofState];
      const mlCode = ml.symbol[mlState];
      const llCode = ll.symbol[llState];
      let offset = 1;
      if (ofCode > ONE_LOAD) {
        left -= ONE_LOAD;
        const high = peek(ONE_LOAD, left);
        left -= ofCode - ONE_LOAD;
        offset = 2 ** ofCode + high * 2 ** (ofCode - ONE_LOAD) + peek(ofCode - ONE_LOAD, left);
      } else if (ofCode > 0) {
        left -= ofCode;
        offset = (1 << ofCode) + peek(ofCode, left);
      }
      const mlExtra = MATCH_LENGTH_EXTRA[mlCode];
      let length = MATCH_LENGTH_BASE[mlCode];
      if (mlExtra > 0) length += peek(mlExtra, (left -= mlExtra));
      const llExtra = LITERAL_LENGTH_EXTRA[llCode];
      let run = LITERAL_LENGTH_BASE[llCode];
      if (llExtra > 0) run += peek(llExtra, (left -= llExtra));

      if (offset > 3) {
        offset -= 3;
        rep2 = rep1;
        rep1 = rep0;
        rep0 = offset;
      } else {
        // §3.1.1.5: without literals the meanings shift by one, and the fourth is the first less one.
        const which = run === 0 ? offset : offset - 1;
        offset = which === 0 ? rep0 : which === 1 ? rep1 : which === 2 ? rep2 : rep0 - 1;
        if (which > 1) rep2 = rep1;
        if (which > 0) {
          rep1 = rep0;
          rep0 = offset;
        }
      }

      if (run > literalEnd - literal)
        throw input.corrupt(start, `sequence ${i} with ${run} literals`, "fewer");
      if (run + length > limit - pos) {
        output.length = pos;
        throw this.overrun(start, target);
      }
      if (run > BULK) {
        out.set(from.subarray(literal, literal + run), pos);
        literal += run;
        pos += run;
      } else for (const stop = literal + run; literal < stop;) out[pos++] = from[literal++];
      if (offset > pos - frameStart || offset <= 0) {
        throw input.corrupt(start, `sequence ${i} with offset ${offset}`, `1 to ${pos - frameStart}`);
      }
      if (length > BULK && offset >= length) {
        out.copyWithin(pos, pos - offset, pos - offset + length);
        pos += length;
      } else for (let source = pos - offset, stop = pos + length; pos < stop;) out[pos++] = out[source++];

      if (++i === count) break;
      const llBits = ll.bits[llState];
      llState = ll.base[llState] + peek(llBits, (left -= llBits));
      const mlBits = ml.bits[mlState];
      mlState = ml.base[mlState] + peek(mlBits, (left -= mlBits));
      const ofBits = of.bits[ofState];
      ofState = of.base[ofState] + peek(ofBits, (left -= ofBits));
      if (left < 0) throw input.corrupt(start, `bits for ${i} sequences`, `${count}`);
    }
    if (left !== 0) throw input.corrupt(start, `${left} bits beside those of the sequences`, "none");
    this.repeats.splice(0, 3, rep0, rep1, rep2);
    output.length = pos;
    return literal - literals.from;
  }
}
