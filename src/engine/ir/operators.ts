/**
 * Operators of WebAssembly that exist for several types, and what they give for constants. Knows no function that is
 * being built.
 */
import { integer, type Type, type Value } from "./ir.js";

/** The names of one operator by type. */
export interface Operator extends Readonly<Record<Type, string>> {
  /** The right operand that changes nothing. */
  readonly neutral: number | undefined;
  readonly fold: Fold | undefined;
}

/** Shifts take their count modulo the width; right shifts look at the value as unsigned or signed. */
type Fold = (left: bigint, right: bigint, bits: number) => bigint;

function operator(name: string, neutral?: number, compute?: Fold): Operator {
  return {
    i32: `i32.${name}`,
    i64: `i64.${name}`,
    f32: `f32.${name}`,
    f64: `f64.${name}`,
    v128: `v128.${name}`,
    neutral,
    fold: compute,
  };
}

const count = (right: bigint, bits: number): bigint => right & BigInt(bits - 1);

export const ADD = operator("add", 0, (a, b) => a + b);
export const SUB = operator("sub", 0, (a, b) => a - b);
export const MUL = operator("mul", 1, (a, b) => a * b);
export const AND = operator("and", -1, (a, b) => a & b);
export const OR = operator("or", 0, (a, b) => a | b);
export const XOR = operator("xor", 0, (a, b) => a ^ b);
export const SHL = operator("shl", 0, (a, b, bits) => a << count(b, bits));
export const SHR_U = operator("shr_u", 0, (a, b, bits) => BigInt.asUintN(bits, a) >> count(b, bits));
export const SHR_S = operator("shr_s", 0, (a, b, bits) => a >> count(b, bits));
export const ROTL = operator("rotl");
export const ROTR = operator("rotr");
export const DIV_U = operator("div_u");
export const DIV_S = operator("div_s");
export const REM_U = operator("rem_u");
export const REM_S = operator("rem_s");
export const EQ = operator("eq");
export const NE = operator("ne");
export const LT_U = operator("lt_u");
export const LT_S = operator("lt_s");
export const GT_U = operator("gt_u");
export const GT_S = operator("gt_s");
export const LE_U = operator("le_u");
export const LE_S = operator("le_s");
export const GE_U = operator("ge_u");
export const GE_S = operator("ge_s");
export const CLZ = operator("clz");
export const CTZ = operator("ctz");
export const POPCNT = operator("popcnt");

const SIGN_EXTENSIONS: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  i32: { 1: "i32.extend8_s", 2: "i32.extend16_s" },
  i64: { 1: "i64.extend8_s", 2: "i64.extend16_s", 4: "i64.extend32_s" },
};

/** Sign extension of the low `bytes` bytes within a type. */
export function signExtension(type: Type, bytes: number): string {
  return SIGN_EXTENSIONS[type][bytes];
}

function isInteger(value: Value): boolean {
  return value.type === "i32" || value.type === "i64";
}

function integerOf(value: Value): number | bigint {
  return value.immediate as number | bigint;
}

/** The low 32 bits of an integer constant, signed. */
export function lowWord(value: Value): number {
  const whole = integerOf(value);
  return typeof whole === "number" ? whole | 0 : Number(BigInt.asIntN(32, whole));
}

/**
 * What an operation with a constant to its right gives without computing: its left operand, its right operand (AND
 * with zero), or a constant; undefined where it must be computed.
 */
export function fold(
  { neutral, fold: compute }: Operator,
  a: Value,
  b: Value,
): Value | number | bigint | undefined {
  if (!isInteger(a)) return undefined;
  const right = integerOf(b);
  if (neutral !== undefined && right === neutral) return a;
  if (compute === AND.fold && right === 0) return b;
  if (a.op !== "const" || compute === undefined) return undefined;
  const left = integerOf(a);
  if (left === 0 && neutral === 0 && (compute === SHL.fold || compute === SHR_U.fold)) return a;
  if (compute === ADD.fold && typeof left === "number" && typeof right === "number") {
    const sum = left + right;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return integer(compute(BigInt(left), BigInt(right), a.type === "i64" ? 64 : 32));
}

/** Whether two constants are equal or not; other comparisons of constants do not occur. */
export function foldComparison(operator: Operator, a: Value, b: Value): boolean | undefined {
  if (!isInteger(a)) return undefined;
  if (operator === EQ) return a.immediate === b.immediate;
  return operator === NE ? a.immediate !== b.immediate : undefined;
}
