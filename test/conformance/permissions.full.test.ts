/** The whole permission matrix on the built-in engine: some hundred thousand accesses; the first tier takes a sample. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { permissionGuests } from "./cases/permissions.js";
import { differencesOnEngine } from "./suite.js";

const engine = createWasmEngine();
for (const guest of permissionGuests(1)) {
  test(`R6.1 permission matrix, every cell: ${guest.name} (${guest.cites})`, () => {
    assert.deepEqual(differencesOnEngine(engine, guest), []);
  });
}
