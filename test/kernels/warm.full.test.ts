/** Warm runs at length: many at once, ends in the middle of keeping, and everything that makes a machine another one (R1.10, R6.2). */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { scratch } from "../support/built-tree.js";
import { hasRunGuests, startRun } from "../support/run-command.js";
import { keptFiles, ownCache, timedRun } from "../support/warm-run.js";

const LIMIT = { timeout: 900_000 };
const AT_ONCE = 10;
const POLL_MS = 2;

test("R1.10 run: ten at once, of which none is in another's way, leave one machine", LIMIT, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const cache = ownCache(t);
  for (let round = 0; round < 2; round++) {
    const runs = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, number) =>
        timedRun(t, ["--timeout", "600s", "--", "sh", "-c", `echo ${number}; exit ${number}`], {
          cwd: "/",
          cache,
        }),
      ),
    );
    runs.forEach(({ status, out, err }, number) => {
      assert.deepEqual([status, out.toString()], [number, `${number}\n`], err);
    });
    if (round > 0) assert.ok(runs.every(({ timing }) => timing.warm));
  }
  assert.equal(keptFiles(cache, ".snap").length, 1);
  assert.deepEqual(keptFiles(cache, ".lock"), []);
});

test(
  "R6.2 run: killed in the middle of keeping its machine, the next run boots and keeps one",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = ownCache(t);
    const folder = path.join(cache, "locore/warm");
    const first = startRun(t, ["--", "sleep", "60"], { cwd: "/", env: { XDG_CACHE_HOME: cache } });
    const isKeeping = (): boolean =>
      existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".snap"));
    while (!isKeeping()) await sleep(POLL_MS);
    process.kill(first.pid, "SIGKILL");
    await first.ended;
    const [before] = keptFiles(cache, ".json");
    const runs = [];
    for (let i = 0; i < 2; i++) runs.push(await timedRun(t, ["--", "true"], { cwd: "/", cache }));
    assert.deepEqual(
      runs.map(({ status, timing }) => [status, timing.warm]),
      [
        [0, before !== undefined],
        [0, true],
      ],
    );
  },
);

test(
  "R1.10 run: other memory, number of CPUs or network is another machine; another folder, user or command is not",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = ownCache(t);
    const isWarm = async (words: readonly string[], cwd = scratch(t)): Promise<boolean> => {
      const run = await timedRun(t, [...words, "--", "true"], { cwd, cache });
      assert.equal(run.status, 0, run.err);
      return run.timing.warm;
    };
    assert.equal(await isWarm([]), false);
    assert.equal(await isWarm([]), true);
    assert.equal(await isWarm(["--user", "5:6", "--env", "A=b", "--timeout", "100s"]), true);
    for (const words of [
      ["-m", "300M"],
      ["--smp", "2"],
      ["--net", "user"],
      ["--append", "loglevel=3"],
    ]) {
      assert.equal(await isWarm(words), false, words.join(" "));
      assert.equal(await isWarm(words), true, words.join(" "));
    }
    assert.equal(await isWarm(["--cold"]), false);
  },
);
