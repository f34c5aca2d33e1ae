/**
 * Back ends that answer later, with a part of this test's own: a write of port 0x50 begins a request, port 0x51 reads the last
 * answer, an NMI says that there is one. A machine that waits for an answer lives, wakes at it, and repeats itself from a record.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { allocateShared, ringBell, WorkerSide } from "../../src/host/shared.js";
import { runToEnd } from "../../src/host/run.js";
import type { Board, BoardContext } from "../../src/machine/board.js";
import type { Request } from "../../src/devices/device.js";
import type { Stamp } from "../../src/machine/completions.js";
import type { Machine, MachineOptions } from "../../src/machine/machine.js";
import { createFakeEngine, type FakeProgram, type Script } from "../support/fake-engine.js";
import { emptyPlan, fakeMachine, TestConsole, toyBoard } from "../support/fake-machine.js";
import { Random } from "../support/random.js";

const SOURCE = "disk read";
const REAL_TIME = { clock: { tscHz: 1e9, apicHz: 1e9, rtcStart: 0 } };
const IDLE = { state: "idle", until: undefined };

/** What a guest asked the back end for and has no answer to yet. */
interface Asked {
  request: Request;
  answer(): void;
}

/** The toy board with the part. `ask` is the back end. */
function slowBoard(context: BoardContext, ask: (asked: Asked) => void): Board {
  const board = toyBoard(context);
  let last = 0;
  const begin = (value: number): void => {
    const request = context.completions.begin(SOURCE);
    const answer = (): void =>
      request.complete(() => {
        last = value;
        context.cpus[0].nmi();
      });
    ask({ request, answer });
  };
  const device = {
    name: "slow part",
    readPort: (offset: number) => (offset === 1 ? last : 0),
    writePort: (_offset: number, _size: number, value: number) => begin(value),
  };
  board.ports.add({ start: 0x50, size: 2, device });
  return board;
}

/** Asks `count` times, works meanwhile, sleeps until everything is answered, prints each answer with the time. */
function program(count: number, busy = 0): FakeProgram {
  let answers = 0;
  const print = (cpu: Parameters<FakeProgram["main"]>[0], text: string): void => {
    for (const char of text) cpu.out(0x10, char.charCodeAt(0));
  };
  return {
    *main(cpu): Script {
      cpu.setInterrupts(true);
      for (let i = 0; i < count; i++) {
        cpu.out(0x50, i);
        cpu.out(0x40, 300, 4);
        for (let n = 0; n < busy * ((i * 7) % 5); n++) yield;
        if (i % 3 === 2) while (answers <= i) yield "hlt";
      }
      while (answers < count) yield "hlt";
      cpu.out(0x21, 0);
      yield;
    },
    interrupt(cpu, vector) {
      if (vector !== 2) return;
      answers++;
      print(cpu, `${cpu.in(0x51)}@${cpu.rdtsc()} `);
    },
  };
}

test("R3.9 a request in flight keeps a sleeping machine alive, in real time and deterministic; its answer wakes it", () => {
  for (const overrides of [REAL_TIME, {}]) {
    const asked: Asked[] = [];
    let arrived = 0;
    const sleeper: FakeProgram = {
      ...program(1),
      *main(cpu) {
        cpu.setInterrupts(true);
        cpu.out(0x50, 7);
        yield "hlt";
        cpu.out(0x21, 0);
        yield;
      },
    };
    const { machine, console } = fakeMachine(sleeper, overrides, {
      board: (context) => slowBoard(context, (one) => asked.push(one)),
      completions: { arrived: () => arrived++ },
    });
    assert.deepEqual(machine.run(1000), IDLE);
    assert.deepEqual(machine.run(1000), IDLE);
    assert.equal(arrived, 0);
    asked[0].answer();
    assert.equal(arrived, 1, "the host's waiting ends");
    const step = machine.run(1000);
    assert.equal(step.state === "ended" && step.end.route, "toy");
    assert.match(console.text, /^7@\d+ $/);
    assert.throws(() => asked[0].answer(), /disk read 0: answered twice/);
  }
});

test("R3.9 where nothing can wake a machine, its end names what is missing", () => {
  const asked: Asked[] = [];
  const { machine } = fakeMachine(
    {
      *main(cpu) {
        cpu.setInterrupts(true);
        cpu.out(0x50, 7);
        for (;;) yield "hlt";
      },
    },
    {},
    { board: (context) => slowBoard(context, (one) => asked.push(one)) },
  );
  assert.deepEqual(machine.run(1000), IDLE);
  asked[0].answer();
  const step = machine.run(1000);
  assert.equal(step.state === "ended" && step.end.kind, "halted");
  assert.match(machine.end?.reason ?? "", /no timer is armed, no input can come, no disk read is pending/);
});

