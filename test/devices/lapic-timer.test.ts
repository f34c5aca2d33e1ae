/** The local APIC's timer (SDM vol. 3A §11.5.4). */
import assert from "node:assert/strict";
import test from "node:test";
import { APIC_MSR, LAPIC } from "../../src/spec/apic.js";
import { ApicBench, TSC_HZ } from "../support/apic-bench.js";
import type { LapicState } from "../../src/devices/interrupts/lapic-state.js";

const VECTOR = 0xef;
const [MASKED, PERIODIC, DEADLINE] = [0x10000, 0x20000, 0x40000];
/** Divide by 1: a count is a nanosecond at the bench's 1 GHz. */
const BY_ONE = 0xb;

function bench(lvt = VECTOR): ApicBench {
  const made = new ApicBench();
  made.enable();
  made.set(LAPIC.divide, BY_ONE);
  made.set(LAPIC.lvtTimer, lvt);
  return made;
}

test("LAPIC timer: one-shot counts down to zero, interrupts once and stays there", () => {
  const b = bench();
  b.set(LAPIC.initialCount, 1_000_000);
  b.clock.advance(400_000);
  assert.equal(b.get(LAPIC.currentCount), 600_000);
  b.clock.advance(599_999);
  assert.deepEqual(b.drain(), []);
  b.clock.advance(1);
  assert.deepEqual(b.drain(), [VECTOR]);
  b.clock.advance(10_000_000);
  assert.equal(b.get(LAPIC.currentCount), 0);
  assert.equal(b.get(LAPIC.initialCount), 1_000_000);
  assert.deepEqual(b.drain(), []);
  assert.equal(b.clock.armed, 0);
});

test("LAPIC timer: every divider", () => {
  for (const [code, divisor] of [0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa].map((c, i) => [c, 2 ** (i + 1)])) {
    const b = bench();
    b.set(LAPIC.divide, code);
    assert.equal(b.get(LAPIC.divide), code);
    b.set(LAPIC.initialCount, 1_000_000);
    b.clock.advance(1_024_000);
    assert.equal(b.get(LAPIC.currentCount), 1_000_000 - 1_024_000 / divisor);
  }
});

test("LAPIC timer: periodic reloads, without drift", () => {
  const b = bench(VECTOR | PERIODIC);
  b.set(LAPIC.initialCount, 1_000_000);
  let ticks = 0;
  for (let i = 0; i < 3000; i++) {
    b.clock.advance(333_333);
    ticks += b.drain().length;
  }
  assert.equal(ticks, Math.floor((3000 * 333_333) / 1_000_000));
  assert.equal(b.get(LAPIC.currentCount), 1_000_000 - ((3000 * 333_333) % 1_000_000));
});

test("LAPIC timer: writing zero stops it", () => {
  const b = bench(VECTOR | PERIODIC);
  b.set(LAPIC.initialCount, 1_000_000);
  b.set(LAPIC.initialCount, 0);
  assert.equal(b.clock.armed, 0);
  assert.equal(b.get(LAPIC.currentCount), 0);
});

test("LAPIC timer: masked it counts but arms nothing; unmasked it interrupts from the next expiry on", () => {
  const b = bench(VECTOR | PERIODIC | MASKED);
  b.set(LAPIC.initialCount, 1_000_000);
  assert.equal(b.clock.armed, 0);
  b.clock.advance(2_500_000);
  assert.equal(b.get(LAPIC.currentCount), 500_000);
  b.set(LAPIC.lvtTimer, VECTOR | PERIODIC);
  assert.deepEqual(b.drain(), []);
  b.clock.advance(500_000);
  assert.deepEqual(b.drain(), [VECTOR]);
});

test("LAPIC timer: a new divider goes on from the present count", () => {
  const b = bench();
  b.set(LAPIC.initialCount, 1_000_000);
  b.clock.advance(500_000);
  b.set(LAPIC.divide, 0x0);
  b.clock.advance(999_999);
  assert.deepEqual(b.drain(), []);
  b.clock.advance(1);
  assert.deepEqual(b.drain(), [VECTOR]);
});

