/** R3.4: without ACPI Debian's kernel finds every CPU through the MP table. */
import assert from "node:assert/strict";
import test from "node:test";
import { assertEnd, bootKernel, guestValue, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";

const CPUS = 3;

test(`R3.4 ${CPUS} CPUs are found through the MP table on a machine without ACPI`, async (t) => {
  const boot = await bootKernel(t, {
    guest: "debian-amd64",
    cpus: CPUS,
    commandLine: `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: { command: `echo "nproc=$(nproc)"; dmesg`, end: "reboot" },
    more: { acpi: false },
  });
  if (boot === undefined) return;
  const { console } = boot;
  assertEnd(boot, "reset", "i8042", 0);
  assert.equal(guestValue(console, "nproc"), String(CPUS));
  assert.match(console, /found SMP MP-table/);
  assert.doesNotMatch(console, /ACPI: RSDP/);
  assert.match(console, new RegExp(`smp: Brought up 1 node, ${CPUS} CPUs`));
});
