/**
 * Packed files of some kilobytes that unpack to hundreds of MiB of zeros, made here without the programs that pack. None
 * has an end: whoever unpacks them must have stopped long before.
 */
import { gzipSync } from "node:zlib";
import { ByteWriter } from "../../src/bytes/byte-writer.js";
import { crc32 } from "../../src/codecs/crc32.js";
import type { CodecName } from "../../src/spec/compression.js";
import { zeroPackets } from "./lzma-encoder.js";

const MIB = 2 ** 20;
/** What each unpacks to, at least. */
export const BOMB_SIZE = 320 * MIB;

function repeated(piece: Uint8Array, unpacksTo: number): Uint8Array {
  const count = Math.ceil(BOMB_SIZE / unpacksTo);
  const bytes = new Uint8Array(piece.length * count);
  for (let i = 0; i < count; i++) bytes.set(piece, i * piece.length);
  return bytes;
}

function gzip(): Uint8Array {
  return repeated(gzipSync(new Uint8Array(16 * MIB)), 16 * MIB);
}

/** A frame without a content size, then RLE blocks of 128 KiB. */
function zstd(): Uint8Array {
  const header = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
  return Uint8Array.from([...header, ...repeated(Uint8Array.of(0x02, 0, 0x10, 0), MIB / 8)]);
}

/** Blocks of one literal, a match of 255 × n bytes, and one more literal. */
function lz4(): Uint8Array {
  const lengths = 32_000;
  const block = Uint8Array.from([0x1f, 0, 1, 0, ...new Uint8Array(lengths).fill(255), 0, 0x10, 0]);
  const piece = new ByteWriter().u32(block.length).bytes(block).finish();
  return new ByteWriter()
    .bytes([0x02, 0x21, 0x4c, 0x18])
    .bytes(repeated(piece, lengths * 255))
    .finish();
}

/** A header that leaves the size open, then one LZMA stream. */
function lzma(): Uint8Array {
  const dictionary = 1 << 16;
  const header = new ByteWriter().u8(0x5d).u32(dictionary).bytes(new Uint8Array(8).fill(0xff));
  return header.bytes(zeroPackets(Math.ceil(BOMB_SIZE / 273)).bytes).finish();
}

/** Stream header (no check), block header (LZMA2, dictionary of 64 KiB), then chunks that each begin anew. */
function xz(): Uint8Array {
  const flags = Uint8Array.of(0, 0);
  const block = Uint8Array.of(2, 0, 0x21, 1, 8, 0, 0, 0);
  const { bytes, size } = zeroPackets(7000);
  const chunk = new ByteWriter()
    .u8(0xe0 | ((size - 1) >> 16))
    .bytes([((size - 1) >> 8) & 255, (size - 1) & 255])
    .bytes([(bytes.length - 1) >> 8, (bytes.length - 1) & 255, 0x5d])
    .bytes(bytes)
    .finish();
  return new ByteWriter()
    .bytes([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])
    .bytes(flags)
    .u32(crc32(flags))
    .bytes(block)
    .u32(crc32(block))
    .bytes(repeated(chunk, size))
    .finish();
}

/** One by each codec. */
export const BOMBS: Readonly<Record<CodecName, () => Uint8Array>> = {
  gzip,
  zstd,
  xz,
  lzma,
  "lz4-legacy": lz4,
};
