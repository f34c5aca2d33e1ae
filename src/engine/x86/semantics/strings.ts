/**
 * String instructions. A repeated MOVS or STOS does as many elements at once as fit in the pages it touches and in
 * the instruction budget, then the record runs again; each element counts as one instruction. SDM vol. 2.
 */
import { FLAG_DF } from "../../../spec/x86-privileged.js";
import type { Value, Variable } from "../../ir/ir.js";
import * as layout from "../layout.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";

const RCX = 1;
const RSI = 6;
const RDI = 7;
const REPNE = 0xf2;
/** Every byte of a word equal to its lowest byte times this. */
const SPLAT: Record<number, bigint> = { 1: 1n, 2: 0x0101n, 4: 0x01010101n, 8: 0x0101010101010101n };

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

function linear(b: InstructionBuilder, register: number, base: Value, mask: Value): Value {
  const sum = b.add(b.and(b.gpr(register, 8), mask), base);
  return b.and(sum, b.state("i64.load", layout.LINEAR_MASK));
}

function sourceAddress(b: InstructionBuilder, mask: Value): Value {
  return linear(b, RSI, b.segmentBase(), mask);
}

/** ES:RDI; ES cannot be overridden and has no base in 64-bit mode. */
function destinationAddress(b: InstructionBuilder, mask: Value): Value {
  const long = b.eq(b.state("i64.load", layout.LINEAR_MASK), b.i64(-1));
  const base = b.select(long, b.i64(0), b.state("i64.load", layout.SEGMENT_BASE + layout.ES * 8));
  return linear(b, RDI, base, mask);
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

/** Elements of `size` bytes from `address` to the end of its page, i64. */
function elementsInPage(b: InstructionBuilder, address: Value, size: number): Value {
  const rest = b.sub(b.i64(layout.PAGE_SIZE), b.and(address, b.i64(layout.PAGE_SIZE - 1)));
  return b.shrU(rest, b.i64(Math.log2(size)));
}

/** Elements that may be done now: the count, the budget, at least one, at most `room`. i64. */
function allowance(b: InstructionBuilder, mask: Value, room: Value): Value {
  const count = b.and(b.gpr(RCX, 8), mask);
  return minimum(b, room, minimum(b, count, b.extendU(b.add(b.remaining(), b.i32(1)))));
}

/** Nothing to do when a repeat prefix is there and the count is zero. */
function unlessExhausted(b: InstructionBuilder, mask: Value, body: () => void): void {
  const repeated = b.ne(b.repeatPrefix(), b.i32(0));
  const exhausted = b.and(repeated, b.eqz(b.and(b.gpr(RCX, 8), mask)));
  b.if(b.eqz(exhausted), body);
}

/** After `done` elements: counts them, and runs the record again while elements are left and `more` holds. */
function repeat(b: InstructionBuilder, mask: Value, done: Value, more?: () => Value): void {
  b.if(b.repeatPrefix(), () => {
    advance(b, RCX, b.sub(b.i64(0), done), mask);
    b.consume(b.sub(b.wrap(done), b.i32(1)));
    const left = b.ne(b.and(b.gpr(RCX, 8), mask), b.i64(0));
    b.if(more ? b.and(left, more()) : left, () => b.again());
  });
}

/**
 * Whether a write needed no slow path before this element. The slow path may have dropped the instruction itself
 * and made its page fast: the next element must then find the new bytes.
 */
function fastBefore(b: InstructionBuilder, to: Value): Value {
  return b.get(b.variable(b.isFast(to, "write")));
}

/** Copies one chunk; sets `done` to the number of elements. */
function copyChunk(
  b: InstructionBuilder,
  size: number,
  from: Value,
  to: Value,
  mask: Value,
  done: Variable,
): void {
  const sourceRoom = b.stringRoom("source", size, "read");
  const source = b.translate(from, size, "read");
  const fromScratch = b.isScratch(source);
  const first = b.loadHost(source, size);
  const targetRoom = b.stringRoom("destination", size, "write");
  const fast = fastBefore(b, to);
  const target = b.translate(to, size, "write");
  const single = b.or(b.or(fromScratch, b.isScratch(target)), b.or(b.eqz(fast), backwards(b)));
  const many = b.and(b.eqz(single), b.ne(b.repeatPrefix(), b.i32(0)));
  b.if(many, () => {
    const inPages = minimum(b, elementsInPage(b, from, size), elementsInPage(b, to, size));
    const elements = minimum(b, allowance(b, mask, minimum(b, sourceRoom, targetRoom)), inPages);
    const bytes = b.wrap(b.mul(elements, b.i64(size)));
    // A destination just behind the source would be read after it is written: one element at a time.
    const overlaps = b.ltU(b.sub(b.sub(target, source), b.i32(1)), b.sub(bytes, b.i32(1)));
    b.if(b.eqz(overlaps), () => {
      b.copyMemory(target, source, bytes);
      b.set(done, elements);
    });
  });
  b.if(b.eq(b.get(done), b.i64(0)), () => {
    b.storeHost(target, first, size);
    b.commit(target, size, "write");
    b.set(done, b.i64(1));
  });
}

const move: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    const done = b.variable(b.i64(0));
    copyChunk(b, size, sourceAddress(b, mask), destinationAddress(b, mask), mask, done);
    const count = b.get(done);
    const moved = b.mul(count, step(b, size));
    advance(b, RSI, moved, mask);
    advance(b, RDI, moved, mask);
    repeat(b, mask, count);
  });
};

