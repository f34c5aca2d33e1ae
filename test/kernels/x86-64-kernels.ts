/**
 * Debian's kernels for x86-64 that other tests do not boot: the generic one, which has drivers for everything, so it
 * probes for what is not there, and an xz payload; Debian 13's, two years newer, with a zstd payload; unstable's; and the
 * real-time one.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { assertEnd, bootKernel, lastWords, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { askFor, type Way } from "./protocols.js";
import { assertWork, WORK, WORK_FILES } from "../support/guest-work.js";

const COMPLAINT =
  /WARNING|\bBUG:|Call Trace|\bOops|unchecked MSR|Firmware|ACPI (Error|Warning|BIOS|Exception)|spurious/i;

export const KERNELS = {
  "debian-cloud": {
    name: "Debian's cloud kernel",
    version: /\[ +[\d.]+\] Linux version 6\.1\.\S+-cloud-amd64 /m,
  },
  "debian-amd64": { name: "Debian's generic kernel", version: /\[ +[\d.]+\] Linux version \S+-amd64 /m },
  "debian-13-cloud": {
    name: "Debian 13's cloud kernel",
    version: /\[ +[\d.]+\] Linux version 6\.12\.\S+-cloud-amd64 /m,
  },
  "debian-sid-cloud": {
    name: "unstable's cloud kernel",
    version: /\[ +[\d.]+\] Linux version 7\.\S+-cloud-amd64 /m,
  },
  "debian-rt": {
    name: "Debian's real-time kernel",
    version: /\[ +[\d.]+\] Linux version \S+-rt-amd64 /m,
  },
};

/** Boots one of them to userspace and out again. */
export function testKernel(guest: keyof typeof KERNELS, way: Way): void {
  const { name, version } = KERNELS[guest];
  const requirement = way === "pvh" ? "R2.1" : "R1.2";
  test(`${requirement} by ${way}: ${name} computes in userspace, complains of nothing, and powers off`, async (t) => {
    const boot = await bootKernel(t, {
      guest,
      ...askFor(way),
      commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`,
      initramfs: { command: WORK, files: WORK_FILES },
    });
    if (boot === undefined) return;
    assertWork(boot);
    assertEnd(boot, "off", "acpi-s5", 0);
    assert.match(boot.console, version, lastWords(boot.console));
    const complaints = boot.console.split("\n").filter((line) => COMPLAINT.test(line));
    assert.deepEqual(complaints, []);
  });
}
