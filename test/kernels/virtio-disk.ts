/** Linux' drivers on virtio disks in memory: guests that find them, and one that copies a disk to another. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test, type TestContext } from "node:test";
import type { BootOptions } from "../../src/boot/options.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";
import {
  assertEnd,
  bootKernel,
  guestValue,
  WITHOUT_CRYPTO_TESTS,
  type KernelBootOptions,
} from "../support/kernel-boot.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { randomBytes } from "../support/random.js";
import { diskPart } from "../support/virtio-parts.js";

export const MIB = 2 ** 20;
const MODULES = [...VIRTIO_MODULES, "virtio_blk"];

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What boots the cloud kernel with these disks and runs `script`; undefined where the test is skipped. */
export async function withDisks(
  t: TestContext,
  disks: ReadonlyMap<string, MemoryDisk>,
  script: string,
  options: Partial<BootOptions> = {},
): Promise<KernelBootOptions | undefined> {
  const modules = await kernelModules(t, "debian-cloud", MODULES);
  if (modules === undefined) return undefined;
  return {
    commandLine: `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: { packages: modules.packages, command: `${modules.load}\n${script}` },
    disks,
    more: { moreDevices: [...disks].map(([name, disk]) => diskPart(disk, name)), ...options },
  };
}

const SCRIPT = `
grep -H . /sys/block/vd*/serial /sys/block/vd*/ro
echo "before=$(dd if=/dev/vda bs=64k 2>/dev/null | sha256sum)"
dd if=/dev/vda of=/dev/vdb bs=1M conv=fsync 2>/dev/null
echo "copy=$(dd if=/dev/vdb bs=4k 2>/dev/null | sha256sum)"
cat /proc/interrupts | grep virtio
`;

/** Registers the test: `options` is what the machine has besides. */
export function testCopy(name: string, options: Partial<BootOptions>): void {
  test(`R3.5 R3.6 Linux reads a disk, copies it to another and flushes: ${name}`, async (t) => {
    const source = new MemoryDisk(randomBytes(1, 4 * MIB));
    const target = new MemoryDisk(new Uint8Array(4 * MIB));
    const disks = new Map([
      ["disk0", source],
      ["disk1", target],
    ]);
    const asked = await withDisks(t, disks, SCRIPT, options);
    const boot = asked && (await bootKernel(t, asked));
    if (boot === undefined) return;
    assertEnd(boot, "off", "acpi-s5", 0);
    assert.match(boot.console, /vda\/serial:serial-disk0/);
    assert.equal(guestValue(boot.console, "before").split(" ")[0], sha256(source.bytes));
    assert.equal(guestValue(boot.console, "copy").split(" ")[0], sha256(source.bytes));
    assert.equal(sha256(target.bytes), sha256(source.bytes));
    assert.ok(target.flushes > 0);
  });
}
