/** Hot programs, compiled and interpreted side by side, in each mode; `program-fuzz.full.test.ts` has more of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runPrograms } from "./program-fuzz.js";
import { PROGRAM_MODES } from "./program-modes.js";

const FIRST_SEED = 1;
const PROGRAMS = 2;

for (const mode of PROGRAM_MODES) {
  test(`R3.10 random programs, ${mode.name}, come to the same state interpreted, compiled, and compiled and checked`, (t) => {
    const sum = runPrograms(mode, FIRST_SEED, PROGRAMS);
    t.diagnostic(JSON.stringify(sum));
    for (const [name, count] of Object.entries(sum)) assert.ok(count > PROGRAMS, `${name}: ${count}`);
  });
}
