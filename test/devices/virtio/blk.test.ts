/** R3.6 The virtio disk: each request, in both layouts of queues, and what costs only a request. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { BlockError } from "../../../src/block/block-error.js";
import { virtioBlkPart } from "../../../src/devices/virtio/blk.js";
import type { PartType } from "../../../src/devices/part.js";
import { VIRTIO_INTERRUPT, VIRTIO_MMIO } from "../../../src/spec/virtio.js";
import { VIRTIO_BLK_CONFIG, VIRTIO_BLK_FEATURE, VIRTIO_BLK_T } from "../../../src/spec/virtio-devices.js";
import { MemoryDisk } from "../../support/memory-disk.js";
import { randomBytes } from "../../support/random.js";
import {
  started,
  VirtioBench,
  type BenchOptions,
  type DriverQueue,
  type Piece,
} from "../../support/virtio-bench.js";

const TYPE = virtioBlkPart as unknown as PartType;
const SECTORS = 64;
const [OK, IOERR, UNSUPP] = [0, 1, 2];
const PENDING = 0xee;
const HEADER = 0x2_0000;
const DATA = 0x2_1000;
const STATUS = 0x2_8000;
const F = VIRTIO_BLK_FEATURE;

const CONFIG = {
  disk: "disk0",
  sectors: SECTORS,
  readOnly: false,
  serial: "a serial number of more than twenty",
};

function newDisk(): MemoryDisk {
  return new MemoryDisk(randomBytes(7, SECTORS * 512));
}

function bench(disk: MemoryDisk, options: BenchOptions = {}, config: object = {}): VirtioBench {
  return new VirtioBench(TYPE, { ...CONFIG, ...config }, { disks: new Map([["disk0", disk]]), ...options });
}

interface Asked {
  type: number;
  sector?: number;
  /** Pieces between head and status. */
  data?: readonly Piece[];
}

/** Makes a request available, its status byte at `status`. */
function ask(
  one: VirtioBench,
  queue: DriverQueue,
  { type, sector = 0, data = [] }: Asked,
  status = STATUS,
): number {
  const { memory } = one;
  memory.writeU32(HEADER, type);
  memory.writeU64(HEADER + 8, sector % 2 ** 32, Math.floor(sector / 2 ** 32));
  memory.writeU8(status, PENDING);
  const id = queue.add([
    { address: HEADER, length: 16 },
    ...data,
    { address: status, length: 1, write: true },
  ]);
  one.notify();
  return id;
}

function statusOf(one: VirtioBench): number {
  return one.memory.readU8(STATUS);
}

function bytesAt(one: VirtioBench, address: number, length: number): Uint8Array {
  return one.memory.view(address, length)!.slice();
}

for (const layout of [
  {},
  { indirect: true },
  { packed: true },
  { packed: true, indirect: true },
  { eventIndex: true },
  { packed: true, eventIndex: true },
]) {
  describe(`requests in a queue with ${JSON.stringify(layout)}`, () => {
    test("R3.6 reads, in pieces that cut sectors, and writes; the length that was written is told", () => {
      const disk = newDisk();
      const one = bench(disk);
      const queue = started(one, { ...layout, features: [F.FLUSH] });
      const id = ask(one, queue, {
        type: VIRTIO_BLK_T.IN,
        sector: 3,
        data: [
          { address: DATA, length: 100, write: true },
          { address: DATA + 0x1000, length: 924, write: true },
        ],
      });
      assert.equal(statusOf(one), OK);
      assert.deepEqual(queue.used(), [{ id, length: 1025 }]);
      const read = [...bytesAt(one, DATA, 100), ...bytesAt(one, DATA + 0x1000, 924)];
      assert.deepEqual(read, [...disk.bytes.subarray(3 * 512, 5 * 512)]);
      assert.equal(one.acknowledge(), VIRTIO_INTERRUPT.USED_BUFFER);
      assert.equal(one.raised, false);

      one.memory.writable(DATA, 512)!.fill(0xab);
      ask(one, queue, {
        type: VIRTIO_BLK_T.OUT,
        sector: SECTORS - 1,
        data: [{ address: DATA, length: 512 }],
      });
      assert.equal(statusOf(one), OK);
      assert.ok(disk.bytes.subarray(-512).every((byte) => byte === 0xab));
      assert.equal(queue.used()[0].length, 1);
      assert.equal(disk.flushes, 0);
    });

    test("R3.6 thousands of requests go round the rings", () => {
      const disk = newDisk();
      const one = bench(disk);
      const queue = started(one, { ...layout, size: 4 });
      for (let i = 0; i < 70_000; i++) {
        const id = ask(one, queue, {
          type: VIRTIO_BLK_T.IN,
          sector: i % SECTORS,
          data: [{ address: DATA, length: 512, write: true }],
        });
        if (i % 1000 === 0)
          assert.deepEqual(
            bytesAt(one, DATA, 512),
            disk.bytes.slice((i % SECTORS) * 512, ((i % SECTORS) + 1) * 512),
          );
        assert.deepEqual(queue.used(), [{ id, length: 513 }]);
      }
      assert.equal(one.needsReset, false);
    });
  });
}

