/**
 * Guest RAM that is not there yet: its blocks are fetched when somebody first asks where a page of theirs lies, and the rest whenever
 * there is time. Nothing reaches RAM without asking: CPUs by their TLBs, whose misses ask, devices by guest memory.
 */
import { PageSourceError, type PageSource, type WorkingSet } from "../contract.js";
import * as layout from "../x86/layout.js";

/** Pages that lie together in RAM and in the source. */
interface Run {
  /** The first one's number in RAM. */
  ramPage: number;
  /** Its number in the source. */
  page: number;
  count: number;
}

/** What is known of a page of RAM; all but `here` make whoever looks for it ask. `unasked`: it came with others. */
const PAGE = { here: 0, absent: 1, unasked: 2 } as const;

/** What is absent, and where it comes from. */
interface Absence {
  /** All of it. */
  ram: Uint8Array;
  /** By page of RAM, one of `PAGE`. */
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
  /** Pages of the source. */
  readonly #pages: number;
  readonly #state: Uint8Array;
  readonly #scratch: Uint8Array;
  /** Pages of the source that somebody needed, in that order, behind those that were foreseen. */
  readonly #needed: number[] = [];
  #foreseen = 0;
  /** Pages that are absent, and the block up to which `more` has looked. */
  #left: number;
  #next = 0;

