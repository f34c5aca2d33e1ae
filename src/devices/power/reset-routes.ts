/**
 * The names of the ways in which a guest resets the machine or switches it off through a device (R3.8), as
 * people and `--json` see them. A triple fault has no device; the machine names it itself.
 */
export const ROUTE = {
  /** Command 0xfe (or another pulse of output bit 0) to port 0x64. */
  i8042Pulse: "i8042",
  /** Output port of the keyboard controller written with bit 0 low. */
  i8042OutputPort: "i8042-output-port",
  /** Reset control register. */
  resetControl: "port-cf9",
  /** System control port A, bit 0. */
  fastReset: "port-92",
  /** PM1a_CNT with the S5 sleep type and SLP_EN. */
  acpiSoftOff: "acpi-s5",
  debugExit: "debug-exit",
} as const;
