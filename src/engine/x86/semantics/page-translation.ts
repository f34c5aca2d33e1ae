/**
 * What generated code does itself where a TLB does not answer: the walk of 4-level tables in RAM, the fill of the TLB
 * entry, and #PF where the walk or its rights end, for data and for code. Twin of system/walk.ts and system/translate.ts, which do
 * everything else: devices, pages that hold code, accesses that cross pages, reserved bits, accessed bits of tables,
 * breakpoints, alignment checks, other kinds of paging. Nothing has changed when it leaves to them.
 *
 * Specification: Intel SDM vol. 3A §4.5 (4-level paging), §4.6 (rights), §4.7 (error code), §4.8 (A and D).
 */
import {
  CR0_AM,
  CR0_WP,
  CR4_PGE,
  CR4_SMEP,
  DR7_ENABLED,
  EFER_LMA,
  EFER_NXE,
  PF_FETCH,
  PF_PRESENT,
  PF_USER,
  PF_WRITE,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_P,
  PTE_PS,
  PTE_U,
  PTE_W,
  PTE_XD_HIGH,
  RESERVED_2M,
} from "../../../spec/x86-privileged.js";
import type { Value, Variable } from "../../ir/ir.js";
import { INFO_ACCESS, INFO_ACCESS_SHIFT, INFO_IMPLICIT_SUPERVISOR, INFO_SIZE } from "../call-info.js";
import * as L from "../layout.js";
import { MODE_CODE_SIZE, MODE_CODE64 } from "../mode.js";
import type { InstructionBuilder } from "./instruction-builder.js";
import { isCanonical, tlbOf, type LeaveIf } from "./quick-access.js";

const ENTRY_BYTES_SHIFT = 3;
const INDEX_BITS = 9;
const INDEX_MASK = (1 << INDEX_BITS) - 1;
/** Bits 51:12 of an entry, as a page number. */
const PAGE_NUMBER_MASK = (1n << 40n) - 1n;
const ROOT_LEVEL = 4;
/** Linear address to the page number above the index bits of the TLB. */
const PAGE_TAG_SHIFT = L.PAGE_SHIFT + L.TLB_INDEX_BITS;
const CODE_LINES_SHIFT = 3;

/** An access that missed, i32 but for the address. */
export interface Miss {
  readonly linear: Value;
  readonly info: Value;
  /** Leaves to the exact path. */
  readonly leaveIf: LeaveIf;
  /** Delivers #PF with an error code and ends the code. */
  fault(errorCode: Value): void;
}

/** What of the access and the CPU's state decides about rights, i32. */
interface Rights {
  readonly write: Value;
  readonly user: Value;
  /** A supervisor whom SMAP keeps from user pages. */
  readonly kept: Value;
  /** Pages without the right to write are not protected from this one. */
  readonly writesAll: Value;
}

/** Where a walk ended. */
interface Leaf {
  /** Host address of the entry. */
  readonly at: Variable;
  readonly low: Variable;
  /** Physical page. */
  readonly page: Variable;
  /** 0: a page of 4 KiB; 1: of 2 MiB; 2: of 1 GiB. */
  readonly large: Variable;
  /** U and W of all levels. */
  readonly rights: Variable;
  /** XD of any level, among other bits. */
  readonly high: Variable;
}

function rightsOf(b: InstructionBuilder, info: Value): Rights {
  const user = b.eq(b.state("i32.load", L.CPL), b.i32(3));
  const tlb = b.state("i32.load", L.TLB_CURRENT);
  const protects = b.and(b.state("i32.load", L.CR0), b.i32(CR0_WP));
  return {
    write: b.ne(b.and(info, b.i32(INFO_ACCESS << INFO_ACCESS_SHIFT)), b.i32(0)),
    user,
    kept: b.eq(tlb, tlbOf(b, b.i32(L.ACCESS_SUPERVISOR))),
    writesAll: b.and(b.eqz(protects), b.eqz(user)),
  };
}

