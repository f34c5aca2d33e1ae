/**
 * Guest RAM that is not there yet: its blocks are fetched when somebody first asks where a page of theirs lies, and the rest whenever
 * there is time. Nothing reaches RAM without asking: CPUs by their TLBs, whose misses ask, devices by guest memory.
 */
import { PageSourceError, type PageSource } from "../contract.js";
import * as layout from "../x86/layout.js";

/** Pages that lie together in RAM and in the source. */
interface Run {
  /** The first one's number in RAM. */
  ramPage: number;
  /** Its number in the source. */
  page: number;
  count: number;
}

/** What is absent, and where it comes from. */
interface Absence {
  /** All of it. */
  ram: Uint8Array;
  /** By page of RAM: not there. */
  absent: Uint8Array;
  source: PageSource;
  /** Gives a page's number in RAM. */
  placeOf(this: void, page: number): number;
  /** Called once nothing is absent any more. */
  done(this: void): void;
}

export class AbsentPages {
  readonly #ram: Uint8Array;
  readonly #source: PageSource;
  readonly #done: () => void;
  /** Ascending, in RAM and in the source. */
  readonly #runs: readonly Run[];
  readonly #pages: number;
  readonly #absent: Uint8Array;
  readonly #scratch: Uint8Array;
  readonly #fetched: Uint8Array;
  /** Blocks that are still to be fetched, and how far `more` has looked. */
  #left: number;
  #next = 0;

  constructor({ ram, absent, source, placeOf, done }: Absence) {
    this.#ram = ram;
    this.#source = source;
    this.#done = done;
    this.#absent = absent;
    let page = 0;
    this.#runs = source.runs.map(({ first, count }) => {
      const run = { ramPage: placeOf(first), page, count };
      this.#absent.fill(1, run.ramPage, run.ramPage + count);
      page += count;
      return run;
    });
    this.#pages = page;
    this.#left = Math.ceil(page / source.blockPages);
    this.#fetched = new Uint8Array(this.#left);
    this.#scratch = new Uint8Array(source.blockPages * layout.PAGE_SIZE);
  }

  /** Sees to it that the pages of `[offset, +length)` are there. Throws PageSourceError. */
  bring(offset: number, length: number): void {
    const last = Math.floor((offset + Math.max(1, length) - 1) / layout.PAGE_SIZE);
    for (let ramPage = Math.floor(offset / layout.PAGE_SIZE); ramPage <= last; ramPage++)
      if (this.#absent[ramPage] !== 0) this.#fetch(this.#blockOf(ramPage));
  }

  /** Fetches so many blocks more. */
  more(count: number): void {
    for (let left = count; left > 0 && this.#left > 0; this.#next++) {
      if (this.#fetched[this.#next] !== 0) continue;
      this.#fetch(this.#next);
      left--;
    }
  }

  #blockOf(ramPage: number): number {
    const run = this.#runs[this.#lastRun((one) => one.ramPage <= ramPage)];
    return Math.floor((run.page + ramPage - run.ramPage) / this.#source.blockPages);
  }

  /** The last run of which something holds that holds for all before it. */
  #lastRun(holds: (run: Run) => boolean): number {
    let low = 0;
    for (let high = this.#runs.length - 1; low < high;) {
      const middle = (low + high + 1) >>> 1;
      if (holds(this.#runs[middle])) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #fetch(block: number): void {
    const { blockPages } = this.#source;
    const first = block * blockPages;
    const end = Math.min(first + blockPages, this.#pages);
    const index = this.#lastRun(({ page }) => page <= first);
    const run = this.#runs[index];
    // Mostly a block lies in one run, and is read into its place at once.
    const together = end <= run.page + run.count;
    const bytes = together
      ? this.#place(run, first, end)
      : this.#scratch.subarray(0, (end - first) * layout.PAGE_SIZE);
    this.#read(block, bytes);
    for (let i = index, page = first; page < end; i++) {
      const until = Math.min(end, this.#runs[i].page + this.#runs[i].count);
      const place = this.#place(this.#runs[i], page, until);
      if (!together)
        place.set(bytes.subarray((page - first) * layout.PAGE_SIZE, (until - first) * layout.PAGE_SIZE));
      const ramPage = place.byteOffset - this.#ram.byteOffset;
      this.#absent.fill(0, ramPage / layout.PAGE_SIZE, (ramPage + place.length) / layout.PAGE_SIZE);
      page = until;
    }
    this.#fetched[block] = 1;
    if (--this.#left === 0) this.#done();
  }

  #read(block: number, into: Uint8Array): void {
    try {
      this.#source.read(block, into);
    } catch (error) {
      throw new PageSourceError(error);
    }
  }

  /** The RAM of pages of a run. */
  #place({ ramPage, page }: Run, first: number, end: number): Uint8Array {
    const at = (ramPage + first - page) * layout.PAGE_SIZE;
    return this.#ram.subarray(at, at + (end - first) * layout.PAGE_SIZE);
  }
}
