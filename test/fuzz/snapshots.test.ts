/** Damaged and crafted files of snapshots. A million more: `snapshots.full.test.ts`. */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzSnapshots } from "./snapshots.js";

test("R6.2 2,000 files of snapshots, damaged or crafted, are refused as such or make machines that run", () => {
  const { passed, ran } = fuzzSnapshots(0x5eed, 2_000);
  assert.ok(passed > 50, `${passed} passed`);
  assert.ok(ran > 2, `${ran} ran`);
});
