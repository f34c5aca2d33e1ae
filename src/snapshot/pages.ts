/** Which pages of guest RAM hold anything, as runs; a page of zeros is not saved. Knows no file. */
import type { GuestMemory } from "../engine/contract.js";
import { PAGE } from "./format.js";

/** Pages one behind the other, by their numbers in guest-physical memory. */
export interface Run {
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

/** The pages that are not zero, ascending; no two runs touch unless a range of RAM ends between them. */
export function pagesInUse(memory: GuestMemory): Run[] {
  const runs: Run[] = [];
  for (const { start, size } of memory.ranges) {
    const bytes = memory.view(start, size)!;
    // Engines align RAM to pages, as `MemorySpec` asks of its ranges.
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, size / Uint32Array.BYTES_PER_ELEMENT);
    let run: Run | undefined;
    for (let page = 0; page < size / PAGE; page++) {
      if (isZero(words, page * WORDS)) run = undefined;
      else if (run !== undefined) run.count++;
      else runs.push((run = { first: start / PAGE + page, count: 1 }));
    }
  }
  return runs;
}

/** How many pages. */
export function pageCount(runs: readonly Run[]): number {
  return runs.reduce((sum, { count }) => sum + count, 0);
}
