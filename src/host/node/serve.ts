/**
 * What the machine's thread does. It is started early, loads the engine while main reads the kernel, takes one message with
 * what to boot, plans it and then runs the machine synchronously to its end; from there on it hears of the world through
 * shared memory only. Its console, signals and files are main's business. Planning is done here because it may take
 * long (a kernel that has to be unpacked), and main has to hear signals meanwhile.
 */
import { errorData } from "../../bytes/error-data.js";
import type { MessagePort } from "node:worker_threads";
import type { Plan } from "../../boot/plan.js";
import { EngineLimit, PageSourceError } from "../../engine/contract.js";
import { BootError } from "../../boot/boot-error.js";
import type { PartRegistry } from "../../devices/registry.js";
import { PartError } from "../../devices/resources.js";
import { FormatError } from "../../formats/format-error.js";
import { PlanError } from "../../machine/fill.js";
import { MemoryMapError } from "../../memory/memory-error.js";
import { machineEnd } from "../../machine/end.js";
import { runInParts, type RestoredRun, type RunOptions, type RunReport } from "../run.js";
import { WorkerSide, type SharedMemory } from "../shared.js";
import { SnapshotError } from "../../snapshot/snapshot-error.js";
import { DiskError } from "./disk-error.js";
import type { DiskRequest } from "./disk-request.js";
import type { Disks } from "./disks.js";
import { hostNs } from "./host-time.js";
import type * as NativeModule from "./native-calls.js";
import type * as SharesModule from "./shares.js";
import type { Shares } from "./shares.js";
import type { ShareRequest } from "./share-request.js";
import { ShareError } from "./share/share-error.js";
import { GDB_CHANNEL } from "../gdb-frames.js";
import { netsOf } from "../net-channel.js";
import { PlugInError } from "./plug-in-error.js";
import { Explaining } from "./explaining.js";
import { randomWords } from "./random-words.js";
import { snapshotCommand, snapshotOptions, writeFile } from "./saving.js";
import type { TraceFile } from "./trace-file.js";
import { EngineUnavailable, type EngineOptions, type StartedEngine } from "./engines.js";
import {
  spent,
  type Foretold,
  type MachineSource,
  type PlannedSource,
  type SnapshotToRestore,
  type StartMessage,
  type StartSteps,
  type WorkerFailure,
  type WorkerMessage,
  type WorkerSetup,
} from "./messages.js";

/** Turns whatever was thrown into data that names its source. */
function failureOf(error: unknown): WorkerFailure {
  const thrown = error instanceof PageSourceError ? error.cause : error;
  const engineFault = thrown instanceof EngineUnavailable || thrown instanceof EngineLimit;
  const what = engineFault ? "engine" : isRefusal(thrown) ? "refused" : "internal";
  return { what, ...errorData(thrown) };
}

function isRefusal(thrown: unknown): boolean {
  return [
    BootError,
    DiskError,
    FormatError,
    MemoryMapError,
    PartError,
    PlanError,
    PlugInError,
    ShareError,
    SnapshotError,
  ].some((type) => thrown instanceof type);
}

/** A buffer where the JavaScript engine has ArrayBuffer.prototype.transfer (ES2024; Node 22 and later). */
type Transferable = ArrayBuffer & { transfer?: (length: number) => ArrayBuffer };

/**
 * Gives back what guest memory was filled from. Dropping the references alone would leave it to a collection that a
 * running machine, which allocates next to nothing, may never cause.
 */
function discard({ source, maxResets = 0 }: StartMessage, plan: Plan): void {
  const again = maxResets > 0;
  for (const buffer of spent(source, plan, again) as Transferable[]) buffer.transfer?.(0);
  if (!again) plan.regions = [];
}

/** A plan, and the part types that its machine is made of. */
export interface Planned {
  plan: Plan;
  types?: PartRegistry;
  /** A machine that goes on. */
  from?: RestoredRun;
}

