/**
 * R5.2 Debian's unmodified kernels for ARM through the round trip (taken out of their image as an ELF file, converted to
 * an image again) on QEMU's virt machines, to looking for a root file system that is not there. On Xen:
 * round-trip.full.test.ts.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { convert } from "../../src/convert/index.js";
import { requireGuest } from "../support/requires.js";
import { CONSOLE, KERNELS, NO_ROOT } from "./debian-kernels.js";
import { bootDirectly } from "./machines.js";

for (const { guest, bits, to } of KERNELS) {
  test(`R5.2 ${guest} on QEMU's virt machine: unwrapped and converted again`, async (t) => {
    const pulled = await requireGuest(t, guest);
    if (pulled === undefined) return;
    const elf = convert(await readFile(pulled.files["kernel"]), { to: "elf" });
    const { bytes } = convert(elf.bytes, { to });
    const console = await bootDirectly(t, bits, bytes, {
      memory: 512,
      args: ["-append", CONSOLE.qemu],
      until: NO_ROOT,
      limitMs: 60_000,
    });
    if (console !== undefined) assert.match(console, NO_ROOT);
  });
}
