/**
 * Which TLB entries of a CPU are filled, so that a flush touches those only. The entries and the lists of them are in
 * shared memory (layout.ts), where generated code looks them up and fills them too; this is the only code that empties
 * them.
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
export const WORD_PAGE_TAG = L.TLB_PAGE_TAG >>> 2;
/** No linear page has this tag: tags are signed numbers of 25 bits. */
export const WORD_EMPTY = 0x7fffffff;

const ENTRY_WORDS = L.TLB_ENTRY_SIZE >>> 2;
const DATA_ENTRIES = L.ACCESS_MODES * L.TLB_ENTRIES;
const ITLB_WORDS = L.ITLB_ENTRY_SIZE >>> 2;
/** Page number in the low 32 bits of an address, which is what generated code looks at. */
const LOW_PAGE = L.PAGES_4G - 1;
/** Pages of 4 KiB in one of 2 MiB, of 4 MiB, which has two regions, and of 1 GiB. */
export const PAGES_OF_2M = 1 << 9;
export const PAGES_OF_4M = 1 << 10;
export const PAGES_OF_1G = 1 << 18;

/** Where a TLB and its lists lie: word indices, and the index of the first u16 of the lists. */
interface Place {
  entries: number;
  entryWords: number;
  /** Of the first entry, and of the first one's flags. */
  words: number;
  flags: number;
  counts: number;
  lists: number;
}

/**
 * Numbers of the filled entries of one TLB, those filled with global pages apart, so that a flush of the others need
 * not look at them. An entry may be in both lists, when it was filled with one kind and then the other: bits of its
 * flags say in which it is. Generated code notes entries too.
 */
class EntryLists {
  private readonly halves: Uint16Array;

  constructor(
    private readonly words: Int32Array,
    private readonly place: Place,
  ) {
    this.halves = new Uint16Array(words.buffer);
  }

  /** Notes the entry whose first word is `word`, with these flags, and stores them. */
  fill(word: number, flags: number): void {
    const { words, place } = this;
    const at = word - place.words + place.flags;
    const global = (flags & L.TLB_FLAG_GLOBAL) !== 0;
    const bit = global ? L.TLB_LISTED_GLOBAL : L.TLB_LISTED_LOCAL;
    const listed = words[at] & (L.TLB_LISTED_LOCAL | L.TLB_LISTED_GLOBAL);
    words[at] = flags | listed | bit;
    if (listed & bit) return;
    const count = place.counts + (global ? 1 : 0);
    const list = place.lists + (global ? place.entries : 0);
    this.halves[list + words[count]++] = (word - place.words) / place.entryWords;
  }

  /** Visits and forgets the entries of one list. */
  take(global: boolean, visit: (word: number, flags: number) => void): void {
    const { words, halves, place } = this;
    const bit = global ? L.TLB_LISTED_GLOBAL : L.TLB_LISTED_LOCAL;
    const count = place.counts + (global ? 1 : 0);
    const list = place.lists + (global ? place.entries : 0);
    for (let i = 0; i < words[count]; i++) {
      const word = place.words + halves[list + i] * place.entryWords;
      visit(word, (words[word - place.words + place.flags] &= ~bit));
    }
    words[count] = 0;
  }

  /** The filled entries by their first words, ascending: in which order they were filled nobody can tell. */
  inOrder(): number[] {
    const found = new Set<number>();
    this.each((word) => found.add(word));
    return [...found].sort((a, b) => a - b);
  }

  /** Visits every filled entry, some twice. */
  each(visit: (word: number) => void): void {
    const { words, halves, place } = this;
    for (const kind of [0, 1]) {
      const list = place.lists + kind * place.entries;
      for (let i = 0; i < words[place.counts + kind]; i++) {
        visit(place.words + halves[list + i] * place.entryWords);
      }
    }
  }
}

/** Makes `count` things of what is the first; in few steps, as this is on the way to the first instruction. */
function repeat(words: Int32Array, first: number, size: number, count: number): void {
  const end = first + count * size;
  for (let at = first + size; at < end; at += at - first)
    words.copyWithin(at, first, Math.min(at, first + end - at));
}

export class TlbBook {
  private readonly dataWord: number;
  private readonly codeWord: number;
  private readonly data: EntryLists;
  private readonly code: EntryLists;
  private readonly largeRegions: Uint8Array;
  private readonly anyLarge: number;
  private readonly largeGigabytes: number;