/** What a thread brings along: how it plans, how it gets its engine, and how it makes a board. */
export interface WorkerParts {
  /** For the engine of this name, which may still be loading. */
  makePlan: (source: PlannedSource, engine: string) => Promise<Planned>;
  restore?: (source: SnapshotToRestore) => Promise<Planned>;
  startEngine: (name: string, options: EngineOptions) => Promise<StartedEngine>;
  board: RunOptions["board"];
  /**
   * Called when a machine has run for a while, or has ended: what its thread needed until then was loaded and called. `boots`: it was
   * planned.
   */
  keepCode?: (boots: boolean) => void;
  /** Called when a boot is foretold. */
  foreseeBoot?: () => void;
}

/** The two messages of main's: what the thread is told first, and what to run. */
function heard(
  port: MessagePort,
  foreseeBoot: WorkerParts["foreseeBoot"],
): Promise<{ setup: WorkerSetup; started: Promise<StartMessage> }> {
  return new Promise((resolve) => {
    let start: ((message: StartMessage) => void) | undefined;
    const started = new Promise<StartMessage>((hear) => (start = hear));
    let first = true;
    port.on("message", (message: Foretold | WorkerSetup | StartMessage) => {
      if (message === "boots") return foreseeBoot?.();
      if (first) resolve({ setup: message as WorkerSetup, started });
      else start?.(message as StartMessage);
      first = false;
    });
  });
}

/** The host's time without that in which the machine was held: the guest sees none of it. */
class HeldTime {
  #lost = 0;
  #since: number | undefined;

