/**
 * .xz: streams, blocks with filters and checks, index. Source: The .xz File Format 1.2.1. Trailing bytes that are
 * neither stream padding nor a further stream are left alone.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex, hexBytes } from "../../bytes/hex.js";
import { CodecError } from "../codec-error.js";
import { crc32 } from "../crc32.js";
import type { Decompressed } from "../decompress.js";
import { Output } from "../output.js";
import type { DecompressOptions } from "../output.js";
import { readBlockHeader } from "./block-header.js";
import { crc64 } from "./crc64.js";
import { undoArm, undoDelta, undoThumb, undoX86 } from "./filters.js";
import { unpackLzma2 } from "./lzma2.js";
import {
  CHECK,
  CHECK_SIZES,
  FOOTER_MAGIC,
  HEADER_MAGIC,
  INDEX_INDICATOR,
  STREAM_FLAGS_SIZE,
  STREAM_FOOTER,
  STREAM_FOOTER_SIZE,
  STREAM_HEADER,
  STREAM_HEADER_SIZE,
} from "./numbers.js";
import { sha256 } from "../sha256.js";
import { XzReader } from "./reader.js";

/** Sizes of a block, to be found again in the index. */
interface BlockSizes {
  unpadded: number;
  unpacked: number;
}

/** Unpacks all streams. Throws CodecError. */
export function decompressXz(bytes: Uint8Array, options: DecompressOptions): Decompressed {
  const reader = new XzReader(bytes);
  const output = new Output(bytes.length, options);
  let end = 0;
  do {
    stream(reader, output);
    end = reader.at;
    // §2.2: padding is a multiple of four zero bytes.
    while (reader.view.holds(reader.at, 4) && reader.view.u32(reader.at) === 0) reader.at += 4;
  } while (isStream(reader));
  return { bytes: output.finish(), consumed: end };
}

function isStream(reader: XzReader): boolean {
  const { view, at } = reader;
  return view.holds(at, HEADER_MAGIC.length) && HEADER_MAGIC.every((value, i) => view.u8(at + i) === value);
}

function stream(reader: XzReader, output: Output): void {
  const start = reader.at;
  reader.require(STREAM_HEADER_SIZE, "the stream header");
  if (!isStream(reader)) {
    const found = hexBytes(reader.view.slice(start, HEADER_MAGIC.length));
    throw reader.corrupt(start, found, `the magic number ${hexBytes(Uint8Array.from(HEADER_MAGIC))}`);
  }
  const flags = reader.view.slice(start + STREAM_HEADER.FLAGS, STREAM_FLAGS_SIZE);
  reader.at += STREAM_HEADER.CRC;
  reader.crc(flags, "stream flags");
  const check = flags[1];
  if (flags[0] !== 0 || CHECK_SIZES[check] === undefined) {
    throw new CodecError(
      "xz",
      "unsupported",
      start + STREAM_HEADER.FLAGS,
      `stream flags ${hexBytes(flags)}`,
      "none, CRC or SHA-256",
    );
  }
  const blocks: BlockSizes[] = [];
  while (reader.peek("a block or the index") !== INDEX_INDICATOR) blocks.push(block(reader, check, output));
  const indexSize = index(reader, blocks);
  footer(reader, flags, indexSize);
}

const UNDO = { x86: undoX86, arm: undoArm, thumb: undoThumb } as const;

/** §3: header, filtered data, padding, check. */
function block(reader: XzReader, check: number, output: Output): BlockSizes {
  const start = reader.at;
  const header = readBlockHeader(reader);
  const data = reader.at;
  const from = output.length;
  // Only a hint: a block that claims too much is stopped where it reaches the limit.
  output.reserve(Math.min(header.unpacked ?? 0, output.max - output.length));
  reader.at = unpackLzma2(reader.view.bytes, data, header.dictionarySize, output);
  const packed = reader.at - data;
  const unpacked = output.length - from;
  if ((header.packed ?? packed) !== packed || (header.unpacked ?? unpacked) !== unpacked) {
    const expected = `${header.packed ?? "any"} to ${header.unpacked ?? "any"}, as its header says`;
    throw reader.corrupt(start, `a block of ${packed} bytes that unpacks to ${unpacked}`, expected);
  }
  for (const filter of header.filters) {
    if (filter.kind === "delta") undoDelta(output.bytes, from, output.length, filter.distance);
    else UNDO[filter.kind](output.bytes, from, output.length, filter.start);
  }
  reader.padding(packed);
  const checkAt = reader.at;
  verify(reader, check, output.bytes.subarray(from, output.length));
  return { unpadded: data - start + packed + (reader.at - checkAt), unpacked };
}

/** §3.4 */
function verify(reader: XzReader, check: number, content: Uint8Array): void {
  const { at, view } = reader;
  const size = CHECK_SIZES[check];
  reader.require(size, "a block's check");
  reader.at += size;
  const stored = view.slice(at, size);
  const computed = new ByteView(new Uint8Array(size));
  if (check === CHECK.CRC32) computed.setU32(0, crc32(content));
  else if (check === CHECK.CRC64) {
    const { high, low } = crc64(content);
    computed.setU32(0, low);
    computed.setU32(4, high);
  } else if (check === CHECK.SHA256) computed.setBytes(0, sha256(content));
  if (stored.every((value, i) => value === computed.bytes[i])) return;
  throw reader.corrupt(
    at,
    `check ${hexBytes(stored, size)}`,
    `${hexBytes(computed.bytes, size)} of the data`,
  );
}

/** §4; returns the size of the index. */
function index(reader: XzReader, blocks: readonly BlockSizes[]): number {
  const start = reader.at;
  reader.at += 1;
  const count = reader.integer("the number of records");
  if (count !== blocks.length)
    throw reader.corrupt(start + 1, `${count} records`, `${blocks.length}, the blocks`);
  for (const { unpadded, unpacked } of blocks) {
    const at = reader.at;
    const sizes = [reader.integer("a record"), reader.integer("a record")];
    if (sizes[0] !== unpadded || sizes[1] !== unpacked) {
      throw reader.corrupt(at, `a record of ${sizes.join(" and ")} bytes`, `${unpadded} and ${unpacked}`);
    }
  }
  reader.padding(reader.at - start);
  reader.crc(reader.view.slice(start, reader.at - start), "the index");
  return reader.at - start;
}

/** §2.1.2 */
function footer(reader: XzReader, flags: Uint8Array, indexSize: number): void {
  const { at, view } = reader;
  reader.require(STREAM_FOOTER_SIZE, "the stream footer");
  const [sizeAt, flagsAt, magicAt] = [
    at + STREAM_FOOTER.BACKWARD_SIZE,
    at + STREAM_FOOTER.FLAGS,
    at + STREAM_FOOTER.MAGIC,
  ];
  reader.crc(view.slice(sizeAt, magicAt - sizeAt), "the stream footer");
  const backward = (view.u32(sizeAt) + 1) * 4;
  if (backward !== indexSize) throw reader.corrupt(sizeAt, `an index of ${backward} bytes`, `${indexSize}`);
  const again = view.slice(flagsAt, STREAM_FLAGS_SIZE);
  if (again.some((value, i) => value !== flags[i])) {
    throw reader.corrupt(flagsAt, `stream flags ${hexBytes(again)}`, hexBytes(flags));
  }
  if (view.u16(magicAt) !== FOOTER_MAGIC) {
    throw reader.corrupt(
      magicAt,
      hex(view.u16(magicAt), 4),
      `the footer's magic number ${hex(FOOTER_MAGIC)}`,
    );
  }
  reader.at = at + STREAM_FOOTER_SIZE;
}
