/** A million damaged images and streams, beyond the seeds of the short run. */
import assert from "node:assert/strict";
import test from "node:test";
import { cutEverywhere, fuzzFormats } from "./formats.js";

const FIRST = 1_000_000;
const CASES = 1_000_000;
const BATCH = 50_000;

for (let first = FIRST; first < FIRST + CASES; first += BATCH) {
  test(`R4.4 damaged images, seeds ${first} to ${first + BATCH - 1}`, () => {
    const { slowest, memory } = fuzzFormats(first, BATCH);
    assert.ok(slowest.milliseconds < 5_000, `seed ${slowest.seed} took ${slowest.milliseconds} ms`);
    assert.ok(memory < 1 << 29, `array buffers grew by ${memory} bytes`);
  });
}

test("R4.4 every kind of image and stream, cut at every byte", () => {
  assert.ok(cutEverywhere(1) > 30_000);
});
