/**
 * Snapshots as files: written beside and renamed, so that there is the old one or the new one and never half of one; readable by
 * their owner alone, as they hold the guest's secrets. Read in place: RAM goes from the file into the guest's memory at once.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  writevSync,
} from "node:fs";
import path from "node:path";
import { crc32 as ownCrc32, type Checksum } from "../../codecs/crc32.js";
import { snapshotPieces, type SnapshotOptions } from "../../snapshot/write.js";
import { MAGIC, PAGE } from "../../snapshot/format.js";
import { isSnapshot, type FileOptions, type SnapshotSource } from "../../snapshot/file.js";
import { SnapshotError } from "../../snapshot/snapshot-error.js";
import { lateBuiltin } from "./late-builtin.js";
import type { Machine } from "../../machine/machine.js";

/** Of whoever runs this program, and nobody else. */
const OWNER_ONLY = 0o600;
/** Pieces of memory in one call: what every system takes. */
export const PIECES_AT_ONCE = 512;
/** Bytes of pages that are worth a second way to write them. */
const WORTH_DIRECT = 1 << 20;
/** Packing is for files that are kept: it takes a second for 100 MB, and more would not pay. */
const GZIP_LEVEL = 1;

/** Bytes for which zlib is worth being loaded, which takes 2 ms: what a snapshot says of itself has fewer. */
const WORTH_ZLIB = 4096;

let loaded: ReturnType<typeof lateBuiltin<"node:zlib">> | undefined;

function zlib(): NonNullable<typeof loaded> {
  loaded ??= lateBuiltin("node:zlib");
  return loaded;
}

/** Zlib's, where this Node has it (20.15 and later): several times as fast as ours. */
const CHECKSUM: { checksum: Checksum } = {
  checksum: (bytes, previous) => (zlib().crc32 ?? ownCrc32)(bytes, previous),
};

/** How files are read fast here. */
export const FAST_READING: Required<FileOptions> = {
  ...CHECKSUM,
  gunzip: (packed, most) => zlib().gunzipSync(packed, { maxOutputLength: Math.max(1, most) }),
};

/** How as little of a file is read as what it says of itself, before anything else is. */
export const ABOUT_READING: FileOptions = {
  checksum: (bytes, previous) => {
    const { checksum } = bytes.length < WORTH_ZLIB ? { checksum: ownCrc32 } : CHECKSUM;
    return checksum(bytes, previous);
  },
};

/**
 * Saves a machine to a file, which is there whole when this returns, and on disk. Returns its bytes. Throws SaveError where the
 * machine cannot be saved now, and the host's errors: then whatever was there before is.
 */
export function saveToFile(
  file: string,
  machine: Machine,
  options: Omit<SnapshotOptions, "gzip" | "checksum"> & { compress: boolean },
): number {
  const { compress, ...others } = options;
  const gzip = (pieces: readonly Uint8Array[]): Uint8Array =>
    zlib().gzipSync(Buffer.concat(pieces), { level: GZIP_LEVEL });
  const pieces = snapshotPieces(machine, { ...others, ...CHECKSUM, ...(compress && { gzip }) });
  writeWhole(file, pieces);
  return sizeOf(pieces);
}

