/**
 * Where a case lies: the records that the harness reads and writes, and the addresses that instructions under test
 * see. They are the same natively and in the guest, so that pointers, RIP and CR2 can be compared as they are.
 * Knows no instruction.
 *
 * ```
 *  case record                              result record
 *  000  16 GPRs (for RSP: ES DS FS GS)      000  16 GPRs
 *  080  RIP CS RFLAGS RSP SS (IRETQ frame)  080  RIP RFLAGS vector error CR2
 *  0a8  FS base, GS base                    0a8  FS base, GS base, CS
 *  0c0  FXSAVE64 image, 512 bytes           0c0  FXSAVE64 image
 *  2c0  memory window, 640 bytes            2c0  memory window
 * ```
 */

export const RECORD_BYTES = 0x540;
export const GPR_AT = 0;
/** In a case's record: selectors of ES, DS, FS and GS, where RSP would be. */
export const SEGMENTS_AT = 0x20;
export const FS_BASE_AT = 0xa8;
export const GS_BASE_AT = 0xb0;
export const FX_AT = 0xc0;
export const MEMORY_AT = 0x2c0;

export const FRAME_AT = 0x80;
export const CASE = { RIP: 0x80, CS: 0x88, RFLAGS: 0x90, RSP: 0x98, SS: 0xa0 } as const;
export const RESULT = { RIP: 0x80, RFLAGS: 0x88, VECTOR: 0x90, ERROR: 0x98, CR2: 0xa0, CS: 0xb8 } as const;

/** Linux's selectors for user mode (arch/x86/include/asm/segment.h), which the guest's GDT has at the same places. */
export const SELECTOR = { CODE32: 0x23, DATA: 0x2b, CODE64: 0x33 } as const;

export const PAGE = 0x1000;

/**
 * Instructions under test. Every second page is absent, so that one that is cut off by the end of its page faults.
 * What no instruction fills is INT3.
 */
export const CODE = 0x10000000;
export const CODE_STRIDE = 2 * PAGE;
export const INT3 = 0xcc;

/**
 * Case records, results and the harness itself: where no 32-bit address leads and hardly any random 64-bit one. User
 * mode can reach them natively but not in the guest.
 */
export const INPUT = 0x200000000000;
export const OUTPUT = 0x210000000000;
export const NATIVE_BASE = 0x220000000000;
export const SUPERVISOR_BASE = 0x230000000000;

/**
 * The memory window: the end of one page and the start of the next, seen through several pairs of pages that differ
 * in what they allow. Nothing else is mapped near them.
 */
export const MEMORY_BYTES = 640;
export const MEMORY_BEFORE = 384;
export type Access = "rw" | "r" | "-";
export const VIEWS: readonly (readonly [Access, Access])[] = [
  ["rw", "rw"],
  ["rw", "-"],
  ["-", "rw"],
  ["rw", "r"],
  ["r", "rw"],
  ["r", "r"],
];
const VIEW_BASE = 0x30000000;
export const VIEW_STRIDE = 0x10000;
/** First page of a view. */
export const viewAddress = (view: number): number => VIEW_BASE + view * VIEW_STRIDE;
/** Where the window's second half begins in a view. */
export const viewMiddle = (view: number): number => viewAddress(view) + PAGE;
export const WINDOW_START = viewMiddle(0) - MEMORY_BEFORE;

/** Segment registers in the order of their encoding. */
export const [ES, CS, SS, DS, FS, GS] = [0, 1, 2, 3, 4, 5];

/** A segment of the local descriptor table, which `modify_ldt` fills natively. All are present, of privilege 3. */
export interface LocalSegment {
  readonly base: number;
  /** Last byte; of an expand-down segment the last that is out of it. */
  readonly limit: number;
  readonly kind: "data" | "read-only" | "expand-down" | "code";
  /** D/B: 32-bit offsets, or code, by default. */
  readonly big: boolean;
}

const local = (base: number, limit: number, kind: LocalSegment["kind"], big = false): LocalSegment => ({
  ...{ base, limit, kind, big },
});
export const LDT: readonly LocalSegment[] = [
  local(CODE, 0xffff, "code"),
  ...VIEWS.map((_, view) => local(viewAddress(view), 0xffff, "data")),
  local(viewMiddle(0) - 0x100, 0x13f, "data", true),
  local(viewAddress(0), 0x107f, "data"),
  local(viewAddress(0), 0xffff, "read-only"),
  local(viewAddress(0), 0xfc0, "expand-down"),
  local(viewAddress(0), 0xfc0, "expand-down", true),
  local(viewAddress(0), 0x10ff, "code"),
];
export const localSelector = (index: number): number => (index << 3) | 7;
/** 16-bit code, which has the first 64 KiB from CODE. */
export const CODE16 = localSelector(0);
export const CODE16_REACH = 0x10000;

/** What RIP-relative and plain 32-bit addressing cannot tell apart otherwise. */
export const FS_BASE = 0x11110000n;
export const GS_BASE = 0x5a0022220000n;

/** Unmapped in both worlds. */
export const NOWHERE = 0x123456789000n;
export const NOWHERE32 = 0x55667000;
/** Addresses at and above it belong to the kernel: Linux's TASK_SIZE_MAX with 4-level paging. */
export const TASK_SIZE_MAX = 0x7ffffffff000n;

/** Records of one batch. */
export const BATCH = 4096;
/** Room for the instructions of one batch, in pages that are present. */
export const CODE_PAGES = 256;
