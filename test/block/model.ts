/** A disk as a plain array, and random operations that are done to both. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { BlockBackend } from "../../src/block/backend.js";

export type Operation =
  | { kind: "write"; offset: number; length: number; value: number }
  | { kind: "read" | "discard"; offset: number; length: number }
  | { kind: "zero"; offset: number; length: number; unmap: boolean }
  | { kind: "flush" };

const SECTOR = 512;

/** A range; most begin and end at a sector, as a guest's do. */
function range(size: number): fc.Arbitrary<{ offset: number; length: number }> {
  const point = fc.oneof(
    fc.integer({ min: 0, max: Math.floor(size / SECTOR) }).map((at) => at * SECTOR),
    fc.integer({ min: 0, max: size }),
  );
  return fc.tuple(point, point).map(([a, b]) => ({ offset: Math.min(a, b), length: Math.abs(a - b) }));
}

/** Up to forty operations on a disk of `size` bytes. */
export function operations(size: number): fc.Arbitrary<Operation[]> {
  const where = range(size);
  const some: fc.Arbitrary<Operation> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(where, fc.integer({ min: 0, max: 255 }))
        .map(([at, value]): Operation => ({ kind: "write", ...at, value })),
    },
    { weight: 2, arbitrary: where.map((at): Operation => ({ kind: "read", ...at })) },
    { weight: 1, arbitrary: where.map((at): Operation => ({ kind: "discard", ...at })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(where, fc.boolean())
        .map(([at, unmap]): Operation => ({ kind: "zero", ...at, unmap })),
    },
    { weight: 1, arbitrary: fc.constant<Operation>({ kind: "flush" }) },
  );
  return fc.array(some, { maxLength: 40 });
}

/** Fails at the first byte that differs; comparing arrays as a whole would take long to say so. */
export function disksAgree(found: Uint8Array, expected: Uint8Array): void {
  assert.equal(found.length, expected.length);
  if (Buffer.compare(found, expected) === 0) return;
  const at = found.findIndex((byte, i) => byte !== expected[i]);
  assert.fail(`byte ${at} is ${found[at]}, not ${expected[at]}`);
}

/** Does it to a disk and to the model, and compares what is read. What is discarded may read as before or as zeros. */
export function applyTo(disk: BlockBackend, model: Uint8Array, operation: Operation): void {
  if (operation.kind === "flush") return disk.flush();
  const { offset, length } = operation;
  const there = (): Uint8Array => {
    const into = new Uint8Array(length).fill(0x5a);
    disk.read(offset, into);
    return into;
  };
  switch (operation.kind) {
    case "write": {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = operation.value + i * 3;
      disk.write(offset, bytes);
      model.set(bytes, offset);
      return;
    }
    case "zero":
      disk.writeZeroes(offset, length, operation.unmap);
      model.fill(0, offset, offset + length);
      return;
    case "read":
      return disksAgree(there(), model.subarray(offset, offset + length));
    case "discard": {
      disk.discard(offset, length);
      const now = there();
      const wrong = now.findIndex((byte, i) => byte !== 0 && byte !== model[offset + i]);
      assert.equal(wrong, -1, `byte ${offset + wrong} is neither what it was nor 0`);
      model.set(now, offset);
    }
  }
}
