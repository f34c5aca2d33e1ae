/**
 * Guest RAM that is not there yet: its blocks are fetched when somebody first asks where a page of theirs lies, and the rest whenever
 * there is time. Nothing reaches RAM without asking: CPUs by their TLBs, whose misses ask, devices by guest memory.
 */
import type { PageSource } from "../contract.js";
import * as layout from "../x86/layout.js";

export class AbsentPages {
  readonly #ram: Uint8Array;
  readonly #source: PageSource;
  readonly #done: () => void;
  /** By page of RAM: 1 + the number of its block, 0 where it is there. */
  readonly #blockOf: Int32Array;
  /** The page of RAM of each page of the source. */
  readonly #places: Uint32Array;
  readonly #scratch: Uint8Array;
  /** Blocks that were fetched, and how far `more` has looked. */
  #fetched = 0;
  #next = 0;

  /** `ram`: all of it; `places`: the page of it that each page of the source is. `done` is called once nothing is absent any more. */
  constructor(ram: Uint8Array, source: PageSource, places: Uint32Array, done: () => void) {
    this.#ram = ram;
    this.#source = source;
    this.#places = places;
    this.#done = done;
    this.#blockOf = new Int32Array(ram.length / layout.PAGE_SIZE);
    const { blockPages } = source;
    for (let page = 0; page < places.length; page++)
      this.#blockOf[places[page]] = 1 + Math.floor(page / blockPages);
    this.#scratch = new Uint8Array(blockPages * layout.PAGE_SIZE);
  }

  get #blocks(): number {
    return Math.ceil(this.#places.length / this.#source.blockPages);
  }

  /** Sees to it that the pages of `[offset, +length)` are there. Throws what the source throws. */
  bring(offset: number, length: number): void {
    const last = Math.floor((offset + Math.max(1, length) - 1) / layout.PAGE_SIZE);
    for (let page = Math.floor(offset / layout.PAGE_SIZE); page <= last; page++) {
      const block = this.#blockOf[page];
      if (block > 0) this.#fetch(block - 1);
    }
  }

  /** Fetches so many blocks more. */
  more(count: number): void {
    for (let left = count; left > 0 && this.#next < this.#blocks; this.#next++) {
      if (this.#blockOf[this.#places[this.#next * this.#source.blockPages]] === 0) continue;
      this.#fetch(this.#next);
      left--;
    }
  }

  #fetch(block: number): void {
    const { blockPages } = this.#source;
    const first = block * blockPages;
    const count = Math.min(blockPages, this.#places.length - first);
    const together = this.#places[first + count - 1] === this.#places[first] + count - 1;
    const bytes = together ? this.#page(first, count) : this.#scratch.subarray(0, count * layout.PAGE_SIZE);
    this.#source.read(block, bytes);
    for (let page = 0; page < count; page++) {
      if (!together)
        this.#page(first + page, 1).set(
          bytes.subarray(page * layout.PAGE_SIZE, (page + 1) * layout.PAGE_SIZE),
        );
      this.#blockOf[this.#places[first + page]] = 0;
    }
    this.#fetched++;
    if (this.#fetched === this.#blocks) this.#done();
  }

  /** The RAM of `count` pages of the source that lie together. */
  #page(first: number, count: number): Uint8Array {
    const at = this.#places[first] * layout.PAGE_SIZE;
    return this.#ram.subarray(at, at + count * layout.PAGE_SIZE);
  }
}