test("R3.9 a hold of any other kind keeps a machine alive as long as it lasts", () => {
  let context: BoardContext | undefined;
  const { machine } = fakeMachine(
    {
      *main(cpu) {
        cpu.setInterrupts(true);
        for (;;) yield "hlt";
      },
    },
    {},
    { board: (given) => toyBoard((context = given)) },
  );
  const holds = [context?.wake.hold("socket"), context?.wake.hold("socket")];
  assert.deepEqual(machine.run(10), IDLE);
  holds[0]?.release();
  holds[0]?.release();
  assert.deepEqual(machine.run(10), IDLE, "released twice is released once");
  holds[1]?.release();
  const step = machine.run(10);
  assert.equal(step.state === "ended" && step.end.reason?.includes("no socket is pending"), true);
});

/** What can be seen of a run. */
interface Seen {
  text: string;
  stats: ReturnType<Machine["stats"]>;
  stamps: Stamp[];
}

/** Runs deterministically with a back end of a certain mood. */
function seen(mood: number | "at once", replay?: readonly Stamp[]): Seen {
  const outstanding: Asked[] = [];
  const stamps: Stamp[] = [];
  const options: Partial<MachineOptions> = {
    board: (context) =>
      slowBoard(context, (one) => (mood === "at once" ? one.answer() : outstanding.push(one))),
    completions: { record: (stamp) => stamps.push(stamp), ...(replay && { replay }) },
  };
  const { machine, console } = fakeMachine(program(30, 900), {}, options);
  const random = new Random(typeof mood === "number" ? mood : 1);
  for (let steps = 0; machine.end === undefined; steps++) {
    assert.ok(steps < 100_000, "no progress");
    const { state } = machine.run(1 + random.below(700));
    if (outstanding.length === 0 || (state === "ran" && random.below(3) > 0)) continue;
    outstanding.splice(random.below(outstanding.length), 1)[0].answer();
  }
  return { text: console.text, stats: machine.stats(), stamps };
}

test("R6.3 a deterministic run is repeated from its record, whether the back end is faster, slower or in another order", () => {
  const first = seen(3);
  assert.equal(first.stamps.length, 30);
  assert.notDeepEqual(
    first.stamps.map(({ ordinal }) => ordinal),
    first.stamps.map((_, i) => i),
    "answers came in an order of their own",
  );
  assert.notEqual(seen(4).text, first.text, "without the record it is another run");
  for (const mood of [4, 5, 6, "at once"] as const) assert.deepEqual(seen(mood, first.stamps), first);
});

test("R6.3 the time of a deterministic machine stands still while it sleeps and an answer is due", () => {
  const after = (waits: number): string => {
    const asked: Asked[] = [];
    const { machine, console } = fakeMachine(
      program(1),
      {},
      {
        board: (context) => slowBoard(context, (one) => asked.push(one)),
      },
    );
    for (let i = 0; i < waits; i++) assert.deepEqual(machine.run(1000), IDLE, "though a timer is armed");
    asked[0].answer();
    machine.run(1000);
    return console.text;
  };
  assert.equal(after(1), after(50));
});

test("R3.9 an answer from another thread ends the sleep of the machine's own", () => {
  const shared = allocateShared();
  const side = new WorkerSide(shared, () => undefined);
  const answer = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { workerData } = require("node:worker_threads");
     setTimeout(async () => {
       const { ringBell } = await import(workerData.url);
       workerData.answer[0] = 1;
       ringBell(workerData.shared);
     }, 50);`,
    {
      eval: true,
      workerData: { shared, answer, url: new URL("../../src/host/shared.js", import.meta.url).href },
    },
  );
  assert.equal(typeof ringBell, "function");
  let waited = 0;
  const report = runToEnd({
    plan: emptyPlan(REAL_TIME),
    engine: createFakeEngine(program(1)),
    console: new TestConsole(),
    hostNow: () => performance.now() * 1e6,
    poll: () => void side.stopRequested,
    wait: (milliseconds) => {
      waited++;
      side.wait(milliseconds);
    },
    board: (context) => {
      const asked: Asked[] = [];
      context.completions.attach(() => {
        if (Atomics.load(answer, 0) === 1) asked.shift()?.answer();
      });
      return slowBoard(context, (one) => asked.push(one));
    },
  });
  void worker.terminate();
  assert.equal(report.end.route, "toy");
  assert.ok(waited >= 1);
});
