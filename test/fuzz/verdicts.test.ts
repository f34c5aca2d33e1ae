/** 20,000 damaged kernels (the fuzz target's first seeds). */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzVerdicts } from "./verdicts.js";

const CASES = 10_000;

test(`R2.3 ${CASES} damaged kernels: every loader has an answer, every failed check a place`, () => {
  const { outcomes, slowest } = fuzzVerdicts(1, CASES);
  for (const outcome of ["takes", "refuses", "blind"] as const) {
    assert.ok((outcomes.get(outcome) ?? 0) > CASES / 4, `${outcome}: ${outcomes.get(outcome) ?? 0}`);
  }
  assert.ok(slowest < 2_000, `${slowest} ms for one case`);
});
