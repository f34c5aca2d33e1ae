/**
 * Reads tar archives: ustar, GNU long names, pax paths and sizes. Entries are views into the archive; links are
 * named, never followed. Knows nothing of packages.
 *
 * Format: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar
 * Format".
 */
import { GuestError } from "../errors.js";
import type { FileOwner } from "./cpio.js";

const BLOCK = 512;
/** Fields of the ustar header block, bytes. */
const FIELD = {
  name: { offset: 0, size: 100 },
  mode: { offset: 100, size: 8 },
  user: { offset: 108, size: 8 },
  group: { offset: 116, size: 8 },
  size: { offset: 124, size: 12 },
  checksum: { offset: 148, size: 8 },
  type: { offset: 156, size: 1 },
  linkName: { offset: 157, size: 100 },
  magic: { offset: 257, size: 5 },
  prefix: { offset: 345, size: 155 },
} as const;
const USTAR_MAGIC = "ustar";
/** The first byte of a number in GNU's and star's base-256 form. */
const BASE_256 = 0x80;
const PERMISSIONS = 0o7777;
const SPACE = 0x20;

type Field = (typeof FIELD)[keyof typeof FIELD];

/** What kind of file an entry is, by its type flag. */
export type TarKind = "file" | "hardlink" | "symlink" | "directory" | "other";

const KINDS: Record<string, TarKind> = {
  "": "file",
  "0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "5": "directory",
};
const GNU_LONG_NAME = "L";
const GNU_LONG_LINK = "K";
const PAX_NEXT = "x";
const PAX_GLOBAL = "g";

export interface TarEntry {
  /** As stored, e.g. `./boot/vmlinuz`. */
  path: string;
  kind: TarKind;
  /** Permission bits, 0–0o7777. */
  mode: number;
  /** Numbers; 0 is root. */
  owner: FileOwner;
  /** What a link points to, as stored; "" for everything else. */
  linkName: string;
  bytes: Uint8Array;
}

const utf8 = new TextDecoder();

function damaged(offset: number, what: string): GuestError {
  return new GuestError("damaged", `tar archive: ${what} at offset ${offset}`);
}

function fieldText(block: Uint8Array, { offset, size }: Field): string {
  const raw = block.subarray(offset, offset + size);
  const end = raw.indexOf(0);
  return utf8.decode(end < 0 ? raw : raw.subarray(0, end));
}

/** An octal number, or base-256 where the first byte says so. NaN when it is neither. */
function fieldNumber(block: Uint8Array, field: Field): number {
  if ((block[field.offset] & BASE_256) !== 0) {
    const raw = block.subarray(field.offset + 1, field.offset + field.size);
    return raw.reduce((value, byte) => value * 256 + byte, block[field.offset] & ~BASE_256);
  }
  const digits = fieldText(block, field).trim();
  return /^[0-7]*$/.test(digits) ? parseInt(digits || "0", 8) : NaN;
}

/** The header checksum: the sum of all bytes with the checksum field itself read as blanks. */
function checksumOf(block: Uint8Array): number {
  const { offset, size } = FIELD.checksum;
  let sum = size * SPACE;
  for (let i = 0; i < BLOCK; i++) if (i < offset || i >= offset + size) sum += block[i];
  return sum;
}

/** The records of a pax header: `LENGTH KEY=VALUE\n`, LENGTH counting the whole record. */
function paxRecords(bytes: Uint8Array, offset: number): Map<string, string> {
  const records = new Map<string, string>();
  let position = 0;
  while (position < bytes.length) {
    const blank = bytes.indexOf(SPACE, position);
    const length = Number(utf8.decode(bytes.subarray(position, Math.max(blank, position))));
    if (blank < 0 || !(length > blank - position) || position + length > bytes.length) {
      throw damaged(offset + position, "a pax record with a wrong length");
    }
    const record = utf8.decode(bytes.subarray(blank + 1, position + length - 1));
    const equals = record.indexOf("=");
    if (equals < 0) throw damaged(offset + position, "a pax record without a value");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    position += length;
  }
  return records;
}

/** What header entries said about the entry that follows them. */
interface Pending {
  path?: string;
  linkName?: string;
  size?: number;
}

function remember(pending: Pending, type: string, data: Uint8Array, offset: number): void {
  if (type === GNU_LONG_NAME) pending.path = utf8.decode(data).replace(/\0.*$/s, "");
  else if (type === GNU_LONG_LINK) pending.linkName = utf8.decode(data).replace(/\0.*$/s, "");
  else {
    const records = paxRecords(data, offset);
    const path = records.get("path");
    const linkName = records.get("linkpath");
    const size = records.get("size");
    if (path !== undefined) pending.path = path;
    if (linkName !== undefined) pending.linkName = linkName;
    if (size !== undefined) pending.size = Number(size);
  }
}

function headerPath(block: Uint8Array): string {
  const name = fieldText(block, FIELD.name);
  const prefix = fieldText(block, FIELD.magic) === USTAR_MAGIC ? fieldText(block, FIELD.prefix) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/**
 * The entries in file order, up to the end marker or the end of `bytes`. An archive that was cut off inside an
 * entry's data throws; one cut off between entries just ends, so that a prefix of a large archive can be read.
 */
export function* readTar(bytes: Uint8Array): Generator<TarEntry> {
  let offset = 0;
  let pending: Pending = {};
  while (offset + BLOCK <= bytes.length) {
    const block = bytes.subarray(offset, offset + BLOCK);
    if (block.every((byte) => byte === 0)) return;
    if (fieldNumber(block, FIELD.checksum) !== checksumOf(block))
      throw damaged(offset, "a header with a wrong checksum");
    const type = fieldText(block, FIELD.type);
    const isHeader = [GNU_LONG_NAME, GNU_LONG_LINK, PAX_NEXT, PAX_GLOBAL].includes(type);
    const size = isHeader ? fieldNumber(block, FIELD.size) : (pending.size ?? fieldNumber(block, FIELD.size));
    const start = offset + BLOCK;
    if (!Number.isSafeInteger(size) || size > bytes.length - start) {
      throw damaged(offset, `an entry of ${size} bytes where ${bytes.length - start} are left`);
    }
    const data = bytes.subarray(start, start + size);
    if (isHeader) {
      if (type !== PAX_GLOBAL) remember(pending, type, data, start);
    } else {
      yield {
        path: pending.path ?? headerPath(block),
        kind: KINDS[type] ?? "other",
        mode: fieldNumber(block, FIELD.mode) & PERMISSIONS,
        owner: { user: fieldNumber(block, FIELD.user) || 0, group: fieldNumber(block, FIELD.group) || 0 },
        linkName: pending.linkName ?? fieldText(block, FIELD.linkName),
        bytes: data,
      };
      pending = {};
    }
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}
