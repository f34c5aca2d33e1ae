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

/** Order of the segment registers as instructions encode them (SDM vol. 2D, table B-8). */
export const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
export type SegmentName = (typeof SEGMENT_NAMES)[number];

/** Everything that decides what the CPU does next. Values are unsigned. */
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
  /** Whether the CPU waits in HLT for an interrupt. */
  halted: boolean;
  /** Whether the CPU waits for INIT-SIPI (every CPU but the first, after reset). */
  waitForSipi: boolean;
}
