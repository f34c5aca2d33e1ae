/** 8,000 damaged Multiboot images (the fuzz target's first seeds). */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzMultiboot } from "./multiboot.js";

const CASES = 8_000;

test(`R1.3 R4.4 ${CASES} damaged Multiboot images: a refusal with its place, or a sound machine`, () => {
  const { outcomes, slowest } = fuzzMultiboot(1, CASES);
  for (const loader of ["multiboot1", "multiboot2"]) {
    for (const end of ["loaded", "refused"]) {
      const count = outcomes.get(`${loader} ${end}`) ?? 0;
      assert.ok(count > CASES / 50, `${loader} ${end}: ${count}`);
    }
  }
  assert.ok(slowest < 2_000, `${slowest} ms for one case`);
});
