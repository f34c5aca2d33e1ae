/** A Debian kernel for ARM that is taken out of its image and converted to one again, on QEMU's virt machine. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { convert } from "../../src/convert/index.js";
import { requireGuest } from "../support/requires.js";
import { CONSOLE, type KERNELS, NO_ROOT } from "./debian-kernels.js";
import { bootDirectly } from "./machines.js";

/** Makes the test of one kernel: it comes to looking for a root file system that is not there. */
export function testRoundTrip({ guest, bits, to }: (typeof KERNELS)[number]): void {
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
