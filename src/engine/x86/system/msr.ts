/**
 * RDMSR and WRMSR: what each model-specific register answers and accepts. Unknown registers raise #GP(0), which
 * operating systems probe for.
 *
 * Specification: Intel SDM vol. 4, chapter 2; vol. 2, RDMSR, WRMSR.
 */
import { TWO_32 } from "../../../bytes/words.js";
import {
  COMMAND_BIT,
  DEBUGCTL_MASK,
  MSR_IA32_APIC_BASE,
  MSR_IA32_ARCH_CAPABILITIES,
  MSR_IA32_BIOS_SIGN_ID,
  MSR_IA32_BIOS_UPDT_TRIG,
  MSR_IA32_CSTAR,
  MSR_IA32_DEBUGCTL,
  MSR_IA32_EFER,
  MSR_IA32_FLUSH_CMD,
  MSR_IA32_FMASK,
  MSR_IA32_FS_BASE,
  MSR_IA32_GS_BASE,
  MSR_IA32_KERNEL_GS_BASE,
  MSR_IA32_LSTAR,
  MSR_IA32_MCG_CAP,
  MSR_IA32_MCG_CTL,
  MSR_IA32_MTRRCAP,
  MSR_IA32_PAT,
  MSR_IA32_PERF_STATUS,
  MSR_IA32_PLATFORM_ID,
  MSR_IA32_PRED_CMD,
  MSR_IA32_SPEC_CTRL,
  MSR_IA32_SYSENTER_EIP,
  MSR_IA32_SYSENTER_ESP,
  MSR_IA32_TSC,
  MSR_IA32_TSC_AUX,
  MSR_IA32_TSC_DEADLINE,
  MSR_PLATFORM_INFO,
  MSR_X2APIC_FIRST,
  MSR_X2APIC_LAST,
  PAT_TYPES,
  SPEC_CTRL_MASK,
} from "../../../spec/x86-msr.js";
import { CR0_PG, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE } from "../../../spec/x86-privileged.js";
import { CPU_IDENTITY_MSRS } from "../../../x86/cpu-identity.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { RAX, RCX, RDX } from "../layout.js";
import { refreshMode } from "../mode.js";
import { isCanonical } from "./access.js";
import { generalProtection } from "./faults.js";
import { MSR_SLOTS, readTableMsr, TABLE_MSRS } from "./msr-storage.js";
import { CONTINUE, type Helper, openInterruptWindow, requireSupervisor, resolveNext } from "./outcome.js";
import { readTimeStamp, writeTimeStamp } from "./time.js";

const LOW_64 = 0xffffffffn;

/** Registers that always read the same and ignore or refuse writes. */
const CONSTANTS: ReadonlyMap<number, bigint> = new Map([
  [MSR_IA32_PLATFORM_ID, CPU_IDENTITY_MSRS[MSR_IA32_PLATFORM_ID] ?? 0n],
  [MSR_IA32_MTRRCAP, CPU_IDENTITY_MSRS[MSR_IA32_MTRRCAP] ?? 0n],
  [MSR_PLATFORM_INFO, 0n],
  // No bank reports machine checks, and there is no IA32_MCG_CTL.
  [MSR_IA32_MCG_CAP, 0n],
  [MSR_IA32_PERF_STATUS, 0n],
]);

/** Registers whose value is a linear address. */
const ADDRESS_MSRS: ReadonlySet<number> = new Set([
  MSR_IA32_FS_BASE,
  MSR_IA32_GS_BASE,
  MSR_IA32_KERNEL_GS_BASE,
  MSR_IA32_LSTAR,
  MSR_IA32_CSTAR,
  MSR_IA32_SYSENTER_ESP,
  MSR_IA32_SYSENTER_EIP,
]);

function isApicMsr(index: number): boolean {
  return (
    index === MSR_IA32_TSC_DEADLINE ||
    index === MSR_IA32_APIC_BASE ||
    (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST)
  );
}

/** Value of a register that is not in the CPU area; undefined raises #GP(0). */
function readOther(cpu: CpuContext, index: number): bigint | undefined {
  if (isApicMsr(index)) return cpu.services.host.readApicMsr(cpu.id, index);
  if (index === MSR_IA32_EFER) return BigInt(cpu.get32(L.EFER));
  if (index === MSR_IA32_ARCH_CAPABILITIES) {
    return cpu.cpuid.has("arch_capabilities") ? CPU_IDENTITY_MSRS[index] : undefined;
  }
  if (index === MSR_IA32_MCG_CTL) return undefined;
  return TABLE_MSRS.has(index) ? readTableMsr(cpu, index) : CONSTANTS.get(index);
}

