/**
 * What CPUs are to each other in a real guest: the one that was interrupted, or that is waited for, comes next; time never goes
 * backwards from one to another; nobody who sleeps or waits takes time from those that work.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { loadEngine } from "../../src/host/node/engines.js";
import { Machine } from "../../src/machine/machine.js";
import type { Script } from "../support/fake-engine.js";
import { fakeMachine, TestConsole } from "../support/fake-machine.js";
import { ipiGuest, SHARED, timeStampGuest } from "../support/two-cpu-guests.js";

const NS_PER_MS = 1e6;
const REAL_TIME = { clock: { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 } };
const FROM_TRAMPOLINE = { nsPerInstruction: 10 };

async function runGuest(
  bytes: Uint8Array,
  cpus: number,
  deterministic: boolean,
): Promise<{ machine: Machine; word: (address: number) => number }> {
  const plan = buildPlan({
    kernel: { name: "two CPUs", bytes },
    memory: 0x800000,
    cpus,
    ...(deterministic && { clock: { deterministic: FROM_TRAMPOLINE } }),
  });
  const machine = new Machine({
    plan,
    engine: await loadEngine("wasm", {}),
    console: new TestConsole(),
    hostNow: () => performance.now() * NS_PER_MS,
  });
  while (machine.step().state === "ran");
  assert.equal(machine.end?.route, "debug-exit", machine.end?.reason);
  const word = (address: number): number =>
    new DataView(machine.memory.read(address, 4).slice().buffer).getUint32(0, true);
  return { machine, word };
}

for (const deterministic of [false, true]) {
  const mode = deterministic ? "deterministic" : "real time";

  test(`R3.2 ${mode}: time never goes backwards from one CPU to another, so their skew is below the cost of an exchange`, async () => {
    const ROUNDS = 20_000;
    const { machine, word } = await runGuest(timeStampGuest(ROUNDS), 2, deterministic);
    assert.equal(word(SHARED.backwards), 0);
    const exchanges = word(SHARED.exchanges);
    assert.ok(exchanges === 2 * ROUNDS || exchanges === 2 * ROUNDS - 1, `${exchanges} exchanges`);
    assert.ok(word(SHARED.leastRound) > 0);
    machine.dispose();
  });

  test(`R3.4 ${mode}: a CPU that waits in PAUSE gives its turn away: an exchange takes tens of instructions, not a slice`, async () => {
    const ROUNDS = 20_000;
    const { machine } = await runGuest(timeStampGuest(ROUNDS), 2, deterministic);
    const { instructions } = machine.stats();
    assert.ok(instructions < ROUNDS * 2 * 200, `${instructions} instructions for ${2 * ROUNDS} exchanges`);
    machine.dispose();
  });

  test(`R3.4 ${mode}: the CPU that an IPI wakes is next, and no answer is lost`, async () => {
    const ROUNDS = 5000;
    const lines = { begin: "begin", end: "end", wrong: 1 };
    const { machine, word } = await runGuest(ipiGuest(ROUNDS, lines), 4, deterministic);
    assert.equal(machine.end?.status, 1);
    assert.equal(word(SHARED.answers), ROUNDS);
    const { instructions } = machine.stats();
    // The loop before the start-up IPI aside.
    assert.ok(instructions - 400_000 < ROUNDS * 100, `${instructions} instructions for ${ROUNDS} rounds`);
    machine.dispose();
  });
}

test("R3.4 real time: a CPU whose instructions are slow gets no more time than one whose instructions are fast", () => {
  let host = 0;
  const spent = [0, 0];
  const { machine } = fakeMachine(
    {
      *main(cpu): Script {
        if (cpu.id === 0) cpu.out(0x31, 1);
        for (;;) {
          const took = cpu.id === 0 ? 20 : 400;
          host += took;
          spent[cpu.id] += took;
          yield;
        }
      },
    },
    { ...REAL_TIME, cpus: 2 },
    { hostNow: () => host },
  );
  while (host < 100 * NS_PER_MS) machine.step();
  assert.ok(spent[1] / spent[0] > 0.9 && spent[1] / spent[0] < 1.1, `${spent.join(" and ")} ns`);
});

test("R3.4 sixty-three CPUs that sleep cost the one that works nothing", () => {
  const turns = (cpus: number): number => {
    const { machine } = fakeMachine(
      {
        *main(cpu): Script {
          if (cpu.id === 0) for (let i = 1; i < cpus; i++) cpu.out(0x31, i);
          cpu.setInterrupts(true);
          if (cpu.id > 0) for (;;) yield "hlt";
          for (;;) yield;
        },
      },
      { cpus },
    );
    // Every CPU has gone to sleep by then.
    machine.run(1000);
    let steps = 0;
    for (let left = 2_000_000; left > 0; steps++) {
      const step = machine.step();
      assert.ok(step.state === "ran");
      left -= step.instructions;
    }
    return steps;
  };
  assert.equal(turns(64), turns(1));
});

test("R6.3 deterministic: three CPUs that interrupt each other do the same, however the run is cut", () => {
  const once = (stepSize: number): unknown => {
    const { machine, console } = fakeMachine(
      {
        *main(cpu): Script {
          if (cpu.id === 0) for (const other of [1, 2]) cpu.out(0x31, other);
          cpu.setInterrupts(true);
          for (let i = 0; i < 40; i++) {
            if (cpu.id === 0) cpu.out(0x40, (i * 7) % 90, 4);
            for (let n = 0; n < ((i + 3 * cpu.id) * 331) % 4000; n++) yield;
            cpu.out(0x10, 0x30 + cpu.id);
          }
          if (cpu.id === 2) cpu.out(0x21, 0);
          for (;;) yield "hlt";
        },
        interrupt: (cpu) => cpu.out(0x10, 0x21),
      },
      { cpus: 3 },
    );
    for (let i = 0; i < 1e6 && machine.end === undefined; i++) machine.run(stepSize);
    return { text: console.text, stats: machine.stats(), end: machine.end };
  };
  const whole = once(1e6);
  for (const stepSize of [17, 4999]) assert.deepEqual(once(stepSize), whole);
});
