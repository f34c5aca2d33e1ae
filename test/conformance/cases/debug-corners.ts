/**
 * Debug exceptions where they are easily wrong: steps over STI, HLT, SYSCALL, SYSRET, IRET and MOV SS; watched data
 * that stack, table and string instructions reach; what MOV SS puts off into a handler; INT1.
 *
 * Specification: SDM vol. 3B §17.2.5 (lengths), §17.3.1 (conditions, priority), §17.3.1.4 (single step); vol. 3A §6.8.3.
 */
import {
  addressOf,
  al,
  byte,
  dr0,
  dr1,
  dr6,
  dr7,
  eax,
  ebx,
  ecx,
  esp,
  qword,
  r11,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
  ss,
  word,
} from "../../support/asm/index.js";
import type { Assembler, DebugOperand, Immediate } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const DB = 1;
const TF = 0x100;
const FIXED = 2;
const DR6_ONES = 0xffff0ff0n;
const DR7_FIXED = 0x400;
/** DR7 of breakpoint 0: enabled, R/W, LEN. */
const WRITES = 0b01;
const ACCESSES = 0b11;
const LEN1 = 0b00;
const LEN2 = 0b01;
const LEN8 = 0b10;
const LEN4 = 0b11;
const MSR_STAR = 0xc0000081;
const MSR_LSTAR = 0xc0000082;
const MSR_FMASK = 0xc0000084;
const INTERRUPT_VECTOR = 0x82;
const DATA = layout.DATA + 0x400;

const control = (kind: number, length: number, index = 0): number =>
  (1 << (2 * index)) | (((length << 2) | kind) << (16 + 4 * index));

function writeMsr(a: Assembler, msr: number, value: Immediate): void {
  a.mov(ecx, msr).movabs(rax, value).mov(rdx, rax).shr(rdx, 32).wrmsr();
}

/** Watches `address` and clears DR6. Clobbers RAX. */
function watch(a: Assembler, address: number, bits: number, register: DebugOperand = dr0): void {
  a.mov(rax, address).movSystem(register, rax).xor(eax, eax).movSystem(dr6, rax);
  a.mov(eax, bits | DR7_FIXED).movSystem(dr7, rax);
}

/** Emits an instruction that reaches watched data: #DB behind it. */
function trapped(g: GuestBuilder, note: string, emit: (a: Assembler) => unknown): void {
  const behind = g.a.fresh("trapped");
  g.expectEvent({ vector: DB, rip: behind, note });
  emit(g.a);
  g.a.label(behind);
}

const step = (g: GuestBuilder, rip: string | bigint, note: string): void =>
  g.expectEvent({ vector: DB, rip, note });

/** STI does not put steps off as MOV SS does; HLT is left by the step after it. */
function stepOverStiAndHlt(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  step(g, "afterNop", "NOP");
  step(g, "afterSti", "STI is stepped though it blocks interrupts");
  step(g, "afterHlt", "HLT is left by the step behind it");
  step(g, "off", "PUSH");
  step(g, "behind", "POPF that clears TF");
  a.push(TF | FIXED)
    .popf()
    .nop()
    .label("afterNop")
    .sti()
    .label("afterSti")
    .hlt()
    .label("afterHlt");
  a.push(FIXED).label("off").popf().label("behind");
  g.exit();
}

/** IRET that sets TF traps after the instruction it returns to; RET and far transfers are stepped as they are. */
function stepIntoIret(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  step(g, "afterTarget", "the first instruction after IRET");
  step(g, "pushed", "PUSH");
  step(g, "farTarget", "far RET");
  step(g, "off", "PUSH");
  step(g, "behind", "POPF");
  a.mov(rbx, rsp)
    .push(layout.KERNEL_DATA)
    .push(rbx)
    .push(TF | FIXED)
    .push(layout.KERNEL_CODE);
  a.mov(rax, addressOf("target")).mov(rcx, addressOf("farTarget")).push(rax);
  a.mov(qword(layout.DATA), rcx)
    .mov(qword(layout.DATA + 8), layout.KERNEL_CODE)
    .iretq();
  a.label("target").nop().label("afterTarget");
  a.db(0x6a, layout.KERNEL_CODE).label("pushed");
  a.db(0x48, 0xff, 0x2c, 0x25).dd(layout.DATA);
  a.ud2();
  a.label("farTarget").push(FIXED).label("off").popf().label("behind").mov(rsp, layout.STACK_TOP);
  g.exit();
}

