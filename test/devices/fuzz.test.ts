/**
 * Random accesses to every register of every device: nothing throws, nothing arms timers without bound, state
 * stays plain data from which an equal device can be made, and every register was reached.
 */
import assert from "node:assert/strict";
import test from "node:test";
import type { AccessSize } from "../../src/devices/device.js";
import { APIC_MSR, LAPIC } from "../../src/spec/apic.js";
import { BOARD_CPUS, DeviceBoard, IOAPIC_PAGE, LAPIC_PAGE } from "../support/device-board.js";
import type { BoardState } from "../../src/machine/board.js";
import { FakeClock } from "../support/fake-clock.js";
import { Random } from "../support/random.js";

const OPERATIONS = 200_000;
/** Between two comparisons with a copy. */
const STRETCH = 2000;
/** Operations that a copy follows. */
const FOLLOWED = 100;
/** PIT, RTC and PM timer have one alarm each, every local APIC one. */
const MOST_ALARMS = 3 + BOARD_CPUS;
/** Periodic deliveries of PIT and local APICs are capped at 20 kHz each; the RTC has at most 8 kHz. */
const MOST_FIRED_PER_SECOND = 20_000 * (1 + BOARD_CPUS) + 8192;

const PORTS = [
  ...[0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x92],
  ...[0xf4, 0xf5, 0xf6, 0xf7, 0x501, 0x502, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff],
  ...[0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x608, 0x609, 0x60a, 0x60b, 0x60c, 0x60d, 0x60e, 0x60f],
  0xcf9,
];
const LAPIC_REGISTERS = Array.from({ length: 0x400 / 0x10 }, (_, i) => LAPIC_PAGE + i * 0x10);
const IOAPIC_REGISTERS = [IOAPIC_PAGE, IOAPIC_PAGE + 0x10, IOAPIC_PAGE + 0x40];
const MSRS = [
  APIC_MSR.base,
  APIC_MSR.tscDeadline,
  ...Array.from({ length: 0x40 }, (_, i) => APIC_MSR.x2apicFirst + i),
];
const VALUES = [
  0, 1, 2, 0x0b, 0x20, 0x34, 0x36, 0x40, 0x7f, 0x80, 0xff, 0x100, 0x1ff, 0xffff, 0x10000, 0xffffffff,
];
const SIZES = [1, 1, 1, 1, 2, 4] as const;

/** One access, decided before it is done, so that it can be done to two boards alike. */
interface Operation {
  kind: number;
  address: number;
  size: AccessSize;
  value: number;
  cpu: number;
}

function operation(random: Random): Operation {
  const kind = random.below(100);
  const address =
    kind < 70
      ? random.pick(PORTS)
      : kind < 88
        ? random.pick(random.below(4) === 0 ? IOAPIC_REGISTERS : LAPIC_REGISTERS)
        : random.pick(MSRS);
  const value = random.below(2) ? random.pick(VALUES) : random.below(0x100000000);
  // Narrow accesses mostly; registers in memory mostly whole, so that writes count.
  const size = kind >= 70 && random.below(8) ? 4 : random.pick(SIZES);
  return { kind, address, size, value, cpu: random.below(BOARD_CPUS) };
}

/** Does it; returns what the guest would see. */
function perform(board: DeviceBoard, { kind, address, size, value, cpu }: Operation): string {
  const apic = board.apics[cpu];
  const write = value % 2 === 1;
  if (kind < 70) {
    if (!write) return `${board.ports.read(address, size)}`;
    board.ports.write(address, size, value >>> 1);
  } else if (kind < 88) {
    if (!write) return `${board.mmio.read(address, size)}`;
    board.mmio.write(address, size, value >>> 1);
  } else if (kind < 94) {
    if (!write) return `${apic.readMsr(address)}`;
    return `${apic.writeMsr(address, BigInt(value >>> 1))}`;
  } else if (kind < 97) {
    return board.interrupt[cpu] ? `${apic.acknowledge()}` : "";
  } else if (kind < 98) {
    apic.writeTaskPriority(value & 15);
  } else if (kind < 99) {
    return `${board.receive(Uint8Array.of(value & 0xff, 2, 3, 4, 5, 6, 7, 8))}`;
  } else {
    board.pressPowerButton();
  }
  return "";
}

