/**
 * Every form of the engine's table that user mode may execute against the CPU this test runs on: a few cases each. A
 * failure names form, bytes and both outcomes. `LOCORE_ORACLE_SEED`, `LOCORE_ORACLE_ROWS` and `LOCORE_ORACLE_FORMS`
 * choose others; `npm run test:oracle` runs thousands.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allForms } from "./all-forms.js";
import { EXEMPTIONS } from "./exemptions.js";
import { nativeMissing } from "./native.js";
import { describe } from "./report.js";
import { runOracle } from "./run.js";
import { formsFilter, oracleSeed, rows } from "./settings.js";
import { everyForm } from "../../src/engine/x86/table/forms.js";

const FORMS = everyForm();

const FEW_ROWS = 16;
const SHOWN = 20;
const missing = nativeMissing();

test(
  "R6.1 instructions do what the host's CPU does: registers, flags, memory, faults",
  { skip: missing ?? false },
  () => {
    const forms = allForms().filter((f) => formsFilter().test(f.name));
    const { mismatches } = runOracle(forms, { rows: rows(FEW_ROWS), seed: oracleSeed() });
    const text = mismatches.slice(0, SHOWN).map(describe).join("\n");
    assert.equal(mismatches.length, 0, `${mismatches.length} cases differ\n${text}`);
  },
);

test("R6.1 every exemption of the oracle is about some form, and says why", () => {
  const forms = allForms();
  for (const e of EXEMPTIONS) {
    assert.ok(e.why.length > 0, e.name);
    const lines = e.skips ? FORMS.filter((line) => e.skips!(line, 64) || e.skips!(line, 32)) : [];
    const about = e.forms ? forms.filter((form) => e.forms!(form)) : [];
    assert.ok(lines.length + about.length > 0, `the exemption "${e.name}" is about no form`);
  }
  assert.equal(new Set(EXEMPTIONS.map((e) => e.name)).size, EXEMPTIONS.length, "names are unique");
});

test("R6.1 forms of the oracle have unique names", () => {
  const names = allForms().map((f) => f.name);
  assert.equal(new Set(names).size, names.length);
});
