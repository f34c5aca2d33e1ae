/**
 * Where everything lives inside the engine's one WebAssembly memory: per-CPU state and TLBs, the cache of decoded
 * instructions, the map of code lines, guest RAM. Templates of the generated decoder and the map of absent pages lie between
 * the arena's entries and the code lines. Generated code and TypeScript share these numbers and nothing
 * else. Knows no instruction.
 *
 * ```
 *  0          64 KiB                                       by the size of RAM  256 KiB a CPU   4 GiB
 *  ┌──────────┬───────────────┬───────────────┬──────────────┬──────────────┬───────────────┐
 *  │ tables   │ decode lookup │ arena, entries│ code lines   │ CPU areas    │ guest RAM     │
 *  └──────────┴───────────────┴───────────────┴──────────────┴──────────────┴───────────────┘
 * ```
 */

import * as encoding from "../../spec/x86-encoding.js";
import { SHIFT_4K, SIZE_4K } from "../../spec/x86-system.js";
import { RECORD_BYTES } from "./record.js";

export const WASM_PAGE = 0x10000;
export const PAGE_SIZE = SIZE_4K;
export const PAGE_SHIFT = SHIFT_4K;
/** Pages of 4 GiB: a page number in the low 32 bits of an address. */
export const PAGES_4G = 2 ** (32 - PAGE_SHIFT);

// ── constant tables ────────────────────────────────────────────────────────────────────────────────────────
// Absolute addresses in the reserved page; the interpreter's module brings them (constant-tables.ts).

/** What a byte adds to its column in an AES round: 256 dwords; byte 1 is the substituted byte. */
export const AES_ENCRYPT = 0x1000;
export const AES_SUBSTITUTED = 1;
/** The same for a round of the equivalent inverse cipher. */
export const AES_DECRYPT = 0x1400;
/** Inverse of SubBytes: 256 bytes. */
export const AES_RESTORE = 0x1800;
/** CRC32 remainders of a byte followed by 0 to 3 bytes of zeros: 4 × 256 dwords. */
export const CRC32C = 0x2000;
export const CRC32C_STRIDE = 0x400;

/** Pages of RAM that CPUs watch after MONITOR, a byte by the low bits of the page's number: how many CPUs watch such a one. */
export const MONITORED_PAGES = 0x3000;
export const MONITORED_PAGES_MASK = 0xfff;
/** Whether pages that are written are noted, see wasm/written-pages.ts: then they get no fast write tags. u32. */
export const TRACKED_PAGES = 0xf000;

/** What regions count where somebody asks for statistics, i64 each: ways out and instructions; by operation. */
export const REGION_COUNTS = 0x4000;
export const REGION_OPERATION_COUNTS = 0x4100;

// ── CPU area ───────────────────────────────────────────────────────────────────────────────────────────────
// Byte offsets from the CPU's base. Generated code receives the base as its first parameter.

export const CPU_AREA_SIZE = 0x40000;

/** 16 general registers, 8 bytes each, in encoding order. 32-bit writes zero the upper half. */
export const GPR = 0x000;
/** Those that instructions use without naming them. */
export const RAX = GPR + encoding.RAX * 8;
export const RCX = GPR + encoding.RCX * 8;
export const RDX = GPR + encoding.RDX * 8;
export const RBX = GPR + encoding.RBX * 8;
export const RSP = GPR + encoding.RSP * 8;
export const RBP = GPR + encoding.RBP * 8;
export const RSI = GPR + encoding.RSI * 8;
export const RDI = GPR + encoding.RDI * 8;
/** Always zero: stands for an absent base or index register. */
export const ZERO_SLOT = 0x080;
/** The current code page's address as RIP sees it (linear minus CS.base), low 12 bits zero. Base of RIP-relative operands. */
export const PAGE_RIP = 0x088;
/** RIP: valid whenever generated code is not running, and when a handler returned 0 ("resolve"). */
export const RIP = 0x090;
/** Lazy status flags, see `flags.ts`. */
export const FLAG_RESULT = 0x098;
export const FLAG_CARRY = 0x0a0;
/** RFLAGS without CF PF AF ZF SF OF; bit 1 set. u32. */
export const FLAG_SYSTEM = 0x0a8;
/** Current privilege level, u32. */
export const CPL = 0x0ac;

/** Segment bases, 8 bytes each: ES CS SS DS FS GS, then `SEGMENT_NONE` whose base is always zero, then spare. */
export const SEGMENT_BASE = 0x0b0;
/** Segment limits, u32 each, expanded to bytes, in the same order; LDTR and TR at 6 and 7. */
export const SEGMENT_LIMIT = 0x0f0;
/** Access rights (VMX format, see x86/cpu-state.ts), u32 each; LDTR and TR at 6 and 7. */
export const SEGMENT_ACCESS = 0x110;
/** Selectors, u32 each; LDTR and TR at 6 and 7. */
export const SEGMENT_SELECTOR = 0x130;
/** Bases of LDTR and TR, 8 bytes each. */
export const LDTR_BASE = 0x150;
export const TR_BASE = 0x158;
export const GDTR_BASE = 0x160;
export const IDTR_BASE = 0x168;
export const GDTR_LIMIT = 0x170;
export const IDTR_LIMIT = 0x174;

