/** Breaks words into lines that fit a page. */

/** Columns of a page. */
export const PAGE_WIDTH = 100;

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
