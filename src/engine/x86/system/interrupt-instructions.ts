/**
 * IRET and the instructions that cause interrupts: INT n, INT3, INTO, INT1.
 *
 * Specification: Intel SDM vol. 2A, INT n, IRET; vol. 3A §6.14.3 (IRET in IA-32e mode), §20.2 (virtual-8086 mode).
 */
import { RSP } from "../layout.js";
import { TWO_32 } from "../../../bytes/words.js";
import {
  ACCESS_L,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_IOPL_SHIFT,
  FLAG_NT,
  FLAG_OF,
  FLAG_RF,
  FLAG_VIF,
  FLAG_VIP,
  FLAG_VM,
  SELECTOR_RPL,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_OF,
  VECTOR_SS,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import { readFlags, readStatusFlags, writeFlags } from "../flags.js";
import { IRET_FLAGS, IRET_FLAGS_PRIVILEGED } from "../interrupt-frames.js";
import * as L from "../layout.js";
import { dataAccessMode, refreshMode } from "../mode.js";
import { acceptAccess, hostAddress, READ, readHost } from "./access.js";
import { deliverSoftwareInterrupt } from "./delivery.js";
import { markAccessed } from "./descriptors.js";
import { generalProtection, throwRecorded } from "./faults.js";
import { returnSegment } from "./far-transfers.js";
import { INFO_SIZE } from "../call-info.js";
import {
  type Helper,
  openInterruptWindow,
  requireVirtualIopl,
  RESOLVE,
  resolveNext,
  setPrivilege64,
} from "./outcome.js";
import { checkOuterStack, loadReturnStack } from "./outer-return.js";
import {
  checkCodePointer,
  dropPrivilegedSegments,
  loadRealSegment,
  setCodeSegment,
  VIRTUAL_LIMIT,
} from "./segments.js";
import { currentStack, peek, release, type Stack, storePointer } from "./stack.js";
import { NO_ERROR_CODE, previousTask, switchTask } from "./task-switch.js";

const LOW_FLAGS = 0xffff;
/** EIP, CS, EFLAGS. */
const SHORT_FRAME_VALUES = 3;
const FRAME_VALUES = 5;
/** EIP, CS, EFLAGS, ESP, SS and `VIRTUAL_DATA`. */
const VIRTUAL_FRAME_VALUES = 9;
const VIRTUAL_DATA = [L.ES, L.DS, L.FS, L.GS];
/** Flags that an IRET at privilege `cpl` with this operand size loads. */
function loadedFlags(cpu: CpuContext, size: number): number {
  const iopl = (cpu.get32(L.FLAG_SYSTEM) & FLAG_IOPL) >>> FLAG_IOPL_SHIFT;
  let mask = IRET_FLAGS;
  if (cpu.cpl <= iopl) mask |= FLAG_IF;
  if (cpu.cpl === 0) mask |= IRET_FLAGS_PRIVILEGED;
  if (cpu.breakpoints.execution.length > 0) mask |= FLAG_RF;
  return size === 2 ? mask & LOW_FLAGS : mask;
}

/** NMIs are let in as soon as IRET begins, also when it faults: vol. 3A §6.7.1, vol. 3C §26.1.3. */
function unblockNmis(cpu: CpuContext): void {
  if (cpu.get32(L.NMI_BLOCKED) === 0) return;
  cpu.set32(L.NMI_BLOCKED, 0);
  if (cpu.get32(L.INTERRUPT_PENDING) & L.PENDING_NMI) cpu.services.requestExit(cpu);
}

function endIret(cpu: CpuContext): number {
  openInterruptWindow(cpu);
  return RESOLVE;
}

// Words of the frame of five values that an IRET in 64-bit mode pops.
const FRAME_RIP = 0;
const FRAME_CS = 2;
const FRAME_FLAGS = 4;
const FRAME_RSP = 6;
const FRAME_SS = 8;
const frame = new Uint32Array(FRAME_VALUES * 2);

function readFrame(cpu: CpuContext, size: number): void {
  const mode = dataAccessMode(cpu, cpu.cpl);
  const pointer = cpu.getAddress(RSP);
  const length = FRAME_VALUES * size;
  const start = hostAddress(cpu, pointer, length, READ, mode, VECTOR_SS);
  if (!acceptAccess(cpu, pointer, length, READ, mode, size)) throwRecorded(cpu);
  for (let i = 0; i < FRAME_VALUES; i++) {
    frame[i * 2] = readHost(cpu, start + i * size, size);
    frame[i * 2 + 1] = size === 8 ? cpu.high : 0;
  }
}

/** IRET in 64-bit mode: always pops SS:RSP. */
function iret64(cpu: CpuContext, size: number): number {
  if (cpu.get32(L.FLAG_SYSTEM) & FLAG_NT) generalProtection();
  readFrame(cpu, size);
  const ripLow = frame[FRAME_RIP];
  const ripHigh = frame[FRAME_RIP + 1];
  const selector = frame[FRAME_CS] & 0xffff;
  const cpl = selector & SELECTOR_RPL;
  const descriptor = returnSegment(cpu, selector);
  const rip = (ripHigh | 0) * TWO_32 + ripLow;
  const stack = checkOuterStack(cpu, frame[FRAME_SS] & 0xffff, cpl, descriptor);
  checkCodePointer(cpu, descriptor, rip);
  markAccessed(cpu, descriptor);
  const mask = loadedFlags(cpu, size);
  const outer = cpl > cpu.cpl;
  setCodeSegment(cpu, selector, descriptor, cpl);
  loadReturnStack(cpu, stack, { low: frame[FRAME_RSP], high: frame[FRAME_RSP + 1], size, extra: 0 });
  cpu.setPair(L.RIP, ripLow, ripHigh);
  writeFlags(cpu, frame[FRAME_FLAGS], mask);
  if (outer) dropPrivilegedSegments(cpu, cpl);
  if (descriptor.access & ACCESS_L) setPrivilege64(cpu, cpl);
  else refreshMode(cpu);
  return endIret(cpu);
}

function iretReal(cpu: CpuContext, stack: Stack, size: number): number {
  const offset = peek(cpu, stack, size, 0);
  const selector = peek(cpu, stack, size, 1) & 0xffff;
  const flags = peek(cpu, stack, size, 2);
  if (offset > cpu.limit(L.CS)) generalProtection();
  release(stack, 3 * size);
  storePointer(cpu, stack);
  const mask = loadedFlags(cpu, size) & ~(FLAG_VIF | FLAG_VIP);
  loadRealSegment(cpu, L.CS, selector);
  cpu.setAddress(L.RIP, offset);
  writeFlags(cpu, flags, mask);
  refreshMode(cpu);
  return endIret(cpu);
}

/** IRET with NT set: back to the task that the link of the current TSS names. */
function returnFromTask(cpu: CpuContext, record: number): number {
  if (cpu.longMode) generalProtection();
  switchTask(cpu, {
    selector: previousTask(cpu),
    kind: "return",
    rip: cpu.nextRip(record),
    flags: readFlags(cpu) & ~(FLAG_NT | FLAG_RF),
    external: 0,
    errorCode: NO_ERROR_CODE,
  });
  return endIret(cpu);
}

/**
 * IRET at level 0 to an image of EFLAGS with VM set. EIP, CS and EFLAGS were read: a stack in a device's registers need not
 * say the same again.
 */
function iretToVirtual8086(
  cpu: CpuContext,
  stack: Stack,
  rip: number,
  codeSelector: number,
  flags: number,
): number {
  const values: number[] = [];
  for (let i = SHORT_FRAME_VALUES; i < VIRTUAL_FRAME_VALUES; i++) values.push(peek(cpu, stack, 4, i));
  const [pointer, stackSelector, ...data] = values;
  if (rip > VIRTUAL_LIMIT) generalProtection();
  writeFlags(cpu, flags, loadedFlags(cpu, 4) | FLAG_VM);
  cpu.set32(L.CPL, 3);
  cpu.setPair(L.RIP, rip, 0);
  cpu.setPair(RSP, pointer, 0);
  loadRealSegment(cpu, L.CS, codeSelector);
  loadRealSegment(cpu, L.SS, stackSelector & 0xffff);
  VIRTUAL_DATA.forEach((segment, i) => loadRealSegment(cpu, segment, data[i] & 0xffff));
  refreshMode(cpu);
  return endIret(cpu);
}

/** IRET in protected and compatibility mode: pops SS:ESP only on a return to an outer level. */
function iretProtected(cpu: CpuContext, record: number, stack: Stack, size: number): number {
  if (cpu.get32(L.FLAG_SYSTEM) & FLAG_NT) return returnFromTask(cpu, record);
  const rip = peek(cpu, stack, size, 0);
  const selector = peek(cpu, stack, size, 1) & 0xffff;
  const flags = peek(cpu, stack, size, 2);
  const toVirtual8086 = flags & FLAG_VM && size === 4 && cpu.cpl === 0 && !cpu.longMode;
  if (toVirtual8086) return iretToVirtual8086(cpu, stack, rip, selector, flags);
  const cpl = selector & SELECTOR_RPL;
  const descriptor = returnSegment(cpu, selector);
  const mask = loadedFlags(cpu, size);
  if (cpl > cpu.cpl) {
    const low = peek(cpu, stack, size, 3);
    const outer = checkOuterStack(cpu, peek(cpu, stack, size, 4) & 0xffff, cpl, descriptor);
    checkCodePointer(cpu, descriptor, rip);
    markAccessed(cpu, descriptor);
    setCodeSegment(cpu, selector, descriptor, cpl);
    loadReturnStack(cpu, outer, { low, high: 0, size, extra: 0 });
    dropPrivilegedSegments(cpu, cpl);
  } else {
    checkCodePointer(cpu, descriptor, rip);
    markAccessed(cpu, descriptor);
    release(stack, 3 * size);
    storePointer(cpu, stack);
    setCodeSegment(cpu, selector, descriptor, cpl);
  }
  cpu.setPair(L.RIP, rip, 0);
  writeFlags(cpu, flags, mask);
  refreshMode(cpu);
  return endIret(cpu);
}

function iret(cpu: CpuContext, record: number, info: number): number {
  const size = info & INFO_SIZE;
  requireVirtualIopl(cpu);
  unblockNmis(cpu);
  if (cpu.code64) return iret64(cpu, size);
  const stack = currentStack(cpu);
  return cpu.realSegments ? iretReal(cpu, stack, size) : iretProtected(cpu, record, stack, size);
}

function interrupt(cpu: CpuContext, record: number, vector: number, software: boolean): number {
  deliverSoftwareInterrupt(cpu, vector, software, cpu.instructionRip(record), cpu.nextRip(record));
  return RESOLVE;
}

function into(cpu: CpuContext, record: number): number {
  return readStatusFlags(cpu) & FLAG_OF ? interrupt(cpu, record, VECTOR_OF, true) : resolveNext(cpu, record);
}

function interruptNumber(cpu: CpuContext, record: number): number {
  requireVirtualIopl(cpu);
  return interrupt(cpu, record, cpu.immediate(record) & 0xff, true);
}

export const INTERRUPT_INSTRUCTIONS: Record<string, Helper> = {
  iret,
  int_imm: interruptNumber,
  int3: (cpu, record) => interrupt(cpu, record, VECTOR_BP, true),
  int1: (cpu, record) => interrupt(cpu, record, VECTOR_DB, false),
  into,
};
