/**
 * Indices and bits of the model-specific registers that the engine implements. Numbers only.
 * Specification: Intel SDM vol. 4, chapter 2.
 */

export const MSR_IA32_TSC = 0x10;
export const MSR_IA32_PLATFORM_ID = 0x17;
export const MSR_IA32_APIC_BASE = 0x1b;
export const MSR_IA32_TSC_ADJUST = 0x3b;
export const MSR_IA32_SPEC_CTRL = 0x48;
export const MSR_IA32_PRED_CMD = 0x49;
export const MSR_IA32_BIOS_UPDT_TRIG = 0x79;
export const MSR_IA32_BIOS_SIGN_ID = 0x8b;
export const MSR_PLATFORM_INFO = 0xce;
export const MSR_IA32_MTRRCAP = 0xfe;
export const MSR_IA32_ARCH_CAPABILITIES = 0x10a;
export const MSR_IA32_FLUSH_CMD = 0x10b;
export const MSR_IA32_SYSENTER_CS = 0x174;
export const MSR_IA32_SYSENTER_ESP = 0x175;
export const MSR_IA32_SYSENTER_EIP = 0x176;
export const MSR_IA32_MCG_CAP = 0x179;
export const MSR_IA32_MCG_STATUS = 0x17a;
export const MSR_IA32_MCG_CTL = 0x17b;
export const MSR_IA32_PERF_STATUS = 0x198;
export const MSR_IA32_MISC_ENABLE = 0x1a0;
export const MSR_IA32_DEBUGCTL = 0x1d9;
export const MSR_IA32_MTRR_PHYSBASE0 = 0x200;
export const MSR_IA32_MTRR_PHYSMASK0 = 0x201;
/** Fixed-range MTRRs: 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 … 4K_F8000. */
export const MSR_IA32_MTRR_FIXED = [
  0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
];
export const MSR_IA32_PAT = 0x277;
/** Machine-check banks: four registers each, IA32_MCi_CTL first. */
export const MSR_IA32_MC0_CTL = 0x400;
export const MC_BANK_REGISTERS = 4;
/** Place of a register in its bank. Behind the status come the address and miscellaneous registers. */
export const MC_CTL = 0;
export const MSR_IA32_MTRR_DEF_TYPE = 0x2ff;
export const MSR_IA32_TSC_DEADLINE = 0x6e0;
/** The x2APIC registers: 0x800–0x8ff. */
export const MSR_X2APIC_FIRST = 0x800;
export const MSR_X2APIC_LAST = 0x8ff;
export const MSR_IA32_EFER = 0xc0000080;
export const MSR_IA32_STAR = 0xc0000081;
export const MSR_IA32_LSTAR = 0xc0000082;
export const MSR_IA32_CSTAR = 0xc0000083;
export const MSR_IA32_FMASK = 0xc0000084;
export const MSR_IA32_FS_BASE = 0xc0000100;
export const MSR_IA32_GS_BASE = 0xc0000101;
export const MSR_IA32_KERNEL_GS_BASE = 0xc0000102;
export const MSR_IA32_TSC_AUX = 0xc0000103;

/** IA32_PAT after reset: WB WT UC- UC, twice. */
export const PAT_RESET = 0x0007040600070406n;
/** Memory types that PAT may name, as a bit mask of numbers: UC WC WT WP WB UC-. */
export const PAT_TYPES = 0b1111_0011;
/** Memory types that MTRRs may name: all but UC-. */
export const MTRR_TYPES = 0b0111_0011;
/** IA32_MTRR_PHYSBASEn: the type in bits 7:0, reserved bits below the address. */
export const MTRR_BASE_RESERVED = 0xf00;
/** IA32_MTRR_PHYSMASKn: bit 11 is V. */
export const MTRR_MASK_RESERVED = 0x7ff;
/** IA32_MTRR_DEF_TYPE: type, FE (bit 10), E (bit 11). */
export const MTRR_DEF_TYPE_DEFINED = 0xcff;
/** IA32_SPEC_CTRL: IBRS, STIBP. A processor that enumerates only the first ignores the second (SDM vol. 4 table 2-2). */
export const SPEC_CTRL_IBRS = 1;
export const SPEC_CTRL_STIBP = 2;
/** IA32_MCG_CAP.MCG_CTL_P; the number of banks is bits 7:0. */
export const MCG_CTL_PRESENT = 1 << 8;
/** IA32_MCG_STATUS: RIPV, EIPV, MCIP. */
export const MCG_STATUS_MASK = 7;
/**
 * IA32_MISC_ENABLE as family 6 model 1CH has it (vol. 4 table 2-4; the architectural bits 0, 3, 7, 11, 12, 16, 18, 22, 23 and 34
 * stand in table 2-2 too). Bits 2:1 are reserved there: what Linux's headers call TCC, bit 1, is this model's bit 3.
 */
