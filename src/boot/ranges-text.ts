/**
 * Ranges of addresses as an error shows them: all of a real kernel's, the ends of a list that nobody would read.
 */
import { hex } from "../bytes/hex.js";
import type { Span } from "../memory/layout.js";

/** More segments than kernels have. */
const SHOWN = 16;

/** `0x100000–0x200000, 0x300000–0x301000`; of a long list the first ones, the last one and how many lie between. */
export function rangesText(ascending: readonly Span[]): string {
  const texts = (spans: readonly Span[]): string[] =>
    spans.map(({ start, size }) => `${hex(start)}–${hex(start + size)}`);
  if (ascending.length <= SHOWN) return texts(ascending).join(", ");
  const first = texts(ascending.slice(0, SHOWN - 1));
  return [...first, `${ascending.length - SHOWN} more`, ...texts(ascending.slice(-1))].join(", ");
}
