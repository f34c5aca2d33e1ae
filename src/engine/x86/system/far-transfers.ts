/**
 * Far JMP, CALL and RET, in every mode, through call gates and task gates too.
 *
 * Specification: Intel SDM vol. 2A, JMP, CALL, RET (far); vol. 3A §5.8.
 */
import { TWO_32 } from "../../../bytes/words.js";
import {
  ACCESS_DB,
  ACCESS_L,
  ACCESS_TYPE,
  FLAG_RF,
  SELECTOR_ERROR,
  SELECTOR_RPL,
  TYPE_CALL_GATE,
  TYPE_CALL_GATE16,
  TYPE_TASK_GATE,
  TYPE_TSS16_AVAILABLE,
  TYPE_TSS_AVAILABLE,
  VECTOR_NP,
  VECTOR_SS,
  VECTOR_TS,
} from "../../../spec/x86-privileged.js";
import type { CpuContext, Descriptor } from "../cpu-context.js";
import { readFlags } from "../flags.js";
import * as L from "../layout.js";
import { refreshMode } from "../mode.js";
import { isCanonical } from "./access.js";
import {
  isCodeOrData,
  isNull,
  isPresent,
  markAccessed,
  readDescriptor,
  readSystemDescriptor,
} from "./descriptors.js";
import { generalProtection, GuestFault } from "./faults.js";
import { INFO_SIZE } from "../call-info.js";
import { readOperandMemory } from "./operands.js";
import { type Helper, RESOLVE } from "./outcome.js";
import { checkOuterStack, returnToOuter } from "./outer-return.js";
import {
  checkCodePointer,
  checkCodeSize,
  checkStackDescriptor,
  dplOf,
  isCodeSegment,
  isConforming,
  loadRealSegment,
  setCodeSegment,
  setFromDescriptor,
  setNullStack,
} from "./segments.js";
import {
  checkRoom,
  currentStack,
  descriptorStack,
  flatStack,
  peek,
  peekAddress,
  pushValues,
  release,
  type Stack,
  storePointer,
} from "./stack.js";
import { innerStack32, innerStack64 } from "./task-state.js";
import { NO_ERROR_CODE, switchTask } from "./task-switch.js";

const GATE_PARAMETERS = 0x1f;
/** SS, ESP, CS and EIP: what a CALL to an inner level pushes besides parameters. */
const FRAME_OF_CALL = 4;

/** What a far JMP or CALL asks for. */
interface FarTarget {
  selector: number;
  offset: number;
  /** Operand size in bytes. */
  size: number;
  call: boolean;
  /** Where a CALL returns to. */
  returnRip: number;
}

/** A call gate, decoded. */
interface CallGate {
  selector: number;
  offset: number;
  size: number;
  parameters: number;
}

function realModeTransfer(cpu: CpuContext, target: FarTarget): void {
  const offset = target.size === 2 ? target.offset & 0xffff : target.offset;
  if (target.call) checkRoom(currentStack(cpu), target.size, 2);
  if (offset > cpu.limit(L.CS)) generalProtection();
  if (target.call) {
    const stack = currentStack(cpu);
    pushValues(cpu, stack, target.size, [cpu.selector(L.CS), target.returnRip]);
    storePointer(cpu, stack);
  }
  loadRealSegment(cpu, L.CS, target.selector);
  cpu.setAddress(L.RIP, offset);
}

/** A CALL that stays at its privilege level, or a JMP, to a checked code segment. */
function enterSegment(cpu: CpuContext, target: FarTarget, descriptor: Descriptor, size: number): void {
  checkCodeSize(cpu, target.selector, descriptor);
  if (target.call) checkRoom(currentStack(cpu), size, 2);
  checkCodePointer(cpu, descriptor, target.offset);
  markAccessed(cpu, descriptor);
  if (target.call) {
    const stack = currentStack(cpu);
    pushValues(cpu, stack, size, [cpu.selector(L.CS), target.returnRip]);
    storePointer(cpu, stack);
  }
  setCodeSegment(cpu, target.selector, descriptor, cpu.cpl);
  cpu.setAddress(L.RIP, target.offset);
}

/** Throws unless the current level may transfer to a code segment directly. */
function checkDirect(cpu: CpuContext, selector: number, descriptor: Descriptor): void {
  const error = selector & SELECTOR_ERROR;
  const dpl = dplOf(descriptor.access);
  if (!isCodeSegment(descriptor)) generalProtection(error);
  if (isConforming(descriptor)) {
    if (dpl > cpu.cpl) generalProtection(error);
  } else if ((selector & SELECTOR_RPL) > cpu.cpl || dpl !== cpu.cpl) generalProtection(error);
  if (!isPresent(descriptor)) throw new GuestFault(VECTOR_NP, error);
}

