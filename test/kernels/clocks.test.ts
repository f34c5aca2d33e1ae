/**
 * The clock lint of R3.2 as a guest does it: Debian's kernel is told no rate, so it measures them all, one against
 * another: the TSC against the PIT, again against the ACPI PM timer, the local APIC's timer against the PIT and the PM timer;
 * then a long sleep is compared on the TSC, the kernel's calendar and the real-time clock. All must agree within 0.1 %.
 */
import assert from "node:assert/strict";
import test from "node:test";
import type { Plan } from "../../src/boot/plan.js";
import { LEAF } from "../../src/spec/cpuid.js";
import {
  assertEnd,
  bootKernel,
  guestValue,
  lastWords,
  WITHOUT_CRYPTO_TESTS,
} from "../support/kernel-boot.js";

const TOLERANCE = 0.001;
const TSC_MHZ = 1000;
const SLEEP_S = 200;

/** The leaves that tell a rate, and the feature that makes measuring the APIC timer unnecessary. */
function tellNoRates(plan: Plan): void {
  const telling: readonly number[] = [LEAF.TSC_CRYSTAL, LEAF.FREQUENCY, LEAF.HYPERVISOR_TIMING];
  plan.cpuid = plan.cpuid.filter(({ leaf }) => !telling.includes(leaf));
}

/** Asserts that a measured value is within the tolerance. */
function assertNear(found: number, expected: number, what: string): void {
  assert.ok(Math.abs(found / expected - 1) <= TOLERANCE, `${what}: ${found}, expected ${expected} ± 0.1 %`);
}

/** Parts of a megahertz that the APIC's calibration counts in: 1,000,000 / HZ, and Debian's kernels have HZ = 250. */
const CALIBRATION_PARTS = 4000;

/** A speed of the APIC's calibration, MHz: behind its point stand `CALIBRATION_PARTS`, not decimals. */
function calibrated(console: string, what: string): number {
  const found = new RegExp(`${what} clock speed is (\\d+)\\.(\\d+) MHz`).exec(console);
  assert.ok(found, `no speed of the ${what}; ${lastWords(console)}`);
  return Number(found[1]) + Number(found[2]) / CALIBRATION_PARTS;
}

/** The number that a line of the kernel's log shows. */
function logged(console: string, pattern: RegExp): number {
  const found = pattern.exec(console)?.[1];
  assert.ok(found, `nothing like ${pattern}; ${lastWords(console)}`);
  return Number(found);
}

const COMMAND = `
clocks() {
  echo "$1_up=$(cut -d' ' -f1 /proc/uptime)"
  echo "$1_date=$(date +%s)"
  echo "$1_rtc=$(cat /sys/class/rtc/rtc0/since_epoch)"
}
clocks first
sleep ${SLEEP_S}
clocks second
`;

test("R3.2 PIT, PM timer, local APIC timer, TSC and RTC agree within 0.1 % by the guest's own measurement", async (t) => {
  const boot = await bootKernel(t, {
    commandLine: `console=ttyS0 loglevel=8 apic=verbose lapic=notscdeadline ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: { command: COMMAND },
    change: tellNoRates,
  });
  if (boot === undefined) return;
  const { console } = boot;
  assertEnd(boot, "off", "acpi-s5", 0);
  assert.match(console, /tsc: Fast TSC calibration using PIT/);
  assertNear(logged(console, /tsc: Detected ([\d.]+) MHz processor/), TSC_MHZ, "TSC by the PIT");
  assertNear(
    logged(console, /tsc: Refined TSC clocksource calibration: ([\d.]+) MHz/),
    TSC_MHZ,
    "TSC by the PM timer",
  );
  assert.match(console, /\.\.\. PM-Timer result ok/);
  assertNear(calibrated(console, "CPU"), TSC_MHZ, "TSC during the APIC's calibration");
  assertNear(calibrated(console, "host bus"), 100, "local APIC timer");
  const passed = (clock: string): number =>
    Number(guestValue(console, `second_${clock}`)) - Number(guestValue(console, `first_${clock}`));
  // Fork, exec and print take the guest some 20 ms beside the sleep; date and RTC show whole seconds.
  assertNear(passed("up"), SLEEP_S, "a sleep by the TSC");
  for (const clock of ["date", "rtc"]) {
    assert.ok(Math.abs(passed(clock) - SLEEP_S) <= 1, `a sleep by ${clock}: ${passed(clock)} s`);
  }
  assert.ok(boot.report.stats.clockNs / 1e9 > SLEEP_S, "the machine's clock went along");
});
