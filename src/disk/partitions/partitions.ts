/** Which partition table a disk has: GPT, MBR, a BSD disklabel, or none. */
import type { BlockSource } from "../../block/backend.js";
import { SECTOR_SIZES } from "../../spec/partition-tables.js";
import { identifyFileSystem } from "../filesystems/identify.js";
import { DiskPart } from "../source.js";
import { readDisklabel } from "./disklabel.js";
import { hasBackupMark, hasGptMark, readGpt } from "./gpt.js";
import { hasMbr, protectiveKind, readMbr } from "./mbr.js";
import type { PartitionTable } from "./table.js";

/**
 * Reads the table; undefined where there is none. Throws only what `source` throws.
 * @param sectorSize bytes; absent: the one with which the table makes sense.
 */
export function readPartitionTable(source: BlockSource, sectorSize?: number): PartitionTable | undefined {
  const sizes = sectorSize === undefined ? SECTOR_SIZES : [sectorSize];
  const kind = protectiveKind(source);
  const own = kind === "none" && hasMbr(source);
  const marked =
    sizes.find((size) => hasGptMark(source, size)) ?? sizes.find((size) => hasBackupMark(source, size));
  if (marked !== undefined && !own) return gptBehind(source, marked, kind);
  const mbr = own || kind !== "none" ? readMbr(source, mbrSectorSize(source, sizes)) : undefined;
  if (mbr !== undefined && marked !== undefined) return withStaleGpt(mbr, marked);
  if (mbr !== undefined && kind !== "none") return withoutItsGpt(mbr);
  // The label's checksum is stronger evidence than an MBR's, but in front of one it is a slice's business.
  return mbr ?? readDisklabel(source);
}

function gptBehind(
  source: BlockSource,
  sectorSize: number,
  kind: ReturnType<typeof protectiveKind>,
): PartitionTable {
  const table = readGpt(source, sectorSize);
  if (kind === "protective") return table;
  if (kind === "hybrid")
    return {
      ...table,
      title: "GPT with a hybrid MBR",
      facts: [
        {
          name: "mbr",
          value: "hybrid",
          offset: 0,
          meaning: "systems that know no GPT see some of its partitions",
        },
        ...table.facts,
      ],
    };
  const problem = {
    offset: 0,
    found: "no protective MBR",
    expected: "one before a GPT",
    meaning: "Linux takes no GPT without it (but with the word gpt): gdisk writes one.",
  };
  return { ...table, problems: [problem, ...table.problems] };
}

function withStaleGpt(mbr: PartitionTable, sectorSize: number): PartitionTable {
  const problem = {
    offset: sectorSize,
    found: "the signature of a GPT behind an MBR that does not protect one",
    expected: "one table",
    meaning: "The disk was partitioned anew without wiping the GPT: the MBR is used, as systems do.",
  };
  return { ...mbr, problems: [problem, ...mbr.problems] };
}

function withoutItsGpt(mbr: PartitionTable): PartitionTable {
  const problem = {
    offset: 0,
    found: "an MBR that protects a GPT, and no GPT",
    expected: "a GPT's header in the second or the last sector",
    meaning: "Both copies are gone, or the file was cut short at its start: gdisk may find the partitions.",
  };
  return { ...mbr, problems: [problem, ...mbr.problems] };
}

/**
 * The sector size that an MBR counts in, which nothing in it says: the one with which a partition begins with something that is
 * known; else the usual one.
 */
function mbrSectorSize(source: BlockSource, sizes: readonly number[]): number {
  const known = (size: number): boolean =>
    readMbr(source, size)?.partitions.some(
      (one) =>
        one.outside !== true &&
        (one.letter !== undefined ||
          identifyFileSystem(new DiskPart(source, one.start, one.size)) !== undefined),
    ) ?? false;
  return sizes.find(known) ?? sizes[0];
}
