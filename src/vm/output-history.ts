/**
 * What a guest has written to one stream: the last of it is kept, and any number of readers follow. A reader holds the guest back;
 * without one the oldest bytes go. Knows no text and no machine.
 */

import { ByteBlock } from "./byte-block.js";

/** Bytes that are kept for readers to come, and that one may lag behind. */
const KEPT_BYTES = 1 << 20;

/** Where a reader begins: with the first byte that is kept, or with the next one to come. */
export type Since = "start" | "now";

export class OutputHistory {
  /** Few: of two neighbours at least one is half full, so that they can be walked. */
  #blocks: ByteBlock[] = [];
  /** How many bytes came before the first block. */
  #first = 0;
  #end = 0;
  #isOver = false;
  /** Places of the readers. */
  readonly #places = new Map<symbol, number>();
  #waiting: (() => void)[] = [];

  /** Takes what was written; resolves when there is room for more. */
  async take(bytes: Uint8Array): Promise<void> {
    if (this.#isOver) return;
    if (this.#blocks.at(-1)?.append(bytes) !== true) this.#blocks.push(new ByteBlock(bytes));
    this.#end += bytes.length;
    this.#wake();
    while (!this.#trim() && !this.#isOver) await this.#changed();
  }

  /** Nothing more comes. */
  finish(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** The bytes from there to the end, as they come. "now" is when this is called; the guest is held back from the first `next()` on. */
  read(since: Since): AsyncGenerator<Uint8Array, void> {
    return this.#follow(since === "now" ? this.#end : 0);
  }

  async *#follow(from: number): AsyncGenerator<Uint8Array, void> {
    const reader = Symbol("reader");
    this.#places.set(reader, Math.max(from, this.#first));
    try {
      for (;;) {
        const bytes = this.#at(this.#places.get(reader)!);
        if (bytes === undefined) {
          if (this.#isOver) return;
          await this.#changed();
          continue;
        }
        yield bytes;
        this.#places.set(reader, this.#places.get(reader)! + bytes.length);
        this.#wake();
      }
    } finally {
      this.#places.delete(reader);
      this.#wake();
    }
  }

  /** What stands there up to the end of its block; undefined: nothing yet. */
  #at(place: number): Uint8Array | undefined {
    let from = this.#first;
    for (const block of this.#blocks) {
      if (place < from + block.length) return block.bytes.subarray(place - from);
      from += block.length;
    }
    return undefined;
  }

  /** Drops what is too much; false where a reader still needs it. */
  #trim(): boolean {
    const needed = Math.min(this.#end, ...this.#places.values());
    while (this.#end - this.#first > KEPT_BYTES) {
      const [oldest] = this.#blocks;
      if (this.#first + oldest.length > needed) return false;
      this.#first += oldest.length;
      this.#blocks.shift();
    }
    return true;
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
