/**
 * Hardware task switches, by far JMP and CALL, task gates and IRET: the state of the old task goes into its TSS, the
 * new one's is loaded. All that the switch itself needs is checked before the first change; what goes wrong after it,
 * the checks of the new segments included, is a fault of the new task. Knows no instruction.
 *
 * ```
 *   TSS      link    EIP  EFLAGS  EAX…EDI  ES CS SS DS FS GS   LDT    T
 *   32-bit   0x00    0x20  0x24    0x28          0x48          0x60  0x64
 *   16-bit   0x00    0x0e  0x10    0x12          0x22          0x2a           (no FS, GS, CR3)
 * ```
 * Specification: Intel SDM vol. 3A §7.2–7.4 and §7.6; table 7-1 (checks, in order), table 7-2 (busy, NT, link).
 */
import { LEGACY_GENERAL_REGISTERS, SEGMENT_REGISTERS } from "../../../spec/x86-encoding.js";
import {
  ACCESS_TYPE,
  ACCESS_UNUSABLE,
  CR0_PG,
  CR0_TS,
  DR6_BT,
  DR7_LOCAL,
  FLAG_NT,
  FLAG_RF,
  FLAG_VM,
  FLAGS_STATUS,
  FLAGS_SYSTEM,
  SELECTOR_ERROR,
  SELECTOR_RPL,
  SELECTOR_TI,
  TSS16_FLAGS,
  TSS16_GENERAL,
  TSS16_IP,
  TSS16_LDT,
  TSS16_MIN_LIMIT,
  TSS16_SEGMENTS,
  TSS32_CR3,
  TSS32_EFLAGS,
  TSS32_EIP,
  TSS32_GENERAL,
  TSS32_LDT,
  TSS32_SEGMENTS,
  TSS32_TRAP,
  TSS_LINK,
  TSS_MIN_LIMIT,
  TYPE_BUSY,
  TYPE_TSS16_AVAILABLE,
  TYPE_TSS16_BUSY,
  TYPE_TSS_AVAILABLE,
  TYPE_TSS_BUSY,
  VECTOR_DB,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_TS,
} from "../../../spec/x86-privileged.js";
import type { CpuContext, Descriptor } from "../cpu-context.js";
import { writeFlags } from "../flags.js";
import * as L from "../layout.js";
import { implicitAccessMode, refreshMode } from "../mode.js";
import { probe, readMemory, WRITE, writeMemory } from "./access.js";
import { refreshBreakpoints } from "./breakpoints.js";
import { loadCr3 } from "./control-registers.js";
import {
  isCodeOrData,
  isNull,
  isPresent,
  markAccessed,
  readDescriptor,
  setDescriptorType,
} from "./descriptors.js";
import { generalProtection, GuestFault } from "./faults.js";
import { openInterruptWindow } from "./outcome.js";
import {
  checkDataDescriptor,
  checkStackDescriptor,
  dplOf,
  isCodeSegment,
  isConforming,
  loadLdt,
  loadRealSegment,
  setCodeSegment,
  setFromDescriptor,
  setNull,
} from "./segments.js";
import { currentStack, pushValues, storePointer } from "./stack.js";

export const NO_ERROR_CODE = -1;

/** A switch that is asked for. */
export interface TaskSwitch {
  /** Of the new TSS. */
  selector: number;
  /** JMP; CALL, interrupt or exception; IRET. */
  kind: "jump" | "nest" | "return";
  /** Where the old task goes on, and with which flags. */
  rip: number;
  flags: number;
  /** EXT bit of error codes. */
  external: number;
  /** Goes onto the new task's stack; `NO_ERROR_CODE` for none. */
  errorCode: number;
}

/** Where the fields of a TSS are. */
interface Format {
  /** Size of a register. */
  size: 2 | 4;
  ip: number;
  flags: number;
  general: number;
  segments: number;
  segmentStride: number;
  segmentCount: number;
  ldt: number;
  minimumLimit: number;
}

const FORMAT16: Format = {
  size: 2,
  ip: TSS16_IP,
  flags: TSS16_FLAGS,
  general: TSS16_GENERAL,
  segments: TSS16_SEGMENTS,
  segmentStride: 2,
  segmentCount: 4,
  ldt: TSS16_LDT,
  minimumLimit: TSS16_MIN_LIMIT,
};
const FORMAT32: Format = {
  size: 4,
  ip: TSS32_EIP,
  flags: TSS32_EFLAGS,
  general: TSS32_GENERAL,
  segments: TSS32_SEGMENTS,
  segmentStride: 4,
  segmentCount: 6,
  ldt: TSS32_LDT,
  minimumLimit: TSS_MIN_LIMIT,
};
const TRAP = 1;
/**
 * Bits 31:16 of the general registers after a switch to a task of a 16-bit TSS. No manual names them; the 386 has
 * ones there, and so has Bochs.
 */
const UPPER_OF_TASK16 = 0xffff0000;

/** What a TSS holds of a task. */
interface Image {
  format: Format;
  ip: number;
  flags: number;
  general: number[];
  selectors: number[];
  ldt: number;
  cr3: number;
  trap: boolean;
}

