/** Both modes of the clock. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { createClock } from "../../src/machine/clock.js";

const rates = { tscHz: 2.5e9, apicHz: 1e9, rtcStart: 0 };

test("R3.2 real time counts from power-on, never backwards, and the TSC follows it exactly", () => {
  let host = 1e12;
  const clock = createClock(rates, () => host);
  assert.equal(clock.now(), 0);
  host += 1000.75;
  assert.equal(clock.now(), 1000);
  assert.equal(clock.tsc(0), 2500);
  host -= 500;
  assert.equal(clock.now(), 1000);
  assert.equal(clock.skipTo(5000), false);
});

test("R3.2 deterministic time is instructions times the period, exact in the middle of a run", () => {
  const clock = createClock({ ...rates, deterministic: { nsPerInstruction: 10 } }, () =>
    assert.fail("host time"),
  );
  let executed = 0;
  clock.beginRun(() => executed);
  executed = 7;
  assert.equal(clock.now(), 70);
  assert.equal(clock.tsc(8), 200);
  clock.endRun(9);
  assert.equal(clock.now(), 90);
  assert.equal(clock.instructionsUntil(101), 2);
  assert.equal(clock.instructionsUntil(0), 1);
});

test("R3.2 deterministic idle time is skipped to the deadline and counts on from there", () => {
  const clock = createClock({ ...rates, deterministic: { nsPerInstruction: 10 } }, () => 0);
  clock.endRun(5);
  assert.equal(clock.skipTo(1234), true);
  assert.equal(clock.now(), 1234);
  clock.endRun(1);
  assert.equal(clock.now(), 1244);
  assert.equal(clock.skipTo(1000), true);
  assert.equal(clock.now(), 1244);
});

test("R3.2 a period that is not a positive number is refused", () => {
  assert.throws(() => createClock({ ...rates, deterministic: { nsPerInstruction: 0 } }, () => 0), RangeError);
});
