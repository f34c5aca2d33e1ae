/**
 * `npm run bench`: locore beside QEMU (TCG) on the same guests, interleaved, medians. Prints tables, and with
 * `--json FILE` writes every sample. `--rounds N` (default 3), `--only compute|boot`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { INIT_LINE, initramfsBytes, pullGuest } from "../src/guests/index.js";
import { COMPUTE_PROGRAMS } from "./compute/index.js";
import { computeElf } from "./compute/program.js";
import { qemuMissing, qemuVersion, runLocore, runQemu } from "./processes.js";
import type { BootRequest, Run } from "./processes.js";
import { figure, table } from "./statistics.js";
import type { Figure } from "./statistics.js";

const MIB = 1024 * 1024;
const COMPUTE_MEMORY_MIB = 64;
const BOOT_MEMORY_MIB = 256;
const COMMAND_LINE = "console=ttyS0 quiet panic=-1";
/** What issue 2 asks for. */
const TARGETS = { bootTimesQemu: 15, memoryBeyondGuestMib: 150, firstInstructionMs: 500 };

interface Report {
  date: string;
  host: string;
  qemu: string;
  compute: {
    name: string;
    instructions: number;
    locoreMs: Figure;
    locoreMips: Figure;
    qemuMs?: Figure;
    times?: number;
  }[];
  boot?: {
    kernel: string;
    locoreMs: Figure;
    qemuMs?: Figure;
    times?: number;
    firstInstructionMs: Figure;
    memoryBeyondGuestMib?: Figure;
  };
}

const seconds = (f: Figure | undefined): string => (f ? (f.median / 1000).toFixed(2) : "–");
const ratio = (a: Figure, b: Figure | undefined): number | undefined => (b ? a.median / b.median : undefined);
const times = (r: number | undefined): string => (r === undefined ? "–" : `${r.toFixed(1)} ×`);

/** A number that `--stats` prints behind `name`. */
function stat(run: Run, name: string): number {
  const found = new RegExp(`^\\s+${name}\\s+([\\d,.]+)`, "m").exec(run.stderr);
  if (!found) throw new Error(`no "${name}" in:\n${run.stderr}`);
  return Number(found[1].replaceAll(",", ""));
}

interface Pair {
  ours: Run[];
  theirs: Run[];
}

/** Runs both in turn, so that a change of the host's mood meets both. */
async function interleave(
  rounds: number,
  ours: () => Promise<Run>,
  theirs?: () => Promise<Run>,
): Promise<Pair> {
  const pair: Pair = { ours: [], theirs: [] };
  for (let i = 0; i < rounds; i++) {
    pair.ours.push(await ours());
    if (theirs) pair.theirs.push(await theirs());
  }
  return pair;
}

const wall = (runs: Run[]): Figure => figure(runs.map((r) => r.wallMs));

/** Debug-exit of 0 is status 1 for both. */
function mustSucceed(name: string, runs: Run[]): void {
  const bad = runs.find((r) => r.status !== 1);
  if (bad) throw new Error(`${name} ended with status ${bad.status}:\n${bad.stdout}\n${bad.stderr}`);
}

async function benchCompute(folder: string, rounds: number, withQemu: boolean): Promise<Report["compute"]> {
  const rows: Report["compute"] = [];
  for (const program of COMPUTE_PROGRAMS) {
    const { name } = program;
    const elf = computeElf(program, program.size);
    const kernel = path.join(folder, `${name}.elf`);
    writeFileSync(kernel, elf);
    const request: BootRequest = { kernel, memoryMib: COMPUTE_MEMORY_MIB };
    const run = await interleave(
      rounds,
      () => runLocore(request),
      withQemu ? () => runQemu(request) : undefined,
    );
    mustSucceed(`${name} on locore`, run.ours);
    mustSucceed(`${name} on QEMU`, run.theirs);
    const row: Report["compute"][number] = {
      name,
      instructions: stat(run.ours[0], "instructions"),
      locoreMs: wall(run.ours),
      locoreMips: figure(run.ours.map((r) => stat(r, "speed"))),
    };
    if (withQemu) row.qemuMs = wall(run.theirs);
    const r = ratio(row.locoreMs, row.qemuMs);
    if (r !== undefined) row.times = r;
    rows.push(row);
  }
  return rows;
}

