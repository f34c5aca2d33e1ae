/**
 * Checks 14 and 15: the local APIC's timer, as xAPIC and x2APIC, and the I/O APIC's edge and level interrupts; what other
 * checks use of them and of the PIT.
 *
 * Sources: SDM vol. 3A §10.4 to §10.12; 82093AA; NetBSD x86 ioapic.c.
 */
import * as o from "../../support/asm/index.js";
import { COM1, type Frame } from "./frame.js";

const { dword } = o;
export const VECTOR = { TIMER: 0x40, UART: 0x41, SPURIOUS: 0xff } as const;
export const LAPIC = 0xfee0_0000;
/** Registers of the local APIC. */
export const REGISTER = {
  EOI: 0xb0,
  SVR: 0xf0,
  ICR_LOW: 0x300,
  ICR_HIGH: 0x310,
  LVT_TIMER: 0x320,
  INITIAL: 0x380,
  CURRENT: 0x390,
  DIVIDE: 0x3e0,
} as const;
const { SVR, LVT_TIMER, INITIAL, DIVIDE } = REGISTER;
export const [IOAPIC, IOAPIC_DATA] = [0xfec0_0000, 0xfec0_0010];
export const TIMER_PIN = 2;
const UART_PIN = 4;
export const MASKED = 0x1_0000;
const [LEVEL_LOW, PERIODIC, REMOTE_IRR] = [0xa000, 0x2_0000, 0x4000];
export const PIT_100_HZ = 11932;
/** Rounds of a loop that must have ended long before. */
export const LIMIT = 20_000_000;

/** Starts counter 0 as a rate generator. */
export function setPit(f: Frame, count: number): void {
  f.outb(0x43, 0x34);
  f.outb(0x40, count & 255);
  f.outb(0x40, count >> 8);
}

/** Waits until a counter that a handler raises is `count`, not for ever. */
function awaitCount(f: Frame, variable: string, count: number, rule: number): void {
  const { a } = f;
  const [loop, done] = [a.fresh("wait"), a.fresh("done")];
  a.sti().mov(o.r12d, LIMIT).label(loop).mov(o.eax, dword(variable)).cmp(o.eax, count).jcc("ae", done);
  a.pause().dec(o.r12d).jcc("ne", loop).label(done).cli().cmp(o.eax, count);
  f.require("e", rule);
}

export function localApic(f: Frame): void {
  const { a } = f;
  a.mov(o.ecx, 0x1b).rdmsr().and(o.eax, 0x900).cmp(o.eax, 0x900);
  f.require("e", 1);
  a.mov(o.eax, dword(o.r13, 0x30)).and(o.eax, 0xff).cmp(o.eax, 0x10);
  f.require("ae", 2);
  const write = (register: number, value: number): void => void a.mov(dword(o.r13, register), value);
  write(SVR, 0x100 | VECTOR.SPURIOUS);
  timerChecks(f, write, 3);
  a.bt(dword("features"), 21).jcc("ae", "noX2apic");
  a.mov(o.eax, dword(o.r13, 0x20)).shr(o.eax, 24).mov(o.r14d, o.eax);
  base(f, 0xc00);
  const writeMsr = (register: number, value: number): void => {
    a.mov(o.ecx, 0x800 + (register >> 4))
      .xor(o.edx, o.edx)
      .mov(o.eax, value)
      .wrmsr();
  };
  a.mov(o.ecx, 0x802).rdmsr().cmp(o.eax, o.r14d);
  f.require("e", 20);
  a.mov(dword("x2apic"), 1);
  writeMsr(SVR, 0x100 | VECTOR.SPURIOUS);
  timerChecks(f, writeMsr, 21);
  a.mov(dword("x2apic"), 0);
  base(f, 0);
  base(f, 0x800);
  write(SVR, 0x100 | VECTOR.SPURIOUS);
  a.label("noX2apic");
}

/** IA32_APIC_BASE with these of the two enable bits. */
function base({ a }: Frame, enable: number): void {
  a.mov(o.ecx, 0x1b).rdmsr().and(o.eax, ~0xc00).or(o.eax, enable).wrmsr();
}

/** One interrupt of a one-shot timer and no second, several of a periodic one, a count that falls. */
function timerChecks(f: Frame, write: (register: number, value: number) => void, rule: number): void {
  const { a } = f;
  a.mov(dword("ticks"), 0);
  write(DIVIDE, 3);
  write(LVT_TIMER, VECTOR.TIMER);
  write(INITIAL, 20_000);
  awaitCount(f, "ticks", 1, rule);
  a.mov(o.r12d, 5000).call("pitDelay").mov(o.eax, dword("ticks")).cmp(o.eax, 1);
  f.require("e", rule + 1);
  write(LVT_TIMER, PERIODIC | VECTOR.TIMER);
  write(INITIAL, 20_000);
  awaitCount(f, "ticks", 4, rule + 2);
  write(LVT_TIMER, MASKED | VECTOR.TIMER);
  write(INITIAL, 0x0fff_ffff);
  a.mov(o.r12d, 100).call("pitDelay").call("currentCount").cmp(o.eax, 0x0fff_ffff);
  f.require("b", rule + 3);
  write(INITIAL, 0);
}

/** A redirection entry's low half; its high half is 0: to the boot CPU. */
export function redirect({ a }: Frame, pin: number, value: number): void {
  a.mov(dword(o.rbx), 0x10 + pin * 2).mov(dword(o.rbp), value);
}

function readRedirection({ a }: Frame, pin: number): void {
  a.mov(dword(o.rbx), 0x10 + pin * 2).mov(o.eax, dword(o.rbp));
}

export function ioApic(f: Frame): void {
  const { a } = f;
  a.mov(o.ebx, IOAPIC).mov(o.ebp, IOAPIC_DATA);
  a.mov(dword(o.rbx), 1).mov(o.eax, dword(o.rbp)).shr(o.eax, 16).and(o.eax, 0xff).cmp(o.eax, 15);
  f.require("ae", 1);
  // Edge: the timer.
  a.mov(dword("ticks"), 0);
  setPit(f, PIT_100_HZ);
  redirect(f, TIMER_PIN, VECTOR.TIMER);
  awaitCount(f, "ticks", 2, 2);
  redirect(f, TIMER_PIN, MASKED);
  // Level, low: the serial port, whose line stays up until its handler's second run.
  a.mov(dword("uartTicks"), 0).call("idle");
  f.outb(COM1 + 4, 0x0b);
  redirect(f, UART_PIN, LEVEL_LOW | VECTOR.UART);
  f.outb(COM1 + 1, 2);
  awaitCount(f, "uartTicks", 2, 3);
  a.sti().mov(o.r12d, 5000).call("pitDelay").cli().mov(o.eax, dword("uartTicks")).cmp(o.eax, 2);
  f.require("e", 4);
  a.mov(o.eax, dword("redirection")).test(o.eax, REMOTE_IRR);
  f.require("ne", 5);
  readRedirection(f, UART_PIN);
  a.test(o.eax, REMOTE_IRR);
  f.require("e", 6);
  redirect(f, UART_PIN, MASKED);
}
