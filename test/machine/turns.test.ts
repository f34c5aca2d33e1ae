/** Whose turn it is among CPUs, in units of no clock: fairness, precedence of those that were interrupted, waiting. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CpuSlot } from "../../src/machine/cpu-slot.js";
import { Turns } from "../../src/machine/turns.js";

const SHARE = 100;

function cpus(count: number): { turns: Turns; slots: CpuSlot[] } {
  const turns = new Turns(SHARE);
  const slots = Array.from({ length: count }, (_, id) => new CpuSlot(id, "ready"));
  for (const slot of slots) turns.arrive(slot);
  return { turns, slots };
}

/** Runs whoever's turn it is, `cost` units at a time at most; who ran, each change once. */
function run(turns: Turns, units: number, cost: number): number[] {
  const order: number[] = [];
  for (let left = units; left > 0;) {
    const turn = turns.next();
    assert.ok(turn !== undefined);
    const spent = Math.min(cost, left, turns.left);
    turns.charge(turn.slot, spent);
    left -= spent;
    if (order.at(-1) !== turn.slot.id) order.push(turn.slot.id);
  }
  return order;
}

test("R3.4 CPUs that are all busy use the same time, however it is cut up", () => {
  for (const cost of [1, 7, 60, 1000]) {
    const { turns, slots } = cpus(4);
    run(turns, 40 * SHARE, cost);
    for (const { used } of slots) assert.ok(Math.abs(used - 10 * SHARE) <= SHARE, `${used} of ${cost}`);
  }
});

test("R3.4 how slices are cut changes nobody's turn", () => {
  const order = (cost: number): number[] => run(cpus(3).turns, 20 * SHARE, cost);
  assert.deepEqual(order(1), order(1000));
  assert.deepEqual(order(33), order(1000));
});

test("R3.4 one that is alone has no end of its turn; another that arrives gets its own within a share", () => {
  const { turns, slots } = cpus(2);
  turns.depart(slots[1]);
  assert.equal(turns.next()?.slot, slots[0]);
  assert.equal(turns.left, Infinity);
  turns.charge(slots[0], 50 * SHARE);
  turns.arrive(slots[1]);
  assert.deepEqual(run(turns, 2 * SHARE, 1000), [0, 1]);
});

test("R3.4 the one that was interrupted is next, then whoever's turn it was", () => {
  const { turns, slots } = cpus(8);
  run(turns, 80 * SHARE, 1000);
  const before = turns.next()?.slot.id;
  turns.interrupt(slots[6]);
  turns.interrupt(slots[3]);
  assert.equal(turns.next()?.slot.id, before === 6 ? 3 : 6);
  turns.charge(slots[6], 1);
  turns.depart(slots[6]);
  assert.equal(turns.next()?.slot.id, 3);
});

test("R3.4 two that interrupt each other for ever leave the third its third", () => {
  const { turns, slots } = cpus(3);
  for (let i = 0; i < 3000; i++) {
    const slot = turns.next()?.slot;
    assert.ok(slot !== undefined);
    const cost = Math.min(10, turns.left);
    turns.charge(slot, cost);
    if (slot.id === 2) continue;
    // It wakes the other and sleeps.
    turns.depart(slot);
    turns.arrive(slots[1 - slot.id]);
    turns.interrupt(slots[1 - slot.id]);
  }
  const total = slots.reduce((sum, { used }) => sum + used, 0);
  assert.ok(slots[2].used > total / 4, `${slots[2].used} of ${total}`);
});

test("R3.4 one that only waits goes behind all others, and costs them next to nothing", () => {
  const { turns, slots } = cpus(4);
  let spun = 0;
  let worked = 0;
  while (worked < 100 * SHARE) {
    const slot = turns.next()?.slot;
    assert.ok(slot !== undefined);
    if (slot.id === 2) {
      const cost = Math.min(20, turns.left);
      turns.charge(slot, cost);
      worked += cost;
    } else {
      turns.charge(slot, 1);
      spun++;
      turns.wait();
    }
  }
  assert.ok(spun < worked / 20, `${spun} spent waiting, ${worked} working`);
  assert.equal(slots[2].used, worked);
});

test("R3.4 sleeping saves no time up", () => {
  const { turns, slots } = cpus(2);
  turns.depart(slots[1]);
  run(turns, 50 * SHARE, 10);
  turns.arrive(slots[1]);
  turns.interrupt(slots[1]);
  const before = slots[0].used;
  run(turns, 10 * SHARE, 10);
  assert.ok(Math.abs(slots[0].used - before - 5 * SHARE) <= SHARE);
});
