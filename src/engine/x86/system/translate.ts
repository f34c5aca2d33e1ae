/**
 * From a linear page to a physical page under an access mode: TLB first, then the page walk with its rights checks,
 * which fills the TLB. Also the instruction side. Reports a fault by returning -1 with the reason in the context;
 * raises nothing.
 *
 * Specification: Intel SDM vol. 3A §4.6 (access rights), §4.7 (page-fault error code), §4.10 (caching).
 */
import {
  CR0_PG,
  CR0_WP,
  CR4_SMEP,
  CR4_PAE,
  EFER_NXE,
  PF_FETCH,
  PF_PRESENT,
  PF_RESERVED,
  PF_USER,
  PF_WRITE,
  VECTOR_PF,
} from "../../../spec/x86-privileged.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { isWatchedPage } from "./breakpoints.js";
import * as Book from "./tlb-book.js";
import { markUsed, walk, walked, WALK_NOT_PRESENT, WALK_OK } from "./walk.js";

/** Physical pages from here up (16 TiB) do not fit an entry and are never cached. */
const UNCACHED_PAGE = 2 ** 32;

/** Error code of a page fault, without P and RSVD. */
function accessCode(write: boolean, mode: number): number {
  return (write ? PF_WRITE : 0) | (mode === L.ACCESS_USER ? PF_USER : 0);
}

function dataAllowed(cpu: CpuContext, write: boolean, mode: number): boolean {
  if (mode === L.ACCESS_USER) return walked.user && (!write || walked.writable);
  if (mode === L.ACCESS_SUPERVISOR && walked.user) return false;
  return !write || walked.writable || !(cpu.get32(L.CR0) & CR0_WP);
}

function writeAllowed(cpu: CpuContext, mode: number): boolean {
  return walked.writable || (mode !== L.ACCESS_USER && !(cpu.get32(L.CR0) & CR0_WP));
}

/** The identity mapping of CR0.PG = 0. */
function walkUnpaged(page: number): void {
  walked.page = page;
  walked.user = true;
  walked.writable = true;
  walked.noExecute = false;
  walked.global = false;
  walked.dirty = true;
  walked.span = 1;
}

/** Enters the last walk's page in the data TLB. `canWrite`: writable and dirty. */
function fill(cpu: CpuContext, page: number, mode: number, canWrite: boolean): void {
  if (walked.page >= UNCACHED_PAGE) return;
  const flags = (walked.global ? L.TLB_FLAG_GLOBAL : 0) | (canWrite ? L.TLB_FLAG_WRITABLE : 0);
  cpu.tlb.noteLarge(page, walked.span);
  enterDataPage(cpu, page, mode, walked.page, flags);
}

/** Enters a translation for an access mode in the data TLB; `flags` are `TLB_FLAG_GLOBAL` and `TLB_FLAG_WRITABLE`. */
export function enterDataPage(
  cpu: CpuContext,
  page: number,
  mode: number,
  physical: number,
  flags: number,
): void {
  const { tlb, i32 } = cpu;
  const canWrite = (flags & L.TLB_FLAG_WRITABLE) !== 0;
  const word = tlb.dataEntry(page, mode);
  tlb.fillData(word, flags);
  const tagLow = (page << L.PAGE_SHIFT) | 0;
  const tagHigh = Math.floor(page / L.PAGES_4G) | 0;
  i32[word + Book.WORD_PAGE_TAG] = tlb.pageTag(page);
  i32[word + Book.WORD_PHYSICAL_PAGE] = physical | 0;
  const ramOffset = cpu.services.ramOffsetOf(physical * L.PAGE_SIZE);
  const slow = (cpu.alignmentChecks && mode === L.ACCESS_USER) || isWatchedPage(cpu, page);
  const readable = ramOffset >= 0 && !slow;
  i32[word + Book.WORD_READ_TAG] = readable ? tagLow : L.TLB_EMPTY;
  i32[word + Book.WORD_READ_TAG + 1] = readable ? tagHigh : 0;
  if (readable) i32[word + Book.WORD_ADDEND] = (cpu.services.ramBase + ramOffset - tagLow) | 0;
  const fastWrite = readable && canWrite && !cpu.services.code.pageHoldsCode(ramOffset);
  i32[word + Book.WORD_WRITE_TAG] = fastWrite ? tagLow : L.TLB_EMPTY;
  i32[word + Book.WORD_WRITE_TAG + 1] = fastWrite ? tagHigh : 0;
}

function walkData(cpu: CpuContext, page: number, linear: number, write: boolean, mode: number): number {
  const paging = (cpu.get32(L.CR0) & CR0_PG) !== 0;
  if (paging) {
    const outcome = walk(cpu, page);
    if (outcome === WALK_NOT_PRESENT) return cpu.fail(VECTOR_PF, accessCode(write, mode), linear);
    if (outcome !== WALK_OK) {
      return cpu.fail(VECTOR_PF, accessCode(write, mode) | PF_PRESENT | PF_RESERVED, linear);
    }
    if (!dataAllowed(cpu, write, mode)) {
      return cpu.fail(VECTOR_PF, accessCode(write, mode) | PF_PRESENT, linear);
    }
    markUsed(cpu, write);
  } else walkUnpaged(page);
  fill(cpu, page, mode, (write || walked.dirty) && writeAllowed(cpu, mode));
  return walked.page;
}

