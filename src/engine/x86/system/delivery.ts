/**
 * Delivering exceptions and interrupts to the guest: what happens when delivery itself faults (double fault, triple
 * fault), CR2, debug state, and waking from HLT. RIP in the CPU area is what the frame gets: the faulting
 * instruction for faults, the next one for traps and interrupts.
 *
 * Specification: Intel SDM vol. 3A §6.4–6.7, §6.15 (table 6-5, the double-fault conditions).
 */
import { NO_ERROR_CODE } from "./task-switch.js";
import {
  DR7_GD,
  DR6_BREAKPOINTS,
  DR6_BS,
  VECTOR_DB,
  VECTOR_DE,
  VECTOR_DF,
  VECTOR_GP,
  VECTOR_NMI,
  VECTOR_PF,
  VECTOR_TS,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { GuestFault, hasErrorCode } from "./faults.js";
import { enterLongMode, enterProtectedMode, enterRealMode, type GuestEvent } from "./gates.js";

const BENIGN = 0;
const CONTRIBUTORY = 1;
const PAGE_FAULT = 2;
const DOUBLE_FAULT = 3;

/** Class of an exception in the double-fault table. */
function classOf(vector: number): number {
  if (vector === VECTOR_PF) return PAGE_FAULT;
  if (vector === VECTOR_DF) return DOUBLE_FAULT;
  return vector === VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP) ? CONTRIBUTORY : BENIGN;
}

/** Whether a fault during the delivery of a first exception makes a double fault (or, after one, a triple fault). */
function escalates(first: number, second: number): boolean {
  if (first === DOUBLE_FAULT || first === PAGE_FAULT) return second !== BENIGN;
  return first === CONTRIBUTORY && second === CONTRIBUTORY;
}

function enter(cpu: CpuContext, event: GuestEvent): void {
  cpu.set32(L.DELIVERIES, cpu.get32(L.DELIVERIES) + 1);
  if (!cpu.protectedMode) enterRealMode(cpu, event);
  else if (cpu.longMode) enterLongMode(cpu, event);
  else enterProtectedMode(cpu, event);
}

function exceptionEvent(vector: number, errorCode: number): GuestEvent {
  const withCode = hasErrorCode(vector);
  return {
    vector,
    software: false,
    external: 1,
    errorCode: withCode ? errorCode : NO_ERROR_CODE,
    restarts: vector !== VECTOR_DF,
  };
}

function describe(cpu: CpuContext, first: GuestEvent, last: GuestFault): string {
  const rip = cpu.getBig(L.RIP).toString(16);
  return (
    `triple fault: exception ${last.vector} (error code 0x${last.errorCode.toString(16)}) while delivering a ` +
    `double fault; it began with vector ${first.vector}` +
    `${first.errorCode >= 0 ? ` (error code 0x${first.errorCode.toString(16)})` : ""} at RIP 0x${rip}`
  );
}

/**
 * Begins a #DB, which shows its causes in DR6: those given, and the data breakpoints that are pending. B0–B3 are of this
 * exception only, the other bits stay until software clears them (SDM vol. 3B §18.2.3, §18.2.4).
 */
function beginDebugException(cpu: CpuContext, causes: number): void {
  cpu.set32(L.DR6, (cpu.get32(L.DR6) & ~DR6_BREAKPOINTS) | cpu.pendingDebug | causes);
  cpu.pendingDebug = 0;
  cpu.set32(L.DR7, cpu.get32(L.DR7) & ~DR7_GD);
}

/** Delivers an event, or what becomes of it when its delivery faults. */
function deliver(cpu: CpuContext, first: GuestEvent, firstClass: number): void {
  cpu.set32(L.ACTIVITY, 0);
  cpu.set32(L.INTERRUPT_SHADOW, 0);
  cpu.pendingDebug = 0;
  if (cpu.longMode && cpu.services.enterQuickly(cpu, first.vector, first.errorCode, first.restarts)) return;
  let event = first;
  let eventClass = firstClass;
  for (;;) {
    try {
      enter(cpu, event);
      return;
    } catch (fault) {
      if (!(fault instanceof GuestFault)) throw fault;
      if (fault.vector === VECTOR_PF) cpu.setAddress(L.CR2, fault.linear);
      if (fault.vector === VECTOR_DB) beginDebugException(cpu, 0);
      const faultClass = classOf(fault.vector);
      if (!escalates(eventClass, faultClass)) {
        event = exceptionEvent(fault.vector, fault.errorCode);
        // The only #DB of a delivery is the trap into a task with the T flag.
        event.restarts = fault.vector !== VECTOR_DB;
        eventClass = faultClass;
      } else if (eventClass === DOUBLE_FAULT) {
        cpu.services.shutdown(cpu, describe(cpu, first, fault));
        cpu.services.requestExit(cpu);
        return;
      } else {
        event = exceptionEvent(VECTOR_DF, 0);
        eventClass = DOUBLE_FAULT;
      }
    }
  }
}

