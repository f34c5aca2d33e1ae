/** The byte ring and the shared console. */
import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { Ring } from "../../src/host/ring.js";
import { allocateShared, MainSide, WorkerSide } from "../../src/host/shared.js";

test("bytes come out of a ring as they went in, over any pattern of writes and reads", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.uint8Array({ maxLength: 20 }), fc.nat(20))), (steps) => {
      const ring = Ring.allocate(16);
      const sent: number[] = [];
      const received: number[] = [];
      for (const [bytes, limit] of steps) {
        const taken = ring.write(bytes);
        assert.equal(taken, Math.min(bytes.length, 16 - (sent.length - received.length)));
        sent.push(...bytes.subarray(0, taken));
        received.push(...ring.read(limit));
        assert.equal(ring.available, sent.length - received.length);
      }
      received.push(...ring.read(16));
      assert.deepEqual(received, sent);
    }),
  );
});

test("a ring's counters may wrap around 2^32", () => {
  const ring = Ring.allocate(8);
  const words = new Int32Array(ring.buffer, 0, 2);
  words.fill(-3);
  assert.equal(ring.space, 8);
  assert.equal(ring.write(Uint8Array.of(1, 2, 3, 4, 5)), 5);
  assert.equal(ring.available, 5);
  assert.deepEqual([...ring.read(9)], [1, 2, 3, 4, 5]);
});

test("a ring's capacity is a power of two", () => {
  assert.throws(() => Ring.allocate(1000), RangeError);
});

test("main is called once for the first byte after it found the output empty", () => {
  let woken = 0;
  const shared = allocateShared();
  const main = new MainSide(shared);
  const worker = new WorkerSide(shared, () => woken++);
  worker.write(Uint8Array.of(1));
  assert.equal(woken, 0);
  assert.deepEqual([...main.takeOutput(10)], [1]);
  assert.equal(main.takeOutput(10).length, 0);
  worker.write(Uint8Array.of(2));
  worker.write(Uint8Array.of(3));
  assert.equal(woken, 1);
  assert.deepEqual([...main.takeOutput(10)], [2, 3]);
});

test("main is called when the guest has made room for input it could not give", () => {
  let woken = 0;
  const shared = allocateShared();
  const main = new MainSide(shared);
  const worker = new WorkerSide(shared, () => woken++);
  const input = new Uint8Array(100_000).fill(7);
  const taken = main.giveInput(input);
  assert.ok(taken < input.length);
  assert.equal(worker.read(10).length, 10);
  assert.equal(woken, 1);
  assert.equal(main.giveInput(input.subarray(taken)), 10);
});

test("end of input is seen only after the last byte", () => {
  const shared = allocateShared();
  const main = new MainSide(shared);
  const worker = new WorkerSide(shared, () => undefined);
  main.giveInput(Uint8Array.of(1));
  main.closeInput();
  assert.equal(worker.inputOpen(), true);
  worker.read(1);
  assert.equal(worker.inputOpen(), false);
});

test("a bell that rang between a look and the sleep is not lost", () => {
  const shared = allocateShared();
  const main = new MainSide(shared);
  const worker = new WorkerSide(shared, () => undefined);
  assert.equal(worker.stopRequested, false);
  main.requestStop();
  worker.wait(undefined);
  assert.equal(worker.stopRequested, true);
});

test("R1.10 each channel is a stream of its own: bytes both ways, main called when it waits, an end", () => {
  let woken = 0;
  const shared = allocateShared(["in", "out"]);
  const main = new MainSide(shared);
  const worker = new WorkerSide(shared, () => woken++);
  const [input, output] = ["in", "out"].map((name) => worker.channels.get(name)!);
  assert.equal(main.channels.get("out")!.takeOutput(10).length, 0);
  output.write(Uint8Array.of(1, 2));
  assert.equal(woken, 1);
  assert.deepEqual([...main.channels.get("out")!.takeOutput(10)], [1, 2]);
  assert.equal(main.takeOutput(10).length, 0, "the console has none of it");
  main.channels.get("in")!.giveInput(Uint8Array.of(3));
  main.channels.get("in")!.closeInput();
  assert.equal(input.inputOpen!(), true);
  assert.deepEqual([...input.read(10)], [3]);
  assert.equal(input.inputOpen!(), false);
  assert.equal(output.inputOpen!(), true);
});

test("R1.10 a patient channel tells main what waits in the guest, and calls it once that is no more", () => {
  const shared = allocateShared(["port", "other"], new Map([["port", { patient: true }]]));
  let woken = 0;
  const worker = new WorkerSide(shared, () => woken++).channels;
  const main = new MainSide(shared).channels.get("port")!;
  assert.equal(worker.get("other")!.keep, undefined, "the worker waits");
  const { keep } = worker.get("port")!;
  keep!(false);
  assert.equal(woken, 0, "nothing had waited");
  keep!(true);
  assert.ok(main.kept);
  keep!(false);
  assert.ok(!main.kept);
  assert.equal(woken, 1);
});

test("R1.10 what has to be whole is given at once or not at all, unless there is never room for it", () => {
  let woken = 0;
  const shared = allocateShared(["port"], new Map([["port", { capacity: 16 }]]));
  const worker = new WorkerSide(shared, () => woken++).channels.get("port")!;
  const main = new MainSide(shared).channels.get("port")!;
  assert.equal(main.giveInput(new Uint8Array(10), true), 10);
  assert.equal(main.giveInput(new Uint8Array(7), true), 0);
  assert.equal(worker.read(5).length, 5);
  assert.equal(woken, 1);
  assert.equal(main.giveInput(new Uint8Array(7), true), 7);
  assert.equal(main.giveInput(new Uint8Array(17), true), 4);
});
