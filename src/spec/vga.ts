/**
 * Numbers of the IBM VGA's registers as far as text modes need them, and of Bochs' display interface, by which a VGA
 * BIOS asks for more. Numbers only.
 *
 * Specification: IBM PS/2 hardware interface technical reference, "Video subsystem"; QEMU docs/specs/standard-vga.rst
 * and SeaBIOS vgasrc/bochsvga.h for the display interface.
 */

/** Offsets from port 0x3c0. */
export const VGA_PORT = {
  ATTRIBUTE: 0x0,
  ATTRIBUTE_READ: 0x1,
  /** Write: miscellaneous output. Read: input status 0. */
  MISC_WRITE: 0x2,
  SEQUENCER_INDEX: 0x4,
  SEQUENCER_DATA: 0x5,
  PEL_MASK: 0x6,
  /** Write: index to read the palette at. Read: DAC state. */
  DAC_READ_INDEX: 0x7,
  DAC_WRITE_INDEX: 0x8,
  DAC_DATA: 0x9,
  MISC_READ: 0xc,
  GRAPHICS_INDEX: 0xe,
  GRAPHICS_DATA: 0xf,
} as const;

/** Registers behind each index. */
export const VGA_COUNT = { CRTC: 25, SEQUENCER: 5, GRAPHICS: 9, ATTRIBUTE: 21, PALETTE: 768 } as const;

/** CRTC registers that place text on the screen. */
export const CRTC = {
  HORIZONTAL_DISPLAY_END: 0x01,
  OVERFLOW: 0x07,
  MAXIMUM_SCAN_LINE: 0x09,
  CURSOR_START: 0x0a,
  START_HIGH: 0x0c,
  START_LOW: 0x0d,
  CURSOR_HIGH: 0x0e,
  CURSOR_LOW: 0x0f,
  VERTICAL_RETRACE_END: 0x11,
  VERTICAL_DISPLAY_END: 0x12,
  OFFSET: 0x13,
} as const;
/** Fields of them. */
export const CRTC_FIELD = {
  SCAN_LINE_MASK: 0x1f,
  DOUBLE_SCAN: 0x80,
  CURSOR_OFF: 0x20,
  OVERFLOW_DISPLAY_END_8: 0x02,
  OVERFLOW_DISPLAY_END_9: 0x40,
  /** Registers 0–7 cannot be written. */
  PROTECT: 0x80,
  /** Of the overflow register, what can be written all the same. */
  UNPROTECTED_OVERFLOW: 0x10,
} as const;

/** Graphics controller, miscellaneous: graphics mode, and where the memory is seen. */
export const GRAPHICS_MISC = { INDEX: 0x06, GRAPHICS: 0x01, MAP_SHIFT: 2, MAP_MASK: 0x03 } as const;
/** First address of the memory by its map field. */
export const VGA_MEMORY_START: readonly number[] = [0xa_0000, 0xa_0000, 0xb_0000, 0xb_8000];

/** Attribute index register: the palette is shown. */
export const ATTRIBUTE_INDEX_MASK = 0x1f;
export const INPUT_STATUS_1 = { BLANK: 0x01, VERTICAL_RETRACE: 0x08 } as const;
/** Input status 0: a monitor answers the switch sense. */
export const INPUT_STATUS_0_SENSE = 0x10;

/** Timing of the 80 × 25 mode: 70 frames a second of 449 lines, 400 of them shown; the beam goes back for 2. */
export const FRAME_NS = 14_268_000;
export const FRAME_LINES = 449;
export const SHOWN_LINES = 400;
export const RETRACE_LINES = { first: 412, last: 413 } as const;
/** Part of a line that is shown: 640 of 800 dots. */
export const LINE_DOTS = 800;
export const SHOWN_DOTS = 640;

/** Mode 3, 80 × 25 characters of 9 × 16 dots in 16 colours: registers as a VGA BIOS sets them. */
export const MODE_3 = {
  misc: 0x67,
  sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
  crtc: [
    ...[0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e],
    ...[0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff],
  ],
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff],
  attribute: [
    ...[0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f],
    ...[0x0c, 0x00, 0x0f, 0x08, 0x00],
  ],
} as const;

/** What mode 3 looks like. */
export const MODE_3_SCREEN = { mode: 3, columns: 80, rows: 25, points: 16 } as const;

/** Bochs display interface: word registers behind an index. Those not here read 0: no mode, no memory. */
export const DISPI = { INDEX: 0, DATA: 1, ID_REGISTER: 0, ID: 0xb0c0 } as const;

/** A character on a text screen: code and attribute. */
export const TEXT_CELL_SIZE = 2;
/** Mode 3 as a boot loader describes it: where the characters are, how many. */
export const TEXT_SCREEN = { ADDRESS: 0xb_8000, COLUMNS: 80, ROWS: 25 } as const;
