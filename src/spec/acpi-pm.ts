/** Numbers of ACPI's fixed power-management registers: ACPI 6.5 §4.8.3 "PM1 event and control grouping". */

/** PM1 status register, write 1 to clear (§4.8.3.1.1). */
export const PM1_STATUS = {
  timer: 0x0001,
  busMaster: 0x0010,
  global: 0x0020,
  powerButton: 0x0100,
  sleepButton: 0x0200,
  rtc: 0x0400,
  wake: 0x8000,
} as const;
/** PM1 enable register, bits in the places of their status (§4.8.3.1.2). */
export const PM1_ENABLE = { writable: 0x0721 } as const;
/** PM1 control register (§4.8.3.2.1). */
export const PM1_CONTROL = {
  sciEnable: 0x0001,
  sleepTypeShift: 10,
  sleepTypeMask: 7,
  sleepEnable: 0x2000,
  /** SCI_EN, BM_RLD and SLP_TYP read back; GBL_RLS and SLP_EN read as zero. */
  readable: 0x1c03,
} as const;

/** Offset of the enable register behind the status register, in an event block of 4 bytes. */
export const PM1_ENABLE_OFFSET = 2;

/** General-purpose events of block 0 (§4.8.4.1): as many bits of status, write 1 to clear, and behind them of enable. */
export const GENERAL_EVENT_COUNT = 16;
/** Offset of the enable bits, in a block of 4 bytes. */
export const GENERAL_ENABLE_OFFSET = 2;

/** Power-management timer (§4.8.3.3): its rate, Hz, and width. */
export const PM_TIMER = { hz: 3_579_545, bits: 32, shortBits: 24 } as const;
