/**
 * RDMSR and WRMSR: what each model-specific register answers and accepts. Unknown registers raise #GP(0), which
 * operating systems probe for.
 *
 * Specification: Intel SDM vol. 4, chapter 2; vol. 2, RDMSR, WRMSR.
 */
import {
  COMMAND_BIT,
  MSR_IA32_APIC_BASE,
  MSR_IA32_ARCH_CAPABILITIES,
  MSR_IA32_BIOS_UPDT_TRIG,
  MSR_IA32_EFER,
  MSR_IA32_FLUSH_CMD,
  MSR_IA32_MCG_CAP,
  MSR_IA32_MTRRCAP,
  MSR_IA32_PERF_STATUS,
  MSR_IA32_PLATFORM_ID,
  MSR_IA32_PRED_CMD,
  MSR_IA32_TSC,
  MSR_IA32_TSC_ADJUST,
  MSR_IA32_TSC_DEADLINE,
  MSR_PLATFORM_INFO,
  MSR_X2APIC_FIRST,
  MSR_X2APIC_LAST,
} from "../../../spec/x86-msr.js";
import { CR0_PG, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE } from "../../../spec/x86-privileged.js";
import { CPU_IDENTITY_MSRS } from "../../../x86/cpu-identity.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { RAX, RCX, RDX } from "../layout.js";
import { refreshMode } from "../mode.js";
import { generalProtection } from "./faults.js";
import { acceptsValue, executeDisableIsOff, featureShows, ignoresWrites, storedLow } from "./msr-rules.js";
import { MSR_SLOTS, readTableMsr, TABLE_MSRS } from "./msr-storage.js";
import { CONTINUE, type Helper, openInterruptWindow, requireSupervisor, resolveNext } from "./outcome.js";
import { readTimeStamp, writeTimeStamp } from "./time.js";

const LOW_64 = 0xffffffffn;
const LAST_TICK = (1n << 64n) - 1n;

/** Registers that always read the same and refuse writes. */
const CONSTANTS: ReadonlyMap<number, bigint> = new Map([
  [MSR_IA32_PLATFORM_ID, CPU_IDENTITY_MSRS[MSR_IA32_PLATFORM_ID] ?? 0n],
  [MSR_IA32_MTRRCAP, CPU_IDENTITY_MSRS[MSR_IA32_MTRRCAP] ?? 0n],
  [MSR_IA32_MCG_CAP, CPU_IDENTITY_MSRS[MSR_IA32_MCG_CAP] ?? 0n],
  [MSR_IA32_ARCH_CAPABILITIES, CPU_IDENTITY_MSRS[MSR_IA32_ARCH_CAPABILITIES] ?? 0n],
  [MSR_PLATFORM_INFO, 0n],
  [MSR_IA32_PERF_STATUS, 0n],
]);

function isApicMsr(index: number): boolean {
  return (
    index === MSR_IA32_TSC_DEADLINE ||
    index === MSR_IA32_APIC_BASE ||
    (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST)
  );
}

/**
 * IA32_TSC_DEADLINE as the guest sees it. The machine keeps it in ticks of its clock, which knows no TSC_ADJUST.
 * Undefined raises #GP(0); 0 is disarmed.
 */
function readDeadline(cpu: CpuContext): bigint | undefined {
  const ticks = cpu.services.host.readApicMsr(cpu.id, MSR_IA32_TSC_DEADLINE);
  return ticks === undefined || ticks === 0n
    ? ticks
    : BigInt.asUintN(64, ticks + cpu.getBig(L.MSR_TSC_ADJUST));
}

/** Arms the deadline timer; a deadline that lay before the clock's start has passed. */
function writeDeadline(cpu: CpuContext, value: bigint): boolean {
  const ticks = value - BigInt.asIntN(64, cpu.getBig(L.MSR_TSC_ADJUST));
  const clock = value === 0n ? 0n : ticks < 1n ? 1n : ticks > LAST_TICK ? LAST_TICK : ticks;
  return cpu.services.host.writeApicMsr(cpu.id, MSR_IA32_TSC_DEADLINE, clock);
}

/** Changes the time stamp against the clock; an armed deadline stays the time stamp that it was. */
function moveTimeStamp(cpu: CpuContext, move: () => void): void {
  const deadline = readDeadline(cpu);
  move();
  if (deadline !== undefined && deadline !== 0n) writeDeadline(cpu, deadline);
}

/** EFER exists with the first of the features that it controls. */
function hasEfer(cpu: CpuContext): boolean {
  return cpu.cpuid.has("syscall") || cpu.cpuid.has("nx") || cpu.cpuid.has("lm");
}

