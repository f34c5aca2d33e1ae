/**
 * Refuses what a configuration would only carry to a failure elsewhere: a kernel that the target's loader does not take,
 * text that its grammar cannot hold. Knows verdicts, no syntax.
 */
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

/** A word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
