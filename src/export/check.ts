/**
 * Refuses what a configuration would only carry to a failure elsewhere: a kernel that the target's loader does not take,
 * text that its grammar cannot hold. Knows verdicts, no syntax.
 */
import { inOneLine } from "../bytes/one-line.js";
import { FormatError } from "../formats/format-error.js";
import { verdicts } from "../verdicts/index.js";
import type { ExportRequest } from "./request.js";

/** Throws FormatError when the loader of that name does not take the kernel. Images without verdicts pass. */
export function checkTaken({ kernel }: ExportRequest, loaderName: string): void {
  const verdict = verdicts(kernel.image).find(({ loader }) => loader.name === loaderName);
  if (verdict === undefined || verdict.outcome === "takes") return;
  const { check, reason, prints, advice } = verdict;
  const printed = prints.length > 0 ? ` It prints: ${prints[0]}.` : "";
  throw new FormatError(loaderName, {
    offset: check?.offset ?? 0,
    found: check?.found ?? kernel.image.summary,
    expected: check?.expected ?? "an image that it boots",
    meaning: `A configuration for this kernel could not work: ${reason}.${printed}${advice === undefined ? "" : ` ${advice}.`}`,
  });
}

/** A control character, which neither xl's nor dtc's strings can hold as it is. */
const CONTROL = /[\u0000-\u001f\u007f]/;

/** `"text"` with quotes and backslashes escaped, as xl and dtc both read it. Throws RangeError for control characters. */
export function quoted(text: string): string {
  if (CONTROL.test(text))
    throw new RangeError(`${JSON.stringify(text)}: control characters cannot be exported`);
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** The inside of a comment, in xl's language and in dtc's: nothing in it ends the comment, whatever a file had in it. */
export function commentText(text: string): string {
  return inOneLine(text).replaceAll("*/", "* /");
}

/** A word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
