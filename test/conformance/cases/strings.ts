/**
 * String instructions: direction, sizes, repeat conditions, and a page fault in the middle of a REP, after which
 * registers must say exactly how far it came.
 */
import { al, ax, cl, dword, eax, ecx, edi, esi, qword, rax, rcx, rdi, rsi } from "../../support/asm/index.js";
import { CF, ZF } from "../../support/model/flags.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { P, RW } from "../support/page-tables.js";

const VECTOR_PF = 14;
const PF_WRITE = 2;
/** Two pages of virtual memory of which only the first is there. */
const EDGE = 0x80000000;
const EDGE_PHYSICAL = 0x280000;

const text = (s: string): number[] => [...s].map((c) => c.charCodeAt(0));

function moves(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.data(layout.DATA, text("abcdefghijklmnop"));
  a.cld()
    .mov(rsi, layout.DATA)
    .mov(rdi, layout.DATA + 0x100)
    .mov(ecx, 5)
    .rep()
    .movs(8);
  g.expectAt(layout.DATA + 0x100, 8, 0x6564636261n, "REP MOVSB copies 5 bytes");
  g.expect(rsi, layout.DATA + 5, "RSI");
  g.expect(rdi, layout.DATA + 0x105, "RDI");
  g.expect(rcx, 0, "RCX");
  a.std()
    .mov(rsi, layout.DATA + 8)
    .mov(rdi, layout.DATA + 0x208)
    .mov(ecx, 2)
    .rep()
    .movs(64)
    .cld();
  g.expectAt(layout.DATA + 0x200, 8, 0x6867666564636261n, "REP MOVSQ downwards, low word");
  g.expectAt(layout.DATA + 0x208, 8, 0x706f6e6d6c6b6a69n, "REP MOVSQ downwards, high word");
  g.expect(rsi, layout.DATA - 8, "RSI after DF=1");
  a.mov(rsi, layout.DATA + 0x300)
    .mov(rdi, layout.DATA + 0x301)
    .mov(ecx, 6)
    .mov(qword(rsi), 0x41)
    .rep()
    .movs(8);
  g.expectAt(layout.DATA + 0x300, 8, 0x0041414141414141n, "an overlapping copy repeats its first byte");
  a.mov(rax, 0x1122334455667788n)
    .mov(rdi, layout.DATA + 0x400)
    .mov(ecx, 3)
    .rep()
    .stos(16);
  g.expectAt(layout.DATA + 0x400, 8, 0x778877887788n, "REP STOSW");
  a.xor(ecx, ecx).mov(rdi, 5).rep().stos(8);
  g.expect(rdi, 5, "a count of 0 does nothing, not even an access");
  a.mov(rsi, layout.DATA).mov(ecx, 3).rep().lods(8);
  g.expect(al, 0x63, "REP LODSB leaves the last");
  a.mov(rsi, layout.DATA).mov(rax, -1).lods(32);
  g.expect(rax, 0x64636261, "LODSD clears the upper half");
  a.mov(rsi, 0x500000000n + BigInt(layout.DATA)).mov(rdi, 0x700000000n + BigInt(layout.DATA + 0x500));
  a.mov(rcx, 0x900000002n).db(0x67).rep().movs(8);
  g.expectAt(layout.DATA + 0x500, 8, 0x6261n, "a 32-bit address size uses ESI, EDI, ECX");
  g.expect(rcx, 0, "and clears the upper halves: RCX");
  g.expect(rsi, layout.DATA + 2, "RSI");
  g.expect(rdi, layout.DATA + 0x502, "RDI");
  g.exit();
}

function comparisons(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.data(layout.DATA, text("abcdefgh"));
  g.data(layout.DATA + 0x100, text("abcxefgh"));
  a.mov(rsi, layout.DATA)
    .mov(rdi, layout.DATA + 0x100)
    .mov(ecx, 8)
    .repe()
    .cmps(8);
  g.expectFlags(CF, ZF, "CMPSB compares [RSI] - [RDI]: d < x");
  g.expect(rcx, 4, "REPE stops behind the difference");
  g.expect(rsi, layout.DATA + 4, "RSI");
  a.mov(rdi, layout.DATA).mov(al, 0x66).mov(ecx, 100).repne().scas(8);
  g.expectFlags(ZF, 0n, "REPNE SCASB finds the byte");
  g.expect(rdi, layout.DATA + 6, "RDI is behind it");
  g.expect(rcx, 94, "RCX");
  a.mov(rdi, layout.DATA).mov(ax, 0x6261).mov(ecx, 4).repe().scas(16);
  g.expectFlags(0n, ZF, "REPE SCASW ends at the first other word");
  g.expect(rcx, 2, "RCX");
  a.cmp(ecx, 2).mov(ecx, 0).repe().cmps(8);
  g.expectFlags(ZF, 0n, "a count of 0 changes no flag");
  a.mov(rsi, layout.DATA)
    .mov(rdi, layout.DATA + 0x100)
    .mov(ecx, 2)
    .repe()
    .cmps(16);
  g.expectFlags(CF, ZF, "CMPSW sees the second word");
  g.exit();
}

