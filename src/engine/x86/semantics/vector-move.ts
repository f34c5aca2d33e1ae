/**
 * Moves, shuffles, insertions and extractions of vectors, and conversions between MMX, XMM and general registers.
 * Lanes that an immediate chooses at run time go through a swizzle or through scratch memory. SDM vol. 2.
 */
import { RDI } from "../../../spec/x86-encoding.js";
import type { Value } from "../../ir/ir.js";
import * as layout from "../layout.js";
import type { Operand, Operation } from "../operands.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { immediateByte, shuffle, usesMmx, withMmx } from "./packed-integer.js";

const IOTA = Uint8Array.from({ length: 16 }, (_, i) => i);

function vector(b: InstructionBuilder, op: string, args: readonly Value[], immediate?: number): Value {
  return b.operation("v128", op, args, immediate);
}

function lane(b: InstructionBuilder, value: Value, index: number): Value {
  return b.operation("i64", "i64x2.extract_lane", [value], index);
}

/** The vector with its upper 8 bytes zero. */
function lowHalf(b: InstructionBuilder, value: Value): Value {
  return vector(b, "i64x2.replace_lane", [value, b.i64(0)], 1);
}

const move: Semantics = (b, operation) => {
  const [destination, source] = operation.operands;
  b.writeVector(destination, b.readVector(source));
};

/** MOVSS, MOVSD: a register source replaces the low lane only, a memory source clears the rest. */
const moveScalar: Semantics = (b, { operands: [destination, source] }) => {
  const value = b.readVector(source);
  b.writeVector(
    source.kind === "memory" ? destination : ({ ...destination, size: source.size } as Operand),
    value,
  );
};

/** MOVQ between XMM registers or to one: the upper half is zero. */
const moveQuad: Semantics = (b, { operands: [destination, source] }) => {
  const value = lowHalf(b, b.readVector(source));
  b.writeVector(
    destination.kind === "memory" ? destination : ({ ...destination, size: 16 } as Operand),
    value,
  );
};

function merge(combine: (b: InstructionBuilder, destination: Value, source: Value) => Value): Semantics {
  return (b, operation) => {
    const mmx = usesMmx(operation);
    const [destination, source] = operation.operands;
    const right = b.readVector(source);
    b.writeVector(destination, combine(b, mmx ? right : b.readVector(destination), right));
  };
}

/** MOVD, MOVQ between a general register or memory and a vector register. */
const moveGeneral: Semantics = (b, operation) => {
  const [destination, source] = operation.operands;
  if (destination.kind === "xmm" || destination.kind === "mmx") {
    const value = b.read(source);
    const lanes = source.size === 8 ? "i64x2" : "i32x4";
    b.writeVector(destination, vector(b, `${lanes}.replace_lane`, [b.v128(new Uint8Array(16)), value], 0));
    return;
  }
  const type = destination.size === 8 ? "i64" : "i32";
  const value = b.readVector(source);
  b.write(
    destination,
    b.operation(type, type === "i64" ? "i64x2.extract_lane" : "i32x4.extract_lane", [value], 0),
  );
};

function moveMask(op: string): Semantics {
  return (b, operation) => {
    const mmx = usesMmx(operation);
    const [destination, source] = operation.operands;
    const bits = b.operation("i32", op, [b.readVector(source)]);
    const mask = mmx ? b.and(bits, b.i32(0xff)) : bits;
    b.write(destination, destination.size === 8 ? b.extendU(mask) : mask);
  };
}

/** Splat of an i32 to all lanes plus a constant vector, both of bytes. */
function bytesPlus(b: InstructionBuilder, amount: Value, constant: Uint8Array): Value {
  return vector(b, "i8x16.add", [b.v128(constant), vector(b, "i8x16.splat", [amount])]);
}

function minimum(b: InstructionBuilder, value: Value, limit: number): Value {
  return b.select(b.ltU(value, b.i32(limit)), value, b.i32(limit));
}

/** PSRLDQ, PSLLDQ: indices outside 0–15 select zero. */
function shiftBytes(right: boolean): Semantics {
  return (b, { operands: [destination, immediate] }) => {
    const count = minimum(b, immediateByte(b, immediate), 16);
    const indices = bytesPlus(b, right ? count : b.sub(b.i32(0), count), IOTA);
    b.writeVector(destination, vector(b, "i8x16.swizzle", [b.readVector(destination), indices]));
  };
}

