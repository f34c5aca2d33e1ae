/**
 * R2.3 the verdicts about QEMU held to QEMU itself: sound kernels on microvm and pc, and what is refused. What runs on is
 * waited for in the full tier only.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { requireTool } from "../support/requires.js";
import { differences, MACHINES, verdictOf } from "./real-x86.js";
import { brokenKernels, soundKernels } from "./x86-collection.js";

for (const one of MACHINES) {
  // The code is the same for both machines: pc is shown a part of what is refused.
  const refused = brokenKernels().filter((sample) => verdictOf(sample, one.loader).outcome === "refuses");
  const sound = soundKernels().filter((sample) => verdictOf(sample, one.loader).outcome === "takes");
  const samples = [...sound, ...refused.filter((_, i) => one.machine === "microvm" || i % 4 === 0)];
  test(`R2.3 QEMU's ${one.machine} does with ${samples.length} kernels what the verdicts say`, async (t) => {
    const qemu = requireTool(t, "qemu-system-x86_64");
    if (qemu !== undefined) assert.deepEqual(await differences(qemu, one, samples), []);
  });
}
