/** Which pages of guest RAM hold anything, as runs; a page of zeros is not saved. Knows no file. */
import type { Checksum } from "../codecs/crc32.js";
import type { GuestMemory } from "../engine/contract.js";
import { BLOCK_PAGES, PAGE } from "./format.js";

/** Pages one behind the other, by their numbers in guest-physical memory. */
export interface PageRun {
  first: number;
  count: number;
}

const WORDS = PAGE / Uint32Array.BYTES_PER_ELEMENT;

/** Whether `words` from `at` on are a page of zeros. */
function isZero(words: Uint32Array, at: number): boolean {
  for (let i = at, end = at + WORDS; i < end; i += 8) {
    const some =
      words[i] |
      words[i + 1] |
      words[i + 2] |
      words[i + 3] |
      words[i + 4] |
      words[i + 5] |
      words[i + 6] |
      words[i + 7];
    if (some !== 0) return false;
  }
  return true;
}

/**
 * The pages that are not zero, ascending; no two runs touch unless a range of RAM ends between them. Once there are more than `most`, no
 * others are looked for.
 */
export function pagesInUse(memory: GuestMemory, most = Infinity): PageRun[] {
  const runs: PageRun[] = [];
  let count = 0;
  for (const { start, size } of memory.ranges) {
    const bytes = memory.view(start, size)!;
    // Engines align RAM to pages, as `MemorySpec` asks of its ranges.
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, size / Uint32Array.BYTES_PER_ELEMENT);
    let run: PageRun | undefined;
    for (let page = 0; page < size / PAGE; page++) {
      if (isZero(words, page * WORDS)) {
        run = undefined;
        continue;
      }
      if (run === undefined) runs.push((run = { first: start / PAGE + page, count: 0 }));
      run.count++;
      if (++count > most) return runs;
    }
  }
  return runs;
}

/** How many pages. */
export function pageCount(runs: readonly PageRun[]): number {
  return runs.reduce((sum, { count }) => sum + count, 0);
}

/** How many blocks so many pages are. */
export function blockCount(pages: number): number {
  return Math.ceil(pages / BLOCK_PAGES);
}

/** Checksums of blocks, of pages that come in pieces: each piece whole pages. */
export class BlockSums {
  readonly #checksum: Checksum;
  readonly #told: (block: number, sum: number) => void;
  #pages = 0;
  #sum = 0;

  /** `told` of each block when its last page has come. */
  constructor(checksum: Checksum, told: (block: number, sum: number) => void) {
    this.#checksum = checksum;
    this.#told = told;
  }

  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const left = BLOCK_PAGES - (this.#pages % BLOCK_PAGES);
      const piece = bytes.subarray(at, at + left * PAGE);
      this.#sum = this.#checksum(piece, this.#sum);
      this.#pages += piece.length / PAGE;
      at += piece.length;
      if (this.#pages % BLOCK_PAGES === 0) this.#tell();
    }
  }

  /** No more pages come. */
  end(): void {
    if (this.#pages % BLOCK_PAGES !== 0) this.#tell();
  }

  #tell(): void {
    this.#told(blockCount(this.#pages) - 1, this.#sum);
    this.#sum = 0;
  }
}
