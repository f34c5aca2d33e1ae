/**
 * R5.2 Debian's unmodified kernels for ARM, as they are and through the round trip (taken out of their image as an ELF
 * file, converted to an image again): as guests of a real Xen each comes as far as the other, to looking for a root
 * file system that is not there.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { convert } from "../../src/convert/index.js";
import { requireGuest } from "../support/requires.js";
import { bootDirectly } from "./machines.js";
import { runAsDomU } from "./xen.js";

const NO_ROOT = /Kernel panic - not syncing: VFS: Unable to mount root fs[^\n]*\n/;
const CONSOLE = {
  xen: "console=ttyAMA0 earlycon=pl011,0x22000000",
  qemu: "console=ttyAMA0 earlycon=pl011,0x9000000",
} as const;

const KERNELS = [
  { guest: "debian-armmp", bits: 32, to: "zimage" },
  { guest: "debian-cloud-arm64", bits: 64, to: "arm64-image" },
] as const;

/** "Linux version …", without what stands before it. */
function banner(console: string): string | undefined {
  return /Linux version [^\r\n]*/.exec(console)?.[0];
}

for (const { guest, bits, to } of KERNELS) {
  test(`R5.2 ${guest} on Xen: as it is, and unwrapped and converted again`, async (t) => {
    const pulled = await requireGuest(t, guest);
    if (pulled === undefined) return;
    const original = await readFile(pulled.files["kernel"]);
    const elf = convert(original, { to: "elf" });
    const again = convert(elf.bytes, { to });
    assert.equal(again.placement.kind, "relative");
    const banners: (string | undefined)[] = [];
    for (const kernel of [original, again.bytes]) {
      const console = await runAsDomU(t, bits, { kernel, commandLine: CONSOLE.xen, until: NO_ROOT });
      if (console === undefined) return;
      assert.match(console, NO_ROOT);
      banners.push(banner(console));
    }
    assert.ok(banners[0] !== undefined);
    assert.equal(banners[0], banners[1]);
  });

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
