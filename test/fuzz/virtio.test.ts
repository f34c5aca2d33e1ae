/** R3.5 Random rings and requests to every virtio device; a million of them in the full tier. */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzVirtio } from "./virtio.js";

const LIVES = 1000;

test("R3.5 40,000 steps of hostile drivers: no exception, no hang, no byte outside", () => {
  const { served, faults } = fuzzVirtio(1, LIVES);
  // That devices were at work, and were stopped, too.
  assert.ok(served > LIVES / 10, `${served} interrupts`);
  assert.ok(faults > LIVES / 10, `${faults} faults`);
});
