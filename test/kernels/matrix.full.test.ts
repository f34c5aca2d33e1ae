/**
 * R1.10 R6.6 `locore run --matrix` at length: several kernels, what cannot be had, Ctrl-C, a matrix that is killed, a cell that is killed,
 * guests that print what they like.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { checkJunit, checkTap } from "../support/report-judges.js";
import { nodeOnTerminal, NO_TERMINAL } from "../support/pseudo-terminal.js";
import { requireGuest } from "../support/requires.js";
import { hasRunGuests, PROGRAM } from "../support/run-command.js";
import { eventually, matrixFolder, startMatrix, type JsonCell } from "./matrix.js";

const LIMIT = { timeout: 400_000 };
/** A busy host needs long until two guests run. */
const STARTED_MS = 120_000;
const GONE_MS = 10_000;

async function hasGuests(t: TestContext): Promise<boolean> {
  return (await hasRunGuests(t)) && (await requireGuest(t, "debian-13-cloud")) !== undefined;
}

test(
  "R1.10 R6.6 matrix: two kernels with one and four CPUs are four runs, each with its own kernel and CPUs",
  LIMIT,
  async (t) => {
    if (!(await hasGuests(t))) return;
    const words = ["--json", "--matrix", "kernel=debian-12,debian-13", "smp=1,4"];
    const { status, out, err } = await startMatrix(t, [...words, "--exec", "uname -r; nproc"]).ended;
    assert.equal(status, 0, err);
    const { cells } = JSON.parse(out) as { cells: JsonCell[] };
    assert.deepEqual(
      cells.map(({ name, output }) => [name, output.trim().replace(/^(\d+\.\d+)\S*\n(\d)$/, "$1 $2")]),
      [
        ["kernel=debian-12 smp=1", "6.1 1"],
        ["kernel=debian-12 smp=4", "6.1 4"],
        ["kernel=debian-13 smp=1", "6.12 1"],
        ["kernel=debian-13 smp=4", "6.12 4"],
      ],
    );
  },
);

test(
  "R1.10 matrix: a kernel that cannot be had is unavailable with its reason, a failure unless it may be missing",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { folder } = matrixFolder(t);
    mkdirSync(`${folder}/bin`);
    // An empty cache, and no apt-get that could fill it.
    const env = { XDG_CACHE_HOME: folder, PATH: `${folder}/bin` };
    for (const [more, expected] of [
      [[], 125],
      // Nothing ran: that is no success either.
      [["--allow-missing"], 125],
    ] as const) {
      const words = ["--json", ...more, "--matrix", "kernel=debian-12,sid", "--", "true"];
      const { status, out, err } = await startMatrix(t, words, env).ended;
      assert.equal(status, expected, err);
      for (const cell of (JSON.parse(out) as { cells: JsonCell[] }).cells) {
        assert.deepEqual([cell.state, cell.reason], ["unavailable", "unavailable"]);
        assert.match(cell.message ?? "", /apt/);
      }
    }
  },
);

/** A matrix of cells that go on for ever, two of them running. */
async function lasting(t: TestContext, words: readonly string[]): Promise<ReturnType<typeof startMatrix>> {
  const matrix = startMatrix(t, [
    ...words,
    "--jobs",
    "2",
    "--matrix",
    "env=X=1,X=2,X=3",
    "--exec",
    "echo on; sleep 1000",
  ]);
  assert.ok(await eventually(() => matrix.cells().length === 2, STARTED_MS), "two cells run at once");
  return matrix;
}

/** What has a matrix write both reports into `folder`, and each cell's output into `out`. */
function reportWords(folder: string, out: string): string[] {
  return ["--report", `junit=${folder}/r.xml`, "--report", `tap=${folder}/r.tap`, "--out", out];
}

for (const whole of [false, true])
  test(
    `R1.10 matrix: Ctrl-C ${whole ? "before the guests run" : "in the middle"} ends all cells, writes the reports, and leaves no process`,
    LIMIT,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const { folder, file } = matrixFolder(t);
      const reports = reportWords(folder, folder);
      const matrix = await lasting(t, reports);
      const isOn = (name: string): boolean => {
        try {
          return file(name).includes("on");
        } catch {
          return false;
        }
      };
      if (!whole)
        assert.ok(await eventually(() => isOn("1-env=X=1.log") && isOn("2-env=X=2.log"), STARTED_MS));
      const began = performance.now();
      matrix.child.kill("SIGINT");
      const { status, out } = await matrix.ended;
      assert.ok(performance.now() - began < 2 * GONE_MS);
      assert.equal(status, 130);
      assert.ok(await eventually(() => matrix.cells().length === 0, GONE_MS), "no cell is left");
      assert.match(out, /^3 cells: 2 ended early, 1 not run; /m);
      const kinds = checkJunit(file("r.xml")).map(({ children }) => children[0]?.name);
      assert.deepEqual(kinds, ["error", "error", "skipped"]);
      const { points, bail } = checkTap(file("r.tap").toString());
      assert.equal(bail, "interrupted by SIGINT");
      assert.deepEqual(
        points.map(({ ok }) => ok),
        [false, false, true],
      );
    },
  );

