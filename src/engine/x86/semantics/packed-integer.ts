/**
 * Packed integer arithmetic and logic of MMX and SSE to SSE4.2: one definition serves both widths, an MMX operand
 * being the low half of a vector. SDM vol. 2.
 */
import type { Value } from "../../ir/ir.js";
import type { Operand, Operation } from "../operands.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";

type Combine = (b: InstructionBuilder, destination: Value, source: Value, mmx: boolean) => Value;

/** Whether an operand is an MMX register. */
export function usesMmx(operation: Operation): boolean {
  return operation.operands.some((o) => o.kind === "mmx");
}

/**
 * Semantics that may have MMX operands: what MMX raises comes first, what it leaves in the x87 state last, when
 * nothing can fault any more; but a store that faults has left TOP 0 already, as on Intel's CPUs, and MASKMOVQ all of it.
 */
export function withMmx(table: SemanticsTable): SemanticsTable {
  const wrap =
    (semantics: Semantics): Semantics =>
    (b, operation) => {
      const mmx = usesMmx(operation);
      const masked = operation.mnemonic === "maskmovq";
      const stores = masked || operation.operands[0].kind === "memory";
      if (mmx) b.checkMmx();
      if (mmx && stores) b.resetTop();
      if (masked) b.validateTags();
      semantics(b, operation);
      if (mmx && !stores) b.resetTop();
      if (mmx && !masked) b.validateTags();
    };
  return Object.fromEntries(Object.entries(table).map(([name, semantics]) => [name, wrap(semantics)]));
}

/** destination := combine(destination, source). */
function packed(combine: Combine): Semantics {
  return (b, operation) => {
    const mmx = usesMmx(operation);
    const [destination, source] = operation.operands;
    const right = b.readVector(source);
    b.writeVector(destination, combine(b, b.readVector(destination), right, mmx));
  };
}

/** Operations that WebAssembly has under another name, with the operands in the same order. */
const DIRECT: Record<string, string> = {
  paddb: "i8x16.add",
  paddw: "i16x8.add",
  paddd: "i32x4.add",
  paddq: "i64x2.add",
  psubb: "i8x16.sub",
  psubw: "i16x8.sub",
  psubd: "i32x4.sub",
  psubq: "i64x2.sub",
  paddsb: "i8x16.add_sat_s",
  paddsw: "i16x8.add_sat_s",
  paddusb: "i8x16.add_sat_u",
  paddusw: "i16x8.add_sat_u",
  psubsb: "i8x16.sub_sat_s",
  psubsw: "i16x8.sub_sat_s",
  psubusb: "i8x16.sub_sat_u",
  psubusw: "i16x8.sub_sat_u",
  pminub: "i8x16.min_u",
  pmaxub: "i8x16.max_u",
  pminsw: "i16x8.min_s",
  pmaxsw: "i16x8.max_s",
  pminsb: "i8x16.min_s",
  pmaxsb: "i8x16.max_s",
  pminuw: "i16x8.min_u",
  pmaxuw: "i16x8.max_u",
  pminsd: "i32x4.min_s",
  pmaxsd: "i32x4.max_s",
  pminud: "i32x4.min_u",
  pmaxud: "i32x4.max_u",
  pavgb: "i8x16.avgr_u",
  pavgw: "i16x8.avgr_u",
  pcmpeqb: "i8x16.eq",
  pcmpeqw: "i16x8.eq",
  pcmpeqd: "i32x4.eq",
  pcmpeqq: "i64x2.eq",
  pcmpgtb: "i8x16.gt_s",
  pcmpgtw: "i16x8.gt_s",
  pcmpgtd: "i32x4.gt_s",
  pcmpgtq: "i64x2.gt_s",
  pand: "v128.and",
  por: "v128.or",
  pxor: "v128.xor",
  pmullw: "i16x8.mul",
  pmulld: "i32x4.mul",
  pmaddwd: "i32x4.dot_i16x8_s",
};

function vector(b: InstructionBuilder, op: string, ...args: Value[]): Value {
  return b.operation("v128", op, args);
}

/** A vector constant with every lane of `bytes` bytes equal to `value`. */
function splat(b: InstructionBuilder, value: bigint, bytes: number): Value {
  const data = new Uint8Array(16);
  for (let i = 0; i < 16; i++) data[i] = Number((value >> BigInt((i % bytes) * 8)) & 0xffn);
  return b.v128(data);
}

/** Bytes chosen from the 32 bytes of two vectors. */
export function shuffle(
  b: InstructionBuilder,
  first: Value,
  second: Value,
  indices: readonly number[],
): Value {
  return b.operation("v128", "i8x16.shuffle", [first, second], Uint8Array.from(indices));
}

const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];

/** Both operands as 16 bytes one behind the other (MMX), or as they are. */
function sideBySide(b: InstructionBuilder, first: Value, second: Value, mmx: boolean): [Value, Value] {
  if (!mmx) return [first, second];
  const joined = shuffle(b, first, second, LOW_HALVES);
  return [joined, joined];
}

