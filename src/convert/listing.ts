/**
 * Machine code kept as text: each instruction's word beside its assembly, so that building and testing need no
 * assembler. `tools/arm-listings.ts` assembles the text again and compares. Knows no instruction.
 *
 * ```
 *   name:                              a label
 *             .equ  NAME, 1            what goes to the assembler only
 *   e3a00001  mov   r0, #1             a word, little-endian in memory, and what it is
 * ```
 */

const WORD_LINE = /^ {2}([0-9a-f]{8}) {2}\S/;
const OTHER_LINE = /^(\w+:)?\s*(\..*|(@|\/\/).*)?$/;
const WORD_SIZE = 4;

/** The listing's words as bytes. Throws Error for a line that is neither a word, a label, a directive nor a comment. */
export function listingBytes(listing: string): Uint8Array {
  const words: number[] = [];
  for (const line of listing.split("\n")) {
    const word = WORD_LINE.exec(line);
    if (word !== null) words.push(Number.parseInt(word[1], 16));
    else if (!OTHER_LINE.test(line)) throw new Error(`listing: not understood: ${line}`);
  }
  const bytes = new Uint8Array(words.length * WORD_SIZE);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setUint32(i * WORD_SIZE, word, true));
  return bytes;
}
