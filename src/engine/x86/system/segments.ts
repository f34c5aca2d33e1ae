/**
 * Loading segment registers: data segments and SS with their checks, CS once a control transfer has checked it,
 * LDTR and TR. Throws guest faults before it changes anything.
 *
 * Specification: Intel SDM vol. 2A, MOV and LLDT/LTR; vol. 3A §3.4, §5.5–5.8.
 */
import {
  ACCESS_ACCESSED,
  ACCESS_CODE,
  ACCESS_DB,
  ACCESS_DOWN_OR_CONFORMING,
  ACCESS_DPL,
  ACCESS_DPL_SHIFT,
  ACCESS_L,
  ACCESS_P,
  ACCESS_S,
  ACCESS_TYPE,
  ACCESS_UNUSABLE,
  ACCESS_WRITE_OR_READ,
  SELECTOR_ERROR,
  SELECTOR_RPL,
  SELECTOR_TI,
  TYPE_BUSY,
  TYPE_LDT,
  TYPE_TSS16_AVAILABLE,
  TYPE_TSS_AVAILABLE,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_SS,
} from "../../../spec/x86-privileged.js";
import type { CpuContext, Descriptor } from "../cpu-context.js";
import * as L from "../layout.js";
import { refreshMode } from "../mode.js";
import {
  isCodeOrData,
  isNull,
  isPresent,
  markAccessed,
  readDescriptor,
  readSystemDescriptor,
  setDescriptorType,
} from "./descriptors.js";
import { isCanonical } from "./access.js";
import { generalProtection, GuestFault } from "./faults.js";

/** Access rights of a segment loaded in real mode: present, writable or (CS) readable, accessed. */
const REAL_MODE_ACCESS = ACCESS_P | ACCESS_S | ACCESS_WRITE_OR_READ | ACCESS_ACCESSED;
/** Every segment of virtual-8086 mode, CS too: 64 KiB, writable, DPL 3. Vol. 3C §26.3.1.2. */
const VIRTUAL_ACCESS = REAL_MODE_ACCESS | ACCESS_DPL;
export const VIRTUAL_LIMIT = 0xffff;

/** Descriptor privilege level in an access-rights word. */
export function dplOf(access: number): number {
  return (access >>> ACCESS_DPL_SHIFT) & 3;
}

/** Throws unless the descriptor may be loaded into SS at privilege `cpl`. `notPresent` of SS is #SS. */
export function checkStackDescriptor(
  selector: number,
  descriptor: Descriptor,
  cpl: number,
  vector = VECTOR_GP,
  external = 0,
): void {
  const error = (selector & SELECTOR_ERROR) | external;
  const { access } = descriptor;
  const writableData =
    isCodeOrData(descriptor) && !(access & ACCESS_CODE) && (access & ACCESS_WRITE_OR_READ) !== 0;
  if ((selector & SELECTOR_RPL) !== cpl || dplOf(access) !== cpl || !writableData) {
    throw new GuestFault(vector, error);
  }
  if (!isPresent(descriptor)) throw new GuestFault(VECTOR_SS, error);
}

/** Puts a checked descriptor into a segment register. */
export function setFromDescriptor(
  cpu: CpuContext,
  segment: number,
  selector: number,
  descriptor: Descriptor,
): void {
  cpu.setSegment(segment, selector, descriptor.base, descriptor.limit, descriptor.access);
}

/** A null selector in a data segment register or LDTR. */
export function setNull(cpu: CpuContext, segment: number, selector: number): void {
  cpu.setSegment(segment, selector, 0, 0, ACCESS_UNUSABLE);
}

/** SS as 64-bit mode leaves it after a change of privilege: null, with the new level as its RPL. */
export function setNullStack(cpu: CpuContext, cpl: number): void {
  cpu.setSegment(L.SS, cpl, 0, 0, ACCESS_UNUSABLE | (cpl << ACCESS_DPL_SHIFT));
}

