/** R1.1 a part type of somebody's own: one object in the registry, and it is in the plan, the DSDT, on the board and in a saved state. */
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import {
  aml,
  buildPlan,
  GENERAL_EVENTS,
  Machine,
  PartError,
  PartRegistry,
  standing,
  type Part,
  type PartRequest,
  type PartType,
  type Plan,
  type Wires,
} from "../../src/api/index.js";
import type { BoardContext, BoardState } from "../../src/machine/board.js";
import { buildBoard } from "../../src/machine/board.js";
import { createFakeEngine, type FakeProgram } from "../support/fake-engine.js";
import { makeBzImage } from "../support/images.js";
import { TestConsole } from "../support/fake-machine.js";
import { pvhElf } from "../support/qemu/pvh-elf.js";

const LOAD_ADDRESS = 0x100000;
const HLT = Uint8Array.of(0xf4);
const KERNEL = { name: "hlt", bytes: pvhElf(LOAD_ADDRESS, HLT, LOAD_ADDRESS) };
const MEMORY = 0x400000;
const INSTRUCTIONS = 1000;
const LAPIC = 0xfee00000;

/** Adds up what is written to it, and raises its interrupt at ten; what is written to its second register takes away. */
const adder: PartType<{ sum: number }> = {
  type: "adder",
  summary: "adds up what is written to it",
  place: standing("adder", {
    ports: [{ start: 0x300, size: 4 }],
    mmio: [{ size: 16 }],
    irqs: ["any"],
    movable: true,
  }),
  announce: ({ mmio, irqs }) => ({
    acpi: [
      aml.device(
        "ADDR",
        aml.name("_HID", aml.string("TEST0001")),
        aml.name(
          "_CRS",
          aml.resources(aml.memoryResource(mmio![0].start, 16), aml.interruptResource(irqs![0], "level")),
        ),
      ),
    ],
    levelIrqs: irqs!,
  }),
  create(_part, wires, state = { sum: 0 }) {
    const line = wires.interrupt();
    const add = (value: number): void => {
      state.sum += value;
      line.set(state.sum >= 10);
    };
    wires.mmio(0, {
      name: "adder",
      readMmio: () => state.sum,
      writeMmio: (offset, _size, value) => add(offset === 0 ? value : -value),
    });
    wires.ports(
      0,
      { name: "adder", readPort: () => state.sum, writePort: (_offset, _size, value) => add(value) },
      "whole",
    );
    add(0);
    return { save: () => state };
  },
};

function registry(type: PartType<never> | PartType = adder as unknown as PartType): PartRegistry {
  return new PartRegistry().add(type as PartType);
}

function plan(types: PartRegistry, ...moreDevices: PartRequest[]): Plan {
  const clock = { deterministic: { nsPerInstruction: 10 }, rtcStart: 1_700_000_000 };
  return buildPlan({ kernel: KERNEL, memory: MEMORY, clock, moreDevices }, { parts: types });
}

test("R1.1 the words by which a kernel finds a part are said behind the user's own, and the plan says so", () => {
  const words = { Linux: "adder.at=0x300" };
  const types = registry({ ...adder, announce: () => ({ words }) } as unknown as PartType);
  const kernel = { name: "bzImage", bytes: makeBzImage() };
  const moreDevices = [{ type: "adder" }];
  const own = buildPlan({ kernel, commandLine: "quiet", moreDevices }, { parts: types });
  assert.equal(own.commandLine, "quiet adder.at=0x300");
  assert.deepEqual(own.added, [
    { what: 'command line "adder.at=0x300"', why: "a part of the machine is found by it" },
  ]);
  assert.equal(
    buildPlan({ kernel, moreDevices }, { parts: types }).commandLine,
    "console=ttyS0 adder.at=0x300",
  );
});