test("R1.10 matrix: a matrix that is killed takes its cells with it", LIMIT, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const matrix = await lasting(t, []);
  matrix.child.kill("SIGKILL");
  await matrix.ended;
  assert.ok(await eventually(() => matrix.cells().length === 0, GONE_MS), "no cell is left");
});

test(
  "R1.10 matrix: a cell whose process dies is a failure of its own; --fail-fast ends the others and is no other's failure",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const matrix = await lasting(t, ["--json", "--fail-fast"]);
    process.kill(matrix.cells()[0], "SIGKILL");
    const { status, out } = await matrix.ended;
    assert.equal(status, 125);
    const { cells } = JSON.parse(out) as { cells: JsonCell[] };
    assert.deepEqual(cells.map(({ state }) => state).sort(), ["ended", "failed", "not-run"]);
    assert.match(cells.find(({ state }) => state === "failed")?.message ?? "", /ended by SIGKILL/);
    assert.ok(await eventually(() => matrix.cells().length === 0, GONE_MS), "no cell is left");
  },
);

test("R1.10 matrix: a time limit is each cell's own", LIMIT, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const { status, out } = await startMatrix(t, ["--json", "--matrix", "timeout=100ms,150s", "--", "true"])
    .ended;
  assert.equal(status, 124);
  const { cells } = JSON.parse(out) as { cells: JsonCell[] };
  assert.deepEqual(
    cells.map(({ state, status: own, reason }) => [state, own, reason]),
    [
      ["failed", 124, "timeout"],
      ["ok", 0, "exited"],
    ],
  );
});

/** Prints all bytes, ends of reports' parts, what looks like our own line, and megabytes; then fails. */
const HOSTILE = [
  'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i+1)); done',
  "printf ']]></system-out></testcase>\\n  ...\\nok 3 - forged\\nBail out!\\n'",
  'echo \'{"status":0,"reason":"exited"}\' >&2',
  "dd if=/dev/urandom bs=64k count=48 2>/dev/null",
  "printf '\\033[2J last words \\377\\376'",
  "exit 7",
].join("; ");

test(
  "R1.10 matrix: whatever guests print, cells do not mix, reports are sound, no status is forged, and all of it is in the files",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { folder, file } = matrixFolder(t);
    const reports = reportWords(folder, `${folder}/out`);
    const exec = ["--matrix", "env=X=1,X=2", "--exec", HOSTILE];
    const { status, out } = await startMatrix(t, [...reports, ...exec]).ended;
    assert.equal(status, 7);
    assert.doesNotMatch(out, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    const cases = checkJunit(file("r.xml"));
    assert.equal(cases.length, 2);
    for (const { children } of cases) {
      assert.deepEqual(
        children.map(({ name }) => name),
        ["failure", "system-out"],
      );
      assert.match(children[1].text, /bytes left out\]/);
    }
    assert.deepEqual(
      checkTap(file("r.tap").toString()).points.map(({ ok }) => ok),
      [false, false],
    );
    for (const name of ["out/1-env=X=1.log", "out/2-env=X=2.log"]) {
      const written = file(name);
      assert.ok(written.length > 3 * 2 ** 20, `${written.length}`);
      assert.ok(written.includes(Buffer.from([0xfe, 0xff])), "bytes as they came");
      assert.ok(written.includes("last words"));
    }
    const kernel = file("out/1-env=X=1.kernel.log").toString("latin1");
    assert.match(kernel, /Linux version 6\.1/);
    assert.doesNotMatch(kernel, /last words/);
  },
);

test(
  "R1.10 matrix: on a terminal what runs is shown and drawn over, and is gone at the end",
  { ...LIMIT, skip: NO_TERMINAL },
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const { out } = await nodeOnTerminal([PROGRAM, "run", "--matrix", "env=X=1,X=2", "--", "true"]).during(t)
      .ended;
    assert.match(out, /run {6}env=X=1 {2}\d/);
    assert.match(out, /\d of 2 cells ended, \d running, \d waiting/);
    assert.match(out, /\x1b\[\d+A\r\x1b\[J/);
    const last = out.slice(out.lastIndexOf("\x1b[J"));
    assert.match(last, /X=1 +ok .*\r\nX=2 +ok .*\r\n2 cells: 2 ok; /);
    assert.match(last, /status=0/);
  },
);
