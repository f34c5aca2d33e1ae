/**
 * A snapshot's file as what a machine is made from again. The file may come from anybody: every number is checked before it is
 * followed, every section has to be as it was written, and the state has to be one that a machine can be in.
 */
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import { bool, bytes, optional, record, ShapeError, text, type Shape } from "../bytes/shape.js";
import { planShape } from "../boot/plan-shape.js";
import { CodecError } from "../codecs/codec-error.js";
import { crc32 } from "../codecs/crc32.js";
import { decompressGzip } from "../codecs/gzip.js";
import { PartRegistry } from "../devices/registry.js";
import { PartError } from "../devices/resources.js";
import { LINE_LIMIT, type ConsoleWatchState } from "../diagnose/console-watch.js";
import type { GuestMemory } from "../engine/contract.js";
import { checkCpuState } from "../engine/x86/checked-state.js";
import { checkBoardState } from "../machine/board-state.js";
import { memoryRanges } from "../machine/fill.js";
import { Machine, waitingState, type RestoreOptions } from "../machine/machine.js";
import type { MachineState } from "../machine/state.js";
import type { Plan } from "../boot/plan.js";
import { aboutShape, type SnapshotAbout } from "./about.js";
import {
  HEADER,
  MAGIC,
  PACKING,
  PAGE,
  RUN_SIZE,
  SECTION,
  SECTION_TYPES,
  VERSION,
  type SectionType,
} from "./format.js";
import { pageCount, type Run } from "./pages.js";
import { SnapshotError } from "./snapshot-error.js";
import { machineStateShape } from "./state-shape.js";
import { decodeValue } from "./values.js";
import type { Checksum } from "./write.js";

/** Where a file's bytes come from. */
export interface SnapshotSource {
  /** Bytes. */
  readonly length: number;
  /** Fills `into` with the bytes from `offset` on; `[offset, +into.length)` is inside. */
  read(offset: number, into: Uint8Array): void;
}

export interface OpenOptions {
  /** The part types there are; absent: those built in. */
  types?: PartRegistry;
  /** A faster CRC-32 than ours. */
  checksum?: Checksum;
  /** A faster way to unpack gzip than ours; throws where the result is longer than `most` bytes, or the data is damaged. */
  gunzip?: (packed: Uint8Array, most: number) => Uint8Array;
}

/** A machine that can go on, once or several times. */
export interface Snapshot {
  readonly about: SnapshotAbout;
  readonly state: MachineState;
  /** What the console's watcher remembered. */
  readonly watch: ConsoleWatchState | undefined;
  /** Puts RAM back. Throws SnapshotError for damaged pages; the memory is to be thrown away then. */
  fill(memory: GuestMemory): void;
}

/** Whether a file begins like a snapshot; `start` are its first 8 bytes or more. */
export function isSnapshot(start: Uint8Array): boolean {
  return MAGIC.every((byte, i) => start[i] === byte);
}

/** A file that is in memory. */
export function bytesSource(file: Uint8Array): SnapshotSource {
  return {
    length: file.length,
    read: (offset, into) => into.set(file.subarray(offset, offset + into.length)),
  };
}

/** What a snapshot says of itself; the machine in it is not looked at. Throws SnapshotError. */
export function readAbout(source: SnapshotSource, options: OpenOptions = {}): SnapshotAbout {
  return new SnapshotFile(source, options).value(SECTION_TYPES.about, aboutShape);
}

/** Throws SnapshotError for whatever is wrong but pages that are damaged: `fill` says so. */
export function openSnapshot(source: SnapshotSource, options: OpenOptions = {}): Snapshot {
  const file = new SnapshotFile(source, options);
  const types = options.types ?? new PartRegistry();
  const about = file.value(SECTION_TYPES.about, aboutShape);
  const plan = file.value(SECTION_TYPES.plan, planShape(types));
  file.whileReading(SECTION_TYPES.plan, () => checkEntries(plan));
  const { watch, ...machine } = file.value(SECTION_TYPES.machine, savedShape(plan));
  const { parts } = machine;
  const checked = file.whileReading(SECTION_TYPES.machine, () => ({
    ...machine,
    parts: checkBoardState(plan, types, parts),
  }));
  const runs = file.runs(plan);
  return { about, state: { plan, ...checked }, watch, fill: (memory) => file.fill(memory, runs) };
}

