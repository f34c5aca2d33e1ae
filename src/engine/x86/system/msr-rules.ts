/**
 * Which model-specific registers a CPU has, by its CPUID features, and which values those take that merely hold one.
 * What is refused raises #GP(0). Changes nothing.
 *
 * Specification: Intel SDM vol. 4 chapter 2; vol. 3A §11.11.2 (MTRRs), §11.12.2 (PAT); vol. 3B §15.3 (machine check).
 */
import { TWO_32 } from "../../../bytes/words.js";
import type { FeatureName } from "../../../spec/cpuid.js";
import {
  DEBUGCTL_MASK,
  MC_BANK_REGISTERS,
  MC_CTL,
  MCG_STATUS_MASK,
  MISC_ENABLE_BTS_UNAVAILABLE,
  MISC_ENABLE_FAST_STRINGS,
  MISC_ENABLE_FERR_MULTIPLEXING,
  MISC_ENABLE_HIGH_XD_DISABLE,
  MISC_ENABLE_LIMIT_CPUID,
  MISC_ENABLE_MONITOR,
  MISC_ENABLE_PEBS_UNAVAILABLE,
  MISC_ENABLE_PERFMON,
  MISC_ENABLE_SPEEDSTEP,
  MISC_ENABLE_SPEEDSTEP_LOCK,
  MISC_ENABLE_THERMAL_CONTROL,
  MISC_ENABLE_THERMAL_MONITOR2,
  MISC_ENABLE_XTPR_DISABLE,
  MSR_IA32_ARCH_CAPABILITIES,
  MSR_IA32_BIOS_SIGN_ID,
  MSR_IA32_CSTAR,
  MSR_IA32_DEBUGCTL,
  MSR_IA32_FLUSH_CMD,
  MSR_IA32_FMASK,
  MSR_IA32_FS_BASE,
  MSR_IA32_GS_BASE,
  MSR_IA32_KERNEL_GS_BASE,
  MSR_IA32_LSTAR,
  MSR_IA32_MC0_CTL,
  MSR_IA32_MCG_CAP,
  MSR_IA32_MCG_CTL,
  MSR_IA32_MCG_STATUS,
  MSR_IA32_MISC_ENABLE,
  MSR_IA32_MTRR_DEF_TYPE,
  MSR_IA32_MTRR_FIXED,
  MSR_IA32_MTRR_PHYSBASE0,
  MSR_IA32_MTRRCAP,
  MSR_IA32_PAT,
  MSR_IA32_PRED_CMD,
  MSR_IA32_SPEC_CTRL,
  MSR_IA32_STAR,
  MSR_IA32_SYSENTER_CS,
  MSR_IA32_SYSENTER_EIP,
  MSR_IA32_SYSENTER_ESP,
  MSR_IA32_TSC,
  MSR_IA32_TSC_ADJUST,
  MSR_IA32_TSC_AUX,
  MTRR_BASE_RESERVED,
  MTRR_DEF_TYPE_DEFINED,
  MTRR_MASK_RESERVED,
  MTRR_TYPES,
  PAT_TYPES,
  SPEC_CTRL_IBRS,
  SPEC_CTRL_STIBP,
} from "../../../spec/x86-msr.js";
import { MACHINE_CHECK_BANKS, MTRR_VARIABLE_RANGES } from "../../../x86/cpu-identity.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { isCanonical } from "./access.js";

/** What of a CPU decides which values its registers take. */
export type CpuFacts = Pick<CpuContext, "cpuid" | "reservedPhysicalHigh">;

/** Physical-address bits that no CPU has, in the upper word. */
const BEYOND_52_BITS = 0xfff00000;
const LAST_TYPE = 7;
const MISC_ENABLE_STORED =
  MISC_ENABLE_FAST_STRINGS |
  MISC_ENABLE_THERMAL_CONTROL |
  MISC_ENABLE_FERR_MULTIPLEXING |
  MISC_ENABLE_THERMAL_MONITOR2 |
  MISC_ENABLE_SPEEDSTEP |
  MISC_ENABLE_SPEEDSTEP_LOCK |
  MISC_ENABLE_LIMIT_CPUID |
  MISC_ENABLE_XTPR_DISABLE;
