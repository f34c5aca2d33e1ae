/** What waits to be sent, against a plain array; and what small pieces of it cost. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SendBuffer } from "../../src/net/tcp/send-buffer.js";

test("R3.7 bytes come out of the buffer as they went in, in pieces of whatever size", () => {
  const step = fc.tuple(fc.constantFrom(1, 2, 100, 4095, 4096, 9000, 17_000), fc.nat(12_000), fc.nat(9000));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const buffer = new SendBuffer();
      let model: number[] = [];
      let next = 0;
      for (const [length, gone, from] of steps) {
        const bytes = Uint8Array.from({ length }, () => next++ & 0xff);
        buffer.push(bytes);
        model.push(...bytes);
        const dropped = Math.min(gone, model.length);
        buffer.drop(dropped);
        model = model.slice(dropped);
        assert.equal(buffer.length, model.length);
        const start = Math.min(from, model.length);
        const into = new Uint8Array(model.length - start);
        buffer.copy(start, into);
        assert.deepEqual([...into], model.slice(start));
      }
    }),
    { numRuns: 30 },
  );
});

test("R3.7 256 Ki single bytes are found as fast as one piece of them", () => {
  const buffer = new SendBuffer();
  for (let i = 0; i < 1 << 18; i++) buffer.push(Uint8Array.of(i));
  const into = new Uint8Array(1460);
  const began = performance.now();
  for (let i = 0; i < 5000; i++) buffer.copy((1 << 18) - into.length, into);
  // A walk over every byte takes several seconds.
  assert.ok(performance.now() - began < 1500);
  assert.deepEqual([into[0], into[1459]], [-1460 & 0xff, 0xff]);
});
