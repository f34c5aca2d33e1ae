/**
 * The process around a machine: terminal, pipes, signals. Scripted CPUs, real everything else. Terminals come from
 * util-linux's `script`.
 */
import { test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import {
  assertRestored,
  childrenOf,
  NO_TERMINAL,
  nodeOnTerminal,
  Running,
} from "../support/pseudo-terminal.js";

const PROGRAM = fileURLToPath(new URL("../support/launch-fake.js", import.meta.url));
/** The program with pipes. */
function piped(script: string): Running {
  return new Running(process.execPath, [PROGRAM, script]);
}

/** The program on a terminal. */
function onTerminal(script: string): Running {
  return nodeOnTerminal([PROGRAM, script]);
}

const LIMIT = { timeout: 30_000 };
const ON_TERMINAL = { ...LIMIT, skip: NO_TERMINAL };

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
  await once(run.child.stdout, "data");
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
    run.child.stdin.write("\x03\x03");
    await run.shows("locore: Ctrl-C is the guest's, Ctrl-A x quits");
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
  const [shell] = childrenOf(run.child.pid ?? 0);
  process.kill(childrenOf(shell)[0], "SIGTERM");
  assertRestored((await run.ended).out, 130);
});
