/** A matrix as lines for people: one a cell that ended, and the table of all. */
import { inOneLine } from "../../bytes/one-line.js";
import { whyOf, type CellResult } from "./cell-result.js";
import { shownTime } from "./durations.js";

const WORDS: Readonly<Record<CellResult["state"], string>> = {
  ok: "ok",
  failed: "FAIL",
  unavailable: "MISSING",
  ended: "ended",
  "not-run": "not run",
};
/** Room of the longest of them. */
const WORD_WIDTH = 8;
/** What is shown of a cell that failed. */
const SHOWN_LINES = 20;
const LINE_WIDTH = 300;
/** Of a reason in the table. */
const REASON_WIDTH = 60;

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

/** What is said when a cell ends, with the last lines of one that failed. */
export function endLines(result: CellResult, log?: string): string[] {
  const { state, cell, ms, output } = result;
  const why = state === "ok" ? "" : `  ${whyOf(result)}`;
  const lines = [`${WORDS[state].padEnd(WORD_WIDTH)} ${cell.name}  ${shownTime(ms)}${why}`];
  if (state === "failed") {
    lines.push(...output.lastLines(SHOWN_LINES, LINE_WIDTH).map((line) => `    ${line}`));
    if (log !== undefined) lines.push(`    all of it: ${log}`);
  }
  return lines.map(inOneLine);
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row
      .map((text, i) => text.padEnd(widths[i]))
      .join("  ")
      .trimEnd(),
  );
}

/** Numbers of cells by what became of them: "3 ok, 1 failed". */
export function countLine(results: readonly CellResult[]): string {
  const names: [CellResult["state"], string][] = [
    ["ok", "ok"],
    ["failed", "failed"],
    ["unavailable", "not to be had"],
    ["ended", "ended early"],
    ["not-run", "not run"],
  ];
  const counts = names.map(([state, name]) => {
    const count = results.filter((result) => result.state === state).length;
    return count === 0 ? "" : `${count} ${name}`;
  });
  return counts.filter((text) => text !== "").join(", ");
}

/** All cells in their order, a column an axis. */
export function resultTable(results: readonly CellResult[], about: { ms: number; jobs: number }): string[] {
  const axes = results[0].cell.values.map(({ axis }) => axis.name);
  const rows = results.map((result) => [
    ...result.cell.values.map(({ value }) => cut(inOneLine(value), REASON_WIDTH)),
    cut(inOneLine(whyOf(result)), REASON_WIDTH),
    result.state === "not-run" || result.state === "unavailable" ? "-" : shownTime(result.ms),
  ]);
  const count = `${results.length} ${results.length === 1 ? "cell" : "cells"}: ${countLine(results)}; ${shownTime(about.ms)}, at most ${about.jobs} at once`;
  return [...columns([[...axes, "result", "time"], ...rows]), count];
}
