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
/** How far a date may be off beside the time that the run takes, s: `date` says whole seconds. */
const SLACK = 2;
const LIMIT = { timeout: 900_000 };
/** For so long input waits for a guest that makes up what it missed, s (`paced-clock.ts`); on a busy host that is not enough. */
const WAITS = 10;
const MS_PER_S = 1000;
const NS_PER_S = 1e9;
/**
 * What the guest finds of itself, the last line of its console is its status: its date at once, and as soon as it is `due`; how long a
 * second is, where the host leaves it the time to say so.
 */
const questions = (due: number): string[] => [
  "echo first=$(date +%s)",
  "left() { left=$((due - $(date +%s))); [ $left -gt 0 ]; }",
  `due=${due}; while left; do sleep $((left > 200 ? 100 : 1)); done`,
  "now() { date +%s; }; slept=9",
  "for i in $(seq 500); do [ $slept -le 2 ] || { begin=$(now); sleep 1; slept=$(($(now) - begin)); }; done",
  "echo date=$begin; echo slept=$slept",
  "echo source=$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)",
  "echo reseeded=$(dmesg | grep -c 'crng reseeded due to virtual machine fork')",
  "echo complaints=$(dmesg | grep -c -i -e stall -e lockup -e unstable -e 'hung task' -e starved)",
  "exit",
];

/** What a shell answers that was saved so many seconds ago, and how long the run took, s. `due`: its date, s since 1970. */
async function restored(
  t: test.TestContext,
  saved: Uint8Array,
  { folder }: KernelFiles,
  { ago, words, due }: { ago: number; words: readonly string[]; due: number },
): Promise<{ found: (name: string) => number | string; took: number }> {
  const file = path.join(folder, "old.snap");
  await writeFile(
    file,
    withValue(saved, SECTION_TYPES.about, (about) => ({ ...about, savedAt: Date.now() - ago * MS_PER_S })),
  );
  const begun = performance.now();
  const run = locore(["restore", file, ...words]).during(t);
  run.child.stdin.end(`${questions(due).join("; ")}\n`);
  const { status, out, err } = await run.ended;
  const took = (performance.now() - begun) / MS_PER_S;
  const console = out.replaceAll("\r", "");
  assert.equal(status, 0, err + lastWords(console));
  t.diagnostic(err.trimEnd().split("\n").at(-1) ?? "");
  const found = (name: string): number | string => {
    const value = guestValue(console, name);
    return /^\d+$/.test(value) ? Number(value) : value;
  };
  return { found, took };
}

test(
  "R6.2 a shell in real time is restored after a minute and after a day, with its date right or held, and complains of nothing",
  LIMIT,
  async (t) => {
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
      const due = Math.floor(then) + passed;
      const { found, took } = await restored(t, saved, files, { ago, words: ["--clock", clock], due });
      const what = `after ${ago} s, ${clock}`;
      const off = (name: string): number => Number(found(name)) - then - passed;
      assert.ok(
        off("first") > -SLACK || took > WAITS,
        `${what}: at first the date is off by ${off("first")} s`,
      );
      for (const name of ["first", "date"])
        assert.ok(off(name) < took + SLACK, `${what}: ${name} is off by ${off(name)} s`);
      assert.ok(off("date") > -SLACK, `${what}: the date is off by ${off("date")} s`);
      assert.ok([1, 2].includes(Number(found("slept"))), `${what}: slept ${found("slept")}`);
      assert.equal(found("source"), "tsc", what);
      assert.equal(found("complaints"), 0, what);
      assert.equal(found("reseeded"), 1, what);
    }
  },
);
