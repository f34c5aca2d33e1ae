/**
 * A snapshot's file as what a machine is made from again. The file may come from anybody: every number is checked before it is
 * followed, every section has to be as it was written, and the state has to be one that a machine can be in.
 */
import { bool, bytes, optional, record, text, type Shape } from "../bytes/shape.js";
import { planShape } from "../boot/plan-shape.js";
import { CodecError } from "../codecs/codec-error.js";
import { decompressGzip } from "../codecs/gzip.js";
import { PartRegistry } from "../devices/registry.js";
import { PartError } from "../devices/resources.js";
import { LINE_LIMIT, type ConsoleWatchState } from "../diagnose/console-watch.js";
import type { GuestMemory, PageSource } from "../engine/contract.js";
import { checkCpuState } from "../engine/x86/checked-state.js";
import { checkBoardState } from "../machine/board-state.js";
import { memoryRanges } from "../machine/fill.js";
import { Machine, waitingState, type RestoreOptions } from "../machine/machine.js";
import type { MachineState } from "../machine/state.js";
import type { Plan } from "../boot/plan.js";
import { aboutShape, type SnapshotAbout } from "./about.js";
import { disksShape, lengthOf, placesOf, type DiskToFill, type SavedDisk } from "./disks.js";
import { NO_STATE, SnapshotFile, type FileOptions, type SnapshotSource } from "./file.js";
import { BLOCK_PAGES, SECTION_TYPES, type SectionType } from "./format.js";
import { pageCount, type PageRun } from "./pages.js";
import { SnapshotError } from "./snapshot-error.js";
import { machineStateShape } from "./state-shape.js";

/** How a snapshot is opened; where nothing else unpacks gzip, we do. */
export interface OpenOptions extends FileOptions {
  /** The part types there are; absent: those built in. */
  types?: PartRegistry;
}

/** What is in a snapshot, checked, but for contents of RAM and of disks: plain data. */
export interface SnapshotFacts {
  readonly about: SnapshotAbout;
  readonly state: MachineState;
  /** What the console's watcher remembered. */
  readonly watch: ConsoleWatchState | undefined;
  /** The disks that it has; whoever restores it opens them. */
  readonly disks: readonly SavedDisk[];
  /** The pages of RAM that it has contents of, and whether these are packed. */
  readonly runs: readonly PageRun[];
  readonly packed: boolean;
}

/** A machine that can go on, once or several times. */
export interface Snapshot extends SnapshotFacts {
  /**
   * Puts back what of disks was only in memory, by their names. Throws SnapshotError for damage, and what the disks throw; they are
   * to be thrown away then.
   */
  fillDisks(disks: ReadonlyMap<string, DiskToFill>): void;
  /** Puts RAM back. Throws SnapshotError for damaged pages; the memory is to be thrown away then. */
  fill(memory: GuestMemory): void;
  /**
   * The same, but RAM is read when it is needed, as far as the file and the engine allow that. The source has to stay open, and as
   * it is; a damaged page is an error of the run that needs it.
   */
  fillLater(memory: GuestMemory): void;
}

/** So many are read in no time; then what is damaged is told before anything runs. */
const FEW_PAGES = 1024;

/** Throws SnapshotError for whatever is wrong but pages that are damaged: `fill` says so. */
export function openSnapshot(source: SnapshotSource, options: OpenOptions = {}): Snapshot {
  const file = new SnapshotFile(source, { gunzip: unpack, ...options });
  const facts = factsOf(file, options.types ?? new PartRegistry());
  return snapshotOf(
    facts,
    () => file,
    () => file.pageReader(facts.runs),
  );
}

/**
 * The same of a file that was opened before and that nobody can have changed: `facts` are what was in it. What else is in it is looked at
 * when it is needed.
 */
export function knownSnapshot(
  source: SnapshotSource,
  facts: SnapshotFacts,
  options: FileOptions = {},
): Snapshot {
  let file: SnapshotFile | undefined;
  let read: PageSource["read"] | undefined;
  const opened = (): SnapshotFile => (file ??= new SnapshotFile(source, { gunzip: unpack, ...options }));
  return snapshotOf(facts, opened, () => (block, into) => {
    read ??= opened().pageReader(facts.runs);
    read(block, into);
  });
}

