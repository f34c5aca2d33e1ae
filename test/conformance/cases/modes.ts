/**
 * Changes of mode: real → protected → long → compatibility and all the way back, 16-bit protected code, and the
 * checks of the control registers on the way.
 *
 * Specification: SDM vol. 3A §9.8.5 (initialising IA-32e mode), §9.9 (mode switching), §4.1.2 (paging-mode enabling).
 */
import {
  addressOf,
  at,
  ax,
  bp,
  bx,
  cr0,
  cr3,
  cr4,
  cs,
  cx,
  ds,
  dword,
  dx,
  eax,
  ebx,
  ecx,
  es,
  esp,
  fs,
  gs,
  qword,
  r8,
  rax,
  rbx,
  segmentDescriptor,
  sp,
  ss,
  word,
  CODE_READABLE,
  DATA_WRITABLE,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";
import { standardTables } from "../support/page-tables.js";

const DE = 0;
const GP = 13;
/** Room below 64 KiB for 16-bit code. */
const LOW_CODE = 0x9000;
const CR0_PE = 1;
const CR0_PG = 0x80000000;
const CR4_PAE = 0x20;
const MSR_EFER = 0xc0000080;
const EFER_LME = 0x100;
const EFER_LMA = 0x400n;

const CODE32 = 0x08;
const DATA32 = 0x10;
const CODE64 = 0x18;
const CODE16 = 0x20;
const DATA16 = 0x28;
/** A table below 64 KiB, for programs that start in real mode. */
const LOW_GDT = 0x4000;

function lowTable(g: GuestBuilder): void {
  g.words(
    LOW_GDT,
    0n,
    segmentDescriptor({ type: CODE_READABLE, big: true }),
    segmentDescriptor({ type: DATA_WRITABLE, big: true }),
    segmentDescriptor({ type: CODE_READABLE, long: true }),
    segmentDescriptor({ type: CODE_READABLE, limit: 0xffff, granular: false }),
    segmentDescriptor({ type: DATA_WRITABLE, limit: 0xffff, granular: false }),
  );
}

const setControl = (a: Assembler, register: typeof cr0, set: number, clear = 0): void => {
  a.movSystem(eax, register);
  if (set !== 0) a.or(eax, set);
  if (clear !== 0) a.and(eax, ~clear);
  a.movSystem(register, eax);
};

function dataSegments(a: Assembler, selector: number): void {
  a.mov(eax, selector);
  for (const register of [ds, es, fs, gs, ss]) a.movToSegment(register, eax);
}

/** Real mode to long mode and back to real mode, with a value carried through. */
function roundTrip(g: GuestBuilder): void {
  const { a } = g;
  lowTable(g);
  // standardTables() lie where a 64-bit guest has them.
  for (const chunk of standardTables().chunks()) g.data(chunk.address, chunk.bytes);
  a.cli().mov(ebx, 0x1000).lgdt(at("gdtr"));
  setControl(a, cr0, CR0_PE);
  a.movFromSegment(ax, cs);
  g.expect(ax, layout.REAL_CODE >> 4, "CS keeps its real-mode value until the far jump");
  a.jmpFar(CODE32, addressOf("protected"), 32).bits(32).label("protected");
  dataSegments(a, DATA32);
  a.mov(esp, layout.REAL_STACK_TOP).inc(ebx).movFromSegment(ecx, cs);
  g.expect(ecx, CODE32, "32-bit protected mode");
  setControl(a, cr4, CR4_PAE);
  a.mov(eax, layout.PAGE_TABLES).movSystem(cr3, eax).mov(ecx, MSR_EFER).rdmsr().or(eax, EFER_LME).wrmsr();
  a.rdmsr();
  g.expect(eax, 0, "LMA is not set before paging", EFER_LMA);
  setControl(a, cr0, CR0_PG);
  a.mov(ecx, MSR_EFER).rdmsr();
  g.expect(eax, EFER_LMA, "LMA is set with paging", EFER_LMA);
  // Still 32-bit code: 40 is INC EAX.
  a.xor(eax, eax).db(0x40);
  g.expect(eax, 1, "compatibility mode until the far jump");
  a.jmpFar(CODE64, addressOf("long")).bits(64).label("long");
  a.mov(rbx, 0x1234567800001001n).xor(eax, eax).db(0x40, 0xff, 0xc0);
  g.expect(rax, 1, "64-bit mode: 40 is a REX prefix");
  g.expect(rbx, 0x1234567800001001n, "64-bit registers");
  a.mov(rax, addressOf("pointer32"))
    .jmpFarAt(at(rax), 32)
    .label("pointer32")
    .dd(addressOf("compat"))
    .dw(CODE32);
  a.bits(32).label("compat").inc(ebx);
  setControl(a, cr0, 0, CR0_PG);
  a.mov(ecx, MSR_EFER).rdmsr();
  g.expect(eax, 0, "LMA is clear without paging", EFER_LMA);
  a.and(eax, ~EFER_LME).wrmsr().jmpFar(CODE16, addressOf("sixteen"), 16);
  a.bits(16).label("sixteen");
  dataSegments(a, DATA16);
  a.mov(sp, layout.REAL_STACK_TOP).movFromSegment(cx, cs);
  g.expect(cx, CODE16, "16-bit protected mode");
  setControl(a, cr0, 0, CR0_PE);
  a.jmpFar(0, addressOf("real")).label("real").xor(ax, ax);
  for (const register of [ds, es, ss]) a.movToSegment(register, eax);
  a.movFromSegment(cx, cs).pushf().pop(dx);
  g.expect(cx, 0, "real mode again");
  g.expect(
    ebx,
    0x1002,
    "the value that went through all modes (64-bit code replaced it, compat code added 1)",
  );
  a.mov(ax, 0x2000)
    .movToSegment(es, eax)
    .mov(bx, 0x10)
    .mov(word({ base: bx, segment: es }), ax);
  g.expectAt(0x20010, 2, 0x2000n, "real-mode segments are selector × 16");
  g.exit();
  a.label("gdtr").dw(0x2f).dd(LOW_GDT);
}

/** In real mode, a segment loaded in protected mode keeps its limit: "unreal" mode. */
function unreal(g: GuestBuilder): void {
  const { a } = g;
  lowTable(g);
  a.cli().lgdt(at("gdtr"));
  setControl(a, cr0, CR0_PE);
  a.mov(bx, DATA32).movToSegment(fs, ebx);
  setControl(a, cr0, 0, CR0_PE);
  a.mov(ebx, layout.DATA).mov(dword({ base: ebx, segment: fs }), 0x12345678);
  g.expectAt(layout.DATA, 4, 0x12345678n, "a 4 GiB limit in real mode");
  g.exit();
  a.label("gdtr").dw(0x2f).dd(LOW_GDT);
}

/** Interrupts in real mode go through the vector table at IDTR.base. */
function realInterrupts(g: GuestBuilder): void {
  const { a } = g;
  const vector = (number: number, label: string): void => {
    a.mov(word(number * 4), addressOf(label)).mov(word(number * 4 + 2), 0);
  };
  vector(0x42, "handler");
  vector(DE, "divide");
  // The handlers' addresses count from 0, so CS becomes 0 when they return where they were told.
  a.sti().stc().int(0x42);
  g.expect(bx, 0x0200, "INT n pushed the flags as they were: IF, CF", 0x0201n ^ 1n);
  g.expect(cx, 0, "IF is clear in the handler", 0x0300n);
  g.expect(sp, layout.REAL_STACK_TOP, "IRET released three words");
  g.expectFlags(0x201n, 0n, "IRET restored IF and CF");
  a.cli().xor(cx, cx).label("div").div(cx);
  g.expectSkipped("code behind a #DE that was skipped");
  a.label("afterDiv").mov(ax, addressOf("div", -layout.REAL_CODE)).sub(ax, dx);
  g.expect(ax, 0, "#DE pushes the address of DIV");
  g.exit();
  a.label("handler").pushf().pop(cx).mov(bp, sp).mov(bx, word(bp, 4)).iret();
  a.label("divide").pop(dx).mov(ax, addressOf("afterDiv", -layout.REAL_CODE)).push(ax).iret();
}

/** An access across the 64 KiB limit raises #GP, without an error code. */
function realLimits(g: GuestBuilder): void {
  const { a } = g;
  a.mov(word(GP * 4), addressOf("protection")).mov(word(GP * 4 + 2), 0);
  a.mov(bx, 0xffff).label("limit").mov(ax, word(bx));
  g.expectSkipped("code behind an access that was skipped");
  a.label("afterLimit");
  g.expect(bx, 0x55, "#GP for an access across the limit");
  g.expect(sp, layout.REAL_STACK_TOP, "no error code was pushed");
  g.exit();
  a.label("protection")
    .pop(ax)
    .mov(ax, addressOf("afterLimit", -layout.REAL_CODE))
    .push(ax)
    .mov(bx, 0x55)
    .iret();
}

/** Code of a 16-bit segment: operand and address sizes, a stack that wraps at 64 KiB. */
function sixteenBitCode(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(ebx, 0x55667788)
    .mov(dword(layout.DATA), addressOf("back"))
    .mov(word(layout.DATA + 4), layout.KERNEL_CODE);
  // Code at 16 bits must lie below 64 KiB.
  a.jmpFar(layout.CODE16, LOW_CODE);
  const kernel = a.here;
  a.org(LOW_CODE).bits(16).mov(bx, 0x1234).mov(eax, layout.DATA16).movToSegment(ss, eax).mov(sp, 0);
  a.push(bx).mov(ecx, esp).db(0x66, 0x67, 0xff, 0x2d).dd(layout.DATA);
  a.org(kernel)
    .bits(32)
    .label("back")
    .mov(eax, layout.KERNEL_DATA)
    .movToSegment(ss, eax)
    .mov(esp, layout.STACK_TOP);
  g.expect(ebx, 0x55661234, "16-bit operands");
  g.expect(ecx, 0xfffe, "SP wraps within the segment", 0xffffn);
  g.expectAt(0xfffe, 2, 0x1234n, "the word was pushed at the top of the segment");
  g.exit();
}

/** 32-bit user code below a 64-bit kernel, as Linux runs i386 programs. */
function compatibility(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rax, 0x1122334455667788n).mov(r8, 0x99n);
  g.user(() => {
    // RAX's upper half is not visible here; INC EAX is one byte.
    a.mov(ecx, layout.USER_DATA_SELECTOR).movToSegment(ds, ecx).movToSegment(es, ecx);
    a.xor(eax, eax).db(0x40).mov(dword(layout.USER_DATA), eax).push(0x12345678).mov(ecx, esp);
    a.mov(dword(layout.USER_DATA + 4), ecx);
    g.fault({ vector: 6, cs: layout.USER_CODE32, note: "an exception in compatibility mode" }, () => a.ud2());
    a.pusha()
      .popa()
      .db(0x27)
      .mov(ebx, -4)
      .mov(eax, dword(ebx, layout.USER_DATA + 4));
    a.mov(dword(layout.USER_DATA + 8), eax);
    g.fault({ vector: GP, note: "a kernel instruction" }, () => a.hlt());
    a.add(esp, 4);
  }, 32);
  g.expectAt(layout.USER_DATA, 4, 1n, "40 is INC EAX");
  g.expectAt(layout.USER_DATA + 4, 4, BigInt(layout.USER_STACK_TOP - 4), "pushes are 4 bytes");
  g.expectAt(layout.USER_DATA + 8, 4, 1n, "addresses wrap at 4 GiB");
  g.expect(r8, 0x99, "R8 survives compatibility mode");
  a.mov(rax, qword(layout.LOG));
  g.expect(rax, 2, "two events");
  g.exit();
}

