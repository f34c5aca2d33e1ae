/** Crafted states of every part that is built in (R6.2). More of them: `board-states.full.test.ts`. */
import assert from "node:assert/strict";
import test from "node:test";
import { Random } from "../support/random.js";
import { fuzzHostile, fuzzPassing, usedState } from "./board-states.js";

test("R6.2 parts: any state that passes the check makes a board that throws nothing, spins nowhere and saves one that passes", () => {
  const used = usedState(new Random(0x5eed));
  for (let seed = 1; seed <= 100; seed++) fuzzPassing(used, new Random(seed * 7919), 100, 60);
});

test("R6.2 parts: a saved state with something changed is refused by name, or makes such a board", () => {
  const random = new Random(0x5eed);
  const used = [usedState(random), usedState(random)];
  let passed = 0;
  const rounds = 400;
  for (let i = 0; i < rounds; i++) if (fuzzHostile(random.pick(used), random, 20)) passed++;
  assert.ok(passed > rounds / 20 && passed < rounds / 2, `${passed} of ${rounds} passed`);
});
