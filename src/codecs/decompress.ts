/**
 * One function for all codecs. Adding a codec is a file and a line here.
 */
import type { CodecName } from "../spec/compression.js";
import { decompressGzip } from "./gzip.js";
import { decompressLz4Legacy } from "./lz4-legacy.js";
import { decompressLzma } from "./lzma/lzma-alone.js";
import type { DecompressOptions } from "./output.js";
import { decompressXz } from "./xz/xz.js";
import { decompressZstd } from "./zstd/zstd.js";

/** An unpacked stream. */
export interface Decompressed {
  bytes: Uint8Array;
  /** Bytes of input that the stream took; what follows them was ignored. */
  consumed: number;
}

const CODECS: Readonly<Record<CodecName, (bytes: Uint8Array, options: DecompressOptions) => Decompressed>> = {
  gzip: decompressGzip,
  zstd: decompressZstd,
  xz: decompressXz,
  lzma: decompressLzma,
  "lz4-legacy": decompressLz4Legacy,
};

/** Bytes that every JavaScript engine has room for in one array: the most a result has, whatever the caller allows. */
const LARGEST_OUTPUT = 2 ** 31 - 1;

/** The codecs that there are. */
export const CODEC_NAMES = Object.keys(CODECS) as readonly CodecName[];

/**
 * Unpacks a stream. Trailing bytes, such as the size that Linux appends, are allowed and ignored.
 * Throws CodecError with the offset in the stream: damaged, cut short, larger than `maxOutput`, or using a
 * feature that is not read here.
 */
export function decompress(codec: CodecName, bytes: Uint8Array, options: DecompressOptions): Decompressed {
  return CODECS[codec](bytes, { ...options, maxOutput: Math.min(options.maxOutput, LARGEST_OUTPUT) });
}
