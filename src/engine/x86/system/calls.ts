/**
 * The functions that generated code and the run loop call: slow translation, checked addresses, helpers, code
 * fetch. Each either does its work or delivers the guest's fault and says so. Knows no single instruction.
 */
import { VECTOR_DB, VECTOR_GP, VECTOR_SS, VECTOR_UD } from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { dataAccessMode, implicitAccessMode } from "../mode.js";
import { commitPending, isCanonical, READ, resolveExplicit } from "./access.js";
import { deliverDebugTrap, deliverFault, deliverRecorded } from "./delivery.js";
import { GuestFault } from "./faults.js";
import {
  INFO_ACCESS,
  INFO_ADDEND,
  INFO_ALIGNED,
  INFO_ACCESS_SHIFT,
  INFO_IMPLICIT_SUPERVISOR,
  INFO_SIZE,
  INFO_STACK,
} from "../call-info.js";
import { addressesStack, checkSegment, effectiveAddress, stringRoom } from "./operands.js";
import { RESOLVE, type Helper } from "./outcome.js";
import { translateFetchPage } from "./translate.js";

export { CONTINUE, RESOLVE, type Helper } from "./outcome.js";

/**
 * The access at MAIL_ADDRESS that `info` describes: host address of its bytes, in RAM or in SCRATCH (a write to
 * SCRATCH needs `commit`). On a fault the exception is delivered and the result is 0.
 */
export function slowTranslate(cpu: CpuContext, record: number, info: number): number {
  const linear = cpu.getAddress(L.MAIL_ADDRESS);
  const size = info & INFO_SIZE;
  const access = (info >>> INFO_ACCESS_SHIFT) & INFO_ACCESS;
  const mode = info & INFO_IMPLICIT_SUPERVISOR ? implicitAccessMode(cpu) : dataAccessMode(cpu, cpu.cpl);
  const host = resolveExplicit(cpu, linear, size, access, mode, VECTOR_GP);
  if (host >= 0) return host;
  if (cpu.faultVector === VECTOR_GP && (info & INFO_STACK || addressesStack(cpu, record))) {
    cpu.faultVector = VECTOR_SS;
  }
  cpu.setAddress(L.RIP, cpu.instructionRip(record));
  deliverRecorded(cpu);
  return 0;
}

/** Writes out what generated code stored in SCRATCH after `slowTranslate` returned it for a write. */
export function commit(cpu: CpuContext): void {
  commitPending(cpu);
}

/**
 * Delivers a thrown guest fault, for the instruction in `record` or for the task that it has switched to; anything else
 * is a bug and goes on.
 */
function deliverThrown(cpu: CpuContext, record: number, error: unknown): void {
  if (!(error instanceof GuestFault)) throw error;
  if (error.inNewTask && error.vector === VECTOR_DB) return deliverDebugTrap(cpu, false);
  if (!error.inNewTask) cpu.setAddress(L.RIP, cpu.instructionRip(record));
  deliverFault(cpu, error.vector, error.errorCode, error.linear);
}

/** Stores the linear address of the memory operand (plus MAIL_ADDRESS if `info` says so) at MAIL_ADDRESS: 1, or 0 with its segment fault delivered. */
export function checkedAddress(cpu: CpuContext, record: number, info: number): number {
  try {
    const write = ((info >>> INFO_ACCESS_SHIFT) & INFO_ACCESS) !== READ;
    const addend = info & INFO_ADDEND ? L.MAIL_ADDRESS : L.ZERO_SLOT;
    const size = info & INFO_SIZE;
    const alignment = info & INFO_ALIGNED ? size : 1;
    cpu.setAddress(L.MAIL_ADDRESS, effectiveAddress(cpu, record, size, write, 0, addend, alignment));
    return 1;
  } catch (error) {
    deliverThrown(cpu, record, error);
    return 0;
  }
}

/** Room of a string operand, see `stringRoom`; 0 with its segment fault delivered. */
export function checkedString(cpu: CpuContext, record: number, info: number): number {
  try {
    return stringRoom(cpu, record, info);
  } catch (error) {
    deliverThrown(cpu, record, error);
    return 0;
  }
}

