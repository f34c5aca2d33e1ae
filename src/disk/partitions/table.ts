/** What every partition table comes to. */
import { hex } from "../../bytes/hex.js";
import { DISKLABEL_ENTRY, GPT_ENTRY, MBR_ENTRY } from "../../spec/partition-tables.js";
import type { DiskFact, DiskProblem } from "../fact.js";

export type PartitionScheme = "gpt" | "mbr" | "disklabel";

/** One partition. */
export interface Partition {
  /** As Linux counts in this table; of a disklabel in a slice the slice's, of one on the whole disk 1 for a. */
  readonly number: number;
  /** Its letter in a disklabel. */
  readonly letter?: string;
  /** Whether its disklabel is in a slice of an MBR: `number` is the slice's then. */
  readonly inSlice?: true;
  /** First byte. */
  readonly start: number;
  /** Bytes. */
  readonly size: number;
  /** Type GUID of a GPT; number of an MBR ("0x83") or a disklabel ("7"). */
  readonly type: string;
  readonly typeName?: string;
  /** What Linux calls PARTUUID. */
  readonly uuid?: string;
  /** Name in a GPT. */
  readonly name?: string;
  readonly flags: readonly string[];
  /** Byte of the disk where its entry stands. */
  readonly entry: number;
  /** It only holds others: an extended partition, or a slice with a disklabel. */
  readonly container?: true;
  /** Not all of it is on the disk: nothing in it is read. */
  readonly outside?: true;
}

/** A partition table as it was read. */
export interface PartitionTable {
  readonly scheme: PartitionScheme;
  /** For people: "GPT", "hybrid MBR with a GPT", "NetBSD disklabel". */
  readonly title: string;
  readonly sectorSize: number;
  /** GUID of a GPT's disk, signature of an MBR (eight digits). */
  readonly id?: string;
  readonly partitions: readonly Partition[];
  readonly facts: readonly DiskFact[];
  readonly problems: readonly DiskProblem[];
}

/** `2`, or `1a` and `a` for those of disklabels. */
export function partitionLabel({ number, letter, inSlice }: Partition): string {
  if (letter === undefined) return String(number);
  return inSlice === true ? `${number}${letter}` : letter;
}

/** What every partition is held to: it lies on the disk. */
export function outsideProblem(one: Partition, diskSize: number): DiskProblem {
  return {
    offset: one.entry,
    found: `partition ${partitionLabel(one)} to ${hex(one.start + one.size)}`,
    expected: `an end at ${hex(diskSize)} at the latest, where the disk ends`,
    meaning:
      "The file was cut short, or the table is of a larger disk: what is in this partition is not read.",
  };
}

/** Partitions that lie over each other, each told once against the one before; containers hold theirs. */
export function overlapProblems(partitions: readonly Partition[]): DiskProblem[] {
  const sorted = partitions.filter(({ container, size }) => container !== true && size > 0);
  sorted.sort((a, b) => a.start - b.start || a.size - b.size);
  const problems: DiskProblem[] = [];
  let furthest: Partition | undefined;
  for (const one of sorted) {
    if (furthest !== undefined && one.start < furthest.start + furthest.size)
      problems.push({
        offset: one.entry,
        found: `partition ${partitionLabel(one)} from ${hex(one.start)}`,
        expected: `a start behind partition ${partitionLabel(furthest)}, which ends at ${hex(furthest.start + furthest.size)}`,
        meaning: "Two partitions share bytes: what writes to one damages the other.",
      });
    if (furthest === undefined || one.start + one.size > furthest.start + furthest.size) furthest = one;
  }
  return problems;
}

/** Where in an entry its fields stand. */
const FIELDS = {
  gpt: { type: GPT_ENTRY.TYPE, start: GPT_ENTRY.FIRST, size: GPT_ENTRY.LAST, flags: GPT_ENTRY.ATTRIBUTES },
  mbr: { type: MBR_ENTRY.TYPE, start: MBR_ENTRY.FIRST, size: MBR_ENTRY.COUNT, flags: MBR_ENTRY.STATUS },
  disklabel: {
    type: DISKLABEL_ENTRY.TYPE,
    start: DISKLABEL_ENTRY.OFFSET,
    size: DISKLABEL_ENTRY.SIZE,
    flags: 0,
  },
} as const;

/** An entry as facts, each where it stands. */
export function partitionFacts(one: Partition, scheme: PartitionScheme): DiskFact[] {
  const at = `partition[${partitionLabel(one)}]`;
  const field = FIELDS[scheme];
  const type = { name: `${at}.type`, value: one.type, offset: one.entry + field.type };
  const facts: DiskFact[] = [
    one.typeName === undefined ? type : { ...type, meaning: one.typeName },
    { name: `${at}.start`, value: hex(one.start), offset: one.entry + field.start, meaning: "bytes" },
    { name: `${at}.size`, value: one.size, offset: one.entry + field.size, meaning: "bytes" },
  ];
  if (one.uuid !== undefined) {
    const place = scheme === "gpt" ? { offset: one.entry + GPT_ENTRY.GUID } : {};
    facts.push({ name: `${at}.uuid`, value: one.uuid, ...place, meaning: "PARTUUID of Linux" });
  }
  if (one.name !== undefined && one.name !== "")
    facts.push({ name: `${at}.name`, value: one.name, offset: one.entry + GPT_ENTRY.NAME });
  if (one.flags.length > 0)
    facts.push({ name: `${at}.flags`, value: one.flags.join(", "), offset: one.entry + field.flags });
  return facts;
}
