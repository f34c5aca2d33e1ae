/**
 * What issue 4 asks for (and issue 2, for memory and start-up, 17, for disks, 18, for shared folders and runs, 22, for starts, and for networks), as data, and the verdict on what was measured. A ratio is our
 * time by the reference's, medians of the same run.
 */
import type { Series } from "./harness.js";
import type { Monitor } from "./peers.js";
import type { StartUpSamples } from "./start-up.js";
import { STEPS } from "./snapshot.js";
import type { SnapshotSamples } from "./snapshot.js";
import { figure, geometricMean } from "./statistics.js";

/** The largest ratio a single program may have. */
export const PROGRAM_BARS: Readonly<Record<Series["bar"], number | undefined>> = {
  integer: 1.5,
  float: 1.5,
  storm: 2,
  boot: 1.5,
  "boot-v86": 0.8,
  workload: undefined,
  disk: 1.5,
  share: 1.5,
  net: 1.2,
  run: 1.3,
  none: undefined,
};

/** Whom a program is compared with. */
export const referenceOf = (bar: Series["bar"]): Monitor => (bar === "boot-v86" ? "v86" : "qemu");

const COMPUTE_GEOMEAN = 0.85;
const WORKLOAD_GEOMEAN = 1.2;
const BEYOND_GUEST_MIB = 150;
export const FIRST_INSTRUCTION_MS = 500;
/** Issue 22: the first instruction of a small kernel by the start of a Node with one empty worker, and the version by a Node that does nothing. */
const FIRST_BY_EMPTY = 2;
const VERSION_BY_NOTHING = 1.3;
/** A warm `run -- true` beyond the start of a Node with one empty worker, ms. */
const WARM_BEYOND_EMPTY_MS = 150;
/** Issue 16: process start to the guest's next instruction, by the start of a Node with one empty worker. */
const RESTORE_BY_EMPTY = 2.5;
const SAVING_MS = 300;
/** The file by the pages that are not zero. */
const FILE_BY_PAGES = 1.1;

export interface Verdict {
  /** Peer it is about. */
  peer: string;
  bar: string;
  /** How the value is written: "×", "MiB", "ms". */
  unit: string;
  value: number;
  /** Absent where nothing is asked for. */
  limit?: number;
  met?: boolean;
}

/**
 * Medians' ratio of `ours` to the reference of `monitor` for the same program; of v86 the one on the same Node. `of` is
 * what is compared: the program's own time, or that of the whole process.
 */
export function ratio(
  ours: Series,
  all: readonly Series[],
  monitor: Monitor,
  of: "ms" | "processMs" = "ms",
): number | undefined {
  const reference = all.find(
    (s) =>
      s.group === ours.group &&
      s.name === ours.name &&
      s.monitor === monitor &&
      (s.node === undefined || s.node === ours.node),
  );
  const [mine, its] = [figure(ours[of]), reference && figure(reference[of])];
  return mine && its ? mine.median / its.median : undefined;
}

function verdict(
  peer: string,
  bar: string,
  unit: string,
  value: number | undefined,
  limit?: number,
): Verdict[] {
  if (value === undefined) return [];
  return [{ peer, bar, unit, value, ...(limit === undefined ? {} : { limit, met: value <= limit }) }];
}

/** Geometric mean of ratios to QEMU over series of one peer. */
function mean(own: readonly Series[], all: readonly Series[], of?: "processMs"): number | undefined {
  return geometricMean(own.map((s) => ratio(s, all, "qemu", of)).filter((r) => r !== undefined));
}

/** Programs whose bar is told in a row of its own; of the other classes the slowest is. */
const SINGLE: ReadonlySet<Series["bar"]> = new Set([
  "storm",
  "boot",
  "boot-v86",
  "disk",
  "share",
  "net",
  "run",
]);

/** fio, git and curl come with archives of up to 120 MiB, which monitors hold as well: QEMU is beyond the bar there, too. */
const LARGE_ARCHIVES: ReadonlySet<Series["group"]> = new Set(["disk", "share", "net"]);

function single(peer: string, s: Series, all: readonly Series[]): Verdict[] {
  const [limit, reference] = [PROGRAM_BARS[s.bar], referenceOf(s.bar)];
  if (limit === undefined) return [];
  const name = reference === "v86" ? `${s.name}, by v86's time` : s.name;
  return verdict(peer, name, "×", ratio(s, all, reference), limit);
}

