/**
 * R3.5 How virtio devices are told to kernels, and where they stand: words in each system's spelling, last on the command line;
 * objects of the DSDT; interrupts in MP table and MADT.
 */
import assert from "node:assert/strict";
import test from "node:test";
import type { PartRequest } from "../../src/devices/part.js";
import { PartRegistry } from "../../src/devices/registry.js";
import { PartError } from "../../src/devices/resources.js";
import { virtioMmioDevice } from "../../src/firmware/acpi/virtio-mmio.js";
import { placeParts } from "../../src/boot/parts.js";
import { announceVirtio } from "../../src/boot/virtio-announcing.js";
import { mpConfigTable } from "../../src/firmware/mp-table.js";
import { OptionError } from "../../src/boot/boot-error.js";

const PLACES = [
  { start: 0xd000_0000, size: 512, irq: 5 },
  { start: 0xd000_1000, size: 512, irq: 10 },
  { start: 0xd000_2000, size: 512, irq: 16 },
];

function disks(count: number): PartRequest[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `disk${index}`,
    type: "virtio-blk",
    config: { disk: `disk${index}`, sectors: 8, readOnly: false, serial: "" },
  }));
}

function place(requests: readonly PartRequest[]) {
  return placeParts(requests, new PartRegistry(), { ram: [{ start: 0, size: 2 ** 20 }] });
}

const WORDS = {
  Linux: [
    "virtio_mmio.device=512@0xd0000000:5",
    "virtio_mmio.device=512@0xd0001000:10",
    "virtio_mmio.device=512@0xd0002000:16",
  ],
  FreeBSD: [
    "virtio_mmio.device=512@0xd0000000:5",
    "virtio_mmio.device_1=512@0xd0001000:10",
    "virtio_mmio.device_2=512@0xd0002000:16",
  ],
};

for (const system of ["Linux", "FreeBSD"] as const) {
  test(`R3.5 the words of ${system}`, () => {
    const told = announceVirtio(PLACES, { system, asked: "cmdline", acpi: true }, () => undefined);
    assert.deepEqual(told, { namespace: [], words: WORDS[system] });
  });
}

test("R3.5 without being asked, Linux is told by ACPI and FreeBSD by words; without ACPI everyone by words; both if asked", () => {
  const ways = (system: "Linux" | "FreeBSD" | undefined, acpi: boolean, asked?: "both"): number[] => {
    const { namespace, words } = announceVirtio(PLACES, { system, asked, acpi }, assert.fail);
    return [namespace.length, words.length];
  };
  assert.deepEqual(ways("Linux", true), [3, 0]);
  assert.deepEqual(ways("FreeBSD", true), [0, 3]);
  assert.deepEqual(ways(undefined, true), [3, 0]);
  assert.deepEqual(ways("Linux", false), [0, 3]);
  assert.deepEqual(ways("Linux", true, "both"), [3, 3]);
  assert.throws(
    () => announceVirtio(PLACES, { system: "Linux", asked: "acpi", acpi: false }, assert.fail),
    (error) => error instanceof OptionError && /--acpi on/.test(error.message),
  );
});

test("R3.5 words that do not lead Linux to a device are warned of: with ACPI tables, an interrupt above those of ISA", () => {
  const warnings = (
    system: "Linux" | "FreeBSD",
    acpi: boolean,
    asked: "cmdline" | "both",
    places = PLACES,
  ) => {
    const heard: string[] = [];
    announceVirtio(places, { system, asked, acpi }, (text) => heard.push(text));
    return heard;
  };
  const [warning, ...more] = warnings("Linux", true, "cmdline");
  assert.match(
    warning,
    /first 2 virtio devices.*interrupt 16.*--announce acpi, both, or --acpi off reach all 3/,
  );
  assert.deepEqual(more, []);
  assert.deepEqual(warnings("Linux", true, "cmdline", PLACES.slice(0, 2)), []);
  assert.deepEqual(warnings("Linux", true, "both"), []);
  assert.deepEqual(warnings("Linux", false, "cmdline"), []);
  assert.deepEqual(warnings("FreeBSD", true, "cmdline"), []);
});

test("R3.5 the object of the DSDT: LNRO0005, its registers, its interrupt as a level", () => {
  const text = Buffer.from(virtioMmioDevice({ start: 0xd000_2000, size: 0x200 }, 16, 2)).toString("latin1");
  assert.match(text, /VR02/);
  assert.match(text, /LNRO0005/);
  // Memory32Fixed, writable; Interrupt: consumer, a level, active-high, one.
  assert.ok(text.includes("\x86\x09\x00\x01\x00\x20\x00\xd0\x00\x02\x00\x00"));
  assert.ok(text.includes("\x89\x06\x00\x01\x01\x10\x00\x00\x00"));
});

test("R3.5 devices stand each in a page; interrupts are ISA's first, then inputs 16 to 23, then shared", () => {
  const parts = place(disks(16));
  assert.deepEqual(
    parts.map(({ irqs }) => irqs![0]),
    [5, 10, 11, 7, 6, 14, 16, 17, 18, 19, 20, 21, 22, 23, 5, 10],
  );
  assert.deepEqual(
    parts.map(({ mmio }) => mmio![0].start),
    parts.map((_, index) => 0xd000_0000 + 0x1000 * index),
  );
  assert.deepEqual(place(parts), parts, "a plan's lines place themselves where they were");
  assert.throws(
    () => place([{ type: "uart16550", irqs: [5] }, ...disks(1).map((one) => ({ ...one, irqs: [5] }))]),
    PartError,
  );
});

test("R3.4 R3.5 the MP table has the inputs that ISA has not, as levels", () => {
  const hardware = {
    cpus: 1,
    namespace: [],
    events: [],
    levelIrqs: [9, 5, 17, 17],
    localApic: 0xfee00000,
    ioApic: 0xfec00000,
  };
  const table = Buffer.from(mpConfigTable({ hardware, signature: 0, features: 0 })).toString("latin1");
  const entry = (irq: number, flags: number): string => String.fromCharCode(3, 0, flags, 0, 0, irq, 1, irq);
  const count = (what: string): number => table.split(what).length - 1;
  assert.equal(count(entry(17, 0x0d)), 1, "a level, active-high, once");
  assert.equal(count(entry(5, 0x0d)), 1);
  assert.equal(count(entry(16, 0x0d)), 0);
  assert.equal(count(entry(6, 0)), 1);
});

for (const config of [{}, { disk: 1 }, { disk: "a", sectors: -1 }, { disk: "a", sectors: 1, readOnly: 0 }]) {
  test(`R4.4 a disk without what it needs is refused by name: ${JSON.stringify(config)}`, () => {
    assert.throws(() => place([{ type: "virtio-blk", name: "disk7", config }]), /part "disk7"/);
  });
}
test("R4.4 a virtio device of a version that there is not", () => {
  assert.throws(
    () => place(disks(1).map((one) => ({ ...one, config: { ...one.config, version: 3 } }))),
    /part "disk0": found version 3; expected 1 or 2/,
  );
});