/** Index of a segment without base: CS, DS, ES and SS of 64-bit mode. */
export const SEGMENT_NONE = 6;
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
/** Indices of LDTR and TR in the limit, access and selector arrays. */
export const LDTR = 6;
export const TR = 7;

/** ANDed to every linear address: all ones in 64-bit mode, 0xffffffff otherwise. i64. */
export const LINEAR_MASK = 0x178;
/** ANDed to the stack pointer by SS.B and mode: 64, 32 or 16 ones. i64. */
export const STACK_MASK = 0x180;
/** Base of the stack segment as generated code adds it (0 in 64-bit mode). i64. */
export const STACK_BASE = 0x188;
/** Absolute address of the data TLB for the current access mode. u32. */
export const TLB_CURRENT = 0x190;
/** The mode that decoded instructions depend on, see `mode.ts`. u32. */
export const MODE_KEY = 0x194;
/** Instructions that may still run before control returns to TypeScript. i32. */
export const LEFT = 0x198;
/** Interrupts that wait, as bits: generated code that opens a window for one must leave. u32. */
export const INTERRUPT_PENDING = 0x19c;
export const PENDING_INTR = 1;
export const PENDING_NMI = 2;
/** Non-zero when stack accesses need a limit check (SS not flat outside 64-bit mode). u32. */
export const STACK_CHECKED = 0x1a0;
/** `LEFT` + 1 when the last instruction that blocks interrupts for one instruction ran (STI, MOV SS, POP SS), or 0. i32. */
export const INTERRUPT_SHADOW = 0x1a4;
/** Bit 63 set forms of the linear address handed to slow paths. i64. */
export const MAIL_ADDRESS = 0x1a8;
/** Code iTLB selector: 0 supervisor, 1 user; the value ORed into iTLB tags. u32. */
export const CODE_ACCESS = 0x1b0;
/** Set by the address function when a checked address faulted and the exception is delivered. u32. */
export const ADDRESS_FAULT = 0x1e8;
/** Counts how often all decoded instructions were dropped: records found before a change are gone. u32. */
export const DECODE_EPOCH = 0x1ec;
/** Set when a region left because the budget did not cover it: the interpreter runs the rest of the slice. u32. */
export const REGION_TAIL = 0x680;
/** Non-zero while a compiled region is checked: its stores to guest memory are kept in a journal. u32. */
export const REGION_JOURNAL = 0x6f0;
/** Always one: index register of the rare operands whose displacement leaves 32 bits, scaled by 2^32. i64. */
export const ONE_SLOT = 0x1f0;
/** 64-bit results of helper calls. i64. */
export const MAIL_VALUE = 0x1b8;

export const CR0 = 0x1c0;
export const CR2 = 0x1c8;
export const CR3 = 0x1d0;
export const CR4 = 0x1d8;
export const EFER = 0x1e0;
/** Debug registers 0–7, 8 bytes each. */
export const DR = 0x200;
export const DR6 = DR + 6 * 8;
export const DR7 = DR + 7 * 8;
/** 0 running, 1 halted, 2 waiting for SIPI, 3 in MWAIT. u32. */
export const ACTIVITY = 0x240;
/** Non-zero: NMIs are blocked until IRET. u32. */
export const NMI_BLOCKED = 0x244;
/** MXCSR, u32. */
export const MXCSR = 0x248;
/** x87 state, 256 bytes, layout of x87/state.ts. */
export const FPU = 0x300;
/** XMM registers, 16 × 32 bytes: the stride leaves room for the upper halves of YMM. */
export const XMM = 0x400;
export const XMM_STRIDE = 32;
/** Model-specific registers that generated code reads: see msr.ts for the rest. */
export const TSC_AUX = 0x600;
export const MSR_STAR = 0x608;
export const MSR_LSTAR = 0x610;
export const MSR_CSTAR = 0x618;
export const MSR_FMASK = 0x620;
export const MSR_KERNEL_GS_BASE = 0x628;
export const MSR_SYSENTER_CS = 0x630;
export const MSR_SYSENTER_ESP = 0x638;
export const MSR_SYSENTER_EIP = 0x640;
export const MSR_PAT = 0x648;
export const MSR_TSC_ADJUST = 0x650;
export const MSR_SPEC_CTRL = 0x658;
export const MSR_MISC_ENABLE = 0x660;
export const XCR0 = 0x668;

