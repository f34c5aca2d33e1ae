/** A million damaged Multiboot images, beyond the seeds of the short run. */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzMultiboot } from "./multiboot.js";

const FIRST = 1_000_000;
const CASES = 1_000_000;
const BATCH = 100_000;

for (let first = FIRST; first < FIRST + CASES; first += BATCH) {
  test(`R1.3 R4.4 damaged Multiboot images, seeds ${first} to ${first + BATCH - 1}`, () => {
    const { slowest } = fuzzMultiboot(first, BATCH);
    assert.ok(slowest < 5_000, `${slowest} ms for one case`);
  });
}