/**
 * Physical page number for a data access to a canonical `linear` address in linear page `page`, or -1 with the
 * context's fault fields set. A successful write sets the dirty bit.
 */
export function translatePage(
  cpu: CpuContext,
  page: number,
  linear: number,
  write: boolean,
  mode: number,
): number {
  const word = cpu.tlb.dataEntry(page, mode);
  if (cpu.i32[word + Book.WORD_PAGE_TAG] === cpu.tlb.pageTag(page)) {
    if (!write || cpu.i32[word + Book.WORD_FLAGS] & L.TLB_FLAG_WRITABLE) {
      return cpu.u32[word + Book.WORD_PHYSICAL_PAGE];
    }
  }
  return walkData(cpu, page, linear, write, mode);
}

/** Host address by the tags that generated code uses: RAM, and for writes dirty and without code. 0 when they miss. */
export function taggedHost(
  cpu: CpuContext,
  linear: number,
  page: number,
  write: boolean,
  mode: number,
): number {
  const { i32 } = cpu;
  const word = cpu.tlb.dataEntry(page, mode);
  const tag = word + (write ? Book.WORD_WRITE_TAG : Book.WORD_READ_TAG);
  if (i32[tag] !== page << L.PAGE_SHIFT || i32[tag + 1] !== Math.floor(page / L.PAGES_4G)) return 0;
  return (i32[word + Book.WORD_ADDEND] + (linear | 0)) >>> 0;
}

/** Gives the entry of a page its fast write right back, once the page holds no code any more. */
export function restoreWriteTag(cpu: CpuContext, page: number, mode: number): void {
  const word = cpu.tlb.dataEntry(page, mode);
  const { i32 } = cpu;
  if (i32[word + Book.WORD_PAGE_TAG] !== cpu.tlb.pageTag(page)) return;
  if (!(i32[word + Book.WORD_FLAGS] & L.TLB_FLAG_WRITABLE)) return;
  i32[word + Book.WORD_WRITE_TAG] = i32[word + Book.WORD_READ_TAG];
  i32[word + Book.WORD_WRITE_TAG + 1] = i32[word + Book.WORD_READ_TAG + 1];
}

function fetchCode(cpu: CpuContext, user: boolean): number {
  const cr4 = cpu.get32(L.CR4);
  const marksFetch = cr4 & CR4_SMEP || (cr4 & CR4_PAE && cpu.get32(L.EFER) & EFER_NXE);
  return (user ? PF_USER : 0) | (marksFetch ? PF_FETCH : 0);
}

function walkFetch(cpu: CpuContext, page: number, linear: number): number {
  if (!(cpu.get32(L.CR0) & CR0_PG)) {
    walkUnpaged(page);
    return walked.page;
  }
  const user = cpu.cpl === 3;
  const outcome = walk(cpu, page);
  if (outcome === WALK_NOT_PRESENT) return cpu.fail(VECTOR_PF, fetchCode(cpu, user), linear);
  if (outcome !== WALK_OK) {
    return cpu.fail(VECTOR_PF, fetchCode(cpu, user) | PF_PRESENT | PF_RESERVED, linear);
  }
  const smep = walked.user && (cpu.get32(L.CR4) & CR4_SMEP) !== 0;
  if (walked.noExecute || (user ? !walked.user : smep)) {
    return cpu.fail(VECTOR_PF, fetchCode(cpu, user) | PF_PRESENT, linear);
  }
  markUsed(cpu, false);
  return walked.page;
}

/**
 * RAM offset of the page that holds instruction bytes at a canonical `linear` address, entered in the instruction
 * TLB; -1 with the fault fields set; -2 when the page is not RAM.
 */
export function translateFetchPage(cpu: CpuContext, linear: number): number {
  const page = Math.floor(linear / L.PAGE_SIZE);
  const physical = walkFetch(cpu, page, linear);
  if (physical < 0) return -1;
  const ramOffset = cpu.services.ramOffsetOf(physical * L.PAGE_SIZE);
  if (ramOffset < 0) return -2;
  cpu.tlb.noteLarge(page, walked.span);
  enterCodePage(cpu, page, cpu.get32(L.CODE_ACCESS), ramOffset, walked.global ? L.TLB_FLAG_GLOBAL : 0);
  return ramOffset;
}

/** Enters a page of RAM in the instruction TLB, for fetches with this `CODE_ACCESS`; `flags`: `TLB_FLAG_GLOBAL` or 0. */
export function enterCodePage(
  cpu: CpuContext,
  page: number,
  access: number,
  ramOffset: number,
  flags: number,
): void {
  if (cpu.stops.holdFetch(page * L.PAGE_SIZE)) return;
  const word = cpu.tlb.codeEntry(page);
  cpu.tlb.fillCode(word, flags);
  cpu.i32[word] = (page << L.PAGE_SHIFT) | access;
  cpu.i32[word + 1] = Math.floor(page / L.PAGES_4G);
  cpu.i32[word + 2] = ramOffset;
}
