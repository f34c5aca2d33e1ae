/** Many crafted states of every part that is built in (R6.2). */
import test from "node:test";
import { Random } from "../support/random.js";
import { fuzzHostile, fuzzPassing, usedState } from "./board-states.js";

test("R6.2 parts: 3000 boards of crafted states and 10,000 changed ones: nothing throws and nothing spins", () => {
  const random = new Random(0xb0a7d);
  const used = usedState(random);
  for (let i = 0; i < 3000; i++) fuzzPassing(used, random, 150, 60);
  for (let i = 0; i < 10_000; i++) fuzzHostile(used, random, 20);
});
