/**
 * BSD disklabels, on a whole disk or in a slice of an MBR. FreeBSD counts sectors from the start of the slice (what partition c
 * begins with is taken off), NetBSD and OpenBSD from the start of the disk.
 */
import type { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import type { BlockSource } from "../../block/backend.js";
import { DISKLABEL, DISKLABEL_ENTRY, DISKLABEL_TYPES, RAW_PARTITION } from "../../spec/partition-tables.js";
import type { DiskFact, DiskProblem } from "../fact.js";
import { holds, viewAt } from "../source.js";
import { utf8Text } from "../text.js";
import {
  outsideProblem,
  overlapProblems,
  partitionFacts,
  type Partition,
  type PartitionTable,
} from "./table.js";

export type LabelSystem = "FreeBSD" | "NetBSD" | "OpenBSD";

/** The slice that a label is in. */
export interface Slice {
  number: number;
  /** Byte of the disk. */
  start: number;
  system: LabelSystem;
}

const SECTOR = 512;
/** Sector counts above this would not be exact as bytes. */
const LARGEST_SECTOR = 65536;
const FREEBSD_PARTITIONS = 8;
/** FreeBSD's labels may have as many. */
const FREEBSD_MOST = 20;
/** NetBSD's labels on PCs have this many, as older ones of OpenBSD do. */
const NETBSD_PARTITIONS = 16;

/** Reads the label of the whole disk, or of a slice; undefined where there is none whose checksum is right. */
export function readDisklabel(source: BlockSource, slice?: Slice): PartitionTable | undefined {
  const base = (slice?.start ?? 0) + DISKLABEL.SECTOR * SECTOR;
  const label = viewAt(source, base, DISKLABEL.PARTITIONS + DISKLABEL.MOST * DISKLABEL.ENTRY_SIZE);
  if (label === undefined || !isLabel(label)) return undefined;
  const sectorSize = label.u32(DISKLABEL.SECTOR_SIZE);
  if (sectorSize === 0 || sectorSize % SECTOR !== 0 || sectorSize > LARGEST_SECTOR) return undefined;
  const system = slice?.system ?? guessed(label);
  const problems: DiskProblem[] = [];
  const entries = readEntries(label, { source, sectorSize, system, slice, problems });
  problems.push(...overlapProblems(entries));
  const facts: DiskFact[] = [
    {
      name: "disklabel.d_packname",
      value: utf8Text(label, DISKLABEL.PACK_NAME, DISKLABEL.PACK_NAME_SIZE).trim(),
      offset: base + DISKLABEL.PACK_NAME,
    },
    { name: "disklabel.d_secsize", value: sectorSize, offset: base + DISKLABEL.SECTOR_SIZE },
    { name: "disklabel.d_npartitions", value: label.u16(DISKLABEL.COUNT), offset: base + DISKLABEL.COUNT },
    ...entries.flatMap((one) => partitionFacts(one, "disklabel")),
  ];
  return {
    scheme: "disklabel",
    title: `${system} disklabel`,
    sectorSize,
    partitions: entries,
    facts,
    problems,
  };
}

function isLabel(label: ByteView): boolean {
  if (label.u32(0) !== DISKLABEL.MAGIC || label.u32(DISKLABEL.MAGIC2) !== DISKLABEL.MAGIC) return false;
  const count = label.u16(DISKLABEL.COUNT);
  if (count === 0 || count > DISKLABEL.MOST) return false;
  let sum = 0;
  for (let at = 0; at < DISKLABEL.PARTITIONS + count * DISKLABEL.ENTRY_SIZE; at += 2) sum ^= label.u16(at);
  return sum === 0;
}

/** Whose label on a whole disk it is: nothing in it says so, but its length and OpenBSD's version. */
function guessed(label: ByteView): LabelSystem {
  const count = label.u16(DISKLABEL.COUNT);
  if (count > FREEBSD_MOST) return "OpenBSD";
  if (label.u16(DISKLABEL.OPENBSD_VERSION) === 1 && count !== FREEBSD_PARTITIONS) return "OpenBSD";
  return count === NETBSD_PARTITIONS ? "NetBSD" : "FreeBSD";
}

interface Reading {
  source: BlockSource;
  sectorSize: number;
  system: LabelSystem;
  slice: Slice | undefined;
  problems: DiskProblem[];
}

/** Those that stand for the slice or the whole disk. */
function isRaw(system: LabelSystem, index: number): boolean {
  return index === RAW_PARTITION.c || (system === "NetBSD" && index === RAW_PARTITION.d);
}

function readEntries(label: ByteView, { source, sectorSize, system, slice, problems }: Reading): Partition[] {
  const entryAt = (index: number): number => DISKLABEL.PARTITIONS + index * DISKLABEL.ENTRY_SIZE;
  const sectors = (index: number): [first: number, count: number] => {
    const at = entryAt(index);
    const high = (field: number): number => (system === "OpenBSD" ? label.u16(at + field) * 2 ** 32 : 0);
    return [
      label.u32(at + DISKLABEL_ENTRY.OFFSET) + high(DISKLABEL_ENTRY.OFFSET_HIGH),
      label.u32(at + DISKLABEL_ENTRY.SIZE) + high(DISKLABEL_ENTRY.SIZE_HIGH),
    ];
  };
  const count = label.u16(DISKLABEL.COUNT);
  const fromSlice = system === "FreeBSD" && count > RAW_PARTITION.c;
  const base = fromSlice ? (slice?.start ?? 0) - sectors(RAW_PARTITION.c)[0] * sectorSize : 0;
  const partitions: Partition[] = [];
  for (let index = 0; index < count; index++) {
    const [first, length] = sectors(index);
    if (length === 0 || isRaw(system, index)) continue;
    const type = label.u8(entryAt(index) + DISKLABEL_ENTRY.TYPE);
    const span = { start: base + first * sectorSize, size: length * sectorSize };
    const one: Partition = {
      number: slice?.number ?? index + 1,
      letter: letterOf(index),
      ...(slice && { inSlice: true }),
      ...span,
      type: String(type),
      ...(Object.hasOwn(DISKLABEL_TYPES, type) && { typeName: DISKLABEL_TYPES[type] }),
      flags: [],
      entry: label.base + entryAt(index),
      ...(!holds(source, span.start, span.size) && { outside: true }),
    };
    if (one.outside === true) problems.push(span.start < 0 ? before(one) : outsideProblem(one, source.size));
    partitions.push(one);
  }
  return partitions;
}

function before(one: Partition): DiskProblem {
  return {
    offset: one.entry,
    found: `partition ${one.letter ?? ""} ${hex(-one.start)} bytes before the disk`,
    expected: "a start on the disk",
    meaning: "The label is of another slice, or damaged: what is in this partition is not read.",
  };
}

/** a to z, then A to Z, as OpenBSD goes on. */
function letterOf(index: number): string {
  const LETTERS = 26;
  return String.fromCharCode(index < LETTERS ? 0x61 + index : 0x41 + index - LETTERS);
}
