/**
 * What repeated string instructions do to many elements at once, by host addresses: copy, fill, compare, search. An
 * element at a time is the definition; each function gives what that would have given. Knows no register, no count
 * and no translation. SDM vol. 2 (REP, MOVS, STOS, CMPS, SCAS).
 */
import { XMM_BYTES } from "../../../spec/x86-encoding.js";
import type { Value, Variable } from "../../ir/ir.js";
import type { InstructionBuilder } from "./instruction-builder.js";

/** Vectors that a search looks at together. */
const VECTORS_A_GROUP = 4;
/** From here on the host's own copy is quicker than a loop over vectors. */
const LONG_COPY = 128;
/** WebAssembly's name of a vector of elements of a size. */
const SHAPES: Record<number, string> = { 1: "i8x16", 2: "i16x8", 4: "i32x4", 8: "i64x2" };

/** Where `elements` (i32, at least 1) elements of `size` bytes lie: the first, and how far the next one is (i32). */
export interface Run {
  size: number;
  elements: Value;
  step: Value;
}

/** Whether a run goes down in memory. */
function descends(b: InstructionBuilder, run: Run): Value {
  return b.ltS(run.step, b.i32(0));
}

function bytesOf(b: InstructionBuilder, run: Run): Value {
  return b.shl(run.elements, b.i32(Math.log2(run.size)));
}

/** Host address of element `index`, i32. */
export function elementAt(b: InstructionBuilder, first: Value, run: Run, index: Value): Value {
  return b.add(first, b.mul(index, run.step));
}

/** Stores one element after the other, as overlapping operands need it. */
function copyElements(b: InstructionBuilder, target: Value, source: Value, run: Run): void {
  const index = b.variable(b.i32(0));
  b.loop((again) => {
    const from = elementAt(b, source, run, b.get(index));
    b.storeHost(elementAt(b, target, run, b.get(index)), b.loadHost(from, run.size), run.size);
    const next = b.add(b.get(index), b.i32(1));
    b.set(index, next);
    b.branchIf(b.ltU(next, run.elements), again);
  });
}

/** Copies bytes upwards where the target does not begin within the source. */
function copyBytes(b: InstructionBuilder, target: Value, source: Value, bytes: Value): void {
  const isShort = b.and(b.geU(bytes, b.i32(XMM_BYTES)), b.ltU(bytes, b.i32(LONG_COPY)));
  b.if(
    isShort,
    () => {
      // The last vector, which may overlap the one before it, is read before anything is written over it.
      const last = b.sub(bytes, b.i32(XMM_BYTES));
      const tail = b.load("v128.load", b.add(source, last));
      const done = b.variable(b.i32(0));
      b.loop((again) => {
        const at = b.get(done);
        b.store("v128.store", b.add(target, at), b.load("v128.load", b.add(source, at)));
        const next = b.add(at, b.i32(XMM_BYTES));
        b.set(done, next);
        b.branchIf(b.ltU(next, last), again);
      });
      b.store("v128.store", b.add(target, last), tail);
    },
    () => b.copyMemory(target, source, bytes),
  );
}

/**
 * Copies upwards onto a target `distance` bytes behind the source and within it: what is copied is the source's first
 * `distance` bytes over and over. Each pass doubles what is there.
 */
function replicate(b: InstructionBuilder, target: Value, source: Value, distance: Value, bytes: Value): void {
  const done = b.variable(b.i32(0));
  const piece = b.variable(distance);
  b.loop((again) => {
    const left = b.sub(bytes, b.get(done));
    const length = b.select(b.ltU(b.get(piece), left), b.get(piece), left);
    b.copyMemory(b.add(target, b.get(done)), source, length);
    b.set(done, b.add(b.get(done), length));
    // Source and what was written are one run of the pattern.
    b.set(piece, b.add(b.get(done), distance));
    b.branchIf(b.ltU(b.get(done), bytes), again);
  });
}

