/**
 * The generated half of the decoder beside the exact one: blocks of the same bytes, decoded with and without it, must be the same to
 * the last bit of their records and of the lookup table, the first time and once there are templates of everything.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { DecodeCache } from "../../../src/engine/wasm/decode-cache.js";
import { IMPORTS } from "../../../src/engine/wasm/interpreter.js";
import { interpreterModule } from "../../../src/engine/wasm/interpreter-module.js";
import { DECODED, type DecodeQuickly } from "../../../src/engine/wasm/templates.js";
import type { CpuContext } from "../../../src/engine/x86/cpu-context.js";
import * as L from "../../../src/engine/x86/layout.js";
import { MODE_CODE32, MODE_CODE64, MODE_TS } from "../../../src/engine/x86/mode.js";
import { InstructionSet } from "../../../src/engine/x86/table/instruction-set.js";
import { Random } from "../../support/random.js";
import { createBench, RAM_SIZE } from "../system/bench.js";
import { randomHead, systematic, vexEncoded } from "./byte-strings.js";

const PAGE = 0x5000;
const NEXT_PAGE = 0x9000;
const SEED = 0x5eed;
const BY_CHANCE = 4000;
const STRING = 48;
/** Offsets in the page: most in its midst, some where instructions reach its end. */
const OFFSETS = [0x123, 0x123, 0xfc0, 0xfe1, 0xff0, 0xff3, 0xff8, 0xffb, 0xffd];

/** A cache of decoded instructions by itself. */
class Side {
  readonly cpu: CpuContext = createBench().cpu;
  readonly cache: DecodeCache;
  readonly bytes: Uint8Array;
  private readonly ramBase: number;
  /** Instructions that generated code has decoded. */
  quick = 0;

  constructor(generated: boolean, mode: number, has: (feature: string) => boolean) {
    const { memory, ramBase } = this.cpu.services;
    this.ramBase = ramBase;
    this.bytes = new Uint8Array(memory.buffer);
    this.cpu.set32(L.MODE_KEY, mode);
    const events = { codePageAdded: () => {}, blocksDropped: () => {}, flushed: () => {} };
    this.cache = new DecodeCache(memory, ramBase, RAM_SIZE, events);
    this.cache.useInstructions(new InstructionSet(has));
    if (!generated) return;
    const env: Record<string, unknown> = { memory };
    for (const name of Object.keys(IMPORTS)) env[name] = (): number => assert.fail(`called ${name}`);
    const { exports } = new WebAssembly.Instance(interpreterModule(), { env });
    const decodeQuickly = exports["decodeQuickly"] as DecodeQuickly;
    this.cache.decodeQuickly = (...what): number => {
      const decoded = decodeQuickly(...what);
      this.quick += (decoded >>> DECODED.countShift) & DECODED.countMask;
      return decoded;
    };
  }

  put(offset: number, code: Uint8Array): void {
    this.cache.invalidate(PAGE, 2 * L.PAGE_SIZE);
    this.bytes.set(code, this.ramBase + PAGE + offset);
  }

