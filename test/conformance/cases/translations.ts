/**
 * What the TLB may and may not remember: INVLPG, CR3, global pages, PCID, and tables that show themselves.
 *
 * Specification: SDM vol. 3A §4.10 (caching translation information), §4.5.
 */
import { at, byte, cr3, cr4, ecx, qword, r8, rax, rbx, rcx, rdx, rsi } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { G, P, PS, RW } from "../support/page-tables.js";
import { PF_P, PF_W, pf, setBits } from "./paging.js";

const CR4_PGE = 1 << 7;
const PAGE = 0x1000;
/** A free linear address. */
const LOW = 0x50000000;

/** What may be remembered and what must not (SDM vol. 3A §4.10.4). */
function translations(g: GuestBuilder): void {
  prologue(g.a);
  const { a, tables } = g;
  g.words(0x280000, 0x1n);
  g.words(0x281000, 0x2n);
  g.words(0x282000, 0x3n);
  const pte = tables.map(LOW, 0x280000, P | RW);
  const global = tables.map(LOW + PAGE, 0x280000, P | RW | G);
  const sees = (address: number, value: number, note: string): void => {
    a.mov(rax, qword(address));
    g.expect(rax, value, note);
  };
  const point = (entry: number, physical: number, flags: bigint): void => {
    a.mov(rax, BigInt(physical) | flags).mov(qword(entry), rax);
  };
  sees(LOW, 1, "first mapping");
  point(pte, 0x281000, P | RW);
  a.invlpg(at(LOW + 0x123));
  sees(LOW, 2, "INVLPG by any address of the page");
  point(pte, 0x282000, P | RW);
  a.movSystem(rcx, cr3).movSystem(cr3, rcx);
  sees(LOW, 3, "MOV CR3 forgets");
  setBits(a, cr4, CR4_PGE);
  sees(LOW + PAGE, 1, "a global page");
  point(global, 0x281000, P | RW | G);
  a.invlpg(at(LOW + PAGE));
  sees(LOW + PAGE, 2, "INVLPG forgets global pages too");
  point(global, 0x282000, P | RW | G);
  setBits(a, cr4, 0, CR4_PGE);
  sees(LOW + PAGE, 3, "a change of CR4.PGE forgets global pages");
  setBits(a, cr4, CR4_PGE);
  // From not present to present needs no invalidation.
  const absent = LOW + 2 * PAGE;
  g.fault(pf(0, absent, "absent at first"), () => a.mov(rax, qword(absent)));
  point(tables.entry(LOW, 1) + 16, 0x281000, P | RW);
  sees(absent, 2, "present now");
  // The same for rights that a fault has refused: a #PF invalidates the entry (§4.10.4.1).
  point(tables.entry(LOW, 1) + 24, 0x281000, P);
  a.mov(rax, qword(LOW + 3 * PAGE));
  g.fault(pf(PF_P | PF_W, LOW + 3 * PAGE, "read-only at first"), () => a.mov(byte(LOW + 3 * PAGE), 9));
  point(tables.entry(LOW, 1) + 24, 0x281000, P | RW);
  a.mov(byte(LOW + 3 * PAGE), 9);
  g.expectAt(0x281000, 1, 9n, "writable after the fault without INVLPG");
  // A 2 MiB page replaced by 4 KiB pages.
  const large = LOW + 0x200000;
  const pde = tables.map(large, 0x400000, P | RW, 2);
  const table = tables.reserve();
  g.words(0x400000, 7n);
  sees(large, 7, "2 MiB page");
  point(table, 0x282000, P | RW);
  point(pde, table, P | RW);
  a.invlpg(at(large + 0x1ff000));
  sees(large, 3, "INVLPG anywhere in a 2 MiB page forgets all of it");
  g.exit();
}

const GIGABYTE = 0x4000_0000;
const TWO_MIB = 0x20_0000;
/** Where large pages are tried out: nothing else is near. */
const LARGE = 5 * GIGABYTE;
/** Physical addresses of what is seen in the 2 MiB regions 1, 2 and 4, before and after. */
const [FIRST, SECOND, CODE] = [TWO_MIB + 0x8_0000, 2 * TWO_MIB + 0x8_0000, 4 * TWO_MIB + 0x5000];
const LATER = 4 * TWO_MIB;
const RETURN_1 = [0xb8, 1, 0, 0, 0, 0xc3];
const RETURN_2 = [0xb8, 2, 0, 0, 0, 0xc3];

