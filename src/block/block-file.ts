/**
 * A file as the image formats see it: bytes that are read and written anywhere, whose end moves. A host's file is one, and bytes in
 * memory are one for tests and tools.
 */
import type { BlockError } from "./block-error.js";
import { checkRange } from "./range.js";

export interface BlockFile {
  /** For people: its path. */
  readonly name: string;
  readonly readOnly: boolean;
  /** Bytes. */
  readonly size: number;
  /** Fills `into`; the range is inside. Throws BlockError where the host cannot. */
  read(offset: number, into: Uint8Array): void;
  /** May go beyond the end; what lies between reads as zeros. Throws BlockError. */
  write(offset: number, from: Uint8Array): void;
  /** Makes it so long; what is new reads as zeros. Throws BlockError. */
  resize(size: number): void;
  /** Gives back what these bytes took, which read as zeros then. False where this host cannot: nothing has happened. */
  punch(offset: number, length: number): boolean;
  /** All that was written, and the length, is on the disk. Throws BlockError. */
  flush(): void;
  /** The same beside this thread; see `BlockBackend.flushAside`. */
  flushAside?(done: (failed: BlockError | undefined) => void): void;
  close(): void;
}

/** A file in memory. */
export class MemoryFile implements BlockFile {
  #bytes: Uint8Array;
  #size: number;

  constructor(
    bytes: Uint8Array = new Uint8Array(0),
    readonly name: string = "memory",
    readonly readOnly: boolean = false,
  ) {
    this.#bytes = bytes;
    this.#size = bytes.length;
  }

  get size(): number {
    return this.#size;
  }

  /** What is in it. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  read(offset: number, into: Uint8Array): void {
    checkRange(this.#size, offset, into.length);
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }

  write(offset: number, from: Uint8Array): void {
    if (offset + from.length > this.#size) this.resize(offset + from.length);
    this.#bytes.set(from, offset);
  }

  resize(size: number): void {
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
      grown.set(this.bytes);
      this.#bytes = grown;
    }
    this.#size = size;
  }

  punch(offset: number, length: number): boolean {
    this.#bytes.fill(0, offset, Math.min(this.#size, offset + length));
    return true;
  }

  flush(): void {
    // Nothing of it outlives the process.
  }

  close(): void {
    // Nothing is open.
  }
}