function narrow(op: string): Combine {
  return (b, destination, source, mmx) => vector(b, op, ...sideBySide(b, destination, source, mmx));
}

/** High 16 bits of 16-bit products. */
function multiplyHigh(sign: "s" | "u"): Combine {
  return (b, x, y) => {
    const low = vector(b, `i32x4.extmul_low_i16x8_${sign}`, x, y);
    const high = vector(b, `i32x4.extmul_high_i16x8_${sign}`, x, y);
    return shuffle(b, low, high, [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31]);
  };
}

/** Rounded, scaled products; 0x8000 × 0x8000 gives 0x8000 where WebAssembly saturates. */
const multiplyRoundScale: Combine = (b, x, y) => {
  const product = vector(b, "i16x8.q15mulr_sat_s", x, y);
  const least = splat(b, 0x8000n, 2);
  const both = vector(b, "v128.and", vector(b, "i16x8.eq", x, least), vector(b, "i16x8.eq", y, least));
  return vector(b, "v128.xor", product, both);
};

const multiplyUnsignedWide: Combine = (b, x, y) => {
  const mask = splat(b, 0xffffffffn, 8);
  return vector(b, "i64x2.mul", vector(b, "v128.and", x, mask), vector(b, "v128.and", y, mask));
};

const multiplySignedWide: Combine = (b, x, y) => {
  const extend = (v: Value): Value =>
    vector(b, "i64x2.shr_s", vector(b, "i64x2.shl", v, b.i32(32)), b.i32(32));
  return vector(b, "i64x2.mul", extend(x), extend(y));
};

/** Unsigned bytes times signed bytes, pairs added with saturation. */
const multiplyAddUnsignedSigned: Combine = (b, x, y) => {
  const half = (part: "low" | "high"): Value => {
    const left = vector(b, `i16x8.extend_${part}_i8x16_u`, x);
    const right = vector(b, `i16x8.extend_${part}_i8x16_s`, y);
    return vector(b, "i32x4.dot_i16x8_s", left, right);
  };
  return vector(b, "i16x8.narrow_i32x4_s", half("low"), half("high"));
};

const sumOfDifferences: Combine = (b, x, y) => {
  const difference = vector(b, "i8x16.sub", vector(b, "i8x16.max_u", x, y), vector(b, "i8x16.min_u", x, y));
  const words = vector(b, "i16x8.extadd_pairwise_i8x16_u", difference);
  const dwords = vector(b, "i32x4.extadd_pairwise_i16x8_u", words);
  const low = vector(b, "v128.and", dwords, splat(b, 0xffffffffn, 8));
  return vector(b, "i64x2.add", low, vector(b, "i64x2.shr_u", dwords, b.i32(32)));
};

type Lanes = "i8x16" | "i16x8" | "i32x4";

/** Negates, clears or keeps lanes by the sign of the source. */
function applySign(lanes: Lanes): Combine {
  return (b, x, y) => {
    const zero = splat(b, 0n, 8);
    const negative = vector(b, `${lanes}.lt_s`, y, zero);
    const turned = vector(b, `${lanes}.sub`, vector(b, "v128.xor", x, negative), negative);
    return vector(b, "v128.and", turned, vector(b, `${lanes}.ne`, y, zero));
  };
}

/** Indices of the even (0) or odd (1) elements of `size` bytes of two vectors. */
function alternate(size: number, odd: number): number[] {
  const indices: number[] = [];
  for (let element = odd; element < 32 / size; element += 2) {
    for (let byte = 0; byte < size; byte++) indices.push(element * size + byte);
  }
  return indices;
}

/** Sums or differences of neighbours. */
function horizontal(op: string, size: number): Combine {
  return (b, destination, source, mmx) => {
    const [first, second] = sideBySide(b, destination, source, mmx);
    const even = shuffle(b, first, second, alternate(size, 0));
    return vector(b, op, even, shuffle(b, first, second, alternate(size, 1)));
  };
}

/** Indices that interleave elements of `size` bytes of the low or high halves. */
function interleave(size: number, high: boolean, width: number): number[] {
  const first = high ? width / 2 : 0;
  const indices: number[] = [];
  for (let element = 0; indices.length < 16; element++) {
    for (const base of [0, 16]) {
      for (let byte = 0; byte < size; byte++)
        indices.push((base + ((first + element * size + byte) % 16)) % 32);
    }
  }
  return indices.slice(0, 16);
}

function unpack(size: number, high: boolean): Combine {
  return (b, destination, source, mmx) =>
    shuffle(b, destination, source, interleave(size, high, mmx ? 8 : 16));
}

type ShiftKind = "shl" | "shr_u" | "shr_s";

