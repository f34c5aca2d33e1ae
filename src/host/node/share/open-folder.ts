/**
 * A folder that is being read. A guest names entries by their place in the order in which they came; the host knows marks between
 * blocks of entries. Kept are the marks and two blocks, so that a folder of any size costs little.
 */
import { FileError, type FolderEntry } from "../../../share/file-backend.js";
import type { FolderReader } from "./host-calls.js";
import { ERRNO } from "./linux-numbers.js";

/** A block of entries; `first` is the place of its first. */
interface Block {
  readonly first: number;
  readonly entries: readonly FolderEntry[];
  readonly next: bigint;
}

/** So many blocks are skipped for a place that was not read up to before. */
const MOST_SKIPPED = 64;

export class OpenFolder {
  readonly #read: FolderReader;
  /** Where each block begins that was read: its first place, and the host's mark. */
  #marks: { readonly first: number; readonly from: bigint }[] = [{ first: 0, from: 0n }];
  #before: Block | undefined;
  #last: Block | undefined;

  constructor(
    /** Its number in this process. */
    readonly descriptor: number,
    read: FolderReader,
  ) {
    this.#read = read;
  }

  /** At most `most` entries from a place on; none at the end. Throws FileError. */
  entries(from: number, most: number): FolderEntry[] {
    if (!Number.isSafeInteger(from) || from < 0) throw new FileError(ERRNO.EINVAL, "readdir");
    if (from === 0) {
      this.#marks = [{ first: 0, from: 0n }];
      this.#before = this.#last = undefined;
    }
    const found: FolderEntry[] = [];
    while (found.length < most) {
      const at = from + found.length;
      const block = this.#blockAt(at);
      if (block === undefined) break;
      const start = at - block.first;
      found.push(...block.entries.slice(start, start + most - found.length));
    }
    return found;
  }

  /** The block that has a place; undefined behind the last. */
  #blockAt(place: number): Block | undefined {
    for (const block of [this.#last, this.#before])
      if (block !== undefined && has(block, place)) return block;
    let mark = this.#marks.findLastIndex(({ first }) => first <= place);
    for (let skipped = 0; skipped <= MOST_SKIPPED; skipped++) {
      const block = this.#blockOf(mark++);
      if (block === undefined || has(block, place)) return block;
    }
    throw new FileError(ERRNO.EINVAL, "a place in a folder that was not read up to there");
  }

  #blockOf(index: number): Block | undefined {
    const mark = this.#marks[index];
    if (mark === undefined) return undefined;
    const read = this.#read(mark.from);
    if (read === undefined) return undefined;
    const block = { first: mark.first, ...read };
    this.#before = this.#last;
    this.#last = block;
    if (index + 1 === this.#marks.length)
      this.#marks.push({ first: block.first + block.entries.length, from: block.next });
    return block;
  }
}

function has({ first, entries }: Block, place: number): boolean {
  return place >= first && place < first + entries.length;
}