function factsOf(file: SnapshotFile, types: PartRegistry): SnapshotFacts {
  const about = file.value(SECTION_TYPES.about, aboutShape);
  const plan = naming(file, SECTION_TYPES.plan, () => file.value(SECTION_TYPES.plan, planShape(types)));
  naming(file, SECTION_TYPES.plan, () => checkEntries(plan));
  const { watch, ...machine } = file.value(SECTION_TYPES.machine, savedShape(plan));
  const { parts } = machine;
  const checked = naming(file, SECTION_TYPES.machine, () => ({
    ...machine,
    parts: checkBoardState(plan, types, parts),
  }));
  const { disks } = file.value(SECTION_TYPES.disks, disksShape);
  const data = disks.reduce((sum, { written }) => sum + lengthOf(written), 0);
  if (data !== file.lengthOf(SECTION_TYPES.data))
    throw file.fault(
      SECTION_TYPES.data,
      `${file.lengthOf(SECTION_TYPES.data)} bytes`,
      `${data}, as section DISK says`,
    );
  const runs = file.runs(memoryRanges(plan));
  return { about, state: { plan, ...checked }, watch, disks, runs, packed: file.packsPages };
}

function snapshotOf(
  facts: SnapshotFacts,
  file: () => SnapshotFile,
  pageReader: () => PageSource["read"],
): Snapshot {
  const { disks, runs, packed } = facts;
  return {
    ...facts,
    fillDisks: (into) => fillDisks(file(), disks, into),
    fill: (memory) => file().fill(memory, runs),
    fillLater(memory) {
      if (memory.fetchLater === undefined || packed || pageCount(runs) <= FEW_PAGES)
        file().fill(memory, runs);
      else memory.fetchLater({ runs, blockPages: BLOCK_PAGES, read: pageReader() });
    },
  };
}

/** Bytes of a disk that are read at once. */
const PIECE = 1 << 20;

function fillDisks(
  file: SnapshotFile,
  disks: readonly SavedDisk[],
  into: ReadonlyMap<string, DiskToFill>,
): void {
  const data = file.stream(SECTION_TYPES.data);
  const buffer = new Uint8Array(PIECE);
  for (const { name, written, zeros } of disks) {
    const disk = into.get(name);
    for (const { offset, length } of placesOf(zeros)) disk?.writeZeroes(offset, length, true);
    for (const { offset, length } of placesOf(written)) {
      for (let at = 0; at < length; at += PIECE) {
        const piece = buffer.subarray(0, Math.min(PIECE, length - at));
        data.take(piece);
        disk?.write(offset + at, piece);
      }
    }
  }
  data.end();
}

/** The states that a reset enters CPUs in. */
function checkEntries(plan: Plan): void {
  checkCpuState(plan.bootCpu, plan.cpuid, "bootCpu");
  checkCpuState(waitingState(plan), plan.cpuid, "waitingMsrs");
  if (plan.handOver !== undefined) checkCpuState(plan.handOver.cpu, plan.cpuid, "handOver.cpu");
}

/** Says in which section something is not as it must be, also where a part says so. */
function naming<T>(file: SnapshotFile, type: SectionType, check: () => T): T {
  try {
    return file.whileReading(type, check);
  } catch (error) {
    if (!(error instanceof PartError)) throw error;
    const { part, found, expected, advice } = error;
    throw file.fault(type, `part "${part}": ${found}`, expected, advice);
  }
}

/**
 * The machine of a snapshot. Throws SnapshotError, what `Machine.restore` throws of the caller's own doing (an engine that
 * cannot hold it), and PartError for a part of somebody's own that does not take its state.
 */
export function restoreSnapshot(
  { state, fill, fillLater }: Snapshot,
  { later = false, ...options }: Omit<RestoreOptions, "state" | "fill"> & { later?: boolean },
): Machine {
  try {
    return Machine.restore({ ...options, state, fill: later ? fillLater : fill });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SnapshotError(undefined, error.message, "a state that a machine can be in", NO_STATE);
  }
}

const LONGEST_PANIC = LINE_LIMIT;

type Saved = Omit<MachineState, "plan"> & { watch?: ConsoleWatchState };

function savedShape(plan: Plan): Shape<Saved> {
  const watchShape = record<ConsoleWatchState>({
    line: bytes({ max: LINE_LIMIT }),
    panic: optional(text(LONGEST_PANIC)),
    panicOver: bool,
  });
  const machineShape = machineStateShape(plan);
  return {
    check(value, path) {
      const { watch, ...machine } = value as { watch?: unknown };
      const checked = machineShape.check(machine, path);
      return watch === undefined ? checked : { ...checked, watch: watchShape.check(watch, "watch") };
    },
  };
}

function unpack(packed: Uint8Array, most: number): Uint8Array {
  try {
    return decompressGzip(packed, { maxOutput: most }).bytes;
  } catch (error) {
    if (error instanceof CodecError) throw new Error(error.message);
    throw error;
  }
}
