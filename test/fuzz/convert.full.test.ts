/** R5.2 R6.5 a million damaged kernels through the converter, beyond the seeds of the short run. */
import test from "node:test";
import { fuzzConvert } from "./convert.js";

const FIRST = 1_000_000;
const CASES = 1_000_000;
const BATCH = 50_000;

for (let first = FIRST; first < FIRST + CASES; first += BATCH) {
  test(`R5.2 damaged kernels, seeds ${first} to ${first + BATCH - 1}`, () => void fuzzConvert(first, BATCH));
}