function copyUp(b: InstructionBuilder, target: Value, source: Value, run: Run): void {
  const bytes = bytesOf(b, run);
  const distance = b.sub(target, source);
  const overlaps = b.ltU(b.sub(distance, b.i32(1)), b.sub(bytes, b.i32(1)));
  b.if(
    overlaps,
    () =>
      b.if(
        b.geU(distance, b.i32(run.size)),
        () => replicate(b, target, source, distance, bytes),
        () => copyElements(b, target, source, run),
      ),
    () => copyBytes(b, target, source, bytes),
  );
}

function copyDown(b: InstructionBuilder, target: Value, source: Value, run: Run): void {
  const bytes = bytesOf(b, run);
  const below = b.sub(bytes, b.i32(run.size));
  const overlaps = b.ltU(b.sub(b.sub(source, target), b.i32(1)), b.sub(bytes, b.i32(1)));
  b.if(
    overlaps,
    () => copyElements(b, target, source, run),
    () => b.copyMemory(b.sub(target, below), b.sub(source, below), bytes),
  );
}

/** Copies a run; both operands' first elements are given. They may overlap. */
export function copyRun(b: InstructionBuilder, target: Value, source: Value, run: Run): void {
  b.if(
    descends(b, run),
    () => copyDown(b, target, source, run),
    () => copyUp(b, target, source, run),
  );
}

function splat(b: InstructionBuilder, size: number, value: Value): Value {
  return b.operation("v128", `${SHAPES[size]}.splat`, [value]);
}

/** Stores `value` into every element of a run. */
export function fillRun(b: InstructionBuilder, target: Value, value: Value, run: Run): void {
  const bytes = bytesOf(b, run);
  const last = b.sub(bytes, b.i32(XMM_BYTES));
  const low = b.select(descends(b, run), b.sub(target, b.sub(bytes, b.i32(run.size))), target);
  b.if(
    b.geS(last, b.i32(0)),
    () => {
      const pattern = splat(b, run.size, value);
      const done = b.variable(b.i32(0));
      b.loop((again) => {
        b.store("v128.store", b.add(low, b.get(done)), pattern);
        const next = b.add(b.get(done), b.i32(XMM_BYTES));
        b.set(done, next);
        b.branchIf(b.ltS(next, last), again);
      });
      b.store("v128.store", b.add(low, last), pattern);
    },
    () => {
      const index = b.variable(b.i32(0));
      b.loop((again) => {
        b.storeHost(b.add(low, b.shl(b.get(index), b.i32(Math.log2(run.size)))), value, run.size);
        const next = b.add(b.get(index), b.i32(1));
        b.set(index, next);
        b.branchIf(b.ltU(next, run.elements), again);
      });
    },
  );
}

/** What a search compares: vectors of elements at a byte offset plus a fixed one, and single elements by index. */
interface Comparison {
  vectors: (offset: Value, more?: number) => readonly [Value, Value];
  elements: (index: Value) => readonly [Value, Value];
}

/** Skips groups of vectors without a hit, upwards; advances `found`. */
function skipGroups(
  b: InstructionBuilder,
  run: Run,
  { vectors }: Comparison,
  wanted: Value,
  found: Variable,
): void {
  const shape = SHAPES[run.size];
  const perGroup = (XMM_BYTES / run.size) * VECTORS_A_GROUP;
  const unwanted = b.operation("v128", "i32x4.splat", [b.sub(wanted, b.i32(1))]);
  b.block((out) =>
    b.loop((again) => {
      const next = b.add(b.get(found), b.i32(perGroup));
      b.branchIf(b.gtU(next, run.elements), out);
      const offset = b.shl(b.get(found), b.i32(Math.log2(run.size)));
      const hits = Array.from({ length: VECTORS_A_GROUP }, (_, i) => {
        const [x, y] = vectors(offset, i * XMM_BYTES);
        return b.operation("v128", "v128.xor", [b.operation("v128", `${shape}.eq`, [x, y]), unwanted]);
      }).reduce((x, y) => b.operation("v128", "v128.or", [x, y]));
      b.branchIf(b.operation("i32", "v128.any_true", [hits]), out);
      b.set(found, next);
      b.branch(again);
    }),
  );
}

