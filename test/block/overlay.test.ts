/** The overlay in memory: held to a plain array by random operations, bounded, and giving back what is discarded (R3.6). */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { BlockBackend, BlockSource } from "../../src/block/backend.js";
import { BlockError } from "../../src/block/block-error.js";
import { OverlayDisk } from "../../src/block/overlay.js";
import { applyTo, disksAgree, operations } from "./model.js";

const CLUSTER = 1 << 16;
const SECTOR = 512;
/** Ends within a cluster, and within a page of it. */
const SIZE = 3 * CLUSTER + 3 * 4096 + SECTOR;

function below(size = SIZE): { source: BlockSource; bytes: Uint8Array } {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = i * 7 + (i >> 9);
  return {
    bytes,
    source: { size, read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)) },
  };
}

function held(disk: BlockBackend): Uint8Array {
  const all = new Uint8Array(disk.size);
  disk.read(0, all);
  return all;
}

test("R3.6 overlay: reads as an array does to which the same was done, and what lies below stays", () => {
  fc.assert(
    fc.property(operations(SIZE), (done) => {
      const { source, bytes } = below();
      const before = bytes.slice();
      const disk = new OverlayDisk(source);
      const model = bytes.slice();
      for (const operation of done) applyTo(disk, model, operation);
      disksAgree(held(disk), model);
      assert.deepEqual(bytes, before);
    }),
    { numRuns: 150 },
  );
});

test("R3.6 overlay: its pieces, laid over what lies below, are the disk; they ascend and do not overlap", () => {
  fc.assert(
    fc.property(operations(SIZE), (done) => {
      const { source, bytes } = below();
      const disk = new OverlayDisk(source);
      const model = bytes.slice();
      for (const operation of done) applyTo(disk, model, operation);
      const laid = bytes.slice();
      let end = 0;
      for (const piece of disk.pieces()) {
        assert.ok(piece.offset >= end && piece.length > 0);
        end = piece.offset + piece.length;
        if (piece.bytes === undefined) laid.fill(0, piece.offset, end);
        else laid.set(piece.bytes, piece.offset);
      }
      assert.ok(end <= SIZE);
      disksAgree(held(disk), laid);
    }),
    { numRuns: 100 },
  );
});

test("R3.6 overlay: it holds what its limit says and no more; what was written stays readable", () => {
  const disk = new OverlayDisk(below().source, { limit: 2 * CLUSTER });
  disk.write(0, new Uint8Array(2 * CLUSTER).fill(1));
  assert.throws(
    () => disk.write(2 * CLUSTER, Uint8Array.of(1)),
    (error) => error instanceof BlockError && /overlay=FILE/.test(error.message),
  );
  const into = new Uint8Array(2);
  disk.read(2 * CLUSTER - 2, into);
  assert.deepEqual(into, Uint8Array.of(1, 1));
});

test("R3.6 overlay: a cluster that is discarded, or zeroed, gives its memory back and reads as zeros", () => {
  const disk = new OverlayDisk(below(4 * CLUSTER).source);
  disk.write(0, new Uint8Array(4 * CLUSTER).fill(1));
  const before = disk.held;
  disk.discard(0, 2 * CLUSTER);
  disk.writeZeroes(2 * CLUSTER, 2 * CLUSTER, true);
  assert.ok(disk.held < before - 3 * CLUSTER);
  const into = new Uint8Array(4 * CLUSTER).fill(9);
  disk.read(0, into);
  assert.ok(into.every((byte) => byte === 0));
});

test("R3.6 overlay: a disk of 1 TiB that is zeroed whole takes megabytes, and saying so is one piece", () => {
  const size = 2 ** 40;
  const disk = new OverlayDisk({ size, read: (_, into) => into.fill(1) });
  for (let at = 0; at < size; at += 2 ** 36) disk.writeZeroes(at, 2 ** 36, true);
  assert.ok(disk.held <= 2 ** 22, `${disk.held}`);
  assert.equal([...disk.pieces()].length, size / 2 ** 32);
});
