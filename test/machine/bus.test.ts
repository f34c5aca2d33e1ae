/** Address decoding. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { MmioBus, PortBus } from "../../src/machine/bus.js";
import type { AccessSize } from "../../src/devices/device.js";

function recorder(name: string): {
  log: string[];
  name: string;
  readPort: (offset: number, size: AccessSize) => number;
  writePort: (offset: number, size: AccessSize, value: number) => void;
} {
  const log: string[] = [];
  return {
    log,
    name,
    readPort: (offset, size) => {
      log.push(`r${size}@${offset}`);
      return offset + 1;
    },
    writePort: (offset, size, value) => log.push(`w${size}@${offset}=${value.toString(16)}`),
  };
}

test("absent ports read all ones and ignore writes", () => {
  const bus = new PortBus();
  assert.deepEqual(
    [1, 2, 4].map((size) => bus.read(0xcf8, size as AccessSize)),
    [0xff, 0xffff, 0xffffffff],
  );
  bus.write(0xcf8, 4, 1);
});

test("a port access inside one device arrives whole; across a border it arrives by bytes", () => {
  const bus = new PortBus();
  const a = recorder("a");
  const b = recorder("b");
  bus.attach(0x70, 2, a);
  bus.attach(0x72, 2, b);
  assert.equal(bus.read(0x70, 2), 1);
  bus.write(0x71, 2, 0xbbaa);
  assert.equal(bus.read(0x72, 4), 0xffff0201);
  assert.deepEqual(a.log, ["r2@0", "w1@1=aa"]);
  assert.deepEqual(b.log, ["w1@0=bb", "r1@1", "r1@0"]);
});

test("an access past port 0xffff wraps byte by byte", () => {
  const bus = new PortBus();
  assert.equal(bus.read(0xffff, 4), 0xffffffff);
});

test("R1.6 two devices at one port or address: the error names both", () => {
  const bus = new PortBus();
  bus.attach(0x3f8, 8, recorder("com1"));
  assert.throws(
    () => bus.attach(0x3ff, 1, recorder("other")),
    /port 0x3ff: claimed by other, already decoded by com1/,
  );
  const mmio = new MmioBus();
  const device = (name: string) => ({ name, readMmio: () => 0, writeMmio: () => undefined });
  mmio.attach(0x1000, 0x1000, device("ioapic"));
  assert.throws(
    () => mmio.attach(0x1800, 0x1000, device("rom")),
    /claimed by rom, already decoded by ioapic/,
  );
});

test("MMIO outside every device, or across its end, is open bus", () => {
  const mmio = new MmioBus();
  mmio.attach(0x1000, 0x10, { name: "d", readMmio: (offset) => offset, writeMmio: () => undefined });
  assert.equal(mmio.read(0x100c, 4), 0xc);
  assert.equal(mmio.read(0x100e, 4), 0xffffffff);
  assert.equal(mmio.read(0x2000, 1), 0xff);
});
