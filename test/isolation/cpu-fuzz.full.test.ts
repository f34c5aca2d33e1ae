/** The CPU under ten million instructions of random code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzCpu } from "./cpu-fuzz.js";

test("isolation: ten million instructions of random code neither crash nor hold the engine", async (t) => {
  const result = await fuzzCpu({ firstSeed: 10_000, lives: 320 });
  assert.ok(result.instructions >= 10_000_000);
  t.diagnostic(JSON.stringify(result));
});
