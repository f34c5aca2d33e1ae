/** `npm start` as a person has it: Debian's kernel on a terminal, a shell, an idle machine, a way out. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { assertRestored, childrenOf, NO_TERMINAL, nodeOnTerminal } from "../support/pseudo-terminal.js";
import { requireGuest } from "../support/requires.js";

const PROGRAM = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const PROMPT = "~ # ";
const IDLE_MS = 2000;
/** V8 goes on optimising what ran last: the first spans may still be busy. */
const SPANS = 6;
/** Issue 2: an idle guest uses less than 2 % of a core. */
const IDLE_LIMIT = 0.02;
/** Unit of the times in /proc/PID/stat, the same on every Linux. */
const TICK_MS = 10;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** CPU time of all threads of a process, ms. */
function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

test(
  "R3.1 demo on a terminal: a shell with Ctrl-C, an idle host, poweroff, the terminal as it was",
  { skip: NO_TERMINAL, timeout: 240_000 },
  async (t) => {
    if (!(await requireGuest(t, "debian-cloud")) || !(await requireGuest(t, "busybox"))) return;
    const folder = mkdtempSync(path.join(tmpdir(), "locore-test-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const log = path.join(folder, "console.log");
    const run = nodeOnTerminal([PROGRAM, "demo", "--log", log]);
    const type = async (text: string, answer: string): Promise<void> => {
      const from = run.out.length;
      run.child.stdin.write(text);
      await run.shows(answer, from);
    };
    await run.shows(PROMPT);
    const [shell] = childrenOf(run.child.pid ?? 0);
    const [program] = childrenOf(shell);
    t.after(() => run.child.exitCode === null && process.kill(program));
    let share = 1;
    for (let span = 0; span < SPANS && share >= IDLE_LIMIT; span++) {
      const before = cpuTime(program);
      await pause(IDLE_MS);
      share = (cpuTime(program) - before) / IDLE_MS;
    }
    assert.ok(share < IDLE_LIMIT, `idle guest used ${(share * 100).toFixed(1)} % of a core`);
    await type("echo $((6*7))\r", "\n42\r\n");
    await type("sh -c 'echo begun; sleep 99'\r", "begun\r\n");
    await type("\x03", PROMPT);
    run.child.stdin.write("poweroff\r");
    const { out } = await run.ended;
    assertRestored(out, 0);
    assert.match(out, /locore: off by acpi-s5/);
    assert.match(readFileSync(log, "latin1"), /\n42\r\n/);
  },
);
