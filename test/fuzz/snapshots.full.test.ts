/** A million damaged and crafted files of snapshots, beyond the seeds of the short run. */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzSnapshots } from "./snapshots.js";

const CASES = 1_000_000;
const BATCH = 50_000;

for (let first = 0; first < CASES; first += BATCH)
  test(`R6.2 damaged and crafted snapshots ${first} to ${first + BATCH - 1}`, () => {
    const { passed, ran } = fuzzSnapshots(1_000_003 + first * 7919, BATCH);
    assert.ok(passed > 1000 && ran > 50, `${passed} passed, ${ran} ran`);
  });