/** Checks the stack offset at MAIL_ADDRESS against SS: 1, or 0 with the fault delivered. */
export function checkedStack(cpu: CpuContext, record: number, info: number): number {
  try {
    const write = ((info >>> INFO_ACCESS_SHIFT) & INFO_ACCESS) !== READ;
    checkSegment(cpu, L.SS, cpu.getAddress(L.MAIL_ADDRESS), info & INFO_SIZE, write);
    return 1;
  } catch (error) {
    deliverThrown(cpu, record, error);
    return 0;
  }
}

/** Runs a helper: its result, or 0 with the fault that it threw delivered. */
export function runHelper(cpu: CpuContext, helper: Helper, record: number, info: number): number {
  try {
    return helper(cpu, record, info);
  } catch (error) {
    deliverThrown(cpu, record, error);
    return RESOLVE;
  }
}

/** Delivers a fault of the instruction in `record` that generated code has found, for instance #DE. Returns 0. */
export function raise(cpu: CpuContext, record: number, vector: number, errorCode = 0): 0 {
  cpu.setAddress(L.RIP, cpu.instructionRip(record));
  deliverFault(cpu, vector, errorCode);
  return 0;
}

/** Result of `translateCode` when a fault was delivered instead. */
export const FETCH_FAULTED = -1;

/**
 * Linear address of the instruction at RIP + `ahead` bytes, or NaN when RIP lies outside CS and #GP was delivered.
 */
export function codeLinear(cpu: CpuContext, ahead = 0): number {
  const rip = cpu.getAddress(L.RIP) + ahead;
  if (cpu.code64) {
    if (isCanonical(rip)) return rip;
  } else if (rip <= cpu.limit(L.CS)) return (cpu.segmentBase(L.CS) + rip) >>> 0;
  deliverFault(cpu, VECTOR_GP, 0);
  return NaN;
}

/**
 * RAM offset of the instruction byte at a linear address, its page entered in the instruction TLB. -1 when the
 * fetch faulted: the exception was delivered, with RIP as it stood. What is no RAM reads as all ones to a fetch,
 * device registers included, and FF FF is an undefined instruction: #UD.
 */
export function translateCode(cpu: CpuContext, linear: number): number {
  if (!isCanonical(linear)) {
    deliverFault(cpu, VECTOR_GP, 0);
    return FETCH_FAULTED;
  }
  const pageOffset = translateFetchPage(cpu, linear);
  if (pageOffset >= 0) return pageOffset + (linear & (L.PAGE_SIZE - 1));
  if (pageOffset === FETCH_FAULTED) deliverRecorded(cpu);
  else {
    cpu.services.unimplemented(cpu, "code outside RAM reads as all ones");
    deliverFault(cpu, VECTOR_UD, 0);
  }
  return FETCH_FAULTED;
}

/** What `translateCodeBehind` gives for bytes outside RAM. */
export const FETCH_ONES = -2;

/**
 * As `translateCode`, for the second page of an instruction: outside RAM there is no fault, its bytes are ones
 * (`FETCH_ONES`) and may well complete an instruction.
 */
export function translateCodeBehind(cpu: CpuContext, linear: number): number {
  if (isCanonical(linear)) {
    const known = cpu.tlb.fetchedPage(linear, cpu.get32(L.CODE_ACCESS));
    if (known >= 0) return known + (linear & (L.PAGE_SIZE - 1));
    if (translateFetchPage(cpu, linear) === FETCH_ONES) return FETCH_ONES;
  }
  return translateCode(cpu, linear);
}

/** Takes the fast write right to a RAM page that now holds code from every CPU. `ramPage`: RAM offset >> 12. */
export function codePageAdded(cpus: Iterable<CpuContext>, ramPage: number): void {
  for (const cpu of cpus) cpu.tlb.stripWriteTags(cpu.services.ramBase + ramPage * L.PAGE_SIZE);
}