/** The program of a class with the largest ratio. */
function slowest(
  peer: string,
  bar: "integer" | "float",
  own: readonly Series[],
  all: readonly Series[],
): Verdict[] {
  const found = own
    .filter((s) => s.bar === bar)
    .map((s) => ({ name: s.name, value: ratio(s, all, "qemu") ?? 0 }))
    .sort((a, b) => b.value - a.value);
  const [worst] = found;
  if (worst === undefined || worst.value === 0) return [];
  return verdict(peer, `slowest ${bar} program (${worst.name})`, "×", worst.value, PROGRAM_BARS[bar]!);
}

/** The bars of snapshots for each Node. */
export function snapshotVerdicts(found: ReadonlyMap<string, SnapshotSamples>): Verdict[] {
  return [...found].flatMap(([node, { emptyMs, steps, savingMs, sizeRatio }]) => {
    const peer = `locore, Node ${node.slice(1)}`;
    const [empty, first] = [figure(emptyMs)!.median, figure(steps["first instruction"])!.median];
    return [
      ...verdict(peer, "Node with one empty worker", "ms", empty),
      ...STEPS.flatMap((name) => verdict(peer, `restore: ${name}`, "ms", figure(steps[name])?.median)),
      ...verdict(peer, "restore, by an empty worker's start", "×", first / empty, RESTORE_BY_EMPTY),
      ...verdict(peer, "saving: the machine stands still", "ms", figure(savingMs)?.median, SAVING_MS),
      ...verdict(peer, "snapshot's file by its pages", "×", figure(sizeRatio)?.max, FILE_BY_PAGES),
    ];
  });
}

/** The bars of starts for each peer. */
export function startUpVerdicts(found: ReadonlyMap<string, StartUpSamples>): Verdict[] {
  return [...found].flatMap(([peer, samples]) => {
    const { nothingMs, versionMs, emptyMs, smallMs, debianMs, coldMs, warmMs, vmColdMs, vmWarmMs } = samples;
    const median = (of: readonly number[]): number | undefined => figure(of)?.median;
    const by = (ours: readonly number[], theirs: readonly number[]): number =>
      median(ours)! / median(theirs)!;
    const warm = median(warmMs);
    const beyond = warm === undefined ? undefined : warm - median(emptyMs)!;
    const small = "a small kernel's first instruction, by an empty worker's start";
    return [
      ...verdict(peer, "Node that does nothing", "ms", median(nothingMs)),
      ...verdict(
        peer,
        "--version, by Node that does nothing",
        "×",
        by(versionMs, nothingMs),
        VERSION_BY_NOTHING,
      ),
      ...verdict(peer, "Node with one empty worker", "ms", median(emptyMs)),
      ...verdict(peer, small, "×", by(smallMs, emptyMs), FIRST_BY_EMPTY),
      ...verdict(peer, "Debian's first instruction", "ms", median(debianMs), FIRST_INSTRUCTION_MS),
      ...verdict(peer, "run -- true, cold", "ms", median(coldMs)),
      ...verdict(peer, "run -- true, warm", "ms", warm),
      ...verdict(peer, "the same beyond an empty worker's start", "ms", beyond, WARM_BEYOND_EMPTY_MS),
      ...verdict(peer, "Vm.start and a command, cold", "ms", median(vmColdMs)),
      ...verdict(peer, "Vm.start and a command, warm", "ms", median(vmWarmMs)),
    ];
  });
}

/** Every bar on every judged peer, as far as it was measured. */
export function verdicts(all: readonly Series[]): Verdict[] {
  const judged = [...new Set(all.filter((s) => s.judged).map((s) => s.peer))];
  return judged.flatMap((peer) => {
    const own = all.filter((s) => s.peer === peer);
    const compute = own.filter((s) => s.bar === "integer" || s.bar === "float");
    const workloads = own.filter((s) => s.group === "workload");
    const memory = own.filter((s) => !LARGE_ARCHIVES.has(s.group)).flatMap((s) => s.beyondGuestMib);
    return [
      ...verdict(peer, "compute, geometric mean", "×", mean(compute, all), COMPUTE_GEOMEAN),
      ...verdict(peer, "the same with start and end of the process", "×", mean(compute, all, "processMs")),
      ...verdict(peer, "workloads, geometric mean", "×", mean(workloads, all), WORKLOAD_GEOMEAN),
      ...slowest(peer, "integer", own, all),
      ...slowest(peer, "float", own, all),
      ...own.filter((s) => SINGLE.has(s.bar)).flatMap((s) => single(peer, s, all)),
      ...verdict(peer, "host memory beyond guest RAM", "MiB", figure(memory)?.max, BEYOND_GUEST_MIB),
    ];
  });
}
