/**
 * Debug exceptions: single steps and their exceptions to the rule, breakpoints, DR6 and DR7.
 *
 * Specification: SDM vol. 3B §17.2–17.3; vol. 3A §6.8.3.
 */
import {
  addressOf,
  byte,
  dr0,
  dr1,
  dr4,
  dr6,
  dr7,
  dword,
  eax,
  ebx,
  ecx,
  edx,
  qword,
  rax,
  rbx,
  rdi,
  rdx,
  rsi,
  rsp,
  ss,
} from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const DB = 1;
const UD = 6;
const GP = 13;
const TF = 0x100n;
const RF = 1n << 16n;
const DR6_BS = 1n << 14n;
const DR6_ONES = 0xffff0ff0n;
const CR4_DE = 8;
/** DR7: local enable 0, R/W and LEN of breakpoint 0. */
const DR7_L0_EXECUTE = 0x401;
const DR7_L0_WRITE4 = 0x401 | (0b1101 << 16);
const DR7_L0_ACCESS1 = 0x401 | (0b0011 << 16);

const stepsOn = (g: GuestBuilder): void => {
  g.a.push(Number(TF | 2n)).popf();
};
const traps = (g: GuestBuilder, ...labels: string[]): void => {
  for (const rip of labels) g.expectEvent({ vector: DB, rip, flagsSet: TF, note: `step to ${rip}` });
};

function singleStep(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.xor(eax, eax).movSystem(dr6, rax);
  traps(g, "s1", "s2", "s3", "s4", "s5", "off");
  stepsOn(g);
  a.nop().label("s1").inc(eax).label("s2").jmp("s3");
  a.ud2().label("s3").push(rax).label("s4").pop(rbx).label("s5").push(2).label("off").popf();
  a.label("behind");
  g.expect(eax, 1, "each instruction ran once");
  g.expectEvent({
    vector: DB,
    rip: "behind",
    flagsClear: TF,
    note: "the POPF that clears TF is itself still stepped",
  });
  a.movSystem(rax, dr6);
  g.expect(rax, DR6_BS | DR6_ONES, "DR6.BS");
  g.exit();
}

/** A REP instruction traps after each turn; INT n clears TF for its handler. */
function steppedStrings(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.gates.set(0x82, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "handler" });
  a.mov(rdi, layout.DATA).mov(ecx, 3).mov(eax, 0x41);
  traps(g, "rep", "rep", "rep", "afterRep", "afterInt", "off");
  stepsOn(g);
  a.nop().label("rep").rep().stos(8).label("afterRep").int(0x82).label("intReturn").nop().label("afterInt");
  a.push(2).label("off").popf().label("behind");
  g.expectEvent({ vector: DB, rip: "behind" });
  g.expectAt(layout.DATA, 4, 0x414141n, "three bytes were stored");
  g.exit();
  a.label("handler").nop().nop().iretq();
}

function stepOverShadow(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.movFromSegment(ecx, ss);
  traps(g, "s1", "s2", "off");
  stepsOn(g);
  a.nop().label("s1").movToSegment(ss, ecx).nop().label("s2").push(2).label("off").popf().label("behind");
  g.expectEvent({ vector: DB, rip: "behind" });
  a.mov(eax, 0);
  g.exit();
}

function breakpoints(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.xor(eax, eax)
    .movSystem(dr6, rax)
    .mov(rax, addressOf("here"))
    .movSystem(dr0, rax)
    .mov(eax, DR7_L0_EXECUTE)
    .movSystem(dr7, rax);
  g.expectEvent({
    vector: DB,
    rip: "here",
    flagsClear: RF,
    note: "an instruction breakpoint is a fault: before the instruction",
  });
  g.resumeAt("resumed");
  a.mov(ebx, 1).label("here").mov(ebx, 2);
  a.label("resumed");
  g.expect(ebx, 1, "the instruction did not run");
  a.movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | 1n, "DR6.B0");
  a.mov(rax, layout.DATA + 8)
    .movSystem(dr0, rax)
    .xor(eax, eax)
    .movSystem(dr6, rax)
    .mov(eax, DR7_L0_WRITE4)
    .movSystem(dr7, rax);
  a.mov(eax, dword(layout.DATA + 8));
  g.expectEvent({
    vector: DB,
    rip: "afterWrite",
    flagsClear: RF,
    note: "a data breakpoint is a trap: after the instruction",
  });
  a.mov(byte(layout.DATA + 10), 5).label("afterWrite");
  g.expectAt(layout.DATA + 10, 1, 5n, "the store was done");
  a.mov(eax, DR7_L0_ACCESS1).movSystem(dr7, rax);
  g.expectEvent({ vector: DB, rip: "afterRead", note: "a read/write breakpoint" });
  a.mov(rax, qword(layout.DATA + 4)).label("afterRead");
  a.xor(eax, eax).movSystem(dr7, rax).movSystem(rax, dr7);
  g.expect(rax, 0x400, "DR7 bit 10 reads 1");
  g.exit();
}

/** DR0 watches a label: local enable, one byte, execution. */
function watch(g: GuestBuilder, label: string): void {
  g.a.mov(rax, addressOf(label)).movSystem(dr0, rax).mov(eax, DR7_L0_EXECUTE).movSystem(dr7, rax);
}

/**
 * RF in frames: set by faults, clear in those of instruction breakpoints. An IRET that sets RF lets the watched
 * instruction run, all turns of it when it is repeated; the interrupt gate of 0x82 returns there.
 */
