/** R6.2 the generation id: what a guest reads, when it becomes another, and that the guest is told once. */
import assert from "node:assert/strict";
import test from "node:test";
import type { AccessSize } from "../../src/devices/device.js";
import { GENERATION_MMIO } from "../../src/memory/layout.js";
import { PC_PORTS } from "../../src/spec/pc-ports.js";
import type { BoardState } from "../../src/machine/board.js";
import { DeviceBoard } from "../support/device-board.js";
import { FakeClock } from "../support/fake-clock.js";
import { portsOf } from "../support/usual-machine.js";

const SIZE = 16;
const PAGE = GENERATION_MMIO.start;
const STATUS = portsOf("acpi-pm", 3).start;
const ENABLE = STATUS + 2;
const SCI_VECTOR = 0x39;
const IOAPIC = 0xfec0_0000;
const LAPIC_SPURIOUS = 0xfee0_00f0;

const first = Uint8Array.from({ length: SIZE }, (_, i) => 0x10 + i);
const second = Uint8Array.from({ length: SIZE }, (_, i) => 0xf0 - i);

function board(generation?: Uint8Array, state?: BoardState): DeviceBoard {
  return new DeviceBoard(new FakeClock(), state, generation && { generation });
}

function idOf(one: DeviceBoard): Uint8Array {
  return Uint8Array.from({ length: SIZE }, (_, i) => one.mmio.read(PAGE + i, 1));
}

/** The same, but with the SCI open at interrupt controllers and the event enabled: what a kernel does as it boots. */
function listening(generation?: Uint8Array): DeviceBoard {
  const made = board(generation);
  for (const { start } of [PC_PORTS.picMaster, PC_PORTS.picSlave]) made.ports.write(start + 1, 1, 0xff);
  made.mmio.write(LAPIC_SPURIOUS, 4, 0x1ff);
  made.mmio.write(IOAPIC, 4, 0x10 + 2 * 9);
  made.mmio.write(IOAPIC + 0x10, 4, 0x8000 | SCI_VECTOR);
  made.ports.write(ENABLE, 1, 1);
  return made;
}

test("R6.2 the id is the run's, and reads the same in accesses of any size; writes do nothing, behind it are zeros", () => {
  const one = board(first);
  assert.deepEqual(idOf(one), first);
  assert.equal(one.mmio.read(PAGE, 4), 0x13121110);
  assert.equal(one.mmio.read(PAGE + 12, 4), 0x1f1e1d1c);
  assert.equal(one.mmio.read(PAGE + 6, 2), 0x1716);
  assert.equal(one.mmio.read(PAGE + 13, 4), 0x001f1e1d, "the id ends at 16");
  for (const size of [1, 2, 4] as AccessSize[]) {
    one.mmio.write(PAGE, size, 0);
    one.mmio.write(PAGE + GENERATION_MMIO.size - size, size, 0xffffffff);
    assert.equal(one.mmio.read(PAGE + GENERATION_MMIO.size - size, size), 0);
  }
  assert.deepEqual(idOf(one), first);
});

test("R6.2 where runs repeat exactly, the id is the same in each and not zero", () => {
  assert.deepEqual(idOf(board()), idOf(board()));
  assert.notDeepEqual(idOf(board()), new Uint8Array(SIZE));
});

test("R6.2 a new machine raises no event, nor does one that moves within its run", () => {
  const one = board(first);
  assert.equal(one.ports.read(STATUS, 2), 0);
  const moved = board(first, one.state);
  assert.deepEqual(idOf(moved), first);
  assert.equal(moved.ports.read(STATUS, 2), 0);
  assert.deepEqual(moved.state, one.state);
});

test("R6.2 a machine restored into another run has another id, and the event arrives once", () => {
  const before = listening(first);
  const restored = board(second, before.state);
  assert.deepEqual(idOf(restored), second);
  assert.equal(restored.ports.read(STATUS, 2), 1);
  assert.equal(restored.interrupt[0], true);
  assert.equal(restored.apics[0].acknowledge(), SCI_VECTOR);
  restored.ports.write(STATUS, 1, 1);
  restored.apics[0].writeMmio(0xb0, 4, 0);
  assert.equal(restored.interrupt[0], false);

  const moved = board(second, restored.state);
  assert.equal(moved.ports.read(STATUS, 2), 0, "told already");
  assert.equal(moved.interrupt[0], false);
});

test("R6.2 an event that the guest has not seen yet is saved with the machine", () => {
  const restored = board(second, listening(first).state);
  const moved = board(second, restored.state);
  assert.equal(moved.ports.read(STATUS, 2), 1);
  assert.equal(moved.interrupt[0], true);
});

test("R6.2 a run without a generation keeps the saved id: what repeats exactly is the same when restored", () => {
  for (const generation of [first, undefined]) {
    const before = listening(generation);
    const restored = board(undefined, before.state);
    assert.deepEqual(restored.state, before.state);
    assert.equal(restored.ports.read(STATUS, 2), 0);
  }
});

test("R6.2 a run that repeats exactly, restored in real time, gets an id of its own", () => {
  const restored = board(first, board().state);
  assert.deepEqual(idOf(restored), first);
  assert.equal(restored.ports.read(STATUS, 2), 1);
});

test("R6.2 an id that differs in one byte is another", () => {
  for (let at = 0; at < SIZE; at++) {
    const other = first.slice();
    other[at] ^= 0x80;
    assert.equal(board(other, board(first).state).ports.read(STATUS, 2), 1, `byte ${at}`);
  }
});
