/**
 * What becomes of a data breakpoint that MOV SS or POP SS reaches: it waits for the boundary behind the next instruction,
 * whatever that is. And what DR6 shows of one #DB after another.
 *
 * Specification: SDM vol. 3A §6.8.3 (what a load of SS inhibits), §6.9 table 6-2 (priorities); vol. 3B §17.2.3, §17.2.4.
 * The manual does not say what follows a fault in that place; Linux's selftest mov_ss_trap tells of silicon: the
 * breakpoint is lost. INT1 is a #DB itself, and the one that is delivered.
 */
import {
  addressOf,
  dr0,
  dr1,
  dr6,
  dr7,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  esp,
  qword,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsp,
  ss,
  word,
} from "../../support/asm/index.js";
import type { Assembler, Immediate } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const DB = 1;
const NMI = 2;
const BP = 3;
const OF = 4;
const UD = 6;
const NP = 11;
const GP = 13;
const TF = 0x100;
const FIXED = 2;
const LAPIC_SVR = 0xf0;
const LAPIC_ICR = 0x300;
const SVR_ENABLE = 0x1ff;
const ICR_NMI = 0x400;
const INTO = 0xce;
const POP_SS = 0x17;
const DR6_ONES = 0xffff0ff0n;
const B0 = 1n;
const B1 = 2n;
const BD = 1n << 13n;
const BS = 1n << 14n;
/** DR7: breakpoint 0 watches two bytes for any access, breakpoint 1 four; GD. */
const WATCH0 = 0x400 | (1 << 0) | (0b0111 << 16);
const WATCH1 = (1 << 2) | (0b1111 << 20);
const GENERAL_DETECT = 1 << 13;
const MSR_STAR = 0xc0000081;
const MSR_LSTAR = 0xc0000082;
const MSR_FMASK = 0xc0000084;
const MSR_SYSENTER_CS = 0x174;
const MSR_SYSENTER_ESP = 0x175;
const MSR_SYSENTER_EIP = 0x176;
const OWN_VECTOR = 0x82;
/** Holds the selector that is loaded; watched. */
const CELL = layout.DATA + 0x400;
const OTHER = CELL + 8;
const QEMU = "QEMU 7.2 delivers breakpoints of MOV SS at once; the SDM is right";

/** Watches the cell and sets DR6 to `status`. Clobbers RAX. */
function watch(a: Assembler, bits = WATCH0, status = 0): void {
  a.mov(dword(CELL), layout.KERNEL_DATA).mov(rax, CELL).movSystem(dr0, rax);
  a.mov(rax, OTHER)
    .movSystem(dr1, rax)
    .mov(eax, status)
    .movSystem(dr6, rax)
    .mov(eax, bits)
    .movSystem(dr7, rax);
}

const loadStack = (a: Assembler): Assembler => a.movToSegment(ss, word(CELL));

/** Expects these causes in DR6, and clears it. Clobbers RAX. */
function causes(g: GuestBuilder, bits: bigint, note: string): void {
  g.a.movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | bits, note);
  g.a.xor(eax, eax).movSystem(dr6, rax);
}

/** Expects one #DB at `rip` of MOV SS and what `emit` puts behind it, with `bits` in DR6. */
function trapped(
  g: GuestBuilder,
  rip: string,
  bits: bigint,
  note: string,
  emit: (a: Assembler) => unknown,
): void {
  g.expectEvent({ vector: DB, rip, note });
  loadStack(g.a);
  emit(g.a);
  causes(g, bits, note);
}

/** INT1 behind MOV SS is one #DB that shows the breakpoint, not a second one at its handler. */
function mergedWithInt1(g: GuestBuilder): void {
  prologue(g.a);
  watch(g.a);
  trapped(g, "behind", B0, "INT1", (a) => a.db(0xf1).label("behind"));
  g.exit();
}

/** A user program, through a gate with a stack of its own as kernels have it. */
function mergedFromUser(g: GuestBuilder): void {
  g.gates.set(DB, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, ist: 1 });
  prologue(g.a);
  watch(g.a);
  g.a.mov(word(layout.USER_DATA), layout.USER_DATA_SELECTOR).mov(rax, layout.USER_DATA).movSystem(dr0, rax);
  g.user(() => {
    g.expectEvent({ vector: DB, rip: "user", cs: layout.USER_CODE64, note: "one #DB" });
    g.a.movToSegment(ss, word(layout.USER_DATA)).db(0xf1).label("user").nop();
  });
  causes(g, B0, "INT1 of a user program");
  g.exit();
}

