/** The CPU under random code, a short stretch of it: `cpu-fuzz.full.test.ts` has more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzCpu } from "./cpu-fuzz.js";

test("isolation: random code in every mode neither crashes nor holds the engine, however its run is cut", async (t) => {
  const result = await fuzzCpu({ firstSeed: 1, lives: 36 });
  assert.ok(result.instructions >= 1_000_000);
  t.diagnostic(JSON.stringify(result));
});
