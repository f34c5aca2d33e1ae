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
const LARGE_PAGE_SHIFT = 9;
const TWO_20 = 0x100000;
const REGION_HASH = 4096;

const LISTED_LOCAL = 1;
const LISTED_GLOBAL = 2;

/**
 * Numbers of the filled entries of one TLB, those filled with global pages apart, so that a flush of the others need
 * not look at them. An entry may be in both lists, when it was filled with one kind and then the other.
 */
class EntryLists {
  private readonly listed: Uint8Array;
  private readonly local: Uint16Array;
  private readonly global: Uint16Array;
  private localCount = 0;
  private globalCount = 0;

  constructor(entries: number) {
    this.listed = new Uint8Array(entries);
    this.local = new Uint16Array(entries);
    this.global = new Uint16Array(entries);
  }

  note(entry: number, global: boolean): void {
    const bit = global ? LISTED_GLOBAL : LISTED_LOCAL;
    if (this.listed[entry] & bit) return;
    this.listed[entry] |= bit;
    if (global) this.global[this.globalCount++] = entry;
    else this.local[this.localCount++] = entry;
  }

  /** Visits and forgets the entries of one list. */
  takeLocal(visit: (entry: number) => void): void {
    for (let i = 0; i < this.localCount; i++) {
      this.listed[this.local[i]] &= ~LISTED_LOCAL;
      visit(this.local[i]);
    }
    this.localCount = 0;
  }
  takeGlobal(visit: (entry: number) => void): void {
    for (let i = 0; i < this.globalCount; i++) {
      this.listed[this.global[i]] &= ~LISTED_GLOBAL;
      visit(this.global[i]);
    }
    this.globalCount = 0;
  }

  /** Visits every filled entry, some twice. */
  each(visit: (entry: number) => void): void {
    for (let i = 0; i < this.localCount; i++) visit(this.local[i]);
    for (let i = 0; i < this.globalCount; i++) visit(this.global[i]);
  }
}

export class TlbBook {
  private readonly dataWord: number;
  private readonly codeWord: number;
  private readonly data = new EntryLists(DATA_ENTRIES);
  private readonly code = new EntryLists(L.ITLB_ENTRIES);
  /** Hash of 2 MiB regions of linear addresses of which entries were filled from a large page. */
  private readonly largeRegions = new Uint8Array(REGION_HASH);
  private anyLarge = false;

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
    const index = (page ^ (page >>> L.TLB_INDEX_BITS)) & (L.TLB_ENTRIES - 1);
    return this.dataWord + (mode * L.TLB_ENTRIES + index) * ENTRY_WORDS;
  }
  /** First word of the instruction entry for a linear page. */
  codeEntry(page: number): number {
    return this.codeWord + (page & (L.ITLB_ENTRIES - 1)) * ITLB_WORDS;
  }
  /** RAM offset of the code page at a linear address, as the last fetch from there left it, or -1. */
  cachedCodePage(linear: number): number {
    const page = Math.floor(linear / L.PAGE_SIZE);
    const word = this.codeEntry(page);
    const low = (this.words[word] & -L.PAGE_SIZE) === page << L.PAGE_SHIFT;
    const same = low && this.words[word + 1] === Math.floor(page / TWO_20);
    return same && (this.words[word] & L.ITLB_EMPTY) !== L.ITLB_EMPTY ? this.words[word + 2] >>> 0 : -1;
  }
  /** What word 7 of the entry for a linear page holds. */
  pageTag(page: number): number {
    return Math.floor(page / L.TLB_ENTRIES);
  }

  /** Notes that the data entry at `word` is about to be filled. */
  noteData(word: number, global: boolean): void {
    this.data.note((word - this.dataWord) / ENTRY_WORDS, global);
  }
  noteCode(word: number, global: boolean): void {
    this.code.note((word - this.codeWord) / ITLB_WORDS, global);
  }
  /** Notes that a linear page was filled from a page larger than 4 KiB. */
  noteLarge(page: number): void {
    this.largeRegions[(page >>> LARGE_PAGE_SHIFT) & (REGION_HASH - 1)] = 1;
    this.anyLarge = true;
  }
  private mayBeLarge(page: number): boolean {
    return this.largeRegions[(page >>> LARGE_PAGE_SHIFT) & (REGION_HASH - 1)] !== 0;
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

  private isGlobal(dataEntry: number): boolean {
    return (this.words[this.dataWord + dataEntry * ENTRY_WORDS + WORD_FLAGS] & L.TLB_FLAG_GLOBAL) !== 0;
  }
  private isGlobalCode(entry: number): boolean {
    return (this.words[this.codeWord + entry * ITLB_WORDS + ITLB_WORD_FLAGS] & L.TLB_FLAG_GLOBAL) !== 0;
  }

  /** Empties every entry. */
  flushAll(): void {
    this.data.takeGlobal((entry) => this.emptyData(entry));
    this.data.takeLocal((entry) => this.emptyData(entry));
    this.code.takeGlobal((entry) => this.emptyCode(entry));
    this.code.takeLocal((entry) => this.emptyCode(entry));
    if (this.anyLarge) this.largeRegions.fill(0);
    this.anyLarge = false;
  }
  /** Empties every entry that is not global. */
  flushNonGlobal(): void {
    this.data.takeLocal((entry) => {
      if (!this.isGlobal(entry)) this.emptyData(entry);
    });
    this.code.takeLocal((entry) => {
      if (!this.isGlobalCode(entry)) this.emptyCode(entry);
    });
  }
  /** Empties what INVLPG of an address in this linear page must: the whole of a large page. */
  flushPage(page: number): void {
    if (this.mayBeLarge(page)) {
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
    this.data.each((entry) => {
      const word = this.dataWord + entry * ENTRY_WORDS;
      const tag = this.words[word + WORD_WRITE_TAG];
      if (tag === L.TLB_EMPTY || (tag + this.words[word + WORD_ADDEND]) >>> 0 !== hostPage) return;
      this.words[word + WORD_WRITE_TAG] = L.TLB_EMPTY;
      this.words[word + WORD_WRITE_TAG + 1] = 0;
    });
  }
}