/** Throws unless the descriptor may be loaded into ES, DS, FS or GS at the current privilege level. */
export function checkDataDescriptor(
  cpu: CpuContext,
  selector: number,
  descriptor: Descriptor,
  vector = VECTOR_GP,
  external = 0,
): void {
  const { access } = descriptor;
  const error = (selector & SELECTOR_ERROR) | external;
  const code = (access & ACCESS_CODE) !== 0;
  if (!isCodeOrData(descriptor) || (code && !(access & ACCESS_WRITE_OR_READ))) {
    throw new GuestFault(vector, error);
  }
  const conforming = code && (access & ACCESS_DOWN_OR_CONFORMING) !== 0;
  const dpl = dplOf(access);
  if (!conforming && (dpl < (selector & SELECTOR_RPL) || dpl < cpu.cpl)) throw new GuestFault(vector, error);
  if (!isPresent(descriptor)) throw new GuestFault(VECTOR_NP, error);
}

function loadStackSegment(cpu: CpuContext, selector: number): void {
  if (isNull(selector)) {
    if (!cpu.code64 || cpu.cpl === 3 || (selector & SELECTOR_RPL) !== cpu.cpl) generalProtection();
    setNullStack(cpu, cpu.cpl);
    cpu.set32(L.SEGMENT_SELECTOR + L.SS * 4, selector);
    return;
  }
  const descriptor = readDescriptor(cpu, selector);
  checkStackDescriptor(selector, descriptor, cpu.cpl);
  markAccessed(cpu, descriptor);
  setFromDescriptor(cpu, L.SS, selector, descriptor);
}

/**
 * Loads ES, SS, DS, FS or GS with a selector, by the rules of the current mode, and refreshes the mode. Throws
 * #GP, #SS or #NP with nothing changed.
 */
export function loadSegment(cpu: CpuContext, segment: number, selector: number): void {
  if (cpu.realSegments) loadRealSegment(cpu, segment, selector);
  else if (segment === L.SS) loadStackSegment(cpu, selector);
  else if (isNull(selector)) setNull(cpu, segment, selector);
  else {
    const descriptor = readDescriptor(cpu, selector);
    checkDataDescriptor(cpu, selector, descriptor);
    markAccessed(cpu, descriptor);
    setFromDescriptor(cpu, segment, selector, descriptor);
  }
  refreshMode(cpu);
}

/**
 * Loads a segment in real or virtual-8086 mode: the base follows the selector. In real mode the limit stays ("unreal"
 * mode).
 */
export function loadRealSegment(cpu: CpuContext, segment: number, selector: number): void {
  if (cpu.virtual8086) {
    cpu.setSegment(segment, selector, selector * 16, VIRTUAL_LIMIT, VIRTUAL_ACCESS);
    return;
  }
  const access = segment === L.CS ? REAL_MODE_ACCESS | ACCESS_CODE : REAL_MODE_ACCESS;
  cpu.setSegment(segment, selector, selector * 16, cpu.limit(segment), access);
}

/** Loads CS with a checked descriptor at privilege `cpl`; the caller stores RIP and refreshes the mode. */
export function setCodeSegment(cpu: CpuContext, selector: number, descriptor: Descriptor, cpl: number): void {
  setFromDescriptor(cpu, L.CS, (selector & ~SELECTOR_RPL) | cpl, descriptor);
  cpu.set32(L.CPL, cpl);
}

/** Whether the descriptor is a code segment. */
export function isCodeSegment(descriptor: Descriptor): boolean {
  return isCodeOrData(descriptor) && (descriptor.access & ACCESS_CODE) !== 0;
}

/** Whether a code descriptor is conforming. */
export function isConforming(descriptor: Descriptor): boolean {
  return (descriptor.access & ACCESS_DOWN_OR_CONFORMING) !== 0;
}

