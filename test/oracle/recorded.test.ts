/**
 * The engine against vectors that were recorded on real CPUs of each maker: on every host, whatever its CPU and system,
 * interpreted and, one of a few, compiled (`oracle.full.test.ts` compiles all). They are recorded anew with `node dist/test/oracle/record.js` on x86-64 Linux; `record.ts`
 * says what is kept.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { everyForm } from "../../src/engine/x86/table/forms.js";
import { allForms } from "./all-forms.js";
import { recordedIn, replay } from "./replay.js";
import { describe } from "./report.js";
import { VECTOR_FILES } from "./vector-files.js";
import { VENDORS } from "./vendor.js";
import type { Vendor } from "./vendor.js";

const FORMS = everyForm();

const SHOWN = 10;
/** One vector of so many is compiled: a module takes milliseconds. */
const COMPILED_OF = 8;
const SHA = ["sha1nexte", "sha1msg1", "sha1msg2", "sha1rnds4", "sha256rnds2", "sha256msg1", "sha256msg2"];
/** What the CPU of each maker's that was recorded does not announce. */
const NOT_RECORDED: Readonly<Record<Vendor, readonly string[]>> = {
  AMD: ["monitor", "mwait"],
  Intel: ["monitor", "mwait", ...SHA],
};
const files = VECTOR_FILES.map((file) => ({ ...file, recorded: recordedIn(file.url) }));

for (const { vendor, name, recorded } of files) {
  for (const jit of ["off", "eager"] as const) {
    const how = jit === "off" ? "" : ", compiled";
    test(`R6.1 ${name} instructions do what they did on the ${vendor} CPU that was recorded${how}`, () => {
      const list = recorded.list.filter((_, i) => jit === "off" || i % COMPILED_OF === 0);
      assert.equal(recorded.vendor, vendor, "the first line names the CPU of the folder's maker");
      assert.ok(list.length > 0);
      const mismatches = replay(list, vendor, createWasmEngine({ jit }));
      const text = mismatches.slice(0, SHOWN).map(describe).join("\n");
      assert.equal(mismatches.length, 0, `${mismatches.length} of ${list.length} vectors differ\n${text}`);
    });
  }
}

for (const maker of VENDORS) {
  test(`R6.1 every line of the table that can be compared has vectors recorded on a CPU of ${maker}`, () => {
    const lists = files.filter(({ vendor }) => vendor === maker).map(({ recorded }) => recorded.list);
    const there = new Set(lists.flatMap((list) => list.flatMap((v) => v.form.covers)));
    const plain = allForms().filter((form) => !form.segmented);
    const missing = plain.flatMap((form) => form.covers).filter((id) => !there.has(id));
    const text = [...new Set(missing)]
      .filter((id) => !NOT_RECORDED[maker].includes(FORMS[id].mnemonic))
      .map((id) => `${FORMS[id].mnemonic} (line ${id})`);
    assert.deepEqual(text, [], "record anew");
  });
}
