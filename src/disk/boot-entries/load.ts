/** From what a disk would boot to the bytes to boot: the kernel, its initrds one behind the other, and the command line. */
import { alignUp } from "../../bytes/align.js";
import { hex } from "../../bytes/hex.js";
import { BlockError } from "../../block/block-error.js";
import { partitionLabel } from "../partitions/table.js";
import { filesOf, volumeName, type Disk } from "../disk.js";
import type { PlacedFile } from "./entry.js";
import { findBootEntry } from "./find.js";

/** A file of a disk. */
export interface DiskFileBytes {
  /** `2/boot/vmlinuz`, the partition first; `/vmlinuz` where the file system has the whole disk. */
  path: string;
  bytes: Uint8Array;
}

export interface DiskBoot {
  title: string;
  kernel: DiskFileBytes;
  /** All initrds of the entry as one. */
  initrd?: DiskFileBytes;
  /** Absent: the kernel was found by its file's name, nobody wrote a command line. */
  commandLine?: string;
  /** For people: by what it was chosen. */
  why: string;
  /** What was found on the way and could not be used. */
  notes: readonly string[];
}

/** Nothing on a disk can be booted directly. */
export class NothingToBoot extends Error {
  override readonly name = "NothingToBoot";
  readonly expected =
    "a kernel in an ext or FAT file system, by a boot loader's configuration or as /boot/vmlinuz…";

  constructor(
    readonly offset: number,
    readonly found: string,
    readonly meaning: string,
  ) {
    super(`at ${hex(offset)}: found ${found}; expected a kernel in an ext or FAT file system. ${meaning}`);
  }
}

/** Bytes of a kernel or initrd that are read: more than guests' RAM has room for, as a rule. */
export const LARGEST_BOOT_FILE = 2 ** 29;
/** Linux takes archives one behind the other, each from a multiple of four bytes on. */
const INITRD_ALIGNMENT = 4;

/**
 * What a disk boots by itself. Throws NothingToBoot, and BlockError for a file that cannot be read.
 * @param largest bytes that a file may have.
 */
export function loadFromDisk(disk: Disk, largest: number = LARGEST_BOOT_FILE): DiskBoot {
  const { entry, notes } = findBootEntry(disk);
  if (entry === undefined) throw nothing(disk, notes);
  const { title, kernel, initrds, options, why } = entry;
  return {
    title,
    kernel: read(kernel, largest),
    ...(initrds.length > 0 && { initrd: joined(initrds, largest) }),
    ...(options !== undefined && { commandLine: options }),
    why,
    notes,
  };
}

/** A file by the path that `DiskFileBytes` has. Throws NothingToBoot where it is not there, and BlockError. */
export function readDiskFile(disk: Disk, path: string, largest: number = LARGEST_BOOT_FILE): DiskFileBytes {
  const [, label, inside] = /^([^/]*)(\/[^]*)$/.exec(path) ?? [];
  const volume = disk.volumes.find(({ partition }) => (partition ? partitionLabel(partition) : "") === label);
  const file = inside === undefined ? undefined : volume && filesOf(volume)?.open(inside);
  if (volume === undefined || file?.kind !== "file")
    throw new NothingToBoot(0, `no file ${path} on the disk`, "locore inspect lists its partitions.");
  return read({ volume, file }, largest);
}

function read({ volume, file }: PlacedFile, largest: number): DiskFileBytes {
  const { partition } = volume;
  return { path: `${partition ? partitionLabel(partition) : ""}${file.path}`, bytes: file.read(largest) };
}

function joined(initrds: readonly PlacedFile[], largest: number): DiskFileBytes {
  const files = initrds.map((one) => read(one, largest));
  if (files.length === 1) return files[0];
  const size = files.reduce((sum, { bytes }) => sum + alignUp(bytes.length, INITRD_ALIGNMENT), 0);
  if (size > largest)
    throw new BlockError(0, `initrds of ${size} bytes`, `${largest} at most`, "They are too large.");
  const all = new Uint8Array(size);
  let at = 0;
  for (const { bytes } of files) {
    all.set(bytes, at);
    at += alignUp(bytes.length, INITRD_ALIGNMENT);
  }
  return { path: files.map(({ path }) => path).join("+"), bytes: all };
}

/** Says what was looked at. */
function nothing({ table, volumes }: Disk, notes: readonly string[]): NothingToBoot {
  const looked = volumes.map(
    ({ partition, fileSystem }) => `${fileSystem?.type ?? "nothing known"} in ${volumeName({ partition })}`,
  );
  const found = `${table?.title ?? "no partition table"}${looked.length > 0 ? `, ${looked.join(", ")}` : ""}, and no kernel`;
  const more = notes.length > 0 ? ` On the way: ${notes.join("; ")}.` : "";
  return new NothingToBoot(0, found, `Give the kernel before the disk: locore boot KERNEL DISK.${more}`);
}
