/**
 * Maskable and non-maskable interrupts, sent by the guest to itself through the local APIC so that the moment is
 * exact: IF, the shadows of STI and MOV SS, priorities, NMI blocking, HLT.
 *
 * Specification: SDM vol. 3A §6.3, §6.7 (NMI), §6.8 (masking), §10.6, §10.8.
 */
import {
  al,
  cr8,
  dword,
  eax,
  ebx,
  ecx,
  edi,
  edx,
  qword,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsp,
} from "../../support/asm/index.js";
import type { Assembler } from "../../support/asm/index.js";
import { prologue } from "../support/environments.js";
import { guest } from "../support/guest.js";
import type { Guest, GuestBuilder } from "../support/guest.js";
import * as layout from "../support/layout.js";

const SVR = 0xf0;
const ICR = 0x300;
const ICR_HIGH = 0x310;
const SVR_ENABLE = 0x1ff;
const ICR_SELF = 0x40000;
const ICR_NMI_PHYSICAL = 0x400;
const NMI = 2;
const UD = 6;
const GP = 13;
const IF = 0x200n;
const VECTOR = 0x40;

/** RDI holds the APIC's base from here on. */
function enableApic(g: GuestBuilder): void {
  prologue(g.a);
  g.a.mov(edi, layout.LAPIC).mov(dword(rdi, SVR), SVR_ENABLE);
  g.store(layout.LOG_EOI, 1);
}

const send = (a: Assembler, vector: number): Assembler => a.mov(dword(rdi, ICR), ICR_SELF | vector);

function sendNmi(a: Assembler): void {
  a.mov(dword(rdi, ICR_HIGH), 0).mov(dword(rdi, ICR), ICR_NMI_PHYSICAL);
}

/** Jumps and NOPs, for machines that look for interrupts only between blocks. */
function settle(a: Assembler): void {
  for (let i = 0; i < 3; i++) {
    const next = a.fresh("settle");
    a.nop().jmp(next).label(next);
  }
}

function masking(g: GuestBuilder): void {
  enableApic(g);
  const { a } = g;
  send(a, VECTOR);
  settle(a);
  a.mov(rax, qword(layout.LOG));
  g.expect(rax, 0, "IF=0: nothing is delivered");
  g.expectEvent({
    vector: VECTOR,
    rip: "shadowEnd",
    flagsSet: IF,
    error: 0,
    note: "the instruction behind STI still runs",
  });
  a.xor(ebx, ebx).sti().inc(ebx).label("shadowEnd").inc(ebx).cli();
  g.expect(ebx, 2, "and the program goes on");
  send(a, VECTOR);
  a.sti().cli();
  settle(a);
  a.mov(rax, qword(layout.LOG));
  g.expect(rax, 1, "STI, CLI: no interrupt in between");
  g.expectEvent({ vector: VECTOR, rip: "popf", note: "POPF has no shadow" });
  a.push(0x202).popf().label("popf").nop().cli();
  g.expectEvent({ vector: VECTOR, rip: "secondSti", note: "a second STI does not extend the shadow" });
  send(a, VECTOR);
  a.sti().sti().label("secondSti").nop().cli();
  g.exit();
}

function priorities(g: GuestBuilder): void {
  enableApic(g);
  const { a } = g;
  send(a, 0x41);
  send(a, 0x62);
  send(a, 0x53);
  for (const vector of [0x62, 0x53, 0x41])
    g.expectEvent({ vector, rip: "window", note: `vector ${vector.toString(16)} in order of priority` });
  a.sti().nop().label("window").nop().cli();
  a.mov(eax, 5).movSystem(cr8, rax);
  send(a, 0x55);
  a.sti();
  settle(a);
  a.mov(rbx, qword(layout.LOG));
  g.expect(rbx, 3, "CR8 = 5 holds vectors 0x50–0x5f");
  g.expectEvent({ vector: 0x55, note: "until CR8 falls" });
  a.xor(eax, eax).movSystem(cr8, rax);
  settle(a);
  a.cli().mov(rbx, qword(layout.LOG));
  g.expect(rbx, 4, "one more event");
  a.movSystem(rcx, cr8);
  g.expect(rcx, 0, "CR8 reads back");
  g.exit();
}

function halting(g: GuestBuilder): void {
  enableApic(g);
  const { a } = g;
  send(a, VECTOR);
  g.expectEvent({
    vector: VECTOR,
    rip: "afterHlt",
    note: "HLT in STI's shadow wakes, the return address is behind it",
  });
  a.sti().hlt().label("afterHlt").cli();
  a.mov(rax, qword(layout.LOG));
  g.expect(rax, 1, "one interrupt");
  g.user(() => g.fault({ vector: GP, note: "HLT at CPL 3" }, () => a.hlt()));
  g.exit();
}