/** Shifts all lanes by one count; counts beyond the lane give zero, or the sign for arithmetic shifts. */
function shiftLanes(
  b: InstructionBuilder,
  lanes: string,
  kind: ShiftKind,
  value: Value,
  count: Value,
): Value {
  const bits = { i16x8: 16, i32x4: 32, i64x2: 64 }[lanes]!;
  const tooFar = b.gtU(count, b.i64(bits - 1));
  if (kind === "shr_s") {
    const limited = b.select(tooFar, b.i64(bits - 1), count);
    return vector(b, `${lanes}.${kind}`, value, b.wrap(limited));
  }
  const shifted = vector(b, `${lanes}.${kind}`, value, b.wrap(count));
  return b.operation("v128", "select", [b.v128(new Uint8Array(16)), shifted, tooFar]);
}

function shiftBy(lanes: string, kind: ShiftKind): Combine {
  return (b, destination, source) => {
    const count = b.operation("i64", "i64x2.extract_lane", [source], 0);
    return shiftLanes(b, lanes, kind, destination, count);
  };
}

/** The unsigned immediate byte of an operation as i32. */
export function immediateByte(b: InstructionBuilder, operand: Operand): Value {
  return b.and(b.wrap(b.read(operand)), b.i32(0xff));
}

function shiftByImmediate(lanes: string, kind: ShiftKind): Semantics {
  return (b, operation) => {
    const [destination, immediate] = operation.operands;
    const count = b.extendU(immediateByte(b, immediate));
    b.writeVector(destination, shiftLanes(b, lanes, kind, b.readVector(destination), count));
  };
}

const SHIFTS: [string, string, ShiftKind][] = [
  ["psrlw", "i16x8", "shr_u"],
  ["psrld", "i32x4", "shr_u"],
  ["psrlq", "i64x2", "shr_u"],
  ["psraw", "i16x8", "shr_s"],
  ["psrad", "i32x4", "shr_s"],
  ["psllw", "i16x8", "shl"],
  ["pslld", "i32x4", "shl"],
  ["psllq", "i64x2", "shl"],
];

function fromCombine(table: Record<string, Combine>): SemanticsTable {
  return Object.fromEntries(Object.entries(table).map(([name, combine]) => [name, packed(combine)]));
}

const UNARY: Record<string, string> = { pabsb: "i8x16.abs", pabsw: "i16x8.abs", pabsd: "i32x4.abs" };

export const PACKED_INTEGER: SemanticsTable = withMmx({
  ...fromCombine(
    Object.fromEntries(
      Object.entries(DIRECT).map(([name, op]): [string, Combine] => [name, (b, x, y) => vector(b, op, x, y)]),
    ),
  ),
  ...fromCombine(
    Object.fromEntries(
      Object.entries(UNARY).map(([name, op]): [string, Combine] => [name, (b, _x, y) => vector(b, op, y)]),
    ),
  ),
  ...fromCombine(Object.fromEntries(SHIFTS.map(([name, lanes, kind]) => [name, shiftBy(lanes, kind)]))),
  ...Object.fromEntries(SHIFTS.map(([name, lanes, kind]) => [`${name}_imm`, shiftByImmediate(lanes, kind)])),
  ...fromCombine({
    pandn: (b, x, y) => vector(b, "v128.andnot", y, x),
    packsswb: narrow("i8x16.narrow_i16x8_s"),
    packuswb: narrow("i8x16.narrow_i16x8_u"),
    packssdw: narrow("i16x8.narrow_i32x4_s"),
    packusdw: narrow("i16x8.narrow_i32x4_u"),
    pmulhw: multiplyHigh("s"),
    pmulhuw: multiplyHigh("u"),
    pmulhrsw: multiplyRoundScale,
    pmuludq: multiplyUnsignedWide,
    pmuldq: multiplySignedWide,
    pmaddubsw: multiplyAddUnsignedSigned,
    psadbw: sumOfDifferences,
    psignb: applySign("i8x16"),
    psignw: applySign("i16x8"),
    psignd: applySign("i32x4"),
    phaddw: horizontal("i16x8.add", 2),
    phaddd: horizontal("i32x4.add", 4),
    phaddsw: horizontal("i16x8.add_sat_s", 2),
    phsubw: horizontal("i16x8.sub", 2),
    phsubd: horizontal("i32x4.sub", 4),
    phsubsw: horizontal("i16x8.sub_sat_s", 2),
    punpcklbw: unpack(1, false),
    punpcklwd: unpack(2, false),
    punpckldq: unpack(4, false),
    punpcklqdq: unpack(8, false),
    punpckhbw: unpack(1, true),
    punpckhwd: unpack(2, true),
    punpckhdq: unpack(4, true),
    punpckhqdq: unpack(8, true),
    unpcklps: unpack(4, false),
    unpcklpd: unpack(8, false),
    unpckhps: unpack(4, true),
    unpckhpd: unpack(8, true),
  }),
});
