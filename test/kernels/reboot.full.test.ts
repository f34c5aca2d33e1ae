/**
 * Every way in which Linux resets, stops or dies, chosen by its command line: the route is named, the status is the
 * documented one, a panic is recognised from the console (R3.8, R3.9).
 */
import assert from "node:assert/strict";
import test from "node:test";
import {
  assertEnd,
  bootKernel,
  guestValue,
  lastWords,
  WITHOUT_CRYPTO_TESTS,
} from "../support/kernel-boot.js";
import type { KernelBootOptions } from "../support/kernel-boot.js";

const COMMAND_LINE = `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`;
const NO_ROOT = /^Kernel panic - not syncing: VFS: Unable to mount root fs/;

type Case = [
  what: string,
  words: string,
  initramfs: KernelBootOptions["initramfs"],
  kind: string,
  route: string,
  status: number,
];

const reboot: KernelBootOptions["initramfs"] = { command: "echo up=yes", end: "reboot" };
const CASES: readonly Case[] = [
  ["the keyboard controller", "reboot=k", reboot, "reset", "i8042", 0],
  ["the ACPI reset register, which is port 0xCF9", "reboot=a", reboot, "reset", "port-cf9", 0],
  ["port 0xCF9", "reboot=p", reboot, "reset", "port-cf9", 0],
  ["a triple fault", "reboot=t", reboot, "crashed", "triple-fault", 4],
  [
    "poweroff without ACPI, which only halts",
    "acpi=off",
    { command: "echo up=yes" },
    "halted",
    "interrupts-off",
    0,
  ],
];

for (const [what, words, initramfs, kind, route, status] of CASES) {
  test(`R3.8 Linux leaves by ${what}: ${kind} by ${route}, status ${status}`, async (t) => {
    const boot = await bootKernel(t, { commandLine: `${COMMAND_LINE} ${words}`, initramfs });
    if (boot === undefined) return;
    assert.equal(guestValue(boot.console, "up"), "yes");
    assertEnd(boot, kind, route, status);
  });
}

test("R3.8 Linux on two CPUs that leaves by a triple fault starts again, and does all of it once more", async (t) => {
  const boot = await bootKernel(t, {
    commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS} reboot=t`,
    initramfs: { command: "echo cpus=$(nproc)", end: "reboot" },
    cpus: 2,
    maxResets: 1,
  });
  if (boot === undefined) return;
  assert.equal(boot.console.match(/Linux version/g)?.length, 2, lastWords(boot.console));
  assert.deepEqual(boot.console.match(/^cpus=\d+$/gm), ["cpus=2", "cpus=2"]);
  assert.equal(boot.report.stats.resets, 1);
  assertEnd(boot, "reset", "triple-fault", 0);
});

test("R3.8 a panic with panic=-1 is shown; it is a crash by the route of the reset, with its line as the reason", async (t) => {
  const boot = await bootKernel(t, {
    commandLine: `${COMMAND_LINE} panic=-1`,
    initramfs: false,
    // It would only panic again: nothing restarts it.
    maxResets: 5,
  });
  if (boot === undefined) return;
  assert.match(boot.console, /Kernel panic - not syncing: VFS/, lastWords(boot.console));
  assertEnd(boot, "crashed", "port-cf9", 4);
  assert.match(boot.report.end.reason ?? "", NO_ROOT);
});

test("R3.8 a panic that waits for ever is a crash too, with its line as the reason", async (t) => {
  const boot = await bootKernel(t, { commandLine: `${COMMAND_LINE} panic=0 reboot=k`, initramfs: false });
  if (boot === undefined) return;
  assert.match(boot.console, /---\[ end Kernel panic - not syncing: VFS/, lastWords(boot.console));
  assertEnd(boot, "crashed", "panic without reboot", 4);
  assert.match(boot.report.end.reason ?? "", NO_ROOT);
});
