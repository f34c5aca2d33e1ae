/**
 * A quick path for scalar SSE arithmetic: WebAssembly's own operation, where the exact unit would do the same and
 * report nothing new. That is so when rounding is to nearest, nothing is flushed to zero, all exceptions are masked,
 * PE is already sticky, and operands and result are zero or normal: then only inexactness can occur. Everything else
 * goes to the exact unit. SDM vol. 1 §11.5.
 */
import type { Value } from "../../ir/ir.js";
import * as layout from "../layout.js";
import type { InstructionBuilder } from "./instruction-builder.js";

/** PE, DAZ, all masks, rounding control, FTZ. */
const MXCSR_DECISIVE = 0xffe0;
/** PE set, all exceptions masked, to nearest, no DAZ, no FTZ. */
const MXCSR_QUICK = 0x1fa0;

interface Format {
  float: "f32" | "f64";
  integer: "i32" | "i64";
  /** The exponent's lowest bit after the sign has been shifted out. */
  exponentBit: bigint;
  /** Exponents of normal numbers, as a span above the lowest one. */
  normalSpan: bigint;
}

const FORMATS: Record<"ss" | "sd", Format> = {
  ss: { float: "f32", integer: "i32", exponentBit: 1n << 24n, normalSpan: 0xfen << 24n },
  sd: { float: "f64", integer: "i64", exponentBit: 1n << 53n, normalSpan: 0x7fen << 53n },
};

/** Bits of a value without its sign, shifted to the top. */
function magnitude(b: InstructionBuilder, format: Format, value: Value): Value {
  const bits = b.operation(format.integer, `${format.integer}.reinterpret_${format.float}`, [value]);
  return b.shl(bits, b.constant(format.integer, 1));
}

function isZero(b: InstructionBuilder, format: Format, value: Value): Value {
  return b.eqz(magnitude(b, format, value));
}

function isNormal(b: InstructionBuilder, format: Format, value: Value): Value {
  const above = b.sub(magnitude(b, format, value), b.constant(format.integer, format.exponentBit));
  return b.ltU(above, b.constant(format.integer, format.normalSpan));
}

function isOrdinary(b: InstructionBuilder, format: Format, value: Value): Value {
  return b.or(isNormal(b, format, value), isZero(b, format, value));
}

function onlyInexact(b: InstructionBuilder): Value {
  const decisive = b.and(b.state("i32.load", layout.MXCSR), b.i32(MXCSR_DECISIVE));
  return b.eq(decisive, b.i32(MXCSR_QUICK));
}

type Operation = "add" | "sub" | "mul" | "div";

/** Whether a result of zero is exact: always for sums, for products and quotients when the left or a factor is zero. */
function zeroIsExact(b: InstructionBuilder, format: Format, operation: Operation, x: Value, y: Value): Value {
  if (operation === "add" || operation === "sub") return b.i32(1);
  if (operation === "div") return isZero(b, format, x);
  return b.or(isZero(b, format, x), isZero(b, format, y));
}

/**
 * destination := destination `operation` source for scalars at two host addresses; `exact` emits the call of the
 * exact unit.
 */
export function quickScalar(
  b: InstructionBuilder,
  operation: Operation,
  kind: "ss" | "sd",
  destination: Value,
  source: Value,
  exact: () => void,
): void {
  const format = FORMATS[kind];
  const x = b.load(`${format.float}.load`, destination);
  const y = b.load(`${format.float}.load`, source);
  const result = b.operation(format.float, `${format.float}.${operation}`, [x, y]);
  const divisor = operation === "div" ? isNormal(b, format, y) : isOrdinary(b, format, y);
  const operands = b.and(isOrdinary(b, format, x), divisor);
  const zero = b.and(isZero(b, format, result), zeroIsExact(b, format, operation, x, y));
  const fine = b.and(operands, b.or(isNormal(b, format, result), zero));
  b.if(b.and(onlyInexact(b), fine), () => b.store(`${format.float}.store`, destination, result), exact);
}

/** COMIS and UCOMIS of zero or normal operands: EFLAGS by two comparisons, no exception possible. */
export function quickCompare(
  b: InstructionBuilder,
  kind: "ss" | "sd",
  destination: Value,
  source: Value,
  exact: () => void,
): void {
  const format = FORMATS[kind];
  const x = b.load(`${format.float}.load`, destination);
  const y = b.load(`${format.float}.load`, source);
  const less = b.operation("i32", `${format.float}.lt`, [x, y]);
  const equal = b.operation("i32", `${format.float}.eq`, [x, y]);
  b.if(
    b.and(isOrdinary(b, format, x), isOrdinary(b, format, y)),
    () => b.setStatusFlags(b.or(less, b.shl(equal, b.i32(6)))),
    exact,
  );
}

/** CVTSI2SD of 32 bits is always exact. */
export function exactIntegerToDouble(b: InstructionBuilder, destination: Value, source: Value): void {
  const value = b.operation("f64", "f64.convert_i32_s", [b.load("i32.load", source)]);
  b.store("f64.store", destination, value);
}

/** CVTTSS2SI and CVTTSD2SI of values that fit: truncation can only be inexact. Writes all 8 bytes of the register. */
export function quickTruncate(
  b: InstructionBuilder,
  kind: "ss" | "sd",
  bytes: number,
  destination: Value,
  source: Value,
  exact: () => void,
): void {
  const format = FORMATS[kind];
  const x = b.load(`${format.float}.load`, source);
  const size = b.operation(format.float, `${format.float}.abs`, [x]);
  const limit = bytes === 8 ? 2 ** 63 : 2 ** 31;
  const fits = b.operation("i32", `${format.float}.lt`, [
    size,
    format.float === "f32" ? b.f32(limit) : b.f64(limit),
  ]);
  b.if(
    b.and(b.and(onlyInexact(b), fits), isOrdinary(b, format, x)),
    () => {
      const type = bytes === 8 ? "i64" : "i32";
      const integer = b.operation(type, `${type}.trunc_sat_${format.float}_s`, [x]);
      b.store("i64.store", destination, b.extendU(integer));
    },
    exact,
  );
}
