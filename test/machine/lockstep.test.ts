/** R3.7 Machines in step: what crosses between deterministic machines is with its receiver at the same instruction in every run. */
import assert from "node:assert/strict";
import test from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { Lockstep } from "../../src/machine/lockstep.js";
import { Machine } from "../../src/machine/machine.js";
import type { Stamp } from "../../src/machine/completions.js";
import type { MachineEnd } from "../../src/machine/end.js";
import type { NetBackend } from "../../src/net/net-backend.js";
import { TestConsole } from "../support/fake-machine.js";
import { throwingGuest } from "../support/net-card-guest.js";
import { barePlan } from "../support/snapshot-cuts.js";
import { ipiGuest } from "../support/two-cpu-guests.js";

const NETS = [{ mac: "52:54:00:00:00:01", mtu: 1500 }];
const ROUNDS = 12;
const STEP_NS = 100_000;
/** Longer than a step, and no multiple of one: machines sleep over moments at which frames cross. */
const TICKS = [130_000, 77_000];
const LIMIT_NS = 1e9;

/** Where a plan has the card's registers. */
function cardAt(): number {
  const plan = barePlan(ipiGuest(1, { begin: "b", end: "e", wrong: 1 }), 1, { nets: NETS });
  const card = plan.devices.find(({ type }) => type === "virtio-net");
  return card!.mmio![0].start;
}

interface Run {
  readonly ends: readonly (MachineEnd | undefined)[];
  /** All frames, in the order in which cards sent them, with who did. */
  readonly frames: readonly string[];
  /** When each machine was handed one. */
  readonly stamps: readonly Stamp[][];
  readonly instructions: readonly number[];
  readonly now: number;
}

/** Two machines throw a frame to each other. `cuts`: times at which the caller has something else to do. */
function thrown(cuts: readonly number[], jit: "on" | "off" = "off"): Run {
  const card = cardAt();
  const lockstep = new Lockstep();
  const frames: string[] = [];
  const machines = [0, 1].map((index) => {
    const guest = throwingGuest({
      card,
      station: index,
      begins: index === 0,
      rounds: ROUNDS,
      ticks: TICKS[index],
    });
    const port = lockstep.port();
    const watched: NetBackend = {
      send: (frame) => {
        frames.push(`${index} ${Buffer.from(frame.bytes).toString("hex")}`);
        return port.send(frame);
      },
      receive: () => port.receive(),
    };
    const stamps: Stamp[] = [];
    const machine = new Machine({
      plan: barePlan(guest, 1, { nets: NETS }),
      hostNow: () => assert.fail("deterministic time does not look at the host's"),
      console: new TestConsole(),
      engine: createWasmEngine({ jit }),
      nets: new Map([["net0", watched]]),
      completions: { record: (stamp) => stamps.push(stamp) },
    });
    lockstep.add(machine);
    return { machine, stamps };
  });
  for (const cut of [...cuts, LIMIT_NS]) lockstep.run(cut);
  const run = {
    ends: machines.map(({ machine }) => machine.end),
    frames,
    stamps: machines.map(({ stamps }) => stamps),
    instructions: machines.map(({ machine }) => machine.instructions),
    now: lockstep.now,
  };
  for (const { machine } of machines) machine.dispose();
  return run;
}

test("R3.7 lockstep: two machines throw a frame to each other, the same bytes at the same instructions in every run", () => {
  const first = thrown([]);
  assert.deepEqual(
    first.ends.map((end) => end?.route),
    ["debug-exit", "debug-exit"],
  );
  assert.equal(first.frames.length, 2 * ROUNDS);
  assert.equal(new Set(first.frames).size, 2 * ROUNDS, "each frame has another time in it");
  assert.ok(first.stamps.every((stamps) => stamps.length >= ROUNDS));
  const late = first.stamps.flat().map(({ at }) => at % STEP_NS);
  assert.ok(Math.max(...late) <= STEP_NS / 100, "also who sleeps over it is handed a frame at that moment");
  assert.deepEqual(thrown([]), first, "again");
  assert.deepEqual(thrown([50_000, 333_333, 1_234_567]), first, "however the caller cuts it");
  assert.deepEqual(thrown([], "on"), first, "compiled");
});

test("R3.7 lockstep: machines in real time keep step with nobody, and a step is a time", () => {
  const machine = { deterministic: false } as never;
  assert.throws(() => new Lockstep().add(machine), /real time/);
  assert.throws(() => new Lockstep({ stepNs: 0 }), /whole number/);
});