  /** The records of the block that is decoded from there, and where lookups lead. */
  decode(offset: number): { first: number; bytes: Uint8Array; lookups: Uint8Array } {
    const first = this.cache.decode(this.cpu, PAGE + offset, () => NEXT_PAGE);
    const block = this.cache.blockOf(first)!;
    const records = this.bytes.subarray(block.record, block.record + block.count * L.RECORD_SIZE);
    const lookups = this.bytes.subarray(L.LOOKUP, L.LOOKUP + L.LOOKUP_ENTRIES * L.LOOKUP_ENTRY_SIZE);
    return { first, bytes: records, lookups };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

interface Sides {
  exact: Side;
  quick: Side;
}

function sides(mode = MODE_CODE64, has: (feature: string) => boolean = () => true): Sides {
  return { exact: new Side(false, mode, has), quick: new Side(true, mode, has) };
}

function compare({ exact, quick }: Sides, offset: number, code: Uint8Array): void {
  for (const side of [exact, quick]) side.put(offset, code);
  const [expected, found] = [exact.decode(offset), quick.decode(offset)];
  assert.equal(found.first, expected.first, hex(code));
  assert.equal(hex(found.bytes), hex(expected.bytes), hex(code));
}

/** Instructions that calls, loops and returns are made of, among others that know nothing of each other. */
const INSTRUCTIONS = [
  [0x55],
  [0x41, 0x57],
  [0x48, 0x89, 0xe5],
  [0x48, 0x8b, 0x44, 0x24, 0x18],
  [0x65, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0],
  [0x8b, 0x05, 0x10, 0x20, 0x30, 0x00],
  [0x0f, 0xb6, 0x04, 0x8f],
  [0x66, 0x0f, 0x6f, 0x06],
  [0xf3, 0x0f, 0x1e, 0xfa],
  [0x88, 0xe1],
  [0x40, 0x88, 0xe1],
  [0xd1, 0xe8],
  [0xf3, 0x48, 0xab],
  [0x74, 0x05],
  [0x0f, 0x85, 0xf0, 0xff, 0xff, 0xff],
  [0xe8, 0x10, 0, 0, 0],
  [0xff, 0xd0],
  [0x90],
  [0xf0, 0x0f, 0xb1, 0x0f],
  [0xd9, 0xc0],
];
/** What ends a block. */
const ENDS = [[0xc3], [0xf4], [0xeb, 0x10], [0xcc], [0x0f, 0x05], [0xff, 0xe0]];
const PROGRAMS = 60;
const PROGRAM = 120;
const ENTRIES = 12;

/** A program, and where instructions of it begin. */
function program(random: Random): { code: Uint8Array; starts: number[] } {
  const starts: number[] = [];
  const code: number[] = [];
  for (let i = 0; i < PROGRAM; i++) {
    starts.push(code.length);
    code.push(...random.pick(i % 40 === 39 ? ENDS : INSTRUCTIONS));
  }
  return { code: Uint8Array.from(code), starts };
}

function* strings(random: Random): Generator<Uint8Array> {
  function* heads(): Generator<number[]> {
    yield* systematic(random, 1);
    yield* vexEncoded(random);
    for (let n = 0; n < BY_CHANCE; n++) yield randomHead(random);
  }
  for (const head of heads()) {
    const code = Uint8Array.from({ length: STRING }, () => random.below(256));
    code.set(head);
    yield code;
  }
}

test("R6.1 generated code makes the records that the exact decoder makes, for every opcode and prefix", () => {
  const both = sides();
  const random = new Random(SEED);
  let count = 0;
  for (let round = 0; round < 2; round++)
    for (const code of strings(random)) {
      compare(both, random.pick(OFFSETS), code);
      count++;
    }
  const { exact, quick } = both;
  assert.deepEqual(quick.decode(0x123).lookups, exact.decode(0x123).lookups);
  assert.equal(quick.cache.counters.instructions, exact.cache.counters.instructions);
  assert.ok(quick.quick > count, `${quick.quick} of ${quick.cache.counters.instructions} instructions`);
});

test("R6.1 blocks begin, are linked and end where they do without generated code", () => {
  const both = sides();
  const random = new Random(SEED);
  for (let n = 0; n < PROGRAMS; n++) {
    const { code, starts } = program(random);
    for (const side of [both.exact, both.quick]) side.put(0x40, code);
    for (let entry = 0; entry < ENTRIES; entry++) {
      const offset = 0x40 + random.pick(starts);
      const [expected, found] = [both.exact.decode(offset), both.quick.decode(offset)];
      assert.equal(found.first, expected.first);
      assert.equal(hex(found.bytes), hex(expected.bytes), `from ${offset} of ${hex(code)}`);
    }
  }
  assert.deepEqual(both.quick.decode(0x40).lookups, both.exact.decode(0x40).lookups);
  assert.ok(both.quick.quick > 0);
});

test("R6.1 what lies behind a page decides nothing of an instruction that ends with it, or goes on behind it", () => {
  const both = sides();
  const known = [...INSTRUCTIONS, ...ENDS].map((code) => Uint8Array.from(code));
  for (const code of known) compare(both, 0x123, code);
  for (const code of known)
    for (const behind of [0, 0x48, 0x90, 0xff])
      for (let missing = 0; missing < code.length; missing++) {
        const bytes = new Uint8Array(code.length + STRING).fill(behind);
        bytes.set(code);
        const before = both.quick.quick;
        compare(both, L.PAGE_SIZE - code.length + missing, bytes);
        if (missing > 0) assert.equal(both.quick.quick, before, hex(code));
      }
  assert.ok(both.quick.quick > known.length);
});

test("R6.1 code at the end of RAM is decoded without reading behind it", () => {
  const last = RAM_SIZE - L.PAGE_SIZE;
  for (const side of Object.values(sides())) {
    for (const offset of [0xff0, 0xfff]) {
      side.bytes.fill(0x50, side.cpu.services.ramBase + last + offset, side.bytes.length);
      assert.notEqual(
        side.cache.decode(side.cpu, last + offset, () => NEXT_PAGE),
        0,
      );
      side.cache.invalidate(last, L.PAGE_SIZE);
    }
    const { instructions } = side.cache.counters;
    assert.equal(instructions, 17);
  }
});

test("R6.1 what a CPU lacks is what it is without generated code, too", () => {
  const both = sides(MODE_CODE64, () => false);
  const random = new Random(SEED + 1);
  for (let round = 0; round < 2; round++) for (const code of strings(random)) compare(both, 0x123, code);
  assert.ok(both.quick.quick > 0);
});

test("R6.1 generated code has no part in code of other sizes, or that may not use vectors", () => {
  for (const mode of [MODE_CODE32, MODE_CODE64 | MODE_TS]) {
    const both = sides(mode);
    for (const code of [[0x0f, 0x58, 0xc1, 0x48, 0x01, 0xd8, 0xc3]])
      for (let round = 0; round < 2; round++) compare(both, 0x123, Uint8Array.from(code));
    assert.equal(both.quick.quick, 0);
  }
});
