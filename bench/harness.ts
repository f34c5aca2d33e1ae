/**
 * Runs cases on peers, in turn within each round, so that a change of the host's mood meets all of them, and collects
 * what each run gave. Knows no particular benchmark and no monitor's options.
 */
import type { Case, Group, Span } from "./case.js";
import { isLine, measure } from "./measure.js";
import type { Command, Run, Watch } from "./measure.js";
import type { Boot, Monitor, Peer } from "./peers.js";

const MIB = 1024 * 1024;
const TAIL = 600;
/**
 * How long a run may show nothing. On a busy host QEMU 7.2's timer interrupts stop now and then: Linux then waits in
 * calibrate_delay for a tick that never comes, before its first line.
 */
const SILENT_MS = 30_000;
/** Runs until one that shows nothing counts as a failure. */
const ATTEMPTS = 3;

/** All that was measured of one span on one peer. */
export interface Series {
  group: Group;
  name: string;
  what: string;
  bar: Span["bar"];
  peer: string;
  monitor: Monitor;
  node?: string;
  judged: boolean;
  /** Between the span's lines, ms. */
  ms: number[];
  /** Of the whole process, to its end or to the last line wanted, ms. */
  processMs: number[];
  /** What locore says of the whole run: instructions, and millions of them a second. */
  instructions: number[];
  mips: number[];
  beyondGuestMib: number[];
  /** locore's own counters, of the last run. */
  engine?: Record<string, number>;
  /** The guest computed something else. */
  wrong: string[];
  /** The run did not get to its end. */
  failed: string[];
}

export interface Skip {
  name: string;
  reason: string;
}

export interface HarnessOptions {
  runs: number;
  timeoutMs: number;
  /** How long a run may show nothing, ms; default: half a minute. */
  silentMs?: number;
  folder: string;
  /** Told before each run. */
  onRun(caseName: string, peer: string, round: number): void;
}

export interface LocoreReport {
  instructions: number;
  mips: number;
  engine: Record<string, number>;
}

/** Locore's report of a run: the line of JSON that `--json --stats` ends with. */
export function locoreReport(stderr: string): LocoreReport | undefined {
  const line = stderr.trimEnd().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) return undefined;
  const report = JSON.parse(line) as Partial<LocoreReport>;
  const { instructions, mips, engine = {} } = report;
  return instructions === undefined || mips === undefined ? undefined : { instructions, mips, engine };
}

/** Time between a span's lines, or undefined where one did not come. */
export function spanTime(run: Run, span: Span): number | undefined {
  const { from, to } = span;
  const start = from === undefined ? -1 : run.lines.findIndex((line) => isLine(line.text, from));
  if (from !== undefined && start < 0) return undefined;
  const end = run.lines.find((line, i) => i > start && isLine(line.text, to));
  if (end === undefined) return undefined;
  return end.atMs - (start < 0 ? 0 : run.lines[start].atMs);
}

function emptySeries(group: Group, span: Span, peer: Peer): Series {
  const { name, what, bar } = span;
  const lists = {
    ms: [],
    processMs: [],
    instructions: [],
    mips: [],
    beyondGuestMib: [],
    wrong: [],
    failed: [],
  };
  const node = peer.node === undefined ? {} : { node: peer.node };
  return {
    group,
    name,
    what,
    bar,
    peer: peer.name,
    monitor: peer.monitor,
    ...node,
    judged: peer.judged,
    ...lists,
  };
}

function lastWords(run: Run): string {
  const console = run.lines.map((line) => line.text).join("\n");
  return `status ${run.status}\n${console.slice(-TAIL)}\n${run.stderr.slice(-TAIL)}`.trimEnd();
}

function record(series: Series, run: Run, span: Span, wrong: string | undefined): void {
  const ms = spanTime(run, span);
  if (run.timedOut) series.failed.push("timed out");
  else if (run.silent) series.failed.push(`showed nothing, ${ATTEMPTS} times`);
  else if (ms === undefined) series.failed.push(`ended early, ${lastWords(run)}`);
  if (run.timedOut || run.silent || ms === undefined) return;
  if (wrong !== undefined) {
    series.wrong.push(wrong);
    return;
  }
  series.ms.push(ms);
  series.processMs.push(run.wallMs);
  if (run.memory.length > 0) series.beyondGuestMib.push(Math.max(...run.memory.map((m) => m.bytes)) / MIB);
  const report = locoreReport(run.stderr);
  if (report === undefined) return;
  series.instructions.push(report.instructions);
  series.mips.push(report.mips);
  series.engine = report.engine;
}

/** Whether a peer runs a case at all. */
export const takesPart = (peer: Peer, { monitors, productOnly }: Case): boolean =>
  monitors.includes(peer.monitor) && (productOnly !== true || peer.monitor !== "locore" || peer.judged);

/** A run, or what came of the last attempt at one. */
async function measureSpeaking(command: Command, watch: Watch): Promise<Run> {
  for (let attempt = 1; ; attempt++) {
    const run = await measure(command, watch);
    if (!run.silent || attempt === ATTEMPTS) return run;
  }
}

/** One case on every peer that takes part. */
async function runCase(
  benchmark: Case,
  boot: Boot,
  peers: readonly Peer[],
  options: HarnessOptions,
): Promise<Series[]> {
  const taking = peers.filter((p) => takesPart(p, benchmark));
  const rows = taking.map((peer) => ({
    peer,
    series: benchmark.spans.map((span) => emptySeries(benchmark.group, span, peer)),
  }));
  const watch = {
    marks: benchmark.until === undefined ? [] : benchmark.spans.map((span) => span.to),
    until: benchmark.until,
    timeoutMs: options.timeoutMs,
    silentMs: options.silentMs ?? SILENT_MS,
  };
  for (let round = 1; round <= options.runs; round++) {
    for (const { peer, series } of rows) {
      options.onRun(benchmark.name, peer.name, round);
      const run = await measureSpeaking(peer.command(boot), watch);
      const wrong = run.timedOut || run.silent ? new Map<string, string>() : benchmark.wrong(run);
      series.forEach((s, i) => record(s, run, benchmark.spans[i], wrong.get(s.name)));
    }
  }
  return rows.flatMap((row) => row.series);
}

/** Runs everything. A case that cannot be prepared is skipped with its reason. */
export async function runCases(
  cases: readonly Case[],
  peers: readonly Peer[],
  options: HarnessOptions,
): Promise<{ series: Series[]; skipped: Skip[] }> {
  const series: Series[] = [];
  const skipped: Skip[] = peers
    .filter((p) => p.missing !== undefined)
    .map((p) => ({ name: p.name, reason: p.missing! }));
  const present = peers.filter((p) => p.missing === undefined);
  for (const benchmark of cases) {
    const boot = await benchmark.prepare(options.folder);
    if ("skip" in boot) skipped.push({ name: benchmark.name, reason: boot.skip });
    else series.push(...(await runCase(benchmark, boot, present, options)));
  }
  return { series, skipped };
}
