/**
 * Linux's own drivers on virtio disks (R3.5, R3.6): found by ACPI, read and written, by the version of the registers that is asked
 * for; what the guest computes of a disk's bytes is what the host computes of them.
 */
import { test, type TestContext } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { BootOptions } from "../../src/boot/options.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";
import {
  assertEnd,
  bootKernel,
  guestValue,
  WITHOUT_CRYPTO_TESTS,
  type KernelBoot,
} from "../support/kernel-boot.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { randomBytes } from "../support/random.js";
import { diskPart } from "../support/virtio-parts.js";

const MIB = 2 ** 20;
const MODULES = [...VIRTIO_MODULES, "virtio_blk"];

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function bootWithDisks(
  t: TestContext,
  disks: ReadonlyMap<string, MemoryDisk>,
  script: string,
  options: Partial<BootOptions> = {},
): Promise<KernelBoot | undefined> {
  const modules = await kernelModules(t, "debian-cloud", MODULES);
  if (modules === undefined) return undefined;
  return bootKernel(t, {
    commandLine: `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: { packages: modules.packages, command: `${modules.load}\n${script}` },
    disks,
    more: { moreDevices: [...disks].map(([name, disk]) => diskPart(disk, name)), ...options },
  });
}

const SCRIPT = `
grep -H . /sys/block/vd*/serial /sys/block/vd*/ro
echo "before=$(dd if=/dev/vda bs=64k 2>/dev/null | sha256sum)"
dd if=/dev/vda of=/dev/vdb bs=1M conv=fsync 2>/dev/null
echo "copy=$(dd if=/dev/vdb bs=4k 2>/dev/null | sha256sum)"
cat /proc/interrupts | grep virtio
`;

for (const [name, options] of [
  ["version 2", {}],
  ["version 1", { virtio: { version: 1 } }],
  ["two CPUs", { cpus: 2 }],
] as const) {
  test(`R3.5 R3.6 Linux reads a disk, copies it to another and flushes: ${name}`, async (t) => {
    const source = new MemoryDisk(randomBytes(1, 4 * MIB));
    const target = new MemoryDisk(new Uint8Array(4 * MIB));
    const disks = new Map([
      ["disk0", source],
      ["disk1", target],
    ]);
    const boot = await bootWithDisks(t, disks, SCRIPT, options);
    if (boot === undefined) return;
    assertEnd(boot, "off", "acpi-s5", 0);
    assert.match(boot.console, /vda\/serial:serial-disk0/);
    assert.equal(guestValue(boot.console, "before").split(" ")[0], sha256(source.bytes));
    assert.equal(guestValue(boot.console, "copy").split(" ")[0], sha256(source.bytes));
    assert.equal(sha256(target.bytes), sha256(source.bytes));
    assert.ok(target.flushes > 0);
  });
}