/** Upwards by vectors; the last one may look at elements again. Sets `found`. */
function searchVectors(
  b: InstructionBuilder,
  run: Run,
  { vectors }: Comparison,
  wanted: Value,
  found: Variable,
): void {
  const shape = SHAPES[run.size];
  const lanes = XMM_BYTES / run.size;
  const unwanted = b.select(wanted, b.i32(0), b.i32((1 << lanes) - 1));
  const last = b.sub(run.elements, b.i32(lanes));
  b.block((out) =>
    b.loop((again) => {
      b.branchIf(b.geU(b.get(found), run.elements), out);
      const at = b.select(b.ltU(b.get(found), last), b.get(found), last);
      const [x, y] = vectors(b.shl(at, b.i32(Math.log2(run.size))));
      const equal = b.operation("v128", `${shape}.eq`, [x, y]);
      const hits = b.xor(b.operation("i32", `${shape}.bitmask`, [equal]), unwanted);
      b.if(hits, () => {
        b.set(found, b.add(at, b.ctz(hits)));
        b.branch(out);
      });
      b.set(found, b.add(at, b.i32(lanes)));
      b.branch(again);
    }),
  );
}

function searchElements(
  b: InstructionBuilder,
  run: Run,
  { elements }: Comparison,
  wanted: Value,
  found: Variable,
): void {
  b.block((out) =>
    b.loop((again) => {
      const [x, y] = elements(b.get(found));
      b.branchIf(b.eq(b.eq(x, y), wanted), out);
      const next = b.add(b.get(found), b.i32(1));
      b.set(found, next);
      b.branchIf(b.ltU(next, run.elements), again);
    }),
  );
}

/** Index of the first element that is equal (`wanted` 1) or differs (0), or `run.elements`; i32. */
function search(b: InstructionBuilder, run: Run, comparison: Comparison, wanted: Value): Value {
  const found = b.variable(b.i32(0));
  const byVectors = b.and(
    b.geU(run.elements, b.i32(XMM_BYTES / run.size)),
    b.xor(descends(b, run), b.i32(1)),
  );
  b.if(
    byVectors,
    () => {
      skipGroups(b, run, comparison, wanted, found);
      searchVectors(b, run, comparison, wanted, found);
    },
    () => searchElements(b, run, comparison, wanted, found),
  );
  return b.get(found);
}

/** Where a run at `first` first holds `value` (`wanted` 1) or another one (0), or `run.elements`; i32. */
export function findValue(b: InstructionBuilder, first: Value, value: Value, run: Run, wanted: Value): Value {
  const pattern = splat(b, run.size, value);
  const comparison: Comparison = {
    vectors: (offset, more = 0) => [b.load("v128.load", b.add(first, offset), more), pattern],
    elements: (index) => [b.loadHost(elementAt(b, first, run, index), run.size), value],
  };
  return search(b, run, comparison, wanted);
}

/** Where two runs are first equal (`wanted` 1) or differ (0), or `run.elements`; i32. */
export function findPair(b: InstructionBuilder, x: Value, y: Value, run: Run, wanted: Value): Value {
  const comparison: Comparison = {
    vectors: (offset, more = 0) => [
      b.load("v128.load", b.add(x, offset), more),
      b.load("v128.load", b.add(y, offset), more),
    ],
    elements: (index) => [
      b.loadHost(elementAt(b, x, run, index), run.size),
      b.loadHost(elementAt(b, y, run, index), run.size),
    ],
  };
  return search(b, run, comparison, wanted);
}
