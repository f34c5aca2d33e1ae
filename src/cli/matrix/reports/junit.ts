/**
 * A matrix as JUnit's XML, which GitHub's actions, GitLab and Jenkins read: one suite, a test case a cell. A command that fails is a
 * failure; what is not the command's doing is an error; a cell that was not begun is skipped.
 */
import { RUN_STATUS } from "../../run/outcome.js";
import { isFailure, whyOf, type CellResult } from "../cell-result.js";
import { xmlAttribute, xmlText } from "./xml-text.js";

/** What a report says of the whole. */
export interface ReportSubject {
  /** The command that ran in each cell. */
  name: string;
  startedAt: Date;
  ms: number;
  allowMissing: boolean;
  /** What ended it before its time. */
  interrupted?: string;
}

const MS = 1000;
/** Lines of a cell's output that stand in its failure: that is what GitLab shows. */
const SHOWN_LINES = 50;
const LINE_WIDTH = 1000;

type Verdict = "passed" | "failure" | "error" | "skipped";

function verdictOf(result: CellResult, allowMissing: boolean): Verdict {
  if (result.state === "ok") return "passed";
  if (!isFailure(result, allowMissing)) return "skipped";
  return result.state === "failed" && result.status !== RUN_STATUS.ours ? "failure" : "error";
}

function seconds(ms: number): string {
  return (ms / MS).toFixed(3);
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${xmlAttribute(String(value))}"`)
    .join("");
}

function testCase(result: CellResult, verdict: Verdict): string {
  const { cell, ms, reason, output } = result;
  const open = `    <testcase${attributes({ name: cell.name, classname: "locore.run", time: seconds(ms) })}>`;
  const why = attributes({ message: whyOf(result) });
  const text = output.text();
  const lines = [open];
  if (verdict === "skipped") lines.push(`      <skipped${why}/>`);
  else if (verdict !== "passed") {
    const last = xmlText(output.lastLines(SHOWN_LINES, LINE_WIDTH).join("\n"));
    lines.push(`      <${verdict}${why}${attributes({ type: reason })}>${last}</${verdict}>`);
  }
  if (text !== "") lines.push(`      <system-out>${xmlText(text)}</system-out>`);
  return [...lines, "    </testcase>"].join("\n");
}

/** The whole document. */
export function junitReport(results: readonly CellResult[], subject: ReportSubject): string {
  const { name, startedAt, ms, allowMissing } = subject;
  const judged = results.map((result) => ({ result, verdict: verdictOf(result, allowMissing) }));
  const count = (wanted: Verdict): number => judged.filter(({ verdict }) => verdict === wanted).length;
  const counts = {
    tests: results.length,
    failures: count("failure"),
    errors: count("error"),
    time: seconds(ms),
  };
  const suite = {
    name,
    ...counts,
    skipped: count("skipped"),
    timestamp: startedAt.toISOString().slice(0, 19),
  };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: "locore run", ...counts })}>`,
    `  <testsuite${attributes(suite)}>`,
    ...judged.map(({ result, verdict }) => testCase(result, verdict)),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}
