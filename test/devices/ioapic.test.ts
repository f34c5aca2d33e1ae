/** The I/O APIC, as the 82093AA data sheet describes it. */
import assert from "node:assert/strict";
import test from "node:test";
import { initialIoapicState, Ioapic, type IoapicState } from "../../src/devices/interrupts/ioapic.js";
import { LAPIC } from "../../src/spec/apic.js";
import { ApicBench } from "../support/apic-bench.js";

const [MASKED, LEVEL, LOW_ACTIVE, REMOTE_IRR] = [0x10000, 0x8000, 0x2000, 0x4000];

function bench(cpus = 1): ApicBench {
  const made = new ApicBench(cpus);
  made.enable();
  return made;
}

test("IOAPIC: id, version and 24 masked pins after reset", () => {
  const b = bench(3);
  assert.equal(b.ioapicGet(0), 0x03000000);
  assert.equal(b.ioapicGet(1), 0x00170020);
  for (let pin = 0; pin < 24; pin++) assert.equal(b.ioapicGet(0x10 + 2 * pin), MASKED);
  assert.equal(b.ioapicGet(0x40), 0xffffffff, "no pin 24");
  b.ioapicSet(0, 0x0f123456);
  assert.equal(b.ioapicGet(0), 0x0f000000);
  assert.equal(b.ioapicGet(2), 0x0f000000, "arbitration id");
});

test("IOAPIC: an edge interrupts once, and is lost while masked", () => {
  const b = bench();
  b.pin(4, 0x44);
  b.ioapic.line(4).set(true);
  b.ioapic.line(4).set(true);
  assert.deepEqual(b.drain(), [0x44]);
  b.ioapic.line(4).set(false);
  b.pin(4, 0x44 | MASKED);
  b.ioapic.line(4).set(true);
  b.pin(4, 0x44);
  assert.deepEqual(b.drain(), []);
});

test("IOAPIC: a level interrupts again after each EOI until the line is down", () => {
  const b = bench();
  b.pin(10, 0x5a | LEVEL);
  b.ioapic.line(10).set(true);
  assert.equal(b.ioapicGet(0x24), 0x5a | LEVEL | REMOTE_IRR);
  assert.equal(b.get(LAPIC.triggerMode + 0x20), 1 << 0x1a);
  for (let i = 0; i < 3; i++) {
    assert.equal(b.apics[0].acknowledge(), 0x5a);
    assert.equal(b.cpus[0].interrupt.level, false);
    if (i === 2) b.ioapic.line(10).set(false);
    b.set(LAPIC.endOfInterrupt, 0);
  }
  assert.equal(b.cpus[0].interrupt.level, false);
  assert.equal(b.ioapicGet(0x24), 0x5a | LEVEL);
});

test("IOAPIC: a masked level waits and is delivered when the mask is lifted", () => {
  const b = bench();
  b.pin(10, 0x5a | LEVEL | MASKED);
  b.ioapic.line(10).set(true);
  assert.deepEqual(b.drain(), []);
  b.pin(10, 0x5a | LEVEL);
  assert.equal(b.apics[0].acknowledge(), 0x5a);
});

test("IOAPIC: polarity is kept and ignored: NetBSD's level, active-low pins work", () => {
  const b = bench();
  b.pin(16, 0xa060 & 0xffff);
  assert.equal(b.ioapicGet(0x30) & LOW_ACTIVE, LOW_ACTIVE);
  assert.deepEqual(b.drain(), [], "a line that is not raised does not interrupt");
  b.ioapic.line(16).set(true);
  assert.equal(b.apics[0].acknowledge(), 0x60);
});

test("IOAPIC: remote IRR cannot be written, and going to edge clears it, as Linux does to a stuck pin", () => {
  const b = bench();
  b.pin(10, 0x5a | LEVEL);
  b.ioapic.line(10).set(true);
  b.pin(10, 0x5a | LEVEL | MASKED | 0x1000);
  assert.equal(b.ioapicGet(0x24), 0x5a | LEVEL | MASKED | REMOTE_IRR);
  b.pin(10, 0x5a | MASKED);
  b.pin(10, 0x5a | LEVEL | MASKED | REMOTE_IRR);
  assert.equal(b.ioapicGet(0x24), 0x5a | LEVEL | MASKED);
});

