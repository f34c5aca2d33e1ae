/**
 * Headers of .xz blocks: sizes and the filter chain. Source: The .xz File Format 1.2.1 §3.1, §5.3.
 */
import { hex } from "../../bytes/hex.js";
import { CodecError } from "../codec-error.js";
import { BLOCK_FLAGS, FILTER, MAX_DICTIONARY_CODE, MIN_DICTIONARY_LOG, OTHER_FILTERS } from "./numbers.js";
import type { XzReader } from "./reader.js";

/** A filter to be undone after LZMA2. */
export type Filter = BranchFilter | { kind: "delta"; distance: number };
/** Converts the targets of branches; `start` is the address of the first byte. */
export interface BranchFilter {
  kind: "x86" | "arm" | "thumb";
  start: number;
}

/** §5.3.2: units that the start address is a multiple of, by filter. */
const BRANCH_FILTERS: ReadonlyMap<number, { kind: BranchFilter["kind"]; alignment: number }> = new Map([
  [FILTER.X86, { kind: "x86", alignment: 1 }],
  [FILTER.ARM, { kind: "arm", alignment: 4 }],
  [FILTER.ARM_THUMB, { kind: "thumb", alignment: 2 }],
]);

/** What a block header says. */
export interface BlockHeader {
  packed: number | undefined;
  unpacked: number | undefined;
  dictionarySize: number;
  /** In the order in which they are undone. */
  filters: Filter[];
}

/** Reads a block header; leaves the reader at the data. Throws CodecError. */
export function readBlockHeader(reader: XzReader): BlockHeader {
  const start = reader.at;
  // The CRC stands in the last four bytes and covers what is before.
  const end = start + (reader.byte("a block header") + 1) * 4 - 4;
  reader.at = start;
  reader.require(end + 4 - start, "a block header");
  reader.at = end;
  reader.crc(reader.view.slice(start, end - start), "a block header");
  reader.at = start + 1;
  const flags = reader.byte("block flags");
  if ((flags & BLOCK_FLAGS.RESERVED) !== 0) throw unsupported(start + 1, `block flags ${hex(flags)}`);
  const packed = (flags & BLOCK_FLAGS.PACKED_SIZE) !== 0 ? reader.integer("the packed size") : undefined;
  const unpacked =
    (flags & BLOCK_FLAGS.UNPACKED_SIZE) !== 0 ? reader.integer("the unpacked size") : undefined;
  const chain = filterChain(reader, (flags & BLOCK_FLAGS.FILTERS) + 1);
  if (reader.at > end) throw reader.corrupt(start, "filters beyond the block header", "them inside");
  while (reader.at < end) {
    if (reader.byte("padding") !== 0) throw reader.corrupt(reader.at - 1, "padding that is not zero", "0");
  }
  reader.at = end + 4;
  return { packed, unpacked, ...chain };
}

function unsupported(at: number, found: string): CodecError {
  return new CodecError("xz", "unsupported", at, found, "LZMA2, with x86, ARM or delta filters at most");
}

/** §3.1.5: LZMA2 comes last, the others before it; they are undone from the last to the first. */
function filterChain(reader: XzReader, count: number): Pick<BlockHeader, "dictionarySize" | "filters"> {
  const filters: Filter[] = [];
  for (let i = 0; i < count; i++) {
    const at = reader.at;
    const id = reader.integer("a filter");
    const size = reader.integer("a filter's size");
    reader.require(size, "a filter's properties");
    if (id === FILTER.LZMA2 && i === count - 1 && size === 1) {
      return { dictionarySize: dictionarySize(reader), filters: filters.reverse() };
    }
    const branch = BRANCH_FILTERS.get(id);
    const start = branch !== undefined && size === 4 ? reader.view.u32(reader.at) : 0;
    if (branch !== undefined && (size === 0 || size === 4) && start % branch.alignment === 0) {
      filters.push({ kind: branch.kind, start });
    } else if (id === FILTER.DELTA && size === 1) {
      filters.push({ kind: "delta", distance: reader.view.u8(reader.at) + 1 });
    } else throw unsupported(at, `filter ${OTHER_FILTERS[id] ?? hex(id)} with ${size} bytes of properties`);
    reader.at += size;
  }
  throw unsupported(reader.at, "a filter chain that does not end with LZMA2");
}

/** §5.3.1 */
function dictionarySize(reader: XzReader): number {
  const code = reader.byte("the dictionary size");
  if (code > MAX_DICTIONARY_CODE) {
    throw reader.corrupt(reader.at - 1, `dictionary size code ${code}`, `at most ${MAX_DICTIONARY_CODE}`);
  }
  return code === MAX_DICTIONARY_CODE
    ? 2 ** 32 - 1
    : (2 | (code & 1)) * 2 ** ((code >> 1) + MIN_DICTIONARY_LOG - 1);
}
