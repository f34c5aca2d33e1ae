/**
 * Bits of the x86 system registers, descriptors and paging entries, named as the manual names them. Numbers
 * only; what they do belongs to `x86/` and the engine.
 *
 * Specification: Intel SDM vol. 3A §2.5 (control registers), §3.4.5 (descriptors), §4.5 (4-level paging),
 * vol. 3C §24.4.1 (access rights), vol. 4 (MSRs).
 */

/** CR0, SDM vol. 3A §2.5. */
export const CR0 = {
  /** Protection enable. */
  PE: 1n << 0n,
  /** Monitor coprocessor. */
  MP: 1n << 1n,
  /** Extension type: reads as one on every CPU since the Pentium. */
  ET: 1n << 4n,
  /** Numeric error. */
  NE: 1n << 5n,
  /** Write protect. */
  WP: 1n << 16n,
  /** Not write-through. */
  NW: 1n << 29n,
  /** Cache disable. */
  CD: 1n << 30n,
  /** Paging. */
  PG: 1n << 31n,
} as const;

/** CR4, SDM vol. 3A §2.5. */
export const CR4 = {
  /** Page size extensions. */
  PSE: 1n << 4n,
  /** Physical address extension. */
  PAE: 1n << 5n,
} as const;

/** IA32_EFER, SDM vol. 3A §2.2.1. */
export const EFER = {
  /** SYSCALL enable. */
  SCE: 1n << 0n,
  /** Long mode enable. */
  LME: 1n << 8n,
  /** Long mode active. */
  LMA: 1n << 10n,
  /** No-execute enable. */
  NXE: 1n << 11n,
} as const;

/** RFLAGS with every settable flag clear: bit 1 reads as one (SDM vol. 1 §3.4.3). */
export const RFLAGS_RESERVED_ONE = 1n << 1n;

/** DR6 and DR7 after reset, SDM vol. 3A table 9-1. */
export const DR6_RESET = 0xffff0ff0n;
export const DR7_RESET = 0x400n;

/** Access-rights bits of a segment in VMX format, SDM vol. 3C §24.4.1. */
export const ACCESS = {
  /** Code or data (clear: system segment). */
  S: 1 << 4,
  DPL_SHIFT: 5,
  DPL_MASK: 3 << 5,
  P: 1 << 7,
  AVL: 1 << 12,
  /** 64-bit code. */
  L: 1 << 13,
  /** 32-bit default operand size. */
  DB: 1 << 14,
  /** Limit counted in 4 KiB units. */
  G: 1 << 15,
  UNUSABLE: 1 << 16,
  TYPE_MASK: 0xf,
} as const;

/** Segment types, SDM vol. 3A tables 3-1 and 3-2. */
export const SEGMENT_TYPE = {
  /** Data, read/write, accessed. */
  DATA_RW_ACCESSED: 0x3,
  /** Code, execute/read, accessed. */
  CODE_XR_ACCESSED: 0xb,
  LDT: 0x2,
  TSS16_BUSY: 0x3,
  /** 32-bit busy TSS; in long mode the 64-bit one. */
  TSS_BUSY: 0xb,
} as const;

/** Smallest limit of a 32-bit or 64-bit TSS, SDM vol. 3A §8.2.2. */
export const TSS_LIMIT = 0x67;

/** Bytes of one GDT entry; system descriptors take two in long mode. */
export const DESCRIPTOR_SIZE = 8;

/** Bits of paging-structure entries, SDM vol. 3A tables 4-14 to 4-19. */
export const PAGE = {
  PRESENT: 1n << 0n,
  WRITE: 1n << 1n,
  USER: 1n << 2n,
  ACCESSED: 1n << 5n,
  DIRTY: 1n << 6n,
  /** In a PDPTE or PDE: maps a page itself. */
  LARGE: 1n << 7n,
  GLOBAL: 1n << 8n,
  NO_EXECUTE: 1n << 63n,
  ADDRESS_MASK: 0x000f_ffff_ffff_f000n,
} as const;

export const SHIFT_4K = 12;
export const SIZE_4K = 2 ** SHIFT_4K;
export const SIZE_2M = 0x20_0000;
export const SIZE_1G = 0x4000_0000;

/** Entries of one paging structure, and levels of 4-level paging. */
export const PAGE_TABLE_ENTRIES = 512;

/** Model-specific registers by index, SDM vol. 4 chapter 2. */
export const MSR = {
  IA32_PLATFORM_ID: 0x17,
  IA32_BIOS_SIGN_ID: 0x8b,
  IA32_MTRRCAP: 0xfe,
  IA32_ARCH_CAPABILITIES: 0x10a,
  IA32_MCG_CAP: 0x179,
  IA32_MISC_ENABLE: 0x1a0,
  IA32_MTRR_PHYSBASE0: 0x200,
  IA32_MTRR_PHYSMASK0: 0x201,
  IA32_MTRR_DEF_TYPE: 0x2ff,
} as const;

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