/** INT3 and INT n enter their handler; the trap comes before its first instruction. */
function atTheHandler(g: GuestBuilder): void {
  const own = { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "handler" };
  for (const vector of [BP, OWN_VECTOR]) g.gates.set(vector, own);
  prologue(g.a);
  watch(g.a);
  trapped(g, "handler", B0, "INT3", (a) => a.db(0xcc));
  trapped(g, "handler", B0, "INT 3 of two bytes", (a) => a.db(0xcd, BP));
  trapped(g, "handler", B0, "INT n", (a) => a.int(OWN_VECTOR));
  g.exit();
  g.a.label("handler").iretq();
}

/** INTO; POP SS. */
function atTheHandler32(g: GuestBuilder): void {
  g.gates.set(OF, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "handler" });
  prologue(g.a);
  const { a } = g;
  a.mov(dword(CELL), layout.KERNEL_DATA).mov(eax, CELL).movSystem(dr0, eax);
  a.xor(eax, eax).movSystem(dr6, eax).mov(eax, WATCH0).movSystem(dr7, eax);
  a.mov(ebx, 0x7fffffff).inc(ebx);
  g.expectEvent({ vector: DB, rip: "handler", note: "INTO" });
  loadStack(a).db(INTO).mov(ecx, esp).mov(esp, CELL);
  g.expectEvent({ vector: DB, rip: "popped", note: "POP SS, then MOV ESP" });
  a.db(POP_SS).mov(esp, ecx).label("popped").movSystem(eax, dr6);
  g.expect(eax, DR6_ONES | B0, "DR6");
  g.exit();
  a.label("handler").iret();
}

function writeMsr(a: Assembler, msr: number, value: Immediate): void {
  a.mov(ecx, msr).movabs(rax, value).mov(rdx, rax).shr(rdx, 32).wrmsr();
}

/** SYSCALL and SYSENTER go on to the kernel's first instruction. */
function atTheSystemCall(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  writeMsr(a, MSR_STAR, BigInt(layout.KERNEL_CODE) << 32n);
  writeMsr(a, MSR_LSTAR, addressOf("lstar"));
  writeMsr(a, MSR_FMASK, 0);
  writeMsr(a, MSR_SYSENTER_CS, layout.KERNEL_CODE);
  writeMsr(a, MSR_SYSENTER_ESP, layout.STACK_TOP);
  writeMsr(a, MSR_SYSENTER_EIP, addressOf("sysenter"));
  watch(a);
  trapped(g, "lstar", B0, "SYSCALL", () => a.syscall().ud2().label("lstar"));
  trapped(g, "sysenter", B0, "SYSENTER", () => a.sysenter().ud2().label("sysenter"));
  g.exit();
}

/** A fault is delivered alone; the breakpoint is lost. */
function lostWithFault(g: GuestBuilder): void {
  g.gates.set(OWN_VECTOR, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, present: false });
  prologue(g.a);
  const { a } = g;
  watch(a);
  a.movabs(rbx, 1n << 62n);
  const faults = (vector: number, note: string, emit: () => unknown, error = 0): void => {
    const [rip, behind] = [a.fresh("fault"), a.fresh("behind")];
    g.expectEvent({ vector, rip, error, note });
    g.resumeAt(behind);
    loadStack(a).label(rip);
    emit();
    a.label(behind);
    causes(g, 0n, `${note}: nothing is left of the breakpoint`);
  };
  faults(UD, "UD2", () => a.ud2());
  faults(GP, "a load from an address that is not canonical", () => a.mov(rax, qword(rbx)));
  faults(NP, "INT n whose gate is not present", () => a.int(OWN_VECTOR), OWN_VECTOR * 8 + 2);
  g.exit();
}