export const MISC_ENABLE_FAST_STRINGS = 1 << 0;
export const MISC_ENABLE_THERMAL_CONTROL = 1 << 3;
/** Read-only: performance monitoring is there. */
export const MISC_ENABLE_PERFMON = 1 << 7;
export const MISC_ENABLE_FERR_MULTIPLEXING = 1 << 10;
/** Read-only: branch trace and precise events are not there. */
export const MISC_ENABLE_BTS_UNAVAILABLE = 1 << 11;
export const MISC_ENABLE_PEBS_UNAVAILABLE = 1 << 12;
export const MISC_ENABLE_THERMAL_MONITOR2 = 1 << 13;
export const MISC_ENABLE_SPEEDSTEP = 1 << 16;
export const MISC_ENABLE_MONITOR = 1 << 18;
/** Write once: SpeedStep stays what it is. */
export const MISC_ENABLE_SPEEDSTEP_LOCK = 1 << 20;
/** CPUID's highest basic leaf is 2. */
export const MISC_ENABLE_LIMIT_CPUID = 1 << 22;
export const MISC_ENABLE_XTPR_DISABLE = 1 << 23;
/** Bit 34, in the upper half: CPUID shows no XD, EFER.NXE is reserved. */
export const MISC_ENABLE_HIGH_XD_DISABLE = 1 << 2;
/** What `MISC_ENABLE_LIMIT_CPUID` leaves. */
export const LIMITED_CPUID_LEAF = 2;
/** IA32_PRED_CMD.IBPB and IA32_FLUSH_CMD.L1D_FLUSH. */
export const COMMAND_BIT = 1;
/** IA32_DEBUGCTL: LBR and BTF. Branch records are not kept. */
export const DEBUGCTL_MASK = 3;

/** IA32_ARCH_CAPABILITIES, SDM vol. 4 table 2-2. */
export const ARCH_CAP = {
  RDCL_NO: 1n << 0n,
  IBRS_ALL: 1n << 1n,
  SKIP_L1DFL_VMENTRY: 1n << 3n,
  SSB_NO: 1n << 4n,
  MDS_NO: 1n << 5n,
  PSCHANGE_MC_NO: 1n << 6n,
  TAA_NO: 1n << 8n,
  SBDR_SSDP_NO: 1n << 13n,
  FBSDP_NO: 1n << 14n,
  PSDP_NO: 1n << 15n,
  BHI_NO: 1n << 20n,
  PBRSB_NO: 1n << 24n,
  GDS_NO: 1n << 26n,
  RFDS_NO: 1n << 27n,
  ITS_NO: 1n << 62n,
} as const;

/** Memory-type range registers, SDM vol. 3A §11.11. */
export const MTRR = {
  TYPE_UNCACHEABLE: 0n,
  TYPE_WRITE_BACK: 6n,
  /** IA32_MTRR_DEF_TYPE.E */
  DEF_TYPE_ENABLE: 1n << 11n,
  /** IA32_MTRR_PHYSMASKn.V */
  PHYSMASK_VALID: 1n << 11n,
  /** IA32_MTRRCAP: number of variable ranges, fixed ranges, write combining. */
  CAP_VARIABLE_COUNT_SHIFT: 0n,
  CAP_FIXED: 1n << 8n,
  CAP_WRITE_COMBINING: 1n << 10n,
} as const;