function readCallGate(cpu: CpuContext, selector: number, gate: Descriptor): CallGate {
  const error = selector & SELECTOR_ERROR;
  const dpl = dplOf(gate.access);
  if (dpl < cpu.cpl || dpl < (selector & SELECTOR_RPL)) generalProtection(error);
  if (!isPresent(gate)) throw new GuestFault(VECTOR_NP, error);
  const wide = (gate.access & ACCESS_TYPE) === TYPE_CALL_GATE;
  const low = ((gate.low & 0xffff) | (wide ? gate.high & 0xffff0000 : 0)) >>> 0;
  // The upper half of a 64-bit gate's offset stands where a system descriptor has its base.
  const high = cpu.longMode ? Math.floor(gate.base / TWO_32) : 0;
  let size = wide ? 4 : 2;
  if (cpu.longMode) size = 8;
  return {
    selector: gate.low >>> 16,
    offset: high * TWO_32 + low,
    size,
    parameters: cpu.longMode ? 0 : gate.high & GATE_PARAMETERS,
  };
}

/** The stack of an inner level, and what SS becomes. */
function innerStack(
  cpu: CpuContext,
  cpl: number,
): { stack: Stack; selector: number; descriptor: Descriptor | undefined } {
  if (cpu.longMode) {
    const pointer = innerStack64(cpu, cpl, 0);
    if (!isCanonical(pointer)) throw new GuestFault(VECTOR_SS);
    return { stack: flatStack(cpu, pointer, cpl, 0), selector: cpl, descriptor: undefined };
  }
  const { selector, pointer } = innerStack32(cpu, cpl, 0);
  if (isNull(selector)) throw new GuestFault(VECTOR_TS);
  const descriptor = readDescriptor(cpu, selector, VECTOR_TS);
  checkStackDescriptor(selector, descriptor, cpl, VECTOR_TS);
  const stack = descriptorStack(cpu, descriptor, pointer, cpl, selector & SELECTOR_ERROR);
  return { stack, selector, descriptor };
}

/** A CALL through a gate to an inner level: new stack, old SS:RSP and parameters on it. */
function callInner(cpu: CpuContext, gate: CallGate, descriptor: Descriptor, returnRip: number): void {
  const cpl = dplOf(descriptor.access);
  const inner = innerStack(cpu, cpl);
  const old = currentStack(cpu);
  checkRoom(inner.stack, gate.size, FRAME_OF_CALL + gate.parameters);
  checkCodePointer(cpu, descriptor, gate.offset);
  const values = [cpu.selector(L.SS), old.pointer];
  for (let i = gate.parameters - 1; i >= 0; i--) values.push(peek(cpu, old, gate.size, i));
  values.push(cpu.selector(L.CS), returnRip);
  markAccessed(cpu, descriptor);
  if (inner.descriptor) markAccessed(cpu, inner.descriptor);
  pushValues(cpu, inner.stack, gate.size, values);
  if (inner.descriptor) setFromDescriptor(cpu, L.SS, inner.selector, inner.descriptor);
  else setNullStack(cpu, cpl);
  storePointer(cpu, inner.stack);
  setCodeSegment(cpu, gate.selector, descriptor, cpl);
  cpu.setAddress(L.RIP, gate.offset);
}

function throughCallGate(cpu: CpuContext, target: FarTarget, gateDescriptor: Descriptor): void {
  const gate = readCallGate(cpu, target.selector, gateDescriptor);
  if (isNull(gate.selector)) generalProtection();
  const error = gate.selector & SELECTOR_ERROR;
  const descriptor = readDescriptor(cpu, gate.selector);
  const dpl = dplOf(descriptor.access);
  if (!isCodeSegment(descriptor) || dpl > cpu.cpl) generalProtection(error);
  // A gate of IA-32e mode leads to 64-bit code only.
  if (cpu.longMode && (descriptor.access & (ACCESS_L | ACCESS_DB)) !== ACCESS_L) generalProtection(error);
  if (!isPresent(descriptor)) throw new GuestFault(VECTOR_NP, error);
  const inner = !isConforming(descriptor) && dpl < cpu.cpl;
  if (inner && !target.call) generalProtection(error);
  if (inner) callInner(cpu, gate, descriptor, target.returnRip);
  else enterSegment(cpu, { ...target, selector: gate.selector, offset: gate.offset }, descriptor, gate.size);
}

/** To a TSS, directly or through a task gate. */
function taskTransfer(cpu: CpuContext, target: FarTarget, descriptor: Descriptor): void {
  const error = target.selector & SELECTOR_ERROR;
  const dpl = dplOf(descriptor.access);
  if (dpl < cpu.cpl || dpl < (target.selector & SELECTOR_RPL)) generalProtection(error);
  const gate = (descriptor.access & ACCESS_TYPE) === TYPE_TASK_GATE;
  if (gate && !isPresent(descriptor)) throw new GuestFault(VECTOR_NP, error);
  switchTask(cpu, {
    selector: gate ? descriptor.low >>> 16 : target.selector,
    kind: target.call ? "nest" : "jump",
    rip: target.returnRip,
    flags: readFlags(cpu) & ~FLAG_RF,
    external: 0,
    errorCode: NO_ERROR_CODE,
  });
}