/** A fault in the middle: what was done is done, registers point at the element that faulted. */
function faults(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const entry = g.tables.map(EDGE, EDGE_PHYSICAL, P | RW);
  g.words(EDGE_PHYSICAL + 0xff0, 0x1111111111111111n, 0x2222222222222222n);
  a.mov(rdi, EDGE + 0xff0)
    .mov(rsi, layout.DATA)
    .mov(ecx, 8)
    .mov(rax, 0x5an);
  g.fault(
    { vector: VECTOR_PF, error: PF_WRITE, cr2: BigInt(EDGE + 0x1000), note: "REP STOSQ runs off the page" },
    () => a.rep().stos(64),
  );
  g.expect(rcx, 6, "two words were stored");
  g.expect(rdi, EDGE + 0x1000, "RDI points at the third");
  a.mov(rsi, EDGE + 0xffd)
    .mov(rdi, layout.DATA)
    .mov(ecx, 8);
  g.fault(
    { vector: VECTOR_PF, error: 0, cr2: BigInt(EDGE + 0x1000), note: "REP MOVSB reads off the page" },
    () => a.rep().movs(8),
  );
  g.expect(rcx, 5, "three bytes were moved");
  g.expect(rsi, EDGE + 0x1000, "RSI");
  g.expect(rdi, layout.DATA + 3, "RDI");
  g.expectAt(layout.DATA, 4, 0n, "the bytes", 0xff000000n);
  a.mov(rsi, EDGE + 0xff8)
    .mov(rdi, EDGE + 0x1000)
    .mov(ecx, 1);
  g.fault(
    { vector: VECTOR_PF, error: PF_WRITE, cr2: BigInt(EDGE + 0x1000), note: "MOVSQ whose store faults" },
    () => a.movs(64),
  );
  g.expect(rsi, EDGE + 0xff8, "RSI is unchanged when the store faults");
  a.mov(rdi, EDGE + 0xffc)
    .mov(eax, 0x33)
    .mov(ecx, 4);
  g.fault(
    { vector: VECTOR_PF, error: PF_WRITE, cr2: BigInt(EDGE + 0x1000), note: "STOSQ across the edge" },
    () => a.rep().stos(64),
  );
  g.expect(rcx, 4, "nothing was stored");
  g.expectAt(EDGE_PHYSICAL + 0xffc, 4, 0n, "no byte of the store that faulted is visible");
  // The handler's page becomes present: the instruction goes on where it was.
  a.mov(qword(entry + 8), EDGE_PHYSICAL + 0x1000 + 3)
    .mov(edi, 0)
    .mov(esi, 0);
  a.mov(rdi, EDGE + 0xff0)
    .mov(ecx, 4)
    .mov(rax, 0x77)
    .rep()
    .stos(64);
  g.expectAt(EDGE_PHYSICAL + 0x1008, 8, 0x77n, "a page that was not present is not remembered as absent");
  a.mov(dword(layout.DATA), 0);
  g.exit();
}

/** Its flags are another guest's matter: QEMU has others than the manual. */
function comparisonFaults(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.tables.map(EDGE, EDGE_PHYSICAL, P | RW);
  a.mov(rsi, EDGE + 0xffe)
    .mov(rdi, EDGE + 0xffe)
    .mov(ecx, 9)
    .cmp(cl, 0);
  g.fault({ vector: VECTOR_PF, error: 0, cr2: BigInt(EDGE + 0x1000), note: "REPE CMPSB off the page" }, () =>
    a.repe().cmps(8),
  );
  g.expect(rcx, 7, "two compared");
  g.exit();
}

/** A comparison that faults after some elements leaves the flags from before it; one that ends sets them. */
function comparisonFlags(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.tables.map(EDGE, EDGE_PHYSICAL, P | RW);
  const faulting = (note: string, emit: () => unknown): void => {
    a.mov(rsi, EDGE + 0xffe)
      .mov(rdi, EDGE + 0xffe)
      .xor(eax, eax)
      .mov(ecx, 9);
    a.cmp(cl, 10);
    g.fault({ vector: VECTOR_PF, error: 0, cr2: BigInt(EDGE + 0x1000), note }, emit);
    g.expectFlags(CF, ZF, `${note}: flags of before`);
    g.expect(rcx, 7, `${note}: two compared`);
  };
  faulting("REPE CMPSB", () => a.repe().cmps(8));
  faulting("REPE SCASB", () => a.repe().scas(8));
  a.mov(rdi, EDGE + 0xffe)
    .mov(ecx, 2)
    .cmp(cl, 10)
    .repe()
    .scas(8);
  g.expectFlags(ZF, CF, "flags of the last element");
  g.exit();
}

export function stringGuests(): Guest[] {
  return [
    guest("MOVS, STOS, LODS with REP, both directions", { cites: "SDM vol. 2, REP" }, moves),
    guest("CMPS and SCAS with REPE and REPNE", { cites: "SDM vol. 2, REP" }, comparisons),
    guest(
      "a page fault inside REP leaves precise registers",
      { cites: "SDM vol. 2, REP; vol. 3A §6.5" },
      faults,
    ),
    guest(
      "a page fault inside REPE leaves precise registers",
      { cites: "SDM vol. 2, REP; vol. 3A §6.5" },
      comparisonFaults,
    ),
    guest(
      "a fault inside REPE CMPS and SCAS leaves the flags",
      { cites: "SDM vol. 2, REP", notOnQemu: "QEMU 7.2 has the last element's, as AMD; the SDM is right" },
      comparisonFlags,
    ),
  ];
}
