/** R3.1, the long run: a million messages of random guests of a shared folder over 9P. */
import { test } from "node:test";
import { fuzzNineP } from "./ninep.js";

const RUNS = 50;
const MESSAGES = 20_000;

for (let run = 0; run < RUNS; run++)
  test(`R3.1 9P: random guests of a shared folder, ${run + 1} of ${RUNS} times ${MESSAGES} messages`, () =>
    void fuzzNineP(MESSAGES, 1_000_000 + run * MESSAGES));
