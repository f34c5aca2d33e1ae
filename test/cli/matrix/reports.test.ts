/** R1.10 R6.6 What a matrix came to, as its reports and its status say it, whatever a guest prints. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isFailure, matrixStatus, type CellResult } from "../../../src/cli/matrix/cell-result.js";
import { jsonReport } from "../../../src/cli/matrix/reports/json.js";
import { junitReport } from "../../../src/cli/matrix/reports/junit.js";
import { markdownReport } from "../../../src/cli/matrix/reports/markdown.js";
import { tapReport } from "../../../src/cli/matrix/reports/tap.js";
import { endLines, resultTable } from "../../../src/cli/matrix/table.js";
import { checkJunit, checkTap } from "../../support/report-judges.js";
import { resultOf } from "./cell-of.js";

const SUBJECT = { name: "make test", startedAt: new Date(0), ms: 5000, allowMissing: false };
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const OK = resultOf("smp=1");
const FAILED = resultOf("smp=2", { state: "failed", status: 3, printed: "one\ntwo\n" });
const PANIC = resultOf("smp=3", {
  state: "failed",
  status: 125,
  reason: "panic",
  message: "Kernel panic: x",
});
const MISSING = resultOf("kernel=sid", {
  state: "unavailable",
  status: 125,
  reason: "unavailable",
  message: "no network",
});
const INTERRUPTED = resultOf("smp=4", { state: "ended", status: 143, reason: "interrupted" });
const CANCELLED = resultOf("smp=5", { state: "ended", status: 143, reason: "fail-fast" });
const NOT_RUN = resultOf("smp=6", { state: "not-run", reason: "fail-fast", ms: 0 });
const ALL = [OK, FAILED, PANIC, MISSING, INTERRUPTED, CANCELLED, NOT_RUN];

test("R1.10 matrix: the status is 0 where all have 0, else the highest; what cannot be had counts unless it may be missing", () => {
  const table: [CellResult[], allowMissing: boolean, status: number][] = [
    [[OK, OK], false, 0],
    [[OK, FAILED], false, 3],
    [[FAILED, PANIC], false, 125],
    [[OK, MISSING], false, 125],
    [[OK, MISSING], true, 0],
    [[MISSING], true, 125],
    [[FAILED, CANCELLED, NOT_RUN], false, 3],
    [[OK, INTERRUPTED], false, 143],
  ];
  for (const [results, allowMissing, status] of table)
    assert.equal(matrixStatus(results, allowMissing), status);
  assert.deepEqual(
    ALL.map((result) => isFailure(result, false)),
    [false, true, true, true, true, false, false],
  );
});

test("R1.10 R6.6 JUnit: a failing command is a failure, what is not its doing an error, what was not begun is skipped", () => {
  const cases = checkJunit(utf8(junitReport(ALL, SUBJECT)));
  assert.deepEqual(
    cases.map(({ attributes, children: [first] }) => [attributes["name"], first && first.name]),
    [
      ["smp=1", undefined],
      ["smp=2", "failure"],
      ["smp=3", "error"],
      ["kernel=sid", "error"],
      ["smp=4", "error"],
      ["smp=5", "skipped"],
      ["smp=6", "skipped"],
    ],
  );
  const [failure, out] = cases[1].children;
  assert.deepEqual(
    [failure.attributes["message"], failure.text, out.text],
    ["status 3", "one\ntwo", "one\ntwo\n"],
  );
  assert.equal(cases[2].children[0].attributes["message"], "status 125, panic: Kernel panic: x");
  const allowed = checkJunit(utf8(junitReport(ALL, { ...SUBJECT, allowMissing: true })));
  assert.equal(allowed[3].children[0].name, "skipped");
});

test("R1.10 Markdown: a row a cell, the last lines of what failed, and nothing of a guest's is read as Markdown", () => {
  const text = markdownReport(ALL, { ...SUBJECT, interrupted: "interrupted by SIGINT" });
  const lines = text.split("\n");
  assert.equal(lines[0], "### make test");
  assert.match(text, /^7 runs: 1 ok, 2 failed, 1 not to be had, 2 ended early, 1 not run; 5\.0 s$/m);
  assert.equal(lines.filter((line) => line.startsWith("| ")).length, ALL.length + 2);
  assert.match(text, /^\*\*smp=2\*\*: status 3\n\n```text\none\ntwo\n```$/m);
  const hostile = resultOf("smp=1", { state: "failed", status: 1, printed: "````\n<script>|x|\u001b[2J\n" });
  const shown = markdownReport([hostile], { ...SUBJECT, name: "echo '| <b> |' `x`" });
  assert.match(shown, /^### echo '&#124; &#60;b&#62; &#124;' &#96;x&#96;$/m);
  assert.match(shown, /^`````text\n````\n<script>\|x\|[^\u001b\n]*\n`````$/m);
});

test("R1.10 R6.6 TAP 14: a point a cell, the facts of one that did not pass, a bail out where it was interrupted", () => {
  const { points, bail } = checkTap(tapReport(ALL, { ...SUBJECT, interrupted: "interrupted by SIGINT" }));
  assert.equal(bail, "interrupted by SIGINT");
  assert.deepEqual(
    points.map(({ ok, skip }) => [ok, skip !== undefined]),
    [
      [true, false],
      [false, false],
      [false, false],
      [false, false],
      [false, false],
      [true, true],
      [true, true],
    ],
  );
  assert.deepEqual(points[1].yaml, [
    "  status: 3",
    '  reason: "exited"',
    "  duration_ms: 1234",
    "  output:",
    '    - "one"',
    '    - "two"',
  ]);
  assert.equal(points[0].description, "smp=1");
});

/** Bytes that guests print to break a report: ends of elements, of lines and of YAML, controls, halves of characters. */
const NASTY = [
  ...[
    "]]>",
    "</system-out>",
    "&amp;",
    "<!--",
    "\n...\nok 7 - forged\n",
    "\n  ...\n",
    "Bail out!",
    "# SKIP",
    "\\#",
    '"',
    "\r",
  ],
  ...["\0", "\x1b[2J", "\x7f", "\u0085", "\u2028", "\ufeff", "\ufffe", "\uffff", "\u{1f600}"],
].map((text) => [...Buffer.from(text)]);
const BROKEN = [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0x80]];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...NASTY, ...BROKEN), fc.array(fc.nat(255), { maxLength: 8 })), {
    maxLength: 40,
  })
  .map((parts) => Uint8Array.from(parts.flat()));

