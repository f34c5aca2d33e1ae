/**
 * How helpers end, and the checks that many of them begin with. Knows no single instruction.
 *
 * Specification: Intel SDM vol. 3A §5.9 (privileged instructions), §6.8.1 (interrupt windows).
 */
import { CR0_TS, FLAG_IF, FLAG_IOPL, FLAG_TF, VECTOR_NM } from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { refreshDataAccess } from "../mode.js";
import { generalProtection, GuestFault } from "./faults.js";

/** Executes one instruction that `record` holds. Returns 1 to continue behind it, 0 when it has stored RIP. */
export type Helper = (cpu: CpuContext, record: number, info: number) => number;

export const CONTINUE = 1;
export const RESOLVE = 0;

/** Ends an instruction that may have changed how the next one is fetched or decoded: RIP is stored. */
export function resolveNext(cpu: CpuContext, record: number): number {
  cpu.setAddress(L.RIP, cpu.nextRip(record));
  return RESOLVE;
}

/** Continues, unless MODE_KEY is no longer `key`. */
export function continueUnlessModeChanged(cpu: CpuContext, record: number, key: number): number {
  return cpu.get32(L.MODE_KEY) === key ? CONTINUE : resolveNext(cpu, record);
}

/** #GP(0) unless at privilege level 0. */
export function requireSupervisor(cpu: CpuContext): void {
  if (cpu.cpl !== 0) generalProtection();
}

/** #GP(0) in virtual-8086 mode below IOPL 3: PUSHF, POPF, INT n and IRET are left to the monitor. Vol. 3A §20.2.7. */
export function requireVirtualIopl(cpu: CpuContext): void {
  if (cpu.virtual8086 && (cpu.get32(L.FLAG_SYSTEM) & FLAG_IOPL) !== FLAG_IOPL) generalProtection();
}

/** #NM when CR0.TS is set. */
export function requireTaskClean(cpu: CpuContext): void {
  if (cpu.get32(L.CR0) & CR0_TS) throw new GuestFault(VECTOR_NM);
}

/** After flags were loaded: leaves generated code when an interrupt may be taken now or a single step is due. */
export function openInterruptWindow(cpu: CpuContext): void {
  const flags = cpu.get32(L.FLAG_SYSTEM);
  const pending = cpu.get32(L.INTERRUPT_PENDING);
  const takes = (flags & FLAG_IF) !== 0 ? pending !== 0 : (pending & L.PENDING_NMI) !== 0;
  if (takes || flags & FLAG_TF) cpu.services.requestExit(cpu);
}

/** Sets the privilege level where the code size stays 64 bits: a cheaper `refreshMode`. */
export function setPrivilege64(cpu: CpuContext, cpl: number): void {
  cpu.set32(L.CPL, cpl);
  cpu.set32(L.CODE_ACCESS, cpl === 3 ? 1 : 0);
  refreshDataAccess(cpu);
}
