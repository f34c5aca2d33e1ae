/**
 * Which TLB entries of a CPU are filled, so that a flush touches those only. The entries themselves are in shared
 * memory (layout.ts), where generated code looks them up; this is the only code that empties them.
 *
 * Word 7 of a data entry holds the linear page number above the index bits (or `WORD_EMPTY`): it identifies the
 * entry for TypeScript also when the page is a device's and generated code must keep missing.
 */
import * as L from "../layout.js";

/** Word of a data TLB entry. */
export const WORD_READ_TAG = L.TLB_READ_TAG >>> 2;
export const WORD_WRITE_TAG = L.TLB_WRITE_TAG >>> 2;
export const WORD_ADDEND = L.TLB_ADDEND >>> 2;
export const WORD_PHYSICAL_PAGE = L.TLB_PHYSICAL_PAGE >>> 2;
export const WORD_FLAGS = L.TLB_FLAGS >>> 2;
export const WORD_PAGE_TAG = WORD_FLAGS + 1;
/** No linear page has this tag: tags are 26-bit signed numbers. */
export const WORD_EMPTY = 0x7fffffff;

const ENTRY_WORDS = L.TLB_ENTRY_SIZE >>> 2;
const DATA_ENTRIES = L.ACCESS_MODES * L.TLB_ENTRIES;
const ITLB_WORDS = L.ITLB_ENTRY_SIZE >>> 2;
const ITLB_WORD_FLAGS = 3;
/** Linear page number to the number of its 2 MiB region. */
const LARGE_PAGES = 512;

export class TlbBook {
  private readonly dataWord: number;
  private readonly codeWord: number;
  // Numbers of filled entries, data entries first come, and whether an entry is in the list.
  private readonly data = new Uint16Array(DATA_ENTRIES);
  private readonly dataListed = new Uint8Array(DATA_ENTRIES);
  private dataCount = 0;
  private readonly code = new Uint16Array(L.ITLB_ENTRIES);
  private readonly codeListed = new Uint8Array(L.ITLB_ENTRIES);
  private codeCount = 0;
  /** 2 MiB regions of linear addresses of which entries were filled from a large page. */
  private readonly largeRegions = new Set<number>();

  constructor(
    cpuBase: number,
    private readonly words: Int32Array,
  ) {
    this.dataWord = (cpuBase + L.TLB) >>> 2;
    this.codeWord = (cpuBase + L.ITLB) >>> 2;
    for (let entry = 0; entry < DATA_ENTRIES; entry++) this.emptyData(entry);
    for (let entry = 0; entry < L.ITLB_ENTRIES; entry++) this.emptyCode(entry);
  }

  /** First word of the data entry for a linear page in an access mode. */
  dataEntry(page: number, mode: number): number {
    return this.dataWord + (mode * L.TLB_ENTRIES + (page & (L.TLB_ENTRIES - 1))) * ENTRY_WORDS;
  }
  /** First word of the instruction entry for a linear page. */
  codeEntry(page: number): number {
    return this.codeWord + (page & (L.ITLB_ENTRIES - 1)) * ITLB_WORDS;
  }
  /** What word 7 of the entry for a linear page holds. */
  pageTag(page: number): number {
    return Math.floor(page / L.TLB_ENTRIES);
  }

  /** Notes that the data entry at `word` is about to be filled. */
  noteData(word: number): void {
    const entry = (word - this.dataWord) / ENTRY_WORDS;
    if (this.dataListed[entry]) return;
    this.dataListed[entry] = 1;
    this.data[this.dataCount++] = entry;
  }
  noteCode(word: number): void {
    const entry = (word - this.codeWord) / ITLB_WORDS;
    if (this.codeListed[entry]) return;
    this.codeListed[entry] = 1;
    this.code[this.codeCount++] = entry;
  }
  /** Notes that a linear page was filled from a page larger than 4 KiB. */
  noteLarge(page: number): void {
    this.largeRegions.add(Math.floor(page / LARGE_PAGES));
  }

  private emptyData(entry: number): void {
    const word = this.dataWord + entry * ENTRY_WORDS;
    this.words[word + WORD_READ_TAG] = L.TLB_EMPTY;
    this.words[word + WORD_READ_TAG + 1] = 0;
    this.words[word + WORD_WRITE_TAG] = L.TLB_EMPTY;
    this.words[word + WORD_WRITE_TAG + 1] = 0;
    this.words[word + WORD_PAGE_TAG] = WORD_EMPTY;
  }
  private emptyCode(entry: number): void {
    const word = this.codeWord + entry * ITLB_WORDS;
    this.words[word] = L.ITLB_EMPTY;
    this.words[word + 1] = 0;
  }

  private flushData(keepGlobal: boolean): void {
    let kept = 0;
    for (let i = 0; i < this.dataCount; i++) {
      const entry = this.data[i];
      const flags = this.words[this.dataWord + entry * ENTRY_WORDS + WORD_FLAGS];
      if (keepGlobal && flags & L.TLB_FLAG_GLOBAL) {
        this.data[kept++] = entry;
        continue;
      }
      this.emptyData(entry);
      this.dataListed[entry] = 0;
    }
    this.dataCount = kept;
  }
  private flushCode(keepGlobal: boolean): void {
    let kept = 0;
    for (let i = 0; i < this.codeCount; i++) {
      const entry = this.code[i];
      if (
        keepGlobal &&
        this.words[this.codeWord + entry * ITLB_WORDS + ITLB_WORD_FLAGS] & L.TLB_FLAG_GLOBAL
      ) {
        this.code[kept++] = entry;
        continue;
      }
      this.emptyCode(entry);
      this.codeListed[entry] = 0;
    }
    this.codeCount = kept;
  }

  /** Empties every entry. */
  flushAll(): void {
    this.flushData(false);
    this.flushCode(false);
    this.largeRegions.clear();
  }
  /** Empties every entry that is not global. */
  flushNonGlobal(): void {
    this.flushData(true);
    this.flushCode(true);
  }
  /** Empties what INVLPG of an address in this linear page must: the whole of a large page. */
  flushPage(page: number): void {
    if (this.largeRegions.has(Math.floor(page / LARGE_PAGES))) {
      this.flushAll();
      return;
    }
    const tag = this.pageTag(page);
    for (let mode = 0; mode < L.ACCESS_MODES; mode++) {
      const word = this.dataEntry(page, mode);
      if (this.words[word + WORD_PAGE_TAG] === tag) this.emptyData((word - this.dataWord) / ENTRY_WORDS);
    }
    this.emptyCode((this.codeEntry(page) - this.codeWord) / ITLB_WORDS);
  }

  /** Takes the fast write right from every entry that maps the page at this host address. */
  stripWriteTags(hostPage: number): void {
    for (let i = 0; i < this.dataCount; i++) {
      const word = this.dataWord + this.data[i] * ENTRY_WORDS;
      const tag = this.words[word + WORD_WRITE_TAG];
      if (tag === L.TLB_EMPTY) continue;
      if ((tag + this.words[word + WORD_ADDEND]) >>> 0 !== hostPage) continue;
      this.words[word + WORD_WRITE_TAG] = L.TLB_EMPTY;
      this.words[word + WORD_WRITE_TAG + 1] = 0;
    }
  }
}
