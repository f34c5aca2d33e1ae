/** The local APIC's interrupt logic and registers, as SDM vol. 3A chapter 11 describes them. */
import assert from "node:assert/strict";
import test from "node:test";
import { initialLapicState, type LapicState } from "../../src/devices/interrupts/lapic-state.js";
import { APIC_BASE, LAPIC } from "../../src/spec/apic.js";
import { ApicBench } from "../support/apic-bench.js";

/** A self-IPI with `vector`. */
function self(bench: ApicBench, ...vectors: number[]): void {
  for (const vector of vectors) bench.ipi(0x40000 | vector);
}

test("LAPIC: registers after reset", () => {
  const bench = new ApicBench(2);
  assert.equal(bench.get(LAPIC.id, 1), 0x01000000);
  assert.equal(bench.get(LAPIC.version), 0x00050014, "integrated, six LVT entries");
  assert.equal(bench.get(LAPIC.spurious), 0xff);
  assert.equal(bench.get(LAPIC.destinationFormat), 0xffffffff);
  assert.equal(bench.get(LAPIC.lvtLint0, 1), 0x10000);
  assert.equal(bench.get(LAPIC.lvtTimer), 0x10000);
  assert.equal(bench.get(LAPIC.lvtLint0), 0x700, "the boot CPU's pins are as firmware leaves them");
  assert.equal(bench.get(LAPIC.lvtLint1), 0x400);
});

test("LAPIC: the highest vector is taken first; one of a higher class preempts, one of the same does not", () => {
  const bench = new ApicBench();
  bench.enable();
  self(bench, 0x41, 0x52);
  assert.equal(bench.apics[0].pending(), 0x52);
  assert.equal(bench.apics[0].acknowledge(), 0x52);
  assert.equal(bench.get(LAPIC.processorPriority), 0x50);
  self(bench, 0x5f);
  assert.equal(bench.cpus[0].interrupt.level, false);
  self(bench, 0x60);
  assert.equal(bench.cpus[0].interrupt.level, true);
  assert.equal(bench.apics[0].acknowledge(), 0x60);
  bench.set(LAPIC.endOfInterrupt, 0);
  assert.equal(bench.cpus[0].interrupt.level, false);
  bench.set(LAPIC.endOfInterrupt, 0);
  assert.deepEqual(bench.drain(), [0x5f, 0x41]);
});

test("LAPIC: IRR and ISR show a vector's way at its bit", () => {
  const bench = new ApicBench();
  bench.enable();
  self(bench, 0xe5);
  assert.equal(bench.get(LAPIC.request + 0x70), 1 << 5);
  bench.apics[0].acknowledge();
  assert.equal(bench.get(LAPIC.request + 0x70), 0);
  assert.equal(bench.get(LAPIC.inService + 0x70), 1 << 5);
  assert.equal(bench.get(LAPIC.triggerMode + 0x70), 0);
});

test("LAPIC: the task priority holds its class and below back, by TPR or CR8", () => {
  const bench = new ApicBench();
  bench.enable();
  bench.apics[0].writeTaskPriority(5);
  assert.equal(bench.get(LAPIC.taskPriority), 0x50);
  self(bench, 0x5f);
  assert.equal(bench.cpus[0].interrupt.level, false);
  bench.set(LAPIC.taskPriority, 0x4f);
  assert.equal(bench.apics[0].readTaskPriority(), 4);
  assert.equal(bench.cpus[0].interrupt.level, true);
  assert.equal(bench.get(LAPIC.processorPriority), 0x4f);
  bench.apics[0].writeTaskPriority(15);
  assert.equal(bench.apics[0].acknowledge(), -1, "nothing after all");
});

test("LAPIC: disabled by software it masks its LVT and takes no vectors, but still NMI, INIT and SIPI", () => {
  const bench = new ApicBench(2);
  bench.enable();
  bench.set(LAPIC.lvtTimer, 0x40, 1);
  bench.set(LAPIC.spurious, 0xff, 1);
  assert.equal(bench.get(LAPIC.lvtTimer, 1), 0x10040);
  bench.set(LAPIC.lvtTimer, 0x40, 1);
  assert.equal(bench.get(LAPIC.lvtTimer, 1), 0x10040, "the mask cannot be cleared");
  bench.ipi(0x40, 1);
  bench.ipi(0x400, 1);
  bench.ipi(0x4500, 1);
  bench.ipi(0x8500, 1);
  bench.ipi(0x609, 1);
  assert.equal(bench.cpus[1].interrupt.level, false);
  assert.deepEqual(bench.cpus[1].events, ["nmi", "init", "startup 9"], "INIT level de-assert does nothing");
});

test("SDM vol. 3A table 11-1: the xAPIC id can be written; messages go by it, x2APIC and a disabled APIC drop it", () => {
  const bench = new ApicBench(2);
  bench.enable();
  bench.set(LAPIC.id, 0x07ffffff, 1);
  assert.equal(bench.get(LAPIC.id, 1), 0x07000000);
  bench.ipi(0x400, 1);
  assert.deepEqual(bench.cpus[1].events, [], "nobody has the old id");
  bench.ipi(0x400, 7);
  assert.deepEqual(bench.cpus[1].events, ["nmi"]);
  bench.ipi(0x4500, 7);
  assert.equal(bench.get(LAPIC.id, 1), 0x07000000, "INIT keeps it");
  const apic = bench.apics[1];
  apic.setBase(apic.state.baseAddress, APIC_BASE.enable | APIC_BASE.x2apic);
  assert.equal(apic.readRegister(LAPIC.id), 1, "x2APIC has the one of hardware");
  apic.setBase(apic.state.baseAddress, 0);
  apic.setBase(apic.state.baseAddress, APIC_BASE.enable);
  assert.equal(bench.get(LAPIC.id, 1), 0x01000000, "and so has an APIC that was disabled");
});

