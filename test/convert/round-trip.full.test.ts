/**
 * R5.2 Debian's unmodified kernels for ARM, as they are and through the round trip (taken out of their image as an ELF
 * file, converted to an image again): as guests of a real Xen each comes as far as the other, to looking for a root
 * file system that is not there. On QEMU's virt machine the 32-bit one; the other: round-trip.test.ts.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { convert } from "../../src/convert/index.js";
import { requireGuest } from "../support/requires.js";
import { CONSOLE, KERNELS, NO_ROOT } from "./debian-kernels.js";
import { testRoundTrip } from "./round-trip.js";
import { runAsDomU } from "./xen.js";

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
}

for (const kernel of KERNELS.filter(({ bits }) => bits === 32)) testRoundTrip(kernel);