/** Writes a file that is either not there or complete, even after a crash; a link stays a link. */
function writeWhole(file: string, pieces: readonly Uint8Array[]): void {
  const place = existsSync(file) ? realpathSync(file) : file;
  const partial = path.join(path.dirname(place), `.${path.basename(place)}.${crypto.randomUUID()}.tmp`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const descriptor = openSync(partial, flags, OWNER_ONLY);
  try {
    try {
      const { head, headLength, pages } = inTwo(pieces);
      writeAll(descriptor, head, 0);
      const left = writeDirectly(partial, pages, headLength);
      writeAll(descriptor, left, headLength + sizeOf(pages) - sizeOf(left));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(partial, place);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Bytes of pieces of memory. */
export function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** What comes before the pages that begin at a page of the file, and these. */
function inTwo(pieces: readonly Uint8Array[]): {
  head: readonly Uint8Array[];
  headLength: number;
  pages: readonly Uint8Array[];
} {
  let first = pieces.length;
  while (first > 0 && pieces[first - 1].length % PAGE === 0) first--;
  const head = pieces.slice(0, first);
  const headLength = sizeOf(head);
  return headLength % PAGE === 0
    ? { head, headLength, pages: pieces.slice(first) }
    : { head: pieces, headLength: sizeOf(pieces), pages: [] };
}

/**
 * Writes pages from memory to the disk at once, where the system can do that, and gives what of them is still to be written. What goes
 * through the system's cache takes memory for every page, which may cost several times what the disk does.
 */
function writeDirectly(file: string, pages: readonly Uint8Array[], position: number): readonly Uint8Array[] {
  const direct = constants.O_DIRECT as number | undefined;
  const size = sizeOf(pages);
  if (direct === undefined || size < WORTH_DIRECT) return pages;
  let left = pages;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, constants.O_WRONLY | direct);
    while (left.length > 0) {
      const some = left.slice(0, PIECES_AT_ONCE);
      const written = writevSync(descriptor, some, position + size - sizeOf(left));
      left = [...behind(some, written), ...left.slice(PIECES_AT_ONCE)];
    }
  } catch {
    // Not every file system can, or not from this place; what is really wrong is found again without.
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return left;
}

function writeAll(descriptor: number, pieces: readonly Uint8Array[], position: number): void {
  let at = position;
  for (let i = 0; i < pieces.length; i += PIECES_AT_ONCE) {
    let rest = pieces.slice(i, i + PIECES_AT_ONCE);
    while (rest.length > 0) {
      const written = writevSync(descriptor, rest, at);
      at += written;
      rest = behind(rest, written);
    }
  }
}

/** What is left of pieces when so many bytes were written. */
function behind(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = written;
  for (const piece of pieces) {
    if (skip < piece.length) left.push(piece.subarray(skip));
    skip = Math.max(0, skip - piece.length);
  }
  return left;
}

/** A file that is open to be read. */
export interface OpenFile extends SnapshotSource {
  close(): void;
}

/** Opens a snapshot. Throws the host's errors, and SnapshotError for what is no file. */
export function openSnapshotFile(name: string): OpenFile {
  const nonblocking = (constants.O_NONBLOCK as number | undefined) ?? 0;
  const descriptor = openSync(name, constants.O_RDONLY | nonblocking);
  const facts = fstatSync(descriptor);
  if (!facts.isFile()) {
    closeSync(descriptor);
    throw new SnapshotError(
      undefined,
      facts.isDirectory() ? "a folder" : "no regular file",
      "the file of a snapshot",
      "It is read in place.",
    );
  }
  return {
    length: facts.size,
    read: (offset, into) => readAll(descriptor, offset, into),
    close: () => closeSync(descriptor),
  };
}

function readAll(descriptor: number, offset: number, into: Uint8Array): void {
  let done = 0;
  while (done < into.length) {
    const count = readSync(descriptor, into, done, into.length - done, offset + done);
    if (count === 0) throw cutOff(offset + done, into.length - done);
    done += count;
  }
}

function cutOff(offset: number, missing: number): SnapshotError {
  const meaning = "It became shorter while it was read.";
  return new SnapshotError(offset, "the end of the file", `${missing} bytes more`, meaning);
}

/** What `read` finds in a snapshot that is open meanwhile. Throws as `openSnapshotFile`, and what `read` throws. */
export function readSnapshotFile<T>(name: string, read: (file: OpenFile) => T): T {
  const file = openSnapshotFile(name);
  try {
    return read(file);
  } finally {
    file.close();
  }
}

/** Whether there is a file of this name that begins like a snapshot. */
export function isSnapshotFile(name: string): boolean {
  const start = new Uint8Array(MAGIC.length);
  try {
    return readSnapshotFile(name, (file) => {
      if (file.length < start.length) return false;
      file.read(0, start);
      return isSnapshot(start);
    });
  } catch {
    return false;
  }
}