function formatOf(access: number): Format {
  return (access & ACCESS_TYPE) >= TYPE_TSS_AVAILABLE ? FORMAT32 : FORMAT16;
}

function at(base: number, offset: number): number {
  return (base + offset) >>> 0;
}

/** The link of the current TSS: the task that IRET returns to. */
export function previousTask(cpu: CpuContext): number {
  return readMemory(cpu, at(cpu.segmentBase(L.TR), TSS_LINK), 2, implicitAccessMode(cpu));
}

/** The descriptor of the new TSS, checked. */
function newTask(cpu: CpuContext, { selector, kind, external }: TaskSwitch): Descriptor {
  const returns = kind === "return";
  const vector = returns ? VECTOR_TS : VECTOR_GP;
  const error = (selector & SELECTOR_ERROR) | external;
  if (selector & SELECTOR_TI) throw new GuestFault(vector, error);
  const descriptor = readDescriptor(cpu, selector, vector, external);
  const type = descriptor.access & ACCESS_TYPE;
  const valid = returns
    ? type === TYPE_TSS_BUSY || type === TYPE_TSS16_BUSY
    : type === TYPE_TSS_AVAILABLE || type === TYPE_TSS16_AVAILABLE;
  if (isCodeOrData(descriptor) || !valid) throw new GuestFault(vector, error);
  if (!isPresent(descriptor)) throw new GuestFault(VECTOR_NP, error);
  if (descriptor.limit < formatOf(descriptor.access).minimumLimit) throw new GuestFault(VECTOR_TS, error);
  return descriptor;
}

function readImage(cpu: CpuContext, descriptor: Descriptor): Image {
  const format = formatOf(descriptor.access);
  const mode = implicitAccessMode(cpu);
  const read = (offset: number, size: number): number =>
    readMemory(cpu, at(descriptor.base, offset), size, mode);
  const general: number[] = [];
  for (let i = 0; i < LEGACY_GENERAL_REGISTERS; i++)
    general.push(read(format.general + i * format.size, format.size));
  const selectors: number[] = [];
  for (let i = 0; i < SEGMENT_REGISTERS; i++) {
    selectors.push(i < format.segmentCount ? read(format.segments + i * format.segmentStride, 2) : 0);
  }
  const wide = format === FORMAT32;
  return {
    format,
    ip: read(format.ip, format.size),
    flags: read(format.flags, format.size),
    general,
    selectors,
    ldt: read(format.ldt, 2),
    cr3: wide ? read(TSS32_CR3, 4) : 0,
    trap: wide && (read(TSS32_TRAP, 2) & TRAP) !== 0,
  };
}

/** The fields that a switch writes into the TSS of the task it leaves: offset, size, value. */
function savedFields(cpu: CpuContext, format: Format, rip: number, flags: number): number[][] {
  const fields = [
    [format.ip, format.size, rip],
    [format.flags, format.size, flags],
  ];
  for (let i = 0; i < LEGACY_GENERAL_REGISTERS; i++) {
    fields.push([format.general + i * format.size, format.size, cpu.low(L.GPR + i * 8)]);
  }
  for (let i = 0; i < format.segmentCount; i++) {
    fields.push([format.segments + i * format.segmentStride, 2, cpu.selector(i)]);
  }
  return fields;
}

/** Puts the old task away. Every access was translated before, so that none can fault half-way. */
function leaveTask(cpu: CpuContext, request: TaskSwitch, next: Descriptor): void {
  const mode = implicitAccessMode(cpu);
  const base = cpu.segmentBase(L.TR);
  const old = cpu.selector(L.TR);
  const format = formatOf(cpu.access(L.TR));
  if (cpu.access(L.TR) & ACCESS_UNUSABLE || cpu.limit(L.TR) < format.minimumLimit) {
    throw new GuestFault(VECTOR_TS, (old & SELECTOR_ERROR) | request.external);
  }
  const nests = request.kind === "nest";
  const left = nests ? undefined : readDescriptor(cpu, old, VECTOR_TS, request.external);
  const fields = savedFields(cpu, format, request.rip, request.flags);
  for (const [offset, size] of fields) probe(cpu, at(base, offset), size, WRITE, mode);
  if (left) probe(cpu, left.linear, 8, WRITE, mode);
  probe(cpu, next.linear, 8, WRITE, mode);
  if (nests) probe(cpu, at(next.base, TSS_LINK), 2, WRITE, mode);
  for (const [offset, size, value] of fields) writeMemory(cpu, at(base, offset), size, mode, value);
  if (left) setDescriptorType(cpu, left, 0, TYPE_BUSY);
  if (nests) writeMemory(cpu, at(next.base, TSS_LINK), 2, mode, old);
}

