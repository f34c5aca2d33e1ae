/**
 * Bits of RFLAGS, the system registers, descriptors and paging entries as 32-bit `number`s, the form in which an
 * engine tests them millions of times a second (`wide` of bytes/words.ts makes the value of a 64-bit register of them).
 * Numbers only. Specification: Intel SDM vol. 1 §3.4.3, vol. 3A chapters 2–6.
 */

// ── RFLAGS, vol. 1 §3.4.3 ──────────────────────────────────────────────────────────────────────────────────
export const FLAG_CF = 1 << 0;
/** Bit 1 reads as one. */
export const FLAG_ALWAYS = 1 << 1;
export const FLAG_PF = 1 << 2;
export const FLAG_AF = 1 << 4;
export const FLAG_ZF = 1 << 6;
export const FLAG_SF = 1 << 7;
export const FLAG_TF = 1 << 8;
export const FLAG_IF = 1 << 9;
export const FLAG_DF = 1 << 10;
export const FLAG_OF = 1 << 11;
export const FLAG_IOPL = 3 << 12;
export const FLAG_IOPL_SHIFT = 12;
export const FLAG_NT = 1 << 14;
export const FLAG_RF = 1 << 16;
export const FLAG_VM = 1 << 17;
export const FLAG_AC = 1 << 18;
export const FLAG_VIF = 1 << 19;
export const FLAG_VIP = 1 << 20;
export const FLAG_ID = 1 << 21;
/** The flags that arithmetic writes. */
export const FLAGS_STATUS = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF;
/** Every other flag that exists, without the constant bit 1. */
export const FLAGS_SYSTEM =
  FLAG_TF |
  FLAG_IF |
  FLAG_DF |
  FLAG_IOPL |
  FLAG_NT |
  FLAG_RF |
  FLAG_VM |
  FLAG_AC |
  FLAG_VIF |
  FLAG_VIP |
  FLAG_ID;

// ── control registers, vol. 3A §2.5 ────────────────────────────────────────────────────────────────────────
export const CR0_PE = 1 << 0;
export const CR0_MP = 1 << 1;
export const CR0_EM = 1 << 2;
export const CR0_TS = 1 << 3;
export const CR0_ET = 1 << 4;
export const CR0_NE = 1 << 5;
export const CR0_WP = 1 << 16;
export const CR0_AM = 1 << 18;
export const CR0_NW = 1 << 29;
export const CR0_CD = 1 << 30;
export const CR0_PG = 1 << 31;
export const CR0_DEFINED =
  CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;

export const CR4_VME = 1 << 0;
export const CR4_PVI = 1 << 1;
export const CR4_TSD = 1 << 2;
export const CR4_DE = 1 << 3;
export const CR4_PSE = 1 << 4;
export const CR4_PAE = 1 << 5;
export const CR4_MCE = 1 << 6;
export const CR4_PGE = 1 << 7;
export const CR4_PCE = 1 << 8;
export const CR4_OSFXSR = 1 << 9;
export const CR4_OSXMMEXCPT = 1 << 10;
export const CR4_UMIP = 1 << 11;
export const CR4_FSGSBASE = 1 << 16;
export const CR4_PCIDE = 1 << 17;
export const CR4_OSXSAVE = 1 << 18;
export const CR4_SMEP = 1 << 20;
export const CR4_SMAP = 1 << 21;

/** CR3 bits 11:0 with CR4.PCIDE; bit 63 of a value written to CR3 asks to keep the TLB. */
export const CR3_PCID = 0xfff;

export const EFER_SCE = 1 << 0;
export const EFER_LME = 1 << 8;
export const EFER_LMA = 1 << 10;
export const EFER_NXE = 1 << 11;

