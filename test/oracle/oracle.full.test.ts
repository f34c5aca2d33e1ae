/** The comparison with the host's CPU as `npm run test:oracle` makes it: thousands of cases of every form. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { nativeMissing } from "./native.js";
import { recordedIn, replay } from "./replay.js";
import { describe } from "./report.js";
import { runAll, summaryLine } from "./run-all.js";
import { VECTOR_FILES } from "./vector-files.js";

const SHOWN = 20;
const missing = nativeMissing();

test("R6.1 thousands of cases of every form do what the host's CPU does", { skip: missing ?? false }, (t) => {
  const summary = runAll();
  t.diagnostic(summaryLine(summary));
  assert.equal(summary.mismatches.length, 0, summary.mismatches.slice(0, SHOWN).map(describe).join("\n"));
});

for (const { vendor, name, url } of VECTOR_FILES) {
  test(`R6.1 all ${name} instructions do, compiled, what they did on the ${vendor} CPU that was recorded`, () => {
    const mismatches = replay(recordedIn(url).list, vendor, createWasmEngine({ jit: "eager" }));
    assert.equal(mismatches.length, 0, mismatches.slice(0, SHOWN).map(describe).join("\n"));
  });
}
