/** R1.10 R6.6 A matrix takes no more than it may: output that is kept, guests at once, memory; and its files have names of their own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestError } from "../../../src/guests/index.js";
import { cellFiles } from "../../../src/cli/matrix/cell-files.js";
import { MatrixKernels } from "../../../src/cli/matrix/kernels.js";
import { KeptOutput } from "../../../src/cli/matrix/kept-output.js";
import { Slots } from "../../../src/cli/matrix/slots.js";

const MIB = 2 ** 20;

test("R1.10 output: a short one is kept whole, a long one by its head and its tail within 1 MiB, in pieces of any size", () => {
  const short = new KeptOutput();
  for (const byte of Buffer.from("hällo\n")) short.take(Uint8Array.of(byte));
  assert.equal(short.text(), "hällo\n");

  for (const piece of [1000, 70_000, 3 * MIB]) {
    const long = new KeptOutput();
    const all = Buffer.alloc(12 * MIB, "abcdefghi\n");
    all.write("first");
    all.write("last\n", all.length - 5);
    for (let at = 0; at < all.length; at += piece) {
      long.take(all.subarray(at, at + piece));
      assert.ok(long.held <= 2 * MIB, `${long.held}`);
    }
    const text = long.text();
    assert.ok(text.startsWith("first") && text.endsWith("last\n"));
    assert.ok(text.includes(`[${11 * MIB} bytes left out]`), text.slice(MIB / 2 - 10, MIB / 2 + 50));
    assert.equal(long.held, MIB);
    assert.equal(long.total, 12 * MIB);
    assert.deepEqual(long.lastLines(1, 80).length, 1);
    long.shorten();
    assert.equal(long.held, 4 * 1024);
    assert.ok(long.text().startsWith("first") && long.text().endsWith("last\n"));
  }
});

test("R1.10 output: what comes a byte at a time is held in few pieces, so that its bytes are all that it costs", () => {
  const output = new KeptOutput();
  const byte = Uint8Array.of(0x78);
  for (let i = 0; i < MIB; i++) {
    output.take(byte);
    if (output.pieces > 2050) assert.fail(`${output.pieces} pieces`);
  }
  assert.equal(output.text(), "x".repeat(MIB));
});

test("R1.10 output: the last lines are not empty, and none is longer than its bound", () => {
  const output = new KeptOutput();
  output.take(Buffer.from(`a\r\n\n  \n${"x".repeat(100_000)}\nb`));
  assert.deepEqual(output.lastLines(3, 10), [`${"x".repeat(10)}…`, "b"]);
});

test("R1.10 kernels: one that several cells have is fetched once, one after the other; why one cannot be had is told its own cells", async () => {
  const began: string[] = [];
  let atOnce = 0;
  const fetch = async (name: string): Promise<void> => {
    began.push(name);
    assert.equal(++atOnce, 1);
    await new Promise(setImmediate);
    atOnce--;
    if (name === "sid") throw new GuestError("network", "the archive does not answer");
    if (name === "debian-11") throw new GuestError("damaged", "other bytes");
  };
  const kernels = new MatrixKernels({ busybox: () => fetch("busybox"), kernel: fetch });
  const named = ["debian-12", "sid", "debian-11", "debian-12", "sid", "debian-11", "/a/file", undefined];
  const found = await Promise.all(named.map((name) => kernels.ready(name)));
  assert.deepEqual(began, ["busybox", "debian-12", "sid", "debian-11", "debian-cloud"]);
  const [, missing, damaged] = found;
  assert.deepEqual(missing, { reason: "unavailable", message: "the archive does not answer" });
  assert.equal(damaged?.reason, "not-started");
  assert.deepEqual(found, [undefined, missing, damaged, undefined, missing, damaged, undefined, undefined]);
});

/** Begins guests of these sizes; what runs at each moment is the list of their numbers. */
function started(
  slots: Slots,
  sizes: readonly number[],
): { running: number[]; end: (i: number) => Promise<void> } {
  const running: number[] = [];
  const frees: (() => void)[] = [];
  sizes.forEach(
    (size, i) =>
      void slots.take(size).then((free) => {
        running.push(i);
        frees[i] = free;
      }),
  );
  const end = async (i: number): Promise<void> => {
    running.splice(running.indexOf(i), 1);
    frees[i]();
    // Freeing twice gives nothing back twice.
    frees[i]();
    await new Promise(setImmediate);
  };
  return { running, end };
}

test("R1.10 jobs: never more than so many at once, in their order", async () => {
  const { running, end } = started(new Slots(2, 100), [1, 1, 1, 1]);
  await new Promise(setImmediate);
  assert.deepEqual(running, [0, 1]);
  await end(1);
  assert.deepEqual(running, [0, 2]);
  await end(0);
  assert.deepEqual(running, [2, 3]);
});

test("R1.10 jobs: never more memory than there is; a guest that is larger than all of it runs alone", async () => {
  const { running, end } = started(new Slots(4, 100), [60, 50, 40, 500, 10]);
  await new Promise(setImmediate);
  assert.deepEqual(running, [0]);
  await end(0);
  assert.deepEqual(running, [1, 2]);
  await end(1);
  assert.deepEqual(running, [2]);
  await end(2);
  assert.deepEqual(running, [3]);
  await end(3);
  assert.deepEqual(running, [4]);
});

test("R1.10 files: a cell's have its number and a name without anything that a file's name cannot have", () => {
  const cell = { index: 4, values: [], name: `kernel=../../x smp=1 append="a\0\nb/c" ${"y".repeat(500)}` };
  const { output, kernel } = cellFiles("out", cell, 12);
  assert.match(output, /^out\/05-kernel=\.\._\.\._x,smp=1,append=_a_b_c_[^/]*\.log$/);
  assert.ok(output.length < 130);
  assert.equal(kernel, output.replace(/\.log$/, ".kernel.log"));
});
