/**
 * A host's file, or block device, as disks and images read and write it: at once, at any place, straight from and to whatever the
 * caller hands in, guest memory too.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  writeSync,
  type Stats,
} from "node:fs";
import type { SavedFile } from "../../snapshot/disks.js";
import { BlockError } from "../../block/block-error.js";
import type { BlockFile } from "../../block/block-file.js";
import { SECTOR } from "../../block/raw.js";
import { DiskError, hostReason } from "./disk-error.js";
import type { NativeCalls } from "./native-calls.js";
import type { DiskFlusher } from "./disk-flusher.js";

export interface DiskFileOptions {
  /** Whether it is written. */
  write: boolean;
  /** It has to be new. */
  create?: boolean;
  /** What brings it to the disk beside this thread; absent: this thread waits. */
  flusher?: DiskFlusher | undefined;
  /** System calls that Node lacks. */
  native?: NativeCalls | undefined;
}

/** The beginning of a file, by which it is known again: the tables of its partitions, or an image's header. */
const IDENTITY_BYTES = 1 << 16;

/** Its owner alone may read what a guest writes. */
const OWNER_ONLY = 0o600;

/** A way to name what is neither a file nor a block device. */
function kindOf(facts: Stats): string {
  if (facts.isDirectory()) return "a folder";
  if (facts.isCharacterDevice()) return "a character device, which has no end";
  if (facts.isFIFO() || facts.isSocket()) return "a pipe";
  return "something that is no file";
}

export class DiskFile implements BlockFile {
  readonly readOnly: boolean;
  /** Its number in this process. */
  readonly descriptor: number;
  readonly flushAside?: NonNullable<BlockFile["flushAside"]>;
  /** Whether it is a block device. */
  readonly isDevice: boolean;
  readonly #native: NativeCalls | undefined;
  #size: number;

  /** Opens a file. Throws DiskError for what cannot be a disk, and the host's errors. */
  constructor(
    readonly name: string,
    { write, create = false, flusher, native }: DiskFileOptions,
  ) {
    this.readOnly = !write;
    this.#native = native;
    const nonblocking = (constants.O_NONBLOCK as number | undefined) ?? 0;
    const fresh = create ? constants.O_CREAT | constants.O_EXCL : 0;
    // Linux gives a device to one alone that asks so, and to nobody while it is mounted.
    const alone = write && !create && statSync(name).isBlockDevice() ? constants.O_EXCL : 0;
    this.descriptor = openSync(
      name,
      (write ? constants.O_RDWR : constants.O_RDONLY) | nonblocking | fresh | alone,
      OWNER_ONLY,
    );
    try {
      const facts = fstatSync(this.descriptor);
      if (!facts.isFile() && !facts.isBlockDevice())
        throw new DiskError(
          name,
          undefined,
          kindOf(facts),
          "a file or a block device",
          "Give a disk's image.",
        );
      this.isDevice = facts.isBlockDevice();
      this.#size = this.isDevice ? deviceSize(this.descriptor) : facts.size;
    } catch (error) {
      closeSync(this.descriptor);
      throw error;
    }
    if (flusher !== undefined && write)
      this.flushAside = (done) => flusher.flush(this.descriptor, this.name, done);
  }

  /** Bytes, as when it was opened and as it was written to since: what somebody else appends is not seen. */
  get size(): number {
    return this.#size;
  }

  read(offset: number, into: Uint8Array): void {
    let done = 0;
    while (done < into.length) {
      const count = this.#asking(offset + done, "reading", () =>
        readSync(this.descriptor, into, done, into.length - done, offset + done),
      );
      if (count === 0)
        throw new BlockError(
          offset + done,
          `the end of ${this.name}`,
          `${into.length - done} bytes more`,
          "It became shorter while it was open.",
        );
      done += count;
    }
  }

  write(offset: number, from: Uint8Array): void {
    let done = 0;
    while (done < from.length)
      done += this.#asking(offset + done, "writing", () =>
        writeSync(this.descriptor, from, done, from.length - done, offset + done),
      );
    this.#size = Math.max(this.#size, offset + from.length);
  }

  resize(size: number): void {
    if (this.isDevice) {
      if (size <= this.#size) return;
      throw new BlockError(
        this.#size,
        `the end of ${this.name}`,
        `${size} bytes`,
        "The device is too small.",
      );
    }
    this.#asking(size, "its length being changed", () => ftruncateSync(this.descriptor, size));
    this.#size = size;
  }

  punch(offset: number, length: number): boolean {
    return length > 0 && (this.#native?.punchHole(this.descriptor, offset, length) ?? false);
  }

  flush(): void {
    this.#asking(0, "being written to the disk", () => fdatasyncSync(this.descriptor));
  }

  /** What tells it from another file, and from itself after a change. Of a device nobody says when it was changed. */
  identity(): Omit<SavedFile, "format"> {
    const start = new Uint8Array(Math.min(IDENTITY_BYTES, this.#size));
    this.read(0, start);
    const digest = new Uint8Array(createHash("sha256").update(start).digest());
    const facts = { size: this.#size, digest };
    if (this.isDevice) return facts;
    return { ...facts, changedNs: fstatSync(this.descriptor, { bigint: true }).mtimeNs };
  }

  close(): void {
    closeSync(this.descriptor);
  }

  #asking<T>(offset: number, doing: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw new BlockError(
        offset,
        `${this.name}: ${hostReason(error)}`,
        doing,
        "The host's disk refuses it.",
      );
    }
  }
}

/** A device says no size by itself: it ends behind the last sector that can be read. */
function deviceSize(descriptor: number): number {
  const sector = new Uint8Array(SECTOR);
  const isThere = (index: number): boolean => {
    try {
      return readSync(descriptor, sector, 0, SECTOR, index * SECTOR) === SECTOR;
    } catch {
      return false;
    }
  };
  if (!isThere(0)) return 0;
  let last = 0;
  let beyond = 1;
  while (beyond < MOST_SECTORS && isThere(beyond)) {
    last = beyond;
    beyond *= 2;
  }
  while (beyond - last > 1) {
    const middle = Math.floor((last + beyond) / 2);
    if (isThere(middle)) last = middle;
    else beyond = middle;
  }
  return beyond * SECTOR;
}

/** No device is larger: its last byte could not be named by a number. */
const MOST_SECTORS = 2 ** 44;
