/**
 * How a snapshot's file is laid out, version 2; `docs/snapshot.md` has it byte by byte. Little-endian.
 *
 * ```
 *  0            32                                                4 KiB aligned
 *  ┌────────┬───────────────┬──────┬──────┬──────┬──────┬──────┬──────┬──────┬────┬───────────────────┐
 *  │ header │ section table │ META │ PLAN │ MACH │ DISK │ DATA │ RUNS │ SUMS │    │ PAGE              │
 *  └────────┴───────────────┴──────┴──────┴──────┴──────┴──────┴──────┴──────┴────┴───────────────────┘
 *    magic     type, place,   values                      disks' where  CRC of     pages of RAM that are
 *    version   CRC each                                   bytes  they   every      not zero, one by one
 *                                                                lie    16 KiB
 * ```
 */
import { SNAPSHOT_MAGIC } from "../spec/file-magic.js";

export const MAGIC = Uint8Array.from(SNAPSHOT_MAGIC);
/** Grows with every change that an older program would misread. */
export const VERSION = 2;

export const HEADER = {
  magic: 0,
  version: 8,
  sections: 12,
  length: 16,
  tableCrc: 24,
  headerCrc: 28,
  size: 32,
} as const;

export const SECTION = { type: 0, packing: 4, offset: 8, stored: 16, length: 24, crc: 32, size: 40 } as const;

/** A section by its type, ASCII. */
export const SECTION_TYPES = {
  /** What machine, when, which kernel: a value. */
  about: "META",
  /** The plan: a value. */
  plan: "PLAN",
  /** The rest of the state but RAM: a value. */
  machine: "MACH",
  /** Which disks it has, and what of them is only in memory: a value. */
  disks: "DISK",
  /** The bytes of that, in the order of the disks and their places. */
  data: "DATA",
  /** Which pages of RAM follow: pairs of u32, the first page and how many. */
  runs: "RUNS",
  /** CRC-32 of each block of their contents, as they are when unpacked: u32. */
  sums: "SUMS",
  /** Their contents. */
  pages: "PAGE",
} as const;
export type SectionType = (typeof SECTION_TYPES)[keyof typeof SECTION_TYPES];

/** How a section is stored; only pages may be packed. */
export const PACKING = { none: 0, gzip: 1 } as const;

export const PAGE = 0x1000;
/** Pages that have a checksum together, in the order in which they are stored; the last block may be shorter. */
export const BLOCK_PAGES = 4;
/** Bytes of an entry of RUNS. */
export const RUN_SIZE = 8;
/** Bytes of an entry of SUMS. */
export const SUM_SIZE = 4;
