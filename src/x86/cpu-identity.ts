/**
 * Who the virtual CPU says it is: vendor, family and model, brand, and the model-specific registers that
 * operating systems read together with them. One place, because guests choose their mitigations, clocks and
 * copy routines from it. Knows no engine.
 *
 * Why this model. Our CPU executes in order and never speculates. Operating systems keep lists of CPUs that do
 * not speculate; on those they leave out every speculation mitigation (in Linux, `NO_SPECULATION` in
 * arch/x86/kernel/cpu/common.c; retpolines, page-table isolation, buffer clearing and entry fences all stay
 * off, those of later discoveries too). Of the 64-bit Intel CPUs on that list, family 6 model 0x1c is the one
 * with nothing else attached: Linux touches it only for steppings ≤ 2 (large-page erratum) and for branch
 * records, which we do not have. Being family 6 it keeps "rep movs" preferred. IA32_ARCH_CAPABILITIES says the
 * same to systems that read bits instead of lists.
 *
 * Specification: SDM vol. 2A, CPUID leaf 1; vol. 4 table 2-2.
 */
import {
  ARCH_CAP,
  MCG_CTL_PRESENT,
  MISC_ENABLE_BTS_UNAVAILABLE,
  MISC_ENABLE_FAST_STRINGS,
  MISC_ENABLE_PEBS_UNAVAILABLE,
  MSR_IA32_ARCH_CAPABILITIES,
  MSR_IA32_BIOS_SIGN_ID,
  MSR_IA32_MCG_CAP,
  MSR_IA32_MISC_ENABLE,
  MSR_IA32_MTRRCAP,
  MSR_IA32_PLATFORM_ID,
  MTRR,
} from "../spec/x86-msr.js";

/** Leaf 0: linear time, TSC and SYSENTER rules of Linux hang on this vendor. */
export const CPU_VENDOR = "GenuineIntel";

const FAMILY = 6;
const MODEL = 0x1c;
/** The last stepping: above every erratum check. */
const STEPPING = 10;

/** Leaf 1 EAX: ext. model 19:16, family 11:8, model 7:4, stepping 3:0. */
export const CPU_SIGNATURE = ((MODEL >> 4) << 16) | (FAMILY << 8) | ((MODEL & 0xf) << 4) | STEPPING;

/** Leaves 0x80000002–4. No digits that could be taken for a frequency ("@ 2GHz" is parsed by FreeBSD). */
export const CPU_BRAND = "locore virtual CPU";

/** Leaf 0x40000000: not Xen's, not KVM's, so that no guest looks for their clocks (R2.2). 12 characters. */
export const HYPERVISOR_SIGNATURE = "locorelocore";

/** IA32_ARCH_CAPABILITIES: every "not affected" bit there is. */
export const ARCH_CAPABILITIES_VALUE =
  ARCH_CAP.RDCL_NO |
  ARCH_CAP.IBRS_ALL |
  ARCH_CAP.SKIP_L1DFL_VMENTRY |
  ARCH_CAP.SSB_NO |
  ARCH_CAP.MDS_NO |
  ARCH_CAP.PSCHANGE_MC_NO |
  ARCH_CAP.TAA_NO |
  ARCH_CAP.SBDR_SSDP_NO |
  ARCH_CAP.FBSDP_NO |
  ARCH_CAP.PSDP_NO |
  ARCH_CAP.BHI_NO |
  ARCH_CAP.PBRSB_NO |
  ARCH_CAP.GDS_NO |
  ARCH_CAP.RFDS_NO |
  ARCH_CAP.ITS_NO;

/** Machine-check banks. None ever reports anything; operating systems expect that there are some. */
export const MACHINE_CHECK_BANKS = 4;

/** Number of variable memory-type ranges that IA32_MTRRCAP announces. */
export const MTRR_VARIABLE_RANGES = 8;

/** IA32_BIOS_SIGN_ID: microcode revision in the high half; any non-zero one will do. */
const MICROCODE_REVISION = 0x219n << 32n;

/** Registers that must read as given because the CPUID table promises them; an engine answers them so. */
export const CPU_IDENTITY_MSRS: Readonly<Record<number, bigint>> = {
  [MSR_IA32_PLATFORM_ID]: 0n,
  [MSR_IA32_BIOS_SIGN_ID]: MICROCODE_REVISION,
  [MSR_IA32_MTRRCAP]: BigInt(MTRR_VARIABLE_RANGES) | MTRR.CAP_FIXED | MTRR.CAP_WRITE_COMBINING,
  [MSR_IA32_ARCH_CAPABILITIES]: ARCH_CAPABILITIES_VALUE,
  [MSR_IA32_MCG_CAP]: BigInt(MACHINE_CHECK_BANKS | MCG_CTL_PRESENT),
  // Without the first bit Linux gives up ERMS and "rep" string copies. The engine adds the MONITOR bit by its feature.
  [MSR_IA32_MISC_ENABLE]: BigInt(
    MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE,
  ),
};
