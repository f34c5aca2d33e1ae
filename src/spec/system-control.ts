/**
 * Registers of a PC's glue logic: system control ports A and B, reset control. ICH9 data sheet §13.7.1 (NMI_SC,
 * port 0x61), §13.7.3 (PORT92), §13.7.5 (RST_CNT, port 0xcf9).
 */

/** Port 0x61. */
export const SYSTEM_CONTROL_B = {
  timer2Gate: 0x01,
  speakerEnable: 0x02,
  writable: 0x0f,
  refreshToggle: 0x10,
  timer2Output: 0x20,
} as const;
/** The refresh bit toggles with every refresh request, about each 15 µs. */
export const REFRESH_INTERVAL_NS = 15_085;

/** Port 0x92. */
export const SYSTEM_CONTROL_A = { fastReset: 0x01, a20: 0x02 } as const;

/** Port 0xcf9: the reset happens when bit 2 goes from 0 to 1; bits 1 and 3 say how deep it goes. */
export const RESET_CONTROL = { systemReset: 0x02, resetCpu: 0x04, fullReset: 0x08, writable: 0x0e } as const;