  /** ns. */
  now(): number {
    return (this.#since ?? hostNs()) - this.#lost;
  }

  hold(held: boolean): void {
    if (held) this.#since ??= hostNs();
    else if (this.#since !== undefined) {
      this.#lost += hostNs() - this.#since;
      this.#since = undefined;
    }
  }
}

/** What a run is made of: what was asked for, and the two ways to the other thread. */
interface RunParts extends Pick<RunOptions, "engine" | "board">, Planned {
  start: StartMessage;
  side: WorkerSide;
  tell: (message: WorkerMessage, moved?: ArrayBuffer[]) => void;
  disks: Disks | undefined;
  shares: Shares | undefined;
  steps: Omit<StartSteps, "first">;
}

function runOptions({
  start,
  plan,
  types,
  from,
  engine,
  side,
  tell,
  board,
  disks,
  shares,
  steps,
}: RunParts): RunOptions {
  const clock = new HeldTime();
  const options: RunOptions = {
    plan,
    engine,
    board,
    console: side,
    hostNow: () => clock.now(),
    random32: randomWords(),
    poll: () => {
      // The bell is heard first, so that nothing that rings it now is missed.
      const stopped = side.stopRequested;
      disks?.poll();
      return stopped ? machineEnd("interrupted", "host") : undefined;
    },
    consoleSize: () => side.takeSize(),
    wait: (milliseconds) => side.wait(milliseconds),
    held: () => side.holdRequested,
    onHeld: (held) => {
      clock.hold(held);
      tell({ kind: "held", held });
    },
    onStart: () => {
      discard(start, plan);
      tell({ kind: "started", steps: { ...steps, first: hostNs() } });
    },
    events: {
      unimplemented: (cpu, rip, bytes, text) => tell({ kind: "unimplemented", cpu, rip, bytes, text }),
    },
  };
  // Whether it comes before the end depends on the host's time: a run that repeats says it in the end only.
  if (plan.clock.deterministic === undefined)
    options.onUnseenText = (line) => tell({ kind: "unseen-text", line });
  if (start.generation !== undefined) options.generation = start.generation;
  if (disks !== undefined) options.disks = disks.backends;
  if (side.channels.size > 0) options.channels = side.channels;
  const nets = netsOf(side.channels);
  if (nets.size > 0) options.nets = nets;
  if (shares !== undefined) options.shares = shares.backends;
  if (types !== undefined) options.types = types;
  if (from !== undefined) options.from = from;
  if (start.tripleFault !== undefined) options.tripleFault = start.tripleFault;
  const snapshots = snapshotOptions(start, { side, tell, disks });
  if (snapshots !== undefined) options.snapshots = snapshots;
  if (start.watchScreen === true) options.onScreen = (screen) => tell({ kind: "screen", screen });
  if (start.maxInstructions !== undefined) options.maxInstructions = start.maxInstructions;
  if (start.maxResets !== undefined) options.maxResets = start.maxResets;
  options.onReset = (route) => tell({ kind: "reset", route });
  return options;
}

/** The file of a trace, where one is wanted. */
async function openTrace(
  { trace }: StartMessage,
  { devices }: Plan,
  tell: RunParts["tell"],
): Promise<TraceFile | undefined> {
  if (trace === undefined) return undefined;
  const { TraceFile } = await import("./trace-file.js");
  return new TraceFile(trace, devices, (line) => tell({ kind: "told", line }));
}

function plannedFrom(
  source: MachineSource,
  engine: string,
  { makePlan, restore }: WorkerParts,
): Planned | Promise<Planned> {
  if ("plan" in source) return source;
  if ("boot" in source) return makePlan(source, engine);
  if (restore === undefined) throw new Error("this thread restores no machine");
  return restore(source);
}

/** The disks that a machine was given, open. In a run that repeats exactly nothing comes from beside. */
async function openDisks(
  source: MachineSource,
  { plan, from }: Planned,
  shared: SharedMemory,
): Promise<Disks | undefined> {
  const { disks = [] } = source as { disks?: readonly DiskRequest[] };
  const saved = from?.snapshot;
  if (disks.length === 0 && (saved === undefined || saved.disks.length === 0)) return undefined;
  const [{ Disks }, { nativeCalls }] = await Promise.all([import("./disks.js"), import("./native-calls.js")]);
  const repeats = plan.clock.deterministic !== undefined;
  const opened = new Disks(disks, { native: nativeCalls(), shared: repeats ? undefined : shared });
  if (saved === undefined) return opened;
  try {
    opened.goOn(saved);
    return opened;
  } catch (error) {
    opened.abandon();
    throw error;
  }
}

/** Looks between slices, of about 1 ms each, until what a machine needs was called once. */
const SETTLED = 256;

/** What opens folders that are shared. */
export function loadShares(): Promise<[typeof SharesModule, typeof NativeModule]> {
  return Promise.all([import("./shares.js"), import("./native-calls.js")]);
}

/** The folders that a machine shares, open. */
async function openShares(source: MachineSource): Promise<Shares | undefined> {
  const { shares = [] } = source as { shares?: readonly ShareRequest[] };
  if (shares.length === 0) return undefined;
  const [{ Shares }, { nativeCalls }] = await loadShares();
  return Shares.open(shares, { native: nativeCalls() });
}

/** What may have to be loaded for a machine while it runs. */
interface Later {
  engine: StartedEngine;
  /** What a debugger is made by; it is loaded once one may come. */
  gdb: { wanted: () => boolean; load: () => Promise<NonNullable<RunOptions["debugger"]>> };
  keepCode: () => void;
  /** What looks at machines. */
  explaining: Explaining | undefined;
}

/** Runs the machine, and makes its engine whole when that wants to be. */
async function completing(
  options: RunOptions,
  { engine, gdb, keepCode, explaining }: Later,
): Promise<RunReport> {
  let looks = 0;
  const pause = (): boolean => {
    if (++looks === SETTLED) keepCode();
    return engine.wantsMore() || (whole.debugger === undefined && gdb.wanted());
  };
  const whole: RunOptions = { ...options, pause };
  const run = runInParts(whole);
  for (;;) {
    const part = run.next();
    if (part.done === true) {
      keepCode();
      return part.value;
    }
    try {
      await explaining?.load();
      if (engine.wantsMore()) await engine.complete();
      else if (gdb.wanted()) whole.debugger ??= await gdb.load();
    } catch (error) {
      // The run frees its machine, and throws it on.
      run.throw(error);
    }
  }
}

/** How a debugger of this machine is made. Throws EngineUnavailable where the engine cannot be debugged. */
async function gdbMaker(
  { start, engine, side, disks }: Pick<RunParts, "start" | "engine" | "side" | "disks">,
  name: string,
): Promise<NonNullable<RunOptions["debugger"]>> {
  const channel = side.channels.get(GDB_CHANNEL);
  if (!engine.capabilities.debugging || channel === undefined)
    throw new EngineUnavailable(name, "it cannot be debugged");
  const { GdbDebugger } = await import("../gdb-debugger.js");
  return (machine, watch) => {
    const snapshot = start.saving && snapshotCommand(start.saving, machine, watch, disks);
    const options = start.gdb ?? { wait: false };
    return new GdbDebugger(machine.debugging()!, channel, {
      ...options,
      ...(snapshot && { snapshot }),
      writeFile,
    });
  };
}

/** Disks are written out and closed whatever happened, and shares are closed. */
async function withFiles(
  { disks, shares }: { disks: Disks | undefined; shares: Shares | undefined },
  run: Promise<RunReport>,
): Promise<RunReport> {
  let report: RunReport;
  try {
    report = await run;
  } catch (error) {
    disks?.abandon();
    throw error;
  } finally {
    shares?.close();
  }
  const failure = disks?.close();
  return failure === undefined ? report : { ...report, end: machineEnd("io-error", "disk", failure.message) };
}

/** What of a plan was read from a disk, in a line each. */
function toldOf({ added }: Plan): string[] {
  return added.filter(({ told }) => told === true).map(({ what, why }) => `${what}: ${why}`);
}

/** What has the kernel's symbols: a file that was named, or the kernel itself where it is an ELF file. */
function symbolFile({ symbols }: StartMessage, { image }: Plan): string | undefined {
  return symbols ?? (image.format === "elf" ? image.name : undefined);
}

/** Serves one machine on `port`: loads the engine, meanwhile waits for what to boot and plans it, runs it, reports, closes the port. */
export async function serveMachine(port: MessagePort, parts: WorkerParts): Promise<void> {
  const tell = (message: WorkerMessage, moved: ArrayBuffer[] = []): void => port.postMessage(message, moved);
  const thread = hostNs();
  const { setup, started } = await heard(port, parts.foreseeBoot);
  const side = new WorkerSide(setup.shared, () => tell({ kind: "wake" }));
  try {
    const loading = parts.startEngine(setup.engine, setup.options);
    // Whatever is wrong with it is said once it is needed.
    loading.catch(() => undefined);
    const start = await started;
    const told = hostNs();
    const made = await plannedFrom(start.source, setup.engine, parts);
    tell({ kind: "planned", warnings: made.plan.warnings, told: toldOf(made.plan) });
    const planned = hostNs();
    const beginning = await loading;
    // A machine that goes on begins without in any mode: what it has run was compiled.
    if (made.from === undefined && !beginning.canWait) await beginning.complete();
    const { engine } = beginning;
    const steps = { thread, told, planned, engine: hostNs() };
    const { board } = parts;
    const shares = await openShares(start.source);
    const disks = await openDisks(start.source, made, setup.shared);
    const options = runOptions({ start, ...made, engine, side, tell, board, disks, shares, steps });
    const traced = await openTrace(start, made.plan, tell);
    if (traced !== undefined) options.trace = traced.trace;
    const load = (): ReturnType<typeof gdbMaker> => gdbMaker({ start, engine, side, disks }, setup.engine);
    if (start.gdb !== undefined) options.debugger = await load();
    const gdb = { wanted: () => side.debuggerRequested, load };
    const explaining =
      start.explain === true ? new Explaining(side, tell, symbolFile(start, made.plan)) : undefined;
    if (explaining !== undefined) options.explain = explaining.options;
    const keepCode = (): void => parts.keepCode?.(made.from === undefined);
    const running = completing(options, { engine: beginning, gdb, keepCode, explaining });
    const report = await withFiles({ disks, shares }, running).finally(() => traced?.close());
    tell({ kind: "ended", report });
  } catch (error) {
    tell({ kind: "failed", failure: failureOf(error) });
  } finally {
    port.close();
  }
}