/** Leaves what is no plain access of a program to one page, by a CPU that nothing watches. */
function requirePlain(b: InstructionBuilder, { linear, info, leaveIf }: Miss, user: Value): void {
  const own = b.and(b.state("i32.load", L.DR7), b.i32(DR7_ENABLED));
  const watched = b.or(own, b.state("i32.load", L.STOPS_DATA));
  const implicit = b.and(info, b.i32(INFO_IMPLICIT_SUPERVISOR));
  const short = b.eqz(b.and(b.state("i32.load", L.EFER), b.i32(EFER_LMA)));
  leaveIf(b.or(b.or(watched, implicit), short));
  // AM and AC are the same bit of their registers.
  const flags = b.and(b.state("i32.load", L.FLAG_SYSTEM), b.state("i32.load", L.CR0));
  leaveIf(b.and(user, b.ne(b.and(flags, b.i32(CR0_AM)), b.i32(0))));
  const end = b.add(b.and(b.wrap(linear), b.i32(L.PAGE_SIZE - 1)), b.and(info, b.i32(INFO_SIZE)));
  leaveIf(b.or(b.gtU(end, b.i32(L.PAGE_SIZE)), b.eqz(isCanonical(b, linear))));
}

/** What identifies an entry's page besides its place; `TlbBook.pageTag` is its twin. */
function pageTag(b: InstructionBuilder, linear: Value): Value {
  return b.wrap(b.shrS(linear, b.i64(PAGE_TAG_SHIFT)));
}

/** Leaves what misses only because the page is a device's or holds code: its entry is filled, with the right asked for. */
function requireNoEntry(
  b: InstructionBuilder,
  entry: Value,
  { linear, leaveIf }: Miss,
  { write }: Rights,
): void {
  const filled = b.eq(b.load("i32.load", entry, L.TLB_PAGE_TAG), pageTag(b, linear));
  const writable = b.and(b.load("i32.load", entry, L.TLB_FLAGS), b.i32(L.TLB_FLAG_WRITABLE));
  leaveIf(b.and(filled, b.or(b.eqz(write), b.ne(writable, b.i32(0)))));
}

/** Error code of a page fault but for P. */
function accessCode(b: InstructionBuilder, { write, user }: Rights): Value {
  return b.or(b.mul(write, b.i32(PF_WRITE)), b.mul(user, b.i32(PF_USER)));
}

/** Leaves where a physical page is no RAM, or is still to be fetched. */
function requirePresent(b: InstructionBuilder, page: Value, leaveIf: LeaveIf): void {
  leaveIf(b.geU(page, b.state("i64.load32_u", L.RAM_LOW_PAGES)));
  leaveIf(b.load("i32.load8_u", b.wrap(page), L.ABSENT_PAGES));
}

/** Host address of the entry for `linear` in a table at a physical page, which must be RAM. */
function entryAddress(
  b: InstructionBuilder,
  table: Value,
  linear: Value,
  level: number,
  leaveIf: LeaveIf,
): Value {
  requirePresent(b, table, leaveIf);
  const index = b.wrap(b.shrU(linear, b.i64(L.PAGE_SHIFT + INDEX_BITS * (level - 1))));
  const offset = b.shl(b.and(index, b.i32(INDEX_MASK)), b.i32(ENTRY_BYTES_SHIFT));
  const start = b.add(b.shl(b.wrap(table), b.i32(L.PAGE_SHIFT)), b.state("i32.load", L.RAM_BASE));
  return b.add(start, offset);
}

/** What must be 0 in the upper half of every entry. */
function reservedBits(b: InstructionBuilder): Value {
  const executable = b.eqz(b.and(b.state("i32.load", L.EFER), b.i32(EFER_NXE)));
  return b.or(b.state("i32.load", L.RESERVED_PHYSICAL), b.select(executable, b.i32(PTE_XD_HIGH), b.i32(0)));
}

/** Bits 20:13 or 29:13 of a large page, which must be 0. */
function requireAlignedPage(b: InstructionBuilder, low: Value, level: number, leaveIf: LeaveIf): void {
  const reserved = level === 3 ? b.state("i32.load", L.RESERVED_1G) : b.i32(RESERVED_2M);
  leaveIf(b.and(low, reserved));
}

