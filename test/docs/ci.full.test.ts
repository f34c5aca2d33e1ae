/** R1.10 R6.6 `action.yml` and docs/ci.md with guests: the examples run as they stand, and their reports are sound. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { checkJunit, checkTap } from "../support/report-judges.js";
import { repositoryText } from "../support/repository.js";
import { requireGuest } from "../support/requires.js";
import { hasRunGuests } from "../support/run-command.js";
import { readAction, Runner } from "./ci.js";
import { putProgram, runShell, shellBlocks } from "./pages.js";

const LIMIT = { timeout: 600_000 };
const LIMIT_MS = 550_000;

async function hasGuests(t: TestContext): Promise<boolean> {
  return (await hasRunGuests(t)) && (await requireGuest(t, "debian-13-cloud")) !== undefined;
}

test("R1.10 docs/ci.md: its shell blocks run as they stand", LIMIT, async (t) => {
  if (!(await hasGuests(t))) return;
  const { folder } = new Runner(t);
  await putProgram(folder, "locore");
  const [first, tap, data] = shellBlocks(repositoryText("docs/ci.md"));
  const four = await runShell(first, { folder, limitMs: LIMIT_MS });
  assert.equal(four.status, 0, four.output);
  assert.match(four.output, /^4 cells: 4 ok; /m);
  assert.equal(checkJunit(readFileSync(path.join(folder, "report.xml"))).length, 4);
  const three = await runShell(tap, { folder, limitMs: LIMIT_MS });
  assert.equal(three.status, 0, three.output);
  assert.equal(checkTap(readFileSync(path.join(folder, "report.tap"), "utf8")).points.length, 3);
  const shown = await runShell(data, { folder, limitMs: LIMIT_MS });
  assert.match(shown.output, /^smp=1: ok\nsmp=2: ok$/m);
});

test(
  "R1.10 action.yml: its scripts, one after the other, run a matrix in guests; a failing command fails the step",
  LIMIT,
  (t) => {
    const runner = new Runner(t);
    const action = readAction();
    writeFileSync(runner.file("folder"), "of the job\n");
    const command = 'cat folder; test "$(nproc)" = 1';
    runner.inputs(action, { command, matrix: "smp=1,2" });
    const ends = action.runs.steps.filter(({ run }) => run !== undefined).map((step) => runner.step(step));
    assert.deepEqual(
      ends.map(({ status }) => status),
      [0, 0, 1],
      ends.map(({ output }) => output).join("\n"),
    );
    const [one, two] = checkJunit(readFileSync(runner.file("locore-junit.xml")));
    assert.equal(one.children[0].text, "of the job\n");
    assert.equal(two.children[0].name, "failure");
    assert.match(readFileSync(runner.file("locore-out/1-smp=1.log"), "utf8"), /^of the job\n/);
    assert.match(readFileSync(runner.file("github-summary"), "utf8"), /^2 runs: 1 ok, 1 failed; /m);
  },
);
