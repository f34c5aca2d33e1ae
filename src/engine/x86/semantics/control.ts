/** Near control flow: jumps, calls, returns, loops. SDM vol. 2. */
import type { Value } from "../../ir/ir.js";
import {
  CONDITIONS,
  type Condition,
  type InstructionBuilder,
  type Semantics,
  type SemanticsTable,
} from "./instruction-builder.js";

const CONDITIONAL: SemanticsTable = Object.fromEntries(
  CONDITIONS.map((condition): [string, Semantics] => [
    `j${condition}`,
    (b, { size }) => b.if(b.condition(condition), () => b.jumpRelative(size)),
  ]),
);

/** The address of the next instruction as a value of the operand size. */
function returnAddress(b: InstructionBuilder, size: number): Value {
  const rip = b.nextRip();
  return size === 8 ? rip : b.wrap(rip);
}

/** ECX, RCX or CX by address size less `by`, i64, zero-extended. */
function counter(b: InstructionBuilder, by: number): Value {
  const size = b.addressSize();
  const narrow = b.select(b.eq(size, b.i32(4)), b.i64(0xffffffffn), b.i64(0xffffn));
  const mask = b.select(b.eq(size, b.i32(8)), b.i64(-1), narrow);
  return b.and(b.sub(b.gpr(1, 8), b.i64(by)), mask);
}

function setCounter(b: InstructionBuilder, value: Value): void {
  const kept = b.and(b.gpr(1, 8), b.i64(~0xffffn));
  b.setGpr(1, 8, b.or(b.select(b.eq(b.addressSize(), b.i32(2)), kept, b.i64(0)), value));
}

function loop(condition?: Condition): Semantics {
  return (b, { size }) => {
    const value = b.variable(counter(b, 1));
    const left = b.ne(b.get(value), b.i64(0));
    const taken = condition ? b.and(left, b.condition(condition)) : left;
    b.if(taken, () => {
      b.requireRelativeTarget(size);
      setCounter(b, b.get(value));
      b.jumpRelative(size);
    });
    setCounter(b, b.get(value));
  };
}

export const CONTROL: SemanticsTable = {
  ...CONDITIONAL,
  jmp: (b, { size }) => b.jumpRelative(size),
  jmp_near: (b, { size, operands: [operand] }) => {
    const target = b.read(operand);
    b.requireTarget(target, size);
    b.jump(target, size);
  },
  call: (b, { size }) => {
    b.requireRelativeTarget(size);
    b.push(returnAddress(b, size), size);
    b.jumpRelative(size);
  },
  call_near: (b, { size, operands: [operand] }) => {
    const target = b.read(operand);
    // As on Intel's CPUs, the return address is in memory already when the target raises #GP.
    const pointer = b.storeBelowStack(returnAddress(b, size), size);
    b.requireTarget(target, size);
    b.setStackPointer(pointer);
    b.jump(target, size);
  },
  ret: (b, { size, operands: [extra] }) => {
    const target = b.peek(size);
    b.requireTarget(target, size);
    const bytes = extra ? b.add(b.extendU(b.read(extra)), b.i64(size)) : b.i64(size);
    b.adjustStack(bytes);
    b.jump(target, size);
  },
  loop: loop(),
  loope: loop("e"),
  loopne: loop("ne"),
  jrcxz: (b, { size }) => b.if(b.eqz(counter(b, 0)), () => b.jumpRelative(size)),
};
