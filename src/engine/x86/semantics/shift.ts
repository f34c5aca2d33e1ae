/** Shifts and rotates. SDM vol. 2; where a flag is undefined the result follows the hardware's usual behaviour. */
import type { Value } from "../../ir/ir.js";
import type { ShiftName } from "./flag-words.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";

type Shift = (
  b: InstructionBuilder,
  size: number,
  value: Value,
  count: Value,
) => { result: Value; flags: () => void };

/** The count, masked to 5 or 6 bits, in the type of the operand. */
function maskedCount(b: InstructionBuilder, size: number, raw: Value): Value {
  const count = b.and(b.wrap(raw), b.i32(size === 8 ? 63 : 31));
  return size === 8 ? b.extendU(count) : count;
}

function bit(b: InstructionBuilder, value: Value, position: Value): Value {
  return b.and(b.wrap(b.shrU(value, position)), b.i32(1));
}

function bitAt(b: InstructionBuilder, value: Value, position: number): Value {
  return bit(b, value, b.constant(value.type, position));
}

/** Flags change only when the masked count is not zero. */
function shift(compute: Shift): Semantics {
  return (b, { operands: [destination, source] }) => {
    const size = destination.size;
    const count = maskedCount(b, size, b.read(source));
    b.modify(destination, (value) => {
      const { result, flags } = compute(b, size, value, count);
      b.if(b.ne(count, b.constant(count.type, 0)), flags);
      return b.truncate(result, size);
    });
  };
}

function shifted(
  name: ShiftName,
  compute: (b: InstructionBuilder, value: Value, count: Value) => Value,
): Shift {
  return (b, size, value, count) => {
    const result = compute(b, name === "sar" ? b.signExtend(value, size) : value, count);
    return { result, flags: () => b.flagsShift(name, size, value, count, result) };
  };
}

const left = shifted("shl", (b, value, count) => b.shl(value, count));
const rightLogical = shifted("shr", (b, value, count) => b.shrU(value, count));
const rightArithmetic = shifted("sar", (b, value, count) => b.shrS(value, count));

function rotate(toLeft: boolean): Shift {
  return (b, size, value, count) => {
    const bits = size * 8;
    let result: Value;
    if (size >= 4) result = toLeft ? b.rotl(value, count) : b.rotr(value, count);
    else {
      const by = b.and(count, b.i32(bits - 1));
      const rest = b.sub(b.i32(bits), by);
      const rotated = toLeft
        ? b.or(b.shl(value, by), b.shrU(value, rest))
        : b.or(b.shrU(value, by), b.shl(value, rest));
      result = b.truncate(rotated, size);
    }
    return { result, flags: () => b.flagsRotate(toLeft, size, result) };
  };
}

/** RCL and RCR of 8, 16 and 32 bits: a rotate of size + 1 bits inside an i64. */
function rotateThroughCarryNarrow(
  b: InstructionBuilder,
  size: number,
  value: Value,
  count: Value,
  toLeft: boolean,
): ReturnType<Shift> {
  const bits = size * 8;
  const by = b.extendU(size === 4 ? count : b.remU(count, b.i32(bits + 1)));
  const combined = b.or(b.extendU(value), b.shl(b.extendU(b.condition("b")), b.i64(bits)));
  const rest = b.sub(b.i64(bits + 1), by);
  const turned = toLeft
    ? b.or(b.shl(combined, by), b.shrU(combined, rest))
    : b.or(b.shrU(combined, by), b.shl(combined, rest));
  const result = b.wrap(turned);
  const flags = (): void => {
    const carry = bitAt(b, turned, bits);
    const top = bitAt(b, turned, bits - 1);
    b.setCarryOverflow(carry, b.xor(top, toLeft ? carry : bitAt(b, turned, bits - 2)));
  };
  return { result, flags };
}

