/** A disk in memory, for tests of what stands above a back end. */
import type { BlockBackend } from "../../src/block/backend.js";
import { BlockError } from "../../src/block/block-error.js";

export class MemoryDisk implements BlockBackend {
  readonly readOnly: boolean = false;
  /** How often it was flushed. */
  flushes = 0;

  constructor(readonly bytes: Uint8Array) {}

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, into: Uint8Array): void {
    into.set(this.#range(offset, into.length));
  }

  write(offset: number, from: Uint8Array): void {
    this.#range(offset, from.length).set(from);
  }

  discard(offset: number, length: number): void {
    this.#range(offset, length);
  }

  writeZeroes(offset: number, length: number): void {
    this.#range(offset, length).fill(0);
  }

  flush(): void {
    this.flushes++;
  }

  #range(offset: number, length: number): Uint8Array {
    if (offset >= 0 && length >= 0 && offset + length <= this.size)
      return this.bytes.subarray(offset, offset + length);
    throw new BlockError(offset, `${length} bytes`, `a range inside ${this.size} bytes`, "Ask for less.");
  }
}