/** Instructions that complete: the trap is behind them, with all there is to report. */
function behindTheNext(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  watch(a, WATCH0 | WATCH1);
  trapped(g, "afterHlt", B0, "HLT is left", () => a.hlt().label("afterHlt"));
  a.mov(rbx, rsp).push(layout.KERNEL_DATA).push(rbx).push(FIXED).push(layout.KERNEL_CODE);
  a.mov(rax, addressOf("target")).push(rax);
  trapped(g, "target", B0, "IRET", () => a.iretq().ud2().label("target"));
  trapped(g, "afterRead", B0 | B1, "an access to other watched data", () => {
    a.mov(rbx, qword(OTHER)).label("afterRead");
  });
  a.mov(ecx, layout.KERNEL_DATA);
  trapped(g, "afterSecond", B0, "another MOV SS does not put it off once more", () => {
    a.movToSegment(ss, ecx).label("afterSecond").nop();
  });
  a.xor(eax, eax).movSystem(dr7, rax);
  g.exit();
}

/** With TF: one #DB that shows both; INT n and INT1 end the step that MOV SS suppressed. */
function stepped(g: GuestBuilder): void {
  g.gates.set(OWN_VECTOR, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "handler" });
  prologue(g.a);
  const { a } = g;
  watch(a);
  const step = (rip: string): void => g.expectEvent({ vector: DB, rip, note: `step to ${rip}` });
  step("next");
  step("pushed");
  step("both");
  a.push(TF | FIXED).popf();
  a.nop().label("next");
  a.push(FIXED).label("pushed");
  loadStack(a).popf().label("both");
  causes(g, B0 | BS, "step and breakpoint");
  step("handler");
  step("afterReturn");
  step("push2");
  step("behind2");
  a.push(TF | FIXED).popf();
  loadStack(a).int(OWN_VECTOR).nop().label("afterReturn");
  a.push(FIXED).label("push2").popf().label("behind2");
  causes(g, BS, "a step behind the handler");
  g.expect(rbx, DR6_ONES | B0, "the handler saw none: INT n cleared TF");
  g.exit();
  a.label("handler").movSystem(rbx, dr6).iretq();
}

/** Steps over loads of SS in a row: only the first is not followed by one. */
function steppedRow(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  a.mov(ecx, layout.KERNEL_DATA).xor(eax, eax).movSystem(dr7, rax);
  for (const rip of ["second", "fourth", "push", "behind"]) {
    g.expectEvent({ vector: DB, rip, note: `step to ${rip}` });
  }
  a.push(TF | FIXED).popf();
  a.movToSegment(ss, ecx).movToSegment(ss, ecx).label("second");
  a.movToSegment(ss, ecx).movToSegment(ss, ecx).label("fourth");
  a.push(FIXED).label("push").popf().label("behind").nop();
  g.exit();
}

/** #DB replaces B0–B3, and only adds to BS and BD, which software clears. */
function statusOfOne(g: GuestBuilder): void {
  prologue(g.a);
  const { a } = g;
  watch(a, WATCH0 | WATCH1, 0xe);
  g.expectEvent({ vector: DB, rip: "afterRead" });
  a.mov(rbx, qword(CELL - 6))
    .label("afterRead")
    .movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | B0, "B1–B3 of before are gone");
  a.mov(eax, 0x400f).movSystem(dr6, rax);
  g.expectEvent({ vector: DB, rip: "afterInt1" });
  a.db(0xf1).label("afterInt1").movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | BS, "INT1 has none of them; BS stays");
  a.mov(eax, 0xf)
    .movSystem(dr6, rax)
    .push(TF | FIXED)
    .popf();
  for (const rip of ["step", "push", "behind"]) g.expectEvent({ vector: DB, rip });
  a.nop().label("step").push(FIXED).label("push").popf().label("behind").movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | BS, "a step has none of them");
  a.mov(eax, 0xf)
    .movSystem(dr6, rax)
    .mov(eax, WATCH0 | GENERAL_DETECT)
    .movSystem(dr7, rax);
  g.expectEvent({ vector: DB, rip: "detected" });
  g.resumeAt("undetected");
  loadStack(a).label("detected").movSystem(rax, dr7).label("undetected").movSystem(rax, dr6);
  g.expect(rax, DR6_ONES | BD | B0, "general detect behind MOV SS shows both");
  a.mov(eax, WATCH0 | GENERAL_DETECT).movSystem(dr7, rax);
  g.expectEvent({ vector: DB, rip: "afterInt1Too" });
  a.db(0xf1).label("afterInt1Too").movSystem(rbx, dr7);
  g.expect(rbx, BigInt(WATCH0), "INT1 is a #DB: GD is clear for its handler");
  g.exit();
}

