/** What main and worker tell each other by message; everything frequent goes through shared memory instead. */
import { type ErrorData } from "../../bytes/error-data.js";
import type { TraceRequest } from "./trace-file.js";
import type { BootOptions } from "../../boot/options.js";
import type { Plan } from "../../boot/plan.js";
import type { Diagnosis } from "../../diagnose/diagnosis.js";
import type { Screen } from "../../machine/screen.js";
import type { GdbOptions } from "../gdb-debugger.js";
import type { RunReport } from "../run.js";
import type { SharedMemory } from "../shared.js";
import type { MachineCopy } from "../../snapshot/write.js";
import type { EngineOptions } from "./engines.js";
import type { DiskRequest } from "./disk-request.js";
import type { ShareRequest } from "./share-request.js";
import type { PlugInFiles } from "./plug-ins.js";
import type { CopyingRequest, SavingRequest } from "./saving.js";

/** main → worker, before all else: what was expected of it is not what it will be asked for, it will be a kernel that boots. */
export type Foretold = "boots";

/** main → worker, first, before a plan exists. */
export interface WorkerSetup {
  engine: string;
  options: EngineOptions;
  shared: SharedMemory;
}

/** Below this a buffer is copied to the worker: Node keeps small ones in a shared pool that cannot be moved. */
const SMALLEST_TRANSFER = 65536;

function largeBuffers(contents: readonly Uint8Array[]): Set<ArrayBuffer> {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer } of contents) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= SMALLEST_TRANSFER) buffers.add(buffer);
  }
  return buffers;
}

function regionContents(plan: Plan): Uint8Array[] {
  return plan.regions.flatMap(({ content }) => (content.kind === "bytes" ? [content.bytes] : []));
}

/** What a device reads while the guest runs. */
function lastingContents({ fwCfg = [] }: Plan): Uint8Array[] {
  return fwCfg.map(({ bytes }) => bytes);
}

/** The files that a machine is to be planned from. */
function fileContents({ kernel, initrd, modules = [], bios, vgaRom }: BootOptions): Uint8Array[] {
  return [kernel, initrd, ...modules, bios, vgaRom].flatMap((file) =>
    file === undefined ? [] : [file.bytes],
  );
}

/** What a machine is planned from; the files to plug in are loaded where it is planned. */
export interface PlannedSource {
  boot: BootOptions;
  plugIns?: PlugInFiles;
  /** In the order of their names; the boot options' `disks` are made of them. */
  disks?: readonly DiskRequest[];
  /** Likewise. */
  shares?: readonly ShareRequest[];
}

/** What a snapshot is restored from. */
export interface SnapshotToRestore {
  /** Path of the file; it is read in the machine's thread. */
  snapshot: string;
  /**
   * Whether the guest sees the time pass that has passed since: "jump", or its clock goes on where it was: "hold"; "set": the same, but its
   * real-time clock shows the host's time.
   */
  clock: "jump" | "hold" | "set";
  /** Its file stays as it is for as long as it is open: what the guest never needs of it is never read. */
  lasts?: boolean;
  /** File of what a machine came to that went on from there before; it is made where there is none. See known-start.ts. */
  knownStart?: string;
  plugIns?: PlugInFiles;
  disks?: readonly DiskRequest[];
  /** The folders that it shares. */
  shares?: readonly ShareRequest[];
}

/** What a machine is made of: what it is planned from, a plan that there is already, or a machine that was saved. */
export type MachineSource = PlannedSource | { plan: Plan } | SnapshotToRestore;

function contents(source: MachineSource): Uint8Array[] {
  if ("boot" in source) return fileContents(source.boot);
  if ("snapshot" in source) return [];
  return [...regionContents(source.plan), ...lastingContents(source.plan)];
}

/** Buffers worth moving instead of copying; every view of them in `source` goes along. */
export function transferable(source: MachineSource): ArrayBuffer[] {
  return [...largeBuffers(contents(source))];
}

