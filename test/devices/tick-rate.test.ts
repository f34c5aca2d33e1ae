/** Conversion between clock and oscillator ticks, against exact integers. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ticksAt, timeOfTick } from "../../src/devices/time/tick-rate.js";

const NS = 1_000_000_000n;
const rates = fc.integer({ min: 1, max: 8_000_000_000 });

test("R3.2 ticks of a clock are the exact quotient, rounded down", () => {
  const day = 86_400_000_000_000;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: day }), rates, (ns, hz) => {
      assert.equal(ticksAt(ns, hz), Number((BigInt(ns) * BigInt(hz)) / NS));
    }),
    { numRuns: 2000, seed: 1 },
  );
});

test("R3.2 the time of a tick is the first nanosecond that has it", () => {
  const seconds = fc.integer({ min: 0, max: 1_000_000 });
  const fraction = fc.integer({ min: 0, max: 999_999_999 });
  fc.assert(
    fc.property(seconds, fraction, rates, (whole, part, hz) => {
      const ticks = whole * hz + Number((BigInt(part) * BigInt(hz)) / NS);
      assert.equal(timeOfTick(ticks, hz), Number((BigInt(ticks) * NS + BigInt(hz) - 1n) / BigInt(hz)));
    }),
    { numRuns: 2000, seed: 2 },
  );
});