test("R3.6 a request in many pieces is one access of the disk for each 256 KiB, whatever the pieces are", () => {
  const size = 320 * 1024;
  const accesses: [what: string, offset: number, length: number][] = [];
  const disk = new (class extends MemoryDisk {
    override read(offset: number, into: Uint8Array): void {
      accesses.push(["read", offset, into.length]);
      super.read(offset, into);
    }
    override write(offset: number, from: Uint8Array): void {
      accesses.push(["write", offset, from.length]);
      super.write(offset, from);
    }
  })(randomBytes(8, 1024 * 1024));
  const one = bench(disk, {}, { sectors: disk.size / 512 });
  const queue = started(one, { features: [F.FLUSH], indirect: true });
  // Pieces of which none ends with a sector, behind one another in memory but for the first.
  const piece = 5000;
  const pieces: Piece[] = [{ address: DATA, length: piece }];
  for (let at = piece; at < size; at += piece)
    pieces.push({ address: 0x3_0000 + at, length: Math.min(piece, size - at) });
  const inMemory = (): Buffer =>
    Buffer.concat(pieces.map(({ address, length }) => bytesAt(one, address, length)));

  ask(one, queue, {
    type: VIRTIO_BLK_T.IN,
    sector: 1,
    data: pieces.map((each) => ({ ...each, write: true })),
  });
  assert.equal(statusOf(one), OK);
  assert.ok(inMemory().equals(disk.bytes.subarray(512, 512 + size)));
  ask(one, queue, { type: VIRTIO_BLK_T.OUT, sector: 801, data: pieces });
  assert.equal(statusOf(one), OK);
  assert.ok(inMemory().equals(disk.bytes.subarray(801 * 512, 801 * 512 + size)));
  const staged = 256 * 1024;
  assert.deepEqual(accesses, [
    ["read", 512, staged],
    ["read", 512 + staged, size - staged],
    ["write", 801 * 512, staged],
    ["write", 801 * 512 + staged, size - staged],
  ]);
});

test("R3.6 what lies behind the disk, or is no multiple of a sector, is an error of the request", () => {
  const one = bench(newDisk());
  const queue = started(one);
  const cases: readonly [number, number][] = [
    [SECTORS, 512],
    [SECTORS - 1, 1024],
    [2 ** 53, 512],
    [0, 511],
  ];
  for (const [sector, length] of cases) {
    for (const type of [VIRTIO_BLK_T.IN, VIRTIO_BLK_T.OUT]) {
      ask(one, queue, { type, sector, data: [{ address: DATA, length, write: type === VIRTIO_BLK_T.IN }] });
      assert.equal(statusOf(one), IOERR, `${sector}+${length}`);
    }
  }
  ask(one, queue, { type: 0x77 });
  assert.equal(statusOf(one), UNSUPP);
  assert.equal(one.needsReset, false);
});

test("R3.6 the serial number, cut to 20 bytes; without room for it the request is one in error", () => {
  const one = bench(newDisk());
  const queue = started(one);
  ask(one, queue, { type: VIRTIO_BLK_T.GET_ID, data: [{ address: DATA, length: 20, write: true }] });
  assert.equal(Buffer.from(bytesAt(one, DATA, 20)).toString(), "a serial number of m");
  ask(one, queue, { type: VIRTIO_BLK_T.GET_ID, data: [{ address: DATA, length: 19, write: true }] });
  assert.equal(statusOf(one), IOERR);
});

