/** R2.3 R4.3 some hundred files of this host's root: each is described or refused, none is too much. */
import assert from "node:assert/strict";
import test from "node:test";
import { inspectAll, LIBRARIES, PROGRAMS, rootFiles } from "./inspect-root.js";

const SAMPLE = 150;

for (const [what, folders] of [
  ["programs", PROGRAMS],
  ["libraries and what lies beside them", LIBRARIES],
] as const) {
  test(`R2.3 R4.3 ${SAMPLE} files of this host's root are inspected: ${what}`, async (t) => {
    const files = rootFiles(folders);
    const step = Math.max(1, Math.floor(files.length / SAMPLE));
    const counts = await inspectAll(files.filter((_, i) => i % step === 0).slice(0, SAMPLE));
    t.diagnostic(`${files.length} files; by status: ${JSON.stringify([...counts])}`);
    assert.ok(files.length > 0);
  });
}