/** Local APICs that a random write switched off come back, or nothing more of them would be tested. */
function revive(board: DeviceBoard): void {
  board.apics.forEach((apic, cpu) => {
    const bsp = cpu === 0 ? 0x100n : 0n;
    apic.writeMsr(APIC_MSR.base, BigInt(LAPIC_PAGE) | bsp);
    apic.writeMsr(APIC_MSR.base, BigInt(LAPIC_PAGE) | bsp | 0x800n);
    apic.writeMmio(LAPIC.spurious, 4, 0x1ff);
  });
}

/** The state with everything up to now computed: devices note some of it only when they are looked at. */
function settled(state: BoardState, clock: FakeClock): BoardState {
  return new DeviceBoard(new FakeClock(clock.now()), structuredClone(state)).state;
}

/** A second board with a copy of the state, and both doing the same for a while. */
function followCopy(board: DeviceBoard, clock: FakeClock, random: Random): void {
  const json = JSON.stringify(board.state);
  const state = JSON.parse(json) as BoardState;
  assert.deepEqual(state, board.state, "the state is plain data");
  const start = clock.now();
  const copyClock = new FakeClock(start);
  const copy = new DeviceBoard(copyClock, state);
  // Making a board drives its lines, which is no event of the guest's.
  assert.deepEqual(copy.interrupt, board.interrupt);
  copy.log.length = 0;
  board.log.length = 0;
  for (let i = 0; i < FOLLOWED; i++) {
    const next = operation(random);
    assert.equal(perform(copy, next), perform(board, next), JSON.stringify(next));
    const pause = random.below(20_000);
    clock.advance(pause);
    copyClock.advance(pause);
    assert.deepEqual(copy.interrupt, board.interrupt, JSON.stringify(next));
  }
  assert.deepEqual(copy.log, board.log);
  assert.deepEqual(settled(copy.state, clock), settled(board.state, clock));
}

test("isolation: 200,000 random accesses break no device, and a copy of its state always behaves the same", () => {
  const random = new Random(0x1234567);
  const clock = new FakeClock();
  const board = new DeviceBoard(clock);
  const reached = new Map<number, Set<boolean>>();
  for (let i = 0; i < OPERATIONS; i++) {
    const next = operation(random);
    if (next.kind < 88)
      reached.set(next.address, (reached.get(next.address) ?? new Set()).add(next.value % 2 === 1));
    perform(board, next);
    const before = clock.fired;
    const pause = random.below(1000) === 0 ? 5_000_000 : random.below(5000);
    clock.advance(pause);
    const most = MOST_ALARMS + Math.ceil((pause / 1e9) * MOST_FIRED_PER_SECOND);
    assert.ok(clock.fired - before <= most, `${clock.fired - before} timers fired in ${pause} ns`);
    assert.ok(clock.armed <= MOST_ALARMS, `${clock.armed} timers armed`);
    if (i % STRETCH === 0) {
      revive(board);
      followCopy(board, clock, random);
    }
    board.log.length = 0;
  }
  for (const address of [...PORTS, ...LAPIC_REGISTERS, ...IOAPIC_REGISTERS]) {
    const ways = reached.get(address);
    // The last ports of a range that is taken whole are only reached by their bytes.
    assert.equal(ways?.size, 2, `0x${address.toString(16)} was read and written`);
  }
});

test("isolation: random accesses from power-on, many short lives", () => {
  for (let life = 1; life <= 300; life++) {
    const random = new Random(life * 7919);
    const clock = new FakeClock();
    const board = new DeviceBoard(clock);
    for (let i = 0; i < 100; i++) {
      perform(board, operation(random));
      clock.advance(random.below(100_000));
    }
    followCopy(board, clock, random);
  }
});
