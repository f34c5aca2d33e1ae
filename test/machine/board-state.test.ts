/** What a board's states from a file must be, part by part, and what is refused by name (R6.2). */
import assert from "node:assert/strict";
import test from "node:test";
import { ShapeError } from "../../src/bytes/shape.js";
import type { PartType } from "../../src/devices/part.js";
import { PartRegistry } from "../../src/devices/registry.js";
import { PartError } from "../../src/devices/resources.js";
import { standing } from "../../src/devices/standing.js";
import type { BoardState } from "../../src/machine/board.js";
import { checkBoardState } from "../../src/machine/board-state.js";
import { REDIRECTION } from "../../src/spec/apic.js";
import { boardPlan, DeviceBoard, IOAPIC_PAGE } from "../support/device-board.js";
import { FakeClock } from "../support/fake-clock.js";
import { everyPart } from "../support/usual-machine.js";

const PARTS = everyPart();
const PLAN = boardPlan(PARTS);
const TYPES = new PartRegistry();

function freshState(): BoardState {
  return new DeviceBoard(new FakeClock(), undefined, { devices: PARTS }).state;
}

/** The fresh state with another value at a place like `ioapic.pins[0].low`. */
function changed(place: string, change: (value: unknown) => unknown): unknown {
  const state = freshState();
  const steps = place.split(/[.[\]]+/).filter((step) => step !== "");
  const last = steps.pop()!;
  let holder = state as Record<string, unknown>;
  for (const step of steps) holder = holder[step] as Record<string, unknown>;
  holder[last] = change(holder[last]);
  return state;
}

const becomes = (value: unknown) => (): unknown => value;
const shorter = (list: unknown): unknown => (list as unknown[]).slice(1);
const longer = (list: unknown): unknown => [...(list as unknown[]), (list as unknown[])[0]];
const zeros = (count: number): number[] => new Array<number>(count).fill(0);

test("R6.2 board: the state of every part of a machine passes as it was saved", () => {
  const state = freshState();
  assert.equal(Object.keys(state).length, PARTS.length);
  assert.deepEqual(checkBoardState(PLAN, TYPES, state), state);
  for (const type of TYPES.types())
    assert.ok(type.state !== undefined, `${type.type} says what its states are`);
});

const REFUSED: readonly (readonly [place: string, why: string, change: (value: unknown) => unknown])[] = [
  ["disk", "the state of a part that the plan does not have", becomes({})],
  ["uart16550", "a state that is no object", becomes(null)],
  ["uart16550.more", "an unknown field", becomes(1)],
  ["uart16550.lcr", "a register that is too wide", becomes(256)],
  ["uart16550.received", "more than the FIFO holds", becomes(zeros(17))],
  ["uart16550.received", "two bytes without a FIFO", becomes(zeros(2))],
  ["uart16550.trigger", "a trigger level that there is not", becomes(2)],
  ["i8042.output", "more than the buffer holds", becomes(zeros(17))],
  ["i8042.ram", "a RAM of another size", shorter],
  ["i8259.master.vectorBase", "vectors across a multiple of 8", becomes(0xff)],
  ["i8259.slave.lowest", "an input that there is not", becomes(8)],
  ["i8254.timer.counters", "a fourth counter", longer],
  ["i8254.timer.counters[0].running", "a count of 0 that runs", becomes(true)],
  ["i8254.timer.counters[1].start", "a time that is none", becomes(NaN)],
  ["mc146818.cmos[5]", "a byte below 0", becomes(-1)],
  ["mc146818.baseSeconds", "a date that there is not", becomes(1e13)],
  ["acpi-pm.timerSeen", "a time without end", becomes(Infinity)],
  ["ioapic.pins", "a pin too few", shorter],
  ["lapic.cpus", "an APIC for no CPU", longer],
  ["lapic.cpus[1].id", "a second APIC of one id", becomes(0)],
  ["lapic.cpus[0].registers.timer.running", "a count-down of 0 that runs", becomes(true)],
  ["lapic.cpus[0].baseAddress", "a base inside a page", becomes(1)],
  ["lapic.cpus[0].baseFlags", "x2APIC mode of a disabled APIC", becomes(0x400)],
  ["lapic.cpus[1].lint0Level", "a level of a pin that is not wired", becomes(true)],
  ["lapic.cpus[0].registers.request[0]", "a vector that no APIC delivers", becomes(2)],
  ["debug-console.text", "a text without end", becomes("x".repeat(2 ** 20))],
  ["vga.paletteRead", "a colour that there is not", becomes(768)],
  ["testdev.memory", "a memory of another size", becomes(new Uint8Array(1))],
];

