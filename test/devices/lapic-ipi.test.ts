/** Interprocessor interrupts: destinations, shorthands, lowest priority (SDM vol. 3A §11.6). */
import assert from "node:assert/strict";
import test from "node:test";
import { APIC_MSR, LAPIC } from "../../src/spec/apic.js";
import { ApicBench } from "../support/apic-bench.js";

const VECTOR = 0x55;
const ICR_MSR = APIC_MSR.x2apicFirst + LAPIC.commandLow / 16;

/** Which CPUs have an interrupt; takes it from them. */
function hit(bench: ApicBench): number[] {
  return bench.apics.map((_, cpu) => cpu).filter((cpu) => bench.drain(cpu).length > 0);
}

function four(): ApicBench {
  const bench = new ApicBench(4);
  bench.enable();
  return bench;
}

test("IPI: physical destination is an APIC id, 0xff is everyone", () => {
  const bench = four();
  bench.ipi(VECTOR, 2);
  assert.deepEqual(hit(bench), [2]);
  bench.ipi(VECTOR, 9);
  assert.deepEqual(hit(bench), []);
  bench.ipi(VECTOR, 0xff);
  assert.deepEqual(hit(bench), [0, 1, 2, 3]);
});

test("IPI: shorthands for self, all and all others", () => {
  const bench = four();
  bench.ipi(0x40000 | VECTOR, 3);
  assert.deepEqual(hit(bench), [0]);
  bench.ipi(0x80000 | VECTOR, 3);
  assert.deepEqual(hit(bench), [0, 1, 2, 3]);
  bench.ipi(0xc0000 | VECTOR, 3);
  assert.deepEqual(hit(bench), [1, 2, 3]);
});

test("IPI: logical destination, flat model: one bit a CPU", () => {
  const bench = four();
  for (let cpu = 0; cpu < 4; cpu++) bench.set(LAPIC.logicalDestination, 2 ** (24 + cpu), cpu);
  bench.ipi(0x800 | VECTOR, 0b1010);
  assert.deepEqual(hit(bench), [1, 3]);
});

test("IPI: logical destination, cluster model: a cluster and bits in it", () => {
  const bench = four();
  for (let cpu = 0; cpu < 4; cpu++) {
    bench.set(LAPIC.destinationFormat, 0x0fffffff, cpu);
    bench.set(LAPIC.logicalDestination, ((cpu >> 1) * 16 + 2 ** (cpu & 1)) * 2 ** 24, cpu);
  }
  bench.ipi(0x800 | VECTOR, 0x13);
  assert.deepEqual(hit(bench), [2, 3]);
  bench.ipi(0x800 | VECTOR, 0xf1);
  assert.deepEqual(hit(bench), [0, 2]);
});

test("IPI: lowest priority goes to one CPU, the least busy of those addressed", () => {
  const bench = four();
  for (let cpu = 0; cpu < 4; cpu++) bench.set(LAPIC.logicalDestination, 2 ** (24 + cpu), cpu);
  bench.set(LAPIC.taskPriority, 0x20, 0);
  bench.set(LAPIC.taskPriority, 0x30, 1);
  bench.set(LAPIC.taskPriority, 0x10, 2);
  bench.ipi(0x900 | VECTOR, 0b0111);
  assert.deepEqual(hit(bench), [2]);
  bench.set(LAPIC.spurious, 0xff, 2);
  bench.ipi(0x900 | VECTOR, 0b0111);
  assert.deepEqual(hit(bench), [0], "a disabled APIC takes no part");
});

test("IPI: INIT, start-up and NMI reach others, never the sender by shorthand", () => {
  const bench = four();
  bench.ipi(0xc4500);
  bench.ipi(0xc4608);
  bench.ipi(0xc0400);
  assert.deepEqual(bench.cpus[3].events, ["init", "startup 8", "nmi"]);
  for (const shorthand of [0x40000, 0x80000])
    for (const mode of [0x4500, 0x4600, 0x400]) bench.ipi(shorthand | mode);
  assert.deepEqual(bench.cpus[0].events, []);
  assert.equal(bench.cpus[3].events.length, 3);
});

test("IPI: reserved delivery modes do nothing", () => {
  const bench = four();
  for (const mode of [0x200, 0x300, 0x700]) bench.ipi(mode | VECTOR, 1);
  assert.deepEqual(hit(bench), []);
  assert.deepEqual(bench.cpus[1].events, []);
});

test("IPI: x2APIC destinations have 32 bits, physical and logical", () => {
  const bench = new ApicBench([0, 5, 0x21, 0x22]);
  bench.enable();
  for (let cpu = 0; cpu < 4; cpu++) bench.toX2apic(cpu);
  const send = (low: number, destination: number): boolean =>
    bench.writeMsr(ICR_MSR, (BigInt(destination) << 32n) | BigInt(low));
  assert.equal(bench.readMsr(APIC_MSR.x2apicFirst + 0x0d, 2), 0x20002n, "cluster 2, member 1");
  send(VECTOR, 0x21);
  assert.deepEqual(hit(bench), [2]);
  send(0x800 | VECTOR, 0x20006);
  assert.deepEqual(hit(bench), [2, 3]);
  send(VECTOR, 0xff);
  assert.deepEqual(hit(bench), [], "0xff is an id here");
  send(VECTOR, 0xffffffff);
  assert.deepEqual(hit(bench), [0, 1, 2, 3]);
});

test("IPI: self IPI of x2APIC", () => {
  const bench = new ApicBench();
  bench.enable();
  bench.toX2apic();
  assert.equal(bench.writeMsr(APIC_MSR.x2apicFirst + 0x3f, BigInt(VECTOR)), true);
  assert.deepEqual(bench.drain(), [VECTOR]);
});
