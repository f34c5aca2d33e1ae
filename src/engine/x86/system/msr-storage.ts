/**
 * Where the model-specific registers that merely hold a value keep it: the hot ones in the CPU area, where generated
 * code reads them, the others in a table of the context. Knows nothing of what writing one does.
 *
 * Specification: Intel SDM vol. 4, chapter 2; vol. 3A table 9-1 (values after reset).
 */
import {
  MSR_IA32_BIOS_SIGN_ID,
  MSR_IA32_CSTAR,
  MSR_IA32_DEBUGCTL,
  MSR_IA32_FMASK,
  MISC_ENABLE_MONITOR,
  MSR_IA32_FS_BASE,
  MSR_IA32_GS_BASE,
  MSR_IA32_KERNEL_GS_BASE,
  MSR_IA32_LSTAR,
  MSR_IA32_MCG_CTL,
  MSR_IA32_MCG_STATUS,
  MSR_IA32_MISC_ENABLE,
  MSR_IA32_MTRR_DEF_TYPE,
  MSR_IA32_MTRR_FIXED,
  MSR_IA32_PAT,
  MSR_IA32_SPEC_CTRL,
  MSR_IA32_STAR,
  MSR_IA32_SYSENTER_CS,
  MSR_IA32_SYSENTER_EIP,
  MSR_IA32_SYSENTER_ESP,
  MSR_IA32_TSC_ADJUST,
  MSR_IA32_TSC_AUX,
  PAT_RESET,
} from "../../../spec/x86-msr.js";
import { CPU_IDENTITY_MSRS } from "../../../x86/cpu-identity.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { MACHINE_CHECK, MTRR_VARIABLE } from "./msr-rules.js";

/** Registers with a place in the CPU area. */
export const MSR_SLOTS: ReadonlyMap<number, number> = new Map([
  [MSR_IA32_STAR, L.MSR_STAR],
  [MSR_IA32_LSTAR, L.MSR_LSTAR],
  [MSR_IA32_CSTAR, L.MSR_CSTAR],
  [MSR_IA32_FMASK, L.MSR_FMASK],
  [MSR_IA32_FS_BASE, L.SEGMENT_BASE + L.FS * 8],
  [MSR_IA32_GS_BASE, L.SEGMENT_BASE + L.GS * 8],
  [MSR_IA32_KERNEL_GS_BASE, L.MSR_KERNEL_GS_BASE],
  [MSR_IA32_TSC_AUX, L.TSC_AUX],
  [MSR_IA32_SYSENTER_CS, L.MSR_SYSENTER_CS],
  [MSR_IA32_SYSENTER_ESP, L.MSR_SYSENTER_ESP],
  [MSR_IA32_SYSENTER_EIP, L.MSR_SYSENTER_EIP],
  [MSR_IA32_PAT, L.MSR_PAT],
  [MSR_IA32_TSC_ADJUST, L.MSR_TSC_ADJUST],
  [MSR_IA32_SPEC_CTRL, L.MSR_SPEC_CTRL],
  [MSR_IA32_MISC_ENABLE, L.MSR_MISC_ENABLE],
]);

/** Segment bases are state of the segment registers already. */
const SEGMENT_MSRS: readonly number[] = [MSR_IA32_FS_BASE, MSR_IA32_GS_BASE];

/** Registers that only remember what was written: memory types change nothing here, and no machine check occurs. */
export const TABLE_MSRS: ReadonlySet<number> = new Set([
  ...MTRR_VARIABLE,
  ...MACHINE_CHECK,
  ...MSR_IA32_MTRR_FIXED,
  MSR_IA32_MTRR_DEF_TYPE,
  MSR_IA32_MCG_STATUS,
  MSR_IA32_MCG_CTL,
  MSR_IA32_DEBUGCTL,
  MSR_IA32_BIOS_SIGN_ID,
]);

function resetValue(cpu: CpuContext, index: number): bigint {
  if (index === MSR_IA32_PAT) return PAT_RESET;
  const value = CPU_IDENTITY_MSRS[index] ?? 0n;
  return index === MSR_IA32_MISC_ENABLE && cpu.cpuid.has("monitor")
    ? value | BigInt(MISC_ENABLE_MONITOR)
    : value;
}

/** Puts every register that holds a value to its value after reset, except the bases of FS and GS. */
export function resetMsrs(cpu: CpuContext): void {
  cpu.msrTable.clear();
  for (const [index, offset] of MSR_SLOTS) {
    if (!SEGMENT_MSRS.includes(index)) cpu.setBig(offset, resetValue(cpu, index));
  }
}

/** Value of a register of `TABLE_MSRS`. */
export function readTableMsr(cpu: CpuContext, index: number): bigint {
  return cpu.msrTable.get(index) ?? resetValue(cpu, index);
}

/** Registers that differ from their value after reset, for a state as plain data. */
export function readStoredMsrs(cpu: CpuContext): Record<number, bigint> {
  const values: Record<number, bigint> = {};
  for (const [index, offset] of MSR_SLOTS) {
    const value = cpu.getBig(offset);
    if (!SEGMENT_MSRS.includes(index) && value !== resetValue(cpu, index)) values[index] = value;
  }
  for (const [index, value] of cpu.msrTable) if (value !== resetValue(cpu, index)) values[index] = value;
  return values;
}

/** Sets a register from a state as plain data; registers that hold no value are ignored. */
export function writeStoredMsr(cpu: CpuContext, index: number, value: bigint): void {
  const offset = MSR_SLOTS.get(index);
  if (offset !== undefined) cpu.setBig(offset, value);
  else if (TABLE_MSRS.has(index)) cpu.msrTable.set(index, BigInt.asUintN(64, value));
}