function rdmsr(cpu: CpuContext): number {
  requireSupervisor(cpu);
  const index = cpu.get32(RCX);
  const offset = MSR_SLOTS.get(index);
  if (index === MSR_IA32_TSC) readTimeStamp(cpu);
  else if (offset !== undefined && slotExists(cpu, index)) {
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

/** Whether a register with a place in the CPU area exists on this CPU. */
function slotExists(cpu: CpuContext, index: number): boolean {
  return index !== MSR_IA32_SPEC_CTRL || cpu.cpuid.has("spec_ctrl");
}

function validPat(low: number, high: number): boolean {
  for (let shift = 0; shift < 32; shift += 8) {
    for (const half of [low, high]) {
      const type = (half >>> shift) & 0xff;
      if (type > 7 || !((PAT_TYPES >>> type) & 1)) return false;
    }
  }
  return true;
}

/** Whether a register in the CPU area accepts a value. */
function acceptsSlot(cpu: CpuContext, index: number, low: number, high: number): boolean {
  if (ADDRESS_MSRS.has(index)) return isCanonical((high | 0) * TWO_32 + low);
  if (index === MSR_IA32_PAT) return validPat(low, high);
  if (index === MSR_IA32_TSC_AUX || index === MSR_IA32_FMASK) return high === 0;
  if (index === MSR_IA32_SPEC_CTRL) {
    return slotExists(cpu, index) && high === 0 && (low & ~SPEC_CTRL_MASK) === 0;
  }
  return true;
}

function writeEfer(cpu: CpuContext, low: number, high: number): void {
  const old = cpu.get32(L.EFER);
  let allowed = EFER_SCE | EFER_LME | EFER_LMA;
  if (cpu.cpuid.has("nx")) allowed |= EFER_NXE;
  if (high !== 0 || low & ~allowed) generalProtection();
  if ((old ^ low) & EFER_LME && cpu.get32(L.CR0) & CR0_PG) generalProtection();
  cpu.setPair(L.EFER, ((low & ~EFER_LMA) | (old & EFER_LMA)) >>> 0, 0);
  if ((old ^ low) & EFER_NXE) cpu.tlb.flushAll();
  refreshMode(cpu);
}

/** Writes a command register or one outside the CPU area; false raises #GP(0). */
function writeOther(cpu: CpuContext, index: number, low: number, high: number): boolean {
  if (isApicMsr(index)) {
    const value = high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
    return cpu.services.host.writeApicMsr(cpu.id, index, value);
  }
  const command = high === 0 && (low & ~COMMAND_BIT) === 0;
  if (index === MSR_IA32_PRED_CMD) return command && cpu.cpuid.has("spec_ctrl");
  if (index === MSR_IA32_FLUSH_CMD) return command && cpu.cpuid.has("flush_l1d");
  // Microcode: loads are accepted and change nothing, so that the revision stays readable.
  if (index === MSR_IA32_BIOS_UPDT_TRIG || index === MSR_IA32_BIOS_SIGN_ID) return true;
  if (index === MSR_IA32_DEBUGCTL && (high !== 0 || low & ~DEBUGCTL_MASK)) return false;
  if (index === MSR_IA32_MCG_CTL || !TABLE_MSRS.has(index)) return false;
  cpu.msrTable.set(index, (BigInt(high) << 32n) | BigInt(low));
  return true;
}

function wrmsr(cpu: CpuContext, record: number): number {
  requireSupervisor(cpu);
  const index = cpu.get32(RCX);
  const low = cpu.get32(RAX);
  const high = cpu.get32(RDX);
  const offset = MSR_SLOTS.get(index);
  if (offset !== undefined) {
    if (!acceptsSlot(cpu, index, low, high)) generalProtection();
    cpu.setPair(offset, low, high);
  } else if (index === MSR_IA32_EFER) writeEfer(cpu, low, high);
  else if (index === MSR_IA32_TSC) writeTimeStamp(cpu, low, high);
  else {
    if (!writeOther(cpu, index, low, high)) generalProtection();
    openInterruptWindow(cpu);
  }
  return resolveNext(cpu, record);
}

export const MODEL_SPECIFIC: Record<string, Helper> = { rdmsr, wrmsr };