test("LAPIC timer: from periodic to one-shot the present period is the last", () => {
  const b = bench(VECTOR | PERIODIC);
  b.set(LAPIC.initialCount, 1_000_000);
  b.clock.advance(1_300_000);
  assert.deepEqual(b.drain(), [VECTOR]);
  b.set(LAPIC.lvtTimer, VECTOR);
  b.clock.advance(5_000_000);
  assert.deepEqual(b.drain(), [VECTOR]);
  assert.equal(b.clock.armed, 0);
});

test("LAPIC timer: TSC deadline fires when the TSC reaches it, and reads zero then", () => {
  const b = bench(VECTOR | DEADLINE);
  const deadline = BigInt(TSC_HZ) / 100n;
  assert.equal(b.writeMsr(APIC_MSR.tscDeadline, deadline), true);
  assert.equal(b.readMsr(APIC_MSR.tscDeadline), deadline);
  b.clock.advance(9_999_999);
  assert.deepEqual(b.drain(), []);
  b.clock.advance(1);
  assert.deepEqual(b.drain(), [VECTOR]);
  assert.equal(b.readMsr(APIC_MSR.tscDeadline), 0n);
});

test("LAPIC timer: a deadline in the past fires at once, zero disarms, one beyond every clock waits for ever", () => {
  const b = bench(VECTOR | DEADLINE);
  b.clock.advance(1_000_000);
  b.writeMsr(APIC_MSR.tscDeadline, 1n);
  assert.deepEqual(b.drain(), [VECTOR]);
  b.writeMsr(APIC_MSR.tscDeadline, 10_000_000n);
  b.writeMsr(APIC_MSR.tscDeadline, 0n);
  assert.equal(b.clock.armed, 0);
  b.writeMsr(APIC_MSR.tscDeadline, 2n ** 64n - 1n);
  assert.equal(b.readMsr(APIC_MSR.tscDeadline), 2n ** 64n - 1n);
  assert.equal(b.clock.armed, 0);
});

test("LAPIC timer: in TSC-deadline mode the counts are dead, in the others the deadline is", () => {
  const b = bench(VECTOR | DEADLINE);
  b.set(LAPIC.initialCount, 1000);
  assert.equal(b.get(LAPIC.initialCount), 0);
  assert.equal(b.get(LAPIC.currentCount), 0);
  b.set(LAPIC.lvtTimer, VECTOR);
  b.writeMsr(APIC_MSR.tscDeadline, 1000n);
  assert.equal(b.readMsr(APIC_MSR.tscDeadline), 0n);
  assert.equal(b.clock.armed, 0);
});

test("LAPIC timer: a change to or from TSC-deadline mode disarms", () => {
  const b = bench();
  b.set(LAPIC.initialCount, 1_000_000);
  b.set(LAPIC.lvtTimer, VECTOR | DEADLINE);
  assert.equal(b.clock.armed, 0);
  b.writeMsr(APIC_MSR.tscDeadline, 10_000_000n);
  b.set(LAPIC.lvtTimer, VECTOR | PERIODIC);
  assert.equal(b.clock.armed, 0);
});

test("LAPIC timer: an expiry that is due is not lost when the guest writes before the host delivers it", () => {
  const b = bench();
  b.set(LAPIC.initialCount, 1000);
  const { clock } = b;
  clock.schedule(500, () => clock.jump(5000));
  clock.schedule(500, () => b.set(LAPIC.divide, 0x3));
  clock.advance(500);
  assert.deepEqual(b.drain(), [VECTOR]);
});

test("R3.2 LAPIC timer: a period of one tick does not flood the host", () => {
  const b = bench(VECTOR | PERIODIC);
  b.set(LAPIC.initialCount, 1);
  b.clock.advance(1_000_000_000);
  assert.ok(b.clock.fired <= 20_000, `${b.clock.fired} timers in a second`);
});

test("LAPIC timer: a timer with the same state goes on the same", () => {
  const b = bench(VECTOR | PERIODIC);
  b.set(LAPIC.initialCount, 1_000_000);
  b.clock.advance(1_500_000);
  b.drain();
  b.add(JSON.parse(JSON.stringify(b.apics[0].state)) as LapicState);
  b.clock.advance(499_999);
  assert.deepEqual([b.drain(0), b.drain(1)], [[], []]);
  b.clock.advance(1);
  assert.deepEqual([b.drain(0), b.drain(1)], [[VECTOR], [VECTOR]]);
});
