/**
 * SSE floating point: every operation has the exact unit (sse-float.ts), which honours rounding, flags, DAZ, FTZ and
 * NaN rules; the commoner ones first try the quick paths of quick-float.ts and quick-convert.ts. SDM vol. 2.
 */
import type { Value } from "../../ir/ir.js";
import type { Operation } from "../operands.js";
import { Lanes, type Shape } from "./float-lanes.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { immediateByte, usesMmx } from "./packed-integer.js";
import * as convert from "./quick-convert.js";
import {
  type Arithmetic,
  arithmetic,
  compareToFlags,
  comparison,
  deliver,
  extreme,
  integral,
  type Quick,
  squareRoot,
} from "./quick-float.js";

/** Those that have the exact unit alone. */
const PLAIN = `rcpps rcpss rsqrtps rsqrtss cvtpi2ps cvtpi2pd cvtps2pi cvttps2pi cvtpd2pi cvttpd2pi dpps dppd`
  .trim()
  .split(/\s+/);
const SHAPES: readonly Shape[] = ["ps", "pd", "ss", "sd"];

interface Addresses {
  to: Value;
  from: Value;
}

/** Host addresses of both operands, the source's translated first. */
function addresses(b: InstructionBuilder, operation: Operation): Addresses {
  const [destination, source] = operation.operands;
  const from = b.vectorAddress(source);
  return { to: b.vectorAddress(destination), from };
}

function immediateOf(b: InstructionBuilder, { operands: [, , immediate] }: Operation): Value {
  return immediate ? immediateByte(b, immediate) : b.i32(0);
}

function execute(b: InstructionBuilder, operation: Operation): void {
  const mmx = usesMmx(operation);
  if (mmx) b.checkMmx();
  const { to, from } = addresses(b, operation);
  // On the CPUs of both makers the registers are MMX's already when the operation raises #XM.
  if (mmx) b.resetTop();
  if (mmx) b.validateTags();
  b.floatOperation(operation.mnemonic, to, from, immediateOf(b, operation));
  if (operation.operands[0].kind === "mmx") b.markMmx(to);
}

/** Both ways of an operation; `unit` is its name in the exact unit. */
function quickly(
  b: InstructionBuilder,
  unit: string,
  { to, from }: Addresses,
  imm: Value,
  quick: Quick,
  store: (value: Value) => void,
): void {
  deliver(b, quick, store, () => void b.floatOperation(unit, to, from, imm));
}

/** destination := destination op source, lane by lane. */
function lanewise(
  shape: Shape,
  build: (b: InstructionBuilder, lanes: Lanes, x: Value, y: Value, imm: Value) => Quick,
): Semantics {
  return (b, operation) => {
    const places = addresses(b, operation);
    const imm = immediateOf(b, operation);
    const lanes = new Lanes(b, shape);
    const quick = build(b, lanes, lanes.load(places.to), lanes.load(places.from), imm);
    quickly(b, operation.mnemonic, places, imm, quick, (value) => lanes.store(places.to, value));
  };
}

const twoOperands = (name: Arithmetic, shape: Shape): Semantics =>
  lanewise(shape, (_, lanes, x, y) => arithmetic(lanes, name, x, y));

function compareLanes(shape: Shape): Semantics {
  return (b, operation) => {
    const places = addresses(b, operation);
    const imm = immediateOf(b, operation);
    const lanes = new Lanes(b, shape);
    const quick = comparison(b, lanes, lanes.load(places.to), lanes.load(places.from), imm);
    quickly(b, operation.mnemonic, places, imm, quick, (value) => lanes.storeAnswer(places.to, value));
  };
}

function flagsFrom(shape: Shape): Semantics {
  return (b, operation) => {
    const { to, from } = addresses(b, operation);
    compareToFlags(b, shape, to, from, () =>
      b.setStatusFlags(b.floatOperation(operation.mnemonic, to, from, b.i32(0))),
    );
  };
}

// ── across lanes ────────────────────────────────────────────────────────────────────────────────────────────

/** Bytes of the elements of two vectors that a list names, those of the second counted on. */
function elements(bytes: number, numbers: readonly number[]): Uint8Array {
  return Uint8Array.from(numbers.flatMap((n) => Array.from({ length: bytes }, (_, i) => n * bytes + i)));
}

/** HADD and HSUB: neighbours of the first operand give the low half, of the second the high half. */
function horizontal(shape: "ps" | "pd", name: "add" | "sub"): Semantics {
  const even = shape === "ps" ? [0, 2, 4, 6] : [0, 2];
  return lanewise(shape, (b, lanes, x, y) => {
    const pick = (numbers: readonly number[]): Value =>
      b.operation("v128", "i8x16.shuffle", [x, y], elements(lanes.format.bytes, numbers));
    return arithmetic(lanes, name, pick(even), pick(even.map((n) => n + 1)));
  });
}

