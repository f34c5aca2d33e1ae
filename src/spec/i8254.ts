/** Numbers of the 8254 interval timer: Intel 8254 data sheet (231164), "Programming the 8254". */

/** Input clock of a PC's 8254, Hz: the NTSC colour subcarrier × 4 / 12. */
export const PIT_HZ = 1_193_182;
export const PIT_CHANNELS = 3;
/** Offset of the control word register behind the three counters. */
export const PIT_CONTROL = 3;
/** The channels whose output a PC uses. */
export const PIT_CHANNEL = { interrupt: 0, refresh: 1, speaker: 2 } as const;

/**
 * Control word.
 * ```
 *   7   6   5   4   3   2   1   0
 * ┌───────┬───────┬───────────┬───┐
 * │ chan. │  RW   │   mode    │BCD│   RW 0 latches the count; channel 3 is read-back
 * └───────┴───────┴───────────┴───┘
 * ```
 */
export const PIT_CONTROL_WORD = {
  channelShift: 6,
  accessShift: 4,
  accessMask: 3,
  modeShift: 1,
  modeMask: 7,
  bcd: 0x01,
  readBackChannel: 3,
} as const;
/** Access (RW) field. */
export const PIT_ACCESS = { latch: 0, low: 1, high: 2, both: 3 } as const;
/** Read-back command: a clear bit latches; channels in bits 1–3. */
export const PIT_READ_BACK = { notCount: 0x20, notStatus: 0x10, channelShift: 1 } as const;
/** Status byte: output and null count above the control word's low six bits. */
export const PIT_STATUS = { output: 0x80, nullCount: 0x40 } as const;

export const PIT_MODE = {
  terminalCount: 0,
  hardwareOneShot: 1,
  rateGenerator: 2,
  squareWave: 3,
  softwareStrobe: 4,
  hardwareStrobe: 5,
} as const;

/** A count of 0 means this many, and counters wrap at it. */
export const PIT_FULL_COUNT = { binary: 0x10000, bcd: 10000 } as const;
