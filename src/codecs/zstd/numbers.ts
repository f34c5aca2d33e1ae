/**
 * Numbers of the Zstandard format. Source: RFC 8878; the section stands beside each. Holds numbers only.
 */

/** §3.1.1 and §3.1.2 */
export const MAGIC = 0xfd2fb528;
export const SKIPPABLE_MAGIC = 0x184d2a50;
export const SKIPPABLE_MASK = 0xfffffff0;

/** §3.1.1.1.1: bits of the frame header descriptor. */
export const DESCRIPTOR = {
  FCS_SHIFT: 6,
  SINGLE_SEGMENT: 0x20,
  RESERVED: 0x08,
  CHECKSUM: 0x04,
  DICT_ID: 0x03,
} as const;
/** Sizes of Dictionary_ID and Frame_Content_Size by their flags (the latter is 1 for flag 0 in single segments). */
export const DICT_ID_SIZE = [0, 1, 2, 4] as const;
export const FCS_SIZE = [0, 2, 4, 8] as const;
export const FCS_2_BYTES_BASE = 256;
/** §3.1.1.1.2 */
export const MIN_WINDOW_LOG = 10;

/** §3.1.1.2 */
export const BLOCK_HEADER_SIZE = 3;
export const BLOCK_TYPE = { RAW: 0, RLE: 1, COMPRESSED: 2, RESERVED: 3 } as const;
export const MAX_BLOCK = 128 * 1024;

/** §3.1.1.3.1 */
export const LITERALS = { RAW: 0, RLE: 1, COMPRESSED: 2, TREELESS: 3 } as const;
/** §3.1.1.3.2.1.1: how a table is given. */
export const MODE = { PREDEFINED: 0, RLE: 1, FSE: 2, REPEAT: 3 } as const;
/** Number_of_Sequences in its three-byte form starts here. */
export const LONG_SEQUENCES = 0x7f00;

/** §4.2.1 */
export const MAX_HUFFMAN_BITS = 11;
export const MAX_HUFFMAN_SYMBOLS = 256;
export const WEIGHTS_MAX_LOG = 6;
export const DIRECT_WEIGHTS = 128;
/** §4.1.1 */
export const MIN_TABLE_LOG = 5;

/** A kind of sequence code: its table's bounds and its default distribution (§3.1.1.3.2.2). */
export interface CodeKind {
  readonly name: string;
  readonly maxLog: number;
  readonly maxSymbol: number;
  readonly defaultLog: number;
  readonly defaults: readonly number[];
}

export const LITERAL_LENGTH: CodeKind = {
  name: "literal length",
  maxLog: 9,
  maxSymbol: 35,
  defaultLog: 6,
  // prettier-ignore
  defaults: [
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
  ],
};

export const MATCH_LENGTH: CodeKind = {
  name: "match length",
  maxLog: 9,
  maxSymbol: 52,
  defaultLog: 6,
  // prettier-ignore
  defaults: [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
  ],
};

export const OFFSET: CodeKind = {
  name: "offset",
  maxLog: 8,
  maxSymbol: 31,
  defaultLog: 5,
  // prettier-ignore
  defaults: [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
};

/** §3.1.1.3.2.1.1, tables of literal length and match length codes: extra bits; each base follows the one before. */
// prettier-ignore
export const LITERAL_LENGTH_EXTRA = Uint8Array.of(
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
);
// prettier-ignore
export const MATCH_LENGTH_EXTRA = Uint8Array.of(
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2,
  3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
);
export const LITERAL_LENGTH_BASE = bases(LITERAL_LENGTH_EXTRA, 0);
export const MATCH_LENGTH_BASE = bases(MATCH_LENGTH_EXTRA, 3);

function bases(extra: Uint8Array, first: number): Uint32Array {
  const table = new Uint32Array(extra.length);
  let next = first;
  for (let i = 0; i < extra.length; i++) {
    table[i] = next;
    next += 2 ** extra[i];
  }
  return table;
}

/** §3.1.1.5: the repeated offsets at the start of a frame. */
export const FIRST_REPEATS = [1, 4, 8] as const;