const MISC_ENABLE_READ_ONLY =
  MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE | MISC_ENABLE_PERFMON;

/** IA32_MTRR_PHYSBASE0, IA32_MTRR_PHYSMASK0, IA32_MTRR_PHYSBASE1, … */
export const MTRR_VARIABLE: readonly number[] = Array.from(
  { length: MTRR_VARIABLE_RANGES * 2 },
  (_, i) => MSR_IA32_MTRR_PHYSBASE0 + i,
);
/** Every register of the machine-check banks. */
export const MACHINE_CHECK: readonly number[] = Array.from(
  { length: MACHINE_CHECK_BANKS * MC_BANK_REGISTERS },
  (_, i) => MSR_IA32_MC0_CTL + i,
);

/** Registers that exist with any of these features; one that is not here always exists. */
const FEATURES: ReadonlyMap<number, readonly FeatureName[]> = new Map<number, readonly FeatureName[]>([
  [MSR_IA32_TSC, ["tsc"]],
  [MSR_IA32_TSC_ADJUST, ["tsc_adjust"]],
  [MSR_IA32_TSC_AUX, ["rdtscp", "rdpid"]],
  [MSR_IA32_SPEC_CTRL, ["spec_ctrl"]],
  [MSR_IA32_PRED_CMD, ["spec_ctrl"]],
  [MSR_IA32_FLUSH_CMD, ["flush_l1d"]],
  [MSR_IA32_ARCH_CAPABILITIES, ["arch_capabilities"]],
  [MSR_IA32_PAT, ["pat"]],
  ...[MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP].map(
    (index): [number, FeatureName[]] => [index, ["sep"]],
  ),
  ...[MSR_IA32_STAR, MSR_IA32_LSTAR, MSR_IA32_CSTAR, MSR_IA32_FMASK].map((index): [number, FeatureName[]] => [
    index,
    ["syscall"],
  ]),
  ...[MSR_IA32_FS_BASE, MSR_IA32_GS_BASE, MSR_IA32_KERNEL_GS_BASE].map((index): [number, FeatureName[]] => [
    index,
    ["lm"],
  ]),
  ...[MSR_IA32_MTRRCAP, MSR_IA32_MTRR_DEF_TYPE, ...MSR_IA32_MTRR_FIXED, ...MTRR_VARIABLE].map(
    (index): [number, FeatureName[]] => [index, ["mtrr"]],
  ),
  ...[MSR_IA32_MCG_CAP, MSR_IA32_MCG_STATUS, MSR_IA32_MCG_CTL, ...MACHINE_CHECK].map(
    (index): [number, FeatureName[]] => [index, ["mca"]],
  ),
]);

/** Registers whose value is a linear address. */
const ADDRESSES: ReadonlySet<number> = new Set([
  MSR_IA32_FS_BASE,
  MSR_IA32_GS_BASE,
  MSR_IA32_KERNEL_GS_BASE,
  MSR_IA32_LSTAR,
  MSR_IA32_CSTAR,
  MSR_IA32_SYSENTER_ESP,
  MSR_IA32_SYSENTER_EIP,
]);

/** Whether the CPU's features bring this register, as far as features decide. */
export function featureShows({ cpuid }: Pick<CpuContext, "cpuid">, index: number): boolean {
  return FEATURES.get(index)?.some((feature) => cpuid.has(feature)) ?? true;
}

/** Whether each of the 8 bytes is a memory type of `types`. */
function validTypes(low: number, high: number, types: number): boolean {
  for (let shift = 0; shift < 32; shift += 8) {
    for (const half of [low, high]) {
      const type = (half >>> shift) & 0xff;
      if (type > LAST_TYPE || !((types >>> type) & 1)) return false;
    }
  }
  return true;
}