/** Value of a register that is not in the CPU area; undefined raises #GP(0). */
function readOther(cpu: CpuContext, index: number): bigint | undefined {
  if (index === MSR_IA32_TSC_DEADLINE) return readDeadline(cpu);
  if (isApicMsr(index)) return cpu.services.host.readApicMsr(cpu.id, index);
  if (index === MSR_IA32_EFER) return hasEfer(cpu) ? BigInt(cpu.get32(L.EFER)) : undefined;
  return TABLE_MSRS.has(index) ? readTableMsr(cpu, index) : CONSTANTS.get(index);
}

function rdmsr(cpu: CpuContext): number {
  requireSupervisor(cpu);
  const index = cpu.get32(RCX);
  if (!featureShows(cpu, index)) generalProtection();
  const offset = MSR_SLOTS.get(index);
  if (index === MSR_IA32_TSC) readTimeStamp(cpu);
  else if (offset !== undefined) {
    cpu.setPair(RAX, cpu.low(offset), 0);
    cpu.setPair(RDX, cpu.upper(offset), 0);
  } else {
    const value = readOther(cpu, index);
    if (value === undefined) generalProtection();
    cpu.setPair(RAX, Number(value & LOW_64), 0);
    cpu.setPair(RDX, Number(value >> 32n), 0);
  }
  return CONTINUE;
}

/** Bits that EFER may have: those of features that CPUID shows. */
export function allowedEfer({ cpuid }: Pick<CpuContext, "cpuid">): number {
  return (
    (cpuid.has("syscall") ? EFER_SCE : 0) |
    (cpuid.has("lm") ? EFER_LME | EFER_LMA : 0) |
    (cpuid.has("nx") ? EFER_NXE : 0)
  );
}

function writeEfer(cpu: CpuContext, low: number, high: number): void {
  const old = cpu.get32(L.EFER);
  const allowed = allowedEfer(cpu) & ~(executeDisableIsOff(cpu) ? EFER_NXE : 0);
  if (!hasEfer(cpu) || high !== 0 || low & ~allowed) generalProtection();
  if ((old ^ low) & EFER_LME && cpu.get32(L.CR0) & CR0_PG) generalProtection();
  cpu.setPair(L.EFER, ((low & ~EFER_LMA) | (old & EFER_LMA)) >>> 0, 0);
  if ((old ^ low) & EFER_NXE) cpu.tlb.flushAll();
  refreshMode(cpu);
}

/** Writes a command register or one outside the CPU area; false raises #GP(0). */
function writeOther(cpu: CpuContext, index: number, low: number, high: number): boolean {
  if (isApicMsr(index)) {
    const value = high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
    if (index === MSR_IA32_TSC_DEADLINE) return writeDeadline(cpu, value);
    return cpu.services.host.writeApicMsr(cpu.id, index, value);
  }
  if (index === MSR_IA32_PRED_CMD || index === MSR_IA32_FLUSH_CMD)
    return high === 0 && (low & ~COMMAND_BIT) === 0;
  if (index === MSR_IA32_BIOS_UPDT_TRIG || ignoresWrites(index)) return true;
  if (!TABLE_MSRS.has(index) || !acceptsValue(cpu, index, low, high)) return false;
  cpu.msrTable.set(index, (BigInt(high) << 32n) | BigInt(low));
  return true;
}

function wrmsr(cpu: CpuContext, record: number): number {
  requireSupervisor(cpu);
  const index = cpu.get32(RCX);
  const low = cpu.get32(RAX);
  const high = cpu.get32(RDX);
  if (!featureShows(cpu, index)) generalProtection();
  const offset = MSR_SLOTS.get(index);
  if (offset !== undefined) {
    if (!acceptsValue(cpu, index, low, high)) generalProtection();
    const store = (): void => cpu.setPair(offset, storedLow(cpu, index, low) >>> 0, high);
    if (index === MSR_IA32_TSC_ADJUST) moveTimeStamp(cpu, store);
    else store();
  } else if (index === MSR_IA32_EFER) writeEfer(cpu, low, high);
  else if (index === MSR_IA32_TSC) moveTimeStamp(cpu, () => writeTimeStamp(cpu, low, high));
  else {
    if (!writeOther(cpu, index, low, high)) generalProtection();
    openInterruptWindow(cpu);
  }
  return resolveNext(cpu, record);
}

export const MODEL_SPECIFIC: Record<string, Helper> = { rdmsr, wrmsr };
