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

/** A value of the operand size pushed as return address. */
function pushReturnAddress(b: InstructionBuilder, size: number): void {
  const rip = b.nextRip();
  b.push(size === 8 ? rip : b.wrap(rip), size);
}

/** ECX, RCX or CX by address size, decremented if asked; returns it as i64, zero-extended. */
function counter(b: InstructionBuilder, decrement: boolean): Value {
  const size = b.addressSize();
  const full = b.gpr(1, 8);
  const narrow = b.select(b.eq(size, b.i32(4)), b.i64(0xffffffffn), b.i64(0xffffn));
  const mask = b.select(b.eq(size, b.i32(8)), b.i64(-1), narrow);
  const value = b.and(decrement ? b.sub(full, b.i64(1)) : full, mask);
  if (decrement) {
    const kept = b.select(b.eq(size, b.i32(2)), b.and(full, b.i64(~0xffffn)), b.i64(0));
    b.setGpr(1, 8, b.or(kept, value));
  }
  return value;
}

function loop(condition?: Condition): Semantics {
  return (b, { size }) => {
    const left = b.ne(counter(b, true), b.i64(0));
    const taken = condition ? b.and(left, b.condition(condition)) : left;
    b.if(taken, () => b.jumpRelative(size));
  };
}

export const CONTROL: SemanticsTable = {
  ...CONDITIONAL,
  jmp: (b, { size }) => b.jumpRelative(size),
  jmp_near: (b, { size, operands: [operand] }) => {
    const target = b.read(operand);
    b.requireCanonical(target, size);
    b.jump(target, size);
  },
  call: (b, { size }) => {
    pushReturnAddress(b, size);
    b.jumpRelative(size);
  },
  call_near: (b, { size, operands: [operand] }) => {
    const target = b.read(operand);
    b.requireCanonical(target, size);
    pushReturnAddress(b, size);
    b.jump(target, size);
  },
  ret: (b, { size, operands: [extra] }) => {
    const target = b.peek(size);
    b.requireCanonical(target, size);
    const bytes = extra ? b.add(b.extendU(b.read(extra)), b.i64(size)) : b.i64(size);
    b.adjustStack(bytes);
    b.jump(target, size);
  },
  loop: loop(),
  loope: loop("e"),
  loopne: loop("ne"),
  jrcxz: (b, { size }) => b.if(b.eqz(counter(b, false)), () => b.jumpRelative(size)),
};