for (const [place, why, change] of REFUSED) {
  test(`R6.2 board: ${why} is refused, at ${place}`, () => {
    assert.throws(
      () => checkBoardState(PLAN, TYPES, changed(place, change)),
      (error: unknown) => error instanceof ShapeError && error.path === `parts.${place}`,
    );
  });
}

test("R6.2 board: a part of the plan without a state is refused by name", () => {
  const state = freshState();
  delete state["vga"];
  assert.throws(() => checkBoardState(PLAN, TYPES, state), { name: "ShapeError", path: "parts.vga" });
});

test("R6.2 board: what is no object of states is refused", () => {
  for (const states of [undefined, null, 1, "x", [], new Uint8Array(1)])
    assert.throws(() => checkBoardState(PLAN, TYPES, states), { name: "ShapeError", path: "parts" });
});

/** A part of somebody's own that cannot make anything of a state without a list. */
const picky: PartType<{ list?: number[] }> = {
  type: "picky",
  summary: "needs a list",
  place: standing("picky", {}),
  create(_part, _wires, state = { list: [] }) {
    const length = state.list!.length;
    return { save: () => ({ list: new Array<number>(length).fill(0) }) };
  },
};

test("R6.2 board: a part of somebody's own gets its state as it is, and what it throws at one is told in its name", () => {
  const types = new PartRegistry().add(picky);
  const devices = [...everyPart(), { name: "picky", type: "picky" }];
  const plan = boardPlan(devices);
  const board = new DeviceBoard(new FakeClock(), undefined, { devices, types });
  const state = checkBoardState(plan, types, board.state);
  assert.deepEqual(state["picky"], { list: [] });
  state["picky"] = { other: 1 };
  const checked = checkBoardState(plan, types, state);
  assert.throws(
    () => new DeviceBoard(new FakeClock(), checked, { devices, types }),
    (error: unknown) => error instanceof PartError && error.part === "picky" && /TypeError/.test(error.found),
  );
  state["picky"] = 5 as unknown as object;
  assert.throws(() => checkBoardState(plan, types, state), { path: "parts.picky" });
});

test("R6.2 board: a part may have the name of what every object has", () => {
  const types = new PartRegistry().add(picky);
  const devices = [...everyPart(), { name: "toString", type: "picky" }];
  const board = new DeviceBoard(new FakeClock(), {}, { devices, types });
  assert.deepEqual(checkBoardState(boardPlan(devices), types, board.state)["toString"], { list: [] });
});

test("a message that asks for the 8259s' vector on a machine without them is answered by nobody", () => {
  const devices = everyPart().filter(({ type }) => type !== "i8259");
  const board = new DeviceBoard(new FakeClock(), undefined, { devices });
  const extInt = 7 << REDIRECTION.modeShift;
  // Pin 8 is the RTC's; it is told to be a level of nobody, and then an ExtINT edge.
  board.mmio.write(IOAPIC_PAGE, 4, 0x10 + 2 * 8);
  board.mmio.write(IOAPIC_PAGE + 0x10, 4, extInt);
  board.ports.write(0x70, 1, 0x0b);
  board.ports.write(0x71, 1, 0x52);
  (board.clock as FakeClock).advance(2_000_000_000);
  assert.equal(board.interrupt[0], true);
  assert.equal(board.apics[0].acknowledge(), -1);
  assert.equal(board.interrupt[0], false);
});

test("the real-time clock shows bytes when its registers said month 0 of year 0", () => {
  const board = new DeviceBoard(new FakeClock());
  const write = (index: number, value: number): void => {
    board.ports.write(0x70, 1, index);
    board.ports.write(0x71, 1, value);
  };
  for (const index of [0x32, 9, 8, 7]) write(index, 0);
  for (const index of [0x32, 9, 8, 7]) {
    board.ports.write(0x70, 1, index);
    const value = board.ports.read(0x71, 1);
    assert.ok(value >= 0 && value <= 0x99, `register ${index} reads ${value}`);
  }
  const cmos = (board.state["mc146818"] as { cmos: number[] }).cmos;
  assert.ok(cmos.every((byte) => byte >= 0 && byte <= 0xff));
});
