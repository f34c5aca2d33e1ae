/**
 * Entering an interrupt or exception handler through the interrupt vector table (real mode) or the IDT of protected
 * and IA-32e mode: gate checks, stack switch, frame, new state. All checks come before the first change; failures
 * are thrown as guest faults for delivery.ts to combine.
 *
 * Specification: Intel SDM vol. 3A §6.11–6.14; vol. 2A, INT n (the pseudo-code).
 */
import { RSP } from "../layout.js";
import {
  ACCESS_DB,
  ACCESS_L,
  ERROR_IDT,
  FLAG_AC,
  FLAG_IF,
  FLAG_RF,
  FLAG_TF,
  GATE64_SIZE,
  GATE_SIZE,
  GATE_TYPE_AND_S,
  GATE_TYPE_SHIFT,
  GATE_WIDE,
  IVT_ENTRY_SIZE,
  SELECTOR_ERROR,
  TYPE_INTERRUPT_GATE,
  TYPE_INTERRUPT_GATE16,
  TYPE_TASK_GATE,
  TYPE_TRAP_GATE,
  TYPE_TRAP_GATE16,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_SS,
  VECTOR_TS,
} from "../../../spec/x86-privileged.js";
import type { CpuContext, Descriptor } from "../cpu-context.js";
import { readFlags, writeFlags } from "../flags.js";
import { ENTRY_CLEARED_FLAGS, FRAME64, FRAME64_ALIGNMENT } from "../interrupt-frames.js";
import * as L from "../layout.js";
import { dataAccessMode, implicitAccessMode, refreshMode } from "../mode.js";
import { commitPending, hostAddress, isCanonical, READ, readMemory, WRITE } from "./access.js";
import { noteDataAccess } from "./breakpoints.js";
import { isNull, isPresent, markAccessed, readDescriptor } from "./descriptors.js";
import { generalProtection, GuestFault } from "./faults.js";
import {
  checkStackDescriptor,
  dplOf,
  isCodeSegment,
  isConforming,
  loadRealSegment,
  setCodeSegment,
  setFromDescriptor,
  setNull,
  setNullStack,
} from "./segments.js";
import { checkRoom, currentStack, descriptorStack, pushValues, storePointer } from "./stack.js";
import { innerStack32, innerStack64, interruptStack } from "./task-state.js";
import { switchTask } from "./task-switch.js";

/** An event on its way to its handler. */
export interface GuestEvent {
  vector: number;
  /** INT n, INT3 or INTO: the gate's DPL is checked. */
  software: boolean;
  /** EXT bit of error codes that delivery itself may raise: 0 for events that an instruction asked for. */
  external: number;
  /** The value to push, or -1 when the vector has no error code. */
  errorCode: number;
  /** A fault, whose frame has RF set so that the instruction runs when it is restarted. */
  restarts: boolean;
}

/** Words of a gate. */
interface Gate {
  selector: number;
  offsetLow: number;
  offsetHigh: number;
  type: number;
  ist: number;
}

const LEGACY_GATES = [TYPE_INTERRUPT_GATE16, TYPE_TRAP_GATE16, TYPE_TASK_GATE];

function isGateType(type: number, longMode: boolean): boolean {
  if (type === TYPE_INTERRUPT_GATE || type === TYPE_TRAP_GATE) return true;
  return !longMode && LEGACY_GATES.includes(type);
}

/** Reads and checks the IDT gate of an event. */
function readGate(cpu: CpuContext, event: GuestEvent): Gate {
  const longMode = cpu.longMode;
  const size = longMode ? GATE64_SIZE : GATE_SIZE;
  const error = event.vector * 8 + ERROR_IDT + event.external;
  if (event.vector * size + size - 1 > cpu.get32(L.IDTR_LIMIT)) throw new GuestFault(VECTOR_GP, error);
  const linear = cpu.getAddress(L.IDTR_BASE) + event.vector * size;
  const host = hostAddress(cpu, longMode ? linear : linear >>> 0, size, READ, implicitAccessMode(cpu));
  const low = cpu.view.getUint32(host, true);
  const high = cpu.view.getUint32(host + 4, true);
  const type = (high >>> GATE_TYPE_SHIFT) & GATE_TYPE_AND_S;
  if (!isGateType(type, longMode)) throw new GuestFault(VECTOR_GP, error);
  if (event.software && dplOf(high >>> 8) < cpu.cpl) throw new GuestFault(VECTOR_GP, error);
  if (!((high >>> 15) & 1)) throw new GuestFault(VECTOR_NP, error);
  const wide = (type & GATE_WIDE) !== 0;
  return {
    selector: low >>> 16,
    offsetLow: ((low & 0xffff) | (wide ? high & 0xffff0000 : 0)) >>> 0,
    offsetHigh: longMode ? cpu.view.getInt32(host + 8, true) : 0,
    type,
    ist: longMode ? high & 7 : 0,
  };
}