  constructor({ ram, absent, source, placeOf, done }: Absence) {
    this.#ram = ram;
    this.#source = source;
    this.#done = done;
    this.#state = absent;
    let page = 0;
    this.#runs = source.runs.map(({ first, count }) => {
      const run = { ramPage: placeOf(first), page, count };
      this.#state.fill(PAGE.absent, run.ramPage, run.ramPage + count);
      page += count;
      return run;
    });
    this.#pages = this.#left = page;
    this.#scratch = new Uint8Array(source.blockPages * layout.PAGE_SIZE);
  }

  /** Sees to it that the pages of `[offset, +length)` are there. Throws PageSourceError. */
  bring(offset: number, length: number): void {
    const last = Math.floor((offset + Math.max(1, length) - 1) / layout.PAGE_SIZE);
    for (let ramPage = Math.floor(offset / layout.PAGE_SIZE); ramPage <= last; ramPage++)
      if (this.#state[ramPage] !== PAGE.here) this.#need(ramPage);
  }

  #need(ramPage: number): void {
    const page = this.#pageAt(ramPage);
    if (this.#state[ramPage] === PAGE.absent) this.#fetch(Math.floor(page / this.#source.blockPages));
    this.#state[ramPage] = PAGE.here;
    this.#needed.push(page);
  }

  /** Fetches so many blocks more. */
  more(count: number): void {
    for (let left = count; left > 0 && this.#left > 0; this.#next++) if (this.#fetch(this.#next)) left--;
  }

  /** Has `first` and the pages of a working set at once; whether they are there now. Nothing was fetched before. */
  bringSet({ pages, read }: WorkingSet, first: Uint8Array): boolean {
    if (!pages.every((page, i) => page < this.#pages && (i === 0 || page > pages[i - 1]))) return false;
    const pieces: Uint8Array[] = [];
    let index = 0;
    for (const page of pages) {
      while (page >= this.#runs[index].page + this.#runs[index].count) index++;
      addPiece(pieces, this.#place(this.#runs[index].ramPage + page - this.#runs[index].page));
    }
    // Until they are known to be right they stay absent.
    if (!read([first, ...pieces])) return false;
    for (const { byteOffset, length } of pieces) {
      const ramPage = (byteOffset - this.#ram.byteOffset) / layout.PAGE_SIZE;
      this.#state.fill(PAGE.here, ramPage, ramPage + length / layout.PAGE_SIZE);
    }
    for (const page of pages) this.#needed.push(page);
    this.#foreseen = pages.length;
    this.#fetched(pages.length);
    return true;
  }

  /**
   * The first pages that somebody needed, of at most so many bytes, ascending; their numbers in RAM, and contents as they were fetched.
   * Undefined where half of them or more were foreseen.
   */
  needed(most: number): { pages: Uint32Array; ramPages: number[]; contents: Uint8Array } | undefined {
    const pages = Uint32Array.from(this.#needed.slice(0, Math.floor(most / layout.PAGE_SIZE))).sort();
    if (pages.length <= 2 * this.#foreseen) return undefined;
    const contents = new Uint8Array(pages.length * layout.PAGE_SIZE);
    const { blockPages } = this.#source;
    let held = -1;
    const ramPages = Array.from(pages, (page, i) => {
      const block = Math.floor(page / blockPages);
      if (block !== held) this.#read(block, this.#scratch);
      held = block;
      const at = (page - block * blockPages) * layout.PAGE_SIZE;
      contents.set(this.#scratch.subarray(at, at + layout.PAGE_SIZE), i * layout.PAGE_SIZE);
      return this.#ramPageOf(page);
    });
    return { pages, ramPages, contents };
  }

  /** The number in the source of a page of RAM that has one. */
  #pageAt(ramPage: number): number {
    const run = this.#runs[this.#lastRun((one) => one.ramPage <= ramPage)];
    return run.page + ramPage - run.ramPage;
  }

  #ramPageOf(page: number): number {
    const run = this.#runs[this.#lastRun((one) => one.page <= page)];
    return run.ramPage + page - run.page;
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

  /** Fetches what is absent of a block; whether anything was. */
  #fetch(block: number): boolean {
    const { blockPages } = this.#source;
    const first = block * blockPages;
    const ramPages: number[] = [];
    for (let page = first, end = Math.min(first + blockPages, this.#pages); page < end; page++)
      ramPages.push(this.#ramPageOf(page));
    const absent = ramPages.filter((ramPage) => this.#state[ramPage] === PAGE.absent);
    if (absent.length === 0) return false;
    this.#bringBlock(block, ramPages, absent.length === ramPages.length);
    this.#fetched(absent.length);
    return true;
  }

  /** `whole`: nothing of the block is there. Mostly it lies in one piece, and is read into its place at once. */
  #bringBlock(block: number, ramPages: readonly number[], whole: boolean): void {
    const [first] = ramPages;
    const count = ramPages.length;
    if (whole && ramPages[count - 1] === first + count - 1) {
      this.#read(block, this.#place(first, count));
      this.#state.fill(PAGE.unasked, first, first + count);
      return;
    }
    this.#read(block, this.#scratch);
    ramPages.forEach((ramPage, i) => {
      if (this.#state[ramPage] !== PAGE.absent) return;
      this.#place(ramPage).set(this.#scratch.subarray(i * layout.PAGE_SIZE, (i + 1) * layout.PAGE_SIZE));
      this.#state[ramPage] = PAGE.unasked;
    });
  }

  #fetched(pages: number): void {
    this.#left -= pages;
    if (this.#left > 0) return;
    for (const { ramPage, count } of this.#runs) this.#state.fill(PAGE.here, ramPage, ramPage + count);
    this.#done();
  }

  /** Reads a block to the beginning of `into`. */
  #read(block: number, into: Uint8Array): void {
    const pages = Math.min(this.#source.blockPages, this.#pages - block * this.#source.blockPages);
    try {
      this.#source.read(block, into.subarray(0, pages * layout.PAGE_SIZE));
    } catch (error) {
      throw new PageSourceError(error);
    }
  }

  /** Pages of RAM. */
  #place(ramPage: number, count = 1): Uint8Array {
    return this.#ram.subarray(ramPage * layout.PAGE_SIZE, (ramPage + count) * layout.PAGE_SIZE);
  }
}

/** Adds a piece of memory behind others; one that goes on where the last one ends makes it longer. */
function addPiece(pieces: Uint8Array[], piece: Uint8Array): void {
  const last = pieces.at(-1);
  if (last === undefined || last.byteOffset + last.length !== piece.byteOffset) pieces.push(piece);
  else pieces[pieces.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + piece.length);
}
