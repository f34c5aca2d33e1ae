/** A deterministic run that is cut at random instructions, and what goes on from there in other processes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import type { Plan } from "../../src/boot/plan.js";
import type { Machine } from "../../src/machine/machine.js";
import { TestConsole } from "./fake-machine.js";
import { Random } from "./random.js";
import { digestOf, fileOf, newMachine } from "./snapshot-moves.js";
import type { CutJob, CutResult } from "./snapshot-worker.js";

const WORKER = fileURLToPath(new URL("./snapshot-worker.js", import.meta.url));
/** Processes at a time. */
const PROCESSES = 2;
const BARE_MEMORY = 0x400000;
const NS_PER_INSTRUCTION = 10;
/** Files of cuts that wait for a process at most: those of a kernel are large. */
const AT_ONCE = 8;
/** One restored machine in so many is interpreted all the way: that takes long. */
const INTERPRETED = 3;
/** Longest stretch that is interpreted, instructions. */
const LONGEST_INTERPRETED = 20_000_000;

/** A plan for a guest that needs little memory, in deterministic time. */
export function barePlan(bytes: Uint8Array, cpus: number, more: Partial<BootOptions> = {}): Plan {
  return buildPlan({
    kernel: { name: "guest", bytes },
    memory: BARE_MEMORY,
    cpus,
    ...more,
    clock: { deterministic: { nsPerInstruction: NS_PER_INSTRUCTION } },
  });
}

export interface CutOptions {
  /** A plan, made anew for each call: a machine may use its contents up. */
  plan: () => Plan;
  cuts: number;
  seed: number;
  /** The run is looked at up to here, instructions; absent: to its end. */
  until?: number;
  /** No cut comes before. */
  from?: number;
  /** How many of the cuts run on to the end instead of to the next cut. */
  toTheEnd?: number;
}

interface Run {
  machine: Machine;
  console: TestConsole;
}

function begin(plan: Plan): Run {
  const console = new TestConsole();
  const machine = newMachine(plan, { console, engine: createWasmEngine({ jit: "on" }) });
  // A machine that is not to be restarted needs no contents any more, and they would be in every file.
  plan.regions = [];
  return { machine, console };
}

/** What a run has come to: what a restored one must come to as well. */
function standing({ machine, console }: Run): CutResult {
  const { instructions, clockNs } = machine.stats();
  const { end } = machine;
  return { text: console.text, instructions, clockNs, ...(end ? { end } : { digest: digestOf(machine) }) };
}

async function work(jobs: readonly CutJob[]): Promise<CutResult[]> {
  if (jobs.length === 0) return [];
  const child = spawn(process.execPath, [WORKER, JSON.stringify(jobs)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString()));
  const status = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(status, 0, out);
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as CutResult);
}

/** Random instructions of a run, ascending, all different. */
function cutPoints(random: Random, { cuts, from = 0 }: CutOptions, length: number): number[] {
  const points = new Set<number>();
  while (points.size < cuts) points.add(from + 1 + random.below(length - from - 1));
  return [...points].sort((a, b) => a - b);
}

/**
 * Cuts a run, and asserts that it comes to the same as one that nobody cut, and that each machine that goes on from a cut in
 * another process, interpreted or compiled, is at the next cut, or the end, in all of its state and RAM what the run was there.
 */
export async function cutRun(t: TestContext, options: CutOptions): Promise<void> {
  const { seed, until = Infinity, toTheEnd = 1 } = options;
  const random = new Random(seed);
  const whole = begin(options.plan());
  whole.machine.run(until);
  const expected = standing(whole);
  whole.machine.dispose();
  const points = cutPoints(random, options, expected.instructions);
  const toEnd = new Set(Array.from({ length: toTheEnd }, () => random.below(points.length)));
  const folder = mkdtempSync(path.join(tmpdir(), "locore-cuts-"));
  try {
    const run = begin(options.plan());
    let legs: Leg[] = [];
    let from: { file: string; standing: CutResult } | undefined;
    for (const [i, point] of [...points, until].entries()) {
      run.machine.run(point - run.machine.instructions);
      const here = standing(run);
      if (from !== undefined) {
        const [target, at] = toEnd.has(i - 1) ? [expected, until] : [here, point];
        legs.push({
          job: jobOf(from.file, at, target.instructions - from.standing.instructions, random),
          from: from.standing,
          target,
        });
      }
      if (i === points.length)
        assert.deepEqual(here, expected, "a run that is saved on its way is the run that is not");
      else {
        from = { file: path.join(folder, String(i)), standing: here };
        writeFileSync(from.file, fileOf(run.machine));
      }
      if (legs.length < AT_ONCE && i < points.length) continue;
      await goOn(legs);
      legs = [];
    }
    run.machine.dispose();
    t.diagnostic(`${points.length} cuts of ${(expected.instructions / 1e6).toFixed(1)} M instructions`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** From a cut to where a restored machine is compared. */
interface Leg {
  job: CutJob;
  from: CutResult;
  target: CutResult;
}

function jobOf(file: string, until: number, length: number, random: Random): CutJob {
  const compiled = random.below(INTERPRETED) > 0 || length > LONGEST_INTERPRETED;
  return { file, compiled, ...(Number.isFinite(until) && { until }) };
}

/** Goes on from the cuts in other processes, and forgets their files. */
async function goOn(legs: readonly Leg[]): Promise<void> {
  const shares = Array.from({ length: PROCESSES }, (_, p) => legs.filter((_leg, i) => i % PROCESSES === p));
  await Promise.all(
    shares.map(async (share) => {
      const results = await work(share.map(({ job }) => job));
      for (const [i, { job, from, target }] of share.entries()) {
        const found = { ...results[i], text: from.text + results[i].text };
        assert.deepEqual(found, target, `from instruction ${from.instructions}, compiled: ${job.compiled}`);
        rmSync(job.file);
      }
    }),
  );
}