async function benchBoot(folder: string, rounds: number, withQemu: boolean): Promise<Report["boot"]> {
  const kernel = await pullGuest("debian-cloud");
  const busybox = await pullGuest("busybox");
  const initrd = path.join(folder, "initrd");
  writeFileSync(initrd, await initramfsBytes({ busybox: busybox.files.busybox, command: "true" }));
  const request: BootRequest = {
    kernel: kernel.files.kernel,
    initrd,
    append: COMMAND_LINE,
    memoryMib: BOOT_MEMORY_MIB,
  };
  const run = await interleave(
    rounds,
    () => runLocore(request, INIT_LINE),
    withQemu ? () => runQemu(request, INIT_LINE) : undefined,
  );
  // Killed runs print no figures: the start is measured on runs that end after one instruction.
  const starts = await interleave(rounds, () => runLocore(request, undefined, ["--instructions", "1"]));
  const beyond = run.ours.map((r) => r.beyondGuestBytes).filter((b) => b !== undefined);
  const boot: NonNullable<Report["boot"]> = {
    kernel: `${kernel.package} ${kernel.version}`,
    locoreMs: wall(run.ours),
    firstInstructionMs: figure(starts.ours.map((r) => stat(r, "first instruction"))),
  };
  if (withQemu) boot.qemuMs = wall(run.theirs);
  const r = ratio(boot.locoreMs, boot.qemuMs);
  if (r !== undefined) boot.times = r;
  if (beyond.length > 0) boot.memoryBeyondGuestMib = figure(beyond.map((b) => b / MIB));
  return boot;
}

function printCompute(rows: Report["compute"]): void {
  console.log("\nCompute guests (wall time of the whole process)");
  console.log(
    table([
      ["guest", "M insns", "locore s", "M insn/s", "QEMU s", "locore/QEMU"],
      ...rows.map((r) => [
        r.name,
        (r.instructions / 1e6).toFixed(0),
        seconds(r.locoreMs),
        r.locoreMips.median.toFixed(0),
        seconds(r.qemuMs),
        times(r.times),
      ]),
    ]),
  );
}

function printBoot(boot: NonNullable<Report["boot"]>): void {
  const verdict = (value: number | undefined, limit: number): string =>
    value === undefined ? "–" : value <= limit ? "met" : "missed";
  const memory = boot.memoryBeyondGuestMib?.median;
  console.log(`\n${boot.kernel}, ${BOOT_MEMORY_MIB} MiB, to init's first line`);
  console.log(
    table([
      ["figure", "value", "target", ""],
      ["locore, s", seconds(boot.locoreMs), "", ""],
      ["QEMU, s", seconds(boot.qemuMs), "", ""],
      [
        "locore/QEMU",
        times(boot.times),
        `≤ ${TARGETS.bootTimesQemu} ×`,
        verdict(boot.times, TARGETS.bootTimesQemu),
      ],
      [
        "host memory beyond guest RAM, MiB",
        memory === undefined ? "–" : memory.toFixed(0),
        `≤ ${TARGETS.memoryBeyondGuestMib}`,
        verdict(memory, TARGETS.memoryBeyondGuestMib),
      ],
      [
        "process start to first instruction, ms",
        boot.firstInstructionMs.median.toFixed(0),
        `≤ ${TARGETS.firstInstructionMs}`,
        verdict(boot.firstInstructionMs.median, TARGETS.firstInstructionMs),
      ],
    ]),
  );
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: "string" }, json: { type: "string" }, only: { type: "string" } },
  });
  const rounds = Number(values.rounds ?? 3);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${values.rounds}: a positive integer`);
  const missing = qemuMissing();
  if (missing !== undefined) console.log(`QEMU is skipped: ${missing}`);
  const withQemu = missing === undefined;
  const folder = mkdtempSync(path.join(tmpdir(), "locore-bench-"));
  const report: Report = {
    date: new Date().toISOString(),
    host: `${cpus()[0]?.model ?? "?"} × ${cpus().length}, Node ${process.version}`,
    qemu: withQemu ? qemuVersion() : "absent",
    compute: [],
  };
  console.log(`${report.host}; ${report.qemu}; ${rounds} rounds, interleaved, medians`);
  try {
    if (values.only !== "boot") printCompute((report.compute = await benchCompute(folder, rounds, withQemu)));
    if (values.only !== "compute") {
      const boot = await benchBoot(folder, rounds, withQemu);
      if (boot) printBoot((report.boot = boot));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, null, 2) + "\n");
}

await main();
