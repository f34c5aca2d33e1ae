/** A file that is a disk's image, opened to be read; what is no disk is told apart by its first bytes, as most files here are none. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { BlockSource } from "../block/backend.js";
import type { Disk } from "../disk/disk.js";
import type { DiskRequest } from "../host/node/disk-request.js";
import { ELF_MAGIC } from "../spec/elf.js";
import { HEADER_MAGIC, HEADER_OFFSET } from "../spec/linux-boot.js";
import { SNAPSHOT_MAGIC } from "../spec/file-magic.js";

/** An open image; `close` when it is no longer read. */
export interface DiskImage {
  readonly source: BlockSource;
  readonly disk: Disk;
  close(): void;
}

/** Of a file's start: what kernels are known by lies in it. */
const START = 1024;
/** A boot sector. */
const SMALLEST = 512;

/** What is surely no disk, though it may have the mark of a boot sector: kernels and snapshots. */
const OTHERS: readonly (readonly [offset: number, magic: readonly number[]])[] = [
  [0, ELF_MAGIC],
  [0, SNAPSHOT_MAGIC],
  [HEADER_OFFSET, Array.from(HEADER_MAGIC, (letter) => letter.charCodeAt(0))],
];

function mayBeDisk(file: string): boolean {
  let descriptor: number;
  try {
    const facts = statSync(file);
    if (!facts.isBlockDevice() && !(facts.isFile() && facts.size >= SMALLEST)) return false;
    descriptor = openSync(file, "r");
  } catch {
    // Whoever reads it as a kernel says what is the matter.
    return false;
  }
  try {
    const start = new Uint8Array(START);
    readSync(descriptor, start, 0, START, 0);
    return !OTHERS.some(([offset, magic]) => magic.every((byte, at) => start[offset + at] === byte));
  } catch {
    return false;
  } finally {
    closeSync(descriptor);
  }
}

/** Opens an image whatever is on it. Throws DiskError and BlockError. */
export async function openDisk(request: DiskRequest): Promise<DiskImage> {
  const [{ lookAtDisk }, { readDisk }] = await Promise.all([
    import("../host/node/disks.js"),
    import("../disk/disk.js"),
  ]);
  const { source, close } = lookAtDisk(request);
  try {
    return { source, disk: readDisk(source), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Opens a file if a partition table or a file system is on it; undefined when it is something else. Throws DiskError and BlockError. */
export async function diskImage(request: DiskRequest): Promise<DiskImage | undefined> {
  if (!mayBeDisk(request.file)) return undefined;
  const image = await openDisk(request);
  const { isKnown } = await import("../disk/disk.js");
  if (isKnown(image.disk)) return image;
  image.close();
  return undefined;
}
