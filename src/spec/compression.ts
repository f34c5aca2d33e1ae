/**
 * Magic numbers of compressed streams. Sources: RFC 1952 §2.3.1 (gzip), RFC 8878 §3.1.1 (zstd), The .xz File
 * Format 1.2.1 §2.1.1.1, LZ4 frame format 1.6.4 "Legacy frame" and "General structure", bzip2 and lzop file
 * headers; boot.rst "payload_offset" for the two-byte forms Linux looks for. Holds numbers only.
 */

/** The compression formats that can be read here. */
export type CodecName = "gzip" | "zstd" | "xz" | "lzma" | "lz4-legacy";
/** Those that are recognised by their magic number, and refused by name. */
export type UnsupportedCodecName = "bzip2" | "lzo" | "lz4-frame" | "compress" | "pack" | "lzip";

/** Bytes at the start of a stream, most specific first. */
export const COMPRESSION_MAGICS: readonly {
  readonly name: CodecName | UnsupportedCodecName;
  readonly bytes: readonly number[];
}[] = [
  { name: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "zstd", bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "lz4-legacy", bytes: [0x02, 0x21, 0x4c, 0x18] },
  { name: "lz4-frame", bytes: [0x04, 0x22, 0x4d, 0x18] },
  { name: "lzo", bytes: [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a] },
  { name: "lzip", bytes: [0x4c, 0x5a, 0x49, 0x50] },
  { name: "bzip2", bytes: [0x42, 0x5a, 0x68] },
  { name: "gzip", bytes: [0x1f, 0x8b] },
  { name: "pack", bytes: [0x1f, 0x1e] },
  { name: "compress", bytes: [0x1f, 0x9d] },
];

/** .lzma ("LZMA alone") has no magic: properties byte 0x5d and a dictionary size whose low byte is 0. */
export const LZMA_ALONE_START: readonly number[] = [0x5d, 0x00, 0x00];

/** The programs that unpack them. */
export const UNPACKERS: Readonly<Record<CodecName | UnsupportedCodecName, string>> = {
  gzip: "gunzip",
  xz: "unxz",
  lzma: "unlzma",
  zstd: "unzstd",
  "lz4-legacy": "unlz4",
  "lz4-frame": "unlz4",
  lzo: "lzop -d",
  bzip2: "bunzip2",
  lzip: "lzip -d",
  compress: "uncompress",
  pack: "gunzip",
};
