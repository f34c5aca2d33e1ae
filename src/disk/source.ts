/** Reading a disk in pieces: bytes at an offset as a checked view, and a part of a disk as a source of its own. */
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import { BlockError } from "../block/block-error.js";
import type { BlockSource } from "../block/backend.js";

/** Whether `length` bytes at `offset` lie inside. False for what is no safe integer. */
export function holds({ size }: BlockSource, offset: number, length: number): boolean {
  return Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset <= size - length;
}

/** Bytes at an offset; errors of the view count from the start of `source`. Throws BlockError when they are not inside. */
export function readAt(source: BlockSource, offset: number, length: number): ByteView {
  if (!holds(source, offset, length))
    throw new BlockError(
      offset,
      `the end at ${hex(source.size)}`,
      `${length} bytes`,
      "What points here is damaged, or the file was cut short.",
    );
  const bytes = new Uint8Array(length);
  source.read(offset, bytes);
  return new ByteView(bytes, offset);
}

/** The same; undefined when they are not inside. */
export function viewAt(source: BlockSource, offset: number, length: number): ByteView | undefined {
  return holds(source, offset, length) ? readAt(source, offset, length) : undefined;
}

/** A part of a disk. */
export class DiskPart implements BlockSource {
  /** Both in bytes; what of it is not on the disk is left out. */
  constructor(
    readonly disk: BlockSource,
    readonly start: number,
    length: number,
  ) {
    this.size = Math.max(0, Math.min(length, disk.size - start));
  }

  readonly size: number;

  read(offset: number, into: Uint8Array): void {
    if (!holds(this, offset, into.length))
      throw new BlockError(
        this.start + offset,
        `the end of the partition at ${hex(this.start + this.size)}`,
        `${into.length} bytes`,
        "What points here is damaged, or the partition was made smaller than what is in it.",
      );
    this.disk.read(this.start + offset, into);
  }
}

/** Bytes in memory as a source. */
export function memorySource(bytes: Uint8Array): BlockSource {
  return {
    size: bytes.length,
    read(offset, into) {
      if (!holds(this, offset, into.length))
        throw new BlockError(
          offset,
          `the end at ${hex(bytes.length)}`,
          `${into.length} bytes`,
          "Read inside.",
        );
      into.set(bytes.subarray(offset, offset + into.length));
    },
  };
}
