/**
 * XSAVE, XSAVEOPT, XSAVEC and XRSTOR to the letter: which bytes each writes, XINUSE, MXCSR, headers that XRSTOR refuses,
 * areas that reach into an absent page.
 *
 * Specification: SDM vol. 1 §13.6 (XINUSE), §13.7–13.10; vol. 2A, CPUID leaf 0DH.
 */
import { at, cr4, dword, eax, ebx, ecx, edx, qword, rax, rbx, xmm0, xmm8 } from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const GP = 13;
const PF = 14;
const CR4_OSXSAVE = 1 << 18;
const AREA = layout.DATA + 0x1000;
const HEADER = 512;
const BV = AREA + HEADER;
const COMP = BV + 8;
const COMPACTED = 1n << 63n;
const POISON = 0xeeeeeeeeeeeeeeeen;
const MXCSR_OTHER = 0x3f80;
const MXCSR_RESET = 0x1f80n;
/** A page without a mapping behind one that has one. */
const EDGE = 0xffff_9000_0000_0000n;
const AREA_BYTES = 576;

function turnOn(a: Assembler, xcr0 = 3): void {
  a.movSystem(rax, cr4).or(rax, CR4_OSXSAVE).movSystem(cr4, rax);
  a.xor(ecx, ecx).mov(eax, xcr0).xor(edx, edx).xsetbv();
}

/** Every byte of the area is 0xee. */
function poison(g: GuestBuilder, bytes = AREA_BYTES): void {
  g.data(AREA, new Uint8Array(bytes).fill(0xee));
}

/** x87 and SSE as after reset. */
function initial(a: Assembler): void {
  a.fninit();
  for (let i = 0; i < 16; i++) a.packed(0xef, { ...xmm0, code: i }, { ...xmm0, code: i });
  a.mov(dword(layout.DATA), Number(MXCSR_RESET)).ldmxcsr(dword(layout.DATA));
}

function request(a: Assembler, features: number): Assembler {
  return a.mov(eax, features).xor(edx, edx);
}

/** XSAVEOPT leaves components in their initial state out, but always writes MXCSR. */
function optimised(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  turnOn(a);
  initial(a);
  a.mov(rbx, 0x1234).movq(xmm0, rbx);
  poison(g);
  a.mov(qword(BV), 0);
  request(a, 3).xsaveopt(at(AREA));
  g.expectAt(BV, 8, 2n, "XSTATE_BV: SSE is in use, x87 is not");
  g.expectAt(AREA, 8, POISON, "x87 is not written");
  g.expectAt(AREA + 24, 4, MXCSR_RESET, "MXCSR is");
  g.expectAt(AREA + 160, 8, 0x1234n, "XMM0 is");
  g.expectAt(COMP, 8, POISON, "of the header only XSTATE_BV");
  g.exit();
}

function inUse(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  turnOn(a);
  initial(a);
  a.mov(ecx, 1).xgetbv();
  g.expect(eax, 0, "XGETBV(1): everything is in its initial state");
  a.mov(dword(layout.DATA), MXCSR_OTHER).ldmxcsr(dword(layout.DATA)).mov(ecx, 1).xgetbv();
  g.expect(eax, 0, "MXCSR is no part of it");
  a.fld1().mov(ecx, 1).xgetbv();
  g.expect(eax, 1, "x87 in use");
  a.mov(rbx, 1).movq(xmm8, rbx).mov(ecx, 1).xgetbv();
  g.expect(eax, 3, "XMM8 counts in 64-bit mode");
  a.mov(ecx, 2);
  g.fault({ vector: GP, error: 0, note: "XGETBV(2)" }, () => a.xgetbv());
  g.exit();
}

function compacted(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  turnOn(a);
  initial(a);
  poison(g);
  request(a, 3).xsavec(at(AREA));
  g.expectAt(BV, 8, 0n, "XSTATE_BV: nothing in use");
  g.expectAt(COMP, 8, COMPACTED | 3n, "XCOMP_BV: the requested components");
  g.expectAt(COMP + 8, 8, POISON, "no other byte of the header");
  g.expectAt(AREA + 24, 8, POISON, "MXCSR as after reset is not written");
  g.expectAt(AREA + 160, 8, POISON, "nor are registers");
  g.exit();
}

