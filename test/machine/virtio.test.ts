/** R3.5 What a machine's owner says to its virtio devices, and disks that nobody handed in. */
import assert from "node:assert/strict";
import test from "node:test";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import type { Machine } from "../../src/machine/machine.js";
import type { PartRequest } from "../../src/devices/part.js";
import { TestConsole } from "../support/fake-machine.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { barePlan } from "../support/snapshot-cuts.js";
import { newMachine } from "../support/snapshot-moves.js";
import { ipiGuest } from "../support/two-cpu-guests.js";
import { diskPart } from "../support/virtio-parts.js";

function machineWith(
  moreDevices: readonly PartRequest[],
  disks: ReadonlyMap<string, MemoryDisk> = new Map(),
): Machine {
  const guest = ipiGuest(1, { begin: "begin", end: "end", wrong: 1 });
  const engine = createWasmEngine({ jit: "off" });
  return newMachine(barePlan(guest, 2, { moreDevices }), { console: new TestConsole(), engine, disks });
}

test("R3.5 a console's size and a balloon's target reach the devices; a machine without them says so", () => {
  const machine = machineWith([{ type: "virtio-console" }, { type: "virtio-balloon" }]);
  assert.equal(machine.resizeConsole(132, 50) && machine.inflateBalloon(77), true);
  const parts = machine.saveParts() as Record<string, { device: Record<string, unknown> }>;
  const { columns, rows } = parts["virtio-console"].device;
  assert.deepEqual([columns, rows, parts["virtio-balloon"].device["pages"]], [132, 50, 77]);
  machine.dispose();
  const bare = machineWith([]);
  assert.equal(bare.resizeConsole(132, 50) || bare.inflateBalloon(77), false);
  bare.dispose();
});

test("R3.6 a disk that nobody handed in, is too small, or cannot be written is an error in its part's name", () => {
  const disk = new MemoryDisk(new Uint8Array(8 * 512));
  const asked = diskPart(disk);
  const other = new Map([["other", disk]]);
  const small = new Map([["disk0", new MemoryDisk(new Uint8Array(7 * 512))]]);
  const locked = new Map([["disk0", Object.assign(new MemoryDisk(disk.bytes), { readOnly: true })]]);
  assert.throws(() => machineWith([asked]), /part "disk0": found a disk "disk0" that nobody handed in/);
  assert.throws(() => machineWith([asked], other), /expected one of "other"/);
  assert.throws(() => machineWith([asked], small), /found a disk "disk0" of 3584 bytes; expected 4096 bytes/);
  assert.throws(
    () => machineWith([asked], locked),
    /read-only; expected 4096 bytes at least, that can be written/,
  );
});
