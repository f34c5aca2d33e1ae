/** R3.1 The virtio-9p device: what drivers find of it, its requests in both layouts of queues, and that its machine is not saved. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PartType, PartValue } from "../../../src/devices/part.js";
import { PartError } from "../../../src/devices/resources.js";
import { virtioNinePPart } from "../../../src/devices/virtio/ninep.js";
import { NINEP_NONE, NINEP_T } from "../../../src/spec/ninep.js";
import { VIRTIO_MMIO } from "../../../src/spec/virtio.js";
import { MemoryFolder } from "../../support/memory-folder.js";
import { fields, message, ninePReply, textOf, type NinePReply } from "../../support/ninep-guest.js";
import { started, VirtioBench, type DriverQueue } from "../../support/virtio-bench.js";

const TYPE = virtioNinePPart as unknown as PartType;
const CONFIG = { share: "share0", tag: "work", readOnly: false, cache: "auto" };
const REQUESTS = 0;
const REQUEST_AT = 0x2_0000;
const ROOM_AT = 0x3_0000;
const ROOM = 4096;

function bench(folder = new MemoryFolder(), config: Record<string, PartValue> = {}): VirtioBench {
  return new VirtioBench(TYPE, { ...CONFIG, ...config }, { wires: { share: () => folder } });
}

function ask(one: VirtioBench, queue: DriverQueue, type: number, of: Uint8Array): NinePReply {
  const bytes = message(type, 7, of);
  one.memory.writable(REQUEST_AT, bytes.length)!.set(bytes);
  queue.add([
    { address: REQUEST_AT, length: bytes.length },
    { address: ROOM_AT, length: 11, write: true },
    { address: ROOM_AT + 11, length: ROOM - 11, write: true },
  ]);
  one.notify(REQUESTS);
  const used = queue.used();
  assert.equal(used.length, 1, "answered in the notify itself");
  return ninePReply(one.memory.view(ROOM_AT, ROOM)!.slice(), used[0].length);
}

test("R3.1 virtio-9p: a driver finds the tag with its length, and that there is one", () => {
  const one = bench();
  assert.equal(one.read(VIRTIO_MMIO.CONFIG, 2), 4);
  const tag = [2, 3, 4, 5, 6].map((at) => one.read(VIRTIO_MMIO.CONFIG + at, 1));
  assert.equal(Buffer.from(tag).toString("latin1"), "work\0");
  assert.equal(one.read(VIRTIO_MMIO.DEVICE_ID), 9);
  assert.equal(one.read(VIRTIO_MMIO.DEVICE_FEATURES) & 1, 1);
});

for (const layout of [{}, { indirect: true }, { packed: true }])
  test(`R3.1 virtio-9p: requests are answered, ${JSON.stringify(layout)}`, () => {
    const folder = new MemoryFolder();
    folder.put("file", "text");
    const one = bench(folder);
    const queue = started(one, { queue: REQUESTS, ...layout });
    const { VERSION, ATTACH, WALK, LOPEN, READ } = NINEP_T;
    assert.equal(ask(one, queue, VERSION, fields(65536, "9P2000.L")).errno, 0);
    assert.equal(ask(one, queue, ATTACH, fields(0, NINEP_NONE, "", "", 0)).errno, 0);
    assert.equal(ask(one, queue, WALK, fields(0, 1, [2, 1], "file")).errno, 0);
    assert.equal(ask(one, queue, LOPEN, fields(1, 0)).errno, 0);
    assert.equal(textOf(ask(one, queue, READ, fields(1, 0n, 100)), 4), "text");
    assert.deepEqual([folder.looked, folder.opened], [1, 1]);
    one.write(VIRTIO_MMIO.STATUS, 0);
    assert.deepEqual([folder.looked, folder.opened], [0, 0], "a reset gives back what the guest had");
  });

for (const [what, request, room] of [
  ["room for an answer", 11, 0],
  ["room for an error", 11, 10],
  ["a header", 6, 100],
] as const)
  test(`R3.1 virtio-9p: a request without ${what} costs the device its life until it is reset`, () => {
    const one = bench();
    const queue = started(one, { queue: REQUESTS });
    queue.add([
      { address: REQUEST_AT, length: request },
      ...(room > 0 ? [{ address: ROOM_AT, length: room, write: true }] : []),
    ]);
    one.notify(REQUESTS);
    assert.ok(one.needsReset);
  });

test("R3.1 virtio-9p: a part that says less than there must be, or is handed another share, is none", () => {
  for (const wrong of [
    { tag: "" },
    { tag: "t".repeat(37) },
    { cache: "some" },
    { share: 0 },
    { readOnly: true },
  ])
    assert.throws(() => bench(new MemoryFolder(), wrong), PartError, JSON.stringify(wrong));
});

test("R3.1 R6.2 a machine that shares a folder over 9P is not saved, and says which share; one that asked nothing of it yet is, for who hands it again", () => {
  const one = bench();
  const part = { name: "share0", type: "virtio-9p", mmio: [], irqs: [], config: CONFIG };
  const why = (again: boolean): string | undefined => TYPE.unsaved!(part, one.state, again);
  const said = /the shared folder "share0" \(tag "work"\), of which a snapshot cannot hold/;
  assert.match(why(false) ?? "", said);
  assert.equal(why(true), undefined);
  ask(one, started(one, { queue: REQUESTS }), NINEP_T.VERSION, fields(65536, "9P2000.L"));
  assert.match(why(true) ?? "", said);
});
