/**
 * String instructions. A repeated MOVS, STOS, CMPS or SCAS does as many elements at once as fit in the pages it
 * touches and in the instruction budget, then the record runs again; each element counts as one instruction. SDM
 * vol. 2.
 */
import { PREFIX_REPNE, RCX, RDI, RSI } from "../../../spec/x86-encoding.js";
import { FLAG_DF } from "../../../spec/x86-privileged.js";
import type { Value } from "../../ir/ir.js";
import * as layout from "../layout.js";
import type {
  Access,
  InstructionBuilder,
  Semantics,
  SemanticsTable,
  StringOperand,
} from "./instruction-builder.js";
import { copyRun, elementAt, fillRun, findPair, findValue, type Run } from "./string-chunks.js";

/** All ones for the address size, i64. */
function addressMask(b: InstructionBuilder): Value {
  const size = b.addressSize();
  const narrow = b.select(b.eq(size, b.i32(4)), b.i64(0xffffffffn), b.i64(0xffffn));
  return b.select(b.eq(size, b.i32(8)), b.i64(-1), narrow);
}

/** Adds to RSI, RDI or RCX by address size: 64, 32 zero-extended, or 16 bits with the rest kept. */
function advance(b: InstructionBuilder, register: number, delta: Value, mask: Value): void {
  const old = b.gpr(register, 8);
  const kept = b.select(b.eq(b.addressSize(), b.i32(2)), b.and(old, b.i64(~0xffffn)), b.i64(0));
  b.setGpr(register, 8, b.or(kept, b.and(b.add(old, delta), mask)));
}

function backwards(b: InstructionBuilder): Value {
  return b.and(b.state("i32.load", layout.FLAG_SYSTEM), b.i32(FLAG_DF));
}

/** How far an index register moves for one element, i64. */
function step(b: InstructionBuilder, size: number): Value {
  return b.select(backwards(b), b.i64(-size), b.i64(size));
}

function minimum(b: InstructionBuilder, x: Value, y: Value): Value {
  return b.select(b.ltU(x, y), x, y);
}

// ── operands ────────────────────────────────────────────────────────────────────────────────────────────────

/** One operand, translated for its first element. */
interface Place {
  /** RSI or RDI cut to the address size, i64. */
  index: Value;
  linear: Value;
  host: Value;
  /** Elements upwards that keep to the segment; all ones where it is flat. i64. */
  room: Value;
  /** Whether further elements of the page may be reached by host address (i32). */
  plain: Value;
}

/** DS:RSI; ES:RDI, which cannot be overridden and has no base in 64-bit mode. */
function segmentBase(b: InstructionBuilder, operand: StringOperand): Value {
  if (operand === "source") return b.segmentBase();
  const long = b.eq(b.state("i64.load", layout.LINEAR_MASK), b.i64(-1));
  return b.select(long, b.i64(0), b.state("i64.load", layout.SEGMENT_BASE + layout.ES * 8));
}

/**
 * Translates the first element of an operand. A write that needed a slow path may have dropped the instruction itself
 * and made its page fast: what follows such an element must find the new bytes, so it is done alone.
 */
function place(
  b: InstructionBuilder,
  operand: StringOperand,
  size: number,
  access: Access,
  mask: Value,
): Place {
  const index = b.and(b.gpr(operand === "source" ? RSI : RDI, 8), mask);
  const room = b.stringRoom(operand, size, access);
  const sum = b.add(index, segmentBase(b, operand));
  const linear = b.and(sum, b.state("i64.load", layout.LINEAR_MASK));
  const before = access === "read" ? undefined : b.get(b.variable(b.isFast(linear, access)));
  const host = b.translate(linear, size, access);
  const fast = before ?? b.isFast(linear, access);
  return { index, linear, host, room, plain: b.and(fast, b.xor(b.isScratch(host), b.i32(1))) };
}

/** Elements from `where` to the end, or down to the start, of its page, and until its index wraps; i64. */
function reach(b: InstructionBuilder, size: number, where: Place, mask: Value): Value {
  const shift = b.i64(Math.log2(size));
  const inPage = b.and(where.linear, b.i64(layout.PAGE_SIZE - 1));
  const up = minimum(
    b,
    b.shrU(b.sub(b.i64(layout.PAGE_SIZE), inPage), shift),
    minimum(b, b.shrU(b.sub(mask, where.index), shift), where.room),
  );
  const down = b.add(minimum(b, b.shrU(inPage, shift), b.shrU(where.index, shift)), b.i64(1));
  const checked = b.ne(where.room, b.i64(-1));
  return b.select(backwards(b), b.select(checked, b.i64(1), down), up);
}

/** The elements that are done at once: one without a repeat prefix or where something has to look at each. */
function run(b: InstructionBuilder, size: number, mask: Value, places: readonly Place[]): Run {
  const elements = b.variable(b.i64(1));
  const repeated = b.ne(b.repeatPrefix(), b.i32(0));
  b.if(
    places.reduce((all, { plain }) => b.and(all, plain), repeated),
    () => {
      const count = b.and(b.gpr(RCX, 8), mask);
      const allowed = minimum(b, count, b.extendU(b.add(b.remaining(), b.i32(1))));
      const most = places.reduce((least, where) => minimum(b, least, reach(b, size, where, mask)), allowed);
      b.set(elements, b.select(b.eqz(most), b.i64(1), most));
    },
  );
  return { size, elements: b.wrap(b.get(elements)), step: b.wrap(step(b, size)) };
}

