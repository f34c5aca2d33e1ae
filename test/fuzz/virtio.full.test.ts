/** R3.5 A million and more steps of hostile drivers, beyond the seeds of the short run. */
import test from "node:test";
import { fuzzVirtio } from "./virtio.js";

const FIRST = 1_000_000;
const BATCH = 5000;
const BATCHES = 6;

for (let batch = 0; batch < BATCHES; batch++) {
  const first = FIRST + batch * BATCH;
  test(`R3.5 hostile drivers, seeds ${first} to ${first + BATCH - 1}, 200,000 steps`, () =>
    void fuzzVirtio(first, BATCH));
}
