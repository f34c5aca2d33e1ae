/**
 * Whatever is named as a kernel, and whatever happens to our own output: the program hears signals and its time limit
 * at every moment, reads within bounds, and says in one line what failed (R1.4, R3.8, R4.4).
 */
import { test, after } from "node:test";
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { explain } from "../../src/cli/failure.js";
import { EXIT_STATUS } from "../../src/machine/end.js";
import { Running } from "../support/pseudo-terminal.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const FAKE = fileURLToPath(new URL("../support/launch-fake.js", import.meta.url));
const LOAD_ADDRESS = 0x100000;
const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
after(() => rmSync(folder, { recursive: true }));

const LIMIT = { timeout: 30_000 };
const UNIX = {
  ...LIMIT,
  skip: existsSync("/dev/zero") && existsSync("/dev/full") ? false : "needs /dev/zero and /dev/full",
};
/** What "gone within a second" may take on a host that does other things as well, ms. */
const GONE_MS = 5_000;
/** More than the 256 MiB that are read of a device, and less than what reading on would take, KiB. */
const LARGEST_RSS_KIB = 500 * 1024;

function locore(...args: string[]): Running {
  return new Running(process.execPath, [PROGRAM, ...args]);
}

function fifo(name: string): string {
  const file = path.join(folder, name);
  assert.equal(spawnSync("mkfifo", [file]).status, 0);
  return file;
}

/** A guest that prints `text` for ever, or once and halts. */
function printing(name: string, text: string, forEver: boolean): string {
  const out = [...Buffer.from(text)].flatMap((byte) => [0xb0, byte, 0xee]);
  const code = [0x66, 0xba, 0xf8, 0x03, ...out];
  const end = forEver ? [0xeb, -(code.length + 2) & 0xff] : [0xfa, 0xf4];
  const file = path.join(folder, name);
  writeFileSync(file, pvhElf(LOAD_ADDRESS, Uint8Array.from([...code, ...end]), LOAD_ADDRESS));
  return file;
}

/**
 * Sends SIGTERM and checks that the program ends by it, soon. One that has just been started may not have come to say
 * how it ended.
 */
async function endsBySignal(run: Running, isUp: boolean): Promise<void> {
  const before = Date.now();
  run.child.kill("SIGTERM");
  const { status, signal, err } = await run.ended;
  assert.ok(Date.now() - before < GONE_MS);
  if (!isUp && signal === "SIGTERM") return;
  assert.equal(status, EXIT_STATUS.interrupted, err);
  assert.match(err, /interrupted by signal SIGTERM/);
}

async function saidOnStderr(run: Running, text: string): Promise<void> {
  while (!run.err.includes(text) && run.child.exitCode === null) await sleep(10);
  assert.ok(run.err.includes(text), run.err);
}

test("R4.4 a device that never ends is read up to a limit and refused, in bounded memory", UNIX, () => {
  const report = "data:text/javascript,process.on('exit',()=>console.error(process.resourceUsage().maxRSS))";
  for (const command of ["boot", "plan", "inspect"]) {
    const { status, stderr } = spawnSync(process.execPath, [
      "--import",
      report,
      PROGRAM,
      command,
      "/dev/zero",
    ]);
    assert.equal(status, EXIT_STATUS.imageRefused, command);
    const [line, kib, ...more] = stderr.toString().trim().split("\n");
    assert.match(
      line,
      /^locore: (kernel|file) \/dev\/zero: not a regular file, and it gave more than 256 MiB/,
    );
    assert.ok(Number(kib) < LARGEST_RSS_KIB, `${kib} KiB`);
    assert.deepEqual(more, []);
  }
});

test("R4.4 a regular file of 100 GiB is refused by its size, unread", LIMIT, () => {
  const file = path.join(folder, "sparse");
  writeFileSync(file, "");
  truncateSync(file, 100 * 2 ** 30);
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, "boot", file]);
  assert.equal(status, EXIT_STATUS.imageRefused);
  assert.match(stderr.toString(), /102400 MiB, and reading ends at 2 GiB/);
});