const alignRight: Semantics = (b, operation) => {
  const mmx = usesMmx(operation);
  const [destination, source, immediate] = operation.operands;
  const low = b.readVector(source);
  const high = b.readVector(destination);
  const count = minimum(b, immediateByte(b, immediate), mmx ? 16 : 32);
  const fromLow = bytesPlus(b, count, IOTA);
  if (mmx) {
    const joined = shuffle(b, low, high, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
    return b.writeVector(destination, vector(b, "i8x16.swizzle", [joined, fromLow]));
  }
  const fromHigh = bytesPlus(b, b.sub(count, b.i32(16)), IOTA);
  const parts = [vector(b, "i8x16.swizzle", [low, fromLow]), vector(b, "i8x16.swizzle", [high, fromHigh])];
  b.writeVector(destination, vector(b, "v128.or", parts));
};

/** Byte indices that select dwords by the four 2-bit fields of an immediate. */
function dwordSelector(b: InstructionBuilder, immediate: Value): Value {
  let fields = vector(b, "i32x4.splat", [immediate]);
  for (let i = 1; i < 4; i++) {
    fields = vector(b, "i32x4.replace_lane", [fields, b.shrU(immediate, b.i32(2 * i))], i);
  }
  const chosen = vector(b, "v128.and", [fields, splat32(b, 3)]);
  const scaled = vector(b, "i32x4.mul", [chosen, splat32(b, 0x04040404)]);
  return vector(b, "i32x4.add", [scaled, splat32(b, 0x03020100)]);
}

function splat32(b: InstructionBuilder, value: number): Value {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 16; i += 4) view.setInt32(i, value, true);
  return b.v128(bytes);
}

/** Byte indices that select words within the half that starts at byte `base`; the other half stays. */
function wordSelector(b: InstructionBuilder, immediate: Value, base: number): Value {
  let selector: Value = b.v128(IOTA);
  for (let i = 0; i < 4; i++) {
    const field = b.and(b.shrU(immediate, b.i32(2 * i)), b.i32(3));
    const pair = b.add(b.mul(field, b.i32(0x0202)), b.i32(0x0100 + base * 0x0101));
    selector = vector(b, "i16x8.replace_lane", [selector, pair], base / 2 + i);
  }
  return selector;
}

function shuffleBy(selector: (b: InstructionBuilder, immediate: Value) => Value): Semantics {
  return (b, operation) => {
    const [destination, source, immediate] = operation.operands;
    const value = b.readVector(source);
    b.writeVector(destination, vector(b, "i8x16.swizzle", [value, selector(b, immediateByte(b, immediate))]));
  };
}

const shuffleSingles: Semantics = (b, { operands: [destination, source, immediate] }) => {
  const right = b.readVector(source);
  const selector = dwordSelector(b, immediateByte(b, immediate));
  const first = vector(b, "i8x16.swizzle", [b.readVector(destination), selector]);
  const second = vector(b, "i8x16.swizzle", [right, selector]);
  b.writeVector(
    destination,
    shuffle(b, first, second, [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]),
  );
};

const shuffleDoubles: Semantics = (b, { operands: [destination, source, immediate] }) => {
  const right = b.readVector(source);
  const left = b.readVector(destination);
  const bits = immediateByte(b, immediate);
  const low = b.select(b.and(bits, b.i32(1)), lane(b, left, 1), lane(b, left, 0));
  const high = b.select(b.and(bits, b.i32(2)), lane(b, right, 1), lane(b, right, 0));
  b.writeVector(destination, vector(b, "i64x2.replace_lane", [vector(b, "i64x2.splat", [low]), high], 1));
};

/** PSHUFB: bit 7 of a selector gives zero, otherwise its low bits choose. */
const shuffleBytes: Semantics = (b, operation) => {
  const mmx = usesMmx(operation);
  const [destination, source] = operation.operands;
  const mask = b.v128(new Uint8Array(16).fill(mmx ? 0x87 : 0x8f));
  const selector = vector(b, "v128.and", [b.readVector(source), mask]);
  b.writeVector(destination, vector(b, "i8x16.swizzle", [b.readVector(destination), selector]));
};

/** Puts an element of `size` bytes from a general register or memory at the place an immediate names. */
function insert(size: number): Semantics {
  return (b, operation) => {
    const mmx = usesMmx(operation);
    const [destination, source, immediate] = operation.operands;
    const bytes = size === 0 ? source.size : size;
    const value = b.read(source);
    const scratch = b.spill(b.readVector(destination));
    const places = (mmx ? 8 : 16) / bytes;
    const at = b.mul(b.and(immediateByte(b, immediate), b.i32(places - 1)), b.i32(bytes));
    b.storeHost(b.add(scratch, at), value, bytes);
    b.writeVector(destination, b.load("v128.load", scratch));
  };
}

