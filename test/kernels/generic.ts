/** Debian's generic kernel: drivers for everything, so it probes for what is not there; and an xz payload. */
import assert from "node:assert/strict";
import test from "node:test";
import type { LoaderOptions } from "../../src/boot/options.js";
import { assertEnd, bootKernel, lastWords, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { assertWork, WORK, WORK_FILES } from "../support/guest-work.js";

const COMPLAINT =
  /WARNING|\bBUG:|Call Trace|\bOops|unchecked MSR|Firmware|ACPI (Error|Warning|BIOS|Exception)|spurious/i;

/** Boots it by a loader to userspace and out again. */
export function testGenericKernel(what: string, loader: LoaderOptions): void {
  test(`${what}: Debian's generic kernel computes in userspace, complains of nothing, and powers off`, async (t) => {
    const boot = await bootKernel(t, {
      guest: "debian-amd64",
      loader,
      commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`,
      initramfs: { command: WORK, files: WORK_FILES },
    });
    if (boot === undefined) return;
    assertWork(boot);
    assertEnd(boot, "off", "acpi-s5", 0);
    assert.match(boot.console, /^\[ +[\d.]+\] Linux version \S+-amd64 /m, lastWords(boot.console));
    const complaints = boot.console.split("\n").filter((line) => COMPLAINT.test(line));
    assert.deepEqual(complaints, []);
  });
}
