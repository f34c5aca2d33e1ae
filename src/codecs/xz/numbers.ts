/**
 * Numbers of the .xz file format 1.2.1 (the section stands beside each), and of LZMA2 as Linux's
 * Documentation/staging/xz.rst and XZ for Java describe it. Holds numbers only.
 */

/** §2.1.1.1, §2.1.2.4 */
export const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] as const;
export const FOOTER_MAGIC = 0x5a59;
export const STREAM_HEADER_SIZE = 12;
export const STREAM_FOOTER_SIZE = 12;
/** §2.1.1, §2.1.2: offsets in the stream header and footer; both hold two bytes of stream flags. */
export const STREAM_HEADER = { FLAGS: 6, CRC: 8 } as const;
export const STREAM_FOOTER = { BACKWARD_SIZE: 4, FLAGS: 8, MAGIC: 10 } as const;
export const STREAM_FLAGS_SIZE = 2;
/** §2.1.1.2: check identifiers. */
export const CHECK = { NONE: 0x00, CRC32: 0x01, CRC64: 0x04, SHA256: 0x0a } as const;
/** §2.1.1.2: sizes of checks, by identifier. */
export const CHECK_SIZES: Readonly<Record<number, number>> = {
  [CHECK.NONE]: 0,
  [CHECK.CRC32]: 4,
  [CHECK.CRC64]: 8,
  [CHECK.SHA256]: 32,
};
/** §3.1.2 */
export const BLOCK_FLAGS = { FILTERS: 0x03, RESERVED: 0x3c, PACKED_SIZE: 0x40, UNPACKED_SIZE: 0x80 } as const;
/** §4.1: first byte of the index, where a block has its header size. */
export const INDEX_INDICATOR = 0;
/** §1.2: a variable-length integer has at most nine bytes of seven bits. */
export const MAX_VLI_SIZE = 9;

/** §5.3: filter identifiers. */
export const FILTER = { DELTA: 0x03, X86: 0x04, ARM: 0x07, ARM_THUMB: 0x08, LZMA2: 0x21 } as const;
/** Names of filters that are refused. */
export const OTHER_FILTERS: Readonly<Record<number, string>> = {
  0x05: "PowerPC",
  0x06: "IA-64",
  0x09: "SPARC",
  0x0a: "ARM64",
  0x0b: "RISC-V",
};

/** §5.3.1: dictionary sizes are 2^n or 3·2^(n-1), from 4 KiB; 40 means 4 GiB - 1. */
export const MAX_DICTIONARY_CODE = 40;
export const MIN_DICTIONARY_LOG = 12;

/** LZMA2 chunk control bytes. */
export const LZMA2 = {
  END: 0x00,
  /** Uncompressed chunk that resets the dictionary, and one that does not. */
  RAW_RESET: 0x01,
  RAW: 0x02,
  /** From here on LZMA chunks; bits 5 and 6 say what is reset, bits 0–4 are the size's top. */
  LZMA: 0x80,
  RESET_SHIFT: 5,
  RESET_MASK: 3,
  SIZE_MASK: 0x1f,
} as const;
/** What an LZMA chunk resets: nothing; state; state and properties; those and the dictionary. */
export const RESET = { NONE: 0, STATE: 1, PROPERTIES: 2, DICTIONARY: 3 } as const;
/** lc + lp is at most this in LZMA2. */
export const LZMA2_MAX_LC_LP = 4;
