/**
 * Encodings at their limits: displacements that leave 32 bits, prefixes that make an instruction undefined, operands
 * smaller than their register, and what a hint checks.
 */
import { cr0, eax, edx, qword, rax, rbx, rcx, rdx, rsp } from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { P, RW } from "../support/page-tables.js";

const UD = 6;
const NM = 7;
const GP = 13;
const PF = 14;
const CR0_EM = 4;
const CR0_TS = 8;
const PAGE = 0x1000;
/** Largest displacement of 32 bits; with the length of an instruction it leaves them. */
const FARTHEST = 0x7fffffff;
const MIB2 = 0x200000;
/** The 2 MiB behind CODE + 2 GiB show RAM from 4 MiB on. */
const WINDOW = 0x400000;
const ABSENT = 0x5000_0000;

const word32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** RAM that shows at a linear address of the window. */
const shown = (linear: number): number => WINDOW + (linear % MIB2);

function farRelative(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.tables.map(BigInt(layout.CODE - (layout.CODE % MIB2)) + 0x8000_0000n, WINDOW, P | RW, 2);
  // 48 8D 05: LEA RAX, [RIP + disp32]; 8B 05: MOV EAX; 64: the same with FS, whose base is 0 here.
  a.db(0x48, 0x8d, 0x05, ...word32(FARTHEST));
  g.expect(rax, BigInt(a.here) + BigInt(FARTHEST), "LEA of RIP + 2 GiB - 1");
  for (const prefix of [[], [0x64]]) {
    a.db(...prefix, 0x8b, 0x05, ...word32(FARTHEST - 7));
    const linear = a.here + FARTHEST - 7;
    g.words(shown(linear), 0x1122334455667788n);
    g.expect(eax, 0x55667788, "MOV from RIP + 2 GiB");
  }
  a.db(0xc7, 0x05, ...word32(FARTHEST - 3), ...word32(0x12345678));
  g.expectAt(shown(a.here + FARTHEST - 3), 4, 0x12345678n, "MOV to RIP + 2 GiB with an immediate behind it");
  g.exit();
}

function farPop(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const stack = layout.STACK_TOP - 0x100;
  const linear = stack + 8 + FARTHEST - 3;
  g.tables.map(BigInt(linear - (linear % MIB2)), WINDOW, P | RW, 2);
  a.mov(rbx, rsp).mov(rsp, stack);
  a.mov(rax, 0x0123456789abcdefn).mov(qword(rsp), rax);
  a.db(0x8f, 0x84, 0x24, ...word32(FARTHEST - 3));
  a.mov(rcx, rsp).mov(rsp, rbx);
  g.expect(rcx, stack + 8, "POP moved RSP");
  g.expectAt(shown(linear), 8, 0x0123456789abcdefn, "POP to RSP + 8 + 2 GiB - 4");
  g.exit();
}

function prefixesThatForbid(g: GuestBuilder): void {
  prologue(g.a);
  const undefined = (note: string, ...bytes: number[]): void =>
    g.fault({ vector: UD, note }, (a) => a.db(...bytes));
  const moffs = [...word32(0x33221100), ...word32(0x77665544)];
  undefined("LOCK MOV [moffs64], EAX", 0xf0, 0xa3, ...moffs);
  undefined("LOCK MOV RAX, [moffs64]", 0xf0, 0x48, 0xa1, ...moffs);
  undefined("66 before CLAC", 0x66, 0x0f, 0x01, 0xca);
  undefined("F3 before XGETBV", 0xf3, 0x0f, 0x01, 0xd0);
  undefined("F2 before RDRAND", 0xf2, 0x0f, 0xc7, 0xf0);
  undefined("F3 before CLFLUSH", 0xf3, 0x0f, 0xae, 0x38);
  g.exit();
}