/** In compacted form MXCSR belongs to the SSE component: one other than after reset puts it in use. */
function compactedMxcsr(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  turnOn(a);
  initial(a);
  poison(g);
  a.mov(dword(layout.DATA), MXCSR_OTHER).ldmxcsr(dword(layout.DATA));
  request(a, 3).xsavec(at(AREA));
  a.mov(rbx, qword(BV));
  g.expect(rbx, 2, "MXCSR makes the SSE component be in use");
  g.expectAt(AREA + 24, 4, BigInt(MXCSR_OTHER), "MXCSR");
  g.expectAt(AREA + 160, 8, 0n, "with its registers");
  a.mov(dword(AREA + 24), 0x3f80)
    .mov(qword(BV), 0)
    .mov(qword(COMP + 8), 0);
  for (let offset = 16; offset < 64; offset += 8) a.mov(qword(BV + offset), 0);
  request(a, 2)
    .xrstor(at(AREA))
    .stmxcsr(dword(layout.DATA + 8));
  g.expectAt(layout.DATA + 8, 4, MXCSR_RESET, "XRSTOR of compacted form initialises it with the component");
  a.mov(rbx, 0)
    .mov(qword(COMP), rbx)
    .mov(dword(AREA + 24), MXCSR_OTHER);
  request(a, 2)
    .xrstor(at(AREA))
    .stmxcsr(dword(layout.DATA + 16));
  g.expectAt(layout.DATA + 16, 4, BigInt(MXCSR_OTHER), "of standard form it loads it all the same");
  g.exit();
}

function headers(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  turnOn(a);
  const zero = (): void => {
    for (let offset = 0; offset < 64; offset += 8) a.mov(qword(BV + offset), 0);
  };
  const refused = (note: string, set: () => void): void => {
    zero();
    set();
    request(a, 3);
    g.fault({ vector: GP, error: 0, note }, () => a.xrstor(at(AREA)));
  };
  const put = (address: number, value: bigint): void => void a.mov(rbx, value).mov(qword(address), rbx);
  a.mov(dword(AREA + 24), Number(MXCSR_RESET));
  refused("XSTATE_BV outside XCR0", () => put(BV, 4n));
  refused("XSTATE_BV, upper half", () => put(BV, 1n << 62n));
  refused("XCOMP_BV without bit 63", () => put(COMP, 3n));
  refused("byte 16 of a standard header", () => put(BV + 16, 1n));
  refused("XCOMP_BV outside XCR0", () => put(COMP, COMPACTED | 7n));
  refused("XSTATE_BV outside XCOMP_BV", () => (put(COMP, COMPACTED | 1n), put(BV, 2n)));
  refused("byte 63 of a compacted header", () => (put(COMP, COMPACTED | 3n), put(BV + 56, 1n << 56n)));
  zero();
  put(BV + 24, 1n);
  request(a, 3).xrstor(at(AREA)).mov(ebx, 1);
  g.expect(ebx, 1, "bytes 63:24 of a standard header are not looked at");
  zero();
  a.mov(dword(AREA + 24), 0x10000);
  request(a, 3);
  g.fault({ vector: GP, error: 0, note: "a reserved bit of MXCSR" }, () => a.xrstor(at(AREA)));
  request(a, 1).xrstor(at(AREA)).mov(ebx, 2);
  g.expect(ebx, 2, "which x87 alone does not load");
  for (const save of [a.xsave, a.xsaveopt, a.xsavec, a.xrstor]) {
    request(a, 3);
    g.fault({ vector: GP, error: 0, note: "an area that is not 64-byte aligned" }, () => save(at(AREA + 32)));
  }
  g.exit();
}

