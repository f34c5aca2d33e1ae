/** Hot programs, compiled and interpreted side by side; `program-fuzz.full.test.ts` has more of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { runProgram } from "./program-fuzz.js";

const PROGRAMS = 12;
const FIRST_SEED = 1;

test("R3.10 random programs come to the same state interpreted, compiled, and compiled and checked", (t) => {
  const engines = [
    createWasmEngine({ jit: "off" }),
    createWasmEngine({ jit: "eager" }),
    createWasmEngine({ jit: "check", eager: true }),
  ];
  const sum = { instructions: 0, checked: 0, dropped: 0, faults: 0, steps: 0, calls: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + PROGRAMS; seed++) {
    const { instructions, counters, counts } = runProgram(seed * 7919, engines);
    sum.instructions += instructions;
    sum.checked += counters["instructionsChecked"];
    sum.dropped += counters["regionsDropped"];
    sum.faults += counts[0];
    sum.steps += counts[1];
    sum.calls += counts[2];
  }
  t.diagnostic(JSON.stringify(sum));
  for (const [name, count] of Object.entries(sum)) assert.ok(count > PROGRAMS, `${name}: ${count}`);
});