function systemTransfer(cpu: CpuContext, target: FarTarget): void {
  const { selector } = target;
  const descriptor = readSystemDescriptor(cpu, selector);
  const type = descriptor.access & ACCESS_TYPE;
  if (type === TYPE_CALL_GATE || (type === TYPE_CALL_GATE16 && !cpu.longMode)) {
    throughCallGate(cpu, target, descriptor);
    return;
  }
  const task = type === TYPE_TASK_GATE || type === TYPE_TSS_AVAILABLE || type === TYPE_TSS16_AVAILABLE;
  if (cpu.longMode || !task) generalProtection(selector & SELECTOR_ERROR);
  taskTransfer(cpu, target, descriptor);
}

function farTransfer(cpu: CpuContext, target: FarTarget): number {
  if (cpu.realSegments) realModeTransfer(cpu, target);
  else {
    if (isNull(target.selector)) generalProtection();
    const descriptor = readDescriptor(cpu, target.selector);
    if (isCodeOrData(descriptor)) {
      checkDirect(cpu, target.selector, descriptor);
      enterSegment(cpu, target, descriptor, target.size);
    } else systemTransfer(cpu, target);
  }
  refreshMode(cpu);
  return RESOLVE;
}

function immediateTarget(cpu: CpuContext, record: number, info: number, call: boolean): FarTarget {
  return {
    selector: cpu.secondImmediate(record) & 0xffff,
    offset: cpu.immediate(record),
    size: info & INFO_SIZE,
    call,
    returnRip: cpu.nextRip(record),
  };
}

function memoryTarget(cpu: CpuContext, record: number, info: number, call: boolean): FarTarget {
  const size = info & INFO_SIZE;
  const low = readOperandMemory(cpu, record, size);
  const offset = size === 8 ? (cpu.high | 0) * TWO_32 + low : low;
  const selector = readOperandMemory(cpu, record, 2, size);
  return { selector, offset, size, call, returnRip: cpu.nextRip(record) };
}

function realModeReturn(cpu: CpuContext, stack: Stack, size: number, extra: number): void {
  const offset = peek(cpu, stack, size, 0);
  const selector = peek(cpu, stack, size, 1) & 0xffff;
  if (offset > cpu.limit(L.CS)) generalProtection();
  release(stack, 2 * size + extra);
  storePointer(cpu, stack);
  loadRealSegment(cpu, L.CS, selector);
  cpu.setAddress(L.RIP, offset);
}

/** Checks a code segment that a far RET or IRET returns to. */
export function returnSegment(cpu: CpuContext, selector: number): Descriptor {
  if (isNull(selector)) generalProtection();
  const error = selector & SELECTOR_ERROR;
  const descriptor = readDescriptor(cpu, selector);
  const rpl = selector & SELECTOR_RPL;
  const dpl = dplOf(descriptor.access);
  if (!isCodeSegment(descriptor) || rpl < cpu.cpl) generalProtection(error);
  if (isConforming(descriptor) ? dpl > rpl : dpl !== rpl) generalProtection(error);
  if (!isPresent(descriptor)) throw new GuestFault(VECTOR_NP, error);
  checkCodeSize(cpu, selector, descriptor);
  return descriptor;
}

function farReturn(cpu: CpuContext, size: number, extra: number): number {
  const stack = currentStack(cpu);
  if (cpu.realSegments) realModeReturn(cpu, stack, size, extra);
  else {
    const rip = peekAddress(cpu, stack, size, 0);
    const selector = peek(cpu, stack, size, 1) & 0xffff;
    const descriptor = returnSegment(cpu, selector);
    const cpl = selector & SELECTOR_RPL;
    release(stack, 2 * size + extra);
    if (cpl > cpu.cpl) {
      const low = peek(cpu, stack, size, 0);
      const high = size === 8 ? cpu.high : 0;
      const stackSelector = peek(cpu, stack, size, 1) & 0xffff;
      const outer = checkOuterStack(cpu, stackSelector, cpl, descriptor);
      checkCodePointer(cpu, descriptor, rip);
      markAccessed(cpu, descriptor);
      setCodeSegment(cpu, selector, descriptor, cpl);
      returnToOuter(cpu, outer, { low, high, size, extra });
    } else {
      checkCodePointer(cpu, descriptor, rip);
      markAccessed(cpu, descriptor);
      storePointer(cpu, stack);
      setCodeSegment(cpu, selector, descriptor, cpl);
    }
    cpu.setAddress(L.RIP, rip);
  }
  refreshMode(cpu);
  return RESOLVE;
}

export const FAR_TRANSFERS: Record<string, Helper> = {
  far_jmp_imm: (cpu, record, info) => farTransfer(cpu, immediateTarget(cpu, record, info, false)),
  far_call_imm: (cpu, record, info) => farTransfer(cpu, immediateTarget(cpu, record, info, true)),
  far_jmp_mem: (cpu, record, info) => farTransfer(cpu, memoryTarget(cpu, record, info, false)),
  far_call_mem: (cpu, record, info) => farTransfer(cpu, memoryTarget(cpu, record, info, true)),
  far_ret: (cpu, record, info) => farReturn(cpu, info & INFO_SIZE, cpu.immediate(record) & 0xffff),
};
