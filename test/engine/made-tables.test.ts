/** The tables that the build keeps are those that the listings say. */
import assert from "node:assert/strict";
import test from "node:test";
import { makeOperations } from "../../src/engine/x86/make-operations.js";
import { OPERATIONS } from "../../src/engine/x86/operands.js";
import { everyForm } from "../../src/engine/x86/table/forms.js";
import { parseForms } from "../../src/engine/x86/table/parse-forms.js";

const FORMS = everyForm();

/** What is undefined is absent in JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("the forms and operations of a start are those that the listings of instructions say", () => {
  const forms = parseForms();
  assert.deepEqual(plain(FORMS), plain(forms));
  assert.deepEqual(OPERATIONS.list, makeOperations(forms).list);
});
