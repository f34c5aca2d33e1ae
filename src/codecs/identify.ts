/**
 * Names a compressed stream by its magic number (numbers in spec/compression.ts). Reads nothing else.
 */
import { COMPRESSION_MAGICS, LZMA_ALONE_START } from "../spec/compression.js";
import type { CodecName, UnsupportedCodecName } from "../spec/compression.js";

const SUPPORTED: readonly CodecName[] = ["gzip", "zstd", "xz", "lzma", "lz4-legacy"];

function isSupported(name: CodecName | UnsupportedCodecName): name is CodecName {
  return SUPPORTED.some((codec) => codec === name);
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((value, i) => bytes[i] === value);
}

/**
 * The compression format of a stream, from its first bytes: a codec that can be read here, the name of one that
 * is known but cannot, or undefined.
 */
export function identifyCodec(
  bytes: Uint8Array,
): CodecName | { unsupported: UnsupportedCodecName } | undefined {
  const magic = COMPRESSION_MAGICS.find((entry) => startsWith(bytes, entry.bytes));
  if (magic) return isSupported(magic.name) ? magic.name : { unsupported: magic.name };
  return startsWith(bytes, LZMA_ALONE_START) ? "lzma" : undefined;
}
