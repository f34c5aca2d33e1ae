/**
 * Checks 21 and 22: user mode with SYSCALL and forbidden MSRs; every way to restart.
 *
 * Sources: SDM vol. 3A §5.8.8 (SYSCALL), §6.15 (#GP); FreeBSD cpu_reset_real, NetBSD x86_reset.
 */
import * as o from "../../support/asm/index.js";
import { SELECTOR, type Frame } from "./frame.js";

const { dword, word, qword, byte, addressOf } = o;
const [STAR, LSTAR, SFMASK] = [0xc000_0081, 0xc000_0082, 0xc000_0084];
/** In no model. */
const UNKNOWN_MSR = 0x0bad_0bad;
const CALL_NUMBER = 0x1234;
const LIMIT = 2_000_000;

/** Ways of check 22, by the letter behind `reset=`. */
export const RESETS = { k: "port 0x64", c: "port 0xcf9", a: "port 0x92", t: "triple fault" } as const;

export function kernelChecks(f: Frame): void {
  f.check(21, () => userMode(f));
  f.say("end\n");
  resets(f);
  f.a.cli().label("stop").hlt().jmp("stop");
}

function userMode(f: Frame): void {
  const { a } = f;
  const msr = (index: number, high: number, low: number | o.LabelReference): void =>
    void a.mov(o.ecx, index).mov(o.edx, high).mov(o.eax, low).wrmsr();
  msr(STAR, (SELECTOR.USER_BASE << 16) | SELECTOR.CODE64, 0);
  msr(LSTAR, 0, addressOf("onSyscall"));
  msr(SFMASK, 0, 0x700);
  a.mov(o.eax, addressOf("tss")).mov(word("tssDescriptor", 2), o.ax).shr(o.eax, 16);
  a.mov(byte("tssDescriptor", 4), o.al).mov(byte("tssDescriptor", 7), o.ah);
  a.mov(o.eax, SELECTOR.TSS).ltr(o.ax);
  const enterUser = (label: string): void => void a.mov(o.rcx, addressOf(label)).mov(o.r11d, 2).sysret(64);
  enterUser("userCall");
  a.label("userCall").movFromSegment(o.ebx, o.cs).mov(o.eax, CALL_NUMBER).syscall().label("userReturn").ud2();
  a.label("onSyscall").mov(o.esp, addressOf("stackTop")).cmp(o.eax, CALL_NUMBER);
  f.require("e", 1);
  a.mov(o.rax, addressOf("userReturn")).cmp(o.rcx, o.rax);
  f.require("e", 2);
  a.mov(o.eax, o.ebx)
    .and(o.eax, 0xffff)
    .cmp(o.eax, (SELECTOR.USER_BASE + 16) | 3);
  f.require("e", 3);
  a.movFromSegment(o.eax, o.cs).and(o.eax, 0xffff).cmp(o.eax, SELECTOR.CODE64);
  f.require("e", 4);
  f.requireFault(13, 0, 5, () => {
    enterUser("userMsr");
    a.label("userMsr").mov(o.ecx, STAR).rdmsr().ud2();
  });
  a.mov(o.eax, dword("faultCs")).and(o.eax, 3).cmp(o.eax, 3);
  f.require("e", 7);
  f.requireFault(13, 0, 8, () => void a.mov(o.ecx, UNKNOWN_MSR).rdmsr());
}

/** The way that the command line names as `reset=` and a letter. */
function resets(f: Frame): void {
  const { a } = f;
  a.mov(o.eax, dword("startInfo")).mov(o.rsi, qword(o.rax, 24)).label("seek");
  a.cmp(byte(o.rsi), 0).jcc("e", "stop").inc(o.rsi).cmp(dword(o.rsi, -1), 0x6573_6572).jcc("ne", "seek");
  a.cmp(word(o.rsi, 3), 0x3d74).jcc("ne", "seek").movzx(o.ebx, byte(o.rsi, 5));
  f.a.mov(o.r14d, o.ebx);
  f.say("check 22 trying\n");
  a.call("idle");
  const ways: Record<keyof typeof RESETS, () => void> = {
    k: () => f.outb(0x64, 0xfe),
    c: () => {
      f.outb(0xcf9, 2);
      f.outb(0xcf9, 6);
    },
    a: () => {
      f.inb(0x92);
      a.and(o.al, 0xfe).out(8, 0x92).or(o.al, 1).out(8, 0x92);
    },
    t: () => void a.lidt(o.at("noIdt")).ud2(),
  };
  for (const [letter, way] of Object.entries(ways)) {
    const other = a.fresh("other");
    a.cmp(o.r14d, letter.charCodeAt(0)).jcc("ne", other);
    way();
    a.label(other);
  }
  a.mov(o.ecx, LIMIT).label("alive").dec(o.ecx).jcc("ne", "alive");
  f.say("check 22 fail\n");
}

/** What faults come to: noted, and on to where the code that expects one says. */
export function faultRoutines(f: Frame, vectors: readonly number[]): void {
  const { a } = f;
  for (const vector of vectors) {
    a.label(`fault${vector}`);
    if (vector < 8) a.push(0);
    a.mov(dword("faultVector"), vector).jmp("fault");
  }
  a.label("fault").pop(o.rax).mov(dword("faultError"), o.eax).pop(o.rbx).pop(o.rax);
  a.mov(dword("faultCs"), o.eax).movSystem(o.rax, o.cr2).mov(qword("faultAddress"), o.rax);
  a.mov(o.rax, qword("recover")).mov(qword("recover"), 0);
  f.resetStack();
  a.mov(o.ecx, SELECTOR.DATA)
    .movToSegment(o.ss, o.ecx)
    .test(o.rax, o.rax)
    .jcc("e", "unexpected")
    .jmpAt(o.rax);
  a.label("unexpected").mov(qword("value"), o.rbx);
  f.sayValue("fault", "faultVector");
  f.sayValue("at", "value");
  a.jmp("stop");
}