test("LAPIC: INIT resets the registers and keeps the id", () => {
  const bench = new ApicBench(2);
  bench.enable();
  bench.set(LAPIC.logicalDestination, 0x02000000, 1);
  bench.set(LAPIC.initialCount, 1000, 1);
  bench.ipi(0x4500, 1);
  assert.equal(bench.get(LAPIC.logicalDestination, 1), 0);
  assert.equal(bench.get(LAPIC.spurious, 1), 0xff);
  assert.equal(bench.get(LAPIC.currentCount, 1), 0);
  assert.equal(bench.get(LAPIC.id, 1), 0x01000000);
});

test("LAPIC: virtual wire: the 8259's interrupt passes LINT0 as ExtINT, NMI passes LINT1", () => {
  const bench = new ApicBench();
  bench.apics[0].lint0.set(true);
  assert.equal(bench.cpus[0].interrupt.level, true);
  assert.equal(bench.apics[0].pending(), -1, "its vector is not the APIC's to know");
  assert.equal(bench.apics[0].acknowledge(), 0x30);
  bench.set(LAPIC.lvtLint0, 0x10700);
  bench.enable();
  bench.set(LAPIC.lvtLint0, 0x10700);
  assert.equal(bench.cpus[0].interrupt.level, false, "masked");
  bench.apics[0].lint1.set(true);
  bench.apics[0].lint1.set(true);
  assert.deepEqual(bench.cpus[0].events, ["nmi"], "an edge");
});

test("LAPIC: a LINT pin in fixed mode interrupts per edge, or per EOI while its level is up", () => {
  const bench = new ApicBench();
  bench.enable();
  bench.set(LAPIC.lvtLint0, 0x41);
  bench.apics[0].lint0.set(true);
  assert.deepEqual(bench.drain(), [0x41]);
  bench.apics[0].lint0.set(false);
  bench.set(LAPIC.lvtLint0, 0x8042);
  bench.apics[0].lint0.set(true);
  assert.equal(bench.get(LAPIC.lvtLint0), 0xc042, "remote IRR");
  assert.equal(bench.apics[0].acknowledge(), 0x42);
  bench.set(LAPIC.endOfInterrupt, 0);
  assert.equal(bench.cpus[0].interrupt.level, true);
  bench.apics[0].acknowledge();
  bench.apics[0].lint0.set(false);
  bench.set(LAPIC.endOfInterrupt, 0);
  assert.equal(bench.cpus[0].interrupt.level, false);
});

test("LAPIC: errors gather until ESR is written, and raise the error interrupt", () => {
  const bench = new ApicBench();
  bench.enable();
  bench.set(LAPIC.lvtError, 0xfe);
  self(bench, 0x0f);
  assert.equal(bench.get(LAPIC.errorStatus), 0);
  assert.deepEqual(bench.drain(), [0xfe]);
  bench.set(LAPIC.errorStatus, 0);
  assert.equal(bench.get(LAPIC.errorStatus), 0x20, "send illegal vector");
  bench.pin(5, 0x08);
  bench.ioapic.line(5).set(true);
  bench.get(0x3c0);
  bench.set(LAPIC.errorStatus, 0);
  assert.equal(bench.get(LAPIC.errorStatus), 0xc0, "receive illegal vector, illegal register");
  bench.set(LAPIC.errorStatus, 0);
  assert.equal(bench.get(LAPIC.errorStatus), 0);
});

test("LAPIC: writes take effect only as aligned 32-bit accesses; reads of a part give that part", () => {
  const bench = new ApicBench();
  bench.apics[0].writeMmio(LAPIC.taskPriority, 1, 0x70);
  bench.apics[0].writeMmio(LAPIC.taskPriority + 4, 4, 0x70);
  assert.equal(bench.get(LAPIC.taskPriority), 0);
  assert.equal(bench.apics[0].readMmio(LAPIC.version + 2, 1), 0x05);
  assert.equal(bench.apics[0].readMmio(LAPIC.version + 4, 4), 0);
});

test("LAPIC: read-only registers ignore writes without an error", () => {
  const bench = new ApicBench();
  bench.enable();
  for (const offset of [LAPIC.version, LAPIC.processorPriority, LAPIC.request, LAPIC.currentCount]) {
    const before = bench.get(offset);
    bench.set(offset, 0xffffffff);
    assert.equal(bench.get(offset), before);
  }
  bench.set(LAPIC.errorStatus, 0);
  assert.equal(bench.get(LAPIC.errorStatus), 0);
});

test("LAPIC: an APIC with the same state behaves the same", () => {
  const bench = new ApicBench();
  bench.enable();
  self(bench, 0x41, 0x61);
  bench.apics[0].acknowledge();
  const state = JSON.parse(JSON.stringify(bench.apics[0].state)) as LapicState;
  const copy = new ApicBench();
  const apic = copy.add(state);
  assert.equal(apic.readMmio(LAPIC.inService + 0x30, 4), 2);
  apic.writeMmio(LAPIC.endOfInterrupt, 4, 0);
  assert.equal(apic.acknowledge(), 0x41);
});

test("LAPIC: two states of the same id are equal and independent", () => {
  const one = initialLapicState(3, { bsp: false, virtualWire: false });
  const two = initialLapicState(3, { bsp: false, virtualWire: false });
  one.registers.request[0] = 1;
  assert.equal(two.registers.request[0], 0);
});
