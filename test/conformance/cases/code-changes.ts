/**
 * Code that is written while it may run, and code at the ends of pages: the next instruction fetched must be the
 * one that is in memory, and a fault must name the byte that was missing.
 *
 * Specification: SDM vol. 3A §8.1.3 (self-modifying code), §11.6; §4.7 (CR2 of a fetch).
 */
import {
  addressOf,
  at,
  byte,
  dword,
  eax,
  ebx,
  ecx,
  esi,
  qword,
  rax,
  rbx,
  rdi,
  rsi,
} from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { P, RW } from "../support/page-tables.js";
import { PF_I } from "./paging.js";

const PF = 14;
const RET = 0xc3;
const MOV_EAX = 0xb8;
const INC_EAX = [0xff, 0xc0];
/** Virtual pages for code at page ends. */
const EDGE = 0x50000000;
const EDGE_PHYSICAL = 0x280000;

/** A function that returns a constant, at `address`. */
const constant = (value: number): number[] => [MOV_EAX, value & 0xff, (value >> 8) & 0xff, 0, 0, RET];

function sameBlock(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  // The store changes the immediate of the very next instruction.
  a.mov(byte("next1", 1), 0x22).label("next1").mov(eax, 0x11);
  g.expect(eax, 0x22, "a store to the next instruction");
  // In a loop: the instruction has run before with another value.
  a.xor(ebx, ebx).mov(ecx, 3).label("again").mov(eax, 1).add(ebx, eax).inc(byte("again", 1)).loop("again");
  g.expect(ebx, 1 + 2 + 3, "an immediate that changes at each turn");
  // An instruction becomes another of the same length: INC EAX to DEC EAX.
  a.mov(eax, 10)
    .mov(byte("flip", 1), 0xc8)
    .label("flip")
    .db(...INC_EAX);
  g.expect(eax, 9, "INC becomes DEC");
  // REP STOSB over code ahead, then it runs.
  a.mov(rdi, addressOf("sled")).mov(ecx, 4).mov(eax, 0x90).rep().stos(8).mov(eax, 5);
  a.label("sled").db(0x0f, 0x0b, 0x0f, 0x0b);
  g.expect(eax, 5, "four bytes of UD2 became NOPs");
  g.exit();
}

function acrossPages(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const target = layout.DATA + 0x5000;
  g.data(target, constant(1));
  a.mov(rbx, target).callAt(rbx);
  g.expect(eax, 1, "first version");
  a.mov(dword(target, 1), 2).callAt(rbx);
  g.expect(eax, 2, "after a store from another page");
  a.mov(rsi, addressOf("other")).mov(rdi, target).mov(ecx, 6).rep().movs(8).callAt(rbx);
  g.expect(eax, 0x333, "after REP MOVSB");
  a.lock().add(dword(target, 1), ecx).mov(eax, 1).lock().xadd(dword(target, 1), eax).callAt(rbx);
  g.expect(eax, 0x334, "after XADD");
  // Through another virtual address of the same physical page.
  g.tables.map(EDGE, target, P | RW);
  a.mov(dword(EDGE + 1), 0x555).callAt(rbx);
  g.expect(eax, 0x555, "after a store through an alias");
  a.mov(rbx, EDGE).callAt(rbx).mov(dword(target, 1), 0x666).callAt(rbx);
  g.expect(eax, 0x666, "the alias runs what the other name wrote");
  // The same virtual address gets another physical page.
  g.data(target + 0x1000, constant(0x777));
  a.mov(rax, BigInt(target + 0x1000) | P | RW)
    .mov(qword(g.tables.entry(EDGE, 1)), rax)
    .invlpg(at(EDGE))
    .callAt(rbx);
  g.expect(eax, 0x777, "another page at the same address");
  // A 16-byte store by FXSAVE-like width: SSE stores count too.
  a.db(0x66, 0x0f, 0xef, 0xc0).mov(rbx, target + 0x800);
  a.mov(byte(rbx), RET).callAt(rbx).db(0xf3, 0x0f, 0x7f, 0x03).mov(rax, qword(rbx));
  g.expect(rax, 0, "MOVDQU overwrote the RET");
  g.exit();
  a.label("other").db(...constant(0x333));
}