/**
 * Buffers that nobody needs once guest memory is filled by the plan that was made of `source`. `again`: a reset may fill it
 * again.
 */
export function spent(source: MachineSource, plan: Plan, again: boolean): ArrayBuffer[] {
  const lasting = largeBuffers([...lastingContents(plan), ...(again ? regionContents(plan) : [])]);
  const buffers = largeBuffers([...contents(source), ...regionContents(plan)]);
  return [...buffers].filter((buffer) => !lasting.has(buffer));
}

/** main → worker, once, behind the setup. */
export interface StartMessage {
  source: MachineSource;
  /** `MachineOptions.generation`: main has time to load what makes random numbers, before the machine's thread needs it. */
  generation?: Uint8Array;
  /** Absent: "crash", or as the machine had it that was saved. */
  tripleFault?: "crash" | "reset";
  /** Absent: it is never saved. */
  saving?: SavingRequest;
  /** Main gets a copy of it when it asks for one. With `saving`: when it names no file. */
  copying?: CopyingRequest;
  maxInstructions?: number;
  /** Whether ends that are no success are explained, and requests for a diagnosis answered. */
  explain?: boolean;
  /** What the machine does goes to a file. */
  trace?: TraceRequest;
  /** A file with the kernel's symbols, for that. */
  symbols?: string;
  /** How often a reset restarts the machine; may be Infinity. */
  maxResets?: number;
  /** A gdb may come from the start. */
  gdb?: GdbOptions;
  /** Whether main wants to hear of changes of the screen. */
  watchScreen?: boolean;
}

/** An error of the worker as data. */
export interface WorkerFailure extends ErrorData {
  /** Whose fault it is: an engine that cannot run this machine, what was to be booted, or ours. */
  what: "engine" | "refused" | "internal";
}

/** When the machine's thread had come how far, in the host's time (host-time.ts), ns. */
export interface StartSteps {
  /** The thread ran, and what it begins with was loaded. */
  thread: number;
  /** It was told what to run. */
  told: number;
  /** There was a plan; of a machine that goes on, its state was checked and its RAM read. */
  planned: number;
  /** The engine was there. */
  engine: number;
  /** The machine was made and its first instruction ran. */
  first: number;
}

/** worker → main. */
export type WorkerMessage =
  /** There is a plan; these are its warnings, and what a person is to be told of it. */
  | { kind: "planned"; warnings: string[]; told: string[] }
  /** Look at the rings. */
  | { kind: "wake" }
  /** The first instruction runs now. */
  | { kind: "started"; steps: StartSteps }
  /** An instruction the engine lacks raised #UD. */
  | { kind: "unimplemented"; cpu: number; rip: bigint; bytes: Uint8Array; text: string }
  /** The guest asked for a reset in this way, and the machine starts again. */
  | { kind: "reset"; route: string }
  /** The machine was saved to a file of so many bytes; it stood still for so long. */
  | { kind: "saved"; file: string; bytes: number; ms: number }
  /** The machine stands still, or goes on, because main asked. */
  | { kind: "held"; held: boolean }
  /** It was not saved: the file could not be written. */
  | { kind: "not-saved"; file: string; reason: string }
  /** It can be saved, and its memory is copied now. */
  | { kind: "copying" }
  /** The machine as it was when main asked; it stood still for so long. */
  | { kind: "copied"; copy: MachineCopy; ms: number }
  /** It cannot be copied. */
  | { kind: "not-copied"; reason: string }
  /** Where the machine is, because main asked. */
  | { kind: "diagnosis"; diagnosis: Diagnosis }
  /** The screen has changed. */
  | { kind: "screen"; screen: Screen }
  /** The guest writes this to a screen that it does not have. */
  | { kind: "unseen-text"; line: string }
  /** Something for people. */
  | { kind: "told"; line: string }
  | { kind: "ended"; report: RunReport }
  /** The machine could not be made, or something broke. */
  | { kind: "failed"; failure: WorkerFailure };
