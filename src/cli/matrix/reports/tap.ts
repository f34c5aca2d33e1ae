/** A matrix as TAP 14 (testanything.org, "TAP 14 specification"): a test point a cell, with its facts as YAML where it did not pass. */
import { inOneLine } from "../../../bytes/one-line.js";
import { isFailure, whyOf, type CellResult } from "../cell-result.js";
import type { ReportSubject } from "./junit.js";

/** Lines of a cell's output in its test point. */
const SHOWN_LINES = 50;
const LINE_WIDTH = 1000;

/** A description: "#" would begin a directive. */
function description(text: string): string {
  return inOneLine(text).replace(/[\\#]/g, "\\$&");
}

/** A string as YAML has it in double quotes, which is as JSON has it but for a few characters that YAML prints no other way. */
function yamlString(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function facts(result: CellResult): string[] {
  const { status, reason, message, ms, output } = result;
  const lines = output.lastLines(SHOWN_LINES, LINE_WIDTH);
  return [
    "---",
    ...(status === undefined ? [] : [`status: ${status}`]),
    `reason: ${yamlString(reason)}`,
    ...(message === undefined ? [] : [`message: ${yamlString(message)}`]),
    `duration_ms: ${ms}`,
    ...(lines.length === 0 ? [] : ["output:", ...lines.map((line) => `  - ${yamlString(line)}`)]),
    "...",
  ].map((line) => `  ${line}`);
}

function testPoint(result: CellResult, number: number, allowMissing: boolean): string[] {
  const { state, cell } = result;
  const named = `${number} - ${description(cell.name)}`;
  if (state === "ok") return [`ok ${named}`];
  if (!isFailure(result, allowMissing)) return [`ok ${named} # SKIP ${description(whyOf(result))}`];
  return [`not ok ${named}`, ...facts(result)];
}

/** The whole document. */
export function tapReport(results: readonly CellResult[], subject: ReportSubject): string {
  const points = results.flatMap((result, i) => testPoint(result, i + 1, subject.allowMissing));
  const bail = subject.interrupted === undefined ? [] : [`Bail out! ${inOneLine(subject.interrupted)}`];
  return ["TAP version 14", `1..${results.length}`, ...points, ...bail, ""].join("\n");
}