/** Walks the tables; `absent` ends the code where an entry is not present. */
function walk(b: InstructionBuilder, linear: Value, leaveIf: LeaveIf, absent: () => void): Leaf {
  const reserved = reservedBits(b);
  const root = b.and(b.shrU(b.state("i64.load", L.CR3), b.i64(L.PAGE_SHIFT)), b.i64(PAGE_NUMBER_MASK));
  const leaf: Leaf = {
    at: b.variable(b.i32(0)),
    low: b.variable(b.i32(0)),
    page: b.variable(root),
    large: b.variable(b.i32(0)),
    rights: b.variable(b.i32(PTE_U | PTE_W)),
    high: b.variable(b.i32(0)),
  };
  b.block((found) => {
    for (let level = ROOT_LEVEL; level > 0; level--) {
      const at = entryAddress(b, b.get(leaf.page), linear, level, leaveIf);
      const entry = b.load("i64.load", at);
      const low = b.wrap(entry);
      b.if(b.eqz(b.and(low, b.i32(PTE_P))), absent);
      const high = b.wrap(b.shrU(entry, b.i64(32)));
      leaveIf(b.and(high, reserved));
      b.set(leaf.at, at);
      b.set(leaf.low, low);
      b.set(leaf.high, b.or(b.get(leaf.high), high));
      b.set(leaf.rights, b.and(b.get(leaf.rights), low));
      const page = b.and(b.shrU(entry, b.i64(L.PAGE_SHIFT)), b.i64(PAGE_NUMBER_MASK));
      b.set(leaf.page, page);
      if (level === 1) continue;
      const large = b.and(low, b.i32(PTE_PS));
      if (level === ROOT_LEVEL) leaveIf(large);
      else
        b.if(large, () => {
          requireAlignedPage(b, low, level, leaveIf);
          const within = b.i64((1n << BigInt(INDEX_BITS * (level - 1))) - 1n);
          const inside = b.and(b.shrU(linear, b.i64(L.PAGE_SHIFT)), within);
          b.set(leaf.page, b.or(b.and(page, b.not(within)), inside));
          b.set(leaf.large, b.i32(level - 1));
          b.branch(found);
        });
      // Accessed bits of tables are set once, by the exact path.
      leaveIf(b.eqz(b.and(low, b.i32(PTE_A))));
    }
  });
  return leaf;
}

/** #PF unless the rights of all levels together allow the access; whether pages may be written. */
function checkRights(b: InstructionBuilder, miss: Miss, rights: Rights, leaf: Leaf): Value {
  const { write, user, kept, writesAll } = rights;
  const all = b.get(leaf.rights);
  const userPage = b.ne(b.and(all, b.i32(PTE_U)), b.i32(0));
  const writable = b.or(b.ne(b.and(all, b.i32(PTE_W)), b.i32(0)), writesAll);
  const forbidden = b.select(user, b.eqz(userPage), b.and(kept, userPage));
  const denied = b.or(forbidden, b.and(write, b.eqz(writable)));
  b.if(denied, () => miss.fault(b.or(accessCode(b, rights), b.i32(PF_PRESENT))));
  return writable;
}

/** Whether writes to a page of RAM, given by its host address, must be told: it holds decoded instructions, may be monitored, or every write is noted (i32, not 0). */
function isWatched(b: InstructionBuilder, host: Value): Value {
  const page = b.shrU(b.sub(host, b.state("i32.load", L.RAM_BASE)), b.i32(L.PAGE_SHIFT));
  const code = b.load("i64.load", b.shl(page, b.i32(CODE_LINES_SHIFT)), L.CODE_LINES);
  const monitored = b.load("i32.load8_u", b.and(page, b.i32(L.MONITORED_PAGES_MASK)), L.MONITORED_PAGES);
  const tracked = b.load("i32.load", b.i32(0), L.TRACKED_PAGES);
  return b.or(b.or(monitored, tracked), b.ne(code, b.i64(0)));
}

/** Sets A, and D for a write, in the leaf's entry; a table that is watched is the exact path's. Its low word. */
function markUsed(b: InstructionBuilder, leaf: Leaf, write: Value, leaveIf: LeaveIf): Value {
  const low = b.get(leaf.low);
  const used = b.or(low, b.or(b.mul(write, b.i32(PTE_D)), b.i32(PTE_A)));
  b.if(b.ne(used, low), () => {
    leaveIf(isWatched(b, b.get(leaf.at)));
    b.store("i32.store", b.get(leaf.at), used);
  });
  return used;
}

/** Where a TLB keeps its flags and lists, as offsets. */
interface Lists {
  readonly tlb: number;
  readonly entryShift: number;
  readonly flags: number;
  readonly counts: number;
  readonly lists: number;
  readonly listBytes: number;
}

const DATA: Lists = {
  tlb: L.TLB,
  entryShift: L.TLB_ENTRY_SHIFT,
  flags: L.TLB_FLAGS,
  counts: L.TLB_LISTED,
  lists: L.TLB_LISTS,
  listBytes: L.TLB_LIST_BYTES,
};

