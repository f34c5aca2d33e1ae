/**
 * The translations that a CPU remembers, out of its TLBs as plain data and back. A guest can tell whether they were kept:
 * by entries that it changed without INVLPG, and by accessed bits, which only a walk sets. What comes back is checked, and
 * leads to guest-physical pages only.
 *
 * Specification: Intel SDM vol. 3A §4.10.2 (TLBs), §4.10.4 (what software must invalidate).
 */
import { TWO_32 } from "../../../bytes/words.js";
import type { Translations } from "../../contract.js";
import type { CpuContext } from "../cpu-context.js";
import * as L from "../layout.js";
import { enterCodePage, enterDataPage } from "./translate.js";

/** Linear page numbers are signed and this large at most: 48-bit addresses. */
const MOST_PAGES = 2 ** 35;
/** Physical pages that an entry has room for. */
const PHYSICAL_PAGES = 2 ** 32;
/** Numbers that each entry has in a list. */
const DATA_FIELDS = 4;
const CODE_FIELDS = 4;
const KEPT_FLAGS = L.TLB_FLAG_GLOBAL | L.TLB_FLAG_WRITABLE;

/** Copies the filled entries out. */
export function readTranslations(cpu: CpuContext): Translations {
  const data: number[] = [];
  const code: number[] = [];
  cpu.tlb.eachDataPage((page, mode, physical, flags) => {
    data.push(page, mode, physical, flags & KEPT_FLAGS);
  });
  cpu.tlb.eachCodePage((page, access, ramOffset, flags) => {
    code.push(page, access, cpu.services.physicalOf(ramOffset) / L.PAGE_SIZE, flags & L.TLB_FLAG_GLOBAL);
  });
  return { data, code, large: cpu.tlb.largePages(), gigabytes: cpu.tlb.largeGigabytePages() };
}

function requireWhole(value: number, first: number, end: number, what: string): void {
  if (Number.isInteger(value) && value >= first && value < end) return;
  throw new RangeError(`translation with ${what} ${value}: expected ${first} to ${end - 1}`);
}

function requireFields(list: readonly number[], fields: number): void {
  if (list.length % fields !== 0)
    throw new RangeError(`translations of ${list.length} numbers: expected a multiple of ${fields}`);
}

/** Replaces what the CPU remembers: behind `writeState`, which forgets all. Throws a RangeError on what no CPU remembers. */
export function writeTranslations(cpu: CpuContext, { data, code, large, gigabytes }: Translations): void {
  requireFields(data, DATA_FIELDS);
  requireFields(code, CODE_FIELDS);
  cpu.tlb.flushAll();
  for (let i = 0; i < data.length; i += DATA_FIELDS) {
    const [page, mode, physical, flags] = data.slice(i, i + DATA_FIELDS);
    requireWhole(page, -MOST_PAGES, MOST_PAGES, "linear page");
    requireWhole(mode, 0, L.ACCESS_MODES, "access mode");
    requireWhole(physical, 0, PHYSICAL_PAGES, "physical page");
    enterDataPage(cpu, page, mode, physical, flags & KEPT_FLAGS);
  }
  for (let i = 0; i < code.length; i += CODE_FIELDS) {
    const [page, access, physical, flags] = code.slice(i, i + CODE_FIELDS);
    requireWhole(page, -MOST_PAGES, MOST_PAGES, "linear page");
    requireWhole(access, 0, 2, "access");
    requireWhole(physical, 0, PHYSICAL_PAGES, "physical page");
    const ramOffset = cpu.services.ramOffsetOf(physical * L.PAGE_SIZE);
    if (ramOffset >= 0) enterCodePage(cpu, page, access, ramOffset, flags & L.TLB_FLAG_GLOBAL);
  }
  for (const region of large) requireWhole(region, 0, L.LARGE_REGION_ENTRIES, "region of large pages");
  requireWhole(gigabytes, 0, TWO_32, "gigabytes");
  cpu.tlb.restoreLarge(large, gigabytes);
}