// ── debug registers, vol. 3B §18.2 ─────────────────────────────────────────────────────────────────────────
/** DR6 bits that read as one (bits 31:16 and 11:4, with RTM and bus-lock detection absent). */
export const DR6_ONES = 0xffff0ff0;
/** B0–B3. */
export const DR6_BREAKPOINTS = 0xf;
export const DR6_BD = 1 << 13;
export const DR6_BS = 1 << 14;
/** A switch to a task whose TSS has the T flag set. */
export const DR6_BT = 1 << 15;
export const DR6_WRITABLE = 0xe00f;
/** L0–L3 and G0–G3: breakpoints that are enabled. */
export const DR7_ENABLED = 0xff;
export const DR7_ONES = 1 << 10;
/** L0–L3 and LE, which a task switch clears. */
export const DR7_LOCAL = 0x155;
export const DR7_GD = 1 << 13;
/** DR7 bits 11, 12, 14 and 15 read as zero. */
export const DR7_ZEROS = 0xd800;

// ── exceptions, vol. 3A §6.3.1 ─────────────────────────────────────────────────────────────────────────────
export const VECTOR_DE = 0;
export const VECTOR_DB = 1;
export const VECTOR_NMI = 2;
export const VECTOR_BP = 3;
export const VECTOR_OF = 4;
export const VECTOR_BR = 5;
export const VECTOR_UD = 6;
export const VECTOR_NM = 7;
export const VECTOR_DF = 8;
export const VECTOR_TS = 10;
export const VECTOR_NP = 11;
export const VECTOR_SS = 12;
export const VECTOR_GP = 13;
export const VECTOR_PF = 14;
export const VECTOR_MF = 16;
export const VECTOR_AC = 17;
export const VECTOR_XM = 19;

/** Error code of faults that name a descriptor: bit 0 external event, bit 1 IDT, bit 2 LDT. Vol. 3A §6.13. */
export const ERROR_EXT = 1;
export const ERROR_IDT = 2;

/** Error code of #PF. Vol. 3A §4.7. */
export const PF_PRESENT = 1;
export const PF_WRITE = 2;
export const PF_USER = 4;
export const PF_RESERVED = 8;
export const PF_FETCH = 16;

// ── selectors and descriptors, vol. 3A §3.4 ────────────────────────────────────────────────────────────────
export const SELECTOR_RPL = 3;
/** Privilege level of programs. */
export const USER_LEVEL = 3;
export const SELECTOR_TI = 4;
/** What of a selector an error code carries. */
export const SELECTOR_ERROR = 0xfffc;

/** Access rights as VMX packs them, vol. 3C §24.4.1. */
export const ACCESS_TYPE = 0xf;
export const ACCESS_ACCESSED = 1 << 0;
/** Data: writable. Code: readable. */
export const ACCESS_WRITE_OR_READ = 1 << 1;
/** Data: expand-down. Code: conforming. */
export const ACCESS_DOWN_OR_CONFORMING = 1 << 2;
export const ACCESS_CODE = 1 << 3;
/** S: code or data, not a system descriptor. */
export const ACCESS_S = 1 << 4;
export const ACCESS_DPL = 3 << 5;
export const ACCESS_DPL_SHIFT = 5;
export const ACCESS_P = 1 << 7;
export const ACCESS_L = 1 << 13;
/** D/B: 32-bit default size. */
export const ACCESS_DB = 1 << 14;
export const ACCESS_G = 1 << 15;
export const ACCESS_UNUSABLE = 1 << 16;

/** Limit of a segment that spans 4 GiB. */
export const FLAT_LIMIT = 0xffffffff;

/** Types of code and data that the CPU has marked as used, vol. 3A table 3-1. */
export const TYPE_DATA_RW_ACCESSED = ACCESS_WRITE_OR_READ | ACCESS_ACCESSED;
export const TYPE_CODE_XR_ACCESSED = ACCESS_CODE | ACCESS_WRITE_OR_READ | ACCESS_ACCESSED;

