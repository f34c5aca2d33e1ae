/**
 * How a snapshot's file is laid out, version 1; `docs/snapshot.md` has it byte by byte. Little-endian.
 *
 * ```
 *  0            32                       4 KiB aligned
 *  ┌────────┬───────────────┬──────┬──────┬──────┬──────┬─────┬───────────────────┐
 *  │ header │ section table │ META │ PLAN │ MACH │ RUNS │     │ PAGE              │
 *  └────────┴───────────────┴──────┴──────┴──────┴──────┴─────┴───────────────────┘
 *    magic     type, place,   values                where      pages of RAM that are
 *    version   CRC each                             they lie   not zero, one by one
 * ```
 */
import { SNAPSHOT_MAGIC } from "../spec/file-magic.js";

export const MAGIC = Uint8Array.from(SNAPSHOT_MAGIC);
/** Grows with every change that an older program would misread. */
export const VERSION = 1;

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
  /** Which pages of RAM follow: pairs of u32, the first page and how many. */
  runs: "RUNS",
  /** Their contents. */
  pages: "PAGE",
} as const;
export type SectionType = (typeof SECTION_TYPES)[keyof typeof SECTION_TYPES];

/** How a section is stored; only pages may be packed. */
export const PACKING = { none: 0, gzip: 1 } as const;

export const PAGE = 0x1000;
/** Bytes of an entry of RUNS. */
export const RUN_SIZE = 8;
