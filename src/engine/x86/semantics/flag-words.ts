/**
 * The two words that the lazy status flags are kept in, computed from operands and results; their layout is drawn in
 * x86/flags.ts. What every builder of instructions shares. Knows no instruction.
 */
import type { FunctionBuilder } from "../../ir/function-builder.js";
import type { Value } from "../../ir/ir.js";

/** Bits of FLAG_CARRY that mean something for every operation: CF, carry into the top bit, AF. */
const CARRY_BITS = -0x4000000000000000n + 8n; // 0xc000000000000008

/** FLAG_RESULT of a result of `size` bytes; bits above do not matter. */
export function resultWord(b: FunctionBuilder, result: Value, size: number): Value {
  return b.extendS(b.signExtend(result, size));
}

/** FLAG_CARRY: a vector of carries out of each bit, moved to its place. */
export function carryWord(b: FunctionBuilder, vector: Value, size: number): Value {
  if (size === 8) return b.and(vector, b.i64(CARRY_BITS));
  const top = b.and(b.shl(vector, b.i32(32 - size * 8)), b.i32(0xc0000000));
  const carries = b.shl(b.extendU(top), b.i64(32n));
  return b.or(carries, b.extendU(b.and(vector, b.i32(8))));
}

/** Carries out of each bit of `result = x + y (+ CF)`. */
export function addCarries(b: FunctionBuilder, x: Value, y: Value, result: Value): Value {
  return b.or(b.and(x, y), b.and(b.or(x, y), b.not(result)));
}

/** Borrows of each bit of `result = x - y (- CF)`. */
export function subBorrows(b: FunctionBuilder, x: Value, y: Value, result: Value): Value {
  const notX = b.not(x);
  return b.or(b.and(notX, y), b.and(b.or(notX, y), result));
}

/** FLAG_CARRY of CF and OF given as i32 0 or 1; AF clear. */
export function carryAndOverflow(b: FunctionBuilder, carry: Value, overflow: Value): Value {
  const c = b.extendU(carry);
  const into = b.extendU(b.xor(carry, overflow));
  return b.or(b.shl(c, b.i64(63)), b.shl(into, b.i64(62)));
}
