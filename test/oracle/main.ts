/**
 * `npm run test:oracle`: every form against this host's CPU. `LOCORE_ORACLE_SEED`, `LOCORE_ORACLE_ROWS` (cases a
 * form), `LOCORE_ORACLE_FORMS` (a regular expression of names) and `LOCORE_ORACLE_JIT` (`eager`: compiled) choose; exits
 * with 1 on a mismatch.
 */
import { nativeMissing } from "./native.js";
import { describe } from "./report.js";
import { exemptedLines, runAll, summaryLine } from "./run-all.js";
import type { Mismatch } from "./run.js";

/** Forms whose first mismatch is shown. */
const SHOWN = 100;

function main(): number {
  const missing = nativeMissing();
  if (missing !== undefined) {
    console.log(`oracle: skipped, ${missing}`);
    return 0;
  }
  const started = performance.now();
  const summary = runAll();
  const byForm = new Map<string, Mismatch[]>();
  for (const m of summary.mismatches) byForm.set(m.form.name, [...(byForm.get(m.form.name) ?? []), m]);
  for (const of of [...byForm.values()].slice(0, SHOWN)) console.log(`${of.length} × ${describe(of[0])}`);
  for (const line of exemptedLines(summary)) console.log(line);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${summaryLine(summary)}, ${seconds} s`);
  return summary.mismatches.length === 0 ? 0 : 1;
}

process.exitCode = main();
