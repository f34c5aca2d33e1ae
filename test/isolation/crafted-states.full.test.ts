/** States of a CPU that come from a file, many of them; and every guest of conformance in states that pass (R6.2). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { allGuests } from "../conformance/guests.js";
import { differencesOnEngine } from "../conformance/suite.js";
import { movingEngine } from "../support/moving-engine.js";
import { checking, liveCrafted, liveTranslated } from "./crafted-states.js";

const FIRST = 1000;
const LIVES = 1500;
/** Guests that begin in states that their CPUID does not allow: what that does is what they are about. */
const WITHOUT_FEATURES = ["model-specific registers", "features that CPUID announces or not"];

for (const jit of ["off", "eager"] as const)
  test(`R6.2 ${LIVES} lives that begin in crafted states, jit ${jit}`, () => {
    const engine = createWasmEngine({ jit });
    for (let seed = FIRST; seed < FIRST + LIVES; seed++) liveCrafted(engine, seed);
  });

test("R6.2 500 lives with translations that somebody made up", () => {
  for (let seed = FIRST; seed < FIRST + 500; seed++)
    liveTranslated(createWasmEngine({ jit: seed % 2 === 0 ? "off" : "eager" }), seed);
});

for (const { name, guests } of allGuests().filter((group) => !WITHOUT_FEATURES.includes(group.name)))
  test(`R6.2 guests of conformance are in states that pass before every instruction: ${name}`, () => {
    const moving = movingEngine(checking(createWasmEngine({ jit: "off" })), { dense: 300, then: 211 });
    for (const guest of guests) assert.deepEqual(differencesOnEngine(moving, guest), [], guest.name);
  });
