/**
 * The engine against vectors that were recorded on a real CPU: on every host, whatever its CPU and system. They are
 * recorded anew with `node dist/test/oracle/record.js` on x86-64 Linux; `record.ts` says what is kept.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { FORMS } from "../../src/engine/x86/table/forms.js";
import { allForms } from "./all-forms.js";
import { EngineRunner } from "./engine.js";
import { normalise } from "./linux.js";
import { describe } from "./report.js";
import { unexplained } from "./run.js";
import type { Mismatch } from "./run.js";
import { runCases } from "./slots.js";
import { VECTOR_FILES, readVectors } from "./vector-files.js";
import type { NamedVector } from "./vector-files.js";

const SHOWN = 10;
/** What the CPU that was recorded does not announce. */
const NOT_RECORDED = new Set(["monitor", "mwait"]);
const forms = new Map(allForms().map((form) => [form.name, form]));
const vectors = VECTOR_FILES.map((file) => ({ name: file.name, list: readVectors(file.url, forms) }));
const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The mismatches of some vectors. */
function replay(list: readonly NamedVector[]): Mismatch[] {
  const mismatches: Mismatch[] = [];
  const engine = new EngineRunner(createWasmEngine());
  try {
    runCases(
      list,
      (batch) => engine.run(batch),
      (i, result) => {
        const { form, code, record, result: recorded } = list[i];
        normalise(view(result));
        const finished = { form, code, before: view(record), host: view(recorded), ours: view(result) };
        const fields = unexplained(finished);
        if (fields.size > 0) mismatches.push({ form, row: i, fields, finished });
      },
    );
  } finally {
    engine.dispose();
  }
  return mismatches;
}

for (const { name, list } of vectors) {
  test(`R6.1 ${name} instructions do what they did on the CPU that was recorded`, () => {
    assert.ok(list.length > 0);
    const mismatches = replay(list);
    const text = mismatches.slice(0, SHOWN).map(describe).join("\n");
    assert.equal(mismatches.length, 0, `${mismatches.length} of ${list.length} vectors differ\n${text}`);
  });
}

test("R6.1 every line of the table that can be compared has recorded vectors", () => {
  const recorded = new Set(vectors.flatMap(({ list }) => list.flatMap((v) => v.form.covers)));
  const plain = [...forms.values()].filter((form) => !form.segmented);
  const missing = plain.flatMap((form) => form.covers).filter((id) => !recorded.has(id));
  const text = [...new Set(missing)]
    .filter((id) => !NOT_RECORDED.has(FORMS[id].mnemonic))
    .map((id) => `${FORMS[id].mnemonic} (line ${id})`);
  assert.deepEqual(text, [], "record anew");
});
