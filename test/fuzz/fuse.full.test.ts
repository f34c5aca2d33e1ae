/** R3.1, the long run: a million messages of random guests of a shared folder. */
import { test } from "node:test";
import { fuzzFuse } from "./fuse.js";

const RUNS = 50;
const MESSAGES = 20_000;

for (let run = 0; run < RUNS; run++)
  test(`R3.1 random guests of a shared folder, ${run + 1} of ${RUNS} times ${MESSAGES} messages`, () => {
    fuzzFuse(MESSAGES, 1_000_000 + run * MESSAGES);
  });
