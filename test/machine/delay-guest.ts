/**
 * A guest that waits by each of its clocks, a thousand times each delay, and adds up what its other clocks say of it. It judges
 * nothing: what it found lies in its memory. 32-bit code, entered by PVH, interrupts off.
 *
 * One delay is measured twice: by the TSC right around it, and by all clocks read in the same order before and behind it, so that
 * what reading them takes falls on all alike.
 */
import { LVT } from "../../src/spec/apic.js";
import { RTC, RTC_A } from "../../src/spec/mc146818.js";
import { Assembler, dword, eax, ebx, ecx, edi, edx, esi, esp } from "../support/asm/index.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const CODE = 0x100000;
export const RESULTS = 0x200000;
const STACK = 0x300000;
const LAPIC = 0xfee00000;
const LAPIC_LVT_TIMER = LAPIC + 0x320;
const LAPIC_INITIAL = LAPIC + 0x380;
const LAPIC_CURRENT = LAPIC + 0x390;
const LAPIC_DIVIDE = LAPIC + 0x3e0;
const DIVIDE_BY_1 = 0xb;
const PM_TIMER_PORT = 0x608;
const PIT_CONTROL = 0x43;
const PIT_COUNTER_2 = 0x42;
/** Counter 2, both bytes, mode 2; and latching its count. */
const [PIT_SET, PIT_LATCH] = [0xb4, 0x80];
const SPEAKER_PORT = 0x61;
const RTC_RATE_8192 = 3;
export const RTC_PERIODIC_HZ = 8192;
const DEBUG_EXIT = 0xf4;

/** What the guest counts with, the last one only waits. In the order that they are read. */
export const CLOCKS = ["pit", "pm", "lapic", "tsc", "rtc"] as const;
export type ClockName = (typeof CLOCKS)[number];
export const MEASURING = CLOCKS.slice(0, 4);

/** Bits that a clock counts in. */
const BITS: Record<ClockName, number> = { pit: 16, pm: 32, lapic: 32, tsc: 32, rtc: 32 };

/** One row of results, as the guest stores it: 64-bit sums of ticks. */
const ROW = ["poll", "around", ...MEASURING] as const;
const FIELD_BYTES = 8;
const ROW_BYTES = ROW.length * FIELD_BYTES;

/** A delay to measure: ticks of a clock. */
export interface Delay {
  clock: ClockName;
  ticks: number;
  times: number;
}

export type Row = Record<(typeof ROW)[number], number>;

/** Subroutines: the count of each clock in EAX, upwards. They change EDX. */
function readers(a: Assembler): void {
  a.label("pit").mov(eax, PIT_LATCH).out(8, PIT_CONTROL).in(8, PIT_COUNTER_2).mov(edx, eax);
  a.in(8, PIT_COUNTER_2).and(eax, 0xff).shl(eax, 8).and(edx, 0xff).or(eax, edx).neg(eax).ret();
  a.label("pm").mov(edx, PM_TIMER_PORT).in(32, "dx").ret();
  a.label("lapic").mov(eax, dword(LAPIC_CURRENT)).neg(eax).ret();
  a.label("tsc").rdtsc().ret();
  a.label("rtc").in(8, 0x71).and(eax, 0x40).jcc("e", "noEdge").inc(dword("edges"));
  a.label("noEdge").mov(eax, dword("edges")).ret();
}

function setUp(a: Assembler): void {
  a.mov(eax, PIT_SET).out(8, PIT_CONTROL).mov(eax, 0).out(8, PIT_COUNTER_2).out(8, PIT_COUNTER_2);
  a.in(8, SPEAKER_PORT).and(eax, 0xfc).or(eax, 1).out(8, SPEAKER_PORT);
  a.mov(dword(LAPIC_LVT_TIMER), LVT.masked).mov(dword(LAPIC_DIVIDE), DIVIDE_BY_1);
  a.mov(dword(LAPIC_INITIAL), 0xffffffff);
  a.mov(eax, RTC.a)
    .out(8, 0x70)
    .mov(eax, RTC_A.dividerNormal | RTC_RATE_8192)
    .out(8, 0x71);
  a.mov(eax, RTC.c).out(8, 0x70);
}

/** EAX, cut to what the clock counts in, added to a field of the row. */
function addTo(a: Assembler, row: number, field: (typeof ROW)[number], bits: number): void {
  const at = row + ROW.indexOf(field) * FIELD_BYTES;
  if (bits < 32) a.and(eax, 2 ** bits - 1);
  a.add(dword(at), eax).adc(dword(at + 4), 0);
}

function measure(a: Assembler, { clock, ticks, times }: Delay, i: number): void {
  const row = RESULTS + i * ROW_BYTES;
  const at = (name: string): string => `${name}${i}`;
  a.mov(dword("count"), times);
  a.label(at("again"));
  for (const name of MEASURING) a.call(name).mov(dword(`${name}Start`), eax);
  a.call(clock).mov(esi, eax);
  if (clock === "rtc") {
    // From an edge to an edge.
    a.label(at("edge")).call("rtc").cmp(eax, esi).jcc("e", at("edge")).mov(esi, eax);
  }
  a.rdtsc().mov(ebx, eax).mov(ecx, 0);
  a.label(at("poll")).inc(ecx).call(clock).sub(eax, esi);
  if (BITS[clock] < 32) a.and(eax, 2 ** BITS[clock] - 1);
  a.cmp(eax, ticks).jcc("b", at("poll"));
  a.rdtsc().sub(eax, ebx);
  addTo(a, row, "around", BITS.tsc);
  // What a poll took in this very delay: the pace is not always the same.
  a.mov(edx, 0).div(ecx);
  addTo(a, row, "poll", BITS.tsc);
  for (const name of MEASURING) {
    a.call(name).sub(eax, dword(`${name}Start`));
    addTo(a, row, name, BITS[name]);
  }
  a.dec(dword("count")).jcc("ne", at("again"));
}

/** A kernel that measures the delays and ends by the debug exit. */
export function delayGuest(delays: readonly Delay[]): Uint8Array {
  const a = new Assembler(CODE, 32);
  a.label("entry").mov(esp, STACK).mov(edi, RESULTS);
  a.mov(ecx, (delays.length * ROW_BYTES) / 4)
    .mov(eax, 0)
    .cld()
    .rep()
    .stos(32);
  setUp(a);
  delays.forEach((delay, i) => measure(a, delay, i));
  a.mov(eax, 0).mov(edx, DEBUG_EXIT).out(32, "dx").hlt();
  readers(a);
  a.align(4);
  for (const name of ["count", "edges", ...MEASURING.map((clock) => `${clock}Start`)]) a.label(name).dd(0);
  const [{ bytes }] = a.link();
  return pvhElf(CODE, bytes, a.address("entry"));
}

/** What a delay took on average: ticks of the TSC right around it and for a poll, ticks of each clock with all their reading. */
export function readRow(
  memory: (address: number, length: number) => Uint8Array,
  i: number,
  times: number,
): Row {
  const bytes = memory(RESULTS + i * ROW_BYTES, ROW_BYTES).slice();
  const sums = new BigUint64Array(bytes.buffer);
  return Object.fromEntries(ROW.map((field, k) => [field, Number(sums[k]) / times])) as Row;
}