function partialOperands(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const edge = WINDOW + PAGE;
  const linear = 0x4100_0000;
  g.tables.map(linear, WINDOW, P | RW, 1);
  g.words(edge - 8, 0x8765432112345678n);
  a.mov(rbx, linear + PAGE - 4).mov(rdx, -1);
  // 0F 60 03: PUNPCKLBW MM0, dword [RBX], the last four bytes of its page.
  a.db(0x0f, 0x6f, 0x43, 0xfc).db(0x0f, 0x60, 0x03).db(0x48, 0x0f, 0x7e, 0xc0).emms();
  g.expect(rax, 0x8712653443562178n, "PUNPCKLBW reads four bytes of memory");
  // 66 63 53 02: MOVSXD DX, word [RBX + 2], the last two.
  a.db(0x66, 0x63, 0x53, 0x02);
  g.expect(edx, 0xffff8765, "MOVSXD of 16 bits reads two");
  g.exit();
}

function cacheLines(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rbx, layout.DATA).mov(rcx, ABSENT);
  a.mov(rax, -1).mov(qword(rbx), rax);
  a.db(0x0f, 0xae, 0x3b);
  g.expectAt(layout.DATA, 8, 0xffffffffffffffffn, "CLFLUSH changes nothing");
  g.fault({ vector: PF, error: 0, cr2: BigInt(ABSENT), note: "CLFLUSH of an absent page" }, (x) =>
    x.db(0x0f, 0xae, 0x39),
  );
  a.mov(rdx, 0x8000_0000_0000_0000n);
  g.fault({ vector: GP, error: 0, note: "CLFLUSH of no canonical address" }, (x) => x.db(0x0f, 0xae, 0x3a));
  a.db(0x0f, 0x0d, 0x09).db(0x0f, 0x18, 0x09);
  g.exit();
}

function mmxAvailability(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const paddb = (x: Assembler): Assembler => x.db(0x0f, 0xfc, 0xc1);
  const set = (bits: number): void => {
    a.movSystem(rax, cr0).and(rax, ~(CR0_EM | CR0_TS));
    if (bits !== 0) a.or(rax, bits);
    a.movSystem(cr0, rax);
  };
  set(CR0_EM);
  g.fault({ vector: UD, note: "MMX with CR0.EM" }, paddb);
  g.fault({ vector: NM, note: "x87 with CR0.EM" }, (x) => x.fld1());
  set(CR0_TS);
  g.fault({ vector: NM, note: "MMX with CR0.TS" }, paddb);
  set(0);
  paddb(a).emms();
  g.exit();
}

function emmsAvailability(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.movSystem(rax, cr0).or(rax, CR0_EM).movSystem(cr0, rax);
  g.fault({ vector: UD, note: "EMMS with CR0.EM" }, (x) => x.emms());
  g.exit();
}

export function encodingGuests(): Guest[] {
  return [
    guest("displacements of RIP that leave 32 bits", { cites: "SDM vol. 2A §2.2.1.6" }, farRelative),
    guest("POP to RSP with a displacement that leaves 32 bits", { cites: "SDM vol. 2B, POP" }, farPop),
    guest(
      "prefixes that make an instruction undefined",
      {
        cites: "SDM vol. 2A, LOCK; vol. 2, CLAC, XGETBV, RDRAND, CLFLUSH",
        notOnQemu: "QEMU 7.2 ignores most of these prefixes; the SDM is right",
      },
      prefixesThatForbid,
    ),
    guest(
      "operands smaller than a register read no more than they use",
      {
        cites: "SDM vol. 2, PUNPCKLBW, MOVSXD",
        notOnQemu: "QEMU 7.2 reads eight bytes for PUNPCKLBW; processors read four",
      },
      partialOperands,
    ),
    guest(
      "CLFLUSH checks its address as a load does, prefetches check nothing",
      {
        cites: "SDM vol. 2A, CLFLUSH",
        notOnQemu: "QEMU 7.2 checks no address for CLFLUSH; the SDM is right",
      },
      cacheLines,
    ),
    guest(
      "EMMS with CR0.EM raises #UD",
      { cites: "SDM vol. 2A, EMMS", notOnQemu: "QEMU 7.2 ignores CR0.EM for EMMS; the SDM is right" },
      emmsAvailability,
    ),
    guest("MMX and CR0.EM, CR0.TS", { cites: "SDM vol. 3A §12.1" }, mmxAvailability),
  ];
}