/** The states that a reset enters CPUs in. */
function checkEntries(plan: Plan): void {
  checkCpuState(plan.bootCpu, plan.cpuid, "bootCpu");
  checkCpuState(waitingState(plan), plan.cpuid, "waitingMsrs");
  if (plan.handOver !== undefined) checkCpuState(plan.handOver.cpu, plan.cpuid, "handOver.cpu");
}

/**
 * The machine of a snapshot. Throws SnapshotError, what `Machine.restore` throws of the caller's own doing (an engine that
 * cannot hold it), and PartError for a part of somebody's own that does not take its state.
 */
export function restoreSnapshot(
  { state, fill }: Snapshot,
  options: Omit<RestoreOptions, "state" | "fill">,
): Machine {
  try {
    return Machine.restore({ ...options, state, fill });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SnapshotError(undefined, error.message, "a state that a machine can be in", NO_STATE);
  }
}

const NO_STATE = "The state is none that a machine was saved as.";
const DAMAGED = "The file is damaged: take another copy of it.";
const MOST_SECTIONS = 16;
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

interface Section {
  packing: number;
  offset: number;
  stored: number;
  length: number;
  crc: number;
}

/** The sections of one file. */
class SnapshotFile {
  readonly #source: SnapshotSource;
  readonly #checksum: Checksum;
  readonly #gunzip: NonNullable<OpenOptions["gunzip"]>;
  readonly #sections: ReadonlyMap<string, Section>;

  constructor(source: SnapshotSource, { checksum = crc32, gunzip = unpack }: OpenOptions) {
    this.#source = source;
    this.#checksum = checksum;
    this.#gunzip = gunzip;
    this.#sections = this.#table(this.#header());
  }

