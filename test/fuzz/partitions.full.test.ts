/** A million damaged disks, beyond the seeds of the short run. */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzDisks } from "./partitions.js";

const CASES = 1_000_000;
const BATCH = 50_000;

for (let first = 0; first < CASES; first += BATCH)
  test(`R3.6 damaged disks ${first} to ${first + BATCH - 1}`, () => {
    assert.ok(fuzzDisks(1_000_003 + first * 7919, BATCH) > 5000);
  });
