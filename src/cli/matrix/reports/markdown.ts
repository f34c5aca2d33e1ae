/**
 * A matrix as Markdown (GitHub Flavored Markdown 0.29), for a job's summary: a table of all cells, and below it the last lines of those
 * that failed. What guests print is shown, never obeyed.
 */
import { inOneLine } from "../../../bytes/one-line.js";
import { isFailure, whyOf, type CellResult } from "../cell-result.js";
import { shownTime } from "../durations.js";
import { countLine } from "../table.js";
import type { ReportSubject } from "./junit.js";

/** GitHub takes a summary of a mebibyte. */
const SHOWN_LINES = 20;
const LINE_WIDTH = 300;
const SHOWN_CELLS = 50;
const SHORTEST_FENCE = 3;

/** Text with nothing in it that Markdown or HTML would read. */
function plain(text: string): string {
  return inOneLine(text).replace(/[\\`*_[\]<>#|~&@]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Lines as they are: a fence is longer than any that they hold. */
function fenced(lines: readonly string[]): string[] {
  const longest = Math.max(
    0,
    ...lines.flatMap((line) => line.match(/`+/g) ?? []).map(({ length }) => length),
  );
  const fence = "`".repeat(Math.max(SHORTEST_FENCE, longest + 1));
  return [`${fence}text`, ...lines.map(inOneLine), fence];
}

function row(texts: readonly string[]): string {
  return `| ${texts.join(" | ")} |`;
}

function failure({ cell, output, ...result }: CellResult): string[] {
  const lines = output.lastLines(SHOWN_LINES, LINE_WIDTH);
  const title = `**${plain(cell.name)}**: ${plain(whyOf({ cell, output, ...result }))}`;
  return ["", title, ...(lines.length === 0 ? [] : ["", ...fenced(lines)])];
}

/** The whole document. */
export function markdownReport(results: readonly CellResult[], subject: ReportSubject): string {
  const axes = results[0].cell.values.map(({ axis }) => plain(axis.name));
  const failed = results.filter((result) => isFailure(result, subject.allowMissing));
  const cells = results.map((result) => [
    ...result.cell.values.map(({ value }) => plain(value)),
    plain(whyOf(result)),
    result.state === "not-run" || result.state === "unavailable" ? "" : shownTime(result.ms),
  ]);
  const columns = [...axes, "result", "time"];
  const left = failed.length - SHOWN_CELLS;
  return [
    `### ${plain(subject.name)}`,
    "",
    `${results.length === 1 ? "1 run" : `${results.length} runs`}: ${countLine(results)}; ${shownTime(subject.ms)}`,
    ...(subject.interrupted === undefined ? [] : ["", plain(subject.interrupted)]),
    "",
    row(columns),
    row(columns.map(() => "---")),
    ...cells.map(row),
    ...failed.slice(0, SHOWN_CELLS).flatMap(failure),
    ...(left > 0 ? ["", `and ${left} more that failed`] : []),
    "",
  ].join("\n");
}