/** Runs a script on the machine; `states` are what its parts go on with. */
function run(
  types: PartRegistry,
  made: Plan,
  main: FakeProgram["main"],
  rest: { interrupt?: FakeProgram["interrupt"]; states?: BoardState } = {},
): Machine {
  const { interrupt, states } = rest;
  const machine = new Machine({
    plan: made,
    types,
    engine: createFakeEngine(interrupt === undefined ? { main } : { main, interrupt }),
    console: new TestConsole(),
    hostNow: () => assert.fail("host time in a deterministic run"),
    board: (context: BoardContext) => buildBoard(context, states),
  });
  machine.run(INSTRUCTIONS);
  return machine;
}

/** The AML of the DSDT: every table lies in one region. */
function firmwareText(made: Plan): string {
  return made.regions
    .map(({ content }) => (content.kind === "bytes" ? Buffer.from(content.bytes).toString("latin1") : ""))
    .join("");
}

describe("R1.1 one object in the registry", () => {
  const types = registry();
  const made = plan(types, { type: "adder" });
  const line = made.devices.at(-1);

  it("R1.1 is placed in the plan, where there is room", () => {
    assert.deepEqual(line, {
      name: "adder",
      type: "adder",
      ports: [{ start: 0x300, size: 4 }],
      mmio: [{ start: 0xd000_0000, size: 16 }],
      irqs: [5],
    });
    const moved = plan(types, {
      type: "adder",
      ports: [{ start: 0x310 }],
      mmio: [{ start: 0xd800_0000 }],
      irqs: [7],
    });
    assert.deepEqual(moved.devices.at(-1), {
      ...line,
      ports: [{ start: 0x310, size: 4 }],
      mmio: [{ start: 0xd800_0000, size: 16 }],
      irqs: [7],
    });
  });

  it("R1.1 is in the DSDT", () => {
    const node = Buffer.from(adder.announce!(line!).acpi![0]).toString("latin1");
    assert.ok(firmwareText(made).includes(node));
    assert.ok(!firmwareText(plan(types)).includes("TEST0001"));
  });

  it("R1.1 decodes its places, drives its interrupt, and its state is saved and goes on", () => {
    const first = run(types, made, function* (cpu) {
      cpu.writeMmio(0xd000_0000, 3);
      cpu.out(0x300, 4, 4);
      assert.equal(cpu.in(0x300, 4), 7);
      assert.equal(cpu.readMmio(0xd000_0000), 7);
      yield "hlt";
    });
    const states = first.saveParts();
    assert.deepEqual(states["adder"], { sum: 7 });
    assert.deepEqual(JSON.parse(JSON.stringify(states["adder"])), { sum: 7 });

    const vectors: number[] = [];
    const second = run(
      types,
      made,
      function* (cpu) {
        cpu.writeMmio(LAPIC + 0xf0, 0x1ff);
        cpu.writeMmio(LAPIC + 0x350, 0x10000);
        // I/O APIC pin 5: a level, vector 0x35.
        cpu.writeMmio(0xfec0_0000, 0x10 + 2 * 5);
        cpu.writeMmio(0xfec0_0010, 0x8035);
        cpu.setInterrupts(true);
        assert.equal(cpu.readMmio(0xd000_0000), 7, "it goes on where it was");
        yield;
        assert.deepEqual(vectors, []);
        cpu.out(0x300, 3, 4);
        yield;
        yield;
        yield "hlt";
      },
      {
        states,
        interrupt: (cpu, vector) => {
          vectors.push(vector);
          cpu.writeMmio(0xd000_0004, 5);
          cpu.writeMmio(LAPIC + 0xb0, 0);
        },
      },
    );
    assert.equal(second.saveParts()["adder"] !== undefined, true);
    assert.equal(vectors[0], 0x35);
  });

  it("R1.1 raises a general-purpose event that it announced: its method is in the DSDT, its status at the kernel's port", () => {
    const ringer: PartType = {
      type: "ringer",
      summary: "raises an event when it is written to",
      place: standing("ringer", { ports: [{ start: 0x300, size: 1 }] }),
      announce: () => ({
        acpi: [aml.device("RING", aml.name("_HID", aml.string("TEST0002")))],
        events: [{ number: 5, body: [aml.notify("\\_SB.RING", 0x80)] }],
      }),
      create(_part, wires) {
        const raise = wires.take(GENERAL_EVENTS);
        wires.ports(0, { name: "ringer", readPort: () => 0, writePort: () => raise(5) });
        return { save: () => ({}) };
      },
    };
    const rings = registry(ringer);
    const ringing = plan(rings, { type: "ringer" });
    assert.ok(firmwareText(ringing).includes(Buffer.from(aml.notify("\\_SB.RING", 0x80)).toString("latin1")));
    assert.ok(firmwareText(ringing).includes("_E05"));
    const status: number[] = [];
    run(rings, ringing, function* (cpu) {
      status.push(cpu.in(0x60c, 2));
      cpu.out(0x300, 0);
      status.push(cpu.in(0x60c, 2));
      yield "hlt";
    });
    assert.deepEqual(status, [0, 1 << 5]);
  });

  it("R1.1 two parts at one place are refused, both named", () => {
    assert.throws(
      () => plan(types, { type: "adder" }, { type: "adder", name: "other", ports: [{ start: 0x302 }] }),
      /part (adder|other): found ports 0x30\d–0x30\d, which "(adder|other)" has/,
    );
  });
});

