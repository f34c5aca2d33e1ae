/** A million damaged kernels, beyond the seeds of the short run. */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzVerdicts } from "./verdicts.js";

const FIRST = 1_000_000;
const CASES = 1_000_000;
const BATCH = 100_000;

for (let first = FIRST; first < FIRST + CASES; first += BATCH) {
  test(`R2.3 damaged kernels, seeds ${first} to ${first + BATCH - 1}: every loader has an answer`, () => {
    const { slowest } = fuzzVerdicts(first, BATCH);
    assert.ok(slowest < 5_000, `${slowest} ms for one case`);
  });
}
