/** R3.5 The MMIO transport: what a driver finds, negotiation, queues, interrupts, both versions, and hostile rings. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import type { PartType } from "../../../src/devices/part.js";
import { virtioBlkPart } from "../../../src/devices/virtio/blk.js";
import {
  VIRTIO_FEATURE,
  VIRTIO_INTERRUPT,
  VIRTIO_MMIO,
  VIRTIO_MMIO_MAGIC,
  VIRTIO_STATUS,
} from "../../../src/spec/virtio.js";
import { MemoryDisk } from "../../support/memory-disk.js";
import {
  featureWords,
  RAM_BYTES,
  started,
  VirtioBench,
  type Piece,
  type QueuePlan,
} from "../../support/virtio-bench.js";

const S = VIRTIO_STATUS;
const M = VIRTIO_MMIO;
const HEADER = 0x2_0000;
const STATUS_BYTE = 0x2_8000;
const BASE = 0x1000;
const DRIVER = BASE + 0x2000;
const DEVICE = BASE + 0x3000;

function bench(version?: 1 | 2): VirtioBench {
  const disks = new Map([["disk0", new MemoryDisk(new Uint8Array(64 * 512))]]);
  const config = { disk: "disk0", sectors: 64, readOnly: false, serial: "x", ...(version && { version }) };
  return new VirtioBench(virtioBlkPart as unknown as PartType, config, { disks });
}

const FLUSH: readonly Piece[] = [
  { address: HEADER, length: 16 },
  { address: STATUS_BYTE, length: 1, write: true },
];

/** A device that runs, and whose header is a flush. */
function running(plan: QueuePlan & { eventIndex?: boolean } = {}) {
  const one = bench();
  const queue = started(one, plan);
  one.memory.writeU32(HEADER, 4);
  return { one, queue };
}

test("R3.5 what a driver finds first, and what is not there reads as zero", () => {
  const one = bench();
  const found = [M.MAGIC, M.VERSION, M.DEVICE_ID, M.QUEUE_NUM_MAX].map((register) => one.read(register));
  assert.deepEqual(found, [VIRTIO_MMIO_MAGIC, 2, 2, 256]);
  assert.equal(one.read(M.MAGIC + 1, 1), 0x69);
  assert.equal(one.read(0x0d0), 0);
  one.write(M.QUEUE_SEL, 1);
  assert.equal(one.read(M.QUEUE_NUM_MAX), 0);
  one.write(M.QUEUE_SEL, 0xffff_ffff);
  assert.equal(one.read(M.QUEUE_NUM_MAX), 0);
  one.write(M.QUEUE_READY, 1);
  assert.equal(one.read(M.QUEUE_READY), 0);
  assert.equal(one.read(M.SHM_LEN_LOW), 0xffff_ffff, "no shared memory");
  assert.equal(bench(1).read(M.VERSION), 1);
});

test("R3.5 features: what was not offered, or no VERSION_1, is refused by FEATURES_OK; nothing changes behind it", () => {
  const one = bench();
  const modern = featureWords(VIRTIO_FEATURE.VERSION_1);
  assert.notEqual(one.offered[1] & modern[1], 0);
  assert.equal(one.negotiate(modern) & S.FEATURES_OK, S.FEATURES_OK);
  one.write(M.DRIVER_FEATURES_SEL, 0);
  one.write(M.DRIVER_FEATURES, 0xffff_ffff);
  one.run();
  assert.equal(one.status, S.ACKNOWLEDGE | S.DRIVER | S.FEATURES_OK | S.DRIVER_OK);
  assert.equal(one.negotiate([0, 0]) & S.FEATURES_OK, 0, "no VERSION_1");
  for (const [low, high] of [
    [1 << 22, modern[1]],
    [0, modern[1] | 0x8000_0000],
  ])
    assert.equal(one.negotiate([low, high]) & S.FEATURES_OK, 0);
  one.write(M.DRIVER_FEATURES_SEL, 2);
  one.write(M.DRIVER_FEATURES, 1);
  one.write(M.DEVICE_FEATURES_SEL, 2);
  assert.equal(one.read(M.DEVICE_FEATURES), 0);
});

test("R3.5 a queue that is ready does not move; one that is not is not served", () => {
  const { one, queue } = running();
  one.write(M.QUEUE_DESC_LOW, 0x5_0000);
  one.write(M.QUEUE_NUM, 4);
  queue.add(FLUSH);
  one.notify();
  assert.equal(queue.used().length, 1);
  one.write(M.QUEUE_READY, 0);
  assert.equal(one.read(M.QUEUE_READY), 0);
  queue.add(FLUSH);
  one.notify();
  assert.equal(queue.used().length, 0);
});

test("R3.5 before DRIVER_OK nothing is served, and notifications of queues that there are not do nothing", () => {
  const { one, queue } = running();
  one.negotiate(featureWords(VIRTIO_FEATURE.VERSION_1));
  queue.add(FLUSH);
  one.notify();
  assert.equal(queue.used().length, 0);
  one.run();
  for (const queue of [1, 31, 32, 0xffff_ffff]) one.notify(queue);
  assert.equal(one.needsReset, false);
});