describe("R1.1 what a part type of somebody's own gives is checked", () => {
  const like = (changes: object): PartRegistry => registry({ ...adder, ...changes } as unknown as PartType);
  const line = { name: "adder", type: "adder" };
  const PLACES: [what: string, place: unknown, message: RegExp][] = [
    ["nothing", undefined, /found undefined from place; expected an object with name, type, ports/],
    ["a promise", Promise.resolve(line), /found a Promise from place; .*must not be async/],
    ["another name", { ...line, name: "x" }, /found the name "x" from place; expected "adder"/],
    [
      "ports that were not claimed",
      { ...line, ports: [{ start: 0x300, size: 1 }] },
      /ports 0x300\+1 from place.*claim/,
    ],
    ["RAM", { ...line, mmio: [{ start: 0, size: 4096 }] }, /mmio 0x0\+4096 from place/],
    ["an interrupt that was not claimed", { ...line, irqs: [5] }, /irqs 5 from place/],
    ["no list", { ...line, irqs: 5 }, /irqs 5 from place; expected an array/],
    ["a function", { ...line, config: { f: () => 1 } }, /config\.f = a function from place/],
    [
      "an object of a class",
      { ...line, config: { a: [new Map()] } },
      /config\.a\.0 = an object of class Map from place/,
    ],
    ["NaN", { ...line, config: { n: NaN } }, /config\.n = NaN from place/],
    ["another field", { ...line, irq: 5 }, /found a field "irq" from place/],
  ];
  for (const [what, given, message] of PLACES) {
    test(`R1.1 place: ${what}`, () => {
      assert.throws(() => plan(like({ place: () => given }), { type: "adder" }), message);
    });
  }

  const TOLD: [what: string, told: unknown, message: RegExp][] = [
    ["a number", 1, /found 1 from announce/],
    [
      "acpi that is no AML",
      { acpi: ["x"] },
      /found acpi from announce; expected an array of what the functions of aml/,
    ],
    ["an event that there is not", { events: [{ number: 16, body: [] }] }, /found events from announce/],
    ["an event that does no AML", { events: [{ number: 1, body: ["x"] }] }, /found events from announce/],
    [
      "another part's event",
      { events: [{ number: 0, body: [] }] },
      /part adder: found general-purpose event 0, which "vmgenid" has; expected an event that nobody has/,
    ],
    [
      "a level that is not its own",
      { levelIrqs: [1] },
      /found levelIrqs from announce; expected interrupts of its own/,
    ],
  ];
  for (const [what, told, message] of TOLD) {
    test(`R1.1 announce: ${what}`, () => {
      assert.throws(() => plan(like({ announce: () => told }), { type: "adder" }), message);
    });
  }

  test("R1.1 create: nothing that saves, a device without its functions", () => {
    const made = plan(registry(), { type: "adder" });
    const main = function* () {
      yield "hlt" as const;
    };
    assert.throws(() => run(like({ create: () => undefined }), made, main), /nothing to save from create/);
    const half = (_part: unknown, wires: Wires): Part<object> => {
      wires.mmio(0, { name: "half", readMmio: () => 0 } as never);
      return { save: () => ({}) };
    };
    assert.throws(() => run(like({ create: half }), made, main), /found a device without writeMmio/);
  });

  test("R1.1 save: a state that is no plain data is refused by the part's name", () => {
    const create = (): Part<object> => ({ save: () => ({ f: () => 1 }) });
    const made = plan(registry(), { type: "adder" });
    const machine = run(like({ create }), made, function* () {
      yield "hlt";
    });
    assert.throws(
      () => machine.saveParts(),
      (error) => error instanceof PartError && error.part === "adder",
    );
  });
});

