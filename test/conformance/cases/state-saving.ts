/**
 * x87 and SSE as far as an operating system sees them: availability (#UD, #NM), state saving and its round trips,
 * deferred x87 errors, #XM.
 *
 * Specification: SDM vol. 1 §8.1, §10.5, §13 (XSAVE); vol. 3A §2.5 (CR0.TS, EM, MP), §13.
 */
import {
  ax,
  at,
  cr0,
  cr4,
  dword,
  eax,
  ecx,
  edx,
  oword,
  qword,
  rax,
  rbx,
  tword,
  word,
  xmm0,
  xmm1,
  xmm2,
  xmm8,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const UD = 6;
const NM = 7;
const GP = 13;
const MF = 16;
const XM = 19;
const CR0_MP = 2;
const CR0_EM = 4;
const CR0_TS = 8;
const CR4_OSFXSR = 0x200;
const CR4_OSXSAVE = 1 << 18;
const AREA = layout.DATA + 0x1000;
const AREA2 = layout.DATA + 0x2000;
const XSAVE_HEADER = 512;

/** Leaves two values on the x87 stack and one in XMM0 and XMM8. */
function fill(a: Assembler): void {
  a.fninit().fld1().fldpi();
  a.mov(rax, 0x1122334455667788n).movq(xmm0, rax).packed(0x6c, xmm0, xmm0);
  a.mov(rax, 0x99aabbccddeeff00n).movq(xmm8, rax);
}

function wipe(a: Assembler): void {
  a.fninit().packed(0xef, xmm0, xmm0).packed(0xef, xmm8, xmm8);
}

function fxsave(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  fill(a);
  a.fxsave64(at(AREA));
  wipe(a);
  a.fxsave64(at(AREA2)).fxrstor64(at(AREA));
  g.expectAt(AREA, 2, 0x37fn, "FCW");
  g.expectAt(AREA + 2, 2, 6n << 11n, "FSW: TOP is 6");
  g.expectAt(AREA + 4, 1, 0xc0n, "abridged tag: registers 6 and 7 are in use");
  g.expectAt(AREA + 24, 4, 0x1f80n, "MXCSR");
  g.expectAt(AREA + 32, 8, 0xc90fdaa22168c235n, "ST(0) is π");
  g.expectAt(AREA + 40, 2, 0x4000n, "its exponent");
  g.expectAt(AREA + 48, 8, 0x8000000000000000n, "ST(1) is 1");
  g.expectAt(AREA + 160, 8, 0x1122334455667788n, "XMM0");
  g.expectAt(AREA + 168, 8, 0x1122334455667788n, "XMM0, upper half");
  g.expectAt(AREA + 160 + 128, 8, 0x99aabbccddeeff00n, "XMM8");
  g.expectAt(AREA2 + 4, 1, 0n, "after FNINIT nothing is in use");
  g.expectAt(AREA2 + 160, 8, 0n, "XMM0 wiped");
  a.movq(rbx, xmm8);
  g.expect(rbx, 0x99aabbccddeeff00n, "FXRSTOR restores XMM8");
  a.fstp80(tword(layout.DATA)).fstp80(tword(layout.DATA + 16));
  g.expectAt(layout.DATA, 8, 0xc90fdaa22168c235n, "and the x87 stack");
  g.expectAt(layout.DATA + 24, 2, 0x3fffn, "down to its second value");
  g.exit();
}

function fxsaveFaults(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.fxsave64(at(AREA)).mov(dword(AREA + 24), 0x10000);
  g.fault({ vector: GP, error: 0, note: "a reserved bit of MXCSR" }, () => a.fxrstor64(at(AREA)));
  g.fault({ vector: GP, error: 0, note: "LDMXCSR with a reserved bit" }, () => a.ldmxcsr(dword(AREA + 24)));
  g.fault({ vector: GP, error: 0, note: "FXSAVE needs 16-byte alignment" }, () => a.fxsave64(at(AREA + 8)));
  g.exit();
}

function turnOnXsave(a: Assembler): void {
  a.movSystem(rax, cr4)
    .or(rax, CR4_OSXSAVE)
    .movSystem(cr4, rax)
    .xor(ecx, ecx)
    .mov(eax, 3)
    .xor(edx, edx)
    .xsetbv();
}

function xsave(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.xor(ecx, ecx);
  g.fault({ vector: UD, note: "XGETBV without CR4.OSXSAVE" }, () => a.xgetbv());
  g.fault({ vector: UD, note: "XSAVE without CR4.OSXSAVE" }, () => a.xsave(at(AREA)));
  turnOnXsave(a);
  a.xgetbv();
  g.expect(eax, 3, "XCR0 holds x87 and SSE");
  fill(a);
  g.data(AREA, new Uint8Array(XSAVE_HEADER).fill(0xee));
  a.mov(eax, 3).xor(edx, edx).xsave(at(AREA));
  g.expectAt(AREA + XSAVE_HEADER, 8, 3n, "XSTATE_BV: both components are in use");
  g.expectAt(AREA + 160, 8, 0x1122334455667788n, "XMM0");
  a.mov(eax, 2)
    .mov(qword(AREA2 + XSAVE_HEADER), 0)
    .xsave(at(AREA2));
  g.expectAt(AREA2 + XSAVE_HEADER, 8, 2n, "only the requested component");
  g.expectAt(AREA2 + 160, 8, 0x1122334455667788n, "SSE was saved");
  g.expectAt(AREA2 + 32, 8, 0n, "x87 was not");
  wipe(a);
  a.mov(eax, 3).xrstor(at(AREA)).movq(rbx, xmm8);
  g.expect(rbx, 0x99aabbccddeeff00n, "XRSTOR restores SSE");
  a.fstp80(tword(layout.DATA));
  g.expectAt(layout.DATA, 8, 0xc90fdaa22168c235n, "XRSTOR restores x87");
  // A component that XSTATE_BV leaves out gets its initial state.
  a.mov(qword(AREA + XSAVE_HEADER), 1)
    .mov(eax, 3)
    .xrstor(at(AREA))
    .movq(rbx, xmm0);
  g.expect(rbx, 0, "SSE not in XSTATE_BV is initialised");
  a.mov(qword(AREA + XSAVE_HEADER), 4);
  g.fault({ vector: GP, error: 0, note: "XRSTOR of a component outside XCR0" }, () => a.xrstor(at(AREA)));
  a.mov(qword(AREA + XSAVE_HEADER), 3).mov(qword(AREA + XSAVE_HEADER + 8), 1);
  g.fault({ vector: GP, error: 0, note: "XRSTOR with XCOMP_BV set" }, () => a.xrstor(at(AREA)));
  a.xor(ecx, ecx).mov(eax, 2).xor(edx, edx);
  g.fault({ vector: GP, error: 0, note: "XSETBV without x87" }, () => a.xsetbv());
  a.mov(ecx, 1).mov(eax, 3);
  g.fault({ vector: GP, error: 0, note: "XSETBV of XCR1" }, () => a.xsetbv());
  g.user(() => {
    a.xor(ecx, ecx).mov(eax, 3).xor(edx, edx);
    g.fault({ vector: GP, error: 0, note: "XSETBV at CPL 3" }, () => a.xsetbv());
    a.xgetbv();
    g.expect(eax, 3, "XGETBV at CPL 3");
  });
  g.exit();
}

function availability(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const controls = (register: typeof cr0, set: number, clear: number): void => {
    a.movSystem(rax, register).or(rax, set).and(rax, ~clear).movSystem(register, rax);
  };
  a.fninit();
  controls(cr0, CR0_TS, 0);
  g.fault({ vector: NM, note: "x87 with TS" }, () => a.fld1());
  g.fault({ vector: NM, note: "SSE with TS" }, () => a.packed(0xef, xmm0, xmm1));
  g.fault({ vector: NM, note: "FXSAVE with TS" }, () => a.fxsave64(at(AREA)));
  g.fault({ vector: NM, note: "FWAIT with TS and MP" }, () => a.fwait());
  a.clts().fld1().packed(0xef, xmm0, xmm0);
  controls(cr0, CR0_TS, CR0_MP);
  a.fwait().clts();
  controls(cr0, CR0_EM, 0);
  g.fault({ vector: NM, note: "x87 with EM" }, () => a.fld1());
  g.fault({ vector: UD, note: "SSE with EM" }, () => a.packed(0xef, xmm0, xmm1));
  controls(cr0, CR0_MP, CR0_EM);
  controls(cr4, 0, CR4_OSFXSR);
  g.fault({ vector: UD, note: "SSE without OSFXSR" }, () => a.packed(0xef, xmm0, xmm1));
  controls(cr4, CR4_OSFXSR, 0);
  g.fault({ vector: GP, error: 0, note: "MOVDQA unaligned" }, () => a.movdqa(xmm0, oword(layout.DATA + 8)));
  g.fault({ vector: GP, error: 0, note: "PXOR of an unaligned operand" }, () =>
    a.packed(0xef, xmm0, oword(layout.DATA + 4)),
  );
  a.movdqu(xmm0, oword(layout.DATA + 4));
  g.exit();
}

/** An unmasked x87 error waits for the next waiting instruction (CR0.NE=1: #MF). */
function deferredErrors(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(word(layout.DATA), 0x37f & ~4)
    .fninit()
    .fldcw(word(layout.DATA))
    .fld1()
    .fldz()
    .fdivp();
  a.fnstswAx();
  g.expect(ax, 0x8084, "ES, B and ZE are set, nothing was raised yet", 0x80ffn);
  g.fault({ vector: MF, error: 0, note: "FWAIT" }, () => a.fwait());
  a.fnclex().fld1().fnstswAx();
  g.expect(ax, 0, "FNCLEX clears it", 0x80ffn);
  g.exit();
}

function waitingInstructions(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(word(layout.DATA), 0x37f & ~4)
    .fninit()
    .fldcw(word(layout.DATA))
    .fld1()
    .fldz()
    .fdivp();
  g.fault({ vector: MF, error: 0, note: "a load" }, () => a.fld1());
  g.fault({ vector: MF, error: 0, note: "a store" }, () => a.fstp64(qword(layout.DATA + 8)));
  a.fnstcw(word(layout.DATA + 8))
    .fnstsw(word(layout.DATA + 10))
    .fninit()
    .fld1();
  g.exit();
}

function simdErrors(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rax, 0x3ff0000000000000n).movq(xmm0, rax).packed(0xef, xmm1, xmm1);
  a.scalarDouble(0x5e, xmm0, xmm1)
    .movq(rbx, xmm0)
    .stmxcsr(dword(layout.DATA + 32));
  g.expect(rbx, 0x7ff0000000000000n, "1 ÷ 0 masked is infinity");
  g.expectAt(layout.DATA + 32, 4, 0x1f84n, "MXCSR.ZE is set");
  g.exit();
}

