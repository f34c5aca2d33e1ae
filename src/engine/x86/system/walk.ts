/**
 * The page walk: from a linear page to its physical page and rights, through 32-bit, PAE or 4-level tables in guest
 * RAM. It changes nothing; `markUsed` sets the accessed and dirty bits of the walk it follows. Knows no TLB and
 * raises no fault itself.
 *
 * ```
 *  63   62..52   M-1..12             11..9   8   7   6   5   4   3   2   1   0
 * ┌────┬────────┬───────────────────┬──────┬───┬───┬───┬───┬───┬───┬───┬───┬───┐
 * │ XD │ ignored│ physical address  │ AVL  │ G │PS │ D │ A │PCD│PWT│U/S│R/W│ P │
 * └────┴────────┴───────────────────┴──────┴───┴───┴───┴───┴───┴───┴───┴───┴───┘
 * ```
 * Specification: Intel SDM vol. 3A §4.3 (32-bit), §4.4 (PAE), §4.5 (4-level), §4.6 (rights), §4.8 (A and D).
 */
import {
  CR4_PAE,
  CR4_PGE,
  CR4_PSE,
  EFER_LMA,
  EFER_NXE,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_P,
  PTE_PS,
  PTE_U,
  PTE_W,
  PTE_XD_HIGH,
  RESERVED_1G,
  RESERVED_2M,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { PAGES_OF_1G, PAGES_OF_2M, PAGES_OF_4M } from "./tlb-book.js";

/** How a walk ended. */
export const WALK_OK = 0;
export const WALK_NOT_PRESENT = 1;
export const WALK_RESERVED = 2;

const ENTRIES = 512;
const ALL_ONES = 0xffffffff;
/** Linear pages under one entry of the root table: bits 47:39. */
const ROOT_PAGES = 2 ** 27;
/** Bits 62:52 of a PAE entry without XD, in its upper word. */
const PAE_RESERVED_HIGH = 0x7ff00000;
const LEGACY_4M_HIGH_SHIFT = 13;
const LEGACY_4M_HIGH_MASK = 0xff;
const LEVELS = 4;

/**
 * Result of the last walk, one object for all CPUs: walks do not nest. `user`, `writable` and `noExecute` combine
 * all levels.
 */
export const walked = {
  /** Physical page number. */
  page: 0,
  user: false,
  writable: false,
  noExecute: false,
  global: false,
  dirty: false,
  /** Pages of 4 KiB that the leaf maps. */
  span: 1,
};

/** Host addresses of the entries of the last walk, root first, and their low words. */
const entryHost = new Float64Array(LEVELS);
const entryLow = new Int32Array(LEVELS);
let entryCount = 0;
// The entry that `readEntry` read.
let low = 0;
let high = 0;

/** Reads the entry of `wide` ? 8 : 4 bytes at a physical address; memory that is not RAM reads as all ones. */
function readEntry(cpu: CpuContext, physical: number, wide: boolean): void {
  const offset = cpu.services.ramOffsetOf(physical);
  if (offset < 0) {
    low = ALL_ONES | 0;
    high = wide ? ALL_ONES | 0 : 0;
    entryHost[entryCount] = -1;
  } else {
    const host = cpu.services.ramBase + offset;
    low = cpu.i32[host >>> 2];
    high = wide ? cpu.i32[(host >>> 2) + 1] : 0;
    entryHost[entryCount] = host;
  }
  entryLow[entryCount++] = low;
}

/** Physical page number in the current 64-bit entry. */
function entryPage(): number {
  return (low >>> L.PAGE_SHIFT) + (high & (L.PAGES_4G - 1)) * L.PAGES_4G;
}

function combineRights(): void {
  walked.user &&= (low & PTE_U) !== 0;
  walked.writable &&= (low & PTE_W) !== 0;
  walked.noExecute ||= (high & PTE_XD_HIGH) !== 0;
}

function finish(cpu: CpuContext, page: number, span: number): number {
  walked.page = page;
  walked.span = span;
  walked.dirty = (low & PTE_D) !== 0;
  walked.global = (low & PTE_G) !== 0 && (cpu.get32(L.CR4) & CR4_PGE) !== 0;
  return WALK_OK;
}

/** Levels 4…1 of 8-byte entries, or 2…1 behind a PAE pointer table. `table` is the physical page of the first. */
function walkWide(cpu: CpuContext, page: number, table: number, topLevel: number, reserved: number): number {
  let tablePage = table;
  for (let level = topLevel; ; level--) {
    const index =
      level === LEVELS
        ? Math.floor(page / ROOT_PAGES) & (ENTRIES - 1)
        : (page >>> ((level - 1) * 9)) & (ENTRIES - 1);
    readEntry(cpu, tablePage * L.PAGE_SIZE + index * 8, true);
    if (!(low & PTE_P)) return WALK_NOT_PRESENT;
    if (high & reserved) return WALK_RESERVED;
    combineRights();
    tablePage = entryPage();
    if (level === 1) return finish(cpu, tablePage, 1);
    if (!(low & PTE_PS)) continue;
    if (level === LEVELS || (level === 3 && !cpu.gigabytePages)) return WALK_RESERVED;
    if (low & (level === 3 ? RESERVED_1G : RESERVED_2M)) return WALK_RESERVED;
    const span = level === 3 ? PAGES_OF_1G : PAGES_OF_2M;
    // Bit 12 is PAT here, not address.
    return finish(cpu, tablePage - (tablePage & 1) + (page & (span - 1)), span);
  }
}

function walkPae(cpu: CpuContext, page: number, reserved: number): number {
  // Pointer entries have no rights and no accessed bit.
  const entry = (page >>> 18) * 2;
  low = cpu.pdptes[entry];
  high = cpu.pdptes[entry + 1];
  if (!(low & PTE_P)) return WALK_NOT_PRESENT;
  return walkWide(cpu, page, entryPage(), 2, reserved | PAE_RESERVED_HIGH);
}

function walkLegacy(cpu: CpuContext, page: number): number {
  const directory = (cpu.get32(L.CR3) & ~(L.PAGE_SIZE - 1)) >>> 0;
  readEntry(cpu, directory + (page >>> 10) * 4, false);
  if (!(low & PTE_P)) return WALK_NOT_PRESENT;
  combineRights();
  if (low & PTE_PS && cpu.get32(L.CR4) & CR4_PSE) {
    if (low & cpu.reserved4M) return WALK_RESERVED;
    const above4G = (low >>> LEGACY_4M_HIGH_SHIFT) & LEGACY_4M_HIGH_MASK;
    return finish(cpu, ((low >>> 22) << 10) + above4G * L.PAGES_4G + (page & (PAGES_OF_4M - 1)), PAGES_OF_4M);
  }
  readEntry(cpu, ((low & ~(L.PAGE_SIZE - 1)) >>> 0) + (page & 0x3ff) * 4, false);
  if (!(low & PTE_P)) return WALK_NOT_PRESENT;
  combineRights();
  return finish(cpu, low >>> L.PAGE_SHIFT, 1);
}

/** Walks the tables for a linear page (paging is on). Fills `walked` when it returns `WALK_OK`. */
export function walk(cpu: CpuContext, page: number): number {
  entryCount = 0;
  walked.user = true;
  walked.writable = true;
  walked.noExecute = false;
  const efer = cpu.get32(L.EFER);
  const reserved = cpu.reservedPhysicalHigh | (efer & EFER_NXE ? 0 : PTE_XD_HIGH);
  if (efer & EFER_LMA) {
    const root = (cpu.get32(L.CR3) >>> L.PAGE_SHIFT) + (cpu.upper(L.CR3) & (L.PAGES_4G - 1)) * L.PAGES_4G;
    return walkWide(cpu, page, root, LEVELS, reserved);
  }
  return cpu.get32(L.CR4) & CR4_PAE ? walkPae(cpu, page, reserved) : walkLegacy(cpu, page);
}

function setBits(cpu: CpuContext, entry: number, bits: number): void {
  const host = entryHost[entry];
  if (host < 0 || (entryLow[entry] & bits) === bits) return;
  const ramOffset = host - cpu.services.ramBase;
  if (cpu.services.code.pageHoldsCode(ramOffset)) cpu.services.code.invalidate(ramOffset, 4);
  cpu.i32[host >>> 2] |= bits;
}

/** Sets the accessed bits of the last walk's entries and, for a write, the dirty bit of its leaf. */
export function markUsed(cpu: CpuContext, write: boolean): void {
  const leaf = entryCount - 1;
  for (let entry = 0; entry < leaf; entry++) setBits(cpu, entry, PTE_A);
  setBits(cpu, leaf, write ? PTE_A | PTE_D : PTE_A);
}
