/** Warm runs: the second run of the same machine goes on from where the first waited for its command (R1.10, R3.10). */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { scratch } from "../support/built-tree.js";
import { hasRunGuests } from "../support/run-command.js";
import { damagePages, keptFiles, ownCache, timedRun } from "../support/warm-run.js";

const LIMIT = { timeout: 280_000 };
/** Seconds that a guest's clock may be off, and a slow host may take. */
const CLOCK_SLACK = 20;

test(
  "R1.10 R3.10 run: warm is as cold: output, status, environment, folder, standard input; other random numbers each time, and the right time",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = ownCache(t);
    const folder = scratch(t);
    writeFileSync(path.join(folder, "one"), "1\n");
    const script =
      'cat; echo "$A|$1|$(pwd)|$(cat one)|$(id -u)" >&2; head -c 16 /dev/urandom | od -An -tx1; date +%s; exit 7';
    const random = new Set<string>();
    for (const warm of [false, true, true]) {
      const value = `value ${random.size}`;
      const words = ["--env", `A=${value}`, "--", "sh", "-c", script, "sh", value];
      const run = await timedRun(t, words, { cwd: folder, input: Buffer.from("in\n"), cache });
      assert.equal(run.timing.warm, warm, JSON.stringify(run.timing));
      assert.deepEqual([run.status, run.json.reason], [7, "exited"], run.err);
      const [input, bytes, seconds] = run.out.toString().split("\n");
      assert.equal(input, "in");
      assert.ok(run.err.startsWith(`${value}|${value}|${folder}|1|0\n`), run.err);
      assert.ok(Math.abs(Number(seconds) - Date.now() / 1000) < CLOCK_SLACK, seconds);
      random.add(bytes);
      writeFileSync(path.join(folder, "one"), "1\n");
    }
    assert.equal(random.size, 3);
    assert.equal(keptFiles(cache, ".snap").length, 1);

    // The very same machine, whatever the command is and ends with.
    for (const [command, status] of [
      [["sh", "-c", "kill -9 $$"], 137],
      [["/no/such/program"], 127],
    ] as const) {
      const run = await timedRun(t, ["--", ...command], { cwd: folder, cache });
      assert.deepEqual([run.timing.warm, run.status], [true, status], run.err);
    }
  },
);

/** Node 20's V8 gets other flags for good before anything is kept of its code. */
const KEEPS_CODE = Number.parseInt(process.versions.v8, 10) >= 12;

test(
  "R3.10 run: what the thread of a machine called is kept by what it was for, and not where something else was expected",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = ownCache(t);
    const folder = path.join(cache, "locore/compiled");
    const scripts = (): string[] => {
      const kept = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith("parts-")) : [];
      return kept.map((name) => name.split("-")[1]).sort();
    };
    const kept = (...names: string[]): string[] => (KEEPS_CODE ? names : []);
    // Something is kept, but not what this run could go on from: it boots although that was not expected.
    mkdirSync(path.join(cache, "locore/warm"), { mode: 0o700 });
    const other = path.join(cache, "locore/warm", `${"0".repeat(64)}.json`);
    writeFileSync(other, "{}");
    const cold = await timedRun(t, ["--", "true"], { cwd: "/", cache });
    assert.deepEqual([cold.timing.warm, cold.status, scripts()], [false, 0, []], cold.err);
    const warm = await timedRun(t, ["--", "true"], { cwd: "/", cache });
    assert.deepEqual([warm.timing.warm, warm.status, scripts()], [true, 0, kept("resume")], warm.err);
    const again = await timedRun(t, ["--cold", "--", "true"], { cwd: "/", cache });
    assert.deepEqual(
      [again.timing.warm, again.status, scripts()],
      [false, 0, kept("boot", "resume")],
      again.err,
    );
    // It was not handed its command: what it did until then is told apart from what it did for that all the same.
    const [booted, setUp] = [again.timing.stages.boot ?? 0, again.timing.stages.setUp ?? Infinity];
    assert.ok(booted > setUp, again.err);
  },
);

test(
  "R1.10 R6.2 run: a machine that was kept and changed since is thrown away, and the run boots",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = ownCache(t);
    await timedRun(t, ["--", "true"], { cwd: "/", cache });
    const [before] = keptFiles(cache, ".snap");
    const bytes = readFileSync(before);
    assert.equal(statSync(before).mode & 0o077, 0);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(before, bytes);
    const run = await timedRun(t, ["--", "true"], { cwd: "/", cache });
    assert.deepEqual([run.timing.warm, run.status], [false, 0], run.err);
    assert.match(run.timing.reason ?? "", /no machine like this was kept/);
    const after = keptFiles(cache, ".snap");
    assert.equal(after.length, 1);
    assert.notEqual(after[0], before);
    assert.deepEqual(
      readdirSync(path.join(cache, "locore/warm")).filter((name) => /lock|tmp/.test(name)),
      [],
    );

    // Damage that only shows where a page is needed, once the machine runs, but before anything is seen of its command.
    damagePages(cache);
    const damaged = await timedRun(t, ["--", "echo", "hello"], { cwd: "/", cache });
    assert.deepEqual([damaged.timing.warm, damaged.status, damaged.out.toString()], [false, 0, "hello\n"]);
    assert.match(damaged.timing.reason ?? "", /did not go on: snapshot: .*CRC-32/);
    assert.equal(keptFiles(cache, ".snap").includes(after[0]), false);
  },
);

test(
  "R1.10 R3.10 run: what a warm run found out first is kept for the next one; damaged anywhere it counts for nothing, and is made again",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const cache = ownCache(t);
    const run = async (...words: string[]): Promise<void> => {
      const { timing, status, out, err } = await timedRun(t, ["--", ...words], { cwd: "/", cache });
      assert.deepEqual([status, out.toString(), timing.warm], [0, "hello\n", warm], err);
    };
    let warm = false;
    await run("echo", "hello");
    assert.deepEqual(keptFiles(cache, ".start"), []);
    warm = true;
    await run("echo", "hello");
    const [file] = keptFiles(cache, ".start");
    const whole = readFileSync(file);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    for (const at of [9, 0x10000, whole.length - 5]) {
      const damaged = Uint8Array.from(whole);
      damaged[at] ^= 1;
      writeFileSync(file, damaged);
      await run("echo", "hello");
      assert.notEqual(Buffer.compare(readFileSync(file), damaged), 0, `byte ${at}`);
    }
    writeFileSync(file, whole);
    await run("sh", "-c", "echo hello");
    assert.equal(Buffer.compare(readFileSync(file), whole), 0);
  },
);
