/**
 * R6.2, R3.10: 250 cuts. Whole boots of kernels, on one CPU and three, through firmware and without, and bare guests, each cut at
 * random instructions; what goes on from there in other processes is what the run was, byte for byte and count for count.
 */
import { test } from "node:test";
import { bsdGuest } from "../boot/pvh/guest.js";
import { kernelPlan, type KernelBootOptions } from "../support/kernel-boot.js";
import { WORK, WORK_FILES } from "../support/guest-work.js";
import { barePlan, cutRun } from "../support/snapshot-cuts.js";
import { ipiGuest, timeStampGuest } from "../support/two-cpu-guests.js";

const MEMORY = 128 * 2 ** 20;
const BSD_MEMORY = 16 * 2 ** 20;
const LINES = { begin: "begin", end: "end", wrong: 1 };

const BARE: [name: string, bytes: Uint8Array, cpus: number][] = [
  ["two CPUs that interrupt each other", ipiGuest(20_000, LINES), 2],
  ["two CPUs that wait for each other by PAUSE", timeStampGuest(20_000), 3],
];
for (const [i, [name, bytes, cpus]] of BARE.entries())
  test(`R6.2 R3.10 cut at 25 random instructions: ${name}`, (t) =>
    cutRun(t, { plan: () => barePlan(bytes, cpus), cuts: 25, seed: 101 + i, toTheEnd: 5 }));

for (const elfClass of [32, 64] as const)
  test(`R6.2 R3.10 cut at 25 random instructions: the BSD-like guest, ELF${elfClass}, on 2 CPUs`, (t) =>
    cutRun(t, {
      plan: () =>
        barePlan(bsdGuest(elfClass), 2, { memory: BSD_MEMORY, commandLine: "root=ld0a console=com" }),
      cuts: 25,
      seed: 300 + elfClass,
      toTheEnd: 3,
    }));

const KERNELS: [name: string, cuts: number, options: Partial<KernelBootOptions>][] = [
  ["Debian's cloud kernel", 40, {}],
  ["Debian's cloud kernel on 3 CPUs", 50, { cpus: 3 }],
  ["Debian 13's cloud kernel on 3 CPUs", 30, { guest: "debian-13-cloud", cpus: 3 }],
  ["Debian's kernel by its 16-bit entry, through SeaBIOS", 30, { guest: "debian-amd64", bios: true }],
];
for (const [i, [name, cuts, options]] of KERNELS.entries())
  test(`R6.2 R3.10 cut at ${cuts} random instructions: ${name}`, async (t) => {
    const plan = await kernelPlan(t, {
      memory: MEMORY,
      commandLine: "console=ttyS0 cryptomgr.notests=1",
      initramfs: { command: `${WORK}\ncat /proc/interrupts /proc/uptime; sleep 1.5`, files: WORK_FILES },
      ...options,
    });
    if (plan === undefined) return;
    await cutRun(t, { plan: () => ({ ...plan }), cuts, seed: 201 + i, toTheEnd: 3 });
  });
