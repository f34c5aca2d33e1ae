/** Real time: one function of the instructions executed, which follows the host's clock. */
import assert from "node:assert/strict";
import test from "node:test";
import { ticksAt } from "../../src/devices/time/tick-rate.js";
import { TICK_PARTS } from "../../src/engine/contract.js";
import type { ClockFrom } from "../../src/machine/clock.js";
import { PacedClock } from "../../src/machine/paced-clock.js";
import { fakeMachine } from "../support/fake-machine.js";
import type { ScriptCpu } from "../support/fake-engine.js";

const MS = 1e6;
const TSC_HZ = 2.5e9;
const RUN = 100_000;

/** A clock whose host takes `nsEach` an instruction, and what runs on it. `from`: it goes on from there. */
function bench(
  nsEach: () => number,
  from?: ClockFrom,
): {
  clock: PacedClock;
  host: () => number;
  pass: (ns: number) => void;
  run: (instructions: number, look?: (executed: number) => void) => void;
} {
  let host = 5e9;
  const clock = new PacedClock(TSC_HZ, () => host, from);
  const run = (instructions: number, look?: (executed: number) => void): void => {
    let executed = 0;
    clock.beginRun(() => executed);
    for (; executed < instructions; executed += 1000) {
      look?.(executed);
      host += 1000 * nsEach();
    }
    clock.endRun(instructions);
  };
  return { clock, host: () => host - 5e9, pass: (ns) => void (host += ns), run };
}

test("R3.2 real time: the clock follows the host within milliseconds, whatever the speed of the guest", () => {
  let nsEach = 3;
  const { clock, host, run } = bench(() => nsEach);
  for (const speed of [3, 30, 0.5, 3]) {
    nsEach = speed;
    for (let i = 0; i < 200; i++) run(RUN);
    assert.ok(Math.abs(clock.now() - host()) < 5 * MS, `${speed} ns: ${clock.now()}, host ${host()}`);
  }
});

test("R3.2 real time: a pause of the host is made up little by little, not in the middle of a guest's delay", () => {
  const nsEach = 3;
  const { clock, host, pass, run } = bench(() => nsEach);
  for (let i = 0; i < 200; i++) run(RUN);
  let last = clock.now();
  let most = 0;
  const look = (): void => {
    clock.beforeAccess();
    most = Math.max(most, clock.now() - last);
    last = clock.now();
  };
  pass(20 * MS);
  assert.ok(host() - clock.now() > 15 * MS);
  for (let i = 0; i < 200; i++) run(RUN, look);
  assert.ok(host() - clock.now() < 5 * MS, `still ${host() - clock.now()} ns behind`);
  assert.ok(most < MS / 10, `a jump of ${most} ns`);
});

test("R3.2 real time: where no CPU has anything to do, and after the machine was stopped, the time is the host's", () => {
  const { clock, host, pass, run } = bench(() => 3);
  run(RUN);
  pass(50 * MS);
  clock.rest();
  assert.equal(clock.now(), Math.floor(host()));
  run(RUN);
  pass(60_000 * MS);
  run(RUN);
  assert.ok(host() - clock.now() < 5 * MS);
});

test("R3.2 real time: the TSC is the time, and what a CPU is told of it gives the same", () => {
  const { clock, pass } = bench(() => 3);
  let told = { ticks: 0, rate: 0, at: 0 };
  let last = 0;
  for (let i = 0; i < 50; i++) {
    let executed = 0;
    pass(i * 1000);
    clock.beginRun(
      () => executed,
      (ticks, rate) => (told = { ticks, rate, at: executed }),
    );
    for (; executed < 5000; executed += 37) {
      pass(executed % 3 === 0 ? 3000 : 1);
      if (executed % 5 === 0) clock.beforeAccess();
      const tsc = clock.tsc(executed);
      assert.equal(tsc, told.ticks + Math.floor(((executed - told.at) * told.rate) / TICK_PARTS));
      assert.ok(Math.abs(tsc - ticksAt(clock.now(), TSC_HZ)) <= 5, `TSC ${tsc} at ${clock.now()} ns`);
      assert.ok(tsc >= last, `${tsc} after ${last}`);
      last = tsc;
    }
    clock.endRun(executed);
  }
});

