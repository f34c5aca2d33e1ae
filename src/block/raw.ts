/** A disk whose file holds its bytes one by one. */
import type { BlockBackend } from "./backend.js";
import { BlockError } from "./block-error.js";
import type { BlockFile } from "./block-file.js";
import { checkRange, readOnlyError } from "./range.js";
import { alignUp } from "../bytes/align.js";

export const SECTOR = 512;
/** Zeros are written in pieces of so many bytes. */
const ZEROS = new Uint8Array(1 << 16);

export interface RawOptions {
  /**
   * A guest may not write these bytes to the beginning of the disk: its file was taken for what it is because it does not begin
   * with them, and would be taken for something else the next time.
   */
  refusedMagic?: Uint8Array;
}

/**
 * The disk. A file that ends within a sector is read as if zeros followed; to be written it has to be whole sectors.
 * Throws BlockError.
 */
export class RawDisk implements BlockBackend {
  readonly size: number;
  readonly readOnly: boolean;
  readonly #file: BlockFile;
  /** Bytes that the file has: the last sector may be more. */
  readonly #there: number;
  readonly #refused: Uint8Array | undefined;
  readonly flushAside?: (done: (failed: BlockError | undefined) => void) => void;

  constructor(file: BlockFile, { refusedMagic }: RawOptions = {}) {
    this.#file = file;
    this.#there = file.size;
    this.size = alignUp(file.size, SECTOR);
    this.readOnly = file.readOnly;
    this.#refused = refusedMagic;
    if (!file.readOnly && this.size !== file.size)
      throw new BlockError(
        file.size,
        `the end of ${file.name} within a sector`,
        `a multiple of ${SECTOR} bytes`,
        `Make it longer first: truncate -s %${SECTOR} ${file.name}`,
      );
    if (file.flushAside !== undefined) this.flushAside = (done) => file.flushAside!(done);
  }

  read(offset: number, into: Uint8Array): void {
    checkRange(this.size, offset, into.length);
    const there = Math.max(0, Math.min(into.length, this.#there - offset));
    if (there > 0) this.#file.read(offset, into.subarray(0, there));
    into.fill(0, there);
  }

  write(offset: number, from: Uint8Array): void {
    this.#checkChange(offset, from.length);
    this.#checkMagic(offset, from);
    this.#file.write(offset, from);
  }

  discard(offset: number, length: number): void {
    this.#checkChange(offset, length);
    this.#file.punch(offset, length);
  }

  writeZeroes(offset: number, length: number, unmap: boolean): void {
    this.#checkChange(offset, length);
    if (unmap && this.#file.punch(offset, length)) return;
    for (let at = 0; at < length; at += ZEROS.length)
      this.#file.write(offset + at, ZEROS.subarray(0, Math.min(ZEROS.length, length - at)));
  }

  flush(): void {
    if (!this.readOnly) this.#file.flush();
  }

  #checkChange(offset: number, length: number): void {
    checkRange(this.size, offset, length);
    if (this.readOnly) throw readOnlyError(offset);
  }

  /** Throws BlockError where what is on the disk, with this written, would begin with the bytes that are refused. */
  #checkMagic(offset: number, from: Uint8Array): void {
    const magic = this.#refused;
    if (magic === undefined || offset >= magic.length) return;
    const start = new Uint8Array(magic.length);
    this.#file.read(0, start);
    start.set(from.subarray(0, magic.length - offset), offset);
    if (!magic.every((byte, i) => start[i] === byte)) return;
    throw new BlockError(
      offset,
      "the magic number of another image format, written by the guest",
      "a disk that is still raw afterwards",
      "Say format=raw if the guest is to write it.",
    );
  }
}
