/**
 * The text on a VGA's screen: registers say which part of guest memory is shown, this reads it. Knows no device class
 * and no host.
 *
 * Specification: IBM PS/2 hardware interface technical reference, "Video subsystem"; characters are code page 437.
 */
import type { GuestMemory } from "../engine/contract.js";
import { CRTC, CRTC_FIELD, GRAPHICS_MISC, TEXT_CELL_SIZE, VGA_MEMORY_START } from "../spec/vga.js";

/** The registers that place text; a `VgaState` has them. */
export interface TextRegisters {
  readonly crtc: readonly number[];
  readonly graphics: readonly number[];
}

/** What a screen shows. Plain data. */
export type Screen =
  | {
      mode: "text";
      columns: number;
      rows: number;
      /** One string a row, `columns` characters each. */
      lines: string[];
      /** Absent while it is hidden or off the screen. */
      cursor?: { column: number; row: number };
    }
  | { mode: "graphics" };

/** Code page 437, by code; 0 and 0xff look like spaces. */
const CP437 =
  " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼" +
  " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~⌂" +
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

/** Scan lines of a displayed frame, from two registers. */
function shownLines(crtc: readonly number[]): number {
  const overflow = crtc[CRTC.OVERFLOW];
  const bit8 = (overflow & CRTC_FIELD.OVERFLOW_DISPLAY_END_8) !== 0 ? 0x100 : 0;
  const bit9 = (overflow & CRTC_FIELD.OVERFLOW_DISPLAY_END_9) !== 0 ? 0x200 : 0;
  return (crtc[CRTC.VERTICAL_DISPLAY_END] | bit8 | bit9) + 1;
}

function rowsOf(crtc: readonly number[]): number {
  const scan = crtc[CRTC.MAXIMUM_SCAN_LINE];
  const doubled = (scan & CRTC_FIELD.DOUBLE_SCAN) !== 0 ? 2 : 1;
  return Math.floor(shownLines(crtc) / (((scan & CRTC_FIELD.SCAN_LINE_MASK) + 1) * doubled));
}

/** A VGA's text memory after reset, and what 80 × 25 cells of it take. */
const TEXT_MEMORY = { start: VGA_MEMORY_START[3], columns: 80, rows: 25 } as const;
/** Printable characters from which on memory counts as text that somebody wrote. */
const LEAST_TEXT = 4;
const PRINTABLE = /[!-~]/;

/**
 * Text that a guest wrote where a VGA would show it, though the machine has none: the first row with any. Undefined when
 * there is none.
 */
export function unseenText(memory: GuestMemory): string | undefined {
  const { start, columns, rows } = TEXT_MEMORY;
  const size = columns * rows * TEXT_CELL_SIZE;
  if (!memory.ranges.some((ram) => ram.start <= start && start + size <= ram.start + ram.size))
    return undefined;
  const cells = memory.read(start, size);
  for (let row = 0; row < rows; row++) {
    let text = "";
    for (let column = 0; column < columns; column++) {
      const at = (row * columns + column) * TEXT_CELL_SIZE;
      // Black on black is what memory is that nobody wrote to.
      text += cells[at + 1] === 0 ? " " : CP437[cells[at]];
    }
    if ([...text].filter((char) => PRINTABLE.test(char)).length >= LEAST_TEXT) return text.trim();
  }
  return undefined;
}

/** Reads the screen. Whatever the registers hold, it has at most 256 columns and 1024 rows. */
export function readScreen(memory: GuestMemory, registers: TextRegisters): Screen {
  const { crtc, graphics } = registers;
  const misc = graphics[GRAPHICS_MISC.INDEX];
  if ((misc & GRAPHICS_MISC.GRAPHICS) !== 0) return { mode: "graphics" };
  const map = (misc >> GRAPHICS_MISC.MAP_SHIFT) & GRAPHICS_MISC.MAP_MASK;
  // The window is 32 KiB where text is, and addresses wrap in it.
  const window = memory.read(VGA_MEMORY_START[map], WINDOW);
  const columns = crtc[CRTC.HORIZONTAL_DISPLAY_END] + 1;
  const rows = rowsOf(crtc);
  const pitch = crtc[CRTC.OFFSET] * 2;
  const start = word(crtc, CRTC.START_HIGH);
  const lines = Array.from({ length: rows }, (_, row) => lineAt(window, start + row * pitch, columns));
  const screen: Screen = { mode: "text", columns, rows, lines };
  const cursor = cursorOf(crtc, start, pitch);
  if (cursor !== undefined && cursor.column < columns && cursor.row < rows) screen.cursor = cursor;
  return screen;
}

const WINDOW = 0x8000;

function word(crtc: readonly number[], high: number): number {
  return (crtc[high] << 8) | crtc[high + 1];
}

function lineAt(window: Uint8Array, cell: number, columns: number): string {
  let line = "";
  for (let column = 0; column < columns; column++) {
    line += CP437[window[((cell + column) * TEXT_CELL_SIZE) % WINDOW]];
  }
  return line;
}

function cursorOf(
  crtc: readonly number[],
  start: number,
  pitch: number,
): { column: number; row: number } | undefined {
  if ((crtc[CRTC.CURSOR_START] & CRTC_FIELD.CURSOR_OFF) !== 0 || pitch === 0) return undefined;
  const place = word(crtc, CRTC.CURSOR_HIGH) - start;
  return place < 0 ? undefined : { column: place % pitch, row: Math.floor(place / pitch) };
}

/** The rows as text, without the spaces at their ends and without empty rows at the end. */
export function screenText(screen: Screen): string {
  if (screen.mode === "graphics") return "(the screen is in a graphics mode)";
  return screen.lines
    .map((line) => line.trimEnd())
    .join("\n")
    .trimEnd();
}
