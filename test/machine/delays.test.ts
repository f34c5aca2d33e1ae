/**
 * The delay guest's table in real time: a guest that waits by one clock finds as much time gone on every other, however busy the host
 * is, because all of them are read from one function.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { Machine } from "../../src/machine/machine.js";
import { PM_TIMER } from "../../src/spec/acpi-pm.js";
import { PIT_HZ } from "../../src/spec/i8254.js";
import { TestConsole } from "../support/fake-machine.js";
import {
  CLOCKS,
  delayGuest,
  MEASURING,
  readRow,
  RTC_PERIODIC_HZ,
  type ClockName,
  type Delay,
} from "./delay-guest.js";

const DELAYS_US = [20, 100, 1000];
const TIMES = 1000;
const US_PER_SECOND = 1e6;
const NS_PER_MS = 1e6;
const TOLERANCE = 0.01;

test("R3.2 real time: a thousand delays of 20, 100 and 1,000 µs by each clock take as long by every other", async (t) => {
  const rates: Record<ClockName, number> = {
    pit: PIT_HZ,
    pm: PM_TIMER.hz,
    lapic: 0,
    tsc: 0,
    rtc: RTC_PERIODIC_HZ,
  };
  const plan = (delays: readonly Delay[]): ReturnType<typeof buildPlan> =>
    buildPlan({ kernel: { name: "delays", bytes: delayGuest(delays) }, memory: 0x800000, cpus: 1 });
  const { clock } = plan([]);
  assert.equal(clock.deterministic, undefined);
  rates.lapic = clock.apicHz;
  rates.tsc = clock.tscHz;
  const us = (name: ClockName, ticks: number): number => (ticks / rates[name]) * US_PER_SECOND;
  const delays = CLOCKS.flatMap((name) =>
    DELAYS_US.map((delay): Delay => {
      const ticks = Math.max(1, Math.round((delay * rates[name]) / US_PER_SECOND));
      return { clock: name, ticks, times: TIMES };
    }),
  );
  const machine = new Machine({
    plan: plan(delays),
    engine: await loadEngine("wasm", {}),
    console: new TestConsole(),
    hostNow: () => performance.now() * NS_PER_MS,
  });
  try {
    while (machine.step().state === "ran");
    assert.equal(machine.end?.route, "debug-exit", machine.end?.reason);
    const rows = delays.map((_, i) =>
      readRow((address, length) => machine.memory.read(address, length), i, TIMES),
    );
    /** What a poll by another clock took in the same delay as that of row `i`, µs. */
    const pollOf = (name: ClockName, i: number): number =>
      us("tsc", rows[CLOCKS.indexOf(name) * DELAYS_US.length + (i % DELAYS_US.length)].poll);
    for (const [i, { clock: by, ticks }] of delays.entries()) {
      const row = rows[i];
      const asked = us(by, ticks);
      const around = us("tsc", row.around);
      const poll = us("tsc", row.poll);
      const found = Object.fromEntries(MEASURING.map((name) => [name, us(name, row[name])]));
      const shown = MEASURING.map((name) => `${name} ${found[name].toFixed(2)}`).join(", ");
      t.diagnostic(
        `${by} ${asked.toFixed(2)} µs: ${around.toFixed(2)}; all: ${shown}; poll ${poll.toFixed(2)}`,
      );
      // The time stamps around it are one more read.
      const most = Math.max(asked * TOLERANCE, us(by, 1) + poll + pollOf("tsc", i));
      assert.ok(
        Math.abs(around - asked) <= most,
        `${asked} µs by ${by}: ${around} µs of TSC, poll ${poll} µs`,
      );
      for (const name of MEASURING) {
        // A read of the one clock or of the other lies between them.
        const read = Math.max(poll, pollOf(name, i));
        const allowed = Math.max(found["tsc"] * TOLERANCE, us(name, 1) + read);
        const off = Math.abs(found[name] - found["tsc"]);
        assert.ok(off <= allowed, `${asked} µs by ${by}: ${name} says ${found[name]}, TSC ${found["tsc"]}`);
      }
    }
  } finally {
    machine.dispose();
  }
});