describe("R1.1 a device of somebody's own that breaks while the guest runs", () => {
  /** A device whose registers do this. */
  function ends(device: (wires: Wires) => { read?: () => unknown; write?: () => unknown }): Machine {
    const type: PartType = {
      ...(adder as unknown as PartType),
      create(_part, wires) {
        const { read = () => 0, write = () => undefined } = device(wires);
        const functions = { readMmio: read as () => number, writeMmio: write as () => void };
        wires.mmio(0, { name: "broken", ...functions });
        return { save: () => ({}) };
      },
    };
    const types = registry(type);
    return run(types, plan(types, { type: "adder" }), function* (cpu) {
      cpu.readMmio(0xd000_0004);
      cpu.writeMmio(0xd000_0008, 5, 1);
      yield;
      yield "hlt";
    });
  }
  const BREAKS: [what: string, device: Parameters<typeof ends>[0], reason: RegExp][] = [
    [
      "throws in a read",
      () => ({ read: () => assert.fail("boom") }),
      /^part "adder": readMmio\(0x4, 4\) threw AssertionError: boom \(own-part\.test\.js:\d+:\d+\)$/,
    ],
    [
      "throws what is no error",
      () => ({
        write: () => {
          // eslint-disable-next-line @typescript-eslint/only-throw-error -- what a stranger's code may do
          throw "x\n";
        },
      }),
      /writeMmio\(0x8, 1, 0x5\) threw x\\x0a$/,
    ],
    [
      "gives no number",
      () => ({ read: () => undefined }),
      /readMmio\(0x4, 4\) gave undefined where a number is due$/,
    ],
    ["gives NaN", () => ({ read: () => NaN }), /gave NaN where a number is due$/],
    ["gives a bigint", () => ({ read: () => 5n }), /gave a bigint where a number is due$/],
    [
      "is async",
      () => ({ write: () => Promise.reject(new Error("later")) }),
      /writeMmio\(0x8, 1, 0x5\) is async/,
    ],
    [
      "throws in a timer",
      ({ timers }) => (timers.schedule(5, () => assert.fail("late")), {}),
      /its timer threw AssertionError: late/,
    ],
    [
      "throws when it is answered",
      ({ completions }) => (completions.announce("mine", () => assert.fail("answer")), {}),
      /what was announced threw AssertionError: answer/,
    ],
  ];
  for (const [what, device, reason] of BREAKS) {
    it(`R1.1 ${what}: the machine ends with status 12 and names it`, () => {
      const { end } = ends(device);
      assert.deepEqual(
        { kind: end?.kind, route: end?.route, status: end?.status },
        {
          kind: "failed",
          route: "device-error",
          status: 12,
        },
      );
      assert.match(end?.reason ?? "", reason);
    });
  }
});
