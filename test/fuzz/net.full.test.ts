/** R3.7, the long run: a million frames and events of random guests of the user-mode network. */
import { test } from "node:test";
import { fuzzNet } from "./net.js";

const RUNS = 50;
const STEPS = 20_000;

for (let run = 0; run < RUNS; run++)
  test(`R3.7 random guests of the user-mode network, ${run + 1} of ${RUNS} times ${STEPS} steps`, () => {
    fuzzNet(STEPS, 1_000_000 + run * STEPS);
  });