/**
 * Delivers a fault: RIP is the instruction's. `linear` is the address that a page fault reports in CR2. Data breakpoints
 * that wait behind MOV SS are lost, as on silicon, unless the fault is a #DB itself.
 */
export function deliverFault(cpu: CpuContext, vector: number, errorCode: number, linear = 0): void {
  if (vector === VECTOR_PF) cpu.setAddress(L.CR2, linear);
  if (vector === VECTOR_DB) beginDebugException(cpu, 0);
  deliver(cpu, exceptionEvent(vector, errorCode), classOf(vector));
}

/** Delivers the fault that the last failed translation recorded. */
export function deliverRecorded(cpu: CpuContext): void {
  deliverFault(cpu, cpu.faultVector, cpu.faultCode, cpu.faultLinear);
}

/** Delivers a hardware interrupt, or an NMI when `vector` is 2; NMIs stay blocked until IRET. */
export function deliverInterrupt(cpu: CpuContext, vector: number): void {
  if (vector === VECTOR_NMI) cpu.set32(L.NMI_BLOCKED, 1);
  const event = { vector, software: false, external: 1, errorCode: NO_ERROR_CODE, restarts: false };
  deliver(cpu, event, BENIGN);
}

/**
 * Delivers INT n, INT3 or INTO (`software`), or INT1, which is a #DB and counts as external to the program. RIP is the
 * next instruction's; a fault restarts this one. Data breakpoints that wait behind MOV SS are among the causes of INT1's
 * #DB; else their trap follows at the handler's first instruction.
 */
export function deliverSoftwareInterrupt(
  cpu: CpuContext,
  vector: number,
  software: boolean,
  instructionRip: number,
  nextRip: number,
): void {
  const external = software ? 0 : 1;
  const event = { vector, software, external, errorCode: NO_ERROR_CODE, restarts: false };
  cpu.setAddress(L.RIP, nextRip);
  if (!software) beginDebugException(cpu, 0);
  try {
    enter(cpu, event);
    cpu.set32(L.INTERRUPT_SHADOW, 0);
  } catch (fault) {
    if (!(fault instanceof GuestFault && fault.inNewTask)) cpu.setAddress(L.RIP, instructionRip);
    throw fault;
  }
}

/** Delivers #DB with its `causes` in DR6. RFLAGS.RF is pushed as it stands unless it `restarts` an instruction. */
function deliverDebugEvent(cpu: CpuContext, causes: number, restarts: boolean): void {
  beginDebugException(cpu, causes);
  const event = {
    vector: VECTOR_DB,
    software: false,
    external: 1,
    errorCode: NO_ERROR_CODE,
    restarts,
  };
  deliver(cpu, event, BENIGN);
}

/**
 * The #DB trap after an instruction: of RFLAGS.TF (`stepped`), of data breakpoints that it reached, or both. RIP is
 * the next instruction's, or that of a repeated instruction with elements left (`repeating`).
 */
export function deliverDebugTrap(cpu: CpuContext, stepped: boolean, repeating = false): void {
  deliverDebugEvent(cpu, stepped ? DR6_BS : 0, repeating);
}

/**
 * The #DB of instruction breakpoints, `hits` their bits in DR6: a fault by its RIP, but alone among faults it does not
 * set RF in its frame; its handler does, if the instruction is to run (SDM vol. 3B §18.3.1.1).
 */
export function deliverInstructionBreakpoint(cpu: CpuContext, hits: number): void {
  deliverDebugEvent(cpu, hits, false);
}