test(
  "R1.4 a pipe that nobody writes to is waited for, and a signal or the time limit ends that",
  UNIX,
  async (t) => {
    const waiting = locore("boot", fifo("silent")).during(t);
    await sleep(500);
    await endsBySignal(waiting, false);
    const limited = await locore("boot", fifo("silent too"), "--timeout", "300ms").ended;
    assert.equal(limited.status, EXIT_STATUS.timeout);
    assert.match(limited.err, /timeout by time limit: 300 ms \(status 124, 0 instructions\)/);
  },
);

test("a kernel comes through a pipe whole, also from a writer that is late", UNIX, async () => {
  const kernel = printing("once", "up", false);
  const pipe = fifo("late");
  const run = locore("boot", pipe);
  await sleep(200);
  spawn("sh", ["-c", `cat "${kernel}" >"${pipe}"`]);
  const { status, out } = await run.ended;
  assert.deepEqual([status, out], [0, "up"]);
});

test("R1.4 planning that takes for ever ends by a signal", LIMIT, async (t) => {
  const run = new Running(process.execPath, [FAKE, "plan"]).during(t);
  await saidOnStderr(run, "planning");
  await endsBySignal(run, true);
});

test("R3.8 the time limit counts from the start: it ends planning as well", LIMIT, async () => {
  const { status, err } = await new Running(process.execPath, [FAKE, "plan", "500"]).ended;
  assert.equal(status, EXIT_STATUS.timeout);
  assert.match(err, /timeout by time limit: 500 ms/);
});

test("R1.4 a thread that hangs is gone soon after a signal", LIMIT, async (t) => {
  const run = new Running(process.execPath, [FAKE, "hang"]).during(t);
  await sleep(500);
  await endsBySignal(run, false);
});

test("R3.8 a full disk under standard output ends the machine with status 74 and one line", UNIX, () => {
  for (const [command, ...args] of [
    ["boot", printing("loud", "x", true)],
    ["help"],
    ["plan", printing("p", "x", false), "--json"],
  ]) {
    const shell = [process.execPath, PROGRAM, command, ...args].map((word) => `'${word}'`).join(" ");
    const { status, stderr } = spawnSync("sh", ["-c", `${shell} >/dev/full`]);
    assert.equal(status, EXIT_STATUS.ioFailed, command);
    assert.match(stderr.toString(), /^locore: .*standard output: no space left for it.*\n$/);
  }
});

test(
  "R3.8 a log that cannot be written ends the machine with status 74, one without a folder says so",
  UNIX,
  async () => {
    const kernel = printing("logged", "x", true);
    const full = await locore("boot", kernel, "--log", "/dev/full").ended;
    assert.equal(full.status, EXIT_STATUS.ioFailed);
    assert.match(full.err, /^locore: io-error by log file \/dev\/full: no space left for it \(status 74/);
    const missing = await locore("boot", kernel, "--log", path.join(folder, "no", "log")).ended;
    assert.equal(missing.status, EXIT_STATUS.ioFailed);
    assert.match(missing.err, /^locore: log file \S+no\/log: there is no folder \S+no\n$/);
  },
);

test(
  "what nobody foresaw is one line with a status of ours; its place is shown to those who ask",
  LIMIT,
  () => {
    const thrown =
      "const t = setInterval(() => { if (process.listenerCount('uncaughtException') === 0) return;" +
      " clearInterval(t); throw new TypeError('unforeseen\\nand long'); }, 10)";
    const later = `data:text/javascript,${encodeURIComponent(thrown)}`;
    const run = (env: Record<string, string>): { status: number | null; err: string } => {
      const { status, stderr } = spawnSync(
        process.execPath,
        ["--import", later, PROGRAM, "boot", printing("spin", "x", true)],
        { env: { ...process.env, ...env } },
      );
      return { status, err: stderr.toString() };
    };
    const short = run({});
    assert.equal(short.status, EXIT_STATUS.internal);
    assert.match(
      short.err,
      /^locore: a bug in locore, please report it .*: TypeError: unforeseen and long\n$/,
    );
    assert.match(run({ LOCORE_TRACE: "1" }).err, /\n +at /);
    assert.deepEqual(explain("text").status, EXIT_STATUS.internal);
  },
);
