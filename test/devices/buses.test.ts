/** Address decoding of ports and memory. */
import assert from "node:assert/strict";
import test from "node:test";
import type { AccessSize, MmioDevice, PortDevice } from "../../src/devices/device.js";
import { IrqFanout, SharedLine } from "../../src/devices/interrupts/interrupt-lines.js";
import { MmioBus, MmioOverlapError } from "../../src/devices/bus/mmio-bus.js";
import { PortBus, PortOverlapError } from "../../src/devices/bus/port-bus.js";
import { RecordingLine } from "../support/recording-line.js";

/** A device that writes down what reaches it; a byte reads as its offset plus 0x10. */
class Probe implements PortDevice, MmioDevice {
  readonly log: string[] = [];
  constructor(readonly name: string) {}

  readPort(offset: number, size: AccessSize): number {
    this.log.push(`r${size}@${offset}`);
    return [0x10, 0x11, 0x12, 0x13]
      .slice(0, size)
      .reduce((sum, byte, i) => sum + (byte + offset) * 256 ** i, 0);
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    this.log.push(`w${size}@${offset}=${value.toString(16)}`);
  }

  readMmio(offset: number, size: AccessSize): number {
    return this.readPort(offset, size);
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    this.writePort(offset, size, value);
  }
}

test("port bus: absent ports read all ones at every width and ignore writes", () => {
  const bus = new PortBus();
  assert.deepEqual(
    ([1, 2, 4] as const).map((size) => bus.read(0xcf8, size)),
    [0xff, 0xffff, 0xffffffff],
  );
  bus.write(0xcf8, 4, 0x80000000);
});

test("port bus: a wide access to byte registers becomes bytes at ascending ports", () => {
  const bus = new PortBus();
  const device = new Probe("bytes");
  bus.add({ start: 0x40, size: 4, device });
  assert.equal(bus.read(0x40, 2), 0x1110);
  assert.equal(bus.read(0x42, 4), 0xffff1312, "beyond the range nothing answers");
  bus.write(0x41, 2, 0xbeef);
  assert.deepEqual(device.log, ["r1@0", "r1@1", "r1@2", "r1@3", "w1@1=ef", "w1@2=be"]);
});

test("port bus: a wide access crosses from one device to the next", () => {
  const bus = new PortBus();
  const [one, two] = [new Probe("one"), new Probe("two")];
  bus.add({ start: 0x60, size: 1, device: one });
  bus.add({ start: 0x61, size: 1, device: two });
  bus.write(0x60, 2, 0x1234);
  assert.deepEqual([one.log, two.log], [["w1@0=34"], ["w1@0=12"]]);
});

test("port bus: a device that takes wide accesses gets them whole inside its range", () => {
  const bus = new PortBus();
  const device = new Probe("wide");
  bus.add({ start: 0x608, size: 4, device, width: "whole" });
  assert.equal(bus.read(0x608, 4), 0x13121110);
  bus.read(0x60a, 4);
  assert.deepEqual(device.log, ["r4@0", "r1@2", "r1@3"]);
});

test("R3.8 port bus: a PCI address written to 0xcf8 does not reset through 0xcf9", () => {
  const bus = new PortBus();
  const device = new Probe("reset");
  bus.add({ start: 0xcf9, size: 1, device, width: "byte-only" });
  bus.write(0xcf8, 4, 0x80000600);
  bus.write(0xcf9, 2, 0x0606);
  assert.equal(bus.read(0xcf8, 4), 0xffffffff);
  assert.deepEqual(device.log, []);
  bus.write(0xcf9, 1, 6);
  assert.deepEqual(device.log, ["w1@0=6"]);
});

test("port bus: accesses past the last port wrap", () => {
  const bus = new PortBus();
  const device = new Probe("zero");
  bus.add({ start: 0, size: 1, device });
  assert.equal(bus.read(0xffff, 2), 0x10ff);
});

test("R1.6 port bus: an overlap names both claimants", () => {
  const bus = new PortBus();
  bus.add({ start: 0x3f8, size: 8, device: new Probe("com1") });
  assert.throws(
    () => bus.add({ start: 0x3fe, size: 4, device: new Probe("other") }),
    (error) => error instanceof PortOverlapError && /0x3fe.*"com1".*"other"/.test(error.message),
  );
  assert.throws(() => bus.add({ start: 0xffff, size: 2, device: new Probe("end") }), RangeError);
});

test("port bus: says what decodes a port", () => {
  const bus = new PortBus();
  bus.add({ start: 0x70, size: 2, device: new Probe("rtc") });
  assert.deepEqual([bus.deviceAt(0x71), bus.deviceAt(0x72)], ["rtc", undefined]);
});

test("mmio bus: decodes ranges, splits at their ends, absent memory reads all ones", () => {
  const bus = new MmioBus();
  const device = new Probe("ioapic");
  bus.add({ start: 0xfec00000, size: 0x1000, device });
  assert.equal(bus.read(0xfec00010, 4), 0x23222120);
  assert.equal(bus.read(0xd0000000, 4), 0xffffffff);
  bus.write(0xfec00ffe, 4, 0x44332211);
  assert.deepEqual(device.log, ["r4@16", "w1@4094=11", "w1@4095=22"]);
  assert.deepEqual([bus.deviceAt(0xfec00fff), bus.deviceAt(0xfec01000)], ["ioapic", undefined]);
});

test("R1.6 mmio bus: an overlap names both claimants", () => {
  const bus = new MmioBus();
  bus.add({ start: 0x1000, size: 0x1000, device: new Probe("one") });
  assert.throws(
    () => bus.add({ start: 0x1fff, size: 1, device: new Probe("two") }),
    (error) => error instanceof MmioOverlapError && /0x1fff.*"one".*"two"/.test(error.message),
  );
  for (const [start, size] of [
    [-1, 4],
    [0, 0],
    [2 ** 53, 4],
  ]) {
    assert.throws(() => bus.add({ start, size, device: new Probe("bad") }), RangeError);
  }
});

test("lines: a fan-out drives all, a shared line is up while any source is", () => {
  const [one, two] = [new RecordingLine(), new RecordingLine()];
  new IrqFanout(one, two).set(true);
  assert.deepEqual([one.level, two.level], [true, true]);
  const shared = new SharedLine(one);
  const [a, b] = [shared.source(), shared.source()];
  a.set(true);
  b.set(true);
  a.set(false);
  assert.equal(one.level, true);
  b.set(false);
  assert.equal(one.level, false);
});