test("R3.6 discard and write zeroes: segments are looked at before the first is done", () => {
  const disk = newDisk();
  const one = bench(disk);
  const queue = started(one);
  const segment = (at: number, sector: number, sectors: number, flags = 0): void => {
    one.memory.writeU64(DATA + at, sector, 0);
    one.memory.writeU32(DATA + at + 8, sectors);
    one.memory.writeU32(DATA + at + 12, flags);
  };
  const asked = (type: number, length: number): number => {
    ask(one, queue, { type, data: [{ address: DATA, length }] });
    return statusOf(one);
  };
  segment(0, 2, 3, 1);
  assert.equal(asked(VIRTIO_BLK_T.WRITE_ZEROES, 16), OK);
  assert.ok(disk.bytes.subarray(1024, 2560).every((byte) => byte === 0));
  assert.ok(disk.bytes.subarray(2560, 3072).some((byte) => byte !== 0));
  const before = disk.bytes.slice();
  segment(16, SECTORS, 1);
  segment(0, 8, 1);
  assert.equal(asked(VIRTIO_BLK_T.DISCARD, 32), IOERR);
  assert.equal(asked(VIRTIO_BLK_T.WRITE_ZEROES, 32), IOERR, "one segment at a time");
  assert.equal(asked(VIRTIO_BLK_T.DISCARD, 15), IOERR);
  segment(0, 8, 1, 2);
  assert.equal(asked(VIRTIO_BLK_T.DISCARD, 16), UNSUPP);
  assert.deepEqual(disk.bytes, before);
  segment(0, 8, 1);
  assert.equal(asked(VIRTIO_BLK_T.DISCARD, 16), OK);
});

test("R3.6 a read-only disk says so, and nothing changes it", () => {
  const disk = newDisk();
  const before = disk.bytes.slice();
  const one = bench(disk, {}, { readOnly: true });
  assert.equal(one.offered[0] & ((1 << F.RO) | (1 << F.DISCARD) | (1 << F.WRITE_ZEROES)), 1 << F.RO);
  const queue = started(one, { features: [F.RO] });
  for (const type of [VIRTIO_BLK_T.OUT, VIRTIO_BLK_T.DISCARD, VIRTIO_BLK_T.WRITE_ZEROES]) {
    ask(one, queue, { type, data: [{ address: DATA, length: 512 }] });
    assert.equal(statusOf(one), IOERR);
  }
  assert.deepEqual(disk.bytes, before);
});

test("R3.6 a disk that fails costs the request", () => {
  const disk = newDisk();
  disk.read = () => {
    throw new BlockError(0, "a broken disk", "a whole one", "Mend it.");
  };
  const one = bench(disk);
  const queue = started(one);
  ask(one, queue, { type: VIRTIO_BLK_T.IN, data: [{ address: DATA, length: 512, write: true }] });
  assert.equal(statusOf(one), IOERR);
  assert.equal(one.needsReset, false);
});

/** A disk whose flushes end when the test says so. */
class SlowDisk extends MemoryDisk {
  readonly waiting: ((failed?: BlockError) => void)[] = [];
  flushAside(done: (failed: BlockError | undefined) => void): void {
    this.waiting.push((failed) => done(failed));
  }
}

test("R3.6 a flush is answered when it is done; other requests go on meanwhile; its failure is told", () => {
  const disk = new SlowDisk(randomBytes(1, SECTORS * 512));
  const one = bench(disk);
  const queue = started(one, { features: [F.FLUSH], size: 16 });
  const flush = ask(one, queue, { type: VIRTIO_BLK_T.FLUSH });
  assert.equal(statusOf(one), PENDING);
  assert.deepEqual(queue.used(), []);
  assert.equal(one.completions.inFlight, 1);
  const read = ask(
    one,
    queue,
    { type: VIRTIO_BLK_T.IN, data: [{ address: DATA, length: 512, write: true }] },
    STATUS + 1,
  );
  assert.deepEqual(queue.used(), [{ id: read, length: 513 }]);
  disk.waiting[0]();
  assert.deepEqual(queue.used(), [], "told by the run loop, between slices");
  one.settle();
  assert.equal(statusOf(one), OK);
  assert.deepEqual(queue.used(), [{ id: flush, length: 1 }]);
  ask(one, queue, { type: VIRTIO_BLK_T.FLUSH });
  disk.waiting[1](new BlockError(0, "a full disk", "room", "Make room."));
  one.settle();
  assert.equal(statusOf(one), IOERR);
});

