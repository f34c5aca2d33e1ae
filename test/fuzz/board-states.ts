/**
 * Boards made from states that somebody crafted: what the check lets through makes a board on which nothing throws, nothing
 * spins, and which saves a state that the check lets through again (R6.2).
 */
import assert from "node:assert/strict";
import { ShapeError, type Shape } from "../../src/bytes/shape.js";
import type { AccessSize, Clock, Timers } from "../../src/devices/device.js";
import { PartRegistry } from "../../src/devices/registry.js";
import type { BoardState } from "../../src/machine/board.js";
import { checkBoardState } from "../../src/machine/board-state.js";
import { TimerQueue } from "../../src/machine/timers.js";
import { APIC_MSR } from "../../src/spec/apic.js";
import { BOARD_CPUS, boardPlan, DeviceBoard, IOAPIC_PAGE, LAPIC_PAGE } from "../support/device-board.js";
import { plainMemory } from "../support/guest-memory.js";
import { mutated, wandered } from "../support/mutations.js";
import type { Random } from "../support/random.js";
import { everyPart, everyPort } from "../support/usual-machine.js";

/** The machine's own timers under a clock that goes where it is sent. */
class Time implements Clock, Timers {
  readonly queue = new TimerQueue();

  constructor(private time: number) {}

  now(): number {
    return this.time;
  }

  schedule(deadline: number, callback: () => void, rank?: number): number {
    return this.queue.schedule(deadline, callback, rank);
  }

  rank(): number {
    return this.queue.rank();
  }

  cancel(handle: number): void {
    this.queue.cancel(handle);
  }

  /** Goes on by `ns`; returns how many timers fired on the way, counting no further than `most`. */
  advance(ns: number, most: number): number {
    const end = this.time + ns;
    let fired = 0;
    while (fired <= most && (this.queue.nextDeadline ?? Infinity) <= end) {
      this.time = Math.max(this.time, this.queue.nextDeadline as number);
      fired += this.queue.fireDue(this.time);
    }
    this.time = end;
    return fired;
  }
}

const PARTS = everyPart();
export const FUZZED_PLAN = boardPlan(PARTS);
/** The part with the most to get wrong. */
const LAPIC_PART = PARTS.find(({ type }) => type === "lapic")!;
const TYPES = new PartRegistry();
const PORTS = everyPort();
const RAM = plainMemory([{ start: 0, size: 0x10000 }]);
const SIZES: readonly AccessSize[] = [1, 1, 1, 2, 4];
const STRETCH_NS = 2_000_000;
/** Periodic timers deliver at most 20,000 a second each and catch up a quarter of a second; the RTC has 8192 Hz. */
const MOST_FIRED = 6000 * (BOARD_CPUS + 2);

export function boardOf(state: BoardState | undefined, time: number): { board: DeviceBoard; time: Time } {
  const clock = new Time(time);
  return { board: new DeviceBoard(clock, state, { devices: PARTS, memory: RAM }), time: clock };
}

export function checkState(state: unknown): BoardState {
  return checkBoardState(FUZZED_PLAN, TYPES, state);
}

function passes(state: unknown): boolean {
  return passesShape({ check: checkState }, state);
}

function passesShape(shape: Shape<unknown>, state: unknown): boolean {
  try {
    shape.check(state, "");
    return true;
  } catch (error) {
    if (error instanceof ShapeError) return false;
    throw error;
  }
}

/** One access of a guest, or something from outside. */
function act(board: DeviceBoard, random: Random): void {
  const size = random.pick(SIZES);
  const value = random.below(2) ? random.below(0x100) : random.below(0xffffffff);
  const apic = random.pick(board.apics);
  const write = random.below(2) === 1;
  switch (random.below(8)) {
    case 0: {
      const page = random.pick([LAPIC_PAGE, IOAPIC_PAGE]);
      const address = page + random.below(0x40) * 0x10;
      if (write) board.mmio.write(address, 4, value);
      else assertRegister(board.mmio.read(address, size), size);
      return;
    }
    case 1: {
      const index = random.pick([
        APIC_MSR.base,
        APIC_MSR.tscDeadline,
        APIC_MSR.x2apicFirst + random.below(0x40),
      ]);
      if (write) apic.writeMsr(index, BigInt(value));
      else apic.readMsr(index);
      return;
    }
    case 2: {
      const vector = apic.acknowledge();
      assert.ok(Number.isInteger(vector) && vector >= -1 && vector <= 0xff, `vector ${vector}`);
      return;
    }
    case 3:
      if (random.below(8) === 0) board.pressPowerButton();
      else board.receive(Uint8Array.of(value & 0xff, 1, 2, 3));
      return;
    default: {
      const port = random.pick(PORTS);
      if (write) board.ports.write(port, size, size === 4 ? value : value % 2 ** (8 * size));
      else assertRegister(board.ports.read(port, size), size);
    }
  }
}

function assertRegister(value: number, size: number): void {
  assert.ok(
    Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size),
    `read ${value} of ${size} bytes`,
  );
}

/** Lives with a state that passed: accesses and time, then saved, and the saved state passes. */
function live(state: BoardState, start: number, random: Random, accesses: number): BoardState {
  const { board, time } = boardOf(checkState(state), start);
  for (let i = 0; i < accesses; i++) {
    act(board, random);
    if (random.below(4) !== 0) continue;
    const fired = time.advance(random.below(STRETCH_NS), MOST_FIRED);
    assert.ok(fired <= MOST_FIRED, `${fired} timers fired in ${STRETCH_NS} ns`);
    assert.ok(time.queue.size <= 3 + BOARD_CPUS, `${time.queue.size} timers armed`);
  }
  board.log.length = 0;
  return checkState(board.state);
}

/** The state of a board that was used for a while. */
export function usedState(random: Random): BoardState {
  const { board, time } = boardOf(undefined, 0);
  for (let i = 0; i < 200; i++) {
    act(board, random);
    time.advance(random.below(STRETCH_NS), MOST_FIRED);
  }
  return board.state;
}

const STARTS = [0, 1, 5_000_000_000, 86_400_000_000_000, 2 ** 52];

/** Parts of one board whose states are far from real ones. */
const CRAFTED = 4;

/** One crafted board: far from a real one, but nothing in it is out of range. `changes`: to each of some parts. */
export function fuzzPassing(used: BoardState, random: Random, changes: number, accesses: number): void {
  const state = { ...used };
  for (let i = 0; i < CRAFTED; i++) {
    const part = i === 0 ? LAPIC_PART : random.pick(PARTS);
    const shape = TYPES.typeOf(part).state?.(part, FUZZED_PLAN);
    assert.ok(shape !== undefined, `part type ${part.type} says what its states are`);
    state[part.name] = wandered(state[part.name], random, changes, (one) => passesShape(shape, one));
  }
  live(state, random.pick(STARTS), random, accesses);
}

/** One crafted state: anything in it is anything. Returns whether it was let through. */
export function fuzzHostile(used: BoardState, random: Random, accesses: number): boolean {
  let state: BoardState = used;
  for (let i = 1 + random.below(3); i > 0; i--) state = mutated(state, random, true);
  if (!passes(state)) return false;
  live(state, random.pick(STARTS), random, accesses);
  return true;
}
