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

/** CF and OF, i32 0 or 1. */
export interface CarryOverflow {
  carry: Value;
  overflow: Value;
}

function bit(b: FunctionBuilder, value: Value, position: Value): Value {
  return b.and(b.wrap(b.shrU(value, position)), b.i32(1));
}

function bitAt(b: FunctionBuilder, value: Value, position: number): Value {
  return bit(b, value, b.constant(value.type, position));
}

export type ShiftName = "shl" | "shr" | "sar";

/** What SHL, SHR or SAR of `value` (zero-extended) by a `count` that is not zero leaves in CF and OF. */
export function shiftedOut(
  b: FunctionBuilder,
  name: ShiftName,
  size: number,
  { value, count, result }: { value: Value; count: Value; result: Value },
): CarryOverflow {
  const top = (): Value => bitAt(b, result, size * 8 - 1);
  const before = (): Value => b.sub(count, b.constant(count.type, 1));
  switch (name) {
    case "shl": {
      const carry =
        size === 8
          ? bit(b, value, b.sub(b.i64(64), count))
          : bitAt(b, b.shl(b.extendU(value), b.extendU(count)), size * 8);
      return { carry, overflow: b.xor(top(), carry) };
    }
    case "shr":
      return { carry: bit(b, value, before()), overflow: b.xor(top(), bitAt(b, result, size * 8 - 2)) };
    case "sar": {
      const signed = b.signExtend(value, size);
      return { carry: b.and(b.wrap(b.shrS(signed, before())), b.i32(1)), overflow: b.i32(0) };
    }
  }
}

/** What a rotation whose count is not zero leaves in CF and OF: its result says it. */
export function rotatedOut(b: FunctionBuilder, toLeft: boolean, size: number, result: Value): CarryOverflow {
  const top = bitAt(b, result, size * 8 - 1);
  const carry = toLeft ? b.and(b.wrap(result), b.i32(1)) : top;
  return { carry, overflow: b.xor(top, toLeft ? carry : bitAt(b, result, size * 8 - 2)) };
}
