/**
 * Checks 10 to 20: interrupt controllers, clocks, CMOS, the serial port, devices that may be absent, and sleeping.
 *
 * Sources: FreeBSD ns8250 and atrtc, local_apic.c; NetBSD i8254, x86 ioapic.c, mptramp; SDM vol. 3A §10, 82093AA.
 */
import * as o from "../../support/asm/index.js";
import {
  IOAPIC,
  IOAPIC_DATA,
  ioApic,
  LIMIT,
  localApic,
  MASKED,
  PIT_100_HZ,
  redirect,
  REGISTER,
  setPit,
  TIMER_PIN,
  VECTOR,
} from "./apic-checks.js";
import { COM1, type Frame } from "./frame.js";
import { virtioNet } from "./net-check.js";
import { virtioDisk, virtioRegisters } from "./virtio-checks.js";

const { dword, qword, addressOf } = o;
const { EOI, ICR_LOW, ICR_HIGH, CURRENT } = REGISTER;
const AP_CODE = 0x2000;
const [AP_COUNT, AP_TSC] = [0x2800, 0x2808];

export function deviceChecks(f: Frame): void {
  f.check(10, () => legacyPics(f));
  f.check(11, () => pit(f));
  f.check(12, () => tscRate(f));
  f.sayValue("tsc-khz", "tscKhz");
  f.check(13, () => cmos(f));
  f.check(14, () => localApic(f));
  f.check(15, () => ioApic(f));
  f.check(16, () => uart(f));
  f.check(17, () => virtioRegisters(f));
  f.check(18, () => virtioDisk(f));
  f.check(23, () => virtioNet(f));
  f.check(19, () => secondCpu(f));
  f.check(20, () => sleep(f));
}

function legacyPics(f: Frame): void {
  const { a } = f;
  const words: [number, number][] = [
    [0x20, 0x11],
    [0xa0, 0x11],
    [0x21, 0x20],
    [0xa1, 0x28],
    [0x21, 4],
    [0xa1, 2],
    [0x21, 1],
    [0xa1, 1],
  ];
  for (const [port, value] of words) f.outb(port, value);
  for (const port of [0x21, 0xa1]) {
    for (const mask of [0x5a, 0xff]) {
      f.outb(port, mask);
      f.inb(port);
      a.cmp(o.al, mask);
      f.require("e", 1);
    }
  }
  // IMCR: interrupts go to the APICs. Where there is none, nothing must come of it.
  f.outb(0x22, 0x70);
  f.outb(0x23, 1);
  for (const value of [0x0c, 0]) {
    f.outb(0x4d1, value);
    f.inb(0x4d1);
    a.cmp(o.al, value);
    f.require("e", 2);
  }
}

/** The counter falls, and whoever waits by latching it gets on. */
function pit(f: Frame): void {
  const { a } = f;
  setPit(f, PIT_100_HZ);
  a.mov(o.r12d, 2000).call("pitDelay").test(o.eax, o.eax);
  f.require("ne", 1);
  a.cmp(o.eax, 4000);
  f.require("b", 2);
}

/** Two measurements over 10 ms agree; where a rate was told, with that too. */
function tscRate(f: Frame): void {
  const { a } = f;
  for (const rule of [1, 2]) {
    a.call("tsc").mov(o.r14, o.rax).mov(o.r12d, PIT_100_HZ).call("pitDelay").mov(o.r15d, o.eax);
    // kHz = TSC · 1193.182 / ticks
    a.call("tsc").sub(o.rax, o.r14).imul3(o.rax, o.rax, 1193).xor(o.edx, o.edx).div(o.r15);
    a.lea(o.ecx, o.at(o.rax, -10_000)).cmp(o.ecx, LIMIT);
    f.require("b", rule);
    a.mov(o.ecx, dword("tscKhz")).mov(dword("tscKhz"), o.eax);
  }
  within(f, 4, 3);
  a.mov(o.ecx, dword("toldKhz")).test(o.ecx, o.ecx).jcc("e", "noRate");
  within(f, 10, 4);
  a.label("noRate");
}

/** EAX is ECX, give or take one part in `parts`. */
function within(f: Frame, parts: number, rule: number): void {
  const { a } = f;
  a.mov(o.r9d, o.eax).mov(o.eax, o.ecx).xor(o.edx, o.edx).mov(o.r8d, parts).div(o.r8d).mov(o.edx, o.eax);
  a.mov(o.eax, o.r9d).sub(o.ecx, o.eax).add(o.ecx, o.edx).add(o.edx, o.edx).cmp(o.ecx, o.edx);
  f.require("be", rule);
}