function refusals(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const refused = (register: typeof cr0, change: (a: Assembler) => void, note: string): void => {
    a.movSystem(rax, register);
    change(a);
    g.fault({ vector: GP, error: 0, note }, () => a.movSystem(register, rax));
  };
  refused(cr4, () => a.and(rax, ~CR4_PAE), "CR4.PAE cannot be cleared in long mode");
  refused(cr0, () => a.and(rax, ~CR0_PE), "CR0.PG without PE");
  refused(cr0, () => a.bts(rax, 29), "CR0.NW without CD");
  refused(cr0, () => a.bts(rax, 32), "upper half of CR0");
  refused(cr4, () => a.bts(rax, 31), "a reserved bit of CR4");
  refused(cr0, () => a.mov(rbx, 0x80000000).sub(rax, rbx), "CR0.PG cannot be cleared in 64-bit mode");
  a.mov(ecx, MSR_EFER).rdmsr().and(eax, ~EFER_LME);
  g.fault({ vector: GP, error: 0, note: "EFER.LME cannot change while paging is on" }, () => a.wrmsr());
  g.exit();
}

function privileges(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.user(() => {
    g.fault({ vector: GP, note: "MOV from CR0 at CPL 3" }, () => a.movSystem(rax, cr0));
    g.fault({ vector: GP, note: "MOV to CR3 at CPL 3" }, () => a.movSystem(cr3, rax));
    g.fault({ vector: GP, note: "LGDT at CPL 3" }, () => a.lgdt(at(layout.USER_DATA)));
    g.fault({ vector: GP, note: "WRMSR at CPL 3" }, () => a.wrmsr());
    g.fault({ vector: GP, note: "INVLPG at CPL 3" }, () => a.invlpg(at(layout.USER_DATA)));
    g.fault({ vector: GP, note: "CLTS at CPL 3" }, () => a.clts());
    g.fault({ vector: GP, note: "IN at CPL 3 beyond the I/O bitmap" }, () => a.in(8, 0x80));
    g.fault({ vector: GP, note: "STI at CPL 3 > IOPL" }, () => a.sti());
    g.fault({ vector: GP, note: "LTR at CPL 3" }, () => a.ltr(cx));
    a.smsw(eax);
    g.expect(eax, 0x80000000 + 0x33, "SMSW is allowed without UMIP", 0x8000003fn);
  });
  g.exit();
}

