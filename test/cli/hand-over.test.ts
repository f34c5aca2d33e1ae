/** R1.10 R6.2 When a guest gets its command: once, whatever it says, and no later than its machine was copied. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { HandOver, type Keeper } from "../../src/cli/run/hand-over.js";
import type { RunGuest } from "../../src/cli/run/guest.js";
import { KeptMachines } from "../../src/cli/run/warm/folder.js";
import { roomToKeep } from "../../src/cli/run/warm/keeping.js";
import type { MachineCopy } from "../../src/snapshot/write.js";
import { scratch } from "../support/built-tree.js";

const COPY: MachineCopy = { sections: [], pages: new Uint8Array(0) };
const LONG_MS = 60_000;

/** A guest whose clock is the test's, and what was done to it. */
function started(t: TestContext, take?: Keeper["take"]): { done: string[]; handOver: HandOver } {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const done: string[] = [];
  const note = (what: string) => () => void done.push(what);
  const keeper = take && { most: 1, take };
  const handOver = new HandOver({ keeper, save: note("save"), give: note("give") });
  t.after(() => handOver.close());
  return { done, handOver };
}

test("R1.10 hand over: at once where nothing is kept, or what is kept would be alike in each run", (t) => {
  const nothing = started(t);
  nothing.handOver.waiting(false);
  assert.deepEqual(nothing.done, ["give"]);
  t.mock.timers.reset();
  const alike = started(t, () => Promise.resolve());
  alike.handOver.waiting(true);
  assert.deepEqual(alike.done, ["give"]);
});

test("R6.2 hand over: a guest that says again and again that it waits is copied once and told once", (t) => {
  let taken = 0;
  const { done, handOver } = started(t, () => Promise.resolve(void taken++));
  for (let i = 0; i < 1000; i++) handOver.waiting(i % 2 === 1);
  assert.deepEqual(done, ["save"]);
  assert.equal(handOver.copied(COPY), true);
  handOver.waiting(false);
  assert.equal(handOver.copied(COPY), false);
  handOver.now();
  assert.deepEqual([done, taken], [["save", "give"], 1]);
});

test("R1.10 hand over: a copy that has begun is waited for, however long; one that does not begin is not, and comes too late then", (t) => {
  const long = started(t, () => Promise.resolve());
  long.handOver.waiting(false);
  long.handOver.copying();
  t.mock.timers.tick(LONG_MS);
  assert.deepEqual(long.done, ["save"]);
  assert.equal(long.handOver.copied(COPY), true);
  t.mock.timers.reset();
  const never = started(t, () => Promise.reject(new Error("of no use")));
  never.handOver.waiting(false);
  t.mock.timers.tick(LONG_MS);
  assert.deepEqual(never.done, ["save", "give"]);
  assert.equal(never.handOver.copied(COPY), false);
});

test("R1.10 hand over: who is not to wait any longer does not wait for a medium that hangs", async (t) => {
  const { handOver } = started(t, () => new Promise(() => undefined));
  handOver.waiting(false);
  handOver.copied(COPY);
  const abort = new AbortController();
  const kept = handOver.kept(abort.signal);
  abort.abort();
  await kept;
  await handOver.kept(abort.signal);
});

test("R1.10 hand over: a machine that cannot be kept is not copied, by the limit", async (t) => {
  const folder = scratch(t);
  const machines = KeptMachines.open(folder);
  assert.ok(machines);
  const guest = { seen: [] } as unknown as RunGuest;
  const keep = { machines, key: "a".repeat(64), what: "", named: undefined };
  assert.deepEqual(roomToKeep(keep, guest), { most: machines.limit.bytes });
  await machines.setLimit({ count: 0, bytes: 1e9 });
  const { most, notKept } = roomToKeep(keep, guest);
  assert.equal(most, 0);
  assert.match(notKept ?? "", /locore cache limit/);
  await machines.setLimit({ count: 1, bytes: 1e9 });
  assert.deepEqual(roomToKeep(keep, guest), { most: 1e9 });
});