/** One instruction on two pages; either of them changes. */
function straddling(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const start = layout.DATA + 0x6000 - 3;
  g.data(start, constant(0x101));
  a.mov(rbx, start).callAt(rbx);
  g.expect(eax, 0x101, "an instruction across two pages");
  a.mov(byte(start + 1), 0x02).callAt(rbx);
  g.expect(eax, 0x102, "its first page changes");
  // The byte on the second page.
  a.mov(byte(start + 3), 0x01).callAt(rbx);
  g.expect(eax, 0x10102, "its second page changes");
  // The second page is mapped elsewhere; the first stays.
  g.tables.map(EDGE, EDGE_PHYSICAL, P | RW);
  g.tables.map(EDGE + 0x1000, EDGE_PHYSICAL + 0x2000, P | RW);
  g.data(EDGE_PHYSICAL + 0xffd, [MOV_EAX, 0x11, 0x22]);
  g.data(EDGE_PHYSICAL + 0x2000, [0x33, 0x44, RET]);
  g.data(EDGE_PHYSICAL + 0x3000, [0x55, 0x66, RET]);
  a.mov(rbx, EDGE + 0xffd).callAt(rbx);
  g.expect(eax, 0x44332211, "across two pages that are not neighbours");
  a.mov(rax, BigInt(EDGE_PHYSICAL + 0x3000) | P | RW)
    .mov(qword(g.tables.entry(EDGE, 1) + 8), rax)
    .invlpg(at(EDGE + 0x1000))
    .callAt(rbx);
  g.expect(eax, 0x66552211, "the second page is another one now");
  g.exit();
}

function missingSecondPage(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const entry = g.tables.map(EDGE, EDGE_PHYSICAL, P | RW) + 8;
  g.data(EDGE_PHYSICAL + 0xffd, [MOV_EAX, 0x11, 0x22]);
  g.data(EDGE_PHYSICAL + 0x1000, [0x33, 0x44, RET]);
  const missing = (from: number, cr2: number, note: string): void => {
    const behind = a.fresh("behind");
    g.resumeAt(behind);
    g.expectEvent({ vector: PF, error: PF_I, rip: BigInt(from), cr2: BigInt(cr2), note });
    a.mov(ebx, from).jmpAt(rbx).label(behind);
  };
  missing(EDGE + 0xffd, EDGE + 0x1000, "CR2 is the second page's address, RIP the instruction's");
  // An instruction that ends exactly with the page does not touch the next.
  g.data(EDGE_PHYSICAL + 0xff0, [...constant(7)]);
  g.data(EDGE_PHYSICAL + 0xffa, [0x90]);
  a.mov(ebx, EDGE + 0xff0).callAt(rbx);
  g.expect(eax, 7, "code on the first page runs");
  g.data(EDGE_PHYSICAL + 0xff8, [0xff, 0xe1]);
  a.mov(ebx, EDGE + 0xff8)
    .mov(ecx, addressOf("jumped"))
    .jmpAt(rbx)
    .label("jumped");
  // The page appears: the same address works at once.
  a.mov(rax, BigInt(EDGE_PHYSICAL + 0x1000) | P | RW)
    .mov(qword(entry), rax)
    .mov(ebx, EDGE + 0xffd)
    .callAt(rbx);
  g.expect(eax, 0x44332211, "after the page was made present");
  g.exit();
}

/** Data that crosses a page whose parts lie anywhere. */
function straddlingData(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.tables.map(EDGE, EDGE_PHYSICAL, P | RW);
  g.tables.map(EDGE + 0x1000, EDGE_PHYSICAL + 0x3000, P | RW);
  a.mov(rax, 0x1122334455667788n)
    .mov(qword(EDGE + 0xffb), rax)
    .mov(rbx, qword(EDGE + 0xffb));
  g.expect(rbx, 0x1122334455667788n, "8 bytes across two pages");
  g.expectAt(EDGE_PHYSICAL + 0xffb, 2, 0x7788n, "first part");
  g.expectAt(EDGE_PHYSICAL + 0x3001, 2, 0x1122n, "second part");
  a.lock()
    .add(dword(EDGE + 0xffe), 1)
    .mov(esi, dword(EDGE + 0xffe));
  g.expect(esi, 0x22334456, "a locked add across two pages");
  g.exit();
}

export function codeChangeGuests(): Guest[] {
  return [
    guest("a program may change the instruction ahead of it", { cites: "SDM vol. 3A §8.1.3" }, sameBlock),
    guest("code on other pages may change by any store", { cites: "SDM vol. 3A §8.1.3, §11.6" }, acrossPages),
    guest("an instruction on two pages", { cites: "SDM vol. 3A §4.7, §11.6" }, straddling),
    guest("an instruction whose second page is absent", { cites: "SDM vol. 3A §4.7" }, missingSecondPage),
    guest("data on two pages", { cites: "SDM vol. 3A §4.2" }, straddlingData),
  ];
}
