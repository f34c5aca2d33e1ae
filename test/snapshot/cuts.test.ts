/**
 * R6.2, R3.10: deterministic guests are cut at random instructions, and go on in other processes, interpreted or compiled, byte
 * for byte and count for count. 13 cuts here, over 200 in the full tier.
 */
import { test } from "node:test";
import { bsdGuest } from "../boot/pvh/guest.js";
import { kernelPlan, WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { barePlan, cutRun } from "../support/snapshot-cuts.js";
import { ipiGuest, timeStampGuest } from "../support/two-cpu-guests.js";

const KERNEL_MEMORY = 128 * 2 ** 20;
const BSD_LIKE = { memory: 16 * 2 ** 20, commandLine: "root=ld0a console=com" };
/** Enough for the kernel to start its CPUs, timers and drivers. */
const KERNEL_PART = 150_000_000;

const BARE: [name: string, bytes: Uint8Array, cpus: number, cuts: number][] = [
  ["two CPUs that interrupt each other", ipiGuest(3000, { begin: "begin", end: "end", wrong: 1 }), 3, 3],
  ["two CPUs that wait for each other by PAUSE", timeStampGuest(3000), 3, 3],
];

for (const [i, [name, bytes, cpus, cuts]] of BARE.entries())
  test(`R6.2 R3.10 cut at ${cuts} random instructions: ${name}`, (t) =>
    cutRun(t, { plan: () => barePlan(bytes, cpus), cuts, seed: 11 + i, from: 250_000, toTheEnd: 2 }));

test("R6.2 R3.10 cut at 4 random instructions: the BSD-like guest, which looks at every device, on 2 CPUs", (t) =>
  cutRun(t, { plan: () => barePlan(bsdGuest(64), 2, BSD_LIKE), cuts: 4, seed: 5, toTheEnd: 1 }));

test("R6.2 R3.10 cut at 3 random instructions: Debian's kernel on 3 CPUs", async (t) => {
  const plan = await kernelPlan(t, {
    cpus: 3,
    memory: KERNEL_MEMORY,
    commandLine: `console=ttyS0 ${WITHOUT_CRYPTO_TESTS}`,
    initramfs: { command: "true" },
  });
  if (plan === undefined) return;
  await cutRun(t, { plan: () => ({ ...plan }), cuts: 3, seed: 7, until: KERNEL_PART });
});
