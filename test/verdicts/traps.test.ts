/** R2.3 what keeps a kernel from working behind a load that succeeds, each with its evidence. */
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { recognise } from "../../src/formats/index.js";
import { traps, type Trap } from "../../src/verdicts/index.js";
import { PT } from "../../src/spec/elf.js";
import { makeElf, makeNotes, makePvhNote } from "../support/images.js";
import { linuxKernel } from "./x86-collection.js";

const BASE = 0x20_0000;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A vmlinux with texts in it. */
function vmlinux(...contents: readonly (string | Uint8Array)[]): Uint8Array {
  const parts = contents.flatMap((one) => [...(typeof one === "string" ? text(`${one}\0`) : one)]);
  const notes = makeNotes([{ name: "Linux", type: 0x100, desc: new Uint8Array(4) }, makePvhNote(BASE)]);
  const bytes = Uint8Array.from([...new Uint8Array(16), ...parts]);
  return makeElf({
    entry: BASE,
    segments: [
      { vaddr: BASE, bytes },
      { type: PT.NOTE, bytes: notes },
    ],
  });
}

/** Linux' embedded configuration. */
function config(lines: string): Uint8Array {
  return Uint8Array.from([...text("IKCFG_ST"), ...gzipSync(lines), ...text("IKCFG_ED")]);
}

function ids(bytes: Uint8Array): string[] {
  return traps(recognise(bytes)).map(({ id }) => id);
}

function trap(bytes: Uint8Array, id: string): Trap {
  const found = traps(recognise(bytes)).find((one) => one.id === id);
  assert.ok(found, id);
  return found;
}

const ALL = [
  "serial8250",
  "virtio-mmio-cmdline",
  "LNRO0005",
  "ACPI: Interpreter",
  "PCI: Using configuration type",
];
const MP = "Intel MultiProcessor Specification v1.4";

test("R2.3 a Linux kernel with every driver has no traps; without one, exactly that one's", () => {
  assert.deepEqual(ids(vmlinux(...ALL, MP)), []);
  const without = (left: string): string[] => ids(vmlinux(...[...ALL, MP].filter((one) => one !== left)));
  assert.deepEqual(without("serial8250"), ["no-com1"]);
  assert.deepEqual(without("virtio-mmio-cmdline"), ["virtio-mmio-by-dsdt-only"]);
  assert.deepEqual(without("ACPI: Interpreter"), ["no-acpi"]);
  assert.deepEqual(without(MP), ["no-mp-table"]);
  assert.deepEqual(without("PCI: Using configuration type"), ["no-pci"]);
  assert.ok(ids(vmlinux("serial8250", "ACPI: Interpreter")).includes("no-virtio-mmio"));
  assert.ok(ids(vmlinux("serial8250", "LNRO0005")).includes("virtio-mmio-unannounced"));
});

test("R2.3 the embedded configuration is believed before texts, and is the evidence with its offset", () => {
  const bytes = vmlinux(...ALL, MP, config("# CONFIG_PCI is not set\nCONFIG_VIRTIO_MMIO=m\nCONFIG_ACPI=y\n"));
  const mmio = trap(bytes, "no-virtio-mmio");
  assert.equal(mmio.evidence, "CONFIG_VIRTIO_MMIO=m in the embedded configuration");
  assert.equal(String.fromCharCode(...bytes.subarray(mmio.offset, (mmio.offset ?? 0) + 8)), "IKCFG_ST");
  assert.equal(trap(bytes, "no-pci").evidence, "CONFIG_PCI is not set in the embedded configuration");
  assert.ok(!ids(bytes).includes("no-acpi"));
});

test("R2.3 a configuration that cannot be unpacked is none: texts count", () => {
  const broken = Uint8Array.from([...text("IKCFG_ST"), 1, 2, 3, ...text("IKCFG_ED")]);
  assert.deepEqual(ids(vmlinux(...ALL, MP, broken)), []);
});

test("R2.3 in a bzImage the payload is looked into, and the header's limits are named at their fields", () => {
  const payload = gzipSync(vmlinux(...ALL, MP));
  assert.deepEqual(ids(linuxKernel({ payload })), ["short-command-line"]);
  const old = linuxKernel({ payload, fields: { initrd_addr_max: 0x37ff_ffff, cmdline_size: 65535 } });
  assert.deepEqual(ids(old), ["initrd-too-high"]);
  assert.equal(trap(old, "initrd-too-high").offset, 0x22c);
  assert.match(trap(old, "initrd-too-high").advice, /at most 896 MiB/);
  const short = trap(linuxKernel({ payload, fields: { cmdline_size: 255 } }), "short-command-line");
  assert.equal(short.offset, 0x238);
  assert.ok(short.loaders.includes("firecracker"));
});

test("R2.3 FreeBSD: the TSC's rate, no initrd, devices by words", () => {
  const notes = makeNotes([{ name: "Xen", type: 6, desc: text("FreeBSD\0") }, makePvhNote(BASE, 4)]);
  const kernel = (...contents: string[]): Uint8Array =>
    makeElf({
      entry: BASE,
      segments: [
        { vaddr: BASE, bytes: text(contents.join("\0")) },
        { type: PT.NOTE, bytes: notes },
      ],
    });
  assert.deepEqual(ids(kernel("uart_ns8250", "virtio_mmio.device", "TSC not initialized")), [
    "freebsd-tsc-rate",
    "freebsd-no-initrd",
  ]);
  assert.deepEqual(ids(kernel("nothing")), ["no-com1", "no-virtio-mmio", "freebsd-no-initrd"]);
});

test("R2.3 what is no kernel of a known system has no traps", () => {
  assert.deepEqual(ids(makeElf({ entry: BASE, segments: [{ vaddr: BASE, bytes: new Uint8Array(64) }] })), []);
});
