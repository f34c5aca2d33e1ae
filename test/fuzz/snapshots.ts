/**
 * Files of snapshots that somebody has damaged, or crafted with checksums that are right (R6.2): each is refused as what it is, at
 * its offset, or makes a machine that runs without an exception.
 */
import assert from "node:assert/strict";
import { BlockError } from "../../src/block/block-error.js";
import { OverlayDisk } from "../../src/block/overlay.js";
import { buildPlan } from "../../src/boot/index.js";
import { PartError } from "../../src/devices/resources.js";
import { EngineLimit, type Engine } from "../../src/engine/contract.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { Machine } from "../../src/machine/machine.js";
import type { DiskToSave } from "../../src/snapshot/disks.js";
import { HEADER, PAGE, SECTION, SECTION_TYPES } from "../../src/snapshot/format.js";
import { bytesSource } from "../../src/snapshot/file.js";
import { openSnapshot, restoreSnapshot, type Snapshot } from "../../src/snapshot/read.js";
import { SnapshotError } from "../../src/snapshot/snapshot-error.js";
import { TestConsole } from "../support/fake-machine.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { mutated } from "../support/mutations.js";
import { Random } from "../support/random.js";
import { sealed, sealedTable, sectionOf, snapshotBytes, withValue } from "../support/snapshot-files.js";
import { timeStampGuest } from "../support/two-cpu-guests.js";

const MEMORY = 0x400000;
const CPUS = 2;
const FIRST_STOP = 40_000;
const RUN = 3000;
/** Of the files that pass, one in so many becomes a machine. */
const RESTORED = 32;
const PLENTY = 1_000_000;

const DISK_SIZE = 0x10000;
const SECTOR = 512;
const DIGEST = 32;

function overlay(): OverlayDisk {
  return new OverlayDisk(new MemoryDisk(new Uint8Array(DISK_SIZE)));
}

/** A disk of which three places are in memory, one of them zeros. */
function diskToSave(): DiskToSave {
  const disk = overlay();
  disk.write(0, new Uint8Array(SECTOR).fill(1));
  disk.write(5 * SECTOR, new Uint8Array(3 * SECTOR).fill(2));
  return {
    name: "disk0",
    file: "disk.img",
    access: "memory",
    size: DISK_SIZE,
    serial: "",
    files: [{ format: "raw", size: DISK_SIZE, changedNs: 1n, digest: new Uint8Array(DIGEST) }],
    pieces: [...disk.pieces(), { offset: DISK_SIZE - SECTOR, length: SECTOR }],
  };
}

/** A machine of two CPUs that wait for each other, in the middle of it; small. */
export function smallSnapshot(engine: Engine): Uint8Array {
  const machine = new Machine({
    plan: buildPlan({
      kernel: { name: "two CPUs", bytes: timeStampGuest(PLENTY) },
      memory: MEMORY,
      cpus: CPUS,
      disks: [{ sectors: DISK_SIZE / SECTOR, readOnly: false, serial: "" }],
      clock: { deterministic: { nsPerInstruction: 10 } },
    }),
    engine,
    console: new TestConsole(),
    hostNow: () => 0,
    disks: new Map([["disk0", overlay()]]),
  });
  assert.equal(machine.run(FIRST_STOP).state, "ran");
  const file = snapshotBytes(machine, { disks: () => [diskToSave()] });
  machine.dispose();
  return file;
}

/** One file made from a good one. */
function crafted(good: Uint8Array, random: Random): Uint8Array {
  switch (random.below(5)) {
    case 0:
      return good.slice(0, random.below(good.length));
    case 1:
      return flipped(good, random, 0, good.length);
    case 2:
      return sealedTable(flipped(good, random, HEADER.version, HEADER.tableCrc - HEADER.version));
    case 3: {
      const type = random.pick(Object.values(SECTION_TYPES));
      const { offset, length } = sectionOf(good, type);
      return sealed(flipped(good, random, offset, length));
    }
  }
  const type = random.pick([
    SECTION_TYPES.about,
    SECTION_TYPES.plan,
    SECTION_TYPES.machine,
    SECTION_TYPES.machine,
    SECTION_TYPES.disks,
  ]);
  return withValue(good, type, (value) => encodable(mutated(value, random, random.below(2) === 0)));
}

/** Tables that say something else, with their checksum. */
function withOtherTable(good: Uint8Array, random: Random): Uint8Array {
  const copy = good.slice();
  const rows = Object.keys(SECTION_TYPES).length;
  const at = HEADER.size + random.below(rows) * SECTION.size + random.below(SECTION.crc);
  copy[at] = random.below(4) === 0 ? random.below(0x100) : copy[at] ^ (1 << random.below(8));
  return sealedTable(copy);
}

function flipped(good: Uint8Array, random: Random, start: number, length: number): Uint8Array {
  const copy = good.slice();
  for (let i = 0; i <= random.below(4); i++) copy[start + random.below(length)] ^= 1 << random.below(8);
  return copy;
}

/** What no writer can write is left as it was. */
function encodable(value: unknown): unknown {
  return value ?? {};
}

function opened(file: Uint8Array): Snapshot | undefined {
  try {
    return openSnapshot(bytesSource(file));
  } catch (error) {
    assert.ok(error instanceof SnapshotError, String((error as Error).stack));
    return undefined;
  }
}

/** Makes the machine and runs it for a while; false where it is refused. */
function runs(snapshot: Snapshot, engine: Engine): boolean {
  let machine: Machine;
  try {
    const disks = new Map(snapshot.disks.map(({ name }) => [name, overlay()]));
    snapshot.fillDisks(disks);
    machine = restoreSnapshot(snapshot, { engine, console: new TestConsole(), hostNow: () => 0, disks });
  } catch (error) {
    const refused = [SnapshotError, PartError, EngineLimit, BlockError].some((type) => error instanceof type);
    assert.ok(refused, String((error as Error).stack));
    return false;
  }
  machine.run(RUN);
  assert.notEqual(machine.end?.route, "engine-error", machine.end?.reason);
  // What it became can be saved again.
  if (machine.end === undefined) assert.ok(opened(snapshotBytes(machine)) !== undefined);
  machine.dispose();
  return true;
}

/** Tries `count` files; how many passed, and how many of those that were made machines ran. */
export function fuzzSnapshots(seed: number, count: number): { passed: number; ran: number } {
  const random = new Random(seed);
  const engine = createWasmEngine({ jit: "off" });
  const good = smallSnapshot(engine);
  assert.ok(good.length < 64 * PAGE, `${good.length} bytes`);
  let passed = 0;
  let ran = 0;
  for (let i = 0; i < count; i++) {
    let file: Uint8Array;
    try {
      file = random.below(6) === 0 ? withOtherTable(good, random) : crafted(good, random);
    } catch (error) {
      // A bigint or a list of a kind that has no encoding.
      assert.ok(error instanceof RangeError, String((error as Error).stack));
      continue;
    }
    const snapshot = opened(file);
    if (snapshot === undefined) continue;
    passed++;
    if (passed % RESTORED === 0 && runs(snapshot, engine)) ran++;
  }
  return { passed, ran };
}
