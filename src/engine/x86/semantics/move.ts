/** Moves, stack, conversions, flag bits. SDM vol. 2. */
import {
  VECTOR_GP,
  FLAG_IF,
  FLAG_DF,
  FLAG_IOPL_SHIFT,
  FLAG_RF,
  FLAG_VM,
} from "../../../spec/x86-privileged.js";
import type { Value } from "../../ir/ir.js";
import * as layout from "../layout.js";
import type { InstructionBuilder, Semantics, SemanticsTable } from "./instruction-builder.js";

/** SF ZF AF PF CF. */
const AH_FLAGS = 0xd5;

const move: Semantics = (b, { operands: [destination, source] }) => b.write(destination, b.read(source));

function extend(signed: boolean): Semantics {
  return (b, { operands: [destination, source] }) => {
    let value = b.read(source);
    if (signed) value = b.signExtend(value, source.size);
    if (destination.size === 8) value = signed ? b.extendS(value) : b.extendU(value);
    b.write(destination, value);
  };
}

/** CBW, CWDE, CDQE: the accumulator's lower half sign-extended. */
const convert: Semantics = (b, { size }) => {
  const half = size / 2;
  const value = b.signExtend(b.gpr(0, half), half);
  b.setGpr(0, size, size === 8 ? b.extendS(value) : value);
};

/** CWD, CDQ, CQO: the accumulator's sign in DX. */
const convertToPair: Semantics = (b, { size }) => {
  const value = b.signExtend(b.gpr(0, size), size);
  b.setGpr(2, size, b.shrS(value, b.constant(value.type, size === 8 ? 63 : 31)));
};

const leave: Semantics = (b, { size }) => {
  const frame = b.gpr(5, 8);
  const value = b.loadStack(frame, size);
  b.setStackPointer(b.add(frame, b.i64(size)));
  b.setGpr(5, size, value);
};

function setSystemFlag(b: InstructionBuilder, flag: number, on: boolean): void {
  const flags = b.state("i32.load", layout.FLAG_SYSTEM);
  const value: Value = on ? b.or(flags, b.i32(flag)) : b.and(flags, b.i32(~flag));
  b.setState("i32.store", layout.FLAG_SYSTEM, value);
}

/** CLI and STI need CPL ≤ IOPL. */
function requireIoPrivilege(b: InstructionBuilder): void {
  const iopl = b.and(b.shrU(b.state("i32.load", layout.FLAG_SYSTEM), b.i32(FLAG_IOPL_SHIFT)), b.i32(3));
  b.if(b.gtU(b.state("i32.load", layout.CPL), iopl), () => b.raise(VECTOR_GP, 0));
}

const setInterrupts: Semantics = (b) => {
  requireIoPrivilege(b);
  const wasOff = b.eqz(b.and(b.state("i32.load", layout.FLAG_SYSTEM), b.i32(FLAG_IF)));
  const shadow = b.add(b.remaining(), b.i32(1));
  b.if(wasOff, () => b.interruptWindow());
  setSystemFlag(b, FLAG_IF, true);
  b.if(wasOff, () => b.setState("i32.store", layout.INTERRUPT_SHADOW, shadow));
};

/** RFLAGS with RF and VM clear; virtual-8086 mode looks at IOPL first. */
const pushFlags: Semantics = (b, { size }) => {
  const system = b.state("i32.load", layout.FLAG_SYSTEM);
  b.if(b.and(system, b.i32(FLAG_VM)), () => b.helper("pushf"));
  const flags = b.or(b.statusFlags(), b.and(system, b.i32(~(FLAG_RF | FLAG_VM))));
  b.push(size === 8 ? b.extendU(flags) : flags, size);
};

/** PAUSE is counted; where the last one that is allowed ends the run, the helper does it. */
function pause(b: InstructionBuilder): void {
  const left = b.state("i32.load", layout.PAUSES_LEFT);
  b.if(b.eq(left, b.i32(1)), () => b.helper("pause"));
  b.setState("i32.store", layout.PAUSES_LEFT, b.sub(left, b.i32(1)));
}

export const MOVE: SemanticsTable = {
  mov: move,
  movnti: move,
  movzx: extend(false),
  movsx: extend(true),
  movsxd: extend(true),
  lea: (b, { operands: [destination] }) => {
    const offset = b.effectiveOffset();
    b.write(destination, destination.size === 8 ? offset : b.wrap(offset));
  },
  cbw: convert,
  cwd: convertToPair,
  push: (b, { operands: [source] }) => b.push(b.read(source), source.size),
  pushf: pushFlags,
  pop: (b, { operands: [destination] }) => {
    // A memory destination addressed by RSP uses the RSP after the pop: the decoder has added it to the displacement.
    const value = b.peek(destination.size);
    if (destination.kind === "memory") {
      b.write(destination, value);
      b.adjustStack(b.i64(destination.size));
    } else {
      b.adjustStack(b.i64(destination.size));
      b.write(destination, value);
    }
  },
  leave,
  sahf: (b) => {
    const kept = b.and(b.statusFlags(), b.i32(~AH_FLAGS));
    b.setStatusFlags(b.or(kept, b.and(b.ah(), b.i32(AH_FLAGS))));
  },
  lahf: (b) => b.setAh(b.or(b.and(b.statusFlags(), b.i32(AH_FLAGS)), b.i32(2))),
  clc: (b) => b.setCarry(b.i32(0)),
  stc: (b) => b.setCarry(b.i32(1)),
  cmc: (b) => b.setCarry(b.xor(b.condition("b"), b.i32(1))),
  cld: (b) => setSystemFlag(b, FLAG_DF, false),
  std: (b) => setSystemFlag(b, FLAG_DF, true),
  cli: (b) => {
    requireIoPrivilege(b);
    setSystemFlag(b, FLAG_IF, false);
  },
  sti: setInterrupts,
  nop: () => undefined,
  pause,
  fence: () => undefined,
  // There is no cache to flush, but the address is checked as that of a load of one byte.
};