/** Stores `elements` copies of `value`. */
function fill(b: InstructionBuilder, size: number, target: Value, value: Value, elements: Value): void {
  const bytes = b.wrap(b.mul(elements, b.i64(size)));
  const byte = b.and(b.wrap(value), b.i32(0xff));
  const splat =
    size === 8 ? b.mul(b.extendU(byte), b.i64(SPLAT[8])) : b.mul(byte, b.i32(Number(SPLAT[size])));
  b.if(
    b.eq(splat, value),
    () => b.fillMemory(target, byte, bytes),
    () => {
      const at = b.variable(target);
      const end = b.add(target, bytes);
      b.loop((again) => {
        b.storeHost(b.get(at), value, size);
        const next = b.add(b.get(at), b.i32(size));
        b.set(at, next);
        b.branchIf(b.ltU(next, end), again);
      });
    },
  );
}

const store: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    const value = b.gpr(0, size);
    const to = destinationAddress(b, mask);
    const room = b.stringRoom("destination", size, "write");
    const fast = fastBefore(b, to);
    const target = b.translate(to, size, "write");
    const single = b.or(b.or(b.isScratch(target), b.eqz(fast)), backwards(b));
    const many = b.and(b.eqz(single), b.ne(b.repeatPrefix(), b.i32(0)));
    const done = b.variable(b.i64(1));
    b.if(
      many,
      () => {
        const elements = minimum(b, allowance(b, mask, room), elementsInPage(b, to, size));
        b.set(done, b.select(b.eqz(elements), b.i64(1), elements));
        fill(b, size, target, value, b.get(done));
      },
      () => {
        b.storeHost(target, value, size);
        b.commit(target, size, "write");
      },
    );
    const count = b.get(done);
    advance(b, RDI, b.mul(count, step(b, size)), mask);
    repeat(b, mask, count);
  });
};

const load: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    b.stringRoom("source", size, "read");
    b.setGpr(0, size, b.loadLinear(sourceAddress(b, mask), size));
    advance(b, RSI, step(b, size), mask);
    repeat(b, mask, b.i64(1));
  });
};

/** REPE goes on while ZF is set, REPNE while it is clear. */
function whileFlag(b: InstructionBuilder): () => Value {
  return () => b.eq(b.condition("e"), b.ne(b.repeatPrefix(), b.i32(REPNE)));
}

const scan: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    const accumulator = b.gpr(0, size);
    b.stringRoom("destination", size, "read");
    const value = b.loadLinear(destinationAddress(b, mask), size);
    advance(b, RDI, step(b, size), mask);
    b.flagsSub(size, accumulator, value, b.sub(accumulator, value));
    repeat(b, mask, b.i64(1), whileFlag(b));
  });
};

const compare: Semantics = (b, { size }) => {
  const mask = addressMask(b);
  unlessExhausted(b, mask, () => {
    b.stringRoom("source", size, "read");
    const first = b.loadLinear(sourceAddress(b, mask), size);
    b.stringRoom("destination", size, "read");
    const second = b.loadLinear(destinationAddress(b, mask), size);
    const by = step(b, size);
    advance(b, RSI, by, mask);
    advance(b, RDI, by, mask);
    b.flagsSub(size, first, second, b.sub(first, second));
    repeat(b, mask, b.i64(1), whileFlag(b));
  });
};

export const STRINGS: SemanticsTable = { movs: move, stos: store, lods: load, scas: scan, cmps: compare };