function cmos(f: Frame): void {
  const { a } = f;
  const read = (index: number): void => {
    f.outb(0x70, index);
    f.inb(0x71);
  };
  a.mov(o.r12d, 1_000_000).label("uip").dec(o.r12d);
  f.require("ne", 1);
  read(10);
  a.test(o.al, 0x80).jcc("ne", "uip");
  read(13);
  a.test(o.al, 0x80);
  f.require("ne", 2);
  for (const [index, highest] of [
    [0, 0x59],
    [2, 0x59],
    [8, 0x12],
  ]) {
    read(index);
    a.cmp(o.al, highest);
    f.require("be", 3 + index);
  }
  for (const value of [0x0a, 0]) {
    f.outb(0x70, 15);
    f.outb(0x71, value);
    read(15);
    a.cmp(o.al, value);
    f.require("e", 20);
  }
}

/** FreeBSD's probe and FIFO test; NetBSD's modem lines; THRE interrupts, twice. */
function uart(f: Frame): void {
  const { a } = f;
  for (const [register, mask, rule] of [
    [1, 0xf0, 1],
    [2, 0x30, 2],
    [4, 0xe0, 3],
  ]) {
    if (register === 2) f.outb(COM1 + 2, 0);
    f.inb(COM1 + register);
    a.test(o.al, mask);
    f.require("e", rule);
  }
  f.inb(COM1 + 6);
  a.and(o.al, 0xb0).cmp(o.al, 0xb0);
  f.require("e", 4);
  a.call("idle");
  f.outb(COM1 + 2, 7);
  f.outb(COM1 + 4, 0x10);
  a.xor(o.r14d, o.r14d).label("fill");
  f.outb(COM1, 0);
  a.inc(o.r14d)
    .call("idle")
    .test(o.al, 2)
    .jcc("ne", "overrun")
    .cmp(o.r14d, 40)
    .jcc("b", "fill")
    .label("overrun");
  f.outb(COM1 + 2, 7);
  f.inb(COM1 + 5);
  a.mov(o.r15d, o.eax);
  f.outb(COM1 + 4, 0x0b);
  a.mov(o.eax, o.r14d).lea(o.ecx, o.at(o.rax, -14)).cmp(o.ecx, 5);
  f.require("b", 5);
  a.mov(o.eax, o.r15d).test(o.al, 1);
  f.require("e", 6);
  for (const rule of [7, 10]) {
    f.outb(COM1 + 1, 2);
    f.inb(COM1 + 2);
    a.and(o.al, 0x0f).cmp(o.al, 2);
    f.require("e", rule);
    f.inb(COM1 + 2);
    a.and(o.al, 0x0f).cmp(o.al, 1);
    f.require("e", rule + 1);
    f.outb(COM1 + 1, 0);
  }
}

/** NetBSD's way: trampoline at 0x2000, warm reset vector, CMOS shut-down code; then INIT and two start-ups. */
function secondCpu(f: Frame): void {
  const { a } = f;
  a.cmp(dword("cpus"), 2);
  f.absentIf("b");
  a.mov(o.rsi, addressOf("apCode")).mov(o.edi, AP_CODE).mov(o.ecx, 64).rep().movs(8);
  a.mov(dword(AP_COUNT), 0).mov(dword(0x467), (AP_CODE >> 4) << 16);
  f.outb(0x70, 15);
  f.outb(0x71, 0x0a);
  a.call("tsc").mov(o.r14, o.rax);
  for (const [command, ticks] of [
    [0x4500, PIT_100_HZ],
    [0x4600 | (AP_CODE >> 12), 300],
    [0x4600 | (AP_CODE >> 12), PIT_100_HZ],
  ]) {
    a.mov(o.eax, dword("otherCpu")).shl(o.eax, 24).mov(dword(o.r13, ICR_HIGH), o.eax);
    a.mov(dword(o.r13, ICR_LOW), command).mov(o.r12d, ticks).call("pitDelay");
  }
  f.outb(0x70, 15);
  f.outb(0x71, 0);
  a.mov(o.eax, dword(AP_COUNT)).cmp(o.eax, 1);
  f.require("e", 1);
  a.mov(o.rax, qword(AP_TSC)).cmp(o.rax, o.r14);
  f.require("ae", 2);
  a.call("tsc").cmp(o.rax, qword(AP_TSC));
  f.require("ae", 3);
}