function unmaskedSimd(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rax, 0x3ff0000000000000n).packed(0xef, xmm1, xmm1).movq(xmm2, rax);
  a.mov(dword(layout.DATA + 36), 0x1d80).ldmxcsr(dword(layout.DATA + 36));
  g.fault({ vector: XM, error: 0, note: "unmasked: #XM at once" }, () => a.scalarDouble(0x5e, xmm2, xmm1));
  a.movq(rbx, xmm2).stmxcsr(dword(layout.DATA + 40));
  g.expect(rbx, 0x3ff0000000000000n, "the destination is kept");
  g.expectAt(layout.DATA + 40, 4, 0x1d84n, "the flag is set");
  a.mov(dword(layout.DATA + 36), 0x1f80)
    .ldmxcsr(dword(layout.DATA + 36))
    .mov(eax, 0);
  g.exit();
}

export function stateSavingGuests(): Guest[] {
  return [
    guest("FXSAVE and FXRSTOR", { cites: "SDM vol. 1 §10.5; vol. 2A, FXSAVE" }, fxsave),
    guest("XSAVE, XRSTOR, XCR0", { cites: "SDM vol. 1 §13.2–13.8" }, xsave),
    guest("when x87 and SSE are available", { cites: "SDM vol. 3A §2.5, §13.1" }, availability),
    guest(
      "unmasked x87 errors are deferred",
      { cites: "SDM vol. 1 §8.6; vol. 3A §6.15, #MF" },
      deferredErrors,
    ),
    guest("masked SSE errors give their default result", { cites: "SDM vol. 1 §11.5.2" }, simdErrors),
    guest(
      "FXSAVE and FXRSTOR: reserved bits and alignment",
      {
        cites: "SDM vol. 2A, FXRSTOR",
        notOnQemu: "QEMU 7.2 accepts reserved bits of MXCSR; the SDM is right",
      },
      fxsaveFaults,
    ),
    guest(
      "every waiting x87 instruction raises a pending error",
      { cites: "SDM vol. 1 §8.6", notOnQemu: "QEMU 7.2 only looks at FWAIT; the SDM is right" },
      waitingInstructions,
    ),
    guest(
      "unmasked SSE errors raise #XM at once",
      { cites: "SDM vol. 1 §11.5.1", notOnQemu: "QEMU 7.2 raises no #XM; the SDM is right" },
      unmaskedSimd,
    ),
  ];
}