/**
 * INVLPG forgets the whole of a large page, by an address of it that was never used, too: it is used in several places,
 * split, and forgotten by another place. With `code` instructions are fetched from such a place as well.
 */
function splitPages(g: GuestBuilder, code: boolean): void {
  prologue(g.a);
  const { a, tables } = g;
  g.words(FIRST, 0x11n);
  g.words(SECOND, 0x12n);
  g.data(CODE, RETURN_1);
  g.words(LATER + FIRST, 0x21n);
  g.words(LATER + SECOND, 0x22n);
  g.data(LATER + 2 * TWO_MIB + 0x5000, RETURN_2);
  const sees = (address: number, value: number, note: string): void => {
    a.mov(rbx, BigInt(address)).mov(rax, qword(rbx));
    g.expect(rax, value, note);
  };
  const returns = (address: number, value: number, note: string): void => {
    if (!code) return;
    a.mov(rbx, BigInt(address)).callAt(rbx);
    g.expect(rax, value, note);
  };
  const point = (entry: number, value: bigint): void => {
    a.mov(rax, value).mov(qword(entry), rax);
  };
  const forget = (address: number): void => {
    a.mov(rbx, BigInt(address)).invlpg(at(rbx));
  };
  setBits(a, cr4, CR4_PGE);
  for (const [name, flags, base] of [
    ["", P | RW, LARGE],
    ["global ", P | RW | G, LARGE + 2 * GIGABYTE],
  ] as const) {
    const pdpte = tables.map(base, 0, flags, 3);
    const directory = tables.reserve();
    for (const region of [1, 2]) point(directory + 8 * region, BigInt(LATER + region * TWO_MIB) | flags | PS);
    point(directory + 8 * 4, BigInt(LATER + 2 * TWO_MIB) | flags | PS);
    sees(base + FIRST, 0x11, `a ${name}1 GiB page`);
    sees(base + SECOND, 0x12, `another region of the ${name}1 GiB page`);
    returns(base + CODE, 1, `code in a third region of the ${name}1 GiB page`);
    point(pdpte, BigInt(directory) | P | RW);
    forget(base + 7 * TWO_MIB);
    sees(base + FIRST, 0x21, `the ${name}1 GiB page, forgotten by a region that was never used`);
    sees(base + SECOND, 0x22, `another region of the ${name}1 GiB page, forgotten`);
    returns(base + CODE, 2, `code in a third region of the ${name}1 GiB page, forgotten`);
    // A 2 MiB page split into 4 KiB ones.
    const pde = tables.map(base + GIGABYTE, 0x20_0000, flags, 2);
    const table = tables.reserve();
    point(table + 8 * 0x80, BigInt(LATER + FIRST) | flags);
    point(table + 8 * 0x81, BigInt(LATER + SECOND) | flags);
    sees(base + GIGABYTE + 0x8_0000, 0x11, `a ${name}2 MiB page`);
    sees(base + GIGABYTE + 0x8_1000, 0, `another part of the ${name}2 MiB page`);
    point(pde, BigInt(table) | P | RW);
    forget(base + GIGABYTE + 0x1f_f000);
    sees(base + GIGABYTE + 0x8_0000, 0x21, `the ${name}2 MiB page, forgotten by a part that was never used`);
    sees(base + GIGABYTE + 0x8_1000, 0x22, `another part of the ${name}2 MiB page, forgotten`);
  }
  g.exit();
}

const CR4_PCIDE = 1 << 17;

