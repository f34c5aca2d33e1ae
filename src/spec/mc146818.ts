/**
 * Numbers of the MC146818 real-time clock and of the CMOS bytes behind it. Motorola MC146818A data sheet;
 * ICH9 data sheet §13.6; the CMOS map is what PC firmware has kept there since the PC AT.
 */

/** Bytes of RTC registers and RAM. */
export const CMOS_SIZE = 128;

export const RTC = {
  seconds: 0x00,
  secondsAlarm: 0x01,
  minutes: 0x02,
  minutesAlarm: 0x03,
  hours: 0x04,
  hoursAlarm: 0x05,
  /** 1 is Sunday. */
  dayOfWeek: 0x06,
  dayOfMonth: 0x07,
  month: 0x08,
  year: 0x09,
  a: 0x0a,
  b: 0x0b,
  c: 0x0c,
  d: 0x0d,
  /** Not of the chip: where PCs keep the century (ACPI FADT field CENTURY). */
  century: 0x32,
} as const;

/** Port 0x70: index in bits 6–0; bit 7 masks NMI. */
export const RTC_INDEX = { mask: 0x7f, nmiDisabled: 0x80 } as const;

/** Register A: update in progress, divider, rate. */
export const RTC_A = {
  updateInProgress: 0x80,
  dividerMask: 0x70,
  /** Divider values from here on hold the divider chain in reset. */
  dividerReset: 0x60,
  dividerNormal: 0x20,
  rateMask: 0x0f,
  rate1024Hz: 0x06,
} as const;
export const RTC_B = {
  set: 0x80,
  periodicEnable: 0x40,
  alarmEnable: 0x20,
  updateEnable: 0x10,
  squareWave: 0x08,
  binary: 0x04,
  hours24: 0x02,
  daylightSaving: 0x01,
} as const;
/** Register C: flags, in the places of their enables in B. */
export const RTC_C = { interrupt: 0x80, periodic: 0x40, alarm: 0x20, update: 0x10, flags: 0x70 } as const;
export const RTC_D = { validRam: 0x80 } as const;
export const RTC_PM = 0x80;
/** An alarm byte with both top bits set matches anything. */
export const RTC_ALARM_ANY = 0xc0;

/** Oscillator. */
export const RTC_HZ = 32768;
/**
 * Seconds since 1970: a day before year 0, and year 33,658. What the registers can say lies between, read as they must not be
 * written, and however long a machine runs.
 */
export const RTC_EARLIEST_SECONDS = -63_000_000_000;
export const RTC_LATEST_SECONDS = 1_000_000_000_000;
/** UIP rises this long before the registers change: 244 µs of warning and 1984 µs of update. */
export const RTC_UIP_NS = 244_000 + 1_984_000;
/** After the divider leaves reset the first update comes half a second later. */
export const RTC_FIRST_UPDATE_NS = 500_000_000;

/** CMOS bytes that firmware fills in. */
export const CMOS = {
  shutdownStatus: 0x0f,
  equipment: 0x14,
  baseMemoryLow: 0x15,
  baseMemoryHigh: 0x16,
  extendedMemoryLow: 0x17,
  extendedMemoryHigh: 0x18,
  checksummed: { first: 0x10, last: 0x2d },
  checksumHigh: 0x2e,
  checksumLow: 0x2f,
  extendedMemoryLow2: 0x30,
  extendedMemoryHigh2: 0x31,
  above16MLow: 0x34,
  above16MHigh: 0x35,
  above4GLow: 0x5b,
  above4GMiddle: 0x5c,
  above4GHigh: 0x5d,
  /** Number of CPUs beside the first (Bochs, QEMU). */
  otherCpus: 0x5f,
} as const;
/** Units and limits of the memory fields. */
export const CMOS_MEMORY = {
  baseKib: 640,
  extendedKibLimit: 0xffff,
  blockBytes: 0x10000,
  blockLimit: 0xffff,
  mebibyte: 0x100000,
  above16M: 0x1000000,
  mostCpus: 256,
} as const;