test("R3.6 a deterministic run waits for no host: a flush is done at once", () => {
  const disk = new SlowDisk(randomBytes(1, SECTORS * 512));
  const one = bench(disk, { deterministic: true });
  const queue = started(one, { features: [F.FLUSH] });
  ask(one, queue, { type: VIRTIO_BLK_T.FLUSH });
  assert.equal(statusOf(one), OK);
  assert.equal(disk.flushes, 1);
});

for (const how of ["the device", "the queue"]) {
  test(`R3.6 answers of before a reset of ${how} are dropped`, () => {
    const disk = new SlowDisk(randomBytes(1, SECTORS * 512));
    const one = bench(disk);
    const before = started(one, { features: [F.FLUSH] });
    ask(one, before, { type: VIRTIO_BLK_T.FLUSH });
    if (how === "the queue") one.write(VIRTIO_MMIO.QUEUE_RESET, 1);
    const queue = started(one, { features: [F.FLUSH], base: 0x4_0000 });
    one.acknowledge();
    disk.waiting[0]();
    one.settle();
    assert.equal(statusOf(one), PENDING);
    assert.deepEqual(queue.used(), []);
    assert.equal(one.raised, false);
    assert.equal(one.completions.inFlight, 0);
  });
}

test("R3.6 writes are flushed for a driver that cannot flush, and for one that switched the cache off", () => {
  const disk = newDisk();
  const one = bench(disk);
  const write = (queue: DriverQueue): void =>
    void ask(one, queue, { type: VIRTIO_BLK_T.OUT, data: [{ address: DATA, length: 512 }] });
  write(started(one));
  assert.equal(disk.flushes, 1);
  const queue = started(one, { features: [F.FLUSH, F.CONFIG_WCE] });
  write(queue);
  assert.equal(disk.flushes, 1);
  const wce = VIRTIO_MMIO.CONFIG + VIRTIO_BLK_CONFIG.WRITEBACK;
  assert.equal(one.read(wce, 1), 1);
  one.write(wce, 0, 1);
  assert.equal(one.read(wce, 1), 0);
  write(queue);
  assert.equal(disk.flushes, 2);
  one.write(VIRTIO_MMIO.STATUS, 0);
  assert.equal(one.read(wce, 1), 1, "a reset switches it on again");
});

test("R3.6 a driver that hides flushes in flight, more than a queue holds, has its device stopped", () => {
  const disk = new SlowDisk(randomBytes(1, SECTORS * 512));
  const one = bench(disk);
  const queue = started(one, { features: [F.FLUSH], size: 4 });
  for (let i = 0; i < 1000 && !one.needsReset; i++) ask(one, queue, { type: VIRTIO_BLK_T.FLUSH });
  assert.equal(one.needsReset, true);
  assert.ok(disk.waiting.length <= 256);
});

test("R3.6 much that is asked for at once is done in turns, and goes on where it was saved between them", () => {
  const bytes = 4 * 2 ** 20;
  const disks = new Map([["disk0", new MemoryDisk(new Uint8Array(bytes))]]);
  const config = { ...CONFIG, sectors: bytes / 512 };
  const one = new VirtioBench(TYPE, config, { disks });
  const queue = started(one, { size: 32 });
  one.memory.writeU32(HEADER, VIRTIO_BLK_T.IN);
  const data = Array.from({ length: 8 }, () => ({ address: 0x8_0000, length: 0x8_0000, write: true }));
  const status = { address: STATUS, length: 1, write: true };
  for (let i = 0; i < 3; i++) queue.add([{ address: HEADER, length: 16 }, ...data, status]);
  one.notify();
  assert.equal(queue.used().length, 1);
  const other = new VirtioBench(TYPE, config, {
    disks,
    memory: one.memory,
    clock: one.clock,
    state: one.state,
  });
  assert.equal(queue.used().length, 0);
  other.write(VIRTIO_MMIO.QUEUE_SEL, 0);
  one.write(VIRTIO_MMIO.STATUS, 0);
  other.settle();
  assert.equal(queue.used().length, 2);
  assert.equal(other.raised, true);
  assert.equal(one.clock.armed, 0);
});
