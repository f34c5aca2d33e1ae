/**
 * A disk's bytes as a machine and its tools reach them, wherever they are: a file, an image format, memory. All calls come back
 * when they are done; a call with a range that is not inside throws BlockError and changes nothing.
 */
import type { BlockError } from "./block-error.js";

/** Bytes that can be read anywhere. */
export interface BlockSource {
  /** Bytes. A disk has a multiple of 512. */
  readonly size: number;
  /** Fills `into` from `offset` on. Throws BlockError. */
  read(offset: number, into: Uint8Array): void;
}

/** A disk. Nothing that is written is promised to last before a flush. */
export interface BlockBackend extends BlockSource {
  /** Nothing can be written: the calls that would throw BlockError. */
  readonly readOnly: boolean;
  /** Throws BlockError; what of it was written then is not known. */
  write(offset: number, from: Uint8Array): void;
  /** Nobody needs these bytes: they read as they were or as zeros, and what they took may be given back. */
  discard(offset: number, length: number): void;
  /** They read as zeros. `unmap`: what they took may be given back. */
  writeZeroes(offset: number, length: number, unmap: boolean): void;
  /** All that was written is on the disk when this comes back. Throws BlockError where that is not sure. */
  flush(): void;
  /**
   * The same without waiting: `done` is called once, from wherever, with what `flush` would have thrown. Absent: it takes no time
   * worth waiting elsewhere.
   */
  flushAside?(done: (failed: BlockError | undefined) => void): void;
}
