/** R3.7, the short run: random guests of the user-mode network. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EXPECTED_SEEN, fuzzNet } from "./net.js";

const STEPS = 8_000;
/** Generous: it takes some seconds. */
const LIMIT_MS = 120_000;

test(
  `R3.7 ${STEPS} frames and events of random guests: nothing throws, nothing grows, nothing of the host's is reached`,
  { timeout: LIMIT_MS },
  () => {
    const seen = fuzzNet(STEPS, 1);
    for (const one of EXPECTED_SEEN)
      assert.ok(seen.has(one), `${one} was seen; there were ${[...seen].sort().join(", ")}`);
  },
);
