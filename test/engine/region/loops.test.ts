/** What compiled loops keep from one turn to the next, and when they have to let go of it. */
import assert from "node:assert/strict";
import test from "node:test";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import { pagingGuests } from "../../conformance/cases/paging.js";
import { differencesOnEngine } from "../../conformance/suite.js";

test("R3.10 a loop forgets the pages that it has translated when CLAC forbids them", () => {
  const guest = pagingGuests().find(({ name }) => name.includes("SMAP"));
  assert.ok(guest);
  assert.deepEqual(differencesOnEngine(createWasmEngine({ jit: "on" }), guest), []);
});
