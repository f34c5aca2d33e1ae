/** The timer queue: order, ties, cancelling, and a device that never stops arming. */
import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { TimerQueue } from "../../src/machine/timers.js";

test("R3.2 timers fire by deadline, equal deadlines in the order they were armed", () => {
  const fired: string[] = [];
  const timers = new TimerQueue();
  for (const [name, deadline] of [
    ["late", 30],
    ["first", 10],
    ["tie a", 20],
    ["tie b", 20],
  ] as const) {
    timers.schedule(deadline, () => fired.push(name));
  }
  assert.equal(timers.nextDeadline, 10);
  assert.equal(timers.fireDue(20), 3);
  assert.deepEqual(fired, ["first", "tie a", "tie b"]);
  assert.equal(timers.nextDeadline, 30);
});

test("R3.2 a cancelled timer does not fire; cancelling twice, or after it fired, is harmless", () => {
  const fired: number[] = [];
  const timers = new TimerQueue();
  const one = timers.schedule(1, () => fired.push(1));
  const two = timers.schedule(2, () => fired.push(2));
  timers.cancel(one);
  timers.cancel(one);
  timers.fireDue(5);
  timers.cancel(two);
  assert.deepEqual(fired, [2]);
  assert.equal(timers.size, 0);
  assert.equal(timers.nextDeadline, undefined);
});

test("R3.2 any mixture of arming and cancelling fires exactly the rest, sorted", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ deadline: fc.nat(50), cancel: fc.boolean() }), { maxLength: 200 }),
      (entries) => {
        const timers = new TimerQueue();
        const fired: [number, number][] = [];
        const handles = entries.map(({ deadline }, i) =>
          timers.schedule(deadline, () => fired.push([deadline, i])),
        );
        entries.forEach(({ cancel }, i) => cancel && timers.cancel(handles[i]));
        timers.fireDue(50);
        const expected = entries
          .map(({ deadline, cancel }, i) => ({ deadline, cancel, i }))
          .filter(({ cancel }) => !cancel)
          .sort((a, b) => a.deadline - b.deadline || a.i - b.i)
          .map(({ deadline, i }) => [deadline, i]);
        assert.deepEqual(fired, expected);
      },
    ),
  );
});

test("R3.2 a device that arms a timer in the past from its callback cannot hold the machine", () => {
  const timers = new TimerQueue();
  let calls = 0;
  const again = (): void => {
    calls++;
    timers.schedule(0, again);
  };
  timers.schedule(0, again);
  assert.equal(timers.fireDue(100), 1);
  assert.equal(calls, 1);
  assert.equal(timers.size, 1);
});

test("R3.2 arming a timer before all others says so, once", () => {
  let earlier = 0;
  const timers = new TimerQueue(() => earlier++);
  timers.schedule(10, () => undefined);
  timers.schedule(20, () => undefined);
  assert.equal(earlier, 1);
  timers.schedule(5, () => undefined);
  assert.equal(earlier, 2);
});

test("R3.2 a deadline that is no number is refused", () => {
  assert.throws(() => new TimerQueue().schedule(NaN, () => undefined), RangeError);
});
