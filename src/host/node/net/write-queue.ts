/**
 * Bytes that wait for a stream socket. They lie in blocks, so that small frames cost no more than their bytes, and one block at a time
 * is the socket's, so that what a slow peer takes is seen soon.
 */
import type net from "node:net";

const BLOCK = 2 ** 16;

export class WriteQueue {
  readonly #blocks: Buffer[] = [];
  /** One that was written: a peer that keeps up needs no other. */
  #spare: Buffer | undefined;
  /** Bytes of the last block. */
  #filled = 0;
  #waiting = 0;
  #taken = 0;
  #isWriting = false;
  #isPlanned = false;
  #ends = false;

  /** `left`: told that some have left. */
  constructor(
    private readonly socket: net.Socket,
    private readonly left: () => void,
  ) {}

  /** Bytes that the host has not taken yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Bytes that it has taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /** Adds bytes, which stay the caller's. What is added in one turn of the event loop leaves in one call. */
  push(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0;) {
      if (this.#blocks.length === 0 || this.#filled === BLOCK) {
        this.#blocks.push(this.#spare ?? Buffer.allocUnsafeSlow(BLOCK));
        this.#spare = undefined;
        this.#filled = 0;
      }
      const some = rest.subarray(0, BLOCK - this.#filled);
      this.#blocks.at(-1)!.set(some, this.#filled);
      this.#filled += some.length;
      rest = rest.subarray(some.length);
    }
    this.#waiting += bytes.length;
    if (this.#isPlanned || this.#isWriting) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#write();
    });
  }

  /** Ends the socket behind what waits. */
  end(): void {
    this.#ends = true;
    this.#write();
  }

  #write(): void {
    if (this.#isWriting || this.socket.destroyed) return;
    const block = this.#blocks.shift();
    if (block === undefined) {
      if (this.#ends) this.socket.end();
      return;
    }
    const bytes = this.#blocks.length === 0 ? block.subarray(0, this.#filled) : block;
    this.#isWriting = true;
    this.socket.write(bytes, (error) => {
      this.#isWriting = false;
      if (error) return;
      this.#spare = block;
      this.#waiting -= bytes.length;
      this.#taken += bytes.length;
      this.#write();
      this.left();
    });
  }
}
