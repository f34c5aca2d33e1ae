/**
 * `npm run bench`: locore beside QEMU (TCG) and v86 on the same guests, interleaved, medians. Prints Markdown tables with
 * the bars of issue 4; `--json FILE` has every sample. The exit status is 1 where a guest computed a wrong result.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem, type } from "node:os";
import path from "node:path";
import { snapshotVerdicts, startUpVerdicts, verdicts } from "./bars.js";
import { bootCases } from "./boot-cases.js";
import type { Case } from "./case.js";
import { diskCases } from "./disk-cases.js";
import { computeCases, instructionCases } from "./compute-cases.js";
import { runCases, takesPart } from "./harness.js";
import { killAll } from "./measure.js";
import { USAGE, parseOptions } from "./options.js";
import type { Options } from "./options.js";
import { allPeers, qemuVersion } from "./peers.js";
import type { Peer } from "./peers.js";
import { report } from "./report.js";
import { soak, soakReport } from "./soak.js";
import { SNAPSHOT, measureSnapshots } from "./snapshot.js";
import type { SnapshotSamples } from "./snapshot.js";
import { START_UP, measureStartUp } from "./start-up.js";
import type { StartUpSamples } from "./start-up.js";
import { netCases } from "./net-cases.js";
import { runCommandCases } from "./run-cases.js";
import { shareCases } from "./share-cases.js";
import { smpCases } from "./smp-cases.js";
import { missingWorkloads, workloadCases } from "./workload-cases.js";

const GIB = 1024 ** 3;
const CLEAR_LINE = "\r\x1b[K";
const STATUS_WRONG = 1;
const STATUS_USAGE = 2;
const STATUS_INTERRUPTED = 130;

function hostFacts(options: Options): Record<string, string> {
  return {
    host: `${cpus()[0]?.model ?? "unknown CPU"} × ${cpus().length}, ${(totalmem() / GIB).toFixed(0)} GiB`,
    system: `${type()} ${release()}`,
    date: new Date().toISOString(),
    node: options.nodes.map((n) => n.version).join(", "),
    qemu: qemuVersion() ?? "no QEMU",
  };
}

function selectedCases({ only, scale }: Options): Case[] {
  const wants = (name: string): boolean => only.length === 0 || only.includes(name);
  const asked = (c: Case): boolean => only.includes(c.name) || only.includes(c.group);
  return [
    ...[
      ...computeCases(scale),
      ...bootCases(),
      ...smpCases(scale),
      ...diskCases(scale),
      ...shareCases(scale),
      ...netCases(scale),
      ...runCommandCases(),
    ].filter((c) => only.length === 0 || asked(c)),
    ...instructionCases().filter(asked),
    ...workloadCases(scale, (name) => wants(name) || only.includes("workload")),
  ];
}

function selectedPeers({ nodes, peers }: Options): Peer[] {
  return allPeers(nodes).filter((p) => peers.length === 0 || peers.includes(p.kind));
}

/** Shows on a terminal what is being measured. */
function progress(total: number): (what: string, peer: string, round: number) => void {
  let done = 0;
  return (what, peer, round) => {
    done++;
    if (process.stderr.isTTY)
      process.stderr.write(`${CLEAR_LINE}[${done}/${total}] ${what}: ${peer}, round ${round}`);
  };
}

function list(cases: readonly Case[], peers: readonly Peer[]): void {
  for (const c of cases) {
    for (const span of c.spans) console.log(`${c.group.padEnd(9)} ${span.name.padEnd(28)} ${span.what}`);
  }
  console.log(`boot      ${START_UP.padEnd(28)} process start to the first instruction`);
  console.log(`snapshot  ${SNAPSHOT.padEnd(28)} saving and restoring a 256 MiB Debian at a shell`);
  console.log(`peers: ${peers.map((p) => p.kind).join(", ")}`);
}

function writeJson(file: string | undefined, content: object): void {
  if (file !== undefined) writeFileSync(file, JSON.stringify(content, null, 2) + "\n");
}

async function longRun(
  options: Options,
  peers: readonly Peer[],
  minutes: number,
  folder: string,
): Promise<number> {
  const facts = hostFacts(options);
  console.log(`${Object.values(facts).join("; ")}; ${minutes} minutes`);
  const soaks = await soak(peers, minutes, folder);
  console.log("skip" in soaks ? `skipped: ${soaks.skip}` : soakReport(soaks));
  writeJson(options.json, { ...facts, minutes, soaks });
  return 0;
}

async function bench(options: Options, folder: string): Promise<number> {
  const [cases, peers] = [selectedCases(options), selectedPeers(options)];
  if (options.list) {
    list(cases, peers);
    return 0;
  }
  const startUpWanted = options.only.length === 0 || options.only.some((o) => o === START_UP || o === "boot");
  if (options.soakMinutes !== undefined) return longRun(options, peers, options.soakMinutes, folder);
  const snapshotsWanted = options.only.length === 0 || options.only.includes(SNAPSHOT);
  if (cases.length === 0 && !startUpWanted && !snapshotsWanted) {
    console.error(`bench: nothing is called ${options.only.join(" or ")}; --list names what there is`);
    return STATUS_USAGE;
  }
  const facts = hostFacts(options);
  const { runs, scale } = options;
  console.log(`${Object.values(facts).join("; ")}; medians of ${runs}, interleaved, scale ${scale}`);
  const runsPlanned = cases.map((c) => peers.filter((p) => !p.missing && takesPart(p, c)).length);
  const onRun = progress(runs * runsPlanned.reduce((a, b) => a + b, 0));
  const { series, skipped } = await runCases(cases, peers, { ...options, folder, onRun });
  const startUp = startUpWanted
    ? await measureStartUp(peers, options, folder)
    : new Map<string, StartUpSamples>();
  const snapshots = snapshotsWanted
    ? await measureSnapshots(options, folder)
    : new Map<string, SnapshotSamples>();
  if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
  for (const { name, reason } of [...skipped, ...missingWorkloads()])
    console.log(`skipped: ${name}: ${reason}`);
  const found = [...verdicts(series), ...startUpVerdicts(startUp), ...snapshotVerdicts(snapshots)];
  console.log(report(series, found));
  const samples = {
    runs,
    scale,
    series,
    skipped,
    verdicts: found,
    startUp: Object.fromEntries(startUp),
    snapshots: Object.fromEntries(snapshots),
  };
  writeJson(options.json, { ...facts, ...samples });
  return series.some((s) => s.wrong.length > 0) ? STATUS_WRONG : 0;
}

function optionsOrUsage(): Options | undefined {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n\n${USAGE}`);
    return undefined;
  }
}

async function main(): Promise<number> {
  const options = optionsOrUsage();
  if (options === undefined) return STATUS_USAGE;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-bench-"));
  const tidy = (): void => rmSync(folder, { recursive: true, force: true });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      killAll();
      tidy();
      process.exit(STATUS_INTERRUPTED);
    });
  }
  try {
    return await bench(options, folder);
  } finally {
    tidy();
  }
}

process.exitCode = await main();