function extract(size: number): Semantics {
  return (b, operation) => {
    const mmx = usesMmx(operation);
    const [destination, source, immediate] = operation.operands;
    const bytes = size === 0 ? destination.size : size;
    const scratch = b.spill(b.readVector(source));
    const places = (mmx ? 8 : 16) / bytes;
    const at = b.mul(b.and(immediateByte(b, immediate), b.i32(places - 1)), b.i32(bytes));
    const value = b.loadHost(b.add(scratch, at), bytes);
    b.write(destination, destination.size === 8 ? b.extendU(value) : value);
  };
}

/** INSERTPS: a dword of the source to a place of the destination, then a zero mask. */
const insertSingle: Semantics = (b, { operands: [destination, source, immediate] }) => {
  const bits = immediateByte(b, immediate);
  const from = source.kind === "memory" ? b.i32(0) : b.and(b.shrU(bits, b.i32(4)), b.i32(0xc));
  const value = b.load("i32.load", b.add(b.spill(b.readVector(source)), from));
  const scratch = b.spill(b.readVector(destination));
  b.store("i32.store", b.add(scratch, b.and(b.shrU(bits, b.i32(2)), b.i32(0xc))), value);
  const keep = vector(b, "i32x4.eq", [laneBits(b, bits, 4), splat32(b, 0)]);
  b.writeVector(destination, vector(b, "v128.and", [b.load("v128.load", scratch), keep]));
};

/** For each of `lanes` lanes the immediate's bit of that number, still at its place; others zero. */
function laneBits(b: InstructionBuilder, immediate: Value, lanes: number): Value {
  const width = 16 / lanes;
  const bytes = new Uint8Array(16);
  for (let i = 0; i < lanes; i++) bytes[i * width] = 1 << i;
  const shape = { 8: "i16x8", 4: "i32x4", 2: "i64x2" }[lanes]!;
  const spread = vector(b, `${shape}.splat`, [lanes === 2 ? b.extendU(immediate) : immediate]);
  return vector(b, "v128.and", [spread, b.v128(bytes)]);
}

function blendImmediate(lanes: 2 | 4 | 8): Semantics {
  return (b, { operands: [destination, source, immediate] }) => {
    const right = b.readVector(source);
    const shape = { 8: "i16x8", 4: "i32x4", 2: "i64x2" }[lanes];
    const bits = laneBits(b, immediateByte(b, immediate), lanes);
    const mask = vector(b, `${shape}.ne`, [bits, b.v128(new Uint8Array(16))]);
    b.writeVector(destination, vector(b, "v128.bitselect", [right, b.readVector(destination), mask]));
  };
}

/** Blends by the sign bits of XMM0. */
function blendVariable(shape: string, bits: number): Semantics {
  return (b, { operands: [destination, source] }) => {
    const right = b.readVector(source);
    const mask = vector(b, `${shape}.shr_s`, [b.state("v128.load", layout.XMM), b.i32(bits - 1)]);
    b.writeVector(destination, vector(b, "v128.bitselect", [right, b.readVector(destination), mask]));
  };
}

function widen(...steps: string[]): Semantics {
  return (b, { operands: [destination, source] }) => {
    b.writeVector(
      destination,
      steps.reduce((value, op) => vector(b, op, [value]), b.readVector(source)),
    );
  };
}

const SIGNED = ["i16x8.extend_low_i8x16_s", "i32x4.extend_low_i16x8_s", "i64x2.extend_low_i32x4_s"];
const UNSIGNED = ["i16x8.extend_low_i8x16_u", "i32x4.extend_low_i16x8_u", "i64x2.extend_low_i32x4_u"];

const test: Semantics = (b, { operands: [destination, source] }) => {
  const right = b.readVector(source);
  const left = b.readVector(destination);
  const some = (op: string): Value => b.operation("i32", "v128.any_true", [vector(b, op, [right, left])]);
  const zero = b.eqz(some("v128.and"));
  const carry = b.eqz(some("v128.andnot"));
  b.setStatusFlags(b.or(b.shl(zero, b.i32(6)), carry));
};

