/**
 * Handlers as text: the IR of a few instructions of every kind beside test/fixtures/handlers.txt, so that a change of
 * the builders shows as a difference a person can judge. LOCORE_UPDATE_GOLDEN=1 rewrites the file.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { printFunction } from "../../../src/engine/ir/print.js";
import { HANDLER_SIGNATURE, HandlerBuilder } from "../../../src/engine/wasm/handler-builder.js";
import { isImplemented } from "../../../src/engine/wasm/interpreter.js";
import { lowerFunction } from "../../../src/engine/wasm/lower.js";
import { OPERATIONS, type Operation } from "../../../src/engine/x86/operands.js";
import { SEMANTICS } from "../../../src/engine/x86/semantics/index.js";
import { repositoryRoot, repositoryText } from "../../support/repository.js";

const FIXTURE = "test/fixtures/handlers.txt";

/** Memory and register operands, flags, a branch, the stack, a shift whose count may be 0, a vector, a helper. */
const KEYS = [
  "mov.4 b4,a4",
  "add.8 a8,m8 mem",
  "add.4 m4,i mem",
  "cmp.4 b4,a4",
  "jne.8 r",
  "shl.4 b4,i",
  "push.8 b8",
  "lea.8 a8,m8 mem",
  "pxor.16 xa16,xb16",
  "mova.16 xa16,m16a mem",
  "cpuid.0",
];

/** Helpers have no stable numbers; the golden text needs none. */
const HELPER_NUMBER = 0;

function handler(operation: Operation): HandlerBuilder {
  const b = new HandlerBuilder(operation.key, HANDLER_SIGNATURE, () => HELPER_NUMBER);
  b.begin(operation);
  SEMANTICS[operation.mnemonic](b, operation);
  b.end();
  return b;
}

test("the handlers of a few instructions read as test/fixtures/handlers.txt says", () => {
  const text = KEYS.map((key) => printFunction(handler(OPERATIONS.named(key)).finish())).join("\n");
  if (process.env["LOCORE_UPDATE_GOLDEN"] === "1") writeFileSync(path.join(repositoryRoot, FIXTURE), text);
  assert.equal(text, repositoryText(FIXTURE));
});

test("every handler prints without an unknown value, and lowers", () => {
  const names = { functionIndex: () => 0, typeIndex: () => 0 };
  let handlers = 0;
  for (const operation of OPERATIONS.list.filter(isImplemented)) {
    const f = handler(operation).finish();
    assert.ok(!printFunction(f).includes("?"), operation.key);
    assert.ok(lowerFunction(f, names).bytes.length > 2, operation.key);
    handlers++;
  }
  assert.ok(handlers > 800, `${handlers} handlers`);
});

test("no two operations have one key, and each has its place in the list as its number", () => {
  const keys = OPERATIONS.list.map((operation) => operation.key);
  assert.equal(new Set(keys).size, keys.length);
  OPERATIONS.list.forEach((operation, id) => assert.equal(operation.id, id));
});
