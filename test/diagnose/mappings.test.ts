/** R3.11: what a guest's page tables map, as `monitor info mem` lists it; tables that refer to themselves cost no more than others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mappingsOf, type Mapping } from "../../src/diagnose/mappings.js";
import type { GuestMemory } from "../../src/engine/contract.js";
import { plainMemory } from "../support/guest-memory.js";

const PAGE = 0x1000;
const MOST = 2000;
/** Of this process alone; without a bound on tables it takes minutes. */
const SOON_US = 8e6;
const [PRESENT, WRITABLE, USER, LARGE] = [1, 2, 4, 0x80];
const NO_EXECUTE = 1n << 63n;
const LINEAR = { paging: "4-level", root: PAGE } as const;

function put(memory: GuestMemory, table: number, index: number, entry: number | bigint, bytes: 4 | 8): void {
  const view = new DataView(new ArrayBuffer(bytes));
  if (bytes === 8) view.setBigUint64(0, BigInt(entry), true);
  else view.setUint32(0, Number(entry), true);
  memory.write(table + index * bytes, new Uint8Array(view.buffer));
}

const shown = ({ from, to, user, writable, executable }: Mapping): string =>
  `${from.toString(16)}-${to.toString(16)} ${user ? "u" : "-"}r${writable ? "w" : "-"}${executable ? "x" : "-"}`;

test("R3.11 mappings: ranges of the same rights are one; a right has to be in every level; upper addresses are canonical", () => {
  const memory = plainMemory([{ start: 0, size: 2 ** 20 }]);
  const every = PRESENT | WRITABLE | USER;
  put(memory, PAGE, 0, (2 * PAGE) | every, 8);
  put(memory, PAGE, 511, (3 * PAGE) | PRESENT | WRITABLE, 8);
  put(memory, 2 * PAGE, 0, (4 * PAGE) | every, 8);
  put(memory, 4 * PAGE, 0, (5 * PAGE) | every, 8);
  put(memory, 5 * PAGE, 1, 0x9000 | PRESENT | USER, 8);
  put(memory, 5 * PAGE, 2, 0x8000 | PRESENT | USER, 8);
  put(memory, 5 * PAGE, 3, BigInt(0xa000 | every) | NO_EXECUTE, 8);
  put(memory, 3 * PAGE, 510, (6 * PAGE) | PRESENT, 8);
  put(memory, 6 * PAGE, 8, 0x200000 | every | LARGE, 8);
  put(memory, 6 * PAGE, 9, 0x400000 | every | LARGE, 8);
  const { list, whole } = mappingsOf(memory, LINEAR, MOST);
  assert.ok(whole);
  assert.deepEqual(list.map(shown), [
    "1000-3000 ur-x",
    "3000-4000 urw-",
    "ffffffff81000000-ffffffff81400000 -r-x",
  ]);
});

test("R3.11 mappings: tables of 32 bits, with large pages, and none", () => {
  const memory = plainMemory([{ start: 0, size: 2 ** 20 }]);
  put(memory, PAGE, 0, (2 * PAGE) | PRESENT | WRITABLE, 4);
  put(memory, PAGE, 768, PRESENT | WRITABLE | LARGE, 4);
  put(memory, 2 * PAGE, 5, 0x5000 | PRESENT, 4);
  const { list } = mappingsOf(memory, { paging: "32-bit", root: PAGE }, MOST);
  assert.deepEqual(list.map(shown), ["5000-6000 -r-x", "c0000000-c0400000 -rwx"]);
  assert.deepEqual(mappingsOf(memory, { paging: "none", root: 0 }, MOST), { list: [], whole: true });
});

test("R3.11 mappings: tables that refer to each other everywhere end soon, and that there is more is said", () => {
  const memory = plainMemory([{ start: 0, size: 2 ** 20 }]);
  const every = PRESENT | WRITABLE;
  for (let i = 0; i < 512; i++) {
    for (const level of [1, 2, 3]) put(memory, level * PAGE, i, ((level + 1) * PAGE) | every, 8);
    // Every other page may be written, so that no two are one range.
    put(memory, 4 * PAGE, i, PRESENT | ((i & 1) * WRITABLE), 8);
  }
  const start = process.cpuUsage();
  const found = mappingsOf(memory, LINEAR, MOST);
  assert.equal(found.whole, false);
  assert.equal(found.list.length, MOST);
  for (let i = 0; i < 512; i++) put(memory, PAGE, i, PAGE | PRESENT, 8);
  assert.equal(mappingsOf(memory, LINEAR, MOST).whole, false);
  assert.ok(process.cpuUsage(start).user < SOON_US);
});
