/** RAM that is fetched when somebody looks at it (R6.2): everybody finds what the source has, and each block is asked for once. */
import assert from "node:assert/strict";
import test from "node:test";
import type { CpuHost, JitMode, PageSource } from "../../src/engine/contract.js";
import * as regions from "../../src/engine/region/index.js";
import { WasmEngine } from "../../src/engine/wasm/vm.js";
import { plainMemory } from "../support/guest-memory.js";

const PAGE = 0x1000;
const RANGES = [
  { start: 0, size: 16 * PAGE },
  { start: 0x100000, size: 8 * PAGE },
];

/** Pages each of whose bytes is its number in the source, from 1; in blocks of three. */
function source(runs: PageSource["runs"]): PageSource & { asked: number[] } {
  const blockPages = 3;
  const asked: number[] = [];
  return {
    runs,
    blockPages,
    asked,
    read(block, into) {
      asked.push(block);
      for (let page = 0; page < into.length / PAGE; page++)
        into.fill(1 + block * blockPages + page, page * PAGE, (page + 1) * PAGE);
    },
  };
}

/** Seven pages: two, one, three that begin in the middle of a block, and one of the other range. */
const RUNS = [
  { first: 2, count: 2 },
  { first: 5, count: 1 },
  { first: 9, count: 3 },
  { first: 0x101, count: 1 },
];
const EXPECTED = new Map([
  [2, 1],
  [3, 2],
  [5, 3],
  [9, 4],
  [10, 5],
  [11, 6],
  [0x101, 7],
]);
const ALL = [...Array(16).keys(), ...Array.from({ length: 8 }, (_, i) => 0x100 + i)];

test("every page has what the source has, the others zeros, whichever is looked at first", () => {
  for (let start = 0; start < ALL.length; start++) {
    const memory = plainMemory(RANGES);
    const pages = source(RUNS);
    memory.fetchLater!(pages);
    for (const page of [...ALL.slice(start), ...ALL.slice(0, start)]) {
      assert.equal(memory.readU8(page * PAGE + 5), EXPECTED.get(page) ?? 0, `page ${page}`);
      assert.equal(memory.view(page * PAGE, PAGE)!.at(-1), EXPECTED.get(page) ?? 0);
    }
    assert.deepEqual(pages.asked.sort(), [0, 1, 2]);
    assert.equal(memory.fetchMore!(1), false);
  }
});

test("only the block is fetched that is needed; what was written stays when the rest comes", () => {
  const memory = plainMemory(RANGES);
  const pages = source(RUNS);
  memory.fetchLater!(pages);
  assert.equal(memory.readU8(4 * PAGE), 0);
  assert.deepEqual(pages.asked, []);
  assert.ok(memory.writeU32(9 * PAGE, 0xaabbccdd));
  assert.deepEqual(pages.asked, [1]);
  memory.write(PAGE * 3, Uint8Array.of(9));
  assert.deepEqual(pages.asked, [1, 0]);
  assert.equal(memory.fetchMore!(5), false);
  assert.deepEqual(pages.asked, [1, 0, 2]);
  assert.deepEqual([...memory.read(9 * PAGE, 5)], [0xdd, 0xcc, 0xbb, 0xaa, 4]);
  assert.deepEqual([...memory.read(3 * PAGE, 2)], [9, 2]);
});

test("an access across pages brings all of them, and one that is not RAM none", () => {
  const memory = plainMemory(RANGES);
  const pages = source(RUNS);
  memory.fetchLater!(pages);
  assert.equal(memory.view(15 * PAGE, 2 * PAGE), undefined);
  assert.deepEqual(pages.asked, []);
  const view = memory.view(0, 16 * PAGE)!;
  assert.deepEqual(pages.asked, [0, 1]);
  assert.deepEqual([view[5 * PAGE], view[11 * PAGE]], [3, 6]);
});

test("what the source throws comes out, and the page is asked for again", () => {
  const memory = plainMemory(RANGES);
  let broken = true;
  const pages = source(RUNS);
  const read = (block: number, into: Uint8Array): void => {
    if (broken) throw new Error("damaged");
    pages.read(block, into);
  };
  memory.fetchLater!({ ...pages, read });
  assert.throws(() => memory.readU8(2 * PAGE), /damaged/);
  broken = false;
  assert.equal(memory.readU8(2 * PAGE), 1);
});

test("R6.2 a checker that is loaded late has all of RAM fetched, as it compares all; a compiler alone has none", () => {
  const cases: [jit: JitMode, asked: number[]][] = [
    ["check", [0, 1, 2]],
    ["on", []],
  ];
  for (const [jit, asked] of cases) {
    const engine = new WasmEngine({ jit });
    const { memory } = engine.createVm({ ranges: RANGES }, {} as CpuHost);
    const pages = source(RUNS);
    memory.fetchLater!(pages);
    assert.deepEqual(pages.asked, [], jit);
    engine.compileWith(regions);
    assert.deepEqual(pages.asked.sort(), asked, jit);
    assert.equal(memory.fetchMore!(1), jit === "on", jit);
  }
});