const CODE: Lists = {
  tlb: L.ITLB,
  entryShift: Math.log2(L.ITLB_ENTRY_SIZE),
  flags: L.ITLB_FLAGS,
  counts: L.TLB_LISTED + 8,
  lists: L.ITLB_LISTS,
  listBytes: L.ITLB_ENTRIES * 2,
};

/** Puts the entry at `entry` in the list of those that are filled, once; stores its flags. Twin of `EntryLists.fill`. */
function storeFlags(b: InstructionBuilder, place: Lists, entry: Value, global: Value, more: Value): void {
  const old = b.load("i32.load", entry, place.flags);
  const listed = b.and(old, b.i32(L.TLB_LISTED_LOCAL | L.TLB_LISTED_GLOBAL));
  const bit = b.select(global, b.i32(L.TLB_LISTED_GLOBAL), b.i32(L.TLB_LISTED_LOCAL));
  const flags = b.or(b.mul(global, b.i32(L.TLB_FLAG_GLOBAL)), more);
  b.store("i32.store", entry, b.or(b.or(flags, listed), bit), place.flags);
  b.if(b.eqz(b.and(listed, bit)), () => {
    const cpu = b.parameter(0);
    const counter = b.add(cpu, b.mul(global, b.i32(4)));
    const count = b.load("i32.load", counter, place.counts);
    const list = b.add(cpu, b.mul(global, b.i32(place.listBytes)));
    const number = b.shrU(b.sub(entry, b.add(cpu, b.i32(place.tlb))), b.i32(place.entryShift));
    b.store("i32.store16", b.add(list, b.shl(count, b.i32(1))), number, place.lists);
    b.store("i32.store", counter, b.add(count, b.i32(1)), place.counts);
  });
}

/** Whether a leaf's entry maps a global page, i32 0 or 1. */
function isGlobal(b: InstructionBuilder, low: Value): Value {
  const globals = b.select(b.and(b.state("i32.load", L.CR4), b.i32(CR4_PGE)), b.i32(PTE_G), b.i32(0));
  return b.ne(b.and(low, globals), b.i32(0));
}

/** Twin of `TlbBook.noteLarge`. */
function noteLarge(b: InstructionBuilder, linear: Value, leaf: Leaf): void {
  const region = b.wrap(b.shrU(linear, b.i64(L.PAGE_SHIFT + L.LARGE_REGION_SHIFT)));
  const at = b.add(b.parameter(0), b.and(region, b.i32(L.LARGE_REGION_ENTRIES - 1)));
  b.store("i32.store8", at, b.i32(1), L.LARGE_REGIONS);
  b.setState("i32.store", L.ANY_LARGE, b.i32(1));
  const isGigabyte = b.shrU(b.get(leaf.large), b.i32(1));
  const gigabyte = b.wrap(b.shrU(linear, b.i64(L.PAGE_SHIFT + L.LARGE_GIGABYTE_SHIFT)));
  const bit = b.xor(gigabyte, b.shrU(gigabyte, b.i32(L.LARGE_GIGABYTE_FOLD)));
  const noted = b.state("i32.load", L.LARGE_GIGABYTES);
  b.setState("i32.store", L.LARGE_GIGABYTES, b.or(noted, b.shl(isGigabyte, bit)));
}

/** The page that a walk found, in RAM. */
interface Target {
  readonly page: Value;
  /** Host address of its first byte. */
  readonly host: Value;
  /** Writes to it must be seen: i32, not 0. */
  readonly watched: Value;
}

function targetOf(b: InstructionBuilder, leaf: Leaf, leaveIf: LeaveIf): Target {
  const page = b.get(leaf.page);
  requirePresent(b, page, leaveIf);
  const host = b.add(b.shl(b.wrap(page), b.i32(L.PAGE_SHIFT)), b.state("i32.load", L.RAM_BASE));
  return { page, host, watched: isWatched(b, host) };
}

/** Fills the TLB entry but for its flags. */
function fill(
  b: InstructionBuilder,
  entry: Value,
  linear: Value,
  { page, host, watched }: Target,
  canWrite: Value,
): void {
  const tag = b.and(linear, b.i64(-L.PAGE_SIZE));
  const writes = b.select(watched, b.i32(0), canWrite);
  b.store("i64.store", entry, tag, L.TLB_READ_TAG);
  b.store("i64.store", entry, b.select(writes, tag, b.i64(L.TLB_EMPTY)), L.TLB_WRITE_TAG);
  b.store("i32.store", entry, b.sub(host, b.wrap(tag)), L.TLB_ADDEND);
  b.store("i32.store", entry, b.wrap(page), L.TLB_PHYSICAL_PAGE);
  b.store("i32.store", entry, pageTag(b, linear), L.TLB_PAGE_TAG);
}

