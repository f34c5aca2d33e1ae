/** R3.6, the long run: a million damaged qcow2 images. */
import { test } from "node:test";
import { fuzzQcow2 } from "./qcow2.js";

const RUNS = 50;
const IMAGES = 20_000;

for (let run = 0; run < RUNS; run++)
  test(`R3.6 damaged qcow2 images, ${run + 1} of ${RUNS} times ${IMAGES}`, () => {
    fuzzQcow2(IMAGES, 1_000_000 + run * IMAGES);
  });