/** RCL and RCR of 64 bits; shifts by 65 - count are split so that none exceeds 63. */
function rotateThroughCarryWide(
  b: InstructionBuilder,
  value: Value,
  count: Value,
  toLeft: boolean,
): ReturnType<Shift> {
  const carryIn = b.extendU(b.condition("b"));
  const rest = b.sub(b.i64(64), count);
  const last = b.sub(count, b.i64(1));
  const turned = toLeft
    ? b.or(b.or(b.shl(value, count), b.shl(carryIn, last)), b.shrU(b.shrU(value, b.i64(1)), rest))
    : b.or(b.or(b.shrU(value, count), b.shl(carryIn, rest)), b.shl(b.shl(value, b.i64(1)), rest));
  const result = b.select(b.eqz(count), value, turned);
  const flags = (): void => {
    const carry = bit(b, value, toLeft ? rest : last);
    const top = bitAt(b, result, 63);
    b.setCarryOverflow(carry, b.xor(top, toLeft ? carry : bitAt(b, result, 62)));
  };
  return { result, flags };
}

function rotateThroughCarry(toLeft: boolean): Shift {
  return (b, size, value, count) =>
    size === 8
      ? rotateThroughCarryWide(b, value, count, toLeft)
      : rotateThroughCarryNarrow(b, size, value, count, toLeft);
}

/** SHLD and SHRD: the count comes from an immediate or CL, the bits from the second operand. */
function doubleShift(toLeft: boolean): Semantics {
  return (b, { operands: [destination, source, amount] }) => {
    const size = destination.size;
    const count = maskedCount(b, size, b.read(amount));
    const filler = b.read(source);
    b.modify(destination, (value) => {
      const { result, carry } =
        size === 8 ? wide(b, value, filler, count, toLeft) : narrow(b, size, value, filler, count, toLeft);
      b.if(b.ne(count, b.constant(count.type, 0)), () => {
        const overflow = b.xor(bitAt(b, result, size * 8 - 1), bitAt(b, value, size * 8 - 1));
        b.flagsResult(size, result, carry(), overflow);
      });
      return b.truncate(result, size);
    });
  };
}

interface DoubleShift {
  result: Value;
  carry: () => Value;
}

function wide(
  b: InstructionBuilder,
  value: Value,
  filler: Value,
  count: Value,
  toLeft: boolean,
): DoubleShift {
  const rest = b.sub(b.i64(64), count);
  const shifted = toLeft
    ? b.or(b.shl(value, count), b.shrU(filler, rest))
    : b.or(b.shrU(value, count), b.shl(filler, rest));
  const result = b.select(b.eqz(count), value, shifted);
  return { result, carry: () => bit(b, value, toLeft ? rest : b.sub(count, b.i64(1))) };
}

/** 16 and 32 bits: the operands side by side in an i64; for 16 bits the destination follows once more. */
function narrow(
  b: InstructionBuilder,
  size: number,
  value: Value,
  filler: Value,
  count: Value,
  toLeft: boolean,
): DoubleShift {
  const v = b.extendU(value);
  const f = b.extendU(filler);
  const by = b.extendU(count);
  const bits = b.i64(size * 8);
  const doubled = (high: Value, low: Value): Value => b.or(b.shl(high, bits), low);
  if (!toLeft) {
    const line = size === 2 ? doubled(doubled(v, f), v) : doubled(f, v);
    return { result: b.wrap(b.shrU(line, by)), carry: () => bit(b, line, b.sub(by, b.i64(1))) };
  }
  const line = size === 2 ? doubled(doubled(v, f), v) : doubled(v, f);
  const length = size === 2 ? 48 : 64;
  return {
    result: b.wrap(b.shrU(b.shl(line, by), b.i64(32))),
    carry: () => bit(b, line, b.sub(b.i64(length), by)),
  };
}

export const SHIFT: SemanticsTable = {
  shl: shift(left),
  shr: shift(rightLogical),
  sar: shift(rightArithmetic),
  rol: shift(rotate(true)),
  ror: shift(rotate(false)),
  rcl: shift(rotateThroughCarry(true)),
  rcr: shift(rotateThroughCarry(false)),
  shld: doubleShift(true),
  shrd: doubleShift(false),
};
