/**
 * FreeBSD's own driver finds the network card (R3.7), by words, by ACPI and by legacy registers. The kernel is in no package that can be
 * fetched: LOCORE_FREEBSD names the folder that has it; without it there is nothing to test.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import { runPlan } from "../support/kernel-boot.js";

const folder = process.env["LOCORE_FREEBSD"] ?? "";
const KERNEL = path.join(folder, "freebsd-net.kernel");
const WAYS: readonly Partial<BootOptions>[] = [{}, { announce: "acpi" }, { virtio: { version: 1 } }];
/** It comes to where it asks for a root, and would wait there. */
const LIMIT = 1.5e9;

for (const way of folder !== "" && existsSync(KERNEL) ? WAYS : []) {
  test(`R3.7 FreeBSD's vtnet attaches and reads the card's address: ${JSON.stringify(way)}`, async () => {
    const plan = buildPlan({
      kernel: { name: KERNEL, bytes: readFileSync(KERNEL) },
      commandLine: "boot_serial=1 hw.uart.console=io:0x3f8",
      nets: [{ mac: "52:54:00:ab:cd:ef", mtu: 1500 }],
      clock: { deterministic: { nsPerInstruction: 10 } },
      ...way,
    });
    const { console } = await runPlan(plan, { maxInstructions: LIMIT });
    assert.match(console, /vtnet0: <VirtIO Networking Adapter> on virtio_mmio0/, console.slice(-2000));
    assert.match(console, /vtnet0: Ethernet address: 52:54:00:ab:cd:ef/);
  });
}
