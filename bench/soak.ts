/**
 * A long run: workloads in a loop until the time is up, the process's memory looked at all the while. What an engine
 * keeps (decoded and compiled code, tables) must stay bounded.
 */
import type { Skipped } from "./case.js";
import { locoreReport } from "./harness.js";
import { measure } from "./measure.js";
import type { MemorySample } from "./measure.js";
import type { Peer } from "./peers.js";
import { table } from "./statistics.js";
import { workloadBoot } from "./workload-cases.js";
import { WORKLOADS } from "./workloads.js";
import type { Workload } from "./workloads.js";

const LAP_LINE = "bench: lap";
/** A lap is short beside the run, so that memory is compared over whole laps. */
const LAP_SCALE = 0.05;
const SAMPLE_MS = 2_000;
const MIB = 1024 * 1024;
const MS_PER_MINUTE = 60_000;
const LATEST = 600_000;

export interface Soak {
  peer: string;
  laps: number;
  memory: MemorySample[];
  /** locore's own counters at the end: among them what it keeps of code. */
  engine: Record<string, number>;
}

/** The shell script of a guest that never stops. */
function script(workloads: readonly Workload[]): string {
  const lap = workloads.flatMap((w) => [
    w.prepare?.(LAP_SCALE) ?? ":",
    w.command(LAP_SCALE),
    "rm -rf /tmp/*",
  ]);
  return ["while :; do", ...lap, `echo "${LAP_LINE}"`, "done"].join("\n");
}

/** Runs every judged peer for so many minutes, one after another. */
export async function soak(
  peers: readonly Peer[],
  minutes: number,
  folder: string,
): Promise<Soak[] | Skipped> {
  const workloads = WORKLOADS.filter((w) => w.missing?.() === undefined);
  const boot = await workloadBoot(workloads, script(workloads), LAP_SCALE, folder);
  if ("skip" in boot) return boot;
  const runs: Soak[] = [];
  for (const peer of peers.filter((p) => p.judged)) {
    const stopAfterMs = minutes * MS_PER_MINUTE;
    const watch = {
      marks: [LAP_LINE],
      sampleEveryMs: SAMPLE_MS,
      stopAfterMs,
      timeoutMs: stopAfterMs + LATEST,
    };
    const run = await measure(peer.command(boot), watch);
    const laps = run.lines.filter((line) => line.text.endsWith(LAP_LINE)).length;
    const engine = locoreReport(run.stderr)?.engine ?? {};
    runs.push({ peer: peer.name, laps, memory: run.memory, engine });
  }
  return runs;
}

/** Memory at the quarters of the run, and the counters of the engine. */
export function soakReport(soaks: readonly Soak[]): string {
  const at = (memory: readonly MemorySample[], share: number): string => {
    const sample = memory[Math.min(memory.length - 1, Math.floor(share * memory.length))];
    return sample === undefined ? "–" : (sample.bytes / MIB).toFixed(0);
  };
  const rows = soaks.map(({ peer, laps, memory }) => [
    peer,
    String(laps),
    ...[0.25, 0.5, 0.75, 1].map((share) => at(memory, share)),
    memory.length === 0 ? "–" : (Math.max(...memory.map((m) => m.bytes)) / MIB).toFixed(0),
  ]);
  const head = ["peer", "laps", "at ¼", "at ½", "at ¾", "at the end", "most"];
  const counters = soaks.flatMap(({ peer, engine }) =>
    Object.entries(engine).map(([name, value]) => `${peer}: ${name} ${value.toLocaleString("en-US")}`),
  );
  return ["\nLong run: host memory beyond guest RAM, MiB\n", table([head, ...rows]), "", ...counters].join(
    "\n",
  );
}