test("R3.5 interrupts: a level until all is acknowledged; none where the driver wants none", () => {
  const { one, queue } = running();
  queue.add(FLUSH);
  one.notify();
  assert.equal(one.raised, true);
  one.write(M.INTERRUPT_ACK, VIRTIO_INTERRUPT.CONFIG_CHANGE);
  assert.equal(one.raised, true);
  assert.equal(one.acknowledge(), VIRTIO_INTERRUPT.USED_BUFFER);
  assert.equal(one.raised, false);
  one.memory.writeU16(DRIVER, 1);
  queue.add(FLUSH);
  one.notify();
  assert.equal(one.raised, false);
  assert.equal(queue.used().length, 2);
});

test("R3.5 event index, split: an interrupt where used_event is passed, and avail_event follows what was taken", () => {
  const { one, queue } = running({ eventIndex: true, size: 8 });
  const usedEvent = DRIVER + 4 + 2 * 8;
  const availEvent = DEVICE + 4 + 8 * 8;
  one.memory.writeU16(usedEvent, 0);
  const raised = [0, 1, 2, 3].map((_, index) => {
    if (index === 1) one.memory.writeU16(usedEvent, 2);
    queue.add(FLUSH);
    one.notify();
    const up = one.raised;
    one.acknowledge();
    return up;
  });
  assert.deepEqual(raised, [true, false, true, false]);
  assert.equal(one.memory.readU16(availEvent), 4);
});

test("R3.5 event index, packed: an interrupt where the descriptor of the right round is passed; none where disabled", () => {
  const { one, queue } = running({ packed: true, eventIndex: true, size: 8, indirect: true });
  const once = (offset: number, wrap: number, flags: number): boolean => {
    one.memory.writeU16(DRIVER, offset | (wrap << 15));
    one.memory.writeU16(DRIVER + 2, flags);
    queue.add(FLUSH);
    one.notify();
    const up = one.raised;
    one.acknowledge();
    queue.used();
    return up;
  };
  assert.equal(once(0, 1, 2), true);
  assert.equal(once(2, 1, 2), false);
  assert.equal(once(2, 1, 2), true);
  assert.equal(once(3, 1, 1), false);
  assert.equal(once(0, 0, 0), true);
  assert.equal(once(0, 0, 2), false, "the first of the next round");
  for (let i = 6; i < 8; i++) once(0, 0, 1);
  assert.equal(once(0, 0, 2), true, "it is passed");
});

test("R3.5 a reset forgets all but the configuration's generation; the interrupt goes down", () => {
  const { one, queue } = running();
  queue.add(FLUSH);
  one.notify();
  const fresh = bench().state as { transport: object };
  one.write(M.STATUS, 0);
  assert.equal(one.raised, false);
  const now = one.state as { transport: { queues: object[] } };
  const areas = { descriptors: 0, driver: 0, device: 0 };
  assert.deepEqual(
    { ...now.transport, queues: now.transport.queues.map((one) => ({ ...one, ...areas, size: 256 })) },
    fresh.transport,
  );
});