/** The header lies on the absent page: nothing is written before the fault. */
function acrossPages(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const page = layout.DATA + 0x3000;
  g.tables.map(EDGE, page, 3n);
  g.data(page, new Uint8Array(4096).fill(0xee));
  turnOn(a);
  initial(a);
  a.fld1().mov(rbx, 0x55).movq(xmm0, rbx);
  const area = EDGE + 4096n - 512n;
  for (const save of [a.xsave, a.xsaveopt, a.xsavec]) {
    request(a, 3).mov(rbx, area);
    g.fault({ vector: PF, error: 2, cr2: EDGE + 4096n, note: "the header's page" }, () => save(at(rbx)));
  }
  g.expectAt(page + 4096 - 512, 8, POISON, "the legacy region is as it was");
  g.expectAt(page + 4096 - 512 + 160, 8, POISON, "all of it");
  a.mov(rbx, area).mov(eax, 3).xor(edx, edx);
  g.fault({ vector: PF, error: 0, cr2: EDGE + 4096n, note: "XRSTOR" }, () => a.xrstor(at(rbx)));
  a.movq(rbx, xmm0);
  g.expect(rbx, 0x55, "nothing was loaded");
  g.exit();
}

/** The upper halves of YMM are component 2: sizes follow XCR0, XCR0 its dependencies. */
function avxState(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  turnOn(a, 3);
  const sizes = (subleaf: number, want: number, note: string): void => {
    a.mov(eax, 0xd).mov(ecx, subleaf).cpuid();
    g.expect(ebx, want, note);
  };
  sizes(0, AREA_BYTES, "leaf 0DH EBX with XCR0 = 3");
  a.xor(ecx, ecx).mov(eax, 5).xor(edx, edx);
  g.fault({ vector: GP, error: 0, note: "XCR0: AVX without SSE" }, () => a.xsetbv());
  a.mov(eax, 7).xsetbv();
  sizes(0, AREA_BYTES + 256, "with XCR0 = 7");
  sizes(1, AREA_BYTES + 256, "compacted");
  initial(a);
  poison(g, AREA_BYTES + 256);
  a.mov(qword(BV), 0);
  request(a, 4).xsave(at(AREA));
  a.mov(rbx, qword(BV));
  g.expect(rbx, 0, "in its initial state");
  g.expectAt(AREA + 576, 8, 0n, "which XSAVE writes");
  g.expectAt(AREA + 24, 4, MXCSR_RESET, "with MXCSR");
  g.expectAt(AREA, 8, POISON, "and nothing else");
  // Load halves, initialise them, save them again elsewhere.
  a.mov(qword(COMP), 0)
    .mov(qword(COMP + 8), 0)
    .mov(qword(BV), 4);
  a.mov(rbx, 0x1122334455667788n).mov(qword(AREA + 576 + 16), rbx);
  request(a, 4).xrstor(at(AREA));
  request(a, 7).xsavec(at(AREA + 0x400));
  g.expectAt(AREA + 0x400 + HEADER, 8, 4n, "only the upper halves are in use");
  g.expectAt(AREA + 0x400 + 576 + 16, 8, 0x1122334455667788n, "YMM1's");
  a.mov(ecx, 1).xgetbv();
  g.expect(eax, 4, "XGETBV(1) says so");
  g.exit();
}

export function xsaveGuests(): Guest[] {
  const init = "QEMU 7.2 has neither XINUSE nor compacted form; the SDM is right";
  const loose = "QEMU 7.2 does not check the header this far; the SDM is right";
  return [
    guest("XSAVEOPT", { cites: "SDM vol. 1 §13.9", notOnQemu: init }, optimised),
    guest("XGETBV(1): XINUSE", { cites: "SDM vol. 1 §13.2, §13.6", notOnQemu: init }, inUse),
    guest("XSAVEC of nothing", { cites: "SDM vol. 1 §13.10", notOnQemu: init }, compacted),
    guest(
      "MXCSR in compacted and standard form",
      { cites: "SDM vol. 1 §13.8, §13.10", notOnQemu: init },
      compactedMxcsr,
    ),
    guest("headers that XRSTOR refuses", { cites: "SDM vol. 1 §13.8.1, §13.8.2", notOnQemu: loose }, headers),
    guest(
      "an area that reaches into an absent page",
      {
        cites: "SDM vol. 1 §13.7; vol. 3A §6.15, #PF",
        notOnQemu: "QEMU 7.2 writes before it faults, and has no XSAVEC",
      },
      acrossPages,
    ),
    guest(
      "AVX state, where CPUID announces it",
      {
        cites: "SDM vol. 1 §13.3–13.5",
        notOnQemu: "QEMU has a CPUID table of its own",
        features: { avx: true },
      },
      avxState,
    ),
  ];
}
