/** R3.6, R6.2: disks in a snapshot's file: what was only in memory comes back, and what somebody damaged or made up is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OverlayDisk } from "../../src/block/overlay.js";
import { buildPlan } from "../../src/boot/index.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { Machine } from "../../src/machine/machine.js";
import type { DiskToSave, SavedDisk } from "../../src/snapshot/disks.js";
import { bytesSource } from "../../src/snapshot/file.js";
import { SECTION_TYPES } from "../../src/snapshot/format.js";
import { openSnapshot } from "../../src/snapshot/read.js";
import { SnapshotError } from "../../src/snapshot/snapshot-error.js";
import { TestConsole } from "../support/fake-machine.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { sectionOf, snapshotBytes, withValue } from "../support/snapshot-files.js";
import { timeStampGuest } from "../support/two-cpu-guests.js";

const SIZE = 2 ** 20;
const SECTOR = 512;
const DIGEST = 32;

/** A disk of ones whose guest wrote here and there. */
function usedDisk(): OverlayDisk {
  const disk = new OverlayDisk(new MemoryDisk(new Uint8Array(SIZE).fill(1)));
  disk.write(3 * SECTOR, new Uint8Array(SECTOR).fill(2));
  disk.write(SIZE - SECTOR, new Uint8Array(SECTOR).fill(3));
  disk.writeZeroes(2 ** 17, 2 ** 18, true);
  return disk;
}

function whole(disk: OverlayDisk): Uint8Array {
  const all = new Uint8Array(SIZE);
  disk.read(0, all);
  return all;
}

function toSave(disk: OverlayDisk): DiskToSave {
  return {
    name: "disk0",
    file: "disk.img",
    access: "memory",
    size: SIZE,
    serial: "",
    files: [{ format: "raw", size: SIZE, changedNs: 5n, digest: new Uint8Array(DIGEST) }],
    pieces: disk.pieces(),
  };
}

const engine = createWasmEngine({ jit: "off" });
function savedFile(disk: OverlayDisk): Uint8Array {
  const machine = new Machine({
    plan: buildPlan({
      kernel: { name: "guest", bytes: timeStampGuest(1000) },
      memory: 0x400000,
      disks: [{ sectors: SIZE / SECTOR, readOnly: false, serial: "" }],
      clock: { deterministic: { nsPerInstruction: 10 } },
    }),
    engine,
    console: new TestConsole(),
    hostNow: () => 0,
    disks: new Map([["disk0", disk]]),
  });
  const file = snapshotBytes(machine, { disks: () => [toSave(disk)] });
  machine.dispose();
  return file;
}

const good = savedFile(usedDisk());

test("R6.2 what was only in memory of a disk comes back, byte for byte; what it was is told", () => {
  const { disks, fillDisks, about } = openSnapshot(bytesSource(good));
  const again = new OverlayDisk(new MemoryDisk(new Uint8Array(SIZE).fill(1)));
  fillDisks(new Map([["disk0", again]]));
  assert.deepEqual(whole(again), whole(usedDisk()));
  const { written: _written, zeros: _zeros, ...facts } = disks[0];
  const { pieces: _pieces, ...expected } = toSave(usedDisk());
  assert.deepEqual(facts, expected);
  assert.deepEqual(about.disks, [
    { name: "disk0", file: "disk.img", access: "memory", size: SIZE, inMemory: 2 * 4096 },
  ]);
});

test("R6.2 damaged bytes of a disk are refused at their section", () => {
  const bad = good.slice();
  const { offset } = sectionOf(bad, SECTION_TYPES.data);
  bad[offset + 100] ^= 1;
  const { fillDisks } = openSnapshot(bytesSource(bad));
  const into = new OverlayDisk(new MemoryDisk(new Uint8Array(SIZE)));
  assert.throws(() => fillDisks(new Map([["disk0", into]])), /CRC-32 .* of section DATA/);
});

/** Pairs of 64 bits. */
function places(...numbers: bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(numbers).buffer);
}

const FAULTS: [what: string, change: (disk: SavedDisk) => Partial<SavedDisk>, found: RegExp][] = [
  ["a place outside", () => ({ zeros: places(BigInt(SIZE), 1n) }), /disks\[0\]\.zeros: 1 bytes at/],
  ["an empty place", () => ({ zeros: places(0n, 0n) }), /disks\[0\]\.zeros: 0 bytes at/],
  ["places that overlap", () => ({ zeros: places(0n, 10n, 9n, 1n) }), /ascending places/],
  ["a length beyond numbers", () => ({ zeros: places(0n, 2n ** 64n - 1n) }), /ascending places/],
  ["half a place", () => ({ zeros: new Uint8Array(8) }), /a multiple of 16/],
  ["more bytes than there are", () => ({ written: places(0n, 100_000n) }), /as section DISK says/],
  ["fewer bytes than there are", () => ({ written: places(0n, 1n) }), /as section DISK says/],
  ["bytes of a disk that is written", () => ({ access: "write" }), /nothing of it is in memory/],
  ["no file", () => ({ files: [] }), /disks\[0\]\.files: a list of 0/],
  ["an access of another kind", () => ({ access: "all" as "read" }), /disks\[0\]\.access/],
];
for (const [what, change, found] of FAULTS)
  test(`R6.2 a snapshot whose disk has ${what} is refused`, () => {
    const bad = withValue(good, SECTION_TYPES.disks, (value) => {
      const [disk] = value["disks"] as SavedDisk[];
      return { disks: [{ ...disk, ...change(disk) }] };
    });
    assert.throws(
      () => openSnapshot(bytesSource(bad)),
      (error) => error instanceof SnapshotError && found.test(error.message),
    );
  });

test("R6.2 a snapshot with two disks of one name is refused", () => {
  const bad = withValue(good, SECTION_TYPES.disks, (value) => {
    const [disk] = value["disks"] as SavedDisk[];
    return { disks: [disk, { ...disk, written: new Uint8Array(0), zeros: new Uint8Array(0) }] };
  });
  assert.throws(() => openSnapshot(bytesSource(bad)), /disks\[1\]\.name/);
});