function resumeFlag(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  g.fault({ vector: UD, flagsSet: RF, note: "a fault sets RF in its frame" }, () => a.ud2());
  a.xor(eax, eax).movSystem(dr6, rax).mov(rdi, layout.DATA).mov(ecx, 3).mov(ebx, 1);
  watch(g, "rep");
  g.expectEvent({ vector: DB, rip: "rep", flagsClear: RF, note: "an instruction breakpoint does not" });
  g.resumeAt("handled");
  a.mov(eax, 0x41).label("rep").rep().stos(8).label("behind");
  g.expect(ecx, 0, "with RF set by IRET every turn was done and no other breakpoint was reported");
  g.expectAt(layout.DATA, 4, 0x414141n, "three bytes were stored");
  a.xor(eax, eax).movSystem(dr7, rax);
  g.exit();
  // Not yet behind: goes back to the watched instruction with RF set, as a debugger would.
  a.label("handled").mov(eax, 0x41).movFromSegment(edx, ss).mov(rsi, rsp);
  a.push(rdx).push(rsi).push(0x10002).push(layout.KERNEL_CODE);
  a.mov(rsi, addressOf("rep")).push(rsi).iretq();
}

/** Behind MOV SS an instruction breakpoint is not reported, as if RF were set. */
function hiddenBreakpoint(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.xor(eax, eax).movSystem(dr6, rax).movFromSegment(ecx, ss);
  watch(g, "hidden");
  a.movToSegment(ss, ecx).label("hidden").mov(ebx, 5).xor(eax, eax).movSystem(dr7, rax).movSystem(rax, dr6);
  g.expect(ebx, 5, "the instruction ran");
  g.expect(rax, DR6_ONES, "and nothing was reported");
  g.exit();
}

function debugRegisters(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(rax, 0x123456789n).movSystem(dr1, rax).movSystem(rbx, dr1);
  g.expect(rbx, 0x123456789n, "DR1 holds 64 bits");
  a.xor(eax, eax).movSystem(dr6, rax).movSystem(rax, dr4);
  g.expect(rax, DR6_ONES, "DR4 is DR6 while CR4.DE is clear");
  a.movSystem(rax, { kind: "control", name: "cr4", code: 4 })
    .or(rax, CR4_DE)
    .movSystem({ kind: "control", name: "cr4", code: 4 }, rax);
  g.fault({ vector: UD, note: "DR4 with CR4.DE" }, () => a.movSystem(rax, dr4));
  a.mov(rax, 0x100000000n);
  g.fault({ vector: GP, error: 0, note: "upper half of DR7" }, () => a.movSystem(dr7, rax));
  g.fault({ vector: GP, error: 0, note: "upper half of DR6" }, () => a.movSystem(dr6, rax));
  g.user(() => g.fault({ vector: GP, note: "MOV from DR at CPL 3" }, () => a.movSystem(rax, dr7)));
  g.exit();
}

function generalDetect(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.xor(eax, eax).movSystem(dr6, rax).mov(eax, 0x2400).movSystem(dr7, rax);
  g.expectEvent({ vector: DB, rip: "detected", flagsSet: RF, note: "general detect: MOV DR with DR7.GD" });
  g.resumeAt("afterDetect");
  a.label("detected").movSystem(rbx, dr0).label("afterDetect").movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | (1n << 13n), "DR6.BD; GD was cleared for the handler");
  g.exit();
}

/** A port that DR0 watches traps after the access, in either direction, while CR4.DE is set. */
function portBreakpoints(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  const cr4 = { kind: "control", name: "cr4", code: 4 } as const;
  const port = 0x80;
  a.mov(eax, port).movSystem(dr0, rax).xor(eax, eax).movSystem(dr6, rax);
  a.mov(eax, 0x00020402).movSystem(dr7, rax);
  a.movSystem(rax, cr4)
    .or(rax, CR4_DE)
    .movSystem(cr4, rax)
    .out(8, port - 1);
  g.expectEvent({ vector: DB, rip: "afterOut", note: "OUT to a watched port" });
  a.out(8, port).label("afterOut");
  g.expectEvent({ vector: DB, rip: "afterIn", note: "IN of a word that covers it" });
  a.in(16, port - 1)
    .label("afterIn")
    .movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | 1n, "DR6.B0");
  a.xor(eax, eax).movSystem(dr7, rax);
  g.exit();
}

export function debugGuests(): Guest[] {
  return [
    guest("single steps", { cites: "SDM vol. 3B §17.3.1.4" }, singleStep),
    guest(
      "single steps through REP and INT",
      { cites: "SDM vol. 3B §17.3.1.4; vol. 3A §6.8" },
      steppedStrings,
    ),
    guest("no step between MOV SS and the next instruction", { cites: "SDM vol. 3A §6.8.3" }, stepOverShadow),
    guest("instruction and data breakpoints", { cites: "SDM vol. 3B §17.3.1" }, breakpoints),
    guest(
      "RF in frames and its use",
      {
        cites: "SDM vol. 3B §17.3.1.1",
        notOnQemu: "QEMU 7.2 never sets RF and looks again before each turn of REP; the SDM is right",
      },
      resumeFlag,
    ),
    guest(
      "MOV SS hides a breakpoint",
      { cites: "SDM vol. 3B §17.3.1.1", notOnQemu: "QEMU 7.2 reports it; the SDM is right" },
      hiddenBreakpoint,
    ),
    guest("ports as breakpoints", { cites: "SDM vol. 3B §17.2.4, §17.3.1.3" }, portBreakpoints),
    guest("debug registers", { cites: "SDM vol. 3B §17.2" }, debugRegisters),
    guest(
      "DR7.GD traps accesses to debug registers",
      { cites: "SDM vol. 3B §17.2.4", notOnQemu: "QEMU 7.2 has no general detect; the SDM is right" },
      generalDetect,
    ),
  ];
}