/** Throws when a code descriptor has L and D set in IA-32e mode. */
export function checkCodeSize(cpu: CpuContext, selector: number, descriptor: Descriptor): void {
  const both = ACCESS_L | ACCESS_DB;
  if (cpu.longMode && (descriptor.access & both) === both) generalProtection(selector & SELECTOR_ERROR);
}

/** Throws #GP(0) when `rip` is no address of the code segment. By the manual's order the checks of stacks come first. */
export function checkCodePointer(cpu: CpuContext, descriptor: Descriptor, rip: number): void {
  const code64 = cpu.longMode && (descriptor.access & ACCESS_L) !== 0;
  if (code64 ? !isCanonical(rip) : rip > descriptor.limit) generalProtection();
}

/**
 * Loads 0 into the data segments that the code of a less privileged level may not use, and into those that hold a null
 * selector, whatever its RPL (returns to an outer level; vol. 2A, IRET and RET: the pseudo-code).
 */
export function dropPrivilegedSegments(cpu: CpuContext, cpl: number): void {
  for (const segment of [L.ES, L.DS, L.FS, L.GS]) {
    const access = cpu.access(segment);
    const conformingCode =
      (access & ACCESS_CODE) !== 0 && (access & ACCESS_DOWN_OR_CONFORMING) !== 0 && (access & ACCESS_S) !== 0;
    const allowed = (access & ACCESS_UNUSABLE) !== 0 || conformingCode || dplOf(access) >= cpl;
    if (allowed && !isNull(cpu.selector(segment))) continue;
    // The base stays: in 64-bit mode FS and GS still use it.
    cpu.setSegment(segment, 0, cpu.segmentBase(segment), cpu.limit(segment), access | ACCESS_UNUSABLE);
  }
}

/** What a load of LDTR raises: LLDT by default; a task switch has #TS for everything. */
interface LdtFaults {
  invalid: number;
  notPresent: number;
  external: number;
}

const LLDT_FAULTS: LdtFaults = { invalid: VECTOR_GP, notPresent: VECTOR_NP, external: 0 };

/** Loads LDTR, with the checks of LLDT. */
export function loadLdt(cpu: CpuContext, selector: number, faults = LLDT_FAULTS): void {
  if (isNull(selector)) {
    setNull(cpu, L.LDTR, selector);
    return;
  }
  const { invalid, notPresent, external } = faults;
  const error = (selector & SELECTOR_ERROR) | external;
  if (selector & SELECTOR_TI) throw new GuestFault(invalid, error);
  const descriptor = readSystemDescriptor(cpu, selector, invalid, external);
  if (isCodeOrData(descriptor) || (descriptor.access & ACCESS_TYPE) !== TYPE_LDT) {
    throw new GuestFault(invalid, error);
  }
  if (!isPresent(descriptor)) throw new GuestFault(notPresent, error);
  if (!isCanonical(descriptor.base)) throw new GuestFault(invalid, error);
  setFromDescriptor(cpu, L.LDTR, selector, descriptor);
}

/** LTR: marks the TSS busy. */
export function loadTaskRegister(cpu: CpuContext, selector: number): void {
  const error = selector & SELECTOR_ERROR;
  if (isNull(selector)) generalProtection();
  if (selector & SELECTOR_TI) generalProtection(error);
  const descriptor = readSystemDescriptor(cpu, selector);
  const type = descriptor.access & ACCESS_TYPE;
  const available = type === TYPE_TSS_AVAILABLE || (type === TYPE_TSS16_AVAILABLE && !cpu.longMode);
  if (isCodeOrData(descriptor) || !available) generalProtection(error);
  if (!isPresent(descriptor)) throw new GuestFault(VECTOR_NP, error);
  if (!isCanonical(descriptor.base)) generalProtection(error);
  setDescriptorType(cpu, descriptor, TYPE_BUSY);
  setFromDescriptor(cpu, L.TR, selector, descriptor);
}
