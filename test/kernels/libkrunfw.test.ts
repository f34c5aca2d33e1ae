/**
 * libkrunfw's kernel, which knows no ACPI and no serial port: it finds virtio devices by the words of its command line (R3.5), its
 * CPUs by the MP table (R3.4), and its console is hvc0.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { bootKernel, guestValue, lastWords, assertEnd, type KernelBoot } from "../support/kernel-boot.js";
import { requireLibkrunfw } from "../support/libkrunfw.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { randomBytes } from "../support/random.js";
import { diskPart } from "../support/virtio-parts.js";

const MIB = 2 ** 20;
const CPUS = 3;
const HVC0 = { type: "virtio-console", config: { backend: "console" } };

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test(`R3.4 R3.5 words of the command line lead Linux to two disks, a console and entropy, the MP table to ${CPUS} CPUs`, async (t) => {
  const file = await requireLibkrunfw(t);
  if (file === undefined) return;
  const source = new MemoryDisk(randomBytes(17, 4 * MIB));
  const target = new MemoryDisk(new Uint8Array(4 * MIB));
  const disks = new Map([
    ["source", source],
    ["target", target],
  ]);
  const boot: KernelBoot | undefined = await bootKernel(t, {
    image: { name: "libkrunfw", bytes: await readFile(file) },
    commandLine: "console=hvc0",
    cpus: CPUS,
    disks,
    initramfs: {
      end: "reboot",
      command: `
        echo "nproc=$(nproc)"
        echo "source=$(sha256sum < /dev/vda)"
        dd if=/dev/vda of=/dev/vdb bs=64k conv=fsync 2>/dev/null
        echo "target=$(sha256sum < /dev/vdb)"
        echo "devices=$(ls /sys/bus/virtio/devices | wc -l)"
        dmesg`,
    },
    more: {
      announce: "cmdline",
      moreDevices: [...disks]
        .map(([name, disk]) => diskPart(disk, name))
        .concat([HVC0, { type: "virtio-rng" }]),
    },
  });
  if (boot === undefined) return;
  const { console } = boot;
  assertEnd(boot, "reset", "i8042", 0);
  assert.equal(guestValue(console, "nproc"), String(CPUS));
  assert.equal(guestValue(console, "devices"), "4");
  assert.equal(guestValue(console, "source"), `${sha256(source.bytes)}  -`);
  assert.equal(guestValue(console, "target"), `${sha256(source.bytes)}  -`);
  assert.deepEqual(target.bytes, source.bytes);
  assert.ok(target.flushes > 0);
  assert.match(console, /found SMP MP-table/);
  assert.match(console, new RegExp(`smp: Brought up 1 node, ${CPUS} CPUs`));
  assert.match(console, /virtio-mmio: Registering device virtio-mmio\.3 at 0xd0003000/);
  assert.doesNotMatch(console, /\bACPI:|WARNING|Call Trace/, lastWords(console));
});
