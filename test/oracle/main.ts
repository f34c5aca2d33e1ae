/**
 * `npm run test:oracle`: every form against this host's CPU. `LOCORE_ORACLE_SEED`, `LOCORE_ORACLE_ROWS` (cases a
 * form) and `LOCORE_ORACLE_FORMS` (a regular expression of names) choose; exits with 1 on a mismatch.
 */
import { allForms } from "./all-forms.js";
import { EXEMPTIONS } from "./exemptions.js";
import { nativeCpu, nativeMissing } from "./native.js";
import { describe } from "./report.js";
import { runOracle } from "./run.js";
import { formsFilter, oracleSeed, rows } from "./settings.js";

const SHOWN = 2000;
const FULL_ROWS = 2000;

function main(): number {
  const missing = nativeMissing();
  if (missing !== undefined) {
    console.log(`oracle: skipped, ${missing}`);
    return 0;
  }
  const forms = allForms().filter((f) => formsFilter().test(f.name));
  const started = performance.now();
  const summary = runOracle(forms, { rows: rows(FULL_ROWS), seed: oracleSeed() });
  const byForm = new Map<string, typeof summary.mismatches>();
  for (const m of summary.mismatches) byForm.set(m.form.name, [...(byForm.get(m.form.name) ?? []), m]);
  [...byForm].slice(0, SHOWN).forEach(([, of]) => console.log(`${of.length} × ${describe(of[0])}`));
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `oracle: ${summary.forms} forms × ${rows(FULL_ROWS)} cases = ${summary.cases}, ${summary.mismatches.length} mismatches in ${byForm.size} forms, ` +
      `${EXEMPTIONS.length} exemptions (${summary.used.size} hid a difference); seed ${oracleSeed()}, ${nativeCpu()}, ${seconds} s`,
  );
  return summary.mismatches.length === 0 ? 0 : 1;
}

process.exitCode = main();