  /** A section's value. */
  value<T>(type: SectionType, shape: Shape<T>): T {
    const { offset } = this.#section(type);
    const plain = decodeValue(this.#contents(type), offset);
    return this.whileReading(type, () => shape.check(plain, ""));
  }

  /** Says where the section lies in which something is not as it must be. */
  whileReading<T>(type: SectionType, check: () => T): T {
    try {
      return check();
    } catch (error) {
      const { offset } = this.#section(type);
      if (error instanceof ShapeError) {
        const { path, found, expected } = error;
        throw new SnapshotError(offset, `${path}: ${found}`, expected, `${NO_STATE} (section ${type})`);
      }
      if (!(error instanceof PartError)) throw error;
      const { part, found, expected, advice } = error;
      throw new SnapshotError(offset, `part "${part}": ${found}`, expected, `${advice} (section ${type})`);
    }
  }

  /** Where in RAM the pages lie: ascending, each inside a range of it, and as many as there are contents for. */
  runs(plan: Plan): Run[] {
    const contents = this.#contents(SECTION_TYPES.runs);
    const { offset } = this.#section(SECTION_TYPES.runs);
    const view = new ByteView(contents);
    const ranges = memoryRanges(plan);
    const runs: Run[] = [];
    let end = 0;
    if (contents.length % RUN_SIZE !== 0)
      throw new SnapshotError(offset, `${contents.length} bytes`, `a multiple of ${RUN_SIZE}`, NO_STATE);
    for (let at = 0; at < contents.length; at += RUN_SIZE) {
      const run = { first: view.u32(at), count: view.u32(at + 4) };
      const [start, size] = [run.first * PAGE, run.count * PAGE];
      const inRam = ranges.some((range) => start >= range.start && start + size <= range.start + range.size);
      if (run.count === 0 || run.first < end || !inRam)
        throw new SnapshotError(
          offset + at,
          `pages ${hex(run.first)}+${run.count}`,
          "ascending pages of RAM",
          NO_STATE,
        );
      end = run.first + run.count;
      runs.push(run);
    }
    const pages = this.#section(SECTION_TYPES.pages);
    if (pages.length !== pageCount(runs) * PAGE)
      throw new SnapshotError(
        pages.offset,
        `${pages.length} bytes of pages`,
        `${pageCount(runs)} pages of ${PAGE} bytes`,
        NO_STATE,
      );
    return runs;
  }

  /** Writes the pages into memory, straight from the file where they are not packed. */
  fill(memory: GuestMemory, runs: readonly Run[]): void {
    const { offset, crc, packing } = this.#section(SECTION_TYPES.pages);
    const packed = packing === PACKING.gzip ? this.#unpacked() : undefined;
    let at = 0;
    let found = 0;
    for (const { first, count } of runs) {
      const into = memory.writable(first * PAGE, count * PAGE);
      if (into === undefined)
        throw new SnapshotError(undefined, `page ${hex(first)}`, "a page of this memory", NO_STATE);
      if (packed !== undefined) into.set(packed.subarray(at, at + into.length));
      else {
        this.#source.read(offset + at, into);
        found = this.#checksum(into, found);
      }
      at += into.length;
    }
    if (packed === undefined && found !== crc) throw this.#damaged(SECTION_TYPES.pages, found);
  }

  #unpacked(): Uint8Array {
    const { offset, length } = this.#section(SECTION_TYPES.pages);
    const packed = this.#contents(SECTION_TYPES.pages);
    const refuse = (found: string): SnapshotError =>
      new SnapshotError(offset, found, `${length} bytes packed as gzip`, DAMAGED);
    let pages: Uint8Array;
    try {
      pages = this.#gunzip(packed, length);
    } catch (error) {
      throw refuse((error as Error).message);
    }
    if (pages.length !== length) throw refuse(`${pages.length} bytes`);
    return pages;
  }

