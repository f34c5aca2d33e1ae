/**
 * A CPU's state is all there is: random code in every mode, and guests about what hardware hides, run like ever on machines
 * that move to another VM at instruction boundaries.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { allGuests } from "../conformance/guests.js";
import { differencesOnEngine } from "../conformance/suite.js";
import { movingEngine } from "../support/moving-engine.js";
import { live, ONE_LIFE_A_MODE, WHOLE } from "./fuzz-cpu.js";

/** First legs of a life only: a move takes half a millisecond. */
const LEGS = 4;
const MODES = 8;
/** By name: what hardware hides is what these guests are about. */
const GROUPS = [
  "debug exceptions",
  "MONITOR, MWAIT, CLFLUSH",
  "XSAVE",
  "interrupts",
  "32-bit and PAE paging",
];
const PACE = { dense: 300, then: 211 };

test("R6.1 random code in every mode comes to the same end when it moves to another VM before every instruction", () => {
  const modes = ONE_LIFE_A_MODE.map((seed, i) => {
    const engine = createWasmEngine({ jit: i % 2 === 0 ? "off" : "eager" });
    const report = live(engine, seed, WHOLE, undefined, LEGS);
    assert.deepEqual(live(movingEngine(engine), seed, WHOLE, undefined, LEGS), report, `life ${seed}`);
    return report.mode;
  });
  assert.equal(new Set(modes).size, MODES);
});

for (const { name, guests } of allGuests().filter((group) => GROUPS.includes(group.name)))
  test(`R6.1 guests of conformance run on a machine that moves: ${name}`, () => {
    const moving = movingEngine(createWasmEngine({ jit: "off" }), PACE);
    for (const guest of guests) assert.deepEqual(differencesOnEngine(moving, guest), [], guest.name);
  });