test("R1.10 reports: whatever bytes a guest prints and a message holds, JUnit is well-formed, TAP is TAP and the JSON is one line", () => {
  fc.assert(
    fc.property(hostile, hostile, (printed, said) => {
      const message = Buffer.from(said).toString("utf8");
      const name = `append=${message}`;
      const results = [
        resultOf(name, { state: "failed", status: 1, reason: "setup", message, printed }),
        resultOf(name, { state: "unavailable", reason: "unavailable", message, printed }),
      ];
      const subject = { ...SUBJECT, name: message, allowMissing: true };
      const cases = checkJunit(utf8(junitReport(results, subject)));
      assert.equal(cases.length, 2);
      assert.equal(checkTap(tapReport(results, subject)).points.length, 2);
      const json = jsonReport(results, { status: 1, ms: 1, jobs: 1 });
      assert.equal(json.indexOf("\n"), json.length - 1);
      assert.equal((JSON.parse(json) as { cells: unknown[] }).cells.length, 2);
      const obeyed = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;
      for (const line of [...endLines(results[0]), ...resultTable(results, { ms: 1, jobs: 1 })])
        assert.doesNotMatch(line, obeyed);
    }),
    { numRuns: 150 },
  );
});

test("R1.10 table: a column an axis, what became of each, and how many", () => {
  assert.deepEqual(resultTable([OK, FAILED, MISSING], { ms: 205_000, jobs: 2 }), [
    "smp  result                   time",
    "1    ok                       1.2 s",
    "1    status 3                 1.2 s",
    "1    unavailable: no network  -",
    "3 cells: 1 ok, 1 failed, 1 not to be had; 3 min 25 s, at most 2 at once",
  ]);
  assert.deepEqual(endLines(FAILED, "out/2.log"), [
    "FAIL     smp=2  1.2 s  status 3",
    "    one",
    "    two",
    "    all of it: out/2.log",
  ]);
});
