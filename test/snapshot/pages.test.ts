/** R3.7 R6.2 Which pages of a machine's memory a snapshot has, and how many at most. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GuestMemory } from "../../src/engine/contract.js";
import { pageCount, pagesInUse } from "../../src/snapshot/pages.js";

const PAGE = 4096;

/** Memory of so many pages from 0 on, of which these are not zero. */
function memoryWith(pages: number, used: readonly number[]): GuestMemory {
  const bytes = new Uint8Array(pages * PAGE);
  for (const page of used) bytes[page * PAGE + PAGE - 1] = 1;
  const view = (start: number, size: number): Uint8Array => bytes.subarray(start, start + size);
  return { ranges: [{ start: 0, size: bytes.length }], view } as unknown as GuestMemory;
}

test("R3.7 pages: those that are not zero, in runs", () => {
  assert.deepEqual(pagesInUse(memoryWith(8, [1, 2, 5])), [
    { first: 1, count: 2 },
    { first: 5, count: 1 },
  ]);
});

test("R6.2 pages: beyond the most that are wanted none is looked for", () => {
  const memory = memoryWith(100, [...Array(100).keys()]);
  assert.equal(pageCount(pagesInUse(memory, 10)), 11);
  assert.equal(pageCount(pagesInUse(memory, 100)), 100);
});
