/** A machine as the bytes of a snapshot's file. Writes no file. */
import { alignUp } from "../bytes/align.js";
import { ByteWriter } from "../bytes/byte-writer.js";
import { crc32, type Checksum } from "../codecs/crc32.js";
import type { ConsoleWatchState } from "../diagnose/console-watch.js";
import type { Machine } from "../machine/machine.js";
import type { MachineState } from "../machine/state.js";
import { aboutMachine } from "./about.js";
import {
  HEADER,
  MAGIC,
  PACKING,
  PAGE,
  RUN_SIZE,
  SECTION,
  SECTION_TYPES,
  SUM_SIZE,
  VERSION,
  type SectionType,
} from "./format.js";
import { blockCount, BlockSums, pageCount, pagesInUse, type PageRun } from "./pages.js";
import { diskSections, type DiskToSave } from "./disks.js";
import { encodeValue } from "./values.js";

export interface SnapshotOptions {
  /** Version of the program. */
  locore: string;
  /** Ms since 1970 UTC. */
  savedAt: number;
  /** What the console's watcher remembers, where there is one. */
  watch?: ConsoleWatchState;
  /** The disks that the machine was given; asked for once it can be saved. */
  disks?: () => readonly DiskToSave[];
  /** A faster CRC-32 than ours. */
  checksum?: Checksum;
  /** Packs what is handed to it one behind the other, as gzip. Absent: pages are stored as they are. */
  gzip?: (pieces: readonly Uint8Array[]) => Uint8Array;
}

interface Section {
  type: SectionType;
  packing: number;
  /** Bytes when unpacked. */
  length: number;
  pieces: readonly Uint8Array[];
}

/** A machine that was saved while it goes on: nothing in it is the guest's any more. Plain data; another thread may write it. */
export interface MachineCopy {
  /** All but checksums and pages. */
  sections: Section[];
  /** The pages of RAM, one behind the other. */
  pages: Uint8Array<ArrayBuffer>;
}

/**
 * The pieces of the file, one behind the other. Those of RAM and of disks are the guest's own bytes: they are to be written, or copied, before
 * the machine goes on. Throws SaveError where the machine cannot be saved now.
 */
export function snapshotPieces(machine: Machine, options: SnapshotOptions): Uint8Array[] {
  const { checksum = crc32, gzip } = options;
  const state = machine.save();
  const runs = pagesInUse(machine.memory);
  const ram = runs.map(({ first, count }) => machine.memory.view(first * PAGE, count * PAGE)!);
  const sections = [
    ...stateSections(machine, state, runs, options),
    stored(SECTION_TYPES.sums, [sumBytes(ram, checksum)]),
    gzip === undefined
      ? stored(SECTION_TYPES.pages, ram)
      : {
          ...stored(SECTION_TYPES.pages, [gzip(ram)]),
          packing: PACKING.gzip,
          length: pageCount(runs) * PAGE,
        },
  ];
  return layOut(sections, checksum);
}

/** How a machine is copied. */
export interface CopyOptions extends Omit<SnapshotOptions, "disks"> {
  /** Bytes of pages that a copy may have. */
  most: number;
  /** Called once the machine can be saved, before its memory is looked at. */
  begun?: () => void;
}

/**
 * A machine without disks as it is now, for who hands it again the folders that it shares; undefined where it has more pages than a copy
 * may. Throws SaveError where it cannot be saved now, PartError where never.
 */
export function copyMachine(machine: Machine, options: CopyOptions): MachineCopy | undefined {
  const state = machine.save(true);
  options.begun?.();
  const runs = pagesInUse(machine.memory, options.most / PAGE);
  if (pageCount(runs) * PAGE > options.most) return undefined;
  const pages = new Uint8Array(pageCount(runs) * PAGE);
  let at = 0;
  for (const { first, count } of runs) {
    pages.set(machine.memory.view(first * PAGE, count * PAGE)!, at);
    at += count * PAGE;
  }
  return { sections: stateSections(machine, state, runs, options), pages };
}

/**
 * What of a copy's file comes before its pages, and the pages. `sums`: the checksum of each of their blocks (`BlockSums`), 32 bits
 * each, little-endian.
 */
export function copyPieces(
  { sections, pages }: MachineCopy,
  sums: Uint8Array,
  checksum: Checksum,
): Uint8Array[] {
  return layOut(
    [...sections, stored(SECTION_TYPES.sums, [sums]), stored(SECTION_TYPES.pages, [pages])],
    checksum,
  );
}

/** All sections that come before the checksums. */
function stateSections(
  machine: Machine,
  { plan, ...state }: MachineState,
  runs: readonly PageRun[],
  options: SnapshotOptions,
): Section[] {
  const disk = diskSections(options.disks?.() ?? []);
  return [
    value(SECTION_TYPES.about, aboutMachine(machine, { ...options, disks: disk.value.disks })),
    value(SECTION_TYPES.plan, plan),
    value(SECTION_TYPES.machine, { ...state, watch: options.watch }),
    value(SECTION_TYPES.disks, disk.value),
    stored(SECTION_TYPES.data, disk.data),
    stored(SECTION_TYPES.runs, [runBytes(runs)]),
  ];
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

function stored(type: SectionType, pieces: readonly Uint8Array[]): Section {
  return { type, packing: PACKING.none, length: sizeOf(pieces), pieces };
}

function value(type: SectionType, plain: unknown): Section {
  return stored(type, [encodeValue(plain)]);
}

function runBytes(runs: readonly PageRun[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(runs.length * RUN_SIZE));
  runs.forEach(({ first, count }, i) => {
    bytes.setUint32(i * RUN_SIZE, first, true);
    bytes.setUint32(i * RUN_SIZE + 4, count, true);
  });
  return new Uint8Array(bytes.buffer);
}

/** The checksum of each block of these pages. */
function sumBytes(pages: readonly Uint8Array[], checksum: Checksum): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(blockCount(sizeOf(pages) / PAGE) * SUM_SIZE));
  const sums = new BlockSums(checksum, (block, sum) => bytes.setUint32(block * SUM_SIZE, sum, true));
  pages.forEach((piece) => sums.take(piece));
  sums.end();
  return new Uint8Array(bytes.buffer);
}

/** Header, table, and every section where the table says. */
function layOut(sections: readonly Section[], checksum: Checksum): Uint8Array[] {
  const table = new ByteWriter();
  const pieces: Uint8Array[] = [];
  let at = HEADER.size + sections.length * SECTION.size;
  for (const section of sections) {
    const size = sizeOf(section.pieces);
    // Pages begin at a page of the file, so that it can be mapped.
    const start = section.type === SECTION_TYPES.pages ? alignUp(at, PAGE) : at;
    if (start > at) pieces.push(new Uint8Array(start - at));
    pieces.push(...section.pieces);
    at = start + size;
    const summed = section.type === SECTION_TYPES.pages ? [] : section.pieces;
    const crc = summed.reduce((previous, piece) => checksum(piece, previous), 0);
    table.text(section.type).u32(section.packing).u64(start).u64(size).u64(section.length).u32(crc).u32(0);
  }
  const rows = table.finish();
  const header = new ByteWriter();
  header.bytes(MAGIC).u32(VERSION).u32(sections.length).u64(at).u32(checksum(rows, 0));
  header.u32(checksum(header.finish(), 0));
  return [header.finish(), rows, ...pieces];
}