test("IOAPIC: the EOI register of version 0x20 completes a vector, version 0x11 has none", () => {
  const b = bench();
  b.pin(10, 0x5a | LEVEL);
  b.ioapic.line(10).set(true);
  b.ioapic.line(10).set(false);
  b.ioapic.writeMmio(0x40, 4, 0x5a);
  assert.equal(b.ioapicGet(0x24), 0x5a | LEVEL);
  const old = new Ioapic(b.bus, initialIoapicState(1, 0x11));
  old.writeMmio(0, 4, 1);
  assert.equal(old.readMmio(0x10, 4), 0x00170011);
  old.writeMmio(0, 4, 0x10);
  old.writeMmio(0x10, 4, 0x5a | LEVEL);
  old.line(0).set(true);
  old.line(0).set(false);
  old.writeMmio(0x40, 4, 0x5a);
  assert.equal(old.readMmio(0x10, 4), 0x5a | LEVEL | REMOTE_IRR);
});

test("IOAPIC: destinations, logical sets and broadcast", () => {
  const b = bench(3);
  b.set(LAPIC.logicalDestination, 0x02000000, 1);
  b.set(LAPIC.logicalDestination, 0x04000000, 2);
  const hits = (low: number, destination: number): number[] => {
    b.pin(5, low, destination);
    b.ioapic.line(5).set(true);
    b.ioapic.line(5).set(false);
    return [0, 1, 2].filter((cpu) => b.drain(cpu).length > 0);
  };
  assert.deepEqual(hits(0x45, 2), [2]);
  assert.deepEqual(hits(0x845, 6), [1, 2]);
  assert.deepEqual(hits(0x945, 6), [1]);
  assert.deepEqual(hits(0x45, 0xff), [0, 1, 2]);
});

test("IOAPIC: NMI, INIT and ExtINT are edges whatever the trigger bit says", () => {
  const b = bench();
  for (const mode of [0x400, 0x500]) {
    b.pin(3, mode | LEVEL);
    b.ioapic.line(3).set(true);
    b.ioapic.line(3).set(false);
  }
  assert.deepEqual(b.cpus[0].events, ["nmi", "init"]);
  b.pin(0, 0x700);
  b.ioapic.line(0).set(true);
  assert.equal(b.apics[0].acknowledge(), 0x30, "the 8259 pair behind pin 0 gives the vector");
  assert.equal(b.cpus[0].interrupt.level, false);
});

test("IOAPIC: a level that no CPU accepts is not stuck", () => {
  const b = bench();
  b.pin(10, 0x5a | LEVEL, 7);
  b.ioapic.line(10).set(true);
  assert.equal(b.ioapicGet(0x24), 0x5a | LEVEL);
  b.pin(10, 0x5a | LEVEL, 0);
  assert.equal(b.apics[0].acknowledge(), 0x5a);
});

test("IOAPIC: an I/O APIC with the same state behaves the same", () => {
  const b = bench();
  b.pin(10, 0x5a | LEVEL);
  b.ioapic.line(10).set(true);
  const copy = new Ioapic(b.bus, JSON.parse(JSON.stringify(b.ioapic.state)) as IoapicState);
  copy.writeMmio(0, 4, 0x24);
  assert.equal(copy.readMmio(0x10, 4), 0x5a | LEVEL | REMOTE_IRR);
  b.apics[0].acknowledge();
  b.ioapic.line(10).set(false);
  b.bus.addIoapic(copy);
  b.set(LAPIC.endOfInterrupt, 0);
  assert.equal(b.apics[0].pending(), 0x5a, "the copy's line is still up");
});

test("IOAPIC: there is no pin 24", () => {
  assert.throws(() => bench().ioapic.line(24), RangeError);
});
