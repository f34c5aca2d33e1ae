/**
 * The device that suites of unit tests for hypervisors expect beside debug-exit and fw_cfg. QEMU hw/misc/pc-testdev.c; port 0xe9
 * is Bochs' debug console, inside the range of the byte register.
 */
export const TESTDEV = {
  /** A 32-bit register, in accesses of any size. */
  REGISTER: { start: 0xe0, size: 4 },
  /** Written with an address: the host forgets how it maps the page. */
  FLUSH: { start: 0xe4, size: 4 },
  /** The same register, byte by byte. */
  BYTES: { start: 0xe8, size: 4 },
  /** One port an interrupt: a byte that is not 0 raises it. */
  LINES: { start: 0x2000, size: 24 },
  /** Registers in memory that keep what is written. */
  MEMORY: { start: 0xff00_0000, size: 0x10000 },
  /** Offset of Bochs' debug console in BYTES. */
  CONSOLE: 1,
} as const;

/** What Bochs' debug console reads as. */
export const BOCHS_CONSOLE_READBACK = 0xe9;
