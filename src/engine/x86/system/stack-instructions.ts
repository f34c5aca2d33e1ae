/**
 * PUSHF, POPF, ENTER and BOUND.
 *
 * Specification: Intel SDM vol. 2, PUSHF, POPF, ENTER, BOUND.
 */
import {
  FLAG_IF,
  FLAG_IOPL,
  FLAG_IOPL_SHIFT,
  FLAG_RF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  FLAGS_STATUS,
  FLAGS_SYSTEM,
  VECTOR_BR,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import { readFlags, writeFlags } from "../flags.js";
import * as L from "../layout.js";
import { RBP, RSP } from "../layout.js";
import { GuestFault } from "./faults.js";
import { INFO_SIZE } from "../call-info.js";
import { readOperandMemory } from "./operands.js";
import { CONTINUE, type Helper, openInterruptWindow, requireVirtualIopl, resolveNext } from "./outcome.js";
import {
  checkBelow,
  checkPush,
  currentStack,
  peek,
  pushPair,
  pushQuad,
  pushValues,
  release,
  type Stack,
  storePointer,
} from "./stack.js";

const MAX_LEVEL = 31;
const LOW_FLAGS = 0xffff;
const POPF_FLAGS =
  (FLAGS_STATUS | FLAGS_SYSTEM) & ~(FLAG_RF | FLAG_VM | FLAG_VIF | FLAG_VIP | FLAG_IF | FLAG_IOPL);

function pushf(cpu: CpuContext, _record: number, info: number): number {
  requireVirtualIopl(cpu);
  const size = info & INFO_SIZE;
  const flags = readFlags(cpu) & ~(FLAG_RF | FLAG_VM);
  if (cpu.code64 && size === 8) pushQuad(cpu, flags, 0);
  else {
    const stack = currentStack(cpu);
    pushPair(cpu, stack, size, flags, 0);
    storePointer(cpu, stack);
  }
  return CONTINUE;
}

function popf(cpu: CpuContext, record: number, info: number): number {
  requireVirtualIopl(cpu);
  const size = info & INFO_SIZE;
  const stack = currentStack(cpu);
  const value = peek(cpu, stack, size, 0);
  const iopl = (cpu.get32(L.FLAG_SYSTEM) & FLAG_IOPL) >>> FLAG_IOPL_SHIFT;
  let mask = POPF_FLAGS;
  if (cpu.cpl <= iopl) mask |= FLAG_IF;
  if (cpu.cpl === 0) mask |= FLAG_IOPL;
  release(stack, size);
  storePointer(cpu, stack);
  writeFlags(cpu, value, size === 2 ? mask & LOW_FLAGS : mask);
  openInterruptWindow(cpu);
  return resolveNext(cpu, record);
}

/** The frame pointers of outer procedures that ENTER copies, and its own. */
function copyFrames(cpu: CpuContext, stack: Stack, size: number, level: number, frame: number): void {
  const outer: Stack = { ...stack, pointer: cpu.getAddress(RBP) };
  for (let i = 1; i < level; i++) {
    release(outer, -size);
    const low = peek(cpu, outer, size, 0);
    pushPair(cpu, stack, size, low, size === 8 ? cpu.high : 0);
  }
  pushValues(cpu, stack, size, [frame]);
}

function enter(cpu: CpuContext, record: number, info: number): number {
  const size = info & INFO_SIZE;
  const level = cpu.secondImmediate(record) & MAX_LEVEL;
  const stack = currentStack(cpu);
  const locals = cpu.immediate(record) & 0xffff;
  checkPush(cpu, stack, size, level + 1);
  checkBelow(cpu, stack, size, size * (level + 1) + locals);
  pushPair(cpu, stack, size, cpu.low(RBP), cpu.upper(RBP));
  // With a 16-bit stack RBP still gets all of ESP that the operands have.
  const above = stack.width === 2 && size === 4 ? cpu.low(RSP) & ~0xffff : 0;
  const frame = (above >>> 0) + stack.pointer;
  if (level > 0) copyFrames(cpu, stack, size, level, frame);
  release(stack, -locals);
  // As wide as the operands, whatever the stack's width: the other half of EBP stays.
  if (size === 8) cpu.setAddress(RBP, frame);
  else cpu.writeSlot(RBP, size, frame);
  storePointer(cpu, stack);
  return CONTINUE;
}

function bound(cpu: CpuContext, record: number, info: number): number {
  const size = info & INFO_SIZE;
  const shift = 32 - size * 8;
  const signed = (value: number): number => (value << shift) >> shift;
  const index = signed(cpu.get32(L.GPR + cpu.regField(record) * 8));
  const lower = signed(readOperandMemory(cpu, record, size));
  const upper = signed(readOperandMemory(cpu, record, size, size));
  if (index < lower || index > upper) throw new GuestFault(VECTOR_BR);
  return CONTINUE;
}

export const STACK_INSTRUCTIONS: Record<string, Helper> = { pushf, popf, enter, bound };
