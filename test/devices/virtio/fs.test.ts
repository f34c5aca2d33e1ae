/** R3.1 The virtio-fs device: what drivers find of it, its requests in both layouts of queues, and that its machine is not saved. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PartType, PartValue } from "../../../src/devices/part.js";
import { virtioFsPart } from "../../../src/devices/virtio/fs.js";
import { PartError } from "../../../src/devices/resources.js";
import { FUSE_OP } from "../../../src/spec/fuse.js";
import { VIRTIO_MMIO } from "../../../src/spec/virtio.js";
import { VIRTIO_FS_CONFIG } from "../../../src/spec/virtio-devices.js";
import { body, replyOf, request, type Reply } from "../../support/fuse-guest.js";
import { MemoryFolder } from "../../support/memory-folder.js";
import { started, VirtioBench, type DriverQueue } from "../../support/virtio-bench.js";

const TYPE = virtioFsPart as unknown as PartType;
const CONFIG = { share: "share0", tag: "work", readOnly: false, cache: "auto" };
const REQUESTS = 1;
const REQUEST_AT = 0x2_0000;
const ROOM_AT = 0x3_0000;
const ROOM = 4096;
const INIT = body(7, 38, 0, 2 ** 31 - 1, 0, new Uint8Array(44));

function bench(folder = new MemoryFolder(), config: Record<string, PartValue> = {}): VirtioBench {
  return new VirtioBench(TYPE, { ...CONFIG, ...config }, { wires: { share: () => folder } });
}

function ask(one: VirtioBench, queue: DriverQueue, opcode: number, of: Uint8Array, room = ROOM): Reply {
  const bytes = request(opcode, 1n, of);
  one.memory.writable(REQUEST_AT, bytes.length)!.set(bytes);
  queue.add([
    { address: REQUEST_AT, length: 40 },
    ...(bytes.length > 40 ? [{ address: REQUEST_AT + 40, length: bytes.length - 40 }] : []),
    { address: ROOM_AT, length: room, write: true },
  ]);
  one.notify(REQUESTS);
  const used = queue.used();
  assert.equal(used.length, 1, "answered in the notify itself");
  return replyOf(one.memory.view(ROOM_AT, room)!.slice(), used[0].length);
}

test("R3.1 virtio-fs: a driver reads the tag, padded with zeros, and the number of queues", () => {
  const one = bench();
  const read = (offset: number): number => one.read(VIRTIO_MMIO.CONFIG + offset, 1);
  const tag = Array.from({ length: VIRTIO_FS_CONFIG.TAG_BYTES }, (_, i) => read(i));
  assert.equal(Buffer.from(tag).toString("latin1"), `work${"\0".repeat(32)}`);
  assert.equal(one.read(VIRTIO_MMIO.CONFIG + VIRTIO_FS_CONFIG.REQUEST_QUEUES), 1);
  assert.equal(one.read(VIRTIO_MMIO.DEVICE_ID), 26);
});

for (const layout of [{}, { indirect: true }, { packed: true }])
  test(`R3.1 virtio-fs: requests are answered, ${JSON.stringify(layout)}`, () => {
    const folder = new MemoryFolder();
    folder.put("file", "text");
    const one = bench(folder);
    const queue = started(one, { queue: REQUESTS, ...layout });
    assert.equal(ask(one, queue, FUSE_OP.INIT, INIT).errno, 0);
    const found = ask(one, queue, FUSE_OP.LOOKUP, body("file"));
    assert.equal(found.body.getBigUint64(40 + 8, true), 4n);
    assert.equal(folder.looked, 1);
    one.write(VIRTIO_MMIO.STATUS, 0);
    assert.equal(folder.looked, 0, "a reset gives back what the guest had");
  });

test("R3.1 virtio-fs: a request without room for an answer costs the device its life until it is reset", () => {
  const one = bench();
  const queue = started(one, { queue: REQUESTS });
  queue.add([{ address: REQUEST_AT, length: 40 }]);
  one.notify(REQUESTS);
  assert.ok(one.needsReset);
});

test("R3.1 virtio-fs: a part that says less than there must be, or is handed another share, is none", () => {
  for (const wrong of [
    { tag: "" },
    { tag: "t".repeat(37) },
    { tag: "a\0b" },
    { cache: "some" },
    { readOnly: 1 },
    { share: 0 },
    { readOnly: true },
  ])
    assert.throws(() => bench(new MemoryFolder(), wrong), PartError, JSON.stringify(wrong));
});

test("R3.1 R6.2 a machine that shares a folder is not saved, and says which share; one that asked nothing of it yet is, for who hands it again", () => {
  const one = bench();
  const part = { name: "share0", type: "virtio-fs", mmio: [], irqs: [], config: CONFIG };
  const why = (again: boolean): string | undefined => TYPE.unsaved!(part, one.state, again);
  const said = /the shared folder "share0" \(tag "work"\), of which a snapshot cannot hold/;
  assert.match(why(false) ?? "", said);
  assert.equal(why(true), undefined);
  ask(one, started(one, { queue: REQUESTS }), FUSE_OP.INIT, INIT);
  assert.match(why(true) ?? "", said);
});
