/** A whole run as the environment chooses it, and its one line of summary. */
import { allForms } from "./all-forms.js";
import { EXEMPTIONS } from "./exemptions.js";
import { nativeCpu } from "./native.js";
import { runOracle } from "./run.js";
import type { Summary } from "./run.js";
import { formsFilter, oracleJit, oracleSeed, rows } from "./settings.js";

/** Cases a form when the environment says nothing. */
const FULL_ROWS = 2000;

/** Runs every form that the environment lets through. */
export function runAll(): Summary {
  const forms = allForms().filter((f) => formsFilter().test(f.name));
  return runOracle(forms, { rows: rows(FULL_ROWS), seed: oracleSeed(), jit: oracleJit() });
}

/** `forms × cases × mismatches × exemptions`, and what they were run on. */
export function summaryLine(s: Summary): string {
  const forms = new Set(s.mismatches.map((m) => m.form.name)).size;
  return [
    `oracle: ${s.forms} forms × ${rows(FULL_ROWS)} cases = ${s.cases}`,
    `${s.mismatches.length} mismatches${forms > 0 ? ` in ${forms} forms` : ""}`,
    `${s.unsteady} differences that a second run did not have`,
    `${EXEMPTIONS.length} exemptions, of which ${s.used.size} hid a difference`,
    `seed ${oracleSeed()}, jit ${oracleJit()}`,
    nativeCpu(),
  ].join(", ");
}

/** A line for each exemption that hid a difference: in how many cases. */
export function exemptedLines({ used }: Summary): string[] {
  return [...used]
    .sort(([, a], [, b]) => b - a)
    .map(
      ([{ name, vendor }, cases]) => `${cases} × exempt: ${vendor === undefined ? "" : `${vendor}, `}${name}`,
    );
}