/** Landing place of accesses that cannot go to RAM directly (devices, page crossings): 64 bytes. */
export const SCRATCH = 0x700;
/** Second operand and temporary of 128-bit helper calls. */
export const SCRATCH_B = 0x740;

/** How many exceptions and interrupts were delivered: tells a completed instruction from one that faulted. u32. */
export const DELIVERIES = 0x780;
/** Accesses that the data TLB did not answer, for statistics. u32. */
export const TLB_MISSES = 0x784;

// What page walks of generated code need to know, u32 each.
/** Host address of guest RAM. */
export const RAM_BASE = 0x788;
/** Pages of RAM that begin at guest-physical address 0: there, offset in RAM and address are the same. */
export const RAM_LOW_PAGES = 0x78c;
/** Bits of a paging entry's upper half that are reserved by the width of physical addresses; XD is not among them. */
export const RESERVED_PHYSICAL = 0x790;
/** Bits of the lower half of a page-directory-pointer entry that maps 1 GiB which must be 0: all, where there are none. */
export const RESERVED_1G = 0x794;

// The time-stamp counter without TSC_ADJUST: TSC_BASE + (TSC_ORIGIN − LEFT) × TSC_RATE / TICK_PARTS, see semantics/time-stamp.ts.
/** What LEFT was, or would have been, where the counter was TSC_BASE. i32. */
export const TSC_ORIGIN = 0x7ac;
/** i64. */
export const TSC_BASE = 0x7b0;
/** Negative: the machine must be asked. i64. */
export const TSC_RATE = 0x7b8;

// What a debugger has set, see system/stops.ts; u32 each.
/** Some code pages must not be in the instruction TLB. */
export const STOPS_CODE = 0x7c4;
/** Some data pages must have no fast tags. */
export const STOPS_DATA = 0x7c8;
/** PAUSE instructions that may still run, this one included, before the machine is told; 0: any number. u32. */
export const PAUSES_LEFT = 0x7cc;

// Which TLB entries are filled, see system/tlb-book.ts.
/** How many are in the lists of non-global and of global entries, u32 each: of data, then of code. */
export const TLB_LISTED = 0x798;
/** Whether any byte of `LARGE_REGIONS` is set. u32. */
export const ANY_LARGE = 0x7a8;
/** Hash of gigabytes of linear addresses, a bit each: set when an entry was filled from a 1 GiB page there. u32. */
export const LARGE_GIGABYTES = 0x7c0;
/** Lists of filled entries of the instruction TLB, u16 each: non-global ones, global ones. */
export const ITLB_LISTS = 0x800;
/** Hash of 2 MiB regions of linear addresses, a byte each: set when an entry was filled from a large page there. */
export const LARGE_REGIONS = 0x1000;
export const LARGE_REGION_ENTRIES = 0x1000;
export const LARGE_REGION_SHIFT = 9;
export const LARGE_GIGABYTE_SHIFT = 18;
/** The bit of a gigabyte is its number XORed with that of its root entry: the parts of a kernel begin at multiples of 512 GiB. */
export const LARGE_GIGABYTE_FOLD = 9;

/**
 * Data TLBs, one for each access mode. Direct-mapped by bits 10:0 of the linear page number XORed with bits 19:11: what
 * lies a power of two apart, as the parts of a kernel do, does not share an entry. FreeBSD, which reaches all memory at
 * random, misses four times as often in half as many entries.
 *
 * ```
 *   0            8             16           20          24         28
 *  ┌────────────┬─────────────┬────────────┬───────────┬──────────┬───────┐
 *  │ read tag   │ write tag   │ addend     │ phys page │ flags    │ page  │   one entry, 32 bytes
 *  └────────────┴─────────────┴────────────┴───────────┴──────────┴───────┘
 * ```
 * A tag is the linear address of the page, or `TLB_EMPTY`. Host address = low 32 bits of linear + addend.
 */
export const TLB = 0x2000;
export const TLB_INDEX_BITS = 11;
export const TLB_ENTRIES = 1 << TLB_INDEX_BITS;
export const TLB_ENTRY_SHIFT = 5;
export const TLB_ENTRY_SIZE = 1 << TLB_ENTRY_SHIFT;
export const TLB_BYTES = TLB_ENTRIES * TLB_ENTRY_SIZE;
export const TLB_READ_TAG = 0;
export const TLB_WRITE_TAG = 8;
export const TLB_ADDEND = 16;
export const TLB_PHYSICAL_PAGE = 20;
export const TLB_FLAGS = 24;
/** The linear page number above the index bits, by which TypeScript knows the entry also of a device's page. */
export const TLB_PAGE_TAG = 28;
/** `TLB_FLAGS` bits. */
export const TLB_FLAG_GLOBAL = 1;
/** The mapping is writable and dirty; the write tag may be restored once the page holds no code. */
export const TLB_FLAG_WRITABLE = 2;
/** The entry is in the list of non-global, of global entries. They say nothing of what it maps. */
export const TLB_LISTED_LOCAL = 4;
export const TLB_LISTED_GLOBAL = 8;
/** No page-aligned address equals it. */
export const TLB_EMPTY = 1;

