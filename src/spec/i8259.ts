/** Numbers of the 8259A interrupt controller: Intel 8259A data sheet (231468), "Initialization Command Words". */

/** ICW1, written at A0 = 0. Bit 3 (LTIM) is replaced by ELCR on every PC with one. */
export const ICW1 = { needsIcw4: 0x01, single: 0x02, isIcw1: 0x10 } as const;
/** ICW2: bits 7–3 of the vector. */
export const ICW2_BASE = 0xf8;
export const ICW4 = { autoEoi: 0x02, fullyNestedSpecial: 0x10 } as const;

/** OCW2, A0 = 0 with bits 4–3 = 00: bits 7–5 the operation, 2–0 the level. */
export const OCW2 = { level: 0x07, specific: 0x20, eoi: 0x40, rotate: 0x80, operation: 0xe0 } as const;
export const OCW2_OPERATION = {
  clearRotateInAutoEoi: 0x00,
  nonSpecificEoi: 0x20,
  noOperation: 0x40,
  specificEoi: 0x60,
  setRotateInAutoEoi: 0x80,
  rotateNonSpecificEoi: 0xa0,
  setPriority: 0xc0,
  rotateSpecificEoi: 0xe0,
} as const;

/** OCW3, A0 = 0 with bits 4–3 = 01. */
export const OCW3 = {
  isOcw3: 0x08,
  readIsr: 0x01,
  readRegister: 0x02,
  poll: 0x04,
  specialMask: 0x20,
  setSpecialMask: 0x40,
} as const;

/** Poll word: a request was pending. */
export const POLL_PENDING = 0x80;
/** Inputs of one chip. */
export const INPUTS = 8;
/** What an acknowledge without a request reports. */
export const SPURIOUS_INPUT = 7;
/** The input of the master that the slave drives. */
export const CASCADE_INPUT = 2;
/** Inputs whose trigger mode may be changed (ICH9 data sheet §13.4.9–10: 0, 1, 2, 8 and 13 are always edge). */
export const ELCR_WRITABLE = { master: 0xf8, slave: 0xde } as const;
/** Where a PC's BIOS puts the vectors (IBM PC/AT technical reference); Multiboot kernels may rely on it. */
export const BIOS_VECTOR_BASE = { MASTER: 0x08, SLAVE: 0x70 } as const;