function fromUserMode(g: GuestBuilder): void {
  enableApic(g);
  const { a } = g;
  send(a, VECTOR);
  // IRETQ to user mode sets IF; the interrupt comes before the first user instruction.
  g.store(layout.LOG_USER_RETURN, { kind: "label", label: "back", addend: 0 });
  a.mov(qword(layout.LOG_USER_STACK), rsp);
  a.push(layout.USER_DATA_SELECTOR)
    .push(layout.USER_STACK_TOP)
    .push(0x202)
    .push(layout.USER_CODE64)
    .push(layout.USER_CODE)
    .iretq();
  g.expectEvent({
    vector: VECTOR,
    rip: BigInt(layout.USER_CODE),
    cs: layout.USER_CODE64,
    ss: layout.USER_DATA_SELECTOR,
    rsp: BigInt(layout.USER_STACK_TOP),
    flagsSet: IF,
    note: "before the first user instruction",
  });
  const kernel = a.here;
  a.org(layout.USER_CODE).mov(ebx, 0x1234).int(layout.USER_DONE_VECTOR).org(kernel).label("back");
  g.expect(ebx, 0x1234, "user code ran afterwards");
  g.exit();
}

/** NMI is not masked by IF, and a second one waits for IRET. */
function nonMaskable(g: GuestBuilder): void {
  enableApic(g);
  const { a } = g;
  g.gates.set(NMI, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "nmi" });
  a.xor(ebx, ebx).xor(ecx, ecx).mov(edx, 0);
  sendNmi(a);
  settle(a);
  g.expect(rbx, 2, "two NMIs were handled");
  g.expect(rcx, 1, "when the handler looked, the second had not come yet");
  g.expect(rdx, 1, "the second came after the first's IRET");
  a.cli();
  g.exit();
  a.label("nmi").inc(ebx).cmp(ebx, 1).jcc("ne", "second");
  sendNmi(a);
  settle(a);
  a.mov(ecx, ebx).iretq();
  a.label("second").mov(edx, ecx).iretq();
}

/** Any IRET ends the blocking, also one that returns from another exception inside the handler. */
function nmiUnblocking(g: GuestBuilder): void {
  enableApic(g);
  const { a } = g;
  g.gates.set(NMI, { selector: layout.KERNEL_CODE, offset: 0, type: 0xe, label: "nmi" });
  a.xor(ebx, ebx).xor(ecx, ecx);
  sendNmi(a);
  settle(a);
  g.expect(rbx, 2, "two NMIs");
  g.expect(rcx, 2, "the second came inside the handler, after the inner IRET");
  g.exit();
  a.label("nmi").inc(ebx).cmp(ebx, 1).jcc("ne", "second");
  sendNmi(a);
  g.fault({ vector: UD, note: "an exception inside the NMI handler" }, () => a.ud2());
  settle(a);
  a.mov(ecx, ebx);
  a.label("second").iretq();
}

export function interruptGuests(): Guest[] {
  return [
    guest("IF and the shadow of STI", { cites: "SDM vol. 2B, STI; vol. 3A §6.8.1" }, masking),
    guest("priorities and CR8", { cites: "SDM vol. 3A §10.8.3, §10.8.6" }, priorities),
    guest(
      "CR8 has four bits",
      { cites: "SDM vol. 2B, MOV CR", notOnQemu: "QEMU 7.2 accepts any value; the SDM is right" },
      (g) => {
        enableApic(g);
        g.a.mov(eax, 16);
        g.fault({ vector: GP }, (a) => a.movSystem(cr8, rax));
        g.exit();
      },
    ),
    guest("HLT wakes by an interrupt", { cites: "SDM vol. 2A, HLT" }, halting),
    guest("an interrupt before the first user instruction", { cites: "SDM vol. 2A, IRET" }, fromUserMode),
    guest("NMI is blocked until IRET", { cites: "SDM vol. 3A §6.7.1" }, nonMaskable),
    guest("any IRET ends the blocking of NMIs", { cites: "SDM vol. 3A §6.7.1" }, nmiUnblocking),
    guest("HLT with IF=0 ends in a halt that nothing wakes", { cites: "SDM vol. 2A, HLT" }, (g) => {
      prologue(g.a);
      g.a.mov(al, 1);
      g.expect(al, 1, "before HLT");
      g.a.cli().hlt();
      g.expectSkipped("code behind HLT");
      g.expectHalt(false);
    }),
  ];
}