/** A second of a hundred ticks, asleep in between, by the TSC. */
function sleep(f: Frame): void {
  const { a } = f;
  a.mov(o.ebx, IOAPIC).mov(o.ebp, IOAPIC_DATA).mov(dword("ticks"), 0);
  setPit(f, PIT_100_HZ);
  redirect(f, TIMER_PIN, VECTOR.TIMER);
  a.call("tsc").mov(o.r14, o.rax).label("asleep").sti().hlt().cli();
  a.cmp(dword("ticks"), 100).jcc("b", "asleep");
  redirect(f, TIMER_PIN, MASKED);
  a.call("tsc").sub(o.rax, o.r14).xor(o.edx, o.edx).mov(o.ecx, 1000).div(o.rcx).mov(o.ecx, dword("tscKhz"));
  within(f, 4, 1);
}

/** Handlers and routines. R13 is the local APIC's base throughout. */
export function deviceRoutines({ a }: Frame): void {
  a.label("tsc").rdtsc().shl(o.rdx, 32).or(o.rax, o.rdx).ret();
  // Latches counter 0: EAX.
  a.label("latch").mov(o.al, 0).out(8, 0x43).in(8, 0x40).mov(o.cl, o.al).in(8, 0x40).movzx(o.eax, o.al);
  a.shl(o.eax, 8).mov(o.al, o.cl).ret();
  // Waits R12D ticks of counter 0, whatever it counts from; EAX: ticks that went by, 0 when it stands still.
  a.label("pitDelay").xor(o.r8d, o.r8d).mov(o.r10d, LIMIT).call("latch").mov(o.r9d, o.eax);
  a.label("pitWait").dec(o.r10d).jcc("e", "pitStuck").call("latch").mov(o.edx, o.r9d).sub(o.edx, o.eax);
  a.mov(o.r9d, o.eax).jcc("ae", "pitAdd").add(o.edx, PIT_100_HZ).label("pitAdd");
  a.add(o.r8d, o.edx).cmp(o.r8d, o.r12d).jcc("b", "pitWait").mov(o.eax, o.r8d).ret();
  a.label("pitStuck").xor(o.eax, o.eax).ret();
  // Waits until the transmitter is empty; AL: the line status.
  a.label("idle")
    .mov(o.edx, COM1 + 5)
    .in(8, "dx")
    .test(o.al, 0x40)
    .jcc("e", "idle")
    .ret();
  a.label("currentCount")
    .cmp(dword("x2apic"), 0)
    .jcc("ne", "currentMsr")
    .mov(o.eax, dword(o.r13, CURRENT))
    .ret();
  a.label("currentMsr")
    .mov(o.ecx, 0x800 + (CURRENT >> 4))
    .rdmsr()
    .ret();

  const saved = [o.rax, o.rcx, o.rdx];
  const enter = (name: string): void => {
    a.label(name);
    for (const register of saved) a.push(register);
  };
  const leave = (): void => {
    a.call("eoi");
    for (const register of [...saved].reverse()) a.pop(register);
    a.iretq();
  };
  enter("onTimer");
  a.inc(dword("ticks"));
  leave();
  enter("onUart");
  a.mov(o.eax, dword(o.rbp)).inc(dword("uartTicks")).cmp(dword("uartTicks"), 1).jcc("ne", "dropLine");
  a.mov(dword("redirection"), o.eax)
    .jmp("uartDone")
    .label("dropLine")
    .mov(o.al, 0)
    .mov(o.edx, COM1 + 1);
  a.out(8, "dx").label("uartDone");
  leave();
  a.label("onSpurious").iretq();
  a.label("eoi").cmp(dword("x2apic"), 0).jcc("ne", "eoiMsr").mov(dword(o.r13, EOI), 0).ret();
  a.label("eoiMsr")
    .mov(o.ecx, 0x800 + (EOI >> 4))
    .xor(o.eax, o.eax)
    .xor(o.edx, o.edx)
    .wrmsr()
    .ret();

  a.bits(16).label("apCode").cli().xor(o.ax, o.ax).movToSegment(o.ds, o.ax).rdtsc();
  a.mov(dword(AP_TSC), o.eax)
    .mov(dword(AP_TSC + 4), o.edx)
    .lock()
    .inc(o.word(AP_COUNT));
  a.hlt().db(0xeb, 0xfd).bits(64);
}