/** Types of system descriptors, vol. 3A table 3-2. */
export const TYPE_TSS16_AVAILABLE = 1;
export const TYPE_LDT = 2;
export const TYPE_TSS16_BUSY = 3;
export const TYPE_CALL_GATE16 = 4;
export const TYPE_TASK_GATE = 5;
export const TYPE_INTERRUPT_GATE16 = 6;
export const TYPE_TRAP_GATE16 = 7;
export const TYPE_TSS_AVAILABLE = 9;
export const TYPE_TSS_BUSY = 11;
export const TYPE_CALL_GATE = 12;
export const TYPE_INTERRUPT_GATE = 14;
export const TYPE_TRAP_GATE = 15;
/** Clear in the type of a gate of the 80286, set in that of a 32-bit or 64-bit one. */
export const GATE_WIDE = 8;
/** The bit that makes an available TSS busy. */
export const TYPE_BUSY = 2;

// ── interrupt tables, vol. 3A §6.10, §6.14.1 and §21.1.4 ────────────────────────────────────────────────────
export const IVT_ENTRY_SIZE = 4;
export const GATE_SIZE = 8;
export const GATE64_SIZE = 16;
/** Upper word of a gate: type and S, P, and in a 64-bit one the number of the stack in the TSS. */
export const GATE_TYPE_SHIFT = 8;
export const GATE_TYPE_AND_S = 0x1f;
export const GATE_PRESENT = 1 << 15;
export const GATE_IST = 7;

// ── paging-structure entries, vol. 3A §4.3–4.5 ─────────────────────────────────────────────────────────────
export const PTE_P = 1 << 0;
export const PTE_W = 1 << 1;
export const PTE_U = 1 << 2;
export const PTE_A = 1 << 5;
export const PTE_D = 1 << 6;
/** Large page, in a directory entry. */
export const PTE_PS = 1 << 7;
export const PTE_G = 1 << 8;
/** XD, in the upper half of a 64-bit entry. */
export const PTE_XD_HIGH = 1 << 31;
/** Low-word bits that must be zero in a leaf of 1 GiB and of 2 MiB. */
export const RESERVED_1G = 0x3fffe000;
export const RESERVED_2M = 0x001fe000;
/** Bits 51:12 of a 64-bit entry. */
export const PTE_ADDRESS = 0x000f_ffff_ffff_f000n;
/** XD of a whole 64-bit entry. */
export const PTE_XD = 1n << 63n;

// ── task-state segments, vol. 3A §7.2 and §7.7 ─────────────────────────────────────────────────────────────
export const TSS16_SP0 = 2;
export const TSS16_STACK_STRIDE = 4;
export const TSS32_ESP0 = 4;
export const TSS32_STACK_STRIDE = 8;
export const TSS64_RSP0 = 4;
export const TSS64_IST1 = 0x24;
/** Selector of the task that was interrupted or called this one. */
export const TSS_LINK = 0;
export const TSS16_IP = 0x0e;
export const TSS16_FLAGS = 0x10;
/** AX CX DX BX SP BP SI DI, 2 bytes each (EAX … EDI, 4 bytes each, in a 32-bit TSS). */
export const TSS16_GENERAL = 0x12;
/** ES CS SS DS (and FS GS in a 32-bit TSS). */
export const TSS16_SEGMENTS = 0x22;
export const TSS16_LDT = 0x2a;
export const TSS32_CR3 = 0x1c;
export const TSS32_EIP = 0x20;
export const TSS32_EFLAGS = 0x24;
export const TSS32_GENERAL = 0x28;
export const TSS32_SEGMENTS = 0x48;
export const TSS32_LDT = 0x60;
/** Bit 0: a debug exception when the task is switched to. */
export const TSS32_TRAP = 0x64;
/** Smallest limit of a 16-bit TSS. */
export const TSS16_MIN_LIMIT = 0x2b;
export const TSS_IO_MAP_BASE = 0x66;
/** Smallest limit of a 32-bit TSS that has the I/O map base. */
export const TSS_MIN_LIMIT = 0x67;

/** XCR0 and XSAVE state components, vol. 1 §13.1. */
export const XSTATE_X87 = 1;
export const XSTATE_SSE = 2;
/** The upper halves of YMM. */
export const XSTATE_YMM = 4;
/** Defined bits of MXCSR, vol. 1 §10.2.3. */
export const MXCSR_MASK = 0xffff;
export const MXCSR_RESET = 0x1f80;
