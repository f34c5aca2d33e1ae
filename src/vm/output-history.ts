/**
 * What a guest has written to one stream: the last of it is kept, and any number of readers follow. A reader holds the guest back, or is
 * given up where it lags too far; without one the oldest bytes go. Knows no text and no machine.
 */

import { ByteBlock } from "./byte-block.js";

/** Bytes that are kept for readers to come, and that one may lag behind. */
const KEPT_BYTES = 1 << 20;

/** Where a reader begins: with the first byte that is kept, or with the next one to come. */
export type Since = "start" | "now";

/** Of a stream whose guest cannot be held back. */
export interface LagLimit {
  /** How far a reader may lag behind. */
  readonly bytes: number;
  /** What it is told that lags further. */
  readonly error: () => Error;
}

interface Reader {
  /** Its place in the stream. */
  place: number;
  /** Bytes that it had not read yet are gone. */
  lost?: Error;
}

export class OutputHistory {
  readonly #limit: LagLimit | undefined;
  /** Few: of two neighbours at least one is half full, so that they can be walked. */
  #blocks: ByteBlock[] = [];
  /** How many bytes came before the first block. */
  #first = 0;
  #end = 0;
  #isOver = false;
  readonly #readers = new Set<Reader>();
  #waiting: (() => void)[] = [];

  /** `limit`: readers hold nobody back; absent: they do. */
  constructor(limit?: LagLimit) {
    this.#limit = limit;
  }

  /** Takes what was written; resolves when there is room for more. */
  async take(bytes: Uint8Array): Promise<void> {
    if (this.#isOver) return;
    if (this.#blocks.at(-1)?.append(bytes) !== true) this.#blocks.push(new ByteBlock(bytes));
    this.#end += bytes.length;
    this.#giveUp();
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
    const reader: Reader = { place: Math.max(from, this.#first) };
    this.#readers.add(reader);
    try {
      for (;;) {
        if (reader.lost !== undefined) throw reader.lost;
        const bytes = this.#at(reader.place);
        if (bytes === undefined) {
          if (this.#isOver) return;
          await this.#changed();
          continue;
        }
        yield bytes;
        reader.place += bytes.length;
        this.#wake();
      }
    } finally {
      this.#readers.delete(reader);
      this.#wake();
    }
  }

  /** Lets go of the readers that lag too far. */
  #giveUp(): void {
    if (this.#limit === undefined) return;
    for (const reader of this.#readers)
      if (this.#end - reader.place > this.#limit.bytes) {
        reader.lost = this.#limit.error();
        this.#readers.delete(reader);
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

  /** Drops what is too much; false where a reader still needs it and holds the guest back. */
  #trim(): boolean {
    const needed = Math.min(this.#end, ...[...this.#readers].map(({ place }) => place));
    while (this.#end - this.#first > KEPT_BYTES) {
      const [oldest] = this.#blocks;
      if (this.#first + oldest.length > needed) return this.#limit !== undefined;
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
