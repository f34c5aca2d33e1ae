/**
 * Text that comes out of a file, as it may stand in a line for people or in a comment: without characters that end the
 * line or that a terminal obeys. Knows no format and no terminal.
 */

/** C0, DEL and C1 (ECMA-48), and Unicode's own line ends; the tabulator only moves on. */
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g;

/** The text in one line: each control character but the tabulator as an escape, `\x1b` or `\u2028`. */
export function inOneLine(text: string): string {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}