  constructor(
    cpuBase: number,
    private readonly words: Int32Array,
  ) {
    this.dataWord = (cpuBase + L.TLB) >>> 2;
    this.codeWord = (cpuBase + L.ITLB) >>> 2;
    this.anyLarge = (cpuBase + L.ANY_LARGE) >>> 2;
    this.largeGigabytes = (cpuBase + L.LARGE_GIGABYTES) >>> 2;
    this.largeRegions = new Uint8Array(words.buffer, cpuBase + L.LARGE_REGIONS, L.LARGE_REGION_ENTRIES);
    this.data = new EntryLists(words, {
      entries: DATA_ENTRIES,
      entryWords: ENTRY_WORDS,
      words: this.dataWord,
      flags: this.dataWord + WORD_FLAGS,
      counts: (cpuBase + L.TLB_LISTED) >>> 2,
      lists: (cpuBase + L.TLB_LISTS) >>> 1,
    });
    this.code = new EntryLists(words, {
      entries: L.ITLB_ENTRIES,
      entryWords: ITLB_WORDS,
      words: this.codeWord,
      flags: this.codeWord + (L.ITLB_FLAGS >>> 2),
      counts: ((cpuBase + L.TLB_LISTED) >>> 2) + 2,
      lists: (cpuBase + L.ITLB_LISTS) >>> 1,
    });
    this.emptyData(this.dataWord);
    repeat(words, this.dataWord, ENTRY_WORDS, DATA_ENTRIES);
    this.emptyCode(this.codeWord);
    repeat(words, this.codeWord, ITLB_WORDS, L.ITLB_ENTRIES);
  }

  /** First word of the data entry for a linear page in an access mode. */
  dataEntry(page: number, mode: number): number {
    const index = (page ^ ((page & LOW_PAGE) >>> L.TLB_INDEX_BITS)) & (L.TLB_ENTRIES - 1);
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
    const same = low && this.words[word + 1] === Math.floor(page / L.PAGES_4G);
    return same && (this.words[word] & L.ITLB_EMPTY) !== L.ITLB_EMPTY ? this.words[word + 2] >>> 0 : -1;
  }
  /** The same if a fetch with this `CODE_ACCESS` may use it. */
  fetchedPage(linear: number, access: number): number {
    const word = this.codeEntry(Math.floor(linear / L.PAGE_SIZE));
    const allowed = (this.words[word] & (L.PAGE_SIZE - 1)) === access;
    return allowed ? this.cachedCodePage(linear) : -1;
  }
  /** What word 7 of the entry for a linear page holds. */
  pageTag(page: number): number {
    return Math.floor(page / L.TLB_ENTRIES);
  }

  /** Stores the flags of the data entry at `word`, which is about to be filled, and notes it. */
  fillData(word: number, flags: number): void {
    this.data.fill(word, flags);
  }
  fillCode(word: number, flags: number): void {
    this.code.fill(word, flags);
  }
  /** Notes that a linear page was filled from a page of `span` times 4 KiB, if that is more than one. */
  noteLarge(page: number, span: number): void {
    if (span === 1) return;
    const region = this.largeRegion(page);
    this.largeRegions[region] = 1;
    if (span === PAGES_OF_4M) this.largeRegions[region ^ 1] = 1;
    if (span === PAGES_OF_1G) this.words[this.largeGigabytes] |= this.gigabyteBit(page);
    this.words[this.anyLarge] = 1;
  }
  /** Notes regions and gigabytes as `largePages` and `largeGigabytePages` gave them. */
  restoreLarge(regions: readonly number[], gigabytes: number): void {
    for (const region of regions) this.largeRegions[region] = 1;
    this.words[this.anyLarge] = regions.length > 0 ? 1 : 0;
    this.words[this.largeGigabytes] = gigabytes;
  }
  /** Where 1 GiB pages were filled from, as bits, unsigned. */
  largeGigabytePages(): number {
    return this.words[this.largeGigabytes] >>> 0;
  }
  /** Where large pages were filled from, as places in the hash of regions, ascending. */
  largePages(): number[] {
    if (!this.words[this.anyLarge]) return [];
    const found: number[] = [];
    let region = this.largeRegions.indexOf(1);
    for (; region >= 0; region = this.largeRegions.indexOf(1, region + 1)) found.push(region);
    return found;
  }
  /** Visits every data entry that is not empty, once, always in the same order. */
  eachDataPage(visit: (page: number, mode: number, physical: number, flags: number) => void): void {
    const { words } = this;
    for (const word of this.data.inOrder()) {
      const tag = words[word + WORD_PAGE_TAG];
      if (tag === WORD_EMPTY) continue;
      const place = (word - this.dataWord) / ENTRY_WORDS;
      // `dataEntry` undone: its index is the low bits of the page XORed with those of the tag.
      const low = (place ^ (tag & (LOW_PAGE >>> L.TLB_INDEX_BITS))) & (L.TLB_ENTRIES - 1);
      const mode = Math.floor(place / L.TLB_ENTRIES);
      visit(
        tag * L.TLB_ENTRIES + low,
        mode,
        words[word + WORD_PHYSICAL_PAGE] >>> 0,
        words[word + WORD_FLAGS],
      );
    }
  }
  /** Visits every instruction entry that is not empty, once, always in the same order. */
  eachCodePage(visit: (page: number, access: number, ramOffset: number, flags: number) => void): void {
    const { words } = this;
    for (const word of this.code.inOrder()) {
      const access = words[word] & (L.PAGE_SIZE - 1);
      if (access === L.ITLB_EMPTY) continue;
      const page = words[word + 1] * L.PAGES_4G + (words[word] >>> L.PAGE_SHIFT);
      visit(page, access, words[word + 2] >>> 0, words[word + (L.ITLB_FLAGS >>> 2)]);
    }
  }
  private largeRegion(page: number): number {
    return (page >>> L.LARGE_REGION_SHIFT) & (L.LARGE_REGION_ENTRIES - 1);
  }
  private gigabyteBit(page: number): number {
    const gigabyte = page >>> L.LARGE_GIGABYTE_SHIFT;
    return 1 << (gigabyte ^ (gigabyte >>> L.LARGE_GIGABYTE_FOLD));
  }

