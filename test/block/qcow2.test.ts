/** qcow2 images, without QEMU: held to a plain array in every cluster size and version, crashes cut anywhere (R3.6). */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { BlockFile } from "../../src/block/block-file.js";
import { MemoryFile } from "../../src/block/block-file.js";
import { createQcow2 } from "../../src/block/qcow2/create.js";
import { Qcow2Disk } from "../../src/block/qcow2/disk.js";
import { readQcow2Header } from "../../src/block/qcow2/header.js";
import { checkImage } from "./qcow2-check.js";
import { applyTo, disksAgree, operations } from "./model.js";

const SIZE = 200 * 512;

function pattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = i * 7 + (i >> 9);
  return bytes;
}

function held(disk: Qcow2Disk): Uint8Array {
  const all = new Uint8Array(disk.size).fill(0x77);
  disk.read(0, all);
  return all;
}

/** A new image's file as version 2 has it. */
function asVersion2(file: MemoryFile): void {
  const header = new DataView(file.bytes.buffer, 0, 112);
  header.setUint32(4, 2);
  for (let at = 72; at < 104; at += 4) header.setUint32(at, 0);
}

for (const version of [2, 3])
  for (const clusterBits of [9, 12, 16])
    for (const over of [false, true]) {
      // Version 2 has its header's extensions elsewhere; ours are made with version 3 only.
      if (version === 2 && over) continue;
      test(`R3.6 qcow2: version ${version}, clusters of ${2 ** clusterBits}, ${over ? "over a shorter disk" : "alone"}: reads as an array does, and its tables agree`, () => {
        fc.assert(
          fc.property(operations(SIZE), (done) => {
            const file = new MemoryFile();
            const below = pattern(SIZE - 3 * 512);
            createQcow2(file, {
              size: SIZE,
              clusterBits,
              ...(over && { backing: { name: "below", format: "raw" as const } }),
            });
            if (version === 2) asVersion2(file);
            const source = new MemoryFile(below.slice());
            const open = (): Qcow2Disk => new Qcow2Disk(file, over ? { backing: source } : {});
            const disk = open();
            const model = new Uint8Array(SIZE);
            if (over) model.set(below);
            for (const operation of done) applyTo(disk, model, operation);
            disksAgree(held(disk), model);
            disk.flush();
            disksAgree(held(open()), model);
            disksAgree(source.bytes, below);
            assert.deepEqual(checkImage(file.bytes), { errors: [], leaks: 0 });
          }),
          { numRuns: 40 },
        );
      });
    }

/** A file that keeps what each write did, so that any beginning of them can be made again. */
class Recorded extends MemoryFile {
  readonly log: { offset: number; bytes: Uint8Array }[] = [];
  /** Writes that had happened at the last flush of the disk. */
  override write(offset: number, from: Uint8Array): void {
    this.log.push({ offset, bytes: from.slice() });
    super.write(offset, from);
  }
}

test("R3.6 qcow2: killed after any write, an image has no error, only clusters lost, and what was flushed is there", () => {
  fc.assert(
    fc.property(operations(SIZE), fc.double({ min: 0, max: 1, noNaN: true }), (done, where) => {
      const start = new MemoryFile();
      createQcow2(start, { size: SIZE, clusterBits: 9 });
      const file = new Recorded(start.bytes.slice());
      const disk = new Qcow2Disk(file);
      const model = new Uint8Array(SIZE);
      const flushed: { writes: number; model: Uint8Array; touched: Uint8Array }[] = [
        { writes: 0, model: model.slice(), touched: new Uint8Array(SIZE) },
      ];
      for (const operation of done) {
        applyTo(disk, model, operation);
        if (operation.kind === "flush")
          flushed.push({ writes: file.log.length, model: model.slice(), touched: new Uint8Array(SIZE) });
        else if (operation.kind !== "read")
          flushed[flushed.length - 1].touched.fill(1, operation.offset, operation.offset + operation.length);
      }
      disk.flush();
      const cut = Math.floor(where * file.log.length);
      const crashed = new MemoryFile(start.bytes.slice());
      for (const { offset, bytes } of file.log.slice(0, cut)) crashed.write(offset, bytes);
      assert.deepEqual(checkImage(crashed.bytes).errors, []);
      const last = flushed.filter(({ writes }) => writes <= cut).at(-1)!;
      const now = held(new Qcow2Disk(crashed));
      const wrong = now.findIndex((byte, i) => last.touched[i] === 0 && byte !== last.model[i]);
      assert.equal(wrong, -1, `byte ${wrong} was flushed and is not there`);
    }),
    { numRuns: 150 },
  );
});

