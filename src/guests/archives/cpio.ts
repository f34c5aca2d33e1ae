/**
 * Writes cpio archives in the "newc" format, as Linux unpacks them into its first root file system. Streams: an
 * archive's size is bounded by the disk, not by memory. Reproducible: times are zero, inode numbers count
 * up. Knows nothing of what an initramfs needs.
 *
 * Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5) "New ASCII Format".
 *
 * ```
 *  0      6     14     22    30    38      46      54         62    70    78     86     94         102     110
 * ┌──────┬─────┬──────┬─────┬─────┬───────┬───────┬──────────┬─────┬─────┬──────┬──────┬──────────┬───────┬──────┐
 * │070701│ ino │ mode │ uid │ gid │ nlink │ mtime │ filesize │ maj │ min │ rmaj │ rmin │ namesize │ check │ name…│
 * └──────┴─────┴──────┴─────┴─────┴───────┴───────┴──────────┴─────┴─────┴──────┴──────┴──────────┴───────┴──────┘
 *  magic, then 13 numbers of 8 hexadecimal digits; name with NUL and data each padded to a multiple of 4
 * ```
 */
import { GuestError } from "../errors.js";

const NEWC_MAGIC = "070701";
const NEWC_ALIGNMENT = 4;
const NEWC_HEADER_SIZE = 110;
const TRAILER_NAME = "TRAILER!!!";
/** Tools pad whole archives to this; Linux does not mind, other readers do. */
const ARCHIVE_BLOCK = 512;
/** File sizes are 8 hexadecimal digits. */
const MAX_FILE_SIZE = 0xffff_ffff;
/** Linux refuses longer names (PATH_MAX, NUL included). */
const MAX_NAME_SIZE = 4096;

/** File type bits of `st_mode` (POSIX sys/stat.h, Linux's values). */
const TYPE_BITS = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
};

/** Numbers of a user and a group. */
export interface FileOwner {
  user: number;
  group: number;
}

/** What an archive holds at one path. Paths have no leading slash; `mode` is permission bits; no owner is root. */
export type CpioEntry = { path: string; mode: number; owner?: FileOwner | undefined } & (
  | { kind: "directory" | "fifo" }
  | { kind: "file"; size: number; content: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array> }
  | { kind: "symlink"; target: string }
  | { kind: "character" | "block"; major: number; minor: number }
);

const utf8 = new TextEncoder();

function padding(size: number): Uint8Array {
  return new Uint8Array((NEWC_ALIGNMENT - (size % NEWC_ALIGNMENT)) % NEWC_ALIGNMENT);
}

const ROOT: FileOwner = { user: 0, group: 0 };

interface Header {
  inode: number;
  mode: number;
  owner?: FileOwner | undefined;
  links: number;
  size: number;
  major: number;
  minor: number;
  name: string;
}

/** A header with its name, padded. */
function headerBytes({ inode, mode, owner = ROOT, links, size, major, minor, name }: Header): Uint8Array {
  const nameBytes = utf8.encode(`${name}\0`);
  if (nameBytes.length > MAX_NAME_SIZE || name.includes("\0")) {
    throw new GuestError(
      "usage",
      `initramfs: the path ${JSON.stringify(name.slice(0, 80))} cannot be stored`,
    );
  }
  const { user, group } = owner;
  const numbers = [inode, mode, user, group, links, 0, size, 0, 0, major, minor, nameBytes.length, 0];
  const text = NEWC_MAGIC + numbers.map((value) => value.toString(16).padStart(8, "0")).join("");
  const unpadded = NEWC_HEADER_SIZE + nameBytes.length;
  const bytes = new Uint8Array(unpadded + padding(unpadded).length);
  bytes.set(utf8.encode(text));
  bytes.set(nameBytes, NEWC_HEADER_SIZE);
  return bytes;
}

/** A file's contents, checked against the size its header promised. */
async function* fileChunks(entry: CpioEntry & { kind: "file" }): AsyncGenerator<Uint8Array> {
  let written = 0;
  for await (const chunk of entry.content()) {
    written += chunk.length;
    if (written > entry.size) break;
    yield chunk;
  }
  if (written !== entry.size) {
    const found = written > entry.size ? "more" : `${written}`;
    throw new GuestError(
      "usage",
      `initramfs: ${entry.path} changed while it was read: ${found} of ${entry.size} bytes`,
    );
  }
}

/** The archive in chunks. Entries are stored in the given order; parents must come before what they hold. */
export async function* writeCpio(
  entries: AsyncIterable<CpioEntry> | Iterable<CpioEntry>,
): AsyncGenerator<Uint8Array> {
  let inode = 0;
  let total = 0;
  const counted = (bytes: Uint8Array): Uint8Array => {
    total += bytes.length;
    return bytes;
  };
  for await (const entry of entries) {
    const device = entry.kind === "character" || entry.kind === "block" ? entry : { major: 0, minor: 0 };
    const target = entry.kind === "symlink" ? utf8.encode(entry.target) : undefined;
    const size = entry.kind === "file" ? entry.size : (target?.length ?? 0);
    if (size > MAX_FILE_SIZE) {
      throw new GuestError(
        "usage",
        `initramfs: ${entry.path} has ${size} bytes; a newc archive holds at most ${MAX_FILE_SIZE} a file`,
      );
    }
    inode += 1;
    const links = entry.kind === "directory" ? 2 : 1;
    const mode = TYPE_BITS[entry.kind] | entry.mode;
    const { path: name, owner } = entry;
    yield counted(
      headerBytes({ inode, mode, owner, links, size, major: device.major, minor: device.minor, name }),
    );
    if (target) yield counted(target);
    if (entry.kind === "file") for await (const chunk of fileChunks(entry)) yield counted(chunk);
    yield counted(padding(size));
  }
  yield counted(
    headerBytes({ inode: 0, mode: 0, links: 1, size: 0, major: 0, minor: 0, name: TRAILER_NAME }),
  );
  yield new Uint8Array((ARCHIVE_BLOCK - (total % ARCHIVE_BLOCK)) % ARCHIVE_BLOCK);
}
