/** Data that came early, against a plain model: one byte a number. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { ReorderQueue } from "../../src/net/tcp/reorder-queue.js";
import { plus } from "../../src/net/tcp/segment.js";

/** Numbers go round close behind it. */
const BASE = 0xffff_ff80;

test("R3.7 what came early comes out in order and once, whatever overlaps", () => {
  const piece = fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 60 }));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const queue = new ReorderQueue();
      const known = new Map<number, number>();
      pieces.forEach(([start, length], i) => {
        queue.add(plus(BASE, start), new Uint8Array(length).fill(i));
        for (let at = start; at < start + length; at++) if (!known.has(at)) known.set(at, i);
      });
      assert.equal(queue.bytes, known.size);
      for (let at = 0; at < 400;) {
        const data = queue.take(plus(BASE, at));
        assert.equal(data !== undefined, known.has(at));
        for (const byte of data ?? [0]) {
          if (data !== undefined) assert.equal(byte, known.get(at));
          at++;
        }
      }
    }),
  );
});

test("R3.7 there are so many pieces, and what lies across all of them costs no walk that grows with them", () => {
  const queue = new ReorderQueue();
  for (let i = 0; i < 2000; i++) queue.add(plus(BASE, 2 * i), new Uint8Array(1));
  assert.equal(queue.bytes, 512);
  const began = performance.now();
  const across = new Uint8Array(1400);
  for (let i = 0; i < 100_000; i++) queue.add(BASE, across);
  assert.equal(queue.bytes, 512);
  // A walk over all of them with what it copies takes many seconds.
  assert.ok(performance.now() - began < 2000);
});