  #section(type: SectionType): Section {
    const section = this.#sections.get(type);
    if (section !== undefined) return section;
    throw new SnapshotError(HEADER.size, `no section ${type}`, "one", NO_STATE);
  }

  /** A section's bytes as they are stored, checked. */
  #contents(type: SectionType): Uint8Array {
    const { offset, stored, crc } = this.#section(type);
    const contents = this.#read(offset, stored);
    const found = this.#checksum(contents, 0);
    if (found !== crc) throw this.#damaged(type, found);
    return contents;
  }

  #damaged(type: SectionType, found: number): SnapshotError {
    const { offset, crc } = this.#section(type);
    return new SnapshotError(offset, `CRC-32 ${hex(found, 8)} of section ${type}`, hex(crc, 8), DAMAGED);
  }

  #read(offset: number, length: number): Uint8Array {
    const into = new Uint8Array(length);
    this.#source.read(offset, into);
    return into;
  }

  /** The number of sections. */
  #header(): number {
    const { length } = this.#source;
    if (length < HEADER.size)
      throw new SnapshotError(length, "the end of the file", `a header of ${HEADER.size} bytes`, DAMAGED);
    const header = new ByteView(this.#read(0, HEADER.size));
    if (!isSnapshot(header.bytes))
      throw new SnapshotError(0, "another magic number", "that of a snapshot", "This file is no snapshot.");
    const version = header.u32(HEADER.version);
    if (version > VERSION)
      throw new SnapshotError(
        HEADER.version,
        `version ${version}`,
        `${VERSION} at most`,
        "A newer locore wrote it: restore it with that one.",
      );
    const found = this.#checksum(header.bytes.subarray(0, HEADER.headerCrc), 0);
    const crc = header.u32(HEADER.headerCrc);
    if (found !== crc)
      throw new SnapshotError(
        HEADER.headerCrc,
        `CRC-32 ${hex(found, 8)} of the header`,
        hex(crc, 8),
        DAMAGED,
      );
    const sections = header.u32(HEADER.sections);
    if (version < VERSION || sections > MOST_SECTIONS)
      throw new SnapshotError(
        version < VERSION ? HEADER.version : HEADER.sections,
        `version ${version}, ${sections} sections`,
        `version ${VERSION}, at most ${MOST_SECTIONS}`,
        NO_STATE,
      );
    const claimed = wide(header, HEADER.length);
    if (claimed !== length)
      throw new SnapshotError(
        HEADER.length,
        `a file of ${length} bytes`,
        `${claimed}, as its header says`,
        length < claimed ? "It was cut off: take another copy of it." : DAMAGED,
      );
    return sections;
  }

  #table(sections: number): Map<string, Section> {
    const size = sections * SECTION.size;
    if (HEADER.size + size > this.#source.length)
      throw new SnapshotError(HEADER.sections, `${sections} sections`, "room for their table", DAMAGED);
    const rows = new ByteView(this.#read(HEADER.size, size));
    const crc = new ByteView(this.#read(0, HEADER.size)).u32(HEADER.tableCrc);
    const found = this.#checksum(rows.bytes, 0);
    if (found !== crc)
      throw new SnapshotError(HEADER.size, `CRC-32 ${hex(found, 8)} of the table`, hex(crc, 8), DAMAGED);
    const table = new Map<string, Section>();
    let end = HEADER.size + size;
    for (let at = 0; at < size; at += SECTION.size) {
      const type = String.fromCharCode(...rows.bytes.subarray(at, at + 4));
      const section = sectionAt(rows, at);
      checkSection({ type, section, at: HEADER.size + at, end }, table, this.#source.length);
      table.set(type, section);
      end = section.offset + section.stored;
    }
    return table;
  }
}

/** A 64-bit field; what is above 2^53 is rounded and stays above it. */
function wide(view: ByteView, at: number): number {
  return view.u32(at + 4) * 2 ** 32 + view.u32(at);
}

function sectionAt(rows: ByteView, at: number): Section {
  return {
    packing: rows.u32(at + SECTION.packing),
    offset: wide(rows, at + SECTION.offset),
    stored: wide(rows, at + SECTION.stored),
    length: wide(rows, at + SECTION.length),
    crc: rows.u32(at + SECTION.crc),
  };
}

/** A section of the table: of a type that is known, behind the one before, inside the file, packed only where that may be. */
function checkSection(
  { type, section, at, end }: { type: string; section: Section; at: number; end: number },
  before: ReadonlyMap<string, Section>,
  fileLength: number,
): void {
  const refuse = (field: number, found: string, expected: string): never => {
    throw new SnapshotError(at + field, found, expected, NO_STATE);
  };
  const types: readonly string[] = Object.values(SECTION_TYPES);
  if (!types.includes(type) || before.has(type))
    refuse(SECTION.type, `section ${JSON.stringify(type)}`, `each of ${types.join(", ")} once`);
  const { offset, stored, length, packing } = section;
  if (offset < end || offset + stored > fileLength)
    refuse(SECTION.offset, `${hex(offset)}+${stored}`, `a place from ${hex(end)} to ${hex(fileLength)}`);
  const mayPack = type === SECTION_TYPES.pages;
  if (packing !== PACKING.none && !(mayPack && packing === PACKING.gzip))
    refuse(SECTION.packing, `packing ${packing}`, mayPack ? "0 or 1" : "0");
  if (packing === PACKING.none && length !== stored)
    refuse(SECTION.length, `${length} bytes`, `${stored}, as it is not packed`);
}

function unpack(packed: Uint8Array, most: number): Uint8Array {
  try {
    return decompressGzip(packed, { maxOutput: most }).bytes;
  } catch (error) {
    if (error instanceof CodecError) throw new Error(error.message);
    throw error;
  }
}
