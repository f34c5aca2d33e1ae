/** Many hot programs, compiled and interpreted side by side. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runPrograms } from "./program-fuzz.js";

const FIRST_SEED = 1000;
const PROGRAMS = 150;

test("R3.10 random programs come to the same state interpreted, compiled, and compiled and checked", (t) => {
  const sum = runPrograms(FIRST_SEED, PROGRAMS);
  t.diagnostic(JSON.stringify(sum));
  for (const [name, count] of Object.entries(sum)) assert.ok(count > PROGRAMS, `${name}: ${count}`);
});
