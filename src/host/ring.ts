/**
 * A byte ring in shared memory between two threads: one writes, one reads, neither locks. Knows no host; waking
 * the other side is the business of whoever owns the ring.
 *
 * ```
 *  word 0   written   bytes ever written, modulo 2^32; stored by the writer only
 *  word 1   read      bytes ever read, modulo 2^32; stored by the reader only
 *  word 2   closed    1 once the writer will write no more
 *  word 3   wanted    1 once one side wants to be woken when the other has written or read
 *  word 4   kept      1 while the writer has more than there was room for
 *  byte 20  data      `capacity` bytes, a power of two; byte n of the stream is at n modulo capacity
 * ```
 * The writer stores the bytes, then `written`; the reader loads `written`, then the bytes, then stores `read`.
 */

import { isPowerOfTwo } from "../bytes/align.js";

const HEADER_WORDS = 5;
const HEADER_BYTES = HEADER_WORDS * Int32Array.BYTES_PER_ELEMENT;
const WRITTEN = 0;
const READ = 1;
const CLOSED = 2;
const WANTED = 3;
const KEPT = 4;

export class Ring {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #data: Uint8Array;
  readonly capacity: number;

  /** Wraps the memory of a ring that `Ring.allocate` made, on either side. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, HEADER_WORDS);
    this.#data = new Uint8Array(buffer, HEADER_BYTES);
    this.capacity = this.#data.length;
  }

  /** Makes a ring; `capacity` is a power of two up to 2^30. */
  static allocate(capacity: number): Ring {
    if (!isPowerOfTwo(capacity)) throw new RangeError(`ring capacity ${capacity}: not a power of two`);
    return new Ring(new SharedArrayBuffer(HEADER_BYTES + capacity));
  }

  /** Bytes that can be read now. */
  get available(): number {
    return (Atomics.load(this.#words, WRITTEN) - Atomics.load(this.#words, READ)) >>> 0;
  }

  /** Bytes that can be written now. */
  get space(): number {
    return this.capacity - this.available;
  }

  /** Whether the writer has closed it; bytes may still be there to read. */
  get closed(): boolean {
    return Atomics.load(this.#words, CLOSED) === 1;
  }

  /** Writer: no more will come. */
  close(): void {
    Atomics.store(this.#words, CLOSED, 1);
  }

  /** Writer: whether it has more, which comes once there is room. Stored behind the bytes that it was. */
  keep(waits: boolean): void {
    Atomics.store(this.#words, KEPT, waits ? 1 : 0);
  }

  /** Reader: whether more than what can be read was written. Asked before the bytes are read. */
  get kept(): boolean {
    return Atomics.load(this.#words, KEPT) === 1;
  }

  /** The side that must not block, before it looks a last time: it wants to be woken. */
  want(): void {
    Atomics.store(this.#words, WANTED, 1);
  }

  /** The other side, once it has written or read: whether that is wanted; answered once. */
  takeWanted(): boolean {
    return Atomics.load(this.#words, WANTED) === 1 && Atomics.exchange(this.#words, WANTED, 0) === 1;
  }

  /** Writer: stores as many bytes as there is room for and returns their number. */
  write(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.space);
    if (count === 0) return 0;
    const written = Atomics.load(this.#words, WRITTEN);
    const start = (written >>> 0) % this.capacity;
    const first = Math.min(count, this.capacity - start);
    this.#data.set(bytes.subarray(0, first), start);
    this.#data.set(bytes.subarray(first, count), 0);
    Atomics.store(this.#words, WRITTEN, (written + count) | 0);
    return count;
  }

  /** Reader: takes at most `limit` bytes, as a copy. */
  read(limit: number): Uint8Array {
    const count = Math.min(limit, this.available);
    const bytes = new Uint8Array(count);
    if (count === 0) return bytes;
    const read = Atomics.load(this.#words, READ);
    const start = (read >>> 0) % this.capacity;
    const first = Math.min(count, this.capacity - start);
    bytes.set(this.#data.subarray(start, start + first), 0);
    bytes.set(this.#data.subarray(0, count - first), first);
    Atomics.store(this.#words, READ, (read + count) | 0);
    return bytes;
  }
}