/** ADDSUB: even lanes subtract, which is adding the opposite, odd ones add. */
function addSubtract(shape: "ps" | "pd"): Semantics {
  const signs = new Uint8Array(16);
  for (let at = shape === "ps" ? 3 : 7; at < 16; at += shape === "ps" ? 8 : 16) signs[at] = 0x80;
  return lanewise(shape, (b, lanes, x, y) =>
    arithmetic(lanes, "add", x, b.operation("v128", "v128.xor", [y, b.v128(signs)])),
  );
}

// ── conversions ─────────────────────────────────────────────────────────────────────────────────────────────

/** Between a general register of 32 or 64 bits and a scalar: the unit names them with the width. */
function fromGeneral(to: "ss" | "sd"): Semantics {
  return (b, operation) => {
    const { size } = operation.operands[1];
    const places = addresses(b, operation);
    const quick = convert.fromInteger(b, to, size, b.loadHost(places.from, size));
    quickly(b, `${operation.mnemonic}${size * 8}`, places, b.i32(0), quick, (value) =>
      new Lanes(b, to).store(places.to, value),
    );
  };
}

function toGeneral(from: "ss" | "sd", truncate: boolean): Semantics {
  return (b, operation) => {
    const { size } = operation.operands[0];
    const places = addresses(b, operation);
    const quick = convert.toInteger(b, from, size, truncate, new Lanes(b, from).load(places.from));
    quickly(b, `${operation.mnemonic}${size * 8}`, places, b.i32(0), quick, (value) =>
      b.store("i64.store", places.to, value),
    );
  };
}

/** Between XMM registers or from memory; `load` is the source's, `store` the destination's. */
function converting(
  load: string,
  store: string,
  build: (b: InstructionBuilder, source: Value) => Quick,
): Semantics {
  return (b, operation) => {
    const places = addresses(b, operation);
    const quick = build(b, b.load(load, places.from));
    quickly(b, operation.mnemonic, places, b.i32(0), quick, (value) => b.store(store, places.to, value));
  };
}

const LOW_HALF = "v128.load64_zero";
const WHOLE = "v128.load";
const STORE = "v128.store";

const CONVERSIONS: SemanticsTable = {
  cvtsi2ss: fromGeneral("ss"),
  cvtsi2sd: fromGeneral("sd"),
  cvtss2si: toGeneral("ss", false),
  cvtsd2si: toGeneral("sd", false),
  cvttss2si: toGeneral("ss", true),
  cvttsd2si: toGeneral("sd", true),
  cvtss2sd: converting("f32.load", "f64.store", convert.widenScalar),
  cvtsd2ss: converting("f64.load", "f32.store", convert.narrowScalar),
  cvtps2pd: converting(LOW_HALF, STORE, convert.widenPair),
  cvtpd2ps: converting(WHOLE, STORE, convert.narrowPair),
  cvtdq2pd: converting(LOW_HALF, STORE, convert.pairFromIntegers),
  cvtdq2ps: converting(WHOLE, STORE, convert.singlesFromIntegers),
  cvtps2dq: converting(WHOLE, STORE, (b, v) => convert.toIntegers(b, "ps", false, v)),
  cvttps2dq: converting(WHOLE, STORE, (b, v) => convert.toIntegers(b, "ps", true, v)),
  cvtpd2dq: converting(WHOLE, STORE, (b, v) => convert.toIntegers(b, "pd", false, v)),
  cvttpd2dq: converting(WHOLE, STORE, (b, v) => convert.toIntegers(b, "pd", true, v)),
};

const BY_SHAPE: SemanticsTable = Object.fromEntries(
  SHAPES.flatMap((shape): [string, Semantics][] => [
    ...(["add", "sub", "mul", "div"] as const).map((name): [string, Semantics] => [
      `${name}${shape}`,
      twoOperands(name, shape),
    ]),
    [`min${shape}`, lanewise(shape, (_, lanes, x, y) => extreme(lanes, "min", x, y))],
    [`max${shape}`, lanewise(shape, (_, lanes, x, y) => extreme(lanes, "max", x, y))],
    [`sqrt${shape}`, lanewise(shape, (_, lanes, _x, y) => squareRoot(lanes, y))],
    [`round${shape}`, lanewise(shape, (b, lanes, _, y, imm) => integral(b, lanes, y, imm))],
    [`cmp${shape}`, compareLanes(shape)],
  ]),
);

export const VECTOR_FLOAT: SemanticsTable = {
  ...Object.fromEntries(PLAIN.map((mnemonic): [string, Semantics] => [mnemonic, execute])),
  ...BY_SHAPE,
  ...CONVERSIONS,
  haddps: horizontal("ps", "add"),
  haddpd: horizontal("pd", "add"),
  hsubps: horizontal("ps", "sub"),
  hsubpd: horizontal("pd", "sub"),
  addsubps: addSubtract("ps"),
  addsubpd: addSubtract("pd"),
  ucomiss: flagsFrom("ss"),
  ucomisd: flagsFrom("sd"),
  comiss: flagsFrom("ss"),
  comisd: flagsFrom("sd"),
};