/** SYSCALL and SYSRET are stepped by the TF that they leave. */
function stepSystemCalls(g: GuestBuilder, masked: boolean): void {
  prologue(g.a);
  const { a } = g;
  const star = (BigInt((layout.USER_CODE32 & ~3) | 3) << 48n) | (BigInt(layout.KERNEL_CODE) << 32n);
  writeMsr(a, MSR_STAR, star);
  writeMsr(a, MSR_LSTAR, addressOf("lstar"));
  writeMsr(a, MSR_FMASK, masked ? TF : 0);
  g.store(layout.LOG_USER_RETURN, addressOf("finished"));
  step(g, BigInt(layout.USER_CODE), "SYSRET that sets TF traps at once");
  step(g, BigInt(layout.USER_CODE + 1), "NOP");
  if (masked) step(g, BigInt(layout.USER_CODE + 3), "SYSRET back traps at once again; SYSCALL masked TF");
  else step(g, "lstar", "SYSCALL that keeps TF traps at the kernel's first instruction");
  if (masked) step(g, BigInt(layout.USER_CODE + 4), "NOP");
  a.mov(qword(layout.LOG_USER_STACK), rsp)
    .mov(rcx, layout.USER_CODE)
    .mov(r11, TF | FIXED);
  a.mov(rbx, rsp).mov(rsp, layout.USER_STACK_TOP).sysret(64);
  a.label("lstar");
  if (masked) a.sysret(64);
  else a.push(FIXED).label("off").popf().label("behind").jmp("finished");
  if (!masked) {
    step(g, "off", "PUSH");
    step(g, "behind", "POPF");
  }
  const kernel = a.here;
  a.org(layout.USER_CODE).nop().syscall().nop().int(layout.USER_DONE_VECTOR);
  a.org(kernel).label("finished").mov(rsp, layout.STACK_TOP);
  g.exit();
}

/** Instructions that reach memory in their own ways. */
function watchedAccesses(g: GuestBuilder): void {
  // The handler keeps to a stack of its own: the program's is watched.
  g.gates.set(DB, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, ist: 1 });
  prologue(g.a);
  const { a } = g;
  watch(a, layout.STACK_TOP - 8, control(ACCESSES, LEN8));
  trapped(g, "PUSH", () => a.push(rbx));
  trapped(g, "POP", () => a.pop(rbx));
  trapped(g, "PUSHF", () => a.pushf());
  trapped(g, "POPF", () => a.popf());
  trapped(g, "PUSH FS", () => a.db(0x0f, 0xa0));
  trapped(g, "POP of a memory operand", () => a.pop(qword(DATA)));
  trapped(g, "ENTER", () => a.enter(0, 0));
  trapped(g, "LEAVE", () => a.db(0xc9));
  trapped(g, "CALL", () => a.db(0xe8, 0, 0, 0, 0));
  a.mov(rsp, layout.STACK_TOP);
  watch(a, DATA + 4, control(ACCESSES, LEN4));
  a.mov(rbx, DATA).mov(al, 7);
  trapped(g, "XLAT", () => a.db(0xd7));
  trapped(g, "MOV AL from an absolute address", () => a.db(0xa0).dq(DATA + 5));
  trapped(g, "MOV to an absolute address", () => a.db(0x48, 0xa3).dq(DATA));
  trapped(g, "CMPXCHG that does not store", () => a.cmpxchg(qword(DATA), rcx));
  trapped(g, "BT of a bit string", () =>
    a
      .mov(ecx, 8 * 4)
      .bt(qword(DATA - 8), rcx)
      .bt(qword(DATA), rcx),
  );
  a.mov(rsi, DATA + 6);
  trapped(g, "LODSB", () => a.lods(8));
  watch(a, DATA + 4, control(WRITES, LEN2));
  a.mov(rsi, DATA)
    .mov(rdi, DATA + 2)
    .mov(al, byte(DATA + 4))
    .lods(64)
    .mov(byte(DATA + 6), al);
  trapped(g, "STOSD that reaches it", () => a.stos(32));
  a.xor(eax, eax).movSystem(dr7, rax);
  g.exit();
}

/** DR6 shows every breakpoint that an access reaches. */
function twoBreakpoints(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  watch(a, DATA + 3, control(WRITES, LEN1) | control(WRITES, LEN8, 1));
  a.mov(rax, DATA + 8).movSystem(dr1, rax);
  trapped(g, "a store across two breakpoints", () => a.mov(qword(DATA + 3), rbx));
  a.movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | 3n, "both are reported");
  a.xor(eax, eax).movSystem(dr7, rax);
  g.exit();
}

