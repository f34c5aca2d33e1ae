/** The PC's partition table: four entries in the boot sector, and a chain of further tables in an extended partition. */
import type { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import type { BlockSource } from "../../block/backend.js";
import { MBR, MBR_ENTRY, MBR_TYPE, MBR_TYPES } from "../../spec/partition-tables.js";
import type { DiskFact, DiskProblem } from "../fact.js";
import { holds, viewAt } from "../source.js";
import { readDisklabel, type LabelSystem } from "./disklabel.js";
import {
  outsideProblem,
  overlapProblems,
  partitionFacts,
  type Partition,
  type PartitionTable,
} from "./table.js";

const BOOT_SECTOR = 512;
/** Logical partitions that are followed; Linux stops at 256 partitions. */
const MOST_LOGICAL = 251;
const FIRST_LOGICAL = 5;

/** One entry as it stands. */
interface Entry {
  at: number;
  status: number;
  type: number;
  first: number;
  count: number;
}

const SLICES: ReadonlyMap<number, LabelSystem> = new Map([
  [MBR_TYPE.FREEBSD, "FreeBSD"],
  [MBR_TYPE.NETBSD, "NetBSD"],
  [MBR_TYPE.OPENBSD, "OpenBSD"],
]);

function readEntries(sector: ByteView): Entry[] {
  return Array.from({ length: MBR.ENTRIES }, (_, index) => {
    const at = MBR.TABLE + index * MBR.ENTRY_SIZE;
    return {
      at: sector.base + at,
      status: sector.u8(at + MBR_ENTRY.STATUS),
      type: sector.u8(at + MBR_ENTRY.TYPE),
      first: sector.u32(at + MBR_ENTRY.FIRST),
      count: sector.u32(at + MBR_ENTRY.COUNT),
    };
  });
}

function isUsed({ type, count }: Entry): boolean {
  return type !== 0 && count !== 0;
}

function isExtended(type: number): boolean {
  return (MBR_TYPE.EXTENDED as readonly number[]).includes(type);
}

/** A boot sector whose table makes sense: the mark alone is in every boot program. */
function bootSector(source: BlockSource): { sector: ByteView; entries: Entry[] } | undefined {
  const sector = viewAt(source, 0, BOOT_SECTOR);
  if (sector === undefined || sector.u16(MBR.MARK_AT) !== MBR.MARK) return undefined;
  const entries = readEntries(sector);
  const sane = entries.every((one) => (one.status & ~MBR.ACTIVE) === 0 && (!isUsed(one) || one.first > 0));
  return sane && entries.some(isUsed) ? { sector, entries } : undefined;
}

/** What kinds of MBR stand before a GPT. */
export type ProtectiveKind = "protective" | "hybrid" | "none";

/** Whether an MBR protects a GPT, and whether it has partitions of its own beside. */
export function protectiveKind(source: BlockSource): ProtectiveKind {
  const used = bootSector(source)?.entries.filter(isUsed) ?? [];
  if (!used.some(({ type }) => type === MBR_TYPE.PROTECTIVE)) return "none";
  return used.length > 1 ? "hybrid" : "protective";
}

/** Whether there is a table whose partitions begin on the disk. */
export function hasMbr(source: BlockSource): boolean {
  const used = bootSector(source)?.entries.filter(isUsed) ?? [];
  return used.some(({ first }) => first * BOOT_SECTOR < source.size);
}

/** Reads a table that `hasMbr` finds. */
export function readMbr(source: BlockSource, sectorSize: number): PartitionTable | undefined {
  const found = bootSector(source);
  if (found === undefined) return undefined;
  const { sector, entries } = found;
  const id = sector.u32(MBR.DISK_SIGNATURE).toString(16).padStart(8, "0");
  const reading: Reading = { source, sectorSize, id, problems: [] };
  const partitions: Partition[] = [];
  const facts: DiskFact[] = [
    {
      name: "mbr.signature",
      value: `0x${id}`,
      offset: MBR.DISK_SIGNATURE,
      meaning: "Linux makes PARTUUIDs of it",
    },
  ];
  let next = FIRST_LOGICAL;
  entries.forEach((entry, index) => {
    if (!isUsed(entry)) return;
    const primary = partitionOf(entry, index + 1, 0, reading);
    if (isExtended(entry.type)) {
      const logical = readLogical(entry.first, next, reading);
      next += logical.length;
      partitions.push({ ...primary, container: true }, ...logical);
    } else partitions.push(...withDisklabel(primary, entry.type, { ...reading, facts }));
  });
  partitions.sort((a, b) => a.number - b.number);
  const { problems } = reading;
  for (const one of partitions)
    if (one.outside === true && one.letter === undefined) problems.push(outsideProblem(one, source.size));
  problems.push(...overlapProblems(partitions.filter(({ letter }) => letter === undefined)));
  const own = partitions.filter(({ letter }) => letter === undefined);
  facts.push(...own.flatMap((one) => partitionFacts(one, "mbr")));
  return { scheme: "mbr", title: "MBR", sectorSize, id, partitions, facts, problems };
}

interface Reading {
  source: BlockSource;
  sectorSize: number;
  id: string;
  problems: DiskProblem[];
}

/** `base`: the sector that the entry counts from. */
function partitionOf(
  entry: Entry,
  number: number,
  base: number,
  { source, sectorSize, id }: Reading,
): Partition {
  const span = { start: (base + entry.first) * sectorSize, size: entry.count * sectorSize };
  const { type, status, at } = entry;
  return {
    number,
    ...span,
    type: hex(type, 2),
    ...(Object.hasOwn(MBR_TYPES, type) && { typeName: MBR_TYPES[type] }),
    uuid: `${id}-${number.toString(16).padStart(2, "0")}`,
    flags: status === MBR.ACTIVE ? ["active"] : [],
    entry: at,
    ...(!holds(source, span.start, span.size) && { outside: true }),
  };
}

/** The chain of an extended partition: each table has a partition and a link, which counts from the first table. */
function readLogical(extended: number, number: number, reading: Reading): Partition[] {
  const { source, sectorSize, problems } = reading;
  const partitions: Partition[] = [];
  const seen = new Set<number>();
  const broken = (offset: number, found: string, expected: string): Partition[] => {
    problems.push({
      offset,
      found,
      expected,
      meaning: "The chain of logical partitions ends here: those behind it are lost until it is repaired.",
    });
    return partitions;
  };
  let at = extended;
  let linkAt = extended * sectorSize;
  for (;;) {
    const sector = viewAt(source, at * sectorSize, BOOT_SECTOR);
    if (seen.has(at)) return broken(linkAt, `a link back to sector ${at}`, "a table that was not read yet");
    if (sector === undefined) return broken(linkAt, `a table in sector ${at}`, "a sector of the disk");
    if (sector.u16(MBR.MARK_AT) !== MBR.MARK)
      return broken(sector.base + MBR.MARK_AT, "no 55 aa", "a boot sector's mark");
    seen.add(at);
    const entries = readEntries(sector).filter(isUsed);
    for (const entry of entries.filter(({ type }) => !isExtended(type))) {
      if (partitions.length === MOST_LOGICAL)
        return broken(entry.at, "one more logical partition", `${MOST_LOGICAL} at most`);
      partitions.push(partitionOf(entry, number++, at, reading));
    }
    const link = entries.find(({ type }) => isExtended(type));
    if (link === undefined) return partitions;
    if (seen.size > MOST_LOGICAL) return broken(link.at, "one more table", `${MOST_LOGICAL} at most`);
    at = extended + link.first;
    linkAt = link.at;
  }
}

/** A slice of a BSD with the partitions of its label. */
function withDisklabel(
  slice: Partition,
  type: number,
  reading: Reading & { facts: DiskFact[] },
): Partition[] {
  const system = SLICES.get(type);
  if (system === undefined || slice.outside === true) return [slice];
  const { number, start } = slice;
  const label = readDisklabel(reading.source, { number, start, system });
  if (label === undefined) return [slice];
  reading.facts.push(...label.facts);
  reading.problems.push(...label.problems);
  return [{ ...slice, container: true }, ...label.partitions];
}
