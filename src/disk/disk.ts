/** A whole disk as data: its partition table, and what each partition (or the disk itself) holds. */
import { hex } from "../bytes/hex.js";
import type { BlockSource } from "../block/backend.js";
import { BlockError } from "../block/block-error.js";
import { problemFacts, type DiskFact, type DiskProblem } from "./fact.js";
import { ExtReader } from "./files/ext.js";
import { readFatLayout } from "./files/fat-layout.js";
import { FatReader } from "./files/fat.js";
import { fileTree, type FileTree } from "./files/tree.js";
import type { FileSystem } from "./filesystems/file-system.js";
import { identifyFileSystem } from "./filesystems/identify.js";
import { readPartitionTable } from "./partitions/partitions.js";
import { partitionLabel, type Partition, type PartitionTable } from "./partitions/table.js";
import { DiskPart } from "./source.js";

/** A partition, or the whole disk, with what it holds. */
export interface Volume {
  /** Absent: the whole disk. */
  readonly partition?: Partition;
  readonly fileSystem?: FileSystem;
  readonly source: BlockSource;
}

export interface Disk {
  readonly size: number;
  readonly table?: PartitionTable;
  /** In the order of the table. Containers are left out. */
  readonly volumes: readonly Volume[];
  readonly problems: readonly DiskProblem[];
}

/** Reads what a disk is divided into. Throws only what `source` throws. */
export function readDisk(source: BlockSource, sectorSize?: number): Disk {
  const table = readPartitionTable(source, sectorSize);
  const whole = identifyFileSystem(source);
  const volumes: Volume[] = [];
  // A table lies over what was on the disk before; only an ISO 9660 image is made to have both.
  if (whole !== undefined && (table === undefined || whole.type === "iso9660"))
    volumes.push({ fileSystem: whole, source });
  for (const partition of table?.partitions ?? []) {
    if (partition.container === true) continue;
    const part = new DiskPart(
      source,
      Math.max(0, partition.start),
      partition.outside === true ? 0 : partition.size,
    );
    const fileSystem = identifyFileSystem(part);
    volumes.push({ partition, source: part, ...(fileSystem && { fileSystem }) });
  }
  const problems = [...(table?.problems ?? []), ...volumes.flatMap(sizeProblems)];
  return { size: source.size, ...(table && { table }), volumes, problems };
}

/** Whether anything is known of it: a table or a file system. */
export function isKnown({ table, volumes }: Disk): boolean {
  return table !== undefined || volumes.length > 0;
}

function sizeProblems({ partition, fileSystem, source }: Volume): DiskProblem[] {
  if (fileSystem?.size === undefined || fileSystem.size <= source.size || partition?.outside === true)
    return [];
  return [
    {
      offset: (partition?.start ?? 0) + fileSystem.offset,
      found: `${fileSystem.type} of ${fileSystem.size} bytes`,
      expected: `${source.size} at most, the size of ${volumeName({ partition })}`,
      meaning: "The file or the partition was made smaller than the file system in it: its end is lost.",
    },
  ];
}

/** `partition 2`, `the whole disk` */
export function volumeName({ partition }: { partition?: Partition | undefined }): string {
  return partition === undefined ? "the whole disk" : `partition ${partitionLabel(partition)}`;
}

/** The files of a volume; undefined where its file system has no reader here. Throws BlockError for one that cannot be read. */
export function filesOf({ fileSystem, source }: Volume): FileTree | undefined {
  switch (fileSystem?.type) {
    case "ext2":
    case "ext3":
    case "ext4":
      return fileTree(new ExtReader(source));
    case "vfat": {
      const layout = readFatLayout(source);
      return layout && fileTree(new FatReader(source, layout));
    }
    default:
      return undefined;
  }
}

/** All that is known, each fact where it stands; the problems first. */
export function diskFacts({ table, volumes, problems }: Disk): DiskFact[] {
  return [...problemFacts(problems), ...(table?.facts ?? []), ...volumes.flatMap(volumeFacts)];
}

function volumeFacts({ partition, fileSystem }: Volume): DiskFact[] {
  if (fileSystem === undefined) return [];
  const { type, meaning, label, uuid, size, mountedOn } = fileSystem;
  const at = partition === undefined ? "filesystem" : `partition[${partitionLabel(partition)}].filesystem`;
  const offset = (partition?.start ?? 0) + fileSystem.offset;
  const facts: DiskFact[] = [{ name: at, value: type, offset, ...(meaning !== undefined && { meaning }) }];
  if (label !== undefined) facts.push({ name: `${at}.label`, value: label, offset });
  if (uuid !== undefined) facts.push({ name: `${at}.uuid`, value: uuid, offset });
  if (size !== undefined)
    facts.push({ name: `${at}.size`, value: size, offset, meaning: `${hex(size)} bytes` });
  if (mountedOn !== undefined)
    facts.push({ name: `${at}.mounted`, value: mountedOn, offset, meaning: "where it was mounted last" });
  return facts;
}

/** The same work for a disk of which a part cannot be read: what stands in the way, instead of an exception. */
export function tryFilesOf(volume: Volume): FileTree | BlockError | undefined {
  try {
    return filesOf(volume);
  } catch (error) {
    if (error instanceof BlockError) return error;
    throw error;
  }
}