test("R3.4 R3.2 real time: time never runs backwards from one CPU to another", () => {
  let host = 0;
  let last = 0;
  let reads = 0;
  const read = (cpu: ScriptCpu): void => {
    const now = cpu.rdtsc();
    assert.ok(now >= last, `CPU ${cpu.id} reads ${now} after ${last}`);
    last = now;
    reads++;
  };
  const { machine } = fakeMachine(
    {
      *main(cpu, vector) {
        if (vector === undefined) for (const other of [1, 2, 3]) cpu.out(0x31, other);
        for (let i = 0; i < 60_000; i++) {
          host += i % 977 === 0 ? 50_000 : (i * 7) % 11;
          read(cpu);
          if (i % 501 === 0) cpu.in(0x11);
          yield;
        }
        if (vector === undefined) cpu.out(0x21, 0);
        yield;
      },
    },
    { cpus: 4, clock: { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 } },
    { hostNow: () => host },
  );
  machine.run(1e6);
  assert.ok(reads > 150_000, `${reads} reads`);
});

const SECOND = 1000 * MS;
const SAVED = { kind: "real", timeNs: 3 * SECOND, ticks: 3 * TSC_HZ + 17, missedNs: 0 } as const;

test("R6.2 real time: a clock that goes on without what it missed goes on where it was, and its TSC", () => {
  const { clock, host, run } = bench(() => 3, { state: SAVED, missedNs: 0 });
  assert.equal(clock.now(), SAVED.timeNs);
  assert.ok(clock.tsc(0) >= SAVED.ticks && clock.tsc(0) < SAVED.ticks + TSC_HZ / 1000);
  assert.equal(clock.catchingUp, false);
  assert.equal(clock.skipTo(clock.now() + SECOND), false);
  for (let i = 0; i < 100; i++) run(RUN);
  assert.ok(Math.abs(clock.now() - SAVED.timeNs - host()) < 5 * MS);
});

test("R6.2 real time: what was missed passes while the guest sleeps, up to each of its timers", () => {
  const MISSED = 100 * SECOND;
  const { clock } = bench(() => 3, { state: SAVED, missedNs: MISSED });
  let wakes = 0;
  for (; clock.catchingUp; wakes++) {
    const deadline = clock.now() + 4 * MS;
    assert.equal(clock.skipTo(deadline), true);
    assert.ok(clock.now() <= deadline, "a short sleep is as long as it was asked to be");
  }
  assert.equal(wakes, MISSED / (4 * MS));
  assert.equal(clock.now(), SAVED.timeNs + MISSED);
  assert.equal(clock.skipTo(clock.now() + 1), false);
});

test("R6.2 real time: a day that was missed passes in thousands of steps where the guest has nothing to do", () => {
  const DAY = 86_400 * SECOND;
  const { clock } = bench(() => 3, { state: SAVED, missedNs: DAY });
  let wakes = 0;
  for (; clock.catchingUp; wakes++) clock.skipTo(clock.now() + 500 * MS);
  assert.ok(wakes > 4000 && wakes <= 8000, `${wakes} steps`);
  assert.equal(clock.now(), SAVED.timeNs + DAY);
});

test("R6.2 real time: while the guest is awake, time that was missed runs some twenty times as fast, and nobody waits for ever", () => {
  const MISSED = 1000 * SECOND;
  const { clock, host, pass, run } = bench(() => 3, { state: SAVED, missedNs: MISSED });
  for (let i = 0; i < 1000; i++) run(RUN);
  const rate = (clock.now() - SAVED.timeNs) / host();
  assert.ok(rate > 15 && rate < 25, `${rate} times as fast`);
  assert.equal(clock.catchingUp, true);
  const left = clock.save();
  assert.ok(left.kind === "real" && left.missedNs > 0 && left.missedNs < MISSED);
  pass(11 * SECOND);
  assert.equal(clock.catchingUp, false);
});