  private readonly emptyData = (word: number): void => {
    const { words } = this;
    words[word + WORD_READ_TAG] = L.TLB_EMPTY;
    words[word + WORD_READ_TAG + 1] = 0;
    words[word + WORD_WRITE_TAG] = L.TLB_EMPTY;
    words[word + WORD_WRITE_TAG + 1] = 0;
    words[word + WORD_PAGE_TAG] = WORD_EMPTY;
  };
  private readonly emptyCode = (word: number): void => {
    this.words[word] = L.ITLB_EMPTY;
    this.words[word + 1] = 0;
  };
  private readonly emptyLocalData = (word: number, flags: number): void => {
    if (!(flags & L.TLB_FLAG_GLOBAL)) this.emptyData(word);
  };
  private readonly emptyLocalCode = (word: number, flags: number): void => {
    if (!(flags & L.TLB_FLAG_GLOBAL)) this.emptyCode(word);
  };

  /** Empties every entry. */
  flushAll(): void {
    for (const global of [true, false]) {
      this.data.take(global, this.emptyData);
      this.code.take(global, this.emptyCode);
    }
    if (this.words[this.anyLarge]) this.largeRegions.fill(0);
    this.words[this.anyLarge] = 0;
    this.words[this.largeGigabytes] = 0;
  }
  /** Empties every entry that is not global. */
  flushNonGlobal(): void {
    this.data.take(false, this.emptyLocalData);
    this.code.take(false, this.emptyLocalCode);
  }
  /** Empties what INVLPG of an address in this linear page must: the whole of a large page. */
  flushPage(page: number): void {
    if (
      this.largeRegions[this.largeRegion(page)] ||
      this.words[this.largeGigabytes] & this.gigabyteBit(page)
    ) {
      this.flushAll();
      return;
    }
    const tag = this.pageTag(page);
    for (let mode = 0; mode < L.ACCESS_MODES; mode++) {
      const word = this.dataEntry(page, mode);
      if (this.words[word + WORD_PAGE_TAG] === tag) this.emptyData(word);
    }
    this.emptyCode(this.codeEntry(page));
  }

  private readonly stripWriteTag = (word: number): void => {
    this.words[word + WORD_WRITE_TAG] = L.TLB_EMPTY;
    this.words[word + WORD_WRITE_TAG + 1] = 0;
  };

  /** Empties the instruction entry of a linear page. */
  forgetCodePage(page: number): void {
    if (this.cachedCodePage(page * L.PAGE_SIZE) >= 0) this.emptyCode(this.codeEntry(page));
  }

  /** Takes the fast write right from every entry that maps the page at this host address. */
  stripWriteTags(hostPage: number): void {
    this.data.each((word) => {
      const tag = this.words[word + WORD_WRITE_TAG];
      if (tag === L.TLB_EMPTY || (tag + this.words[word + WORD_ADDEND]) >>> 0 !== hostPage) return;
      this.stripWriteTag(word);
    });
  }

  /** Takes the fast write right from every entry. */
  stripAllWriteTags(): void {
    this.data.each(this.stripWriteTag);
  }
}
