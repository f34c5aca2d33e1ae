/** Breaks words into lines that fit a page. */

/** Columns of a page. */
export const PAGE_WIDTH = 100;
/** A terminal that is narrower has to break lines by itself. */
const LEAST_WIDTH = 60;

/** Columns of a page on this stream: a terminal's own, where it has fewer. */
export function pageWidth(stream: object): number {
  const { isTTY, columns } = stream as { isTTY?: boolean; columns?: number };
  if (isTTY !== true || columns === undefined || columns === 0) return PAGE_WIDTH;
  return Math.min(PAGE_WIDTH, Math.max(LEAST_WIDTH, columns));
}

/** `words` on as few lines of at most `width` columns as hold them; a word longer than a line gets one of its own. */
export function wrapped(words: readonly string[], width = PAGE_WIDTH): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
