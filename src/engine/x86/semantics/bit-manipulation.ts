/** BMI1 and BMI2: bit fields, lowest bits, deposits, and arithmetic without flags. SDM vol. 2. */
import { RDX } from "../../../spec/x86-encoding.js";
import type { Value } from "../../ir/ir.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";
import { multiplyHighUnsigned } from "./products.js";

const constant = (b: InstructionBuilder, like: Value, value: number): Value => b.constant(like.type, value);
const lowByte = (b: InstructionBuilder, value: Value): Value => b.and(value, constant(b, value, 0xff));

/** The low `count` bits of a value of `size` bytes; all of them when there are no more. */
function lowBits(b: InstructionBuilder, value: Value, count: Value, size: number): Value {
  const one = constant(b, value, 1);
  const mask = b.sub(b.shl(one, count), one);
  return b.select(b.gtU(count, constant(b, count, size * 8 - 1)), value, b.and(value, mask));
}

const andNot: Semantics = (b, { operands: [destination, inverted, source] }) => {
  const right = b.read(source);
  const result = b.and(b.not(b.read(inverted)), right);
  b.write(destination, result);
  b.flagsLogic(destination.size, result);
};

/** BEXTR: the control's low byte is the first bit, the next one the length. */
const extractField: Semantics = (b, { operands: [destination, source, control] }) => {
  const value = b.read(source);
  const how = b.read(control);
  const start = lowByte(b, how);
  const length = lowByte(b, b.shrU(how, constant(b, how, 8)));
  const beyond = b.gtU(start, constant(b, start, source.size * 8 - 1));
  const shifted = b.select(beyond, constant(b, value, 0), b.shrU(value, start));
  const result = lowBits(b, shifted, length, source.size);
  b.write(destination, result);
  b.flagsLogic(destination.size, result);
};

/** BZHI: CF says that no bit is cleared because the index lies beyond the operand. */
const zeroHighBits: Semantics = (b, { operands: [destination, source, index] }) => {
  const value = b.read(source);
  const from = lowByte(b, b.read(index));
  const result = lowBits(b, value, from, source.size);
  const carry = b.gtU(from, constant(b, from, source.size * 8 - 1));
  b.write(destination, result);
  b.flagsResult(destination.size, result, carry, b.i32(0));
};

/** BLSI, BLSMSK and BLSR: the lowest set bit alone, up to it, without it. CF by the source being zero or not. */
function lowestBit(
  compute: (b: InstructionBuilder, value: Value) => Value,
  carryWhenZero: boolean,
): Semantics {
  return (b, { operands: [destination, source] }) => {
    const value = b.read(source);
    const result = compute(b, value);
    const carry = carryWhenZero ? b.eqz(value) : b.ne(value, constant(b, value, 0));
    b.write(destination, result);
    b.flagsResult(destination.size, result, carry, b.i32(0));
  };
}

const lessOne = (b: InstructionBuilder, value: Value): Value => b.sub(value, constant(b, value, 1));
const isolate = (b: InstructionBuilder, value: Value): Value =>
  b.and(value, b.sub(constant(b, value, 0), value));

/** MULX: the high half is written last, so it wins when both go to one register. */
const multiplyWithoutFlags: Semantics = (b, { operands: [high, low, source] }) => {
  const factor = b.read(source);
  const other = b.gpr(RDX, source.size);
  if (source.size === 8) {
    const upper = multiplyHighUnsigned(b, factor, other);
    b.write(low, b.mul(factor, other));
    return b.write(high, upper);
  }
  const product = b.mul(b.extendU(factor), b.extendU(other));
  b.write(low, b.wrap(product));
  b.write(high, b.wrap(b.shrU(product, b.i64(32))));
};

/** PDEP and PEXT: the set bits of the mask, from the lowest, pair with the contiguous low bits of the other side. */
function moveBits(deposit: boolean): Semantics {
  return (b, { operands: [destination, source, selector] }) => {
    const chosen = b.read(selector);
    const value = b.read(source);
    const zero = (): Value => constant(b, value, 0);
    const mask = b.variable(chosen);
    const place = b.variable(constant(b, value, 1));
    const result = b.variable(zero());
    b.block((out) =>
      b.loop((again) => {
        b.branchIf(b.eqz(b.get(mask)), out);
        const lowest = isolate(b, b.get(mask));
        const [from, to] = deposit ? [b.get(place), lowest] : [lowest, b.get(place)];
        const isSet = b.ne(b.and(value, from), zero());
        b.set(result, b.or(b.get(result), b.select(isSet, to, zero())));
        b.set(mask, b.xor(b.get(mask), lowest));
        b.set(place, b.shl(b.get(place), constant(b, value, 1)));
        b.branch(again);
      }),
    );
    b.write(destination, b.get(result));
  };
}

type Shift = (b: InstructionBuilder, value: Value, count: Value) => Value;

/** Shifts and a rotate that leave the flags alone; WebAssembly masks the count as the CPU does. */
function shiftWithoutFlags(shift: Shift): Semantics {
  return (b, { operands: [destination, source, count] }) => {
    const value = b.read(source);
    b.write(destination, shift(b, value, b.read(count)));
  };
}

export const BIT_MANIPULATION: SemanticsTable = {
  andn: andNot,
  bextr: extractField,
  bzhi: zeroHighBits,
  blsi: lowestBit(isolate, false),
  blsmsk: lowestBit((b, value) => b.xor(value, lessOne(b, value)), true),
  blsr: lowestBit((b, value) => b.and(value, lessOne(b, value)), true),
  mulx: multiplyWithoutFlags,
  pdep: moveBits(true),
  pext: moveBits(false),
  rorx: shiftWithoutFlags((b, value, count) => b.rotr(value, count)),
  sarx: shiftWithoutFlags((b, value, count) => b.shrS(value, count)),
  shlx: shiftWithoutFlags((b, value, count) => b.shl(value, count)),
  shrx: shiftWithoutFlags((b, value, count) => b.shrU(value, count)),
};