/** The handler's code segment, checked. */
function handlerSegment(cpu: CpuContext, gate: Gate, external: number): Descriptor {
  if (isNull(gate.selector)) generalProtection(external);
  const error = (gate.selector & SELECTOR_ERROR) | external;
  const descriptor = readDescriptor(cpu, gate.selector, VECTOR_GP, external);
  if (!isCodeSegment(descriptor) || dplOf(descriptor.access) > cpu.cpl) generalProtection(error);
  if (cpu.longMode && (descriptor.access & (ACCESS_L | ACCESS_DB)) !== ACCESS_L) generalProtection(error);
  if (!isPresent(descriptor)) throw new GuestFault(VECTOR_NP, error);
  return descriptor;
}

function clearedBy(gate: Gate): number {
  const interrupt = gate.type === TYPE_INTERRUPT_GATE || gate.type === TYPE_INTERRUPT_GATE16;
  return interrupt ? ENTRY_CLEARED_FLAGS | FLAG_IF : ENTRY_CLEARED_FLAGS;
}

/**
 * RFLAGS as the frame gets them: RF set for faults that restart their instruction. Otherwise it is what it is, which is
 * only kept track of while instructions are watched.
 */
function flagsImage(cpu: CpuContext, event: GuestEvent): number {
  const flags = readFlags(cpu);
  if (event.restarts) return flags | FLAG_RF;
  return cpu.breakpoints.execution.length > 0 ? flags : flags & ~FLAG_RF;
}

/** Writes the IA-32e frame that ends below `top` (16-byte aligned). Returns the new RSP. */
function writeFrame64(cpu: CpuContext, event: GuestEvent, top: number, cpl: number): number {
  const withError = event.errorCode >= 0;
  const size = withError ? FRAME64 + 8 : FRAME64;
  const pointer = top - size;
  if (!isCanonical(pointer, size)) throw new GuestFault(VECTOR_SS, event.external);
  const start = hostAddress(cpu, pointer, size, WRITE, dataAccessMode(cpu, cpl), VECTOR_SS);
  if (cpu.breakpoints.data.length > 0) noteDataAccess(cpu, pointer, size, true);
  const { view } = cpu;
  let host = start;
  const put = (low: number, high: number): void => {
    view.setUint32(host, low, true);
    view.setUint32(host + 4, high, true);
    host += 8;
  };
  if (withError) put(event.errorCode, 0);
  put(cpu.low(L.RIP), cpu.upper(L.RIP));
  put(cpu.selector(L.CS), 0);
  put(flagsImage(cpu, event), 0);
  put(cpu.low(RSP), cpu.upper(RSP));
  put(cpu.selector(L.SS), 0);
  commitPending(cpu);
  return pointer;
}

/** Where the frame of IA-32e mode begins, going down: an entry of the TSS must be an address by itself. */
function handlerStack64(cpu: CpuContext, gate: Gate, inner: boolean, cpl: number, external: number): number {
  if (gate.ist === 0 && !inner) return cpu.getAddress(RSP);
  const top = gate.ist === 0 ? innerStack64(cpu, cpl, external) : interruptStack(cpu, gate.ist, external);
  if (!isCanonical(top)) throw new GuestFault(VECTOR_SS, external);
  return top;
}

/** Enters a handler in IA-32e mode. */
export function enterLongMode(cpu: CpuContext, event: GuestEvent): void {
  const { external } = event;
  const gate = readGate(cpu, event);
  const descriptor = handlerSegment(cpu, gate, external);
  const cpl = isConforming(descriptor) ? cpu.cpl : dplOf(descriptor.access);
  const inner = cpl !== cpu.cpl;
  const top = handlerStack64(cpu, gate, inner, cpl, external);
  if (gate.offsetHigh !== (gate.offsetHigh << 16) >> 16) generalProtection(external);
  markAccessed(cpu, descriptor);
  const pointer = writeFrame64(cpu, event, top - (top & (FRAME64_ALIGNMENT - 1)), cpl);
  const sameMode = cpu.code64;
  cpu.setAddress(RSP, pointer);
  if (inner) setNullStack(cpu, cpl);
  setCodeSegment(cpu, gate.selector, descriptor, cpl);
  cpu.setPair(L.RIP, gate.offsetLow, gate.offsetHigh >>> 0);
  writeFlags(cpu, 0, clearedBy(gate));
  if (inner || !sameMode) refreshMode(cpu);
}

