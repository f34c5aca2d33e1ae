/** Any text as XML 1.0 may hold it (W3C, "Extensible Markup Language 1.0", 2.2 Characters). */

const NAMES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

/** What no document may hold, not even by its number: most of C0, halves of surrogate pairs, U+FFFE and U+FFFF. */
const FORBIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}

/** As the content of an element: lines stay lines, and what cannot stand there is shown as `\x1b`. */
export function xmlText(text: string): string {
  return text.replace(FORBIDDEN, escaped).replace(/[&<>\r]/g, (character) => NAMES[character]);
}

/** As an attribute's value, between double quotes. */
export function xmlAttribute(text: string): string {
  return text.replace(FORBIDDEN, escaped).replace(/[&<>"\t\n\r]/g, (character) => NAMES[character]);
}
