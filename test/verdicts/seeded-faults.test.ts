/** R2.3 broken kernels: whatever field is wrong, somebody names it, at its offset. */
import assert from "node:assert/strict";
import test from "node:test";
import { ownRefusals, ownVerdicts } from "../../src/boot/own-verdicts.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise } from "../../src/formats/index.js";
import { verdicts, x86Verdicts, type Verdict } from "../../src/verdicts/index.js";
import { brokenKernels } from "./x86-collection.js";

/** What inspect says of a file. */
function inspected(bytes: Uint8Array): Verdict[] {
  try {
    const image = recognise(bytes);
    return [...verdicts(image), ...ownVerdicts(image)];
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return [...x86Verdicts(bytes, undefined), ...ownRefusals(error)];
  }
}

test("R2.3 at least 40 seeded faults, each of another field", () => {
  const names = brokenKernels().map(({ name }) => name);
  assert.ok(new Set(names).size === names.length && names.length >= 40, `${names.length}`);
});

for (const { name, bytes, offset } of brokenKernels()) {
  test(`R2.3 ${name}: named at its offset`, () => {
    const all = inspected(bytes);
    // bhyve loads no kernels: it says so at offset 0 of every file.
    const named = all.filter(
      ({ check, outcome, loader }) =>
        outcome !== "takes" && loader.name !== "bhyve" && check?.offset === offset,
    );
    const offsets = all.map(
      ({ loader, check }) => `${loader.name} ${check?.offset ?? "takes"}: ${check?.found ?? ""}`,
    );
    assert.ok(named.length > 0, `wanted ${offset}:\n${offsets.join("\n")}`);
    for (const { check } of named)
      assert.ok(check !== undefined && check.found.length > 0 && check.expected.length > 0);
  });
}
