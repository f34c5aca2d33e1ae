/**
 * What a snapshot says of a machine's disks: which they were, so that others are refused, and what of them was only in memory. Their
 * files are not in it, and no name in it is opened.
 */
import {
  bytes,
  list,
  natural,
  oneOf,
  optional,
  record,
  ShapeError,
  text,
  u64,
  type Shape,
} from "../bytes/shape.js";
import { hex } from "../bytes/hex.js";
import type { OverlayPiece } from "../block/overlay.js";

/** What becomes of what a guest writes: memory, the file, or it cannot write. */
export type SavedAccess = "memory" | "write" | "read";

/** A file of a disk, by what tells it from another one and from itself after a change. */
export interface SavedFile {
  format: "raw" | "qcow2";
  /** Bytes. */
  size: number;
  /** When it was last changed, ns since 1970; absent where the host does not say. */
  changedNs?: bigint;
  /** SHA-256 of its beginning. */
  digest: Uint8Array;
}

export interface SavedDisk {
  /** By which parts know it. */
  name: string;
  /** Its file as it was given: for people. */
  file: string;
  access: SavedAccess;
  /** Of the disk, bytes. */
  size: number;
  serial: string;
  /** The uppermost first, each over the next. */
  files: SavedFile[];
  /** Places whose bytes are in the section DATA, in this order: pairs of 64 bits, offset and length. */
  written: Uint8Array;
  /** Places that read as zeros, likewise. */
  zeros: Uint8Array;
}

/** A disk that is to be saved. */
export interface DiskToSave extends Omit<SavedDisk, "written" | "zeros"> {
  /** What of it is only in memory, ascending. */
  pieces: Iterable<OverlayPiece>;
}

/** What is done with what a snapshot holds of a disk. */
export interface DiskToFill {
  write(offset: number, from: Uint8Array): void;
  writeZeroes(offset: number, length: number, unmap: boolean): void;
}

export interface Place {
  offset: number;
  length: number;
}

const PLACE_SIZE = 16;
const LONGEST_TEXT = 0x10000;
const MOST_DISKS = 1024;
const MOST_FILES = 64;
const DIGEST_SIZE = 32;

/** The value of the section, and the bytes of the one behind: they are the disks' own. */
export function diskSections(disks: readonly DiskToSave[]): {
  value: { disks: SavedDisk[] };
  data: Uint8Array[];
} {
  const data: Uint8Array[] = [];
  const saved = disks.map(({ pieces, ...facts }): SavedDisk => {
    const written: Place[] = [];
    const zeros: Place[] = [];
    for (const { offset, length, bytes: own } of pieces) {
      (own === undefined ? zeros : written).push({ offset, length });
      if (own !== undefined) data.push(own);
    }
    return { ...facts, written: placeBytes(written), zeros: placeBytes(zeros) };
  });
  return { value: { disks: saved }, data };
}

function placeBytes(places: readonly Place[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(places.length * PLACE_SIZE));
  places.forEach(({ offset, length }, i) => {
    view.setBigUint64(i * PLACE_SIZE, BigInt(offset), true);
    view.setBigUint64(i * PLACE_SIZE + 8, BigInt(length), true);
  });
  return new Uint8Array(view.buffer);
}

/** The places of a list that was checked. */
export function* placesOf(list: Uint8Array): Generator<Place> {
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  for (let at = 0; at < list.length; at += PLACE_SIZE)
    yield { offset: Number(view.getBigUint64(at, true)), length: Number(view.getBigUint64(at + 8, true)) };
}

/** Bytes of all places of a list together. */
export function lengthOf(list: Uint8Array): number {
  let sum = 0;
  for (const { length } of placesOf(list)) sum += length;
  return sum;
}

/** Ascending places inside a disk, none of them empty, no two with a byte in common. */
function checkPlaces(list: Uint8Array, size: number, path: string): void {
  if (list.length % PLACE_SIZE !== 0)
    throw new ShapeError(path, `${list.length} bytes`, `a multiple of ${PLACE_SIZE}`);
  let end = 0;
  for (const { offset, length } of placesOf(list)) {
    if (offset < end || length === 0 || offset + length > size)
      throw new ShapeError(
        path,
        `${length} bytes at ${hex(offset)}`,
        `ascending places of a disk of ${size} bytes`,
      );
    end = offset + length;
  }
}

const fileShape: Shape<SavedFile> = record<SavedFile>({
  format: oneOf("raw", "qcow2"),
  size: natural,
  changedNs: optional(u64),
  digest: bytes(DIGEST_SIZE),
});

const diskShape: Shape<SavedDisk> = record<SavedDisk>({
  name: text(LONGEST_TEXT),
  file: text(LONGEST_TEXT),
  access: oneOf("memory", "write", "read"),
  size: natural,
  serial: text(LONGEST_TEXT),
  files: list(fileShape, { min: 1, max: MOST_FILES }),
  written: bytes({ max: Number.MAX_SAFE_INTEGER }),
  zeros: bytes({ max: Number.MAX_SAFE_INTEGER }),
});

/** The disks of a snapshot, each name once; only a disk in memory has places. */
export const disksShape: Shape<{ disks: SavedDisk[] }> = {
  check(value, path) {
    const { disks } = record<{ disks: SavedDisk[] }>({ disks: list(diskShape, { max: MOST_DISKS }) }).check(
      value,
      path,
    );
    disks.forEach(({ name, access, size, written, zeros }, i) => {
      const at = `disks[${i}]`;
      if (disks.findIndex((other) => other.name === name) !== i)
        throw new ShapeError(`${at}.name`, "the name of another disk", "one that no other has");
      if (access !== "memory" && written.length + zeros.length > 0)
        throw new ShapeError(`${at}.written`, `${written.length} bytes`, "none: nothing of it is in memory");
      checkPlaces(written, size, `${at}.written`);
      checkPlaces(zeros, size, `${at}.zeros`);
    });
    return { disks };
  },
};
