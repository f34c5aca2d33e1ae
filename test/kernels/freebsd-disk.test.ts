/**
 * FreeBSD's own drivers on a virtio disk whose root they mount (R3.5, R3.6), told of it by words and by ACPI. The kernels and the
 * file system are in no package that can be fetched: LOCORE_FREEBSD names the folder that has them; without it there
 * is nothing to test.
 */
import { test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { diskPart } from "../support/virtio-parts.js";
import { runPlan, type KernelBoot } from "../support/kernel-boot.js";

const folder = process.env["LOCORE_FREEBSD"] ?? "";
const KERNEL = path.join(folder, "freebsd-net.kernel");
const ROOT = path.join(folder, "freebsd-root.ufs");
const COMMAND_LINE = "boot_serial=1 hw.uart.console=io:0x3f8 vfs.root.mountfrom=ufs:/dev/vtbd0";
/** Twice what a boot to its last child takes. */
const LIMIT = 4e9;
const there = folder !== "" && existsSync(KERNEL) && existsSync(ROOT);

async function boot(disk: MemoryDisk, more: Partial<BootOptions>): Promise<KernelBoot> {
  const plan = buildPlan({
    kernel: { name: KERNEL, bytes: readFileSync(KERNEL) },
    commandLine: COMMAND_LINE,
    moreDevices: [diskPart(disk)],
    clock: { deterministic: { nsPerInstruction: 10 } },
    ...more,
  });
  return runPlan(plan, { disks: new Map([["disk0", disk]]), maxInstructions: LIMIT });
}

const WAYS: readonly Partial<BootOptions>[] = [
  {},
  { announce: "acpi" },
  { announce: "both" },
  { acpi: false },
  { virtio: { version: 1 } },
  { cpus: 4 },
];

for (const way of there ? WAYS : []) {
  test(`R3.5 R3.6 FreeBSD mounts its root on a virtio disk: ${JSON.stringify(way)}`, async () => {
    const disk = new MemoryDisk(new Uint8Array(readFileSync(ROOT)));
    const { console, report } = await boot(disk, way);
    assert.match(console, /vtbd0/, console.slice(-2000));
    assert.match(console, /locore-init: children ok 200 bad 0/, console.slice(-2000));
    // Without ACPI it knows no way to switch off.
    assert.equal(report.end.kind, way.acpi === false ? "reset" : "off");
  });
}