/** Loads everything but the hidden parts of the segment registers: those of the old task are gone. */
function loadRegisters(cpu: CpuContext, image: Image, flags: number): void {
  const watched = cpu.breakpoints.execution.length > 0;
  writeFlags(cpu, watched ? flags : flags & ~FLAG_RF, FLAGS_STATUS | FLAGS_SYSTEM);
  const upper = image.format === FORMAT16 ? UPPER_OF_TASK16 : 0;
  image.general.forEach((value, i) => cpu.setPair(L.GPR + i * 8, (value | upper) >>> 0, 0));
  cpu.setPair(L.RIP, image.ip, 0);
  image.selectors.forEach((selector, segment) => setNull(cpu, segment, selector));
  setNull(cpu, L.LDTR, image.ldt);
  cpu.set32(L.CPL, flags & FLAG_VM ? 3 : image.selectors[L.CS] & SELECTOR_RPL);
}

function loadCode(cpu: CpuContext, selector: number, external: number): void {
  const error = (selector & SELECTOR_ERROR) | external;
  if (isNull(selector)) throw new GuestFault(VECTOR_TS, error);
  const descriptor = readDescriptor(cpu, selector, VECTOR_TS, external);
  if (!isCodeSegment(descriptor)) throw new GuestFault(VECTOR_TS, error);
  const dpl = dplOf(descriptor.access);
  const allowed = isConforming(descriptor) ? dpl <= cpu.cpl : dpl === cpu.cpl;
  if (!allowed) throw new GuestFault(VECTOR_TS, error);
  if (!isPresent(descriptor)) throw new GuestFault(VECTOR_NP, error);
  markAccessed(cpu, descriptor);
  setCodeSegment(cpu, selector, descriptor, cpu.cpl);
}

function loadStack(cpu: CpuContext, selector: number, external: number): void {
  if (isNull(selector)) throw new GuestFault(VECTOR_TS, (selector & SELECTOR_ERROR) | external);
  const descriptor = readDescriptor(cpu, selector, VECTOR_TS, external);
  checkStackDescriptor(selector, descriptor, cpu.cpl, VECTOR_TS, external);
  markAccessed(cpu, descriptor);
  setFromDescriptor(cpu, L.SS, selector, descriptor);
}

function loadData(cpu: CpuContext, segment: number, selector: number, external: number): void {
  if (isNull(selector)) return;
  const descriptor = readDescriptor(cpu, selector, VECTOR_TS, external);
  checkDataDescriptor(cpu, selector, descriptor, VECTOR_TS, external);
  markAccessed(cpu, descriptor);
  setFromDescriptor(cpu, segment, selector, descriptor);
}

/** Loads and checks LDTR and the segment registers, in the context of the new task. */
function loadSegments(cpu: CpuContext, { ldt, selectors }: Image, external: number): void {
  loadLdt(cpu, ldt, { invalid: VECTOR_TS, notPresent: VECTOR_TS, external });
  if (cpu.virtual8086) {
    selectors.forEach((selector, segment) => loadRealSegment(cpu, segment, selector));
    return;
  }
  loadCode(cpu, selectors[L.CS], external);
  loadStack(cpu, selectors[L.SS], external);
  for (const segment of [L.ES, L.DS, L.FS, L.GS]) loadData(cpu, segment, selectors[segment], external);
}

function pushErrorCode(cpu: CpuContext, { errorCode, external }: TaskSwitch, size: number): void {
  if (errorCode === NO_ERROR_CODE) return;
  const stack = currentStack(cpu);
  stack.errorCode = external;
  pushValues(cpu, stack, size, [errorCode]);
  storePointer(cpu, stack);
}

/** What is done in the new task's context, up to its first instruction. */
function enterTask(cpu: CpuContext, request: TaskSwitch, image: Image): void {
  const nested = request.kind === "nest" ? FLAG_NT : 0;
  if (image.format === FORMAT32 && cpu.get32(L.CR0) & CR0_PG) loadCr3(cpu, image.cr3, 0);
  loadRegisters(cpu, image, image.flags | nested);
  loadSegments(cpu, image, request.external);
  refreshMode(cpu);
  pushErrorCode(cpu, request, image.format.size);
  if (image.ip > cpu.limit(L.CS)) generalProtection(request.external);
  if (!image.trap) return;
  cpu.set32(L.DR6, cpu.get32(L.DR6) | DR6_BT);
  throw new GuestFault(VECTOR_DB);
}

/**
 * Switches to another task: RIP is the new one's then. Throws #GP, #TS, #NP or #PF; the fault is marked when the
 * new task has begun.
 */
export function switchTask(cpu: CpuContext, request: TaskSwitch): void {
  const descriptor = newTask(cpu, request);
  const image = readImage(cpu, descriptor);
  leaveTask(cpu, request, descriptor);
  if (request.kind !== "return") setDescriptorType(cpu, descriptor, TYPE_BUSY);
  setFromDescriptor(cpu, L.TR, request.selector, descriptor);
  cpu.set32(L.CR0, cpu.get32(L.CR0) | CR0_TS);
  cpu.set32(L.DR7, cpu.get32(L.DR7) & ~DR7_LOCAL);
  try {
    refreshBreakpoints(cpu);
    enterTask(cpu, request, image);
  } catch (fault) {
    if (fault instanceof GuestFault) fault.inNewTask = true;
    throw fault;
  } finally {
    refreshMode(cpu);
  }
  openInterruptWindow(cpu);
}
