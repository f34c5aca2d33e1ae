/** R2.3 the verdicts about QEMU held to QEMU itself: the whole collection, sound and broken, on microvm and pc. */
import assert from "node:assert/strict";
import test from "node:test";
import { requireTool } from "../support/requires.js";
import { differences, MACHINES } from "./real-x86.js";
import { brokenKernels, soundKernels } from "./x86-collection.js";

for (const one of MACHINES) {
  const samples = [...soundKernels(), ...brokenKernels()];
  test(`R2.3 QEMU's ${one.machine} does with the whole collection what the verdicts say`, async (t) => {
    const qemu = requireTool(t, "qemu-system-x86_64");
    if (qemu !== undefined) assert.deepEqual(await differences(qemu, one, samples), []);
  });
}