/** Access modes: user; supervisor that may not touch user pages (SMAP, AC=0); supervisor that may. */
export const ACCESS_USER = 0;
export const ACCESS_SUPERVISOR = 1;
export const ACCESS_SUPERVISOR_USER = 2;
export const ACCESS_MODES = 3;

/**
 * Instruction TLB: 512 entries of 16 bytes: tag i64 (linear page | `CODE_ACCESS`, or `ITLB_EMPTY`), physical page
 * address u32 at 8, flags u32 at 12 (as those of data). Only RAM pages below 4 GiB of host-addressable RAM are entered.
 */
export const ITLB = TLB + ACCESS_MODES * TLB_BYTES;
export const ITLB_ENTRIES = 512;
export const ITLB_ENTRY_SIZE = 16;
export const ITLB_RAM_OFFSET = 8;
export const ITLB_FLAGS = 12;
export const ITLB_EMPTY = 0xfff;

/** Lists of filled entries of the data TLBs, u16 each: non-global ones, global ones. */
export const TLB_LISTS = ITLB + ITLB_ENTRIES * ITLB_ENTRY_SIZE;
export const TLB_LIST_BYTES = ACCESS_MODES * TLB_ENTRIES * 2;

/** Bytes that MONITOR watches: what CPUID leaf 5 tells. */
export const MONITOR_LINE = 64;

// ── shared areas ───────────────────────────────────────────────────────────────────────────────────────────

/**
 * Decode lookup: direct-mapped hash from (RAM offset of an instruction, mode key) to its record.
 * 16 bytes: RAM offset u32 (or `LOOKUP_EMPTY`), mode key u32, record u32, spare.
 */
export const LOOKUP = WASM_PAGE;
export const LOOKUP_ENTRIES = 0x10000;
export const LOOKUP_ENTRY_SIZE = 16;
export const LOOKUP_EMPTY = 0xffffffff;

/** Records of decoded instructions, see record.ts. */
export const ARENA = LOOKUP + LOOKUP_ENTRIES * LOOKUP_ENTRY_SIZE;
export const ARENA_RECORDS = 0x100000;
export const RECORD_SIZE = RECORD_BYTES;

/** For records that enter a compiled region: which of its entries they are, u16 a record. */
export const REGION_ENTRIES = ARENA + ARENA_RECORDS * RECORD_SIZE;
export const REGION_ENTRY_BYTES = 2;

/** What the quick decoder knows of kinds of instructions, a word each: see wasm/templates.ts. */
export const TEMPLATES = REGION_ENTRIES + ARENA_RECORDS * REGION_ENTRY_BYTES;
/** Kinds by map (2 bits), opcode (8), prefix (2), REX.W, ModRM.mod being 3, ModRM.reg (3). */
export const TEMPLATE_COUNT = 1 << 17;
/** What each byte is as a prefix or opcode of map 0, then as an opcode of maps 1 to 3, a byte each. */
export const BYTE_KINDS = TEMPLATES + TEMPLATE_COUNT * 4;
/** Slots of registers by number, 16 u16 for each way to name one. */
export const TEMPLATE_SLOTS = BYTE_KINDS + 4 * 256;
export const TEMPLATE_SLOT_ROWS = 8;

/** Pages of RAM that are not there yet, a byte each: see wasm/absent-pages.ts. Walks of generated code leave where they come to one. */
export const ABSENT_PAGES = TEMPLATE_SLOTS + TEMPLATE_SLOT_ROWS * 16 * 2;

/** One bit for each 64-byte line of RAM that holds decoded code: 8 bytes a page. */
export const CODE_LINES = ABSENT_PAGES + PAGES_4G;
export const CODE_LINE_SHIFT = 6;

/** First byte of the CPU areas of a guest with `ramBytes` of RAM: behind the code-line map, 64 KiB aligned. */
export function cpuAreas(ramBytes: number): number {
  const codeLineBytes = Math.ceil(ramBytes / PAGE_SIZE) * 8;
  return Math.ceil((CODE_LINES + codeLineBytes) / WASM_PAGE) * WASM_PAGE;
}

/** First byte of guest RAM for a guest with `ramBytes` of it and so many CPUs. */
export function ramBase(ramBytes: number, cpus: number): number {
  return cpuAreas(ramBytes) + cpus * CPU_AREA_SIZE;
}
