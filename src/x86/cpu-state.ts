/**
 * The architectural state of one x86-64 CPU as plain data: what a loader describes, what an engine starts from
 * and reports, what tests compare. Knows no engine and no boot protocol.
 *
 * Specification: Intel SDM vol. 3A, chapters 2 and 3; vol. 3C §24.4.1 for the access-rights format.
 */

/**
 * A segment register with its hidden part.
 *
 * ```
 *  16  15  14  13  12  11..8    7   6..5   4   3..0
 * ┌───┬───┬───┬───┬───┬──────┬───┬──────┬───┬──────┐
 * │ U │ G │D/B│ L │AVL│  0   │ P │ DPL  │ S │ type │   access, SDM vol. 3C §24.4.1 (U = unusable)
 * └───┴───┴───┴───┴───┴──────┴───┴──────┴───┴──────┘
 * ```
 */
export interface SegmentRegister {
  /** The visible selector, 0–0xffff. */
  selector: number;
  /** Linear base address, 64 bits. */
  base: bigint;
  /** Limit in bytes, already expanded by the granularity bit (0xffffffff for a flat 4 GiB segment). */
  limit: number;
  /** Access rights in VMX format, see above. */
  access: number;
}

/** GDTR or IDTR. */
export interface DescriptorTableRegister {
  base: bigint;
  limit: number;
}

/** Order of `CpuState.gpr`: the encoding order of ModRM and REX. */
export const GPR_NAMES = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;

/** What MONITOR has armed and MWAIT waits for. */
export interface MonitoredLine {
  /** Guest-physical address of its first byte. */
  address: number;
  /** In MWAIT: the CPU executes nothing until the line is written or an interrupt comes. */
  waiting: boolean;
  /** Interrupts end the wait even with RFLAGS.IF clear (MWAIT with ECX[0]). */
  wakesOnMasked: boolean;
}

/** Order of the segment registers as instructions encode them (SDM vol. 2D, table B-8). */
export const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
export type SegmentName = (typeof SEGMENT_NAMES)[number];

/**
 * Everything that decides what the CPU does next, as plain data: it survives `structuredClone`. Values are unsigned. Optional
 * fields that are absent have their value after reset, so that a loader need not know them. The level of the interrupt line and
 * the time-stamp counter are the machine's.
 */
export interface CpuState {
  /** The 16 general registers, in `GPR_NAMES` order. */
  gpr: bigint[];
  rip: bigint;
  rflags: bigint;
  es: SegmentRegister;
  cs: SegmentRegister;
  ss: SegmentRegister;
  ds: SegmentRegister;
  fs: SegmentRegister;
  gs: SegmentRegister;
  ldtr: SegmentRegister;
  tr: SegmentRegister;
  gdtr: DescriptorTableRegister;
  idtr: DescriptorTableRegister;
  cr0: bigint;
  cr2: bigint;
  cr3: bigint;
  cr4: bigint;
  /** IA32_EFER. */
  efer: bigint;
  /** Debug registers 0–3, 6, 7 at their index; 4 and 5 are unused. */
  dr: bigint[];
  /** Other model-specific registers by index; one that is absent has its reset value. */
  msrs: Record<number, bigint>;
  /** XCR0; absent means its reset value, 1. */
  xcr0?: bigint;
  /** x87, MMX and SSE state as a 512-byte FXSAVE64 image; absent means the reset state. */
  fxsave?: Uint8Array;
  /** Selectors of the last x87 instruction and of its operand (FCS, FDS), for which FXSAVE64 has no room. */
  x87Selectors?: { code: number; data: number };
  /** Upper halves of YMM0–15, 16 bytes each; absent means zeros. */
  ymmUpper?: Uint8Array;
  /** The four page-directory-pointer entries that PAE paging has loaded; absent means those in memory at CR3. */
  pdptes?: bigint[];
  /** A non-maskable interrupt waits to be taken. */
  nmiPending?: boolean;
  /** Non-maskable interrupts are blocked until IRET. */
  nmiBlocked?: boolean;
  /** What the last instruction was that holds interrupts back for one more: a load of SS also holds back NMIs and #DB. */
  interruptShadow?: "sti" | "ss";
  /** An interrupt was taken at this instruction boundary; no second one is. */
  interruptTaken?: boolean;
  /** B0–B3 of DR6 of data breakpoints that were reached: a #DB at the next boundary that no shadow hides. */
  pendingDebug?: number;
  /** The line of memory that MONITOR watches. */
  monitor?: MonitoredLine;
  /** The CPU has shut down (triple fault), with these words for a person. */
  shutdown?: string;
  /** Whether the CPU waits in HLT for an interrupt. */
  halted: boolean;
  /** Whether the CPU waits for INIT-SIPI (every CPU but the first, after reset). */
  waitForSipi: boolean;
}