/** MASKMOVQ, MASKMOVDQU: stores the bytes whose mask has its top bit set, at DS:rDI. */
const maskMove: Semantics = (b, operation: Operation) => {
  const mmx = usesMmx(operation);
  const [source, mask] = operation.operands;
  const size = mmx ? 8 : 16;
  const wide = b.eq(b.addressSize(), b.i32(8));
  const short = b.select(b.eq(b.addressSize(), b.i32(4)), b.i64(0xffffffffn), b.i64(0xffffn));
  const offset = b.and(b.gpr(RDI, 8), b.select(wide, b.i64(-1), short));
  const linear = b.and(b.add(offset, b.segmentBase()), b.state("i64.load", layout.LINEAR_MASK));
  b.stringRoom("masked", size, "modify");
  // Intel's CPUs look at the upper half first, and report it in CR2.
  if (!mmx) b.translate(b.add(linear, b.i64(8)), 8, "modify");
  const host = b.translate(linear, size, "modify");
  const selected = vector(b, "i8x16.shr_s", [b.readVector(mask), b.i32(7)]);
  const old = b.load(mmx ? "v128.load64_zero" : "v128.load", host);
  const mixed = vector(b, "v128.bitselect", [b.readVector(source), old, selected]);
  if (mmx) b.storeHost(host, lane(b, mixed, 0), 8);
  else b.store("v128.store", host, mixed);
  b.commit(host, size, "modify");
};

export const VECTOR_MOVE: SemanticsTable = withMmx({
  movu: move,
  mova: move,
  movq_mmx: move,
  movss: moveScalar,
  movsd: moveScalar,
  movss_store: move,
  movsd_store: move,
  movq: moveQuad,
  movq_store: moveQuad,
  movlp: (b, { operands: [destination, source] }) =>
    b.writeVector({ ...destination, size: 8 } as Operand, b.readVector(source)),
  movlp_store: move,
  movhp: merge((b, left, right) => vector(b, "i64x2.replace_lane", [left, lane(b, right, 0)], 1)),
  movhp_store: (b, { operands: [destination, source] }) =>
    b.write(destination, lane(b, b.readVector(source), 1)),
  movhlps: merge((b, left, right) => vector(b, "i64x2.replace_lane", [left, lane(b, right, 1)], 0)),
  movlhps: merge((b, left, right) => vector(b, "i64x2.replace_lane", [left, lane(b, right, 0)], 1)),
  movsldup: merge((b, _left, right) =>
    shuffle(b, right, right, [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]),
  ),
  movshdup: merge((b, _left, right) =>
    shuffle(b, right, right, [4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]),
  ),
  movddup: merge((b, _left, right) => vector(b, "i64x2.splat", [lane(b, right, 0)])),
  movd: moveGeneral,
  movq2dq: merge((b, _left, right) => lowHalf(b, right)),
  movdq2q: move,
  movmskps: moveMask("i32x4.bitmask"),
  movmskpd: moveMask("i64x2.bitmask"),
  pmovmskb: moveMask("i8x16.bitmask"),
  psrldq: shiftBytes(true),
  pslldq: shiftBytes(false),
  palignr: alignRight,
  pshufd: shuffleBy(dwordSelector),
  pshuflw: shuffleBy((b, immediate) => wordSelector(b, immediate, 0)),
  pshufhw: shuffleBy((b, immediate) => wordSelector(b, immediate, 8)),
  pshufw: shuffleBy((b, immediate) => wordSelector(b, immediate, 0)),
  shufps: shuffleSingles,
  shufpd: shuffleDoubles,
  pshufb: shuffleBytes,
  pinsrb: insert(1),
  pinsrw: insert(2),
  pinsrd: insert(0),
  pextrb: extract(1),
  pextrw: extract(2),
  pextrw_sse4: extract(2),
  pextrd: extract(0),
  extractps: extract(4),
  insertps: insertSingle,
  blendps: blendImmediate(4),
  blendpd: blendImmediate(2),
  pblendw: blendImmediate(8),
  pblendvb: blendVariable("i8x16", 8),
  blendvps: blendVariable("i32x4", 32),
  blendvpd: blendVariable("i64x2", 64),
  pmovsxbw: widen(SIGNED[0]),
  pmovsxbd: widen(SIGNED[0], SIGNED[1]),
  pmovsxbq: widen(...SIGNED),
  pmovsxwd: widen(SIGNED[1]),
  pmovsxwq: widen(SIGNED[1], SIGNED[2]),
  pmovsxdq: widen(SIGNED[2]),
  pmovzxbw: widen(UNSIGNED[0]),
  pmovzxbd: widen(UNSIGNED[0], UNSIGNED[1]),
  pmovzxbq: widen(...UNSIGNED),
  pmovzxwd: widen(UNSIGNED[1]),
  pmovzxwq: widen(UNSIGNED[1], UNSIGNED[2]),
  pmovzxdq: widen(UNSIGNED[2]),
  ptest: test,
  maskmovq: maskMove,
  maskmovdqu: maskMove,
});
