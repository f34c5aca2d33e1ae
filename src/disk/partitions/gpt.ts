/**
 * GUID partition tables (UEFI 2.10 §5.3): both headers and both arrays are checked by their CRCs; where the first copy is damaged
 * the second is used, as firmware and kernels do.
 */
import type { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { crc32 } from "../../codecs/crc32.js";
import type { BlockSource } from "../../block/backend.js";
import { GPT, GPT_ATTRIBUTES, GPT_ENTRY, GPT_TYPES } from "../../spec/partition-tables.js";
import type { DiskFact, DiskProblem } from "../fact.js";
import { holds, viewAt } from "../source.js";
import { guidText, isNil, utf16Text } from "../text.js";
import {
  outsideProblem,
  overlapProblems,
  partitionFacts,
  type Partition,
  type PartitionTable,
} from "./table.js";

/** Bytes of an array that is read: eight thousand entries of the usual size. */
const LARGEST_ARRAY = 2 ** 20;

/** A header whose checksum is right, with its array. */
interface Copy {
  /** Byte of the disk. */
  at: number;
  /** Where the other header is, LBA. */
  alternate: number;
  firstUsable: number;
  lastUsable: number;
  guid: string;
  entries: ByteView;
  entrySize: number;
  entriesCrc: number;
}

type Which = "first" | "second";

/** Whether a GPT's signature stands where the first header is with sectors of this size. */
export function hasGptMark(source: BlockSource, sectorSize: number): boolean {
  const view = viewAt(source, GPT.HEADER_LBA * sectorSize, GPT.SIGNATURE.length);
  return view !== undefined && view.matches(0, GPT.SIGNATURE);
}

/** Whether the second header's signature stands in the last sector. */
export function hasBackupMark(source: BlockSource, sectorSize: number): boolean {
  const view = viewAt(source, lastSector(source, sectorSize) * sectorSize, GPT.SIGNATURE.length);
  return view !== undefined && view.matches(0, GPT.SIGNATURE);
}

function lastSector({ size }: BlockSource, sectorSize: number): number {
  return Math.floor(size / sectorSize) - 1;
}

/** Reads a GPT of which at least one signature is there. A table of no partitions with problems when neither copy is whole. */
export function readGpt(source: BlockSource, sectorSize: number): PartitionTable {
  const problems: DiskProblem[] = [];
  const first = readCopy({ source, sectorSize, problems, which: "first" }, GPT.HEADER_LBA);
  const end = lastSector(source, sectorSize);
  const second = readCopy({ source, sectorSize, problems, which: "second" }, first?.alternate ?? end);
  const used = first ?? second;
  const base = { scheme: "gpt", title: "GPT", sectorSize, problems } as const;
  if (used === undefined) return { ...base, partitions: [], facts: [] };
  if (first === undefined && second !== undefined)
    problems.push({
      offset: GPT.HEADER_LBA * sectorSize,
      found: "a damaged first copy of the table",
      expected: "two that are whole",
      meaning: `The second, at ${hex(second.at)}, is used: repair the disk with "sgdisk -e" or gdisk.`,
    });
  if (first !== undefined && second !== undefined) compare(first, second, problems);
  if (first !== undefined && first.alternate < end)
    problems.push({
      offset: first.at + GPT.ALTERNATE_LBA,
      found: `the second header in sector ${first.alternate}`,
      expected: `it in sector ${end}, the last`,
      meaning: 'The disk was made larger: "sgdisk -e" moves it.',
    });
  const partitions = readEntries(used, { source, sectorSize, problems });
  problems.push(...overlapProblems(partitions));
  return {
    ...base,
    id: used.guid,
    partitions,
    facts: [...copyFacts(used, sectorSize), ...partitions.flatMap((one) => partitionFacts(one, "gpt"))],
  };
}

interface Reading {
  source: BlockSource;
  sectorSize: number;
  problems: DiskProblem[];
}

function readCopy(reading: Reading & { which: Which }, lba: number): Copy | undefined {
  const { source, sectorSize, problems, which } = reading;
  const at = lba * sectorSize;
  const header = viewAt(source, at, sectorSize);
  const fault = (offset: number, found: string, expected: string): undefined => {
    const meaning = `This copy of the table is damaged and not used.`;
    problems.push({ offset: at + offset, found, expected: `${expected} in the ${which} header`, meaning });
    return undefined;
  };
  if (header === undefined) return fault(0, "no such sector", "a place on the disk");
  if (!header.matches(0, GPT.SIGNATURE)) return fault(0, "no signature", `"${GPT.SIGNATURE}"`);
  const size = header.u32(GPT.HEADER_SIZE_AT);
  if (size < GPT.SMALLEST_HEADER || size > sectorSize)
    return fault(GPT.HEADER_SIZE_AT, `a size of ${size}`, `${GPT.SMALLEST_HEADER} to ${sectorSize}`);
  const crc = header.u32(GPT.HEADER_CRC);
  const zeroed = header.slice(0, size).slice();
  zeroed.fill(0, GPT.HEADER_CRC, GPT.HEADER_CRC + 4);
  const sum = crc32(zeroed);
  if (sum !== crc) return fault(GPT.HEADER_CRC, `a checksum of ${hex(crc)}`, hex(sum));
  const own = header.u64Number(GPT.MY_LBA);
  if (own !== lba) return fault(GPT.MY_LBA, `its own sector as ${own}`, `${lba}`);
  return readArray(reading, header, fault);
}

function readArray(
  { source, sectorSize }: Reading,
  header: ByteView,
  fault: (offset: number, found: string, expected: string) => undefined,
): Copy | undefined {
  const count = header.u32(GPT.ENTRY_COUNT);
  const entrySize = header.u32(GPT.ENTRY_SIZE);
  if (entrySize < GPT.SMALLEST_ENTRY || entrySize % 8 !== 0 || count * entrySize > LARGEST_ARRAY)
    return fault(
      GPT.ENTRY_COUNT,
      `${count} entries of ${entrySize} bytes`,
      `entries of ${GPT.SMALLEST_ENTRY} or a multiple of 8 bytes more, ${LARGEST_ARRAY} bytes together at most`,
    );
  const numbers = [GPT.ENTRIES_LBA, GPT.ALTERNATE_LBA, GPT.FIRST_USABLE, GPT.LAST_USABLE];
  const [entriesLba, alternate, firstUsable, lastUsable] = numbers.map(
    (at) => header.u64Number(at) ?? Infinity,
  );
  const entries = viewAt(source, entriesLba * sectorSize, count * entrySize);
  if (entries === undefined)
    return fault(GPT.ENTRIES_LBA, `entries in sector ${entriesLba}`, "a sector of the disk");
  const entriesCrc = header.u32(GPT.ENTRIES_CRC);
  const sum = crc32(entries.bytes);
  if (sum !== entriesCrc)
    return fault(GPT.ENTRIES_CRC, `a checksum of the entries of ${hex(entriesCrc)}`, hex(sum));
  const guid = guidText(header, GPT.DISK_GUID);
  return { at: header.base, alternate, firstUsable, lastUsable, guid, entries, entrySize, entriesCrc };
}

function compare(first: Copy, second: Copy, problems: DiskProblem[]): void {
  if (first.entriesCrc === second.entriesCrc && first.guid === second.guid) return;
  problems.push({
    offset: second.at,
    found: "a second copy of the table that says something else",
    expected: "two that are equal",
    meaning: "Writing the table ended halfway: the first copy is used.",
  });
}

function readEntries(copy: Copy, { source, sectorSize, problems }: Reading): Partition[] {
  const { entries, entrySize, firstUsable, lastUsable } = copy;
  const partitions: Partition[] = [];
  for (let at = 0; at < entries.length; at += entrySize) {
    const view = entries.view(at, entrySize);
    const type = guidText(view, GPT_ENTRY.TYPE);
    if (isNil(type)) continue;
    const number = at / entrySize + 1;
    const first = view.u64Number(GPT_ENTRY.FIRST) ?? Infinity;
    const last = view.u64Number(GPT_ENTRY.LAST) ?? Infinity;
    if (last < first || !Number.isSafeInteger((last + 1) * sectorSize)) {
      problems.push({
        offset: view.base + GPT_ENTRY.FIRST,
        found: `partition ${number} from sector ${first} to ${last}`,
        expected: "an end behind its start",
        meaning: "The entry is damaged: it is left out.",
      });
      continue;
    }
    const span = { start: first * sectorSize, size: (last - first + 1) * sectorSize };
    const one: Partition = {
      number,
      ...span,
      type,
      ...(Object.hasOwn(GPT_TYPES, type) && { typeName: GPT_TYPES[type] }),
      uuid: guidText(view, GPT_ENTRY.GUID),
      name: utf16Text(view, GPT_ENTRY.NAME, GPT_ENTRY.NAME_SIZE),
      flags: attributes(view.u64(GPT_ENTRY.ATTRIBUTES)),
      entry: view.base,
      ...(!holds(source, span.start, span.size) && { outside: true }),
    };
    if (one.outside === true) problems.push(outsideProblem(one, source.size));
    else if (first < firstUsable || last > lastUsable)
      problems.push({
        offset: view.base + GPT_ENTRY.FIRST,
        found: `partition ${number} in the sectors ${first} to ${last}`,
        expected: `sectors ${firstUsable} to ${lastUsable}, which the header says partitions may use`,
        meaning: "It may lie over the table itself: what writes to it would damage the table.",
      });
    partitions.push(one);
  }
  return partitions;
}

function attributes(bits: bigint): string[] {
  return GPT_ATTRIBUTES.filter(([bit]) => ((bits >> BigInt(bit)) & 1n) === 1n).map(([, name]) => name);
}

function copyFacts(
  { at, alternate, firstUsable, lastUsable, guid, entries, entrySize }: Copy,
  sectorSize: number,
): DiskFact[] {
  return [
    { name: "gpt.disk_guid", value: guid, offset: at + GPT.DISK_GUID },
    {
      name: "gpt.alternate_lba",
      value: alternate,
      offset: at + GPT.ALTERNATE_LBA,
      meaning: `in sectors of ${sectorSize} bytes`,
    },
    { name: "gpt.first_usable_lba", value: firstUsable, offset: at + GPT.FIRST_USABLE },
    { name: "gpt.last_usable_lba", value: lastUsable, offset: at + GPT.LAST_USABLE },
    {
      name: "gpt.entries",
      value: entries.length / entrySize,
      offset: at + GPT.ENTRY_COUNT,
      meaning: `at ${hex(entries.base)}`,
    },
  ];
}