test("R3.6 qcow2: the refcount table grows with the image, and blocks count themselves", () => {
  const file = new MemoryFile();
  const size = 24 * 2 ** 20;
  createQcow2(file, { size, clusterBits: 9 });
  const disk = new Qcow2Disk(file);
  const before = readQcow2Header(file).refcountTable;
  const bytes = pattern(2 ** 20);
  for (let at = 0; at < size; at += bytes.length) disk.write(at, bytes);
  disk.flush();
  assert.ok(readQcow2Header(file).refcountTable.clusters > before.clusters);
  assert.deepEqual(checkImage(file.bytes), { errors: [], leaks: 0 });
  const into = new Uint8Array(bytes.length);
  new Qcow2Disk(file).read(size - bytes.length, into);
  disksAgree(into, bytes);
});

test("R3.6 qcow2: what is discarded is used again, so that the file does not grow", () => {
  const file = new MemoryFile();
  createQcow2(file, { size: 2 ** 22, clusterBits: 12 });
  const disk = new Qcow2Disk(file);
  const write = (): void => disk.write(0, pattern(2 ** 21));
  write();
  disk.flush();
  const grown = file.size;
  for (let i = 0; i < 5; i++) {
    disk.discard(0, 2 ** 21);
    disk.flush();
    write();
    disk.flush();
  }
  assert.ok(file.size <= grown + 2 ** 16, `${file.size} of ${grown}`);
});

test("R3.6 qcow2: an image whose counts were left to be made again is repaired before it is written", () => {
  const file = new MemoryFile();
  createQcow2(file, { size: SIZE, clusterBits: 9 });
  const disk = new Qcow2Disk(file);
  disk.write(0, pattern(SIZE));
  disk.flush();
  // All counts but the header's are lost, and the header says so.
  const { refcountTable } = readQcow2Header(file);
  file.write(refcountTable.offset + 512 + 2, new Uint8Array(510));
  file.write(79, Uint8Array.of(1));
  assert.notDeepEqual(checkImage(file.bytes).errors, []);
  const again = new Qcow2Disk(file);
  again.write(512, pattern(512));
  again.flush();
  assert.deepEqual(checkImage(file.bytes), { errors: [], leaks: 0 });
  assert.equal(readQcow2Header(file).dirty, false);
});

const HEADER_FAULTS: [what: string, at: number, value: number[], found: RegExp][] = [
  ["an unknown version", 4, [0, 0, 0, 9], /at 0x4: found version 9/],
  ["clusters too small", 20, [0, 0, 0, 8], /at 0x14: found cluster_bits 8/],
  ["clusters too large", 20, [0, 0, 0, 22], /at 0x14: found cluster_bits 22/],
  ["encryption", 32, [0, 0, 0, 2], /at 0x20: found encryption \(method 2\)/],
  ["an external data file", 79, [4], /at 0x48: found an external data file/],
  ["extended L2 entries", 79, [16], /at 0x48: found extended L2 entries/],
  ["a feature of the future", 79, [128], /at 0x48: found incompatible features 0x80/],
  ["an L1 table too short", 36, [0, 0, 0, 1], /at 0x24: found an L1 table of 1 entries/],
  ["an L1 table too long", 36, [0x7f, 0, 0, 1], /at 0x24: found an L1 table/],
  ["an L1 table outside", 40, [0, 0, 1], /at 0x28: found an L1 table at/],
  ["a refcount table outside", 48, [0, 0, 1], /at 0x30: found a refcount table at/],
  ["a refcount table too long", 56, [0xff], /at 0x38: found a refcount table of/],
  ["counts too wide", 99, [7], /at 0x60: found refcount_order 7/],
  ["a header too long", 100, [0, 1], /at 0x64: found a header of/],
  ["a size beyond numbers", 24, [0xff], /at 0x18: found/],
  [
    "a backing name outside",
    8,
    [0, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0, 0, 9],
    /at 0x8: found a backing file's name/,
  ],
];
for (const [what, at, value, found] of HEADER_FAULTS)
  test(`R3.6 qcow2: ${what} is refused at its offset`, () => {
    const file = new MemoryFile();
    createQcow2(file, { size: SIZE, clusterBits: 9 });
    file.write(at, Uint8Array.from(value));
    assert.throws(() => readQcow2Header(file), found);
  });

test("R3.6 qcow2: an image with snapshots, or marked as corrupt, is read but not written", () => {
  for (const [at, value, found] of [
    [63, 2, /at 0x3c: found 2 snapshots/],
    [79, 2, /at 0x48: found an image that is marked as corrupt/],
  ] as const) {
    const file = new MemoryFile();
    createQcow2(file, { size: SIZE, clusterBits: 9 });
    file.write(at, Uint8Array.of(value));
    assert.throws(() => new Qcow2Disk(file), found);
    const readable: BlockFile = new MemoryFile(file.bytes, "image", true);
    disksAgree(held(new Qcow2Disk(readable)), new Uint8Array(SIZE));
  }
});