describe("R3.5 a ring that cannot be stops its device, with an interrupt, until a reset", () => {
  const DESC = 16;
  type Break = (one: VirtioBench) => void;
  const first = (offset: number, value: number, size: 16 | 32 = 16): Break => {
    return ({ memory }) =>
      void (size === 16 ? memory.writeU16(BASE + offset, value) : memory.writeU32(BASE + offset, value));
  };
  const cases: readonly [string, QueuePlan, Break][] = [
    ["more chains than descriptors", {}, ({ memory }) => memory.writeU16(DRIVER + 2, 9)],
    ["a head beyond the table", {}, ({ memory }) => memory.writeU16(DRIVER + 4, 8)],
    ["a next beyond the table", {}, first(14, 8)],
    ["a chain that comes back to itself", {}, first(14, 0)],
    ["an address that is no RAM", {}, first(0, RAM_BYTES, 32)],
    ["an address beyond all", {}, first(4, 0xffff_ffff, 32)],
    ["a piece that leaves RAM", {}, first(8, RAM_BYTES, 32)],
    ["a piece of no bytes", {}, first(8, 0, 32)],
    ["to be read behind to be written", {}, first(12, 1 | 2)],
    ["indirect though not negotiated", {}, first(12, 4)],
    ["indirect and a next", { indirect: true }, first(12, 4 | 1)],
    ["a table of no descriptor", { indirect: true }, first(8, 0, 32)],
    ["a table of half a descriptor", { indirect: true }, first(8, DESC + 8, 32)],
    ["a table of too many", { indirect: true }, first(8, 257 * DESC, 32)],
    ["a table that is no RAM", { indirect: true }, first(4, 1, 32)],
    ["a table in a table", { indirect: true }, ({ memory }) => memory.writeU16(BASE + 0x4000 + 12, 4)],
    ["a table's next beyond it", { indirect: true }, ({ memory }) => memory.writeU16(BASE + 0x4000 + 14, 2)],
    ["packed: indirect though not negotiated", { packed: true }, first(14, 0x80 | 4)],
    [
      "packed: a chain of all",
      { packed: true },
      ({ memory }) => {
        for (let i = 0; i < 8; i++) {
          memory.writeU32(BASE + i * DESC, HEADER);
          memory.writeU32(BASE + i * DESC + 8, 1);
          memory.writeU16(BASE + i * DESC + 14, 0x80 | 1);
        }
      },
    ],
    ["packed: an address that is no RAM", { packed: true }, first(0, RAM_BYTES, 32)],
    ["packed: a table of half a descriptor", { packed: true, indirect: true }, first(8, 8, 32)],
    [
      "packed: a table in a table",
      { packed: true, indirect: true },
      ({ memory }) => memory.writeU16(BASE + 0x4000 + 14, 4),
    ],
    ["a request without head", {}, first(8, 15, 32)],
  ];
  for (const [name, plan, breaks] of cases) {
    test(`R3.5 ${name}`, () => {
      const { one, queue } = running(plan);
      queue.add(FLUSH);
      breaks(one);
      one.notify();
      assert.equal(one.needsReset, true);
      assert.ok((one.acknowledge() & VIRTIO_INTERRUPT.CONFIG_CHANGE) !== 0);
      assert.equal(queue.used().length, 0);
      // Nothing more is done, and it is well again after a reset.
      one.notify();
      one.run();
      assert.equal(one.needsReset, true);
      const again = started(one, plan);
      for (const address of [BASE, DRIVER, DEVICE]) one.memory.writable(address, 0x200)!.fill(0);
      again.add(FLUSH);
      one.notify();
      assert.equal(one.needsReset, false);
      assert.equal(again.used().length, 1);
    });
  }

  for (const area of ["descriptors", "driver", "device"] as const) {
    for (const at of [RAM_BYTES - 2, RAM_BYTES, 2 ** 40, 2 ** 63]) {
      test(`R3.5 ${area} at ${at}`, () => {
        const one = bench();
        one.negotiate(featureWords(VIRTIO_FEATURE.VERSION_1));
        const areas = { descriptors: BASE, driver: DRIVER, device: DEVICE, [area]: at };
        one.setUp(0, { size: 8, ...areas });
        one.run();
        one.memory.writeU16(DRIVER + 2, 1);
        one.memory.writeU32(HEADER, 4);
        FLUSH.forEach((piece, index) => {
          one.memory.writeU32(BASE + index * DESC, piece.address);
          one.memory.writeU32(BASE + index * DESC + 8, piece.length);
          one.memory.writeU16(BASE + index * DESC + 12, index === 0 ? 1 : 2);
          one.memory.writeU16(BASE + index * DESC + 14, 1);
        });
        one.notify();
        assert.equal(one.needsReset, true);
      });
    }
  }

  for (const size of [0, 3, 257, 0xffff_ffff]) {
    test(`R3.5 a split queue of ${size} descriptors`, () => {
      const one = bench();
      one.negotiate(featureWords(VIRTIO_FEATURE.VERSION_1));
      one.setUp(0, { size, descriptors: BASE, driver: DRIVER, device: DEVICE });
      assert.equal(one.needsReset, true);
    });
  }
});

test("R3.5 version 1: one page number places all three areas, at the alignment that the driver says", () => {
  const one = bench(1);
  assert.deepEqual(
    [one.offered[1], one.offered[0] & (1 << VIRTIO_FEATURE.ANY_LAYOUT)],
    [0, 1 << VIRTIO_FEATURE.ANY_LAYOUT],
  );
  one.write(M.STATUS, S.ACKNOWLEDGE | S.DRIVER);
  one.write(M.GUEST_PAGE_SIZE, 4096);
  one.write(M.QUEUE_SEL, 0);
  one.write(M.QUEUE_NUM, 8);
  one.write(M.QUEUE_ALIGN, 4096);
  one.write(M.QUEUE_PFN, 4);
  assert.equal(one.read(M.QUEUE_PFN), 4);
  one.write(M.STATUS, S.ACKNOWLEDGE | S.DRIVER | S.DRIVER_OK);
  const { memory } = one;
  memory.writeU32(HEADER, 4);
  FLUSH.forEach((piece, index) => {
    const at = 0x4000 + index * 16;
    memory.writeU32(at, piece.address);
    memory.writeU32(at + 8, piece.length);
    memory.writeU16(at + 12, index === 0 ? 1 : 2);
    memory.writeU16(at + 14, 1);
  });
  memory.writeU16(0x4000 + 8 * 16 + 2, 1);
  one.notify();
  assert.equal(memory.readU16(0x5000 + 2), 1);
  assert.equal(one.raised, true);
  one.write(M.QUEUE_PFN, 0);
  assert.equal(one.read(M.QUEUE_PFN), 0);
});