function legacyValues(cpu: CpuContext, event: GuestEvent): number[] {
  const values = [flagsImage(cpu, event), cpu.selector(L.CS), cpu.low(L.RIP)];
  if (event.errorCode >= 0) values.push(event.errorCode);
  return values;
}

/** Data segments in the order in which an event in virtual-8086 mode pushes them before SS. */
const VIRTUAL_DATA = [L.GS, L.FS, L.DS, L.ES];

/** Enters a handler of an inner level outside IA-32e mode: the TSS names the stack. */
function enterInner(cpu: CpuContext, event: GuestEvent, gate: Gate, descriptor: Descriptor): void {
  const { external } = event;
  const cpl = dplOf(descriptor.access);
  const { selector, pointer } = innerStack32(cpu, cpl, external);
  if (isNull(selector)) throw new GuestFault(VECTOR_TS, external);
  const stackDescriptor = readDescriptor(cpu, selector, VECTOR_TS, external);
  checkStackDescriptor(selector, stackDescriptor, cpl, VECTOR_TS, external);
  const stackError = (selector & SELECTOR_ERROR) | external;
  const stack = descriptorStack(cpu, stackDescriptor, pointer, cpl, stackError);
  const size = gate.type & GATE_WIDE ? 4 : 2;
  const virtual = cpu.virtual8086;
  const values = [cpu.selector(L.SS), cpu.low(RSP), ...legacyValues(cpu, event)];
  if (virtual) values.unshift(...VIRTUAL_DATA.map((segment) => cpu.selector(segment)));
  checkRoom(stack, size, values.length);
  if (gate.offsetLow > descriptor.limit) generalProtection(external);
  markAccessed(cpu, stackDescriptor);
  pushValues(cpu, stack, size, values);
  setFromDescriptor(cpu, L.SS, selector, stackDescriptor);
  storePointer(cpu, stack);
  setCodeSegment(cpu, gate.selector, descriptor, cpl);
  if (virtual) for (const segment of VIRTUAL_DATA) setNull(cpu, segment, 0);
}

/** Switches to the task that a task gate names; an error code goes onto its stack. */
function enterTask(cpu: CpuContext, event: GuestEvent, selector: number): void {
  const { external, errorCode } = event;
  const rip = cpu.getAddress(L.RIP);
  switchTask(cpu, { selector, kind: "nest", rip, flags: flagsImage(cpu, event), external, errorCode });
}

/** Enters a handler in protected mode. */
export function enterProtectedMode(cpu: CpuContext, event: GuestEvent): void {
  const gate = readGate(cpu, event);
  if (gate.type === TYPE_TASK_GATE) {
    enterTask(cpu, event, gate.selector);
    return;
  }
  const descriptor = handlerSegment(cpu, gate, event.external);
  if (cpu.virtual8086 && (isConforming(descriptor) || dplOf(descriptor.access) !== 0)) {
    generalProtection((gate.selector & SELECTOR_ERROR) | event.external);
  }
  markAccessed(cpu, descriptor);
  if (!isConforming(descriptor) && dplOf(descriptor.access) < cpu.cpl) {
    enterInner(cpu, event, gate, descriptor);
  } else {
    const stack = currentStack(cpu);
    stack.errorCode = event.external;
    const size = gate.type & GATE_WIDE ? 4 : 2;
    const values = legacyValues(cpu, event);
    checkRoom(stack, size, values.length);
    if (gate.offsetLow > descriptor.limit) generalProtection(event.external);
    pushValues(cpu, stack, size, values);
    storePointer(cpu, stack);
    setCodeSegment(cpu, gate.selector, descriptor, cpu.cpl);
  }
  cpu.setPair(L.RIP, gate.offsetLow, 0);
  writeFlags(cpu, 0, clearedBy(gate));
  refreshMode(cpu);
}

/** Enters a handler in real mode; error codes are not pushed there. */
export function enterRealMode(cpu: CpuContext, event: GuestEvent): void {
  const offset = event.vector * IVT_ENTRY_SIZE;
  if (offset + IVT_ENTRY_SIZE - 1 > cpu.get32(L.IDTR_LIMIT)) generalProtection();
  const linear = (cpu.getAddress(L.IDTR_BASE) + offset) >>> 0;
  const entry = readMemory(cpu, linear, 4, implicitAccessMode(cpu));
  const stack = currentStack(cpu);
  pushValues(cpu, stack, 2, [readFlags(cpu), cpu.selector(L.CS), cpu.low(L.RIP)]);
  storePointer(cpu, stack);
  loadRealSegment(cpu, L.CS, entry >>> 16);
  cpu.setPair(L.RIP, entry & 0xffff, 0);
  writeFlags(cpu, 0, FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
  refreshMode(cpu);
}