/** The frame of a #DB reaches watched data: its trap comes before the handler's first instruction. */
function watchedFrame(g: GuestBuilder): void {
  g.gates.set(DB, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "handler" });
  prologue(g.a);
  const { a } = g;
  a.xor(ebx, ebx)
    .mov(rax, layout.STACK_TOP - 16)
    .movSystem(dr0, rax);
  a.xor(eax, eax).movSystem(dr6, rax).mov(eax, WATCH0).movSystem(dr7, rax);
  a.push(TF | FIXED)
    .popf()
    .nop()
    .label("behind")
    .nop();
  g.expect(ebx, 2, "two #DB");
  a.mov(rax, addressOf("handler")).sub(rdx, rax).mov(rax, addressOf("behind")).sub(rcx, rax);
  g.expect(rdx, 0, "the second at the handler's first instruction");
  g.expect(rcx, 0, "the first was the step over NOP");
  causes(g, B0 | BS, "step and breakpoint");
  g.exit();
  a.label("handler").xor(eax, eax).movSystem(dr7, rax).inc(ebx).cmp(ebx, 1).jcc("ne", "step");
  a.mov(rdx, qword(rsp)).iretq();
  a.label("step").mov(rcx, qword(rsp)).mov(qword(rsp, 16), FIXED).iretq();
}

/** The same of an NMI, which comes between two instructions. */
function watchedInterrupt(g: GuestBuilder): void {
  g.gates.set(NMI, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "nmi" });
  prologue(g.a);
  const { a } = g;
  a.xor(ebx, ebx).mov(edi, layout.LAPIC).mov(dword(rdi, LAPIC_SVR), SVR_ENABLE);
  watch(a, WATCH0);
  a.mov(rax, layout.STACK_TOP - 16).movSystem(dr0, rax);
  g.expectEvent({ vector: DB, rip: "nmi", note: "before the NMI handler's first instruction" });
  a.mov(dword(rdi, LAPIC_ICR), ICR_NMI);
  for (let i = 0; i < 3; i++) a.jmp(a.here + 5);
  g.expect(ebx, 1, "one NMI");
  causes(g, B0, "its frame");
  g.exit();
  a.label("nmi").xor(eax, eax).movSystem(dr7, rax).inc(ebx).iretq();
}

export function debugShadowGuests(): Guest[] {
  const cites = "SDM vol. 3A §6.8.3";
  const notOnQemu = QEMU;
  return [
    guest("MOV SS and INT1 are one #DB", { cites, notOnQemu }, mergedWithInt1),
    guest("MOV SS and INT1 of a user program are one #DB", { cites, notOnQemu }, mergedFromUser),
    guest("MOV SS, then INT3 or INT n", { cites, notOnQemu }, atTheHandler),
    guest("MOV SS, then INTO", { cites, notOnQemu, mode: 32 }, atTheHandler32),
    guest("MOV SS, then SYSCALL or SYSENTER", { cites, notOnQemu }, atTheSystemCall),
    guest("MOV SS, then a fault", { cites, notOnQemu }, lostWithFault),
    guest("MOV SS, then HLT, IRET, watched data, MOV SS", { cites, notOnQemu }, behindTheNext),
    guest("MOV SS with TF set", { cites, notOnQemu }, stepped),
    guest(
      "steps over several MOV SS",
      { cites, notOnQemu: "QEMU 7.2 steps behind the last of them; the SDM leaves it open" },
      steppedRow,
    ),
    guest(
      "DR6 shows the causes of one #DB",
      { cites: "SDM vol. 3B §17.2.3", notOnQemu: "QEMU 7.2 keeps B0–B3 where a step or INT1 follows" },
      statusOfOne,
    ),
    guest(
      "the frame of an NMI reaches watched data",
      { cites: "SDM vol. 3A §6.9", notOnQemu: "QEMU 7.2 reports no data breakpoint of a frame" },
      watchedInterrupt,
    ),
    guest(
      "the frame of a #DB reaches watched data",
      { cites: "SDM vol. 3A §6.9", notOnQemu: "QEMU 7.2 aborts" },
      watchedFrame,
    ),
  ];
}
