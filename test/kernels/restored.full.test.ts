/**
 * A shell of Debian in real time that was saved at its prompt and is restored later: its date is right, or goes on where it was; a
 * second is a second; its kernel complains of nothing and renews its random numbers.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { SECTION_TYPES } from "../../src/snapshot/format.js";
import { bytesSource } from "../../src/snapshot/file.js";
import { openSnapshot } from "../../src/snapshot/read.js";
import { guestValue, lastWords } from "../support/kernel-boot.js";
import { kernelFiles, locore, type KernelFiles } from "../support/kernel-files.js";
import { SAVED_GUEST, savedShell } from "../support/saved-shell.js";
import { withValue } from "../support/snapshot-files.js";

const MINUTE = 60;
const DAY = 86_400;
/** How far a date may be off, s: the host is busy, and the shell reads its line a moment later. */
const SLACK = 20;
const MS_PER_S = 1000;
const NS_PER_S = 1e9;
/** What the guest finds of itself; the last line of its console is its status. */
const QUESTIONS = [
  "begin=$(date +%s); sleep 1; end=$(date +%s)",
  "echo date=$begin; echo slept=$((end - begin)); echo uptime=$(cut -d. -f1 /proc/uptime)",
  "echo source=$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)",
  "echo reseeded=$(dmesg | grep -c 'crng reseeded due to virtual machine fork')",
  "echo complaints=$(dmesg | grep -c -i -e stall -e lockup -e unstable -e 'hung task' -e starved)",
  "exit",
].join("; ");

/** What a shell answers that was saved so many seconds ago. `late`: guest time at the save, s since 1970. */
async function restored(
  t: test.TestContext,
  saved: Uint8Array,
  { folder }: KernelFiles,
  { ago, words }: { ago: number; words: readonly string[] },
): Promise<(name: string) => number | string> {
  const file = path.join(folder, "old.snap");
  await writeFile(
    file,
    withValue(saved, SECTION_TYPES.about, (about) => ({ ...about, savedAt: Date.now() - ago * MS_PER_S })),
  );
  const run = locore(["restore", file, ...words]).during(t);
  run.child.stdin.end(`${QUESTIONS}\n`);
  const { status, out, err } = await run.ended;
  const console = out.replaceAll("\r", "");
  assert.equal(status, 0, err + lastWords(console));
  t.diagnostic(err.trimEnd().split("\n").at(-1) ?? "");
  return (name) => {
    const value = guestValue(console, name);
    return /^\d+$/.test(value) ? Number(value) : value;
  };
}

test("R6.2 a shell in real time is restored after a minute and after a day, with its date right or held, and complains of nothing", async (t) => {
  const files = await kernelFiles(t, {}, SAVED_GUEST);
  if (files === undefined) return;
  const saved = await savedShell(t, files);
  const { about, state } = openSnapshot(bytesSource(saved));
  const then = state.plan.clock.rtcStart + about.clockNs / NS_PER_S;
  const cases = [
    { ago: MINUTE, clock: "jump", passed: MINUTE },
    { ago: DAY, clock: "jump", passed: DAY },
    { ago: DAY, clock: "hold", passed: 0 },
  ];
  for (const { ago, clock, passed } of cases) {
    const found = await restored(t, saved, files, { ago, words: ["--clock", clock] });
    const what = `after ${ago} s, ${clock}`;
    const off = Number(found("date")) - then - passed;
    assert.ok(off > -2 && off < SLACK, `${what}: the date is off by ${off} s`);
    assert.ok([1, 2].includes(Number(found("slept"))), `${what}: slept ${found("slept")}`);
    assert.equal(found("source"), "tsc", what);
    assert.equal(found("complaints"), 0, what);
    assert.equal(found("reseeded"), 1, what);
  }
});