function processContexts(g: GuestBuilder): void {
  prologue(g.a);
  const { a, tables } = g;
  g.words(0x280000, 0x1n);
  g.words(0x281000, 0x2n);
  const pte = tables.map(LOW, 0x280000, P | RW);
  setBits(a, cr4, CR4_PCIDE | CR4_PGE);
  const load = (pcid: bigint, keep: boolean): void => {
    a.mov(rax, BigInt(tables.root) | pcid | (keep ? 1n << 63n : 0n)).movSystem(cr3, rax);
  };
  const sees = (value: number, note: string): void => {
    a.mov(rax, qword(LOW));
    g.expect(rax, value, note);
  };
  load(1n, false);
  sees(1, "PCID 1");
  a.mov(rax, 0x281003n).mov(qword(pte), rax);
  load(1n, false);
  sees(2, "MOV CR3 without bit 63 forgets this PCID");
  a.mov(rax, 0x280003n).mov(qword(pte), rax);
  load(2n, false);
  sees(1, "another PCID must not see translations of PCID 1");
  a.movSystem(rax, cr3);
  g.expect(rax, tables.root | 2, "CR3 reads back with the PCID and without bit 63");
  load(1n, true);
  a.mov(rcx, 0n).mov(rdx, layout.DATA).mov(qword(rdx), 1).mov(qword(rdx, 8), LOW).invpcid(rcx, at(rdx));
  sees(1, "INVPCID type 0 forgets one address of one PCID");
  a.mov(rax, 0x281003n).mov(qword(pte), rax).mov(ecx, 1).invpcid(rcx, at(rdx));
  sees(2, "INVPCID type 1 forgets one PCID");
  a.mov(rax, 0x280003n).mov(qword(pte), rax).mov(ecx, 2).invpcid(rcx, at(rdx));
  sees(1, "INVPCID type 2 forgets all");
  a.mov(rax, 0x281003n).mov(qword(pte), rax).mov(ecx, 3).invpcid(rcx, at(rdx));
  sees(2, "INVPCID type 3 forgets all but global pages");
  a.mov(ecx, 4);
  g.fault({ vector: 13, note: "INVPCID of an unknown type" }, () => a.invpcid(rcx, at(rdx)));
  a.movSystem(rcx, cr4).and(rcx, ~CR4_PCIDE).movSystem(cr4, rcx);
  a.movSystem(rax, cr3).mov(r8, rax).or(rax, 5).movSystem(cr3, rax).movSystem(rcx, cr4).or(rcx, CR4_PCIDE);
  g.fault({ vector: 13, note: "CR4.PCIDE cannot be set while CR3[11:0] is not 0" }, () =>
    a.movSystem(cr4, rcx),
  );
  g.exit();
}

/** The walker goes through memory that code may change at any time, also its own tables. */
function selfMapping(g: GuestBuilder): void {
  prologue(g.a);
  const { a, tables } = g;
  const slot = 0x1a0n;
  a.mov(rsi, tables.root + Number(slot) * 8)
    .mov(rax, BigInt(tables.root) | P | RW)
    .mov(qword(rsi), rax);
  const virtual = 0xffff000000000000n | (slot << 39n) | (slot << 30n) | (slot << 21n) | (slot << 12n);
  a.mov(rbx, virtual)
    .mov(rax, qword(rbx, Number(slot) * 8))
    .and(rax, ~0xfff);
  g.expect(rax, tables.root, "a recursive entry shows the PML4 itself");
  g.exit();
}

export function translationGuests(): Guest[] {
  return [
    guest(
      "INVLPG, CR3, global pages, and what needs no invalidation",
      { cites: "SDM vol. 3A §4.10.4" },
      translations,
    ),
    guest(
      "large pages that are split are forgotten whole by INVLPG",
      { cites: "SDM vol. 3A §4.10.4.1" },
      (g) => splitPages(g, false),
    ),
    guest(
      "code in large pages that are split is forgotten by INVLPG of another part",
      {
        cites: "SDM vol. 3A §4.10.4.1",
        notOnQemu:
          "QEMU 7.2 goes on with what it translated of the page that was forgotten; the SDM is right",
      },
      (g) => splitPages(g, true),
    ),
    guest(
      "PCID and INVPCID",
      { cites: "SDM vol. 3A §4.10.1", notOnQemu: "QEMU 7.2's TCG has no PCID" },
      processContexts,
    ),
    guest("a recursive page-table entry", { cites: "SDM vol. 3A §4.5.4" }, selfMapping),
  ];
}
