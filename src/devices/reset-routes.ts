/**
 * The names of the ways in which a guest resets the machine or switches it off through a device (R3.8), as
 * people and `--json` see them. A triple fault has no device; the machine names it itself.
 */
export const ROUTES = {
  keyboardController: "keyboard controller (port 0x64, pulse of output bit 0)",
  keyboardOutputPort: "keyboard controller (output port, bit 0 low)",
  resetControl: "reset control (port 0xcf9)",
  fastReset: "system control A (port 0x92)",
  acpiSoftOff: "ACPI S5 (PM1a_CNT)",
  debugExit: "debug exit",
} as const;