/** A variable range's base or mask: the type, reserved bits below the address and above MAXPHYADDR. */
function acceptsVariableRange(cpu: CpuFacts, index: number, low: number, high: number): boolean {
  if (high & (cpu.reservedPhysicalHigh | BEYOND_52_BITS)) return false;
  if ((index - MSR_IA32_MTRR_PHYSBASE0) & 1) return (low & MTRR_MASK_RESERVED) === 0;
  return (low & MTRR_BASE_RESERVED) === 0 && validTypes(low & 0xff, 0, MTRR_TYPES);
}

/** The bank registers: control holds anything, the others can only be cleared. */
function acceptsMachineCheck(index: number, low: number, high: number): boolean {
  return (index - MSR_IA32_MC0_CTL) % MC_BANK_REGISTERS === MC_CTL || (low | high) === 0;
}

/** Whether a register that holds a value takes this one. */
export function acceptsValue(cpu: CpuFacts, index: number, low: number, high: number): boolean {
  if (ADDRESSES.has(index)) return isCanonical((high | 0) * TWO_32 + low);
  if (MTRR_VARIABLE.includes(index)) return acceptsVariableRange(cpu, index, low, high);
  if (MACHINE_CHECK.includes(index)) return acceptsMachineCheck(index, low, high);
  if (MSR_IA32_MTRR_FIXED.includes(index)) return validTypes(low, high, MTRR_TYPES);
  switch (index) {
    case MSR_IA32_PAT:
      return validTypes(low, high, PAT_TYPES);
    case MSR_IA32_MTRR_DEF_TYPE:
      return high === 0 && (low & ~MTRR_DEF_TYPE_DEFINED) === 0 && validTypes(low & 0xff, 0, MTRR_TYPES);
    case MSR_IA32_TSC_AUX:
    case MSR_IA32_FMASK:
      return high === 0;
    case MSR_IA32_SPEC_CTRL:
      return high === 0 && (low & ~(SPEC_CTRL_IBRS | SPEC_CTRL_STIBP)) === 0;
    case MSR_IA32_MISC_ENABLE:
      return (
        (high & ~(cpu.cpuid.has("nx") ? MISC_ENABLE_HIGH_XD_DISABLE : 0)) === 0 &&
        (low & ~(writableMiscEnable(cpu) | MISC_ENABLE_READ_ONLY)) === 0
      );
    case MSR_IA32_DEBUGCTL:
      return high === 0 && (low & ~DEBUGCTL_MASK) === 0;
    case MSR_IA32_MCG_STATUS:
      return high === 0 && (low & ~MCG_STATUS_MASK) === 0;
    case MSR_IA32_MCG_CTL:
      return low === high && (low === 0 || low === TWO_32 - 1);
    default:
      return true;
  }
}

/** Bits that hold what is written: those of the model, without effect where we have nothing that they control. */
function writableMiscEnable(cpu: CpuFacts): number {
  return MISC_ENABLE_STORED | (cpu.cpuid.has("monitor") ? MISC_ENABLE_MONITOR : 0);
}

/** What remains of the lower half of a value that was accepted: read-only bits stay, ignored ones are dropped. */
export function storedLow(cpu: CpuContext, index: number, low: number): number {
  if (index === MSR_IA32_SPEC_CTRL) return low & SPEC_CTRL_IBRS;
  if (index !== MSR_IA32_MISC_ENABLE) return low;
  const old = cpu.low(L.MSR_MISC_ENABLE);
  const locked = old & MISC_ENABLE_SPEEDSTEP_LOCK ? MISC_ENABLE_SPEEDSTEP | MISC_ENABLE_SPEEDSTEP_LOCK : 0;
  const fixed = MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE;
  return (low & writableMiscEnable(cpu) & ~locked) | (old & locked) | fixed;
}

/** IA32_MISC_ENABLE takes the XD bit away. */
export function executeDisableIsOff(cpu: CpuContext): boolean {
  return (cpu.upper(L.MSR_MISC_ENABLE) & MISC_ENABLE_HIGH_XD_DISABLE) !== 0;
}

/** Whether writes to a register that holds a value are accepted without effect: loading microcode changes nothing. */
export function ignoresWrites(index: number): boolean {
  return index === MSR_IA32_BIOS_SIGN_ID;
}
