/**
 * A snapshot's file as sections, each as it was written. The file may come from anybody: every number is checked before it is
 * followed. Loads nothing of a machine, so that what a file says of itself is told at once.
 */
import { ByteView } from "../bytes/byte-view.js";
import { hex, hexBytes, printable } from "../bytes/hex.js";
import { ShapeError, type Shape } from "../bytes/shape.js";
import { crc32, type Checksum } from "../codecs/crc32.js";
import type { GuestMemory, PageSource } from "../engine/contract.js";
import { aboutShape, type SnapshotAbout } from "./about.js";
import {
  BLOCK_PAGES,
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
import { blockCount, BlockSums, pageCount, type PageRun } from "./pages.js";
import { SnapshotError } from "./snapshot-error.js";
import { decodeValue } from "./values.js";

/** Where a file's bytes come from. */
export interface SnapshotSource {
  /** Bytes. */
  readonly length: number;
  /** Fills `into` with the bytes from `offset` on; `[offset, +into.length)` is inside. */
  read(offset: number, into: Uint8Array): void;
}

/** How a file is read. */
export interface FileOptions {
  /** A faster CRC-32 than ours. */
  checksum?: Checksum;
  /** Unpacks gzip; throws where the result is longer than `most` bytes, or the data is damaged. Only pages may be packed. */
  gunzip?: (packed: Uint8Array, most: number) => Uint8Array;
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
export function readAbout(source: SnapshotSource, options: FileOptions = {}): SnapshotAbout {
  return new SnapshotFile(source, options).value(SECTION_TYPES.about, aboutShape);
}

export const NO_STATE = "The state is none that a machine was saved as.";
const DAMAGED = "The file is damaged: take another copy of it.";
const MOST_SECTIONS = 16;

/** What a file begins with that is something else. */
function noSnapshot(start: Uint8Array): SnapshotError {
  const shown = start.subarray(0, MAGIC.length);
  const found = shown.length === 0 ? "an empty file" : `${hexBytes(shown)} "${printable(shown)}"`;
  const meaning = "This file is no snapshot: locore inspect says what it is.";
  return new SnapshotError(
    0,
    found,
    `${hexBytes(Uint8Array.from(MAGIC))}, with which a snapshot begins`,
    meaning,
  );
}

interface Section {
  packing: number;
  offset: number;
  stored: number;
  length: number;
  crc: number;
}

/** The sections of one file. */
export class SnapshotFile {
  readonly #source: SnapshotSource;
  readonly #checksum: Checksum;
  readonly #gunzip: NonNullable<FileOptions["gunzip"]>;
  readonly #sections: ReadonlyMap<string, Section>;

  /** Throws SnapshotError for what is no snapshot, and for one that is damaged before its sections. */
  constructor(source: SnapshotSource, { checksum = crc32, gunzip = cannotUnpack }: FileOptions = {}) {
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
      if (!(error instanceof ShapeError)) throw error;
      const { path, found, expected } = error;
      throw this.fault(type, `${path}: ${found}`, expected);
    }
  }

  /** What is wrong with a section; `meaning` is what to do about it. */
  fault(type: SectionType, found: string, expected: string, meaning: string = NO_STATE): SnapshotError {
    return new SnapshotError(this.#section(type).offset, found, expected, `${meaning} (section ${type})`);
  }

  /** Bytes of a section as it is stored. */
  lengthOf(type: SectionType): number {
    return this.#section(type).stored;
  }

  /**
   * Reads a section from its beginning: `take` fills what it is handed with what comes next, `end` throws SnapshotError where what
   * was read is not what was written.
   */
  stream(type: SectionType): { take: (into: Uint8Array) => void; end: () => void } {
    const { offset, stored, crc } = this.#section(type);
    let at = 0;
    let found = 0;
    return {
      take: (into) => {
        if (into.length > stored - at)
          throw this.fault(type, `${stored} bytes`, `${at + into.length} at least`);
        this.#source.read(offset + at, into);
        found = this.#checksum(into, found);
        at += into.length;
      },
      end: () => {
        if (at !== stored) throw this.fault(type, `${stored} bytes`, `${at}`);
        if (found !== crc) throw damaged(offset, `section ${type}`, found, crc);
      },
    };
  }

  /** Where in RAM the pages lie: ascending, each inside one of `ranges`, and as many as there are contents for. */
  runs(ranges: GuestMemory["ranges"]): PageRun[] {
    const contents = this.#contents(SECTION_TYPES.runs);
    const { offset } = this.#section(SECTION_TYPES.runs);
    const view = new ByteView(contents);
    const runs: PageRun[] = [];
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

  /** Writes the pages into memory, straight from the file where they are not packed. Throws SnapshotError for a damaged one. */
  fill(memory: GuestMemory, runs: readonly PageRun[]): void {
    const { offset, packing } = this.#section(SECTION_TYPES.pages);
    const packed = packing === PACKING.gzip ? this.#unpacked() : undefined;
    const sums = new BlockSums(this.#checksum, this.#sumCheck(runs));
    let at = 0;
    for (const { first, count } of runs) {
      const into = memory.writable(first * PAGE, count * PAGE) ?? noPage(first);
      if (packed === undefined) this.#source.read(offset + at, into);
      else into.set(packed.subarray(at, at + into.length));
      sums.take(into);
      at += into.length;
    }
    sums.end();
  }

  /** Whether the pages are packed: then they are only read all at once. */
  get packsPages(): boolean {
    return this.#section(SECTION_TYPES.pages).packing !== PACKING.none;
  }

  /**
   * What reads blocks of pages when they are needed: the file has to stay as it is meanwhile, and a page that is damaged is told of when
   * it is read.
   */
  pageReader(runs: readonly PageRun[]): PageSource["read"] {
    const { offset } = this.#section(SECTION_TYPES.pages);
    const check = this.#sumCheck(runs);
    return (block, into) => {
      this.#source.read(offset + block * BLOCK_PAGES * PAGE, into);
      check(block, this.#checksum(into, 0));
    };
  }

  /** What throws SnapshotError for a block that has another checksum than when it was saved. */
  #sumCheck(runs: readonly PageRun[]): (block: number, sum: number) => void {
    const sums = new ByteView(this.#contents(SECTION_TYPES.sums));
    const { offset } = this.#section(SECTION_TYPES.sums);
    const expected = blockCount(pageCount(runs)) * SUM_SIZE;
    if (sums.bytes.length !== expected)
      throw new SnapshotError(
        offset,
        `${sums.bytes.length} bytes of checksums`,
        `${expected}, for ${pageCount(runs)} pages`,
        NO_STATE,
      );
    const pages = this.#section(SECTION_TYPES.pages);
    return (block, found) => {
      const sum = sums.u32(block * SUM_SIZE);
      if (found === sum) return;
      // Inside what is packed there is no place to name.
      const at = pages.offset + (pages.packing === PACKING.none ? block * BLOCK_PAGES * PAGE : 0);
      throw damaged(at, `pages of section ${SECTION_TYPES.pages}`, found, sum);
    };
  }

  #unpacked(): Uint8Array {
    const { offset, stored, length } = this.#section(SECTION_TYPES.pages);
    const packed = this.#read(offset, stored);
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
    this.#expect(crc, contents, offset, `section ${type}`);
    return contents;
  }

  /** Throws SnapshotError where the bytes have another CRC-32; `at` and `what` say where they stand. */
  #expect(crc: number, bytes: Uint8Array, at: number, what: string): void {
    const found = this.#checksum(bytes, 0);
    if (found !== crc) throw damaged(at, what, found, crc);
  }

  #read(offset: number, length: number): Uint8Array {
    const into = new Uint8Array(length);
    this.#source.read(offset, into);
    return into;
  }

  /** How many sections there are, and the checksum of their table. */
  #header(): { sections: number; tableCrc: number } {
    const { length } = this.#source;
    const start = this.#read(0, Math.min(length, HEADER.size));
    if (!isSnapshot(start)) throw noSnapshot(start);
    if (length < HEADER.size)
      throw new SnapshotError(length, "the end of the file", `a header of ${HEADER.size} bytes`, DAMAGED);
    const header = new ByteView(start);
    const version = header.u32(HEADER.version);
    if (version !== VERSION)
      throw new SnapshotError(
        HEADER.version,
        `version ${version}`,
        `version ${VERSION}`,
        `${version > VERSION ? "A newer" : "An older"} locore wrote it: restore it with that one.`,
      );
    const summed = header.bytes.subarray(0, HEADER.headerCrc);
    this.#expect(header.u32(HEADER.headerCrc), summed, HEADER.headerCrc, "the header");
    const sections = header.u32(HEADER.sections);
    if (sections > MOST_SECTIONS)
      throw new SnapshotError(HEADER.sections, `${sections} sections`, `at most ${MOST_SECTIONS}`, NO_STATE);
    const claimed = wide(header, HEADER.length);
    if (claimed !== length)
      throw new SnapshotError(
        HEADER.length,
        `a file of ${length} bytes`,
        `${claimed}, as its header says`,
        length < claimed ? "It was cut off: take another copy of it." : DAMAGED,
      );
    return { sections, tableCrc: header.u32(HEADER.tableCrc) };
  }

  #table({ sections, tableCrc }: { sections: number; tableCrc: number }): Map<string, Section> {
    const size = sections * SECTION.size;
    if (HEADER.size + size > this.#source.length)
      throw new SnapshotError(HEADER.sections, `${sections} sections`, "room for their table", DAMAGED);
    const rows = new ByteView(this.#read(HEADER.size, size));
    this.#expect(tableCrc, rows.bytes, HEADER.size, "the table");
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

function damaged(at: number, what: string, found: number, crc: number): SnapshotError {
  return new SnapshotError(at, `CRC-32 ${hex(found, 8)} of ${what}`, hex(crc, 8), DAMAGED);
}

function noPage(page: number): never {
  throw new SnapshotError(undefined, `page ${hex(page)}`, "a page of this memory", NO_STATE);
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
  if (mayPack && section.crc !== 0) refuse(SECTION.crc, hex(section.crc, 8), "0, as SUMS has the checksums");
  if (packing === PACKING.none && length !== stored)
    refuse(SECTION.length, `${length} bytes`, `${stored}, as it is not packed`);
}

function cannotUnpack(): never {
  throw new Error("nothing that unpacks gzip");
}
