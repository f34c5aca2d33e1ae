/**
 * Where conformance guests keep things in guest-physical memory. Everything is identity-mapped, so that the same
 * bytes run with and without paging. Knows no instruction and no engine.
 */

/** RAM of a conformance guest, bytes. */
export const RAM_SIZE = 0x1000000;

/** Real-mode programs: code at 0x0800:0000, stack below. */
export const REAL_CODE = 0x8000;
export const REAL_STACK_TOP = 0x7000;
/** Left free for a runner that has to bring a real machine into the guest's first state. */
export const RUNNER_PAGE = 0x7000;

/** Kernel code of protected and long mode. */
export const CODE = 0x100000;
export const HANDLERS = 0x180000;
export const GDT = 0x1a0000;
export const IDT = 0x1a1000;
export const TSS = 0x1a2000;
export const TSS_LIMIT = 0x67;
/** Page tables the start state uses; further ones are taken from the pool. */
export const PAGE_TABLES = 0x1b0000;
export const PAGE_TABLE_POOL = 0x300000;
export const PAGE_TABLE_POOL_END = 0x380000;

/** Slots of 8 bytes where a guest records values; unwritten ones hold `POISON` bytes. */
export const RESULTS = 0x1c0000;
export const RESULT_SLOTS = 0x10000 / 8;
export const POISON = 0xa5;
/** The same for guests that start in real mode, within reach of a 16-bit address. */
export const REAL_RESULTS = 0x5000;
export const REAL_RESULT_SLOTS = 0x1000 / 8;

/** What exception handlers write: a count, the address to go on at, then one record per event. */
export const LOG = 0x1d0000;
export const LOG_RESUME = LOG + 8;
/** Non-zero: handlers of vectors ≥ 32 write the local APIC's EOI register. */
export const LOG_EOI = LOG + 16;
/** Where the kernel goes on when user code is done, and with which stack. */
export const LOG_USER_RETURN = LOG + 24;
export const LOG_USER_STACK = LOG + 32;
export const LOG_RECORDS = LOG + 64;
export const LOG_RECORD_SIZE = 64;

export const STACK_TOP = 0x1f0000;
/** Stack of TSS.RSP0, for entries from user mode. */
export const RSP0_TOP = 0x1f4000;
export const IST_TOPS = [0x1f8000, 0x1fc000] as const;

/** Scratch data of guests, supervisor. */
export const DATA = 0x200000;
/** Code and data that user mode may reach, identity-mapped with U/S set. */
export const USER_CODE = 0x600000;
export const USER_DATA = 0x700000;
export const USER_STACK_TOP = 0x7ff000;

/** Where long mode maps the log and the results once more, for user mode. */
export const USER_ALIAS = 0x40000000;
export const LAPIC = 0xfee00000;

/** Ports of the test host; QEMU's isa-debug-exit and isa-debugcon are put at the same. */
export const EXIT_PORT = 0xf4;
export const TEXT_PORT = 0xe9;
/** Ends a guest that met an exception nobody expected. */
export const EXIT_UNEXPECTED = 0x3f;

/** Selectors of the long-mode GDT. The order serves SYSCALL/SYSRET (from 0x08, 0x18) and SYSENTER/SYSEXIT (0x08). */
export const KERNEL_CODE = 0x08;
export const KERNEL_DATA = 0x10;
export const USER_CODE32 = 0x18 | 3;
export const USER_DATA_SELECTOR = 0x20 | 3;
export const USER_CODE64 = 0x28 | 3;
export const USER_DATA2 = 0x30 | 3;
export const COMPAT_CODE = 0x38;
export const CODE16 = 0x40;
export const DATA16 = 0x48;
export const TSS_SELECTOR = 0x50;
/** First selector that a guest may define itself. */
export const FREE_SELECTOR = 0x60;
export const GDT_LIMIT = 0x3ff;

/** Vector by which user code hands back to the kernel. */
export const USER_DONE_VECTOR = 0x90;
