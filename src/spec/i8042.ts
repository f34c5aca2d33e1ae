/**
 * Numbers of the 8042 keyboard controller and of a PS/2 keyboard: IBM PS/2 Hardware Interface Technical Reference
 * (1988), "Keyboard and Auxiliary Device Controller"; "Keyboards" for the keyboard's own commands.
 */

/** Status register, port 0x64. */
export const I8042_STATUS = {
  outputFull: 0x01,
  /** Copy of the command byte's system flag. */
  systemFlag: 0x04,
  /** The last write was a command. */
  command: 0x08,
  /** Keyboard not locked. */
  unlocked: 0x10,
  auxiliaryData: 0x20,
  timeout: 0x40,
} as const;

/** Commands to port 0x64. */
export const I8042_COMMAND = {
  readRam: 0x20,
  writeRam: 0x60,
  /** Low bits of the two above: which byte of the controller's RAM. Byte 0 is the command byte. */
  ramMask: 0x1f,
  disableAuxiliary: 0xa7,
  enableAuxiliary: 0xa8,
  testAuxiliary: 0xa9,
  selfTest: 0xaa,
  testKeyboard: 0xab,
  disableKeyboard: 0xad,
  enableKeyboard: 0xae,
  readInputPort: 0xc0,
  readOutputPort: 0xd0,
  writeOutputPort: 0xd1,
  writeKeyboardBuffer: 0xd2,
  writeAuxiliaryBuffer: 0xd3,
  writeAuxiliary: 0xd4,
  disableA20: 0xdd,
  enableA20: 0xdf,
  /** 0xf0–0xff pulse the output port bits whose command bit is clear; bit 0 is the CPU's reset. */
  pulse: 0xf0,
} as const;

export const I8042_RESPONSE = {
  selfTestPassed: 0x55,
  keyboardTestPassed: 0x00,
  /** The auxiliary clock line is stuck low: how a controller without such a device answers. */
  auxiliaryTestFailed: 0x01,
  /** Input port: keyboard not inhibited. */
  inputPort: 0x80,
} as const;

/** The command byte. */
export const I8042_MODE = {
  keyboardInterrupt: 0x01,
  auxiliaryInterrupt: 0x02,
  systemFlag: 0x04,
  keyboardDisabled: 0x10,
  auxiliaryDisabled: 0x20,
  translate: 0x40,
} as const;

/** The output port. */
export const I8042_OUTPUT_PORT = { notReset: 0x01, a20: 0x02, keyboardFull: 0x10, powerOn: 0xcf } as const;

/** Bytes of RAM in the controller. */
export const I8042_RAM_SIZE = 32;

/** Commands to a keyboard. */
export const KEYBOARD_COMMAND = {
  setLeds: 0xed,
  echo: 0xee,
  scanCodeSet: 0xf0,
  identify: 0xf2,
  setRate: 0xf3,
  enable: 0xf4,
  disable: 0xf5,
  setDefaults: 0xf6,
  /** Up to here commands set key types; all are acknowledged. */
  lastKeyType: 0xfd,
  resend: 0xfe,
  reset: 0xff,
} as const;
export const KEYBOARD_RESPONSE = {
  acknowledge: 0xfa,
  resend: 0xfe,
  testPassed: 0xaa,
  /** Identification of an MF2 keyboard, and its second byte as the controller translates it. */
  id: [0xab, 0x83],
  translatedId: [0xab, 0x41],
  scanCodeSet: 2,
} as const;
