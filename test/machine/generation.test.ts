/** R6.2 whose id a machine has: each run in real time one of its own, a run that repeats exactly always the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlan } from "../../src/boot/index.js";
import { Machine, type MachineOptions } from "../../src/machine/machine.js";
import { GENERATION_MMIO } from "../../src/memory/layout.js";
import { PC_PORTS } from "../../src/spec/pc-ports.js";
import { createFakeEngine } from "../support/fake-engine.js";
import { TestConsole } from "../support/fake-machine.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD = 0x100000;
const HLT = Uint8Array.of(0xf4);
const INSTRUCTIONS = 100;
const GENERAL_STATUS = 0x60c;
const RESET = 6;

/** The id as a guest reads it, and the status of its event, at each start of a machine that resets itself once. */
function idsOf(options: Partial<MachineOptions>, deterministic: boolean): { id: number[]; event: number }[] {
  const seen: { id: number[]; event: number }[] = [];
  const machine = new Machine({
    plan: buildPlan({
      kernel: { name: "reader", bytes: pvhElf(LOAD, HLT, LOAD) },
      memory: 0x400000,
      clock: deterministic ? { deterministic: { nsPerInstruction: 10 } } : {},
    }),
    console: new TestConsole(),
    hostNow: () => performance.now() * 1e6,
    maxResets: 1,
    engine: createFakeEngine({
      *main(cpu) {
        const id = [0, 4, 8, 12].map((offset) => cpu.readMmio(GENERATION_MMIO.start + offset) >>> 0);
        seen.push({ id, event: cpu.in(GENERAL_STATUS, 2) });
        cpu.out(PC_PORTS.resetControl.start, RESET);
        yield;
      },
    }),
    ...options,
  });
  machine.run(INSTRUCTIONS);
  machine.dispose();
  return seen;
}

/** A host's entropy that counts: 1, 2, 3, … */
function counting(): () => number {
  let next = 0;
  return () => ++next;
}

test("R6.2 in real time the id is from the host's entropy, and a reset within the run leaves it, without an event", () => {
  const once = { id: [1, 2, 3, 4], event: 0 };
  assert.deepEqual(idsOf({ random32: counting() }, false), [once, once]);
});

test("R6.2 a deterministic machine takes no entropy, and has one id in every run", () => {
  const first = idsOf({ random32: () => assert.fail("entropy in a deterministic run") }, true);
  assert.equal(first.length, 2);
  assert.deepEqual(first[1], first[0]);
  assert.deepEqual(idsOf({}, true), first);
  assert.deepEqual(idsOf({}, false), first, "nor has a host without entropy another");
});
