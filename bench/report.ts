/** The tables that `npm run bench` prints, in Markdown: one for each group, then the bars. */
import type { Group } from "./case.js";
import { PROGRAM_BARS, ratio, referenceOf } from "./bars.js";
import type { Verdict } from "./bars.js";
import type { Series } from "./harness.js";
import { figure, table } from "./statistics.js";
import type { Figure } from "./statistics.js";

const MS_PER_SECOND = 1000;
const MILLION = 1e6;
const NONE = "–";

const TITLES: Readonly<Record<Group, string>> = {
  compute: "Compute guests: seconds of the program itself",
  boot: "Boots: seconds from the start of the process to init's first line",
  instruction: "Kinds of instructions: seconds of the loop itself",
  workload: "Busybox workloads in a guest: seconds of the program itself",
  smp: "Several CPUs",
  disk: "A virtio disk under fio: seconds of the job itself",
  share: "Shared folders: a build, a large work tree and a copy on a folder of the host, by virtio-fs",
  net: "A network card with a network in user mode: seconds of the transfer itself",
  run: "One command by `locore run`, from the start of the process until its line is here",
};

const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** "1.23 (1.20–1.31)": median, smallest, largest. */
function seconds(f: Figure | undefined): string {
  if (f === undefined) return NONE;
  const write = (ms: number): string => (ms / MS_PER_SECOND).toFixed(ms < 10 * MS_PER_SECOND ? 2 : 1);
  return f.samples.length < 2 ? write(f.median) : `${write(f.median)} (${write(f.min)}–${write(f.max)})`;
}

const times = (r: number | undefined): string => (r === undefined ? NONE : `${r.toFixed(2)} ×`);

/** The time, or what went wrong. */
function timeCell(s: Series | undefined): string {
  if (s === undefined) return NONE;
  if (s.wrong.length > 0) return "WRONG";
  if (s.failed.length > 0) return s.failed.every((f) => f === "timed out") ? "timeout" : "failed";
  return seconds(figure(s.ms));
}

/** Ratio by the program's reference, and for a peer that is judged the verdict. */
function ratioCell(s: Series | undefined, all: readonly Series[]): string {
  if (s === undefined) return NONE;
  const reference = referenceOf(s.bar);
  const value = ratio(s, all, reference) ?? ratio(s, all, "qemu");
  const limit = PROGRAM_BARS[s.bar];
  if (value === undefined || limit === undefined || !s.judged) return times(value);
  if (ratio(s, all, reference) === undefined) return times(value);
  return `${times(value)} ${value <= limit ? "PASS" : "FAIL"}`;
}

const mipsCell = (s: Series | undefined): string => figure(s?.mips ?? [])?.median.toFixed(0) ?? NONE;

/** Their instructions are not of what is timed alone. */
const WITHOUT_MIPS: ReadonlySet<Group> = new Set(["workload", "disk", "share", "net", "run"]);

/** One group's table, or nothing where nothing of it ran. */
function groupTable(group: Group, all: readonly Series[]): string[] {
  const own = all.filter((s) => s.group === group);
  if (own.length === 0) return [];
  const peers = unique(own.map((s) => s.peer));
  const ours = peers.filter((p) => own.some((s) => s.peer === p && s.monitor === "locore"));
  const withMips = !WITHOUT_MIPS.has(group);
  const head = [
    "program",
    "what",
    ...(withMips ? ["M insns"] : []),
    ...peers.flatMap((p) => [p, ...(ours.includes(p) ? ["ratio", ...(withMips ? ["M insn/s"] : [])] : [])]),
    "bar",
  ];
  const rows = unique(own.map((s) => s.name)).map((name) => {
    const of = (peer: string): Series | undefined => own.find((s) => s.name === name && s.peer === peer);
    const any = own.find((s) => s.name === name)!;
    const counted = own.find((s) => s.name === name && s.instructions.length > 0);
    const limit = PROGRAM_BARS[any.bar];
    const millions = counted ? (counted.instructions[0] / MILLION).toFixed(0) : NONE;
    return [
      name,
      any.what,
      ...(withMips ? [millions] : []),
      ...peers.flatMap((p) => {
        const cells = [timeCell(of(p))];
        if (ours.includes(p)) cells.push(ratioCell(of(p), all), ...(withMips ? [mipsCell(of(p))] : []));
        return cells;
      }),
      limit === undefined ? "" : `≤ ${limit} × ${referenceOf(any.bar) === "v86" ? "v86" : "QEMU"}`,
    ];
  });
  return [`\n${TITLES[group]}\n`, table([head, ...rows])];
}

/** Which bars hold. Those on a single program are in its row too. */
function barTable(found: readonly Verdict[]): string[] {
  if (found.length === 0) return [];
  const number = (value: number, unit: string): string => `${value.toFixed(unit === "×" ? 2 : 0)} ${unit}`;
  const rows = found.map((v) => [
    v.bar,
    v.peer,
    number(v.value, v.unit),
    v.limit === undefined ? "" : `≤ ${v.limit}`,
    v.met === undefined ? "" : v.met ? "PASS" : "FAIL",
  ]);
  return ["\nBars\n", table([["figure", "peer", "value", "bar", ""], ...rows])];
}

const ONE_PROCESS: ReadonlySet<Group> = new Set(["disk", "share", "net"]);
/** Workloads share one process. */
const where = (s: Series): string =>
  s.group === "workload" ? "workloads" : ONE_PROCESS.has(s.group) ? s.group : s.name;

/** Memory beyond guest RAM by peer: the largest seen, and in which program. */
function memoryTable(all: readonly Series[]): string[] {
  const rows = unique(all.map((s) => s.peer)).flatMap((peer) => {
    const seen = all.filter((s) => s.peer === peer && s.beyondGuestMib.length > 0);
    if (seen.length === 0) return [];
    const largest = seen.reduce((a, b) =>
      Math.max(...b.beyondGuestMib) > Math.max(...a.beyondGuestMib) ? b : a,
    );
    return [[peer, Math.max(...largest.beyondGuestMib).toFixed(0), where(largest)]];
  });
  if (rows.length === 0) return [];
  return ["\nHost memory beyond guest RAM\n", table([["peer", "MiB at most", "in"], ...rows])];
}

/** Everything that went wrong, in full. */
function troubles(all: readonly Series[]): string[] {
  return all.flatMap((s) => [
    ...s.wrong.map((w) => `\nWRONG RESULT: ${s.name} on ${s.peer}: ${w}`),
    ...s.failed.map((f) => `\nfailed: ${s.name} on ${s.peer}: ${f}`),
  ]);
}

/** The whole report as text. */
export function report(all: readonly Series[], found: readonly Verdict[]): string {
  const groups: Group[] = [
    "compute",
    "instruction",
    "boot",
    "workload",
    "smp",
    "disk",
    "share",
    "net",
    "run",
  ];
  return [
    ...groups.flatMap((group) => groupTable(group, all)),
    ...memoryTable(all),
    ...barTable(found),
    ...troubles(all),
  ].join("\n");
}
