/** IA32_APIC_BASE and the x2APIC registers: what faults and what does not (SDM vol. 3A §11.4.4, §11.12). */
import assert from "node:assert/strict";
import test from "node:test";
import { APIC_BASE, APIC_MSR, LAPIC } from "../../src/spec/apic.js";
import { ApicBench } from "../support/apic-bench.js";

const BASE = 0xfee00000n;
const [BSP, EXTD, EN] = [BigInt(APIC_BASE.bsp), BigInt(APIC_BASE.x2apic), BigInt(APIC_BASE.enable)];

function msr(offset: number): number {
  return APIC_MSR.x2apicFirst + offset / 16;
}

test("APIC_BASE: enabled at 0xfee00000 after reset, BSP only on the boot CPU", () => {
  const bench = new ApicBench(2);
  assert.equal(bench.readMsr(APIC_MSR.base), BASE | EN | BSP);
  assert.equal(bench.readMsr(APIC_MSR.base, 1), BASE | EN);
  assert.equal(bench.apics[0].mmioBase, 0xfee00000);
});

test("APIC_BASE: reserved bits and addresses past MAXPHYADDR fault", () => {
  const bench = new ApicBench();
  for (const value of [1n, 0x80n, 0x200n, 1n << 39n, 1n << 63n]) {
    assert.equal(bench.writeMsr(APIC_MSR.base, BASE | EN | BSP | value), false);
  }
  assert.equal(bench.readMsr(APIC_MSR.base), BASE | EN | BSP);
});

test("APIC_BASE: the registers can be moved", () => {
  const bench = new ApicBench();
  assert.equal(bench.writeMsr(APIC_MSR.base, 0x12_3456_7000n | EN | BSP), true);
  assert.equal(bench.apics[0].mmioBase, 0x12_3456_7000);
});

test("APIC_BASE: mode changes as figure 11-27 allows them", () => {
  const off = BASE | BSP;
  const [xapic, x2apic, invalid] = [off | EN, off | EN | EXTD, off | EXTD];
  const allowed = (...values: bigint[]): boolean[] => {
    const bench = new ApicBench();
    return values.map((value) => bench.writeMsr(APIC_MSR.base, value));
  };
  assert.deepEqual(allowed(x2apic, xapic), [true, false]);
  assert.deepEqual(allowed(x2apic, invalid), [true, false]);
  assert.deepEqual(allowed(x2apic, off, xapic), [true, true, true]);
  assert.deepEqual(allowed(off, x2apic), [true, false]);
  assert.deepEqual(allowed(off, invalid), [true, false]);
  assert.deepEqual(allowed(invalid), [false]);
});

test("APIC_BASE: without x2APIC in CPUID its bit faults", () => {
  const bench = new ApicBench();
  bench.features.x2apic = false;
  assert.equal(bench.writeMsr(APIC_MSR.base, BASE | EN | EXTD), false);
});

test("APIC_BASE: disabled, the registers are gone and lost, and the 8259 reaches the CPU directly", () => {
  const bench = new ApicBench();
  bench.enable();
  bench.writeMsr(APIC_MSR.base, BASE | BSP);
  assert.equal(bench.apics[0].mmioBase, undefined);
  assert.equal(bench.get(LAPIC.version), 0xffffffff);
  bench.apics[0].lint0.set(true);
  assert.equal(bench.cpus[0].interrupt.level, true);
  assert.equal(bench.apics[0].acknowledge(), 0x30);
  bench.apics[0].lint1.set(true);
  assert.deepEqual(bench.cpus[0].events, ["nmi"]);
  bench.apics[0].lint0.set(false);
  bench.writeMsr(APIC_MSR.base, BASE | BSP | EN);
  assert.equal(bench.get(LAPIC.spurious), 0xff);
});

test("x2APIC: its MSRs fault in xAPIC mode, the memory form is gone in x2APIC mode", () => {
  const bench = new ApicBench();
  assert.equal(bench.readMsr(msr(LAPIC.id)), undefined);
  assert.equal(bench.writeMsr(msr(LAPIC.taskPriority), 0n), false);
  bench.toX2apic();
  assert.equal(bench.readMsr(msr(LAPIC.id)), 0n);
  assert.equal(bench.apics[0].mmioBase, undefined);
});

test("x2APIC: table 11-6: what can be read and written", () => {
  const bench = new ApicBench();
  bench.toX2apic();
  const readable: number[] = [];
  const writable: number[] = [];
  for (let index = APIC_MSR.x2apicFirst; index <= APIC_MSR.x2apicLast; index++) {
    if (bench.readMsr(index) !== undefined) readable.push(index);
    if (bench.writeMsr(index, 0n)) writable.push(index);
  }
  const span = (first: number, last: number): number[] =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i);
  assert.deepEqual(readable, [
    ...[0x802, 0x803, 0x808, 0x80a, 0x80d, 0x80f],
    ...span(0x810, 0x828),
    ...[0x830, ...span(0x832, 0x839), 0x83e],
  ]);
  const lvts = span(0x832, 0x838);
  assert.deepEqual(writable, [0x808, 0x80b, 0x80f, 0x828, 0x830, ...lvts, 0x83e, 0x83f]);
});

test("x2APIC: reserved bits fault", () => {
  const bench = new ApicBench();
  bench.toX2apic();
  for (const [offset, value] of [
    [LAPIC.taskPriority, 0x100n],
    [LAPIC.endOfInterrupt, 1n],
    [LAPIC.errorStatus, 1n],
    [LAPIC.spurious, 1n << 32n],
    [LAPIC.commandLow, 0x2000n],
    [LAPIC.lvtTimer, 0x80000n],
    [LAPIC.lvtError, 0x100n],
    [LAPIC.divide, 4n],
    [LAPIC.selfIpi, 0x100n],
  ] as const) {
    assert.equal(bench.writeMsr(msr(offset), value), false, offset.toString(16));
  }
});

test("x2APIC: ICR is one register of 64 bits", () => {
  const bench = new ApicBench();
  bench.enable();
  bench.toX2apic();
  bench.writeMsr(msr(LAPIC.commandLow), 0x7_0000_0041n);
  assert.equal(bench.readMsr(msr(LAPIC.commandLow)), 0x7_0000_0041n);
});

test("MSRs that are not the APIC's fault", () => {
  const bench = new ApicBench();
  assert.equal(bench.readMsr(0x10), undefined);
  assert.equal(bench.writeMsr(0x10, 0n), false);
  bench.features.tscDeadline = false;
  assert.equal(bench.readMsr(APIC_MSR.tscDeadline), undefined);
  assert.equal(bench.writeMsr(APIC_MSR.tscDeadline, 1n), false);
});
