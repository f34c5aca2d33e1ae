/** How long a CPU runs before somebody looks again: fast guests get more, a guest that turns slow gets less at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClock } from "../../src/machine/clock.js";
import { SliceMeter } from "../../src/machine/slice.js";

const MS = 1e6;
const CLOCK = { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 };

function meter(): SliceMeter {
  return new SliceMeter(createClock(CLOCK, () => 0));
}

test("R3.2 a guest that is faster than expected gets longer slices little by little", () => {
  const slices = meter();
  const first = slices.budget(undefined, Infinity, Infinity);
  slices.measured(1_000_000, MS);
  const second = slices.budget(undefined, Infinity, Infinity);
  for (let i = 0; i < 50; i++) slices.measured(1_000_000, MS);
  const last = slices.budget(undefined, Infinity, Infinity);
  assert.ok(first < second && second < last, `${first} ${second} ${last}`);
  assert.ok(
    Math.abs(last - 1_000_000) < 10_000,
    `${last} instructions for a millisecond of a thousand million a second`,
  );
});

test("isolation: one slow slice makes the next one short", () => {
  const slices = meter();
  for (let i = 0; i < 50; i++) slices.measured(1_000_000, MS);
  slices.measured(100_000, 100 * MS);
  assert.equal(slices.budget(undefined, Infinity, Infinity), 1000);
});

test("a guest whose first slices are too short to measure is measured by several", () => {
  const slices = meter();
  const first = slices.budget(undefined, Infinity, Infinity);
  // 20,000 elements of a repeated string instruction take a few microseconds.
  for (let i = 0; i < 100; i++) slices.measured(first, first / 4);
  assert.ok(slices.budget(undefined, Infinity, Infinity) > 100 * first);
});