/** A repeated string instruction traps behind the element that reaches a breakpoint. */
function watchedStrings(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.gates.set(DB, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "count" });
  a.xor(ebx, ebx);
  watch(a, DATA + 0x20, control(WRITES, LEN1));
  a.mov(ecx, 0x40).mov(rdi, DATA).mov(al, 0x5a).rep().stos(8);
  g.expect(ebx, 1, "REP STOSB: one trap");
  g.expect(rdx, 0x1f, "behind the 33rd byte");
  watch(a, DATA + 0x20, control(ACCESSES, LEN4));
  a.xor(ebx, ebx)
    .mov(ecx, 0x40)
    .mov(rsi, DATA)
    .mov(rdi, DATA + 0x1000)
    .rep()
    .movs(8);
  g.expect(ebx, 4, "REP MOVSB: a trap for each of four bytes");
  g.expect(rdx, 0x40 - 0x24, "the last behind the 36th");
  a.xor(eax, eax).movSystem(dr7, rax);
  g.exit();
  a.label("count").inc(ebx).mov(rdx, rcx).iretq();
}

/** MOV SS that reaches a breakpoint, then INT n: the trap comes in the handler, before its first instruction. */
function putOffIntoHandler(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.gates.set(INTERRUPT_VECTOR, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "handler" });
  a.mov(eax, layout.KERNEL_DATA).mov(qword(DATA), rax);
  watch(a, DATA, control(ACCESSES, LEN2));
  step(g, "afterNext", "MOV SS, then NOP: the trap is one instruction late");
  a.movToSegment(ss, word(DATA)).nop().label("afterNext");
  a.movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | 1n, "DR6.B0");
  step(g, "handler", "MOV SS, then INT n: the trap is taken at the handler");
  a.movToSegment(ss, word(DATA)).int(INTERRUPT_VECTOR);
  step(g, "afterPop", "POP SS, then NOP");
  a.mov(rbx, rsp).xor(eax, eax).movSystem(dr7, rax);
  a.push(TF | FIXED)
    .popf()
    .movToSegment(ss, word(DATA))
    .nop()
    .label("afterPop");
  step(g, "off", "PUSH");
  step(g, "behind", "POPF");
  a.push(FIXED).label("off").popf().label("behind").mov(rsp, rbx);
  g.exit();
  a.label("handler").iretq();
}

/** INT1 is a trap that asks no DPL and leaves DR6 alone; INT3 and INT n ask. */
function icebp(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.xor(eax, eax).movSystem(dr6, rax);
  trapped(g, "INT1 at level 0", () => a.db(0xf1));
  g.user(() => trapped(g, "INT1 at level 3, through a gate of DPL 0", () => a.db(0xf1)));
  g.user(() => {
    g.fault({ vector: 13, error: (DB << 3) | 2, note: "INT 1 asks the DPL" }, () => a.int(DB));
  });
  a.movSystem(rax, dr6);
  g.expect(rax, DR6_ONES, "DR6 stays");
  a.mov(ecx, esp).mov(rbx, rsp);
  g.expect(rbx, layout.STACK_TOP, "the stack is balanced");
  g.exit();
}

export function debugCornerGuests(): Guest[] {
  const section = "SDM vol. 3B §17.3.1.4";
  return [
    guest(
      "steps over STI and HLT",
      {
        cites: `${section}; vol. 3C table 24-3 (STI blocks interrupts, MOV SS debug exceptions too)`,
        notOnQemu: "QEMU 7.2 steps over neither STI nor HLT; the SDM is right",
      },
      stepOverStiAndHlt,
    ),
    guest("steps into and out of IRET", { cites: section }, stepIntoIret),
    guest("steps over SYSCALL and SYSRET that mask TF", { cites: section }, (g) => stepSystemCalls(g, true)),
    guest("steps over SYSCALL that keeps TF", { cites: section }, (g) => stepSystemCalls(g, false)),
    guest(
      "watched data and every way to reach it",
      { cites: "SDM vol. 3B §17.2.5, §17.3.1.2" },
      watchedAccesses,
    ),
    guest(
      "a store that reaches two breakpoints",
      { cites: "SDM vol. 3B §17.2.3", notOnQemu: "QEMU 7.2 reports the first only; the SDM is right" },
      twoBreakpoints,
    ),
    guest("watched data in repeated strings", { cites: "SDM vol. 3B §17.3.1.2" }, watchedStrings),
    guest(
      "a trap that MOV SS puts off",
      {
        cites: "SDM vol. 3A §6.8.3",
        notOnQemu: "QEMU 7.2 delivers breakpoints of MOV SS at once; the SDM is right",
      },
      putOffIntoHandler,
    ),
    guest(
      "INT1",
      { cites: "SDM vol. 2A, INT n; vol. 3B §17.3.1.5", notOnQemu: "QEMU 7.2 does not know INT1" },
      icebp,
    ),
  ];
}
