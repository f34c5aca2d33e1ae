/**
 * Snapshots of a 256 MiB Debian at a shell: from the start of the process to the guest's next instruction, beside what Node takes
 * for itself; how long saving holds the guest up; what the file has besides pages that are not zero.
 */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { initramfsBytes } from "../src/guests/index.js";
import { guestFile } from "./boot-cases.js";
import { measure } from "./measure.js";
import type { Run } from "./measure.js";
import { emptyWorkerCommand, restoreCommand, saveCommand } from "./peers.js";
import type { Boot, NodeBinary } from "./peers.js";

export const SNAPSHOT = "snapshot";

const MEMORY_MIB = 256;
const PAGE = 0x1000;

/** Points on the way to the first instruction, as `--stats` names them, in their order. */
export const STEPS = ["thread started", "told what to run", "planned", "engine loaded", "first instruction"];

export interface SnapshotSamples {
  /** A Node with an empty worker, to the worker's first line, ms. */
  emptyMs: number[];
  /** Process start to each of `STEPS`, ms. */
  steps: Record<string, number[]>;
  /** The machine stands still while it is saved, ms. */
  savingMs: number[];
  /** Bytes of the file by those of its pages that are not zero. */
  sizeRatio: number[];
}

interface SnapshotOptions {
  runs: number;
  timeoutMs: number;
  nodes: readonly NodeBinary[];
}

async function prepare(folder: string): Promise<Boot | undefined> {
  const kernel = await guestFile("debian-cloud", "kernel");
  const busybox = await guestFile("busybox", "busybox");
  if (typeof kernel !== "string" || typeof busybox !== "string") return undefined;
  const initrd = path.join(folder, "shell.cpio");
  await writeFile(initrd, await initramfsBytes({ busybox }));
  return { kernel, initrd, append: "console=ttyS0 quiet", memoryMib: MEMORY_MIB };
}

/** Pages begin at a page of the file; what lies before them counts as at most a page or two of the thousands. */
function sizeByPages(file: string): number {
  const bytes = readFileSync(file);
  const zero = Buffer.alloc(PAGE);
  let pages = 0;
  for (let at = 0; at < bytes.length; at += PAGE) {
    if (!bytes.subarray(at, at + PAGE).equals(zero)) pages++;
  }
  return bytes.length / (pages * PAGE);
}

function milliseconds(run: Run, pattern: RegExp): number {
  const found = pattern.exec(run.stderr)?.[1];
  if (found === undefined) throw new Error(`locore does not say ${pattern.source}:\n${run.stderr}`);
  return Number(found.replaceAll(",", ""));
}

async function sample(
  node: NodeBinary,
  boot: Boot,
  file: string,
  timeoutMs: number,
): Promise<SnapshotSamples> {
  const watch = { marks: [], timeoutMs };
  const saved = await measure(saveCommand(node.path, boot, file), watch);
  const empty = await measure(emptyWorkerCommand(node.path), watch);
  const restored = await measure(restoreCommand(node.path, file), watch);
  const steps = STEPS.map((name) => [name, [milliseconds(restored, new RegExp(`${name}\\s+([\\d,]+) ms`))]]);
  return {
    emptyMs: [Number(empty.lines[0].text)],
    steps: Object.fromEntries(steps) as Record<string, number[]>,
    savingMs: [milliseconds(saved, /stood still for ([\d,]+) ms/)],
    sizeRatio: [sizeByPages(file)],
  };
}

function joined(a: SnapshotSamples | undefined, b: SnapshotSamples): SnapshotSamples {
  if (a === undefined) return b;
  return {
    emptyMs: [...a.emptyMs, ...b.emptyMs],
    steps: Object.fromEntries(STEPS.map((name) => [name, [...a.steps[name], ...b.steps[name]]])),
    savingMs: [...a.savingMs, ...b.savingMs],
    sizeRatio: [...a.sizeRatio, ...b.sizeRatio],
  };
}

/** By version of Node; empty where there is no kernel. */
export async function measureSnapshots(
  { runs, timeoutMs, nodes }: SnapshotOptions,
  folder: string,
): Promise<Map<string, SnapshotSamples>> {
  const found = new Map<string, SnapshotSamples>();
  const boot = await prepare(folder);
  if (boot === undefined) return found;
  const file = path.join(folder, "shell.snap");
  for (let round = 0; round < runs; round++) {
    for (const node of nodes)
      found.set(node.version, joined(found.get(node.version), await sample(node, boot, file, timeoutMs)));
  }
  return found;
}
