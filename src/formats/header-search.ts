/**
 * Looks for a header that is known by a magic number and a checksum somewhere near the start of a file, as the
 * Multiboot protocols have it. Knows no protocol.
 */
import type { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import type { FormatFault } from "./format-error.js";

/** What is looked for. */
export interface HeaderPattern {
  /** The protocol, for people. */
  name: string;
  magic: number;
  /** The header must lie within so many first bytes. */
  window: number;
  alignment: number;
  /** Offsets of the words that must sum to zero; the last is the checksum. */
  summed: readonly number[];
  /** Bytes of the shortest header. */
  size: number;
}

/** How far beyond its window a lost header is looked for, to explain a refusal. */
const EXPLAINED = 1 << 20;

/** Where the first header with a right checksum is; undefined when there is none. */
export function findHeader(view: ByteView, pattern: HeaderPattern): number | undefined {
  const { window, alignment, size } = pattern;
  const end = Math.min(window, view.length) - size;
  for (let at = 0; at <= end; at += alignment) {
    if (view.u32(at) === pattern.magic && checksumFault(view, at, pattern) === undefined) return at;
  }
  return undefined;
}

function checksumFault(view: ByteView, at: number, pattern: HeaderPattern): FormatFault | undefined {
  const { summed, name } = pattern;
  const words = summed.map((offset) => view.u32(at + offset));
  const sum = words.reduce((total, word) => (total + word) >>> 0, 0);
  if (sum === 0) return undefined;
  const [checksum, checksumAt] = [words[words.length - 1], at + summed[summed.length - 1]];
  return {
    offset: checksumAt,
    found: `${name} checksum ${hex(checksum)} after the magic number at ${hex(at)}`,
    expected: `${hex((checksum - sum) >>> 0)}, so that the magic fields sum to zero`,
    meaning: "The header is damaged or was written wrongly, or these bytes are a magic number by chance.",
  };
}

/** A sound header that lies behind the window, where loaders do not look; undefined when there is none. */
export function findLostHeader(view: ByteView, pattern: HeaderPattern): FormatFault | undefined {
  const offset = findHeader(view, { ...pattern, window: EXPLAINED });
  if (offset === undefined || offset + pattern.size <= pattern.window) return undefined;
  return tooFarBack(offset, pattern);
}

function tooFarBack(offset: number, { name, window, alignment }: HeaderPattern): FormatFault {
  return {
    offset,
    found: `the ${name} magic number at ${hex(offset)}, past the first ${window} bytes`,
    expected: `a ${name} header within the first ${window} bytes, at a multiple of ${alignment}`,
    meaning:
      "The linker put it too far back: place its section first, or link without aligned pages (ld -n).",
  };
}

/** Why `findHeader` found nothing, and whether a magic number is there at all. */
export function explainAbsence(
  view: ByteView,
  pattern: HeaderPattern,
): { fault: FormatFault; hasMagic: boolean } {
  const { window, alignment, size, name } = pattern;
  const end = Math.min(EXPLAINED, view.length) - 4;
  const expected = `a ${name} header within the first ${window} bytes, at a multiple of ${alignment}`;
  for (let at = 0; at <= end; at++) {
    if (view.u32(at) !== pattern.magic) continue;
    if (at % alignment !== 0) {
      const found = `the ${name} magic number at ${hex(at)}, which is no multiple of ${alignment}`;
      return {
        hasMagic: true,
        fault: { offset: at, found, expected, meaning: "Align the section it is in." },
      };
    }
    if (!view.holds(at, size)) {
      const found = `the ${name} magic number at ${hex(at)}, where the file ends`;
      const meaning = "The file is cut off, or these bytes are a magic number by chance.";
      return { hasMagic: true, fault: { offset: at, found, expected, meaning } };
    }
    if (at + size > window) return { hasMagic: true, fault: tooFarBack(at, pattern) };
    const fault = checksumFault(view, at, pattern);
    if (fault !== undefined) return { hasMagic: true, fault };
  }
  const meaning = `The image was built without ${name} support, or its header was stripped.`;
  const found = `no ${name} magic number ${hex(pattern.magic)}`;
  return { hasMagic: false, fault: { offset: 0, found, expected, meaning } };
}
