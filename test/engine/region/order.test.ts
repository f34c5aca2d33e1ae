/** The shape of region graphs: which edges go back and how, and how many instructions run between two checks. */
import assert from "node:assert/strict";
import test from "node:test";
import { orderGraph } from "../../../src/engine/region/order.js";

test("R3.10 a loop continues its head, which looks at the budget of one turn and of the way behind it", () => {
  //  0 → 1 ⟲ → 2
  const order = orderGraph([[1], [1, 2], []], [3, 5, 7], [0]);
  assert.deepEqual(order.sequence, [0, 1, 2]);
  assert.equal(order.kind(1, 1), "loop");
  assert.equal(order.kind(0, 1), "forward");
  assert.deepEqual([...order.loopHeads], [1]);
  assert.deepEqual(order.rootTargets, [0, 1]);
  assert.deepEqual(Object.fromEntries(order.checks), { 0: 3, 1: 12 });
});

test("R3.10 an inner loop stays a loop, the outer one goes through the dispatcher", () => {
  //  0 → 1 → 2 ⟲ → 3 → 1, 3 → 4: the inner head is an entry, so that 1 does not dominate 3
  const order = orderGraph([[1], [2], [2, 3], [1, 4], []], [1, 1, 1, 1, 1], [0]);
  assert.equal(order.kind(2, 2), "loop");
  assert.equal(order.kind(3, 1), "dispatch");
  assert.ok(order.rootTargets.includes(1));
  assert.deepEqual(order.checks.get(2), 3);
});

test("R3.10 where ways join is the child of what leads to both", () => {
  //  0 → 1, 2; both → 3
  const order = orderGraph([[1, 2], [3], [3], []], [1, 10, 20, 1], [0]);
  assert.deepEqual([...order.children[0]].sort(), [1, 2, 3]);
  assert.equal(order.checks.get(0), 22);
});

test("R3.10 a node that no entry leads to has no position", () => {
  const order = orderGraph([[], [0]], [1, 1], [0]);
  assert.deepEqual(order.position, [0, -1]);
});
