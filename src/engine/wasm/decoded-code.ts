/**
 * Decoded code as bytes: out of one decode cache, and into that of a machine that begins with the same RAM and the same instructions.
 * The records themselves are kept apart. Little-endian words, of one build of the program only; whoever keeps them sees to that, and that they are as they were written.
 *
 * ```
 * ┌─────────┬─────────────────┬──────────────────┬──────────────┬──────────────┬──────────────┬──────────┐
 * │ how     │ blocks, by      │ pages: number,   │ blocks that  │ lookups,     │ templates:   │ kinds of │
 * │ many of │ their records:  │ lines (2), where │ have bytes   │ 4 words each │ number and   │ bytes    │
 * │ each    │ 8 words each    │ its blocks begin │ of each page │              │ template     │          │
 * └─────────┴─────────────────┴──────────────────┴──────────────┴──────────────┴──────────────┴──────────┘
 * ```
 */
import * as layout from "../x86/layout.js";
import { RECORD_BYTES } from "../x86/record.js";
import type { Block, Extent, SavedBlocks } from "./blocks.js";

const WORD = Uint32Array.BYTES_PER_ELEMENT;
/** How many blocks, pages, blocks of pages, words of lookups, words of templates, bytes of records. */
const COUNTS = 6;
const BLOCK_WORDS = 8;
const BLOCK = { page: 0, start: 1, end: 2, record: 3, count: 4, mode: 5, restPage: 6, restEnd: 7 } as const;
/** Words of a page: its number, its marks (code-lines.ts), where its blocks begin. */
export const PAGE_WORDS = 4;
const PAGE_BLOCKS = 3;
/** In the place of a page: there is none. */
const NO_PAGE = 0xffffffff;

/** What a cache has decoded, but for its blocks. */
interface Decoded {
  /** Entries of the lookup: which one, RAM offset, mode, record. */
  lookups: Uint32Array;
  /** Of the generated decoder: number and template. */
  templates: Uint32Array;
  /** `layout.BYTE_KINDS` up to the slots. */
  kinds: Uint8Array;
  /** Bytes of the arena, from its beginning on, that have records. */
  recordBytes: number;
}

/** The same as it was saved. */
export interface DecodedCode extends Decoded {
  blocks: SavedBlocks;
  /** The pages that hold code, `PAGE_WORDS` each. */
  pages: Uint32Array;
}

/** Blocks in the order of their records, and what a cache knows besides. */
export function packDecodedCode(blocks: readonly Block[], decoded: Decoded): Uint8Array {
  const { lookups, templates, kinds, recordBytes } = decoded;
  const pages = new Map<number, { lines: [number, number]; numbers: number[] }>();
  const note = ({ page, start, end }: Extent, number: number): void => {
    const known = pages.get(page) ?? { lines: [0, 0], numbers: [] };
    pages.set(page, known);
    known.numbers.push(number);
    for (let line = start >>> layout.CODE_LINE_SHIFT; line <= (end - 1) >>> layout.CODE_LINE_SHIFT; line++)
      known.lines[line >>> 5] |= 1 << (line & 31);
  };
  const words = blocks.flatMap((block, i) => {
    const { page, start, end, record, count, mode, rest } = block;
    note(block, i);
    if (rest !== undefined) note(rest, i);
    return [page, start, end, record, count, mode, rest?.page ?? NO_PAGE, rest?.end ?? 0];
  });
  const numbers: number[] = [];
  const table: number[] = [];
  for (const [page, { lines, numbers: own }] of pages) {
    table.push(page, ...lines, numbers.length);
    for (const number of own) numbers.push(number);
  }
  const counts = [blocks.length, pages.size, numbers.length, lookups.length, templates.length, recordBytes];
  const head = Uint32Array.from([...counts, ...words, ...table, ...numbers]);
  return joined([head, lookups, templates, kinds]);
}

function joined(pieces: readonly (Uint8Array | Uint32Array)[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of pieces) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}

/** Undefined for bytes that `packDecodedCode` did not give. They begin at a multiple of 4 in their buffer. */
export function unpackDecodedCode(bytes: Uint8Array): DecodedCode | undefined {
  const kindBytes = layout.TEMPLATE_SLOTS - layout.BYTE_KINDS;
  if (bytes.length < COUNTS * WORD || bytes.length % WORD !== 0) return undefined;
  const all = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / WORD);
  const [blockCount, pageCount, numberCount, lookupWords, templateWords, recordBytes] = all;
  let next = COUNTS;
  const words = (count: number): Uint32Array => all.subarray(next, (next += count));
  const blocks = words(blockCount * BLOCK_WORDS);
  const pages = words(pageCount * PAGE_WORDS);
  const numbers = words(numberCount);
  const lookups = words(lookupWords);
  const templates = words(templateWords);
  const kindsAt = next * WORD;
  const mostRecords = layout.ARENA_RECORDS * RECORD_BYTES;
  const isWhole = kindsAt + kindBytes === bytes.length;
  if (!isWhole || recordBytes % RECORD_BYTES !== 0 || recordBytes > mostRecords) return undefined;
  return {
    ...{ blocks: savedBlocks(blocks, pages, numbers), pages, lookups, templates, recordBytes },
    kinds: bytes.subarray(kindsAt),
  };
}

function savedBlocks(words: Uint32Array, pages: Uint32Array, numbers: Uint32Array): SavedBlocks {
  const made: (Block | undefined)[] = [];
  const block = (number: number): Block => (made[number] ??= blockAt(words, number * BLOCK_WORDS));
  const byPage = new Map<number, () => Block[]>();
  for (let i = 0; i < pages.length; i += PAGE_WORDS) {
    const first = pages[i + PAGE_BLOCKS];
    const end = i + PAGE_WORDS < pages.length ? pages[i + PAGE_WORDS + PAGE_BLOCKS] : numbers.length;
    byPage.set(pages[i], () => Array.from(numbers.subarray(first, end), block));
  }
  const recordOf = (number: number): number => words[number * BLOCK_WORDS + BLOCK.record];
  return { count: words.length / BLOCK_WORDS, recordOf, block, pages: byPage };
}

function blockAt(words: Uint32Array, at: number): Block {
  const restPage = words[at + BLOCK.restPage];
  return {
    page: words[at + BLOCK.page],
    start: words[at + BLOCK.start],
    end: words[at + BLOCK.end],
    rest: restPage === NO_PAGE ? undefined : { page: restPage, start: 0, end: words[at + BLOCK.restEnd] },
    record: words[at + BLOCK.record],
    count: words[at + BLOCK.count],
    mode: words[at + BLOCK.mode],
    dropped: false,
    heat: 0,
    renewals: 0,
  };
}
