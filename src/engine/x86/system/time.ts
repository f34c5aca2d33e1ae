/**
 * The time-stamp counter: RDTSC, RDTSCP, IA32_TIME_STAMP_COUNTER. The machine's clock gives the ticks, TSC_ADJUST is
 * the guest's. Also RDPMC, of which there are no counters, and RDPID.
 *
 * Specification: Intel SDM vol. 2, RDTSC, RDTSCP, RDPMC, RDPID; vol. 3B §17.17.3 (IA32_TSC_ADJUST).
 */
import { TWO_32 } from "../../../bytes/words.js";
import { CR4_TSD } from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { RAX, RCX, RDX } from "../layout.js";
import { generalProtection } from "./faults.js";
import { CONTINUE, type Helper } from "./outcome.js";

function machineTicks(cpu: CpuContext): number {
  return cpu.services.host.readTsc(cpu.id, cpu.services.instructionsInRun(cpu));
}

/** Puts the time stamp into EDX:EAX. */
export function readTimeStamp(cpu: CpuContext): void {
  const ticks = machineTicks(cpu);
  const low = (ticks >>> 0) + cpu.low(L.MSR_TSC_ADJUST);
  const carry = low >= TWO_32 ? 1 : 0;
  const high = Math.floor(ticks / TWO_32) + cpu.upper(L.MSR_TSC_ADJUST) + carry;
  cpu.setPair(RAX, low >>> 0, 0);
  cpu.setPair(RDX, high >>> 0, 0);
}

/** Sets the time stamp, by way of TSC_ADJUST. */
export function writeTimeStamp(cpu: CpuContext, low: number, high: number): void {
  const ticks = machineTicks(cpu);
  const adjustLow = low - (ticks >>> 0);
  const borrow = adjustLow < 0 ? 1 : 0;
  cpu.setPair(L.MSR_TSC_ADJUST, adjustLow >>> 0, (high - Math.floor(ticks / TWO_32) - borrow) >>> 0);
}

function requireTimeStamp(cpu: CpuContext): void {
  if (cpu.get32(L.CR4) & CR4_TSD && cpu.cpl > 0) generalProtection();
}

function rdtsc(cpu: CpuContext): number {
  requireTimeStamp(cpu);
  readTimeStamp(cpu);
  return CONTINUE;
}

function rdtscp(cpu: CpuContext): number {
  requireTimeStamp(cpu);
  readTimeStamp(cpu);
  cpu.setPair(RCX, cpu.get32(L.TSC_AUX), 0);
  return CONTINUE;
}

function rdpid(cpu: CpuContext, record: number): number {
  cpu.setPair(cpu.rmOffset(record), cpu.get32(L.TSC_AUX), 0);
  return CONTINUE;
}

export const TIME: Record<string, Helper> = { rdtsc, rdtscp, rdpid, rdpmc: () => generalProtection() };
