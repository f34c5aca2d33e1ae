/** R1.10 How a matrix and its cells end: reports that cannot be written, and processes that only seem to be cells. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { writeReports } from "../../../src/cli/matrix/reports/write.js";
import { CELL_VARIABLE } from "../../../src/cli/matrix/cell-link.js";
import { scratch } from "../../support/built-tree.js";
import { runToEnd } from "../../support/run-command.js";

test("R1.10 reports: one that cannot be written is told when all others are, standard output among them", async (t) => {
  const folder = scratch(t);
  const stdout = new PassThrough();
  const [missing, file] = ["none/a.xml", "b.tap"].map((name) => path.join(folder, name));
  const reports = [
    { file: missing, text: "a" },
    { file, text: "b" },
    { file: "-", text: "c" },
  ];
  await assert.rejects(writeReports(reports, stdout), { name: "OutputFileError" });
  assert.equal(readFileSync(file, "utf8"), "b");
  assert.equal(String(stdout.read()), "c");
});

test("R1.10 cell: a variable of that name in a user's environment makes no cell of a run", async (t) => {
  const run = await runToEnd(t, ["/no/such/kernel", "--", "true"], { env: { [CELL_VARIABLE]: "1" } });
  assert.equal(run.status, 125, run.err);
  assert.equal(run.json.reason, "not-started");
});