export function modeGuests(): Guest[] {
  return [
    guest(
      "real, protected, long, compatibility mode and back",
      { mode: 16, cites: "SDM vol. 3A §9.8.5, §9.9" },
      roundTrip,
    ),
    guest(
      "real mode keeps limits loaded in protected mode",
      { mode: 16, cites: "SDM vol. 3A §9.9.2" },
      unreal,
    ),
    guest(
      "interrupts and exceptions in real mode",
      { mode: 16, cites: "SDM vol. 3A §20.1.4" },
      realInterrupts,
    ),
    guest("16-bit protected-mode code", { mode: 32, cites: "SDM vol. 3A §3.4.5" }, sixteenBitCode),
    guest("32-bit compatibility mode under a 64-bit kernel", { cites: "SDM vol. 3A §2.2" }, compatibility),
    guest(
      "an access across the limit of a real-mode segment raises #GP",
      { mode: 16, cites: "SDM vol. 3A §20.1.4", notOnQemu: "QEMU 7.2 checks no limits; the SDM is right" },
      realLimits,
    ),
    guest(
      "illegal combinations of control registers raise #GP",
      {
        cites: "SDM vol. 2B, MOV CR; vol. 3A §4.1",
        notOnQemu: "QEMU 7.2 checks none of them; the SDM is right",
      },
      refusals,
    ),
    guest("privileged instructions raise #GP in user mode", { cites: "SDM vol. 3A §5.9" }, privileges),
  ];
}