// ── counting ────────────────────────────────────────────────────────────────────────────────────────────────

/** Nothing to do when a repeat prefix is there and the count is zero. */
function unlessExhausted(b: InstructionBuilder, mask: Value, body: () => void): void {
  const repeated = b.ne(b.repeatPrefix(), b.i32(0));
  const exhausted = b.and(repeated, b.eqz(b.and(b.gpr(RCX, 8), mask)));
  b.if(b.eqz(exhausted), body);
}

/**
 * After `done` elements (i64): counts them, and runs the record again while elements are left and `more` (i32) holds. What
 * comes behind it is done once the instruction ends.
 */
function repeat(b: InstructionBuilder, mask: Value, done: Value, more?: Value): void {
  b.if(b.repeatPrefix(), () => {
    advance(b, RCX, b.sub(b.i64(0), done), mask);
    b.consume(b.sub(b.wrap(done), b.i32(1)));
    const left = b.ne(b.and(b.gpr(RCX, 8), mask), b.i64(0));
    b.if(more ? b.and(left, more) : left, () => b.again());
  });
}

/** Moves the index registers past `done` elements (i64). */
function pass(
  b: InstructionBuilder,
  size: number,
  mask: Value,
  done: Value,
  registers: readonly number[],
): void {
  const moved = b.mul(done, step(b, size));
  for (const register of registers) advance(b, register, moved, mask);
}

// ── instructions ────────────────────────────────────────────────────────────────────────────────────────────

const move: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    const source = place(b, "source", size, "read", mask);
    // The scratch area holds one operand at a time.
    const first = b.loadHost(source.host, size);
    const target = place(b, "destination", size, "write", mask);
    const chunk = run(b, size, mask, [source, target]);
    b.if(
      b.gtU(chunk.elements, b.i32(1)),
      () => copyRun(b, target.host, source.host, chunk),
      () => {
        b.storeHost(target.host, first, size);
        b.commit(target.host, size, "write");
      },
    );
    const done = b.extendU(chunk.elements);
    pass(b, size, mask, done, [RSI, RDI]);
    repeat(b, mask, done);
  });
};

const store: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    const value = b.gpr(0, size);
    const target = place(b, "destination", size, "write", mask);
    const chunk = run(b, size, mask, [target]);
    b.if(
      b.gtU(chunk.elements, b.i32(1)),
      () => fillRun(b, target.host, value, chunk),
      () => {
        b.storeHost(target.host, value, size);
        b.commit(target.host, size, "write");
      },
    );
    const done = b.extendU(chunk.elements);
    pass(b, size, mask, done, [RDI]);
    repeat(b, mask, done);
  });
};

const load: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    b.setGpr(0, size, b.loadHost(place(b, "source", size, "read", mask).host, size));
    pass(b, size, mask, b.i64(1), [RSI]);
    repeat(b, mask, b.i64(1));
  });
};

/** REPNE (and nothing at all) looks for an equal element, REPE for one that differs. */
function wantsEqual(b: InstructionBuilder): Value {
  return b.eq(b.repeatPrefix(), b.i32(PREFIX_REPNE));
}

/**
 * Ends a comparison: REPE goes on while both are equal, REPNE while they differ. The flags are the last element's and
 * written with it, so that a fault or trap before it finds those from before the instruction (vol. 2, REP).
 */
function endComparison(
  b: InstructionBuilder,
  size: number,
  mask: Value,
  done: Value,
  [left, right]: readonly [Value, Value],
): void {
  repeat(b, mask, done, b.eq(b.ne(left, right), wantsEqual(b)));
  b.flagsSub(size, left, right, b.sub(left, right));
}

/** Index of the last element that is looked at when a search in `chunk` came to `found`; i32. */
function lastLooked(b: InstructionBuilder, chunk: Run, found: Value): Value {
  const last = b.sub(chunk.elements, b.i32(1));
  return b.select(b.ltU(found, last), found, last);
}

const scan: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    const accumulator = b.gpr(0, size);
    const target = place(b, "destination", size, "read", mask);
    const chunk = run(b, size, mask, [target]);
    const last = lastLooked(b, chunk, findValue(b, target.host, accumulator, chunk, wantsEqual(b)));
    const value = b.loadHost(elementAt(b, target.host, chunk, last), size);
    const done = b.extendU(b.add(last, b.i32(1)));
    pass(b, size, mask, done, [RDI]);
    endComparison(b, size, mask, done, [accumulator, value]);
  });
};

const compare: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    const source = place(b, "source", size, "read", mask);
    // The scratch area holds one operand at a time.
    const alone = b.loadHost(source.host, size);
    const target = place(b, "destination", size, "read", mask);
    const chunk = run(b, size, mask, [source, target]);
    const last = b.variable(b.i32(0));
    const first = b.variable(alone);
    b.if(b.gtU(chunk.elements, b.i32(1)), () => {
      b.set(last, lastLooked(b, chunk, findPair(b, source.host, target.host, chunk, wantsEqual(b))));
      b.set(first, b.loadHost(elementAt(b, source.host, chunk, b.get(last)), size));
    });
    const left = b.get(first);
    const right = b.loadHost(elementAt(b, target.host, chunk, b.get(last)), size);
    const done = b.extendU(b.add(b.get(last), b.i32(1)));
    pass(b, size, mask, done, [RSI, RDI]);
    endComparison(b, size, mask, done, [left, right]);
  });
};

export const STRINGS: SemanticsTable = { movs: move, stos: store, lods: load, scas: scan, cmps: compare };