/** The host address of a data access that the TLB did not answer; leaves, or faults, where there is none. */
export function translateMiss(b: InstructionBuilder, miss: Miss): Value {
  const { linear, leaveIf } = miss;
  const rights = rightsOf(b, miss.info);
  requirePlain(b, miss, rights.user);
  const entry = b.add(b.state("i32.load", L.TLB_CURRENT), b.tlbOffset(linear));
  requireNoEntry(b, entry, miss, rights);
  const leaf = walk(b, linear, leaveIf, () => miss.fault(accessCode(b, rights)));
  const writable = checkRights(b, miss, rights, leaf);
  const target = targetOf(b, leaf, leaveIf);
  leaveIf(b.select(target.watched, rights.write, b.i32(0)));
  const used = markUsed(b, leaf, rights.write, leaveIf);
  const canWrite = b.and(writable, b.ne(b.and(used, b.i32(PTE_D)), b.i32(0)));
  storeFlags(b, DATA, entry, isGlobal(b, used), b.mul(canWrite, b.i32(L.TLB_FLAG_WRITABLE)));
  b.if(b.get(leaf.large), () => noteLarge(b, linear, leaf));
  fill(b, entry, linear, target, canWrite);
  return b.add(target.host, b.and(b.wrap(linear), b.i32(L.PAGE_SIZE - 1)));
}

/** What of CR4, EFER and the level decides about fetches, i32. */
interface FetchRights {
  readonly user: Value;
  /** Supervisors may not execute user pages. */
  readonly smep: Value;
  /** Error code of a page fault but for P. */
  readonly code: Value;
}

function fetchRights(b: InstructionBuilder): FetchRights {
  const user = b.eq(b.state("i32.load", L.CPL), b.i32(3));
  const smep = b.and(b.state("i32.load", L.CR4), b.i32(CR4_SMEP));
  const told = b.or(smep, b.and(b.state("i32.load", L.EFER), b.i32(EFER_NXE)));
  const fetch = b.select(told, b.i32(PF_FETCH), b.i32(0));
  return { user, smep, code: b.or(fetch, b.mul(user, b.i32(PF_USER))) };
}

/** Enters the page of the 64-bit code at `linear` in the instruction TLB; leaves, or faults, where that is rare. */
export function translateFetch(
  b: InstructionBuilder,
  linear: Value,
  leaveIf: LeaveIf,
  fault: (errorCode: Value) => void,
): void {
  const size = b.and(b.state("i32.load", L.MODE_KEY), b.i32(MODE_CODE_SIZE));
  const stops = b.state("i32.load", L.STOPS_CODE);
  leaveIf(b.or(b.or(stops, b.ne(size, b.i32(MODE_CODE64))), b.eqz(isCanonical(b, linear))));
  const { user, smep, code } = fetchRights(b);
  const leaf = walk(b, linear, leaveIf, () => fault(code));
  const userPage = b.and(b.get(leaf.rights), b.i32(PTE_U));
  const forbidden = b.select(user, b.eqz(userPage), b.select(smep, userPage, b.i32(0)));
  const denied = b.or(forbidden, b.and(b.get(leaf.high), b.i32(PTE_XD_HIGH)));
  b.if(denied, () => fault(b.or(code, b.i32(PF_PRESENT))));
  const { host } = targetOf(b, leaf, leaveIf);
  const used = markUsed(b, leaf, b.i32(0), leaveIf);
  const number = b.wrap(b.shrU(linear, b.i64(L.PAGE_SHIFT)));
  const slot = b.mul(b.and(number, b.i32(L.ITLB_ENTRIES - 1)), b.i32(L.ITLB_ENTRY_SIZE));
  const entry = b.add(b.add(b.parameter(0), slot), b.i32(L.ITLB));
  storeFlags(b, CODE, entry, isGlobal(b, used), b.i32(0));
  b.if(b.get(leaf.large), () => noteLarge(b, linear, leaf));
  const page = b.and(linear, b.i64(-L.PAGE_SIZE));
  b.store("i64.store", entry, b.or(page, b.state("i64.load32_u", L.CODE_ACCESS)));
  b.store("i32.store", entry, b.sub(host, b.state("i32.load", L.RAM_BASE)), L.ITLB_RAM_OFFSET);
}
