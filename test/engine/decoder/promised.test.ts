/**
 * What CPUID announces must execute: the table's forms and the engine's semantics against the CPUID policy, and the
 * page that lists them.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { isImplemented } from "../../../src/engine/wasm/interpreter.js";
import { OPERATIONS } from "../../../src/engine/x86/operands.js";
import { HELPERS } from "../../../src/engine/x86/system/delegates.js";
import { HELPER_NAMES } from "../../../src/engine/x86/semantics/delegated.js";
import { PSEUDO_OPERATIONS } from "../../../src/engine/x86/pseudo-operations.js";
import { DEFAULT_CPU_FEATURES } from "../../../src/x86/cpu-features.js";
import { instructionPage, instructionRows } from "../../../tools/instruction-list.js";
import { repositoryText } from "../../support/repository.js";

test("R6.1 every instruction that CPUID announces has semantics", () => {
  const promised = instructionRows().filter((row) =>
    row.switches.every((name) => DEFAULT_CPU_FEATURES[name]),
  );
  assert.ok(promised.length > 500, `${promised.length} forms`);
  assert.deepEqual(
    promised.filter((row) => row.state === "missing").map((row) => `${row.opcode} ${row.mnemonic}`),
    [],
  );
});

test("R6.1 a form without semantics belongs to a CPUID switch that is off", () => {
  for (const row of instructionRows().filter((r) => r.state === "missing")) {
    assert.ok(
      row.switches.some((name) => !DEFAULT_CPU_FEATURES[name]),
      `${row.opcode} ${row.mnemonic}`,
    );
  }
});

test("the interpreter's own list of what it executes agrees with the table's states", () => {
  const pseudo = new Set<string>(PSEUDO_OPERATIONS);
  const missing = new Set(
    OPERATIONS.list.filter((o) => !isImplemented(o) && !pseudo.has(o.mnemonic)).map((o) => o.mnemonic),
  );
  const rows = instructionRows().filter((row) => row.state === "missing");
  assert.deepEqual([...missing].sort(), [...new Set(rows.map((row) => row.mnemonic))].sort());
});

test("every mnemonic that is handed to a helper has one", () => {
  assert.deepEqual(
    HELPER_NAMES.filter((name) => !(name in HELPERS)),
    [],
  );
});

test("docs/instructions.md is current: node dist/tools/instruction-list.js writes it", () => {
  assert.equal(repositoryText("docs/instructions.md"), instructionPage());
});
