/** What a region loads when it is entered and writes back when it is left. */
import assert from "node:assert/strict";
import test from "node:test";
import { analyse } from "../../../src/engine/region/dataflow.js";
import { WORDS, type Pending } from "../../../src/engine/region/flags.js";
import type { NodeCode } from "../../../src/engine/region/region-builder.js";
import type { Stub } from "../../../src/engine/region/region-exits.js";
import { FLAG_WORDS } from "../../../src/engine/region/registers.js";

const [RAX, RCX, RDX] = [1, 2, 4];

function stub(changed: number, defined: number, pending: Pending = WORDS): Stub {
  const destination = { kind: "target" } as const;
  const page = { distance: 0, ramOffset: 0 };
  const label = { name: "x" };
  return { label, page, destination, always: true, completed: 1, pending, changed, defined, chained: false };
}

function node(used: number, stubs: Stub[], edges: NodeCode["edges"]): NodeCode {
  return { statements: [], used, stubs, edges };
}

test("R3.10 a way out writes back what any way to it has changed", () => {
  const left = node(0, [], [{ to: 2, changed: RAX, defined: RAX }]);
  const right = node(0, [], [{ to: 2, changed: RCX, defined: RCX }]);
  const join = node(0, [stub(RDX, RDX)], []);
  const flow = analyse([left, right, join]);
  assert.equal(flow.dirty(2, join.stubs[0]), RAX | RCX | RDX);
  // What the other way changed must be loaded, or it would be written back as nothing.
  assert.deepEqual(flow.live, [RCX, RAX, RAX | RCX]);
});

test("R3.10 a register that is written before it is read is not loaded", () => {
  const only = node(RCX, [stub(RAX, RAX)], []);
  assert.deepEqual(analyse([only]).live, [RCX]);
});

test("R3.10 flags whose operands are known are written by the way out itself", () => {
  const known = stub(RAX | FLAG_WORDS, RAX, { ...WORDS, source: "logic" });
  const only = node(0, [known], []);
  assert.equal(analyse([only]).dirty(0, known), RAX);
});

test("R3.10 changes go round a loop", () => {
  const loop = node(RCX, [stub(0, 0)], [{ to: 0, changed: RAX, defined: RAX }]);
  const flow = analyse([loop]);
  assert.equal(flow.dirty(0, loop.stubs[0]), RAX);
  assert.deepEqual(flow.live, [RAX | RCX]);
});
