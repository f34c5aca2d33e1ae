/** Breaks words into lines that fit a page. */

const PAGE_WIDTH = 100;

/** `words` on as few lines as hold them; a word longer than a line gets one of its own. */
export function wrapped(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= PAGE_WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
