/**
 * The process around a machine: terminal, pipes, signals. Scripted CPUs, real everything else. Terminals come from
 * util-linux's `script`.
 */
import { test } from "node:test";
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../support/launch-fake.js", import.meta.url));
const NO_SCRIPT =
  process.platform === "linux" && spawnSync("script", ["--version"]).status === 0
    ? false
    : "needs util-linux's script for a terminal";

interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

class Running {
  out = "";
  err = "";
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;

  constructor(command: string, args: string[]) {
    this.child = spawn(command, args, { stdio: "pipe" });
    this.child.stdout.on("data", (bytes: Buffer) => (this.out += bytes.toString("latin1")));
    this.child.stderr.on("data", (bytes: Buffer) => (this.err += bytes.toString("latin1")));
    this.child.stdin.on("error", () => undefined);
    this.ended = new Promise((resolve) => {
      this.child.on("close", (status, signal) => resolve({ status, signal, out: this.out, err: this.err }));
    });
  }

  /** Waits until standard output shows `text`. */
  async shows(text: string): Promise<void> {
    while (!this.out.includes(text) && this.child.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(this.out.includes(text), `${JSON.stringify(this.out)} lacks ${JSON.stringify(text)}`);
  }
}

/** The program with pipes. */
function piped(script: string): Running {
  return new Running(process.execPath, [PROGRAM, script]);
}

/** The program on a terminal, whose settings are shown afterwards; everything comes out of one stream. */
function onTerminal(script: string): Running {
  const command = `${process.execPath} ${PROGRAM} ${script}; echo "status=$?"; stty -a | grep -o -e '-*icanon' -e '-*echo '`;
  return new Running("script", ["-qec", command, "/dev/null"]);
}

/** The terminal is as a shell left it. */
function assertRestored(out: string, status: number): void {
  const after = out.slice(out.indexOf("status="));
  assert.match(after, new RegExp(`status=${status}\\b`));
  assert.match(after, /(?<!-)icanon/);
  assert.match(after, /(?<!-)echo /);
}

const LIMIT = { timeout: 30_000 };
const ON_TERMINAL = { ...LIMIT, skip: NO_SCRIPT };

test("a pipe's bytes are typed in; its end is no key and lets the guest halt", LIMIT, async () => {
  const run = piped("echo");
  run.child.stdin.end("abc\x01x\x03");
  const { status, out, err } = await run.ended;
  assert.equal(out, "abc\x01x\x03");
  assert.equal(status, 0);
  assert.match(err, /locore: halted by no-wake-source/);
});

test("R3.8 SIGTERM and SIGINT end the machine with status 130", LIMIT, async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const run = piped("echo");
    run.child.stdin.write("ready");
    await run.shows("ready");
    run.child.kill(signal);
    const { status, err } = await run.ended;
    assert.equal(status, 130);
    assert.match(err, new RegExp(`interrupted by signal ${signal}`));
  }
});

test("a reader that goes away ends the machine", LIMIT, async () => {
  const run = piped("flood");
  run.child.stdout.destroy();
  const { status, err } = await run.ended;
  assert.equal(status, 130);
  assert.match(err, /console closed \(EPIPE\)/);
});

test("R1.4 a reader that stalls does not keep a signal from ending the machine", LIMIT, async () => {
  const run = piped("flood");
  run.child.stdout.pause();
  await new Promise((resolve) => setTimeout(resolve, 500));
  run.child.kill("SIGTERM");
  const [status] = (await once(run.child, "exit")) as [number];
  assert.equal(status, 130);
});

test("R1.4 a killed process is gone at once, thread and all", LIMIT, async () => {
  const run = piped("spin");
  await new Promise((resolve) => setTimeout(resolve, 300));
  run.child.kill("SIGKILL");
  assert.equal((await run.ended).signal, "SIGKILL");
});

test(
  "on a terminal Ctrl-C goes to the guest, Ctrl-A x quits, and the terminal is restored",
  ON_TERMINAL,
  async () => {
    const run = onTerminal("echo");
    await run.shows("Ctrl-A x quits");
    run.child.stdin.write("go\x03");
    await run.shows("go\x03");
    run.child.stdin.write("\x01h");
    await run.shows("send Ctrl-A to the guest");
    run.child.stdin.write("\x01x");
    const { out } = await run.ended;
    assertRestored(out, 130);
    assert.match(out, /interrupted by Ctrl-A x/);
  },
);

test(
  "the terminal is restored when the guest ends and when the machine's thread breaks",
  ON_TERMINAL,
  async () => {
    assertRestored((await onTerminal("hello").ended).out, 0);
    const broken = await onTerminal("break").ended;
    assertRestored(broken.out, 1);
    assert.match(broken.out, /broken on purpose/);
  },
);

test("the terminal is restored after SIGTERM", ON_TERMINAL, async () => {
  const run = onTerminal("echo");
  await run.shows("Ctrl-A x quits");
  const found = spawnSync("pgrep", ["-P", String(run.child.pid), "-f", "-a", "."]).stdout.toString();
  const shell = found.trim().split(" ")[0];
  const programs = spawnSync("pgrep", ["-P", shell]).stdout.toString().trim().split("\n");
  process.kill(Number(programs[0]), "SIGTERM");
  assertRestored((await run.ended).out, 130);
});
