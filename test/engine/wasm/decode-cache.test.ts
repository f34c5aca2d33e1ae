/**
 * The cache of decoded instructions by itself: where blocks end, what they are linked to, pages that an instruction
 * crosses, bytes that change, an arena that is full, and lookup entries that collide. No generated code runs.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { DecodeCache, type TranslateNextPage } from "../../../src/engine/wasm/decode-cache.js";
import { PSEUDO } from "../../../src/engine/x86/pseudo-operations.js";
import type { CpuContext } from "../../../src/engine/x86/cpu-context.js";
import * as L from "../../../src/engine/x86/layout.js";
import { OPERATIONS } from "../../../src/engine/x86/operands.js";
import * as R from "../../../src/engine/x86/record.js";
import { createBench, RAM_SIZE } from "../system/bench.js";

const CODE64 = 2;
const CODE32 = 1;
const PAGE = 0x5000;
const NEXT = 0x9000;

const NOP = [0x90];
const PUSH_RAX = [0x50];
const ADD = [0x48, 0x01, 0xd8];
const MOV_IMM64 = [0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8];
const JE_SELF = [0x74, 0xfe];
const CALL = [0xe8, 0, 0, 0, 0];
const RET = [0xc3];
const HLT = [0xf4];
const UD2 = [0x0f, 0x0b];

interface Decoded {
  at: number;
  key: string;
  offset: number;
  length: number;
  link: number;
  immediate: number;
}

interface Board {
  cpu: CpuContext;
  cache: DecodeCache;
  /** RAM pages reported as code, in order; flushes. */
  pages: number[];
  flushes: () => number;
  code(offset: number, ...instructions: number[][]): void;
  /** Decodes at a RAM offset; the page behind is `next`, or faults when -1. */
  decode(offset: number, next?: number): number;
  record(at: number): Decoded;
  /** Keys of the records of a block, from `at` to the first that ends it. */
  keys(at: number): string[];
}

function board(mode = CODE64): Board {
  const { cpu } = createBench();
  cpu.set32(L.MODE_KEY, mode);
  const { memory, ramBase } = cpu.services;
  const bytes = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const pages: number[] = [];
  let flushes = 0;
  const cache = new DecodeCache(memory, ramBase, RAM_SIZE, {
    codePageAdded: (page) => pages.push(page),
    blocksDropped: () => undefined,
    flushed: () => flushes++,
  });
  const record = (at: number): Decoded => ({
    at,
    key: OPERATIONS.list[view.getUint16(at + R.REC_OP, true)].key,
    offset: view.getUint16(at + R.REC_OFFSET, true),
    length: view.getUint8(at + R.REC_LENGTH),
    link: view.getUint32(at + R.REC_LINK, true),
    immediate: view.getInt32(at + R.REC_IMMEDIATE, true),
  });
  return {
    cpu,
    cache,
    pages,
    flushes: () => flushes,
    code: (offset, ...instructions) => bytes.set(instructions.flat(), ramBase + offset),
    decode: (offset, next = -1) => cache.decode(cpu, offset, () => next),
    record,
    keys: (at) => {
      const keys: string[] = [];
      for (let r = record(at); ; r = record(r.at + R.RECORD_BYTES)) {
        keys.push(r.key.split(" ")[0]);
        if (r.key.startsWith("continue") || /^(ret|undefined|jmp)\./.test(r.key)) return keys;
      }
    },
  };
}

const CONTINUE = OPERATIONS.list[PSEUDO.continue].key;
const RELOOKUP = OPERATIONS.list[PSEUDO.relookup].key;
const CROSSING = OPERATIONS.list[PSEUDO.crossing].key;

// ── where blocks end ───────────────────────────────────────────────────────────────────────────────────────

test("a block goes on behind conditional branches and calls and ends at RET, with consecutive records", () => {
  const b = board();
  b.code(PAGE + 0x10, PUSH_RAX, JE_SELF, CALL, ADD, RET, NOP);
  const at = b.decode(PAGE + 0x10);
  assert.deepEqual(b.keys(at), ["push.8", "je.8", "call.8", "add.8", "ret.8"]);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((i) => b.record(at + i * R.RECORD_BYTES).offset),
    [0x10, 0x11, 0x13, 0x18, 0x1b],
  );
  assert.equal(b.cache.counters.instructions, 5, "nothing behind RET is decoded");
});

test("what may change the mode ends a block, with a record that goes on at the next instruction", () => {
  const b = board();
  b.code(PAGE, NOP, HLT, NOP);
  const at = b.decode(PAGE);
  assert.deepEqual(b.keys(at), ["nop.0", "hlt.0", "continue.0"]);
  const last = b.record(at + 2 * R.RECORD_BYTES);
  assert.deepEqual([last.offset, last.immediate, last.link], [2, 2, 0]);
});

test("an undefined instruction ends a block; nothing behind it is read", () => {
  const b = board();
  b.code(PAGE, NOP, UD2);
  const at = b.decode(PAGE);
  assert.deepEqual(b.keys(at), ["nop.0", "undefined.0"]);
  assert.equal(b.cache.counters.instructions, 2);
});

test("a block ends after 64 instructions, and the rest is decoded when it is reached", () => {
  const b = board();
  b.code(PAGE, ...Array.from({ length: 100 }, () => NOP), RET);
  const at = b.decode(PAGE);
  assert.equal(b.cache.counters.instructions, 64);
  const end = b.record(at + 64 * R.RECORD_BYTES);
  assert.deepEqual([end.key, end.immediate], [CONTINUE, 64]);
  b.decode(PAGE + 64);
  assert.equal(b.cache.counters.instructions, 101);
});

test("a block ends at the end of its page, exactly", () => {
  const b = board();
  b.code(PAGE + 0xffc, NOP, ADD, RET);
  const at = b.decode(PAGE + 0xffc);
  assert.deepEqual(b.keys(at), ["nop.0", "add.8", "continue.0"]);
  assert.equal(b.record(at + 2 * R.RECORD_BYTES).immediate, 0x1000);
  assert.deepEqual(b.pages, [PAGE >>> 12]);
});

// ── links and lookup ───────────────────────────────────────────────────────────────────────────────────────

test("a block that runs into a decoded instruction is linked to it", () => {
  const b = board();
  b.code(PAGE, NOP, NOP, ADD, RET);
  const second = b.decode(PAGE + 2);
  const first = b.decode(PAGE);
  assert.deepEqual(b.keys(first), ["nop.0", "nop.0", "continue.0"]);
  assert.equal(b.record(first + 2 * R.RECORD_BYTES).link, second);
});

test("an instruction in the middle of a block is found in it; a byte inside an instruction is decoded anew", () => {
  const b = board();
  b.code(PAGE, NOP, MOV_IMM64, ADD, RET);
  const at = b.decode(PAGE);
  assert.equal(b.decode(PAGE + 11), at + 2 * R.RECORD_BYTES);
  assert.equal(b.cache.counters.blocks, 1);
  const inside = b.decode(PAGE + 12);
  assert.equal(b.record(inside).key, "add.4 b4,a4", "01 d8 without its REX");
  assert.equal(b.cache.counters.blocks, 2);
});

test("the same bytes in another mode are another block", () => {
  const b = board();
  b.code(PAGE, ADD, RET);
  const wide = b.decode(PAGE);
  b.cpu.set32(L.MODE_KEY, CODE32);
  const narrow = b.decode(PAGE);
  assert.deepEqual(b.keys(wide), ["add.8", "ret.8"]);
  assert.deepEqual(b.keys(narrow), ["dec.4", "add.4", "ret.4"]);
});

test("addresses that share a lookup entry push each other out and are both right", () => {
  const b = board();
  const other = ((): number => {
    const index = (offset: number): number => (offset ^ (offset >>> 16)) & (L.LOOKUP_ENTRIES - 1);
    for (let offset = 0x10000; offset < RAM_SIZE; offset++) if (index(offset) === index(PAGE)) return offset;
    throw new Error("no collision in this much RAM");
  })();
  b.code(PAGE, ADD, RET);
  b.code(other, NOP, RET);
  const first = b.decode(PAGE);
  const second = b.decode(other);
  assert.notEqual(first, second);
  assert.equal(b.decode(PAGE), first, "found again in its page, not decoded again");
  assert.equal(b.decode(other), second);
  assert.equal(b.cache.counters.blocks, 2);
  b.cache.invalidate(PAGE, 1);
  assert.equal(b.record(first).key, RELOOKUP);
  assert.equal(b.decode(other), second, "dropping one does not take the other's entry");
});

// ── crossing pages ─────────────────────────────────────────────────────────────────────────────────────────

function crossing(): Board & { at: number } {
  const b = board();
  b.code(PAGE + 0xffb, MOV_IMM64.slice(0, 5));
  b.code(NEXT, MOV_IMM64.slice(5), RET);
  return { ...b, at: b.decode(PAGE + 0xffb, NEXT) };
}

test("an instruction that crosses is a block of its own behind a check of its second page", () => {
  const b = crossing();
  assert.deepEqual(b.keys(b.at), ["crossing.0", "mov.8", "continue.0"]);
  const [check, instruction, end] = [0, 1, 2].map((i) => b.record(b.at + i * R.RECORD_BYTES));
  assert.deepEqual([check.immediate, check.offset], [NEXT, 0xffb]);
  assert.deepEqual([instruction.offset, instruction.length], [0xffb, 10]);
  assert.equal(end.immediate, 0x1005, "goes on in the next linear page");
  assert.deepEqual(b.pages, [PAGE >>> 12, NEXT >>> 12], "both pages hold code now");
});

test("a block before it ends where it begins", () => {
  const b = board();
  b.code(PAGE + 0xffa, NOP, MOV_IMM64.slice(0, 5));
  const at = b.decode(PAGE + 0xffa, NEXT);
  assert.deepEqual(b.keys(at), ["nop.0", "continue.0"]);
});

test("a fault of the second page leaves nothing behind", () => {
  const b = board();
  b.code(PAGE + 0xffb, MOV_IMM64.slice(0, 5));
  assert.equal(b.decode(PAGE + 0xffb, -1), 0);
  assert.equal(b.cache.counters.blocks, 0);
  b.code(NEXT, MOV_IMM64.slice(5));
  assert.equal(b.record(b.decode(PAGE + 0xffb, NEXT)).key, CROSSING);
});

test("an undefined opcode at the end of a page does not touch the next page", () => {
  const b = board();
  b.code(PAGE + 0xffe, UD2);
  const at = b.cache.decode(b.cpu, PAGE + 0xffe, () => assert.fail("the next page was asked for"));
  assert.equal(b.record(at).key, "undefined.0");
});

test("fifteen bytes of an instruction that is too long at the end of a page are #GP without the next page", () => {
  const b = board();
  b.code(PAGE + 0xff1, Array<number>(15).fill(0x66));
  const at = b.cache.decode(b.cpu, PAGE + 0xff1, () => assert.fail("the next page was asked for"));
  assert.equal(b.record(at).key, "too_long.0");
});

test("the check holds while the second page stays, and drops the block when it moved", () => {
  const b = crossing();
  const to =
    (page: number): TranslateNextPage =>
    () =>
      page;
  assert.equal(b.cache.checkCrossing(b.cpu, b.at, to(NEXT)), 1);
  b.cpu.setAddress(L.PAGE_RIP, 0x40000);
  assert.equal(b.cache.checkCrossing(b.cpu, b.at, to(0xa000)), 0);
  assert.equal(b.cpu.getAddress(L.RIP), 0x40ffb);
  assert.equal(b.record(b.at + R.RECORD_BYTES).key, RELOOKUP);
  b.code(0xa000, [9, 9, 9, 9, 9]);
  const again = b.decode(PAGE + 0xffb, 0xa000);
  assert.deepEqual([b.record(again).key, b.record(again).immediate], [CROSSING, 0xa000]);
});

test("bytes that change in either page drop it, others do not", () => {
  for (const [offset, dropped] of [
    [PAGE + 0xffa, false],
    [PAGE + 0xffb, true],
    [NEXT + 4, true],
    [NEXT + 5, false],
  ] as const) {
    const b = crossing();
    b.cache.invalidate(offset, 1);
    assert.equal(b.record(b.at + R.RECORD_BYTES).key === RELOOKUP, dropped, offset.toString(16));
    assert.equal(b.cache.pageHoldsCode(PAGE), !dropped);
    assert.equal(b.cache.pageHoldsCode(NEXT), !dropped);
  }
});

test("an instruction that crosses into its own page again is dropped as one", () => {
  const b = board();
  b.code(PAGE + 0xffb, MOV_IMM64.slice(0, 5));
  b.code(PAGE, MOV_IMM64.slice(5));
  const at = b.decode(PAGE + 0xffb, PAGE);
  b.cache.invalidate(PAGE, 1);
  assert.equal(b.record(at).key, RELOOKUP);
  assert.equal(b.cache.pageHoldsCode(PAGE), false);
});

// ── bytes that change ──────────────────────────────────────────────────────────────────────────────────────

test("only blocks whose own bytes change are dropped, also within one line of 64 bytes", () => {
  const b = board();
  b.code(PAGE, ADD, RET);
  b.code(PAGE + 8, ADD, RET);
  const [first, second] = [b.decode(PAGE), b.decode(PAGE + 8)];
  b.cache.invalidate(PAGE + 4, 4);
  assert.equal(b.cache.counters.invalidations, 0, "the bytes between them are no code");
  b.cache.invalidate(PAGE + 3, 1);
  assert.deepEqual([b.record(first).key, b.record(second).key], [RELOOKUP, "add.8 b8,a8"]);
  assert.equal(b.decode(PAGE + 8), second);
  assert.notEqual(b.decode(PAGE), first);
});

test("every record of a dropped block looks itself up at its own instruction", () => {
  const b = board();
  b.code(PAGE, NOP, ADD, MOV_IMM64, RET);
  const at = b.decode(PAGE);
  b.cache.invalidate(PAGE + 5, 1);
  const records = [0, 1, 2, 3].map((i) => b.record(at + i * R.RECORD_BYTES));
  assert.deepEqual(
    records.map((r) => [r.key, r.offset]),
    [
      [RELOOKUP, 0],
      [RELOOKUP, 1],
      [RELOOKUP, 4],
      [RELOOKUP, 14],
    ],
  );
});

test("the instruction behind a call is forgotten with its block", () => {
  const b = board();
  b.code(PAGE, CALL, ADD, RET);
  const at = b.decode(PAGE);
  b.cache.invalidate(PAGE, 1);
  b.code(PAGE + 5, NOP, NOP, NOP);
  const behind = b.decode(PAGE + 5);
  assert.notEqual(behind, at + R.RECORD_BYTES);
  assert.deepEqual(b.keys(behind), ["nop.0", "nop.0", "nop.0", "ret.8"]);
});

test("a page stops holding code when its last block goes, and is reported again when it gets one", () => {
  const b = board();
  b.code(PAGE, NOP, RET);
  b.code(PAGE + 0x800, NOP, RET);
  b.decode(PAGE);
  b.decode(PAGE + 0x800);
  assert.deepEqual(b.pages, [PAGE >>> 12]);
  b.cache.invalidate(PAGE, 1);
  assert.equal(b.cache.pageHoldsCode(PAGE + 0x123), true);
  b.cache.invalidate(PAGE + 0x700, 0x200);
  assert.equal(b.cache.pageHoldsCode(PAGE), false);
  b.decode(PAGE);
  assert.deepEqual(b.pages, [PAGE >>> 12, PAGE >>> 12]);
});

test("a write over many pages drops all of them and stops at the end of RAM", () => {
  const b = board();
  const pages = [0x1000, 0x2000, 0x4000, RAM_SIZE - 0x1000];
  for (const page of pages) {
    b.code(page, NOP, RET);
    b.decode(page);
  }
  b.cache.invalidate(0x1000, 0x2000);
  assert.deepEqual(
    pages.map((page) => b.cache.pageHoldsCode(page)),
    [false, false, true, true],
  );
  b.cache.invalidate(0, RAM_SIZE + 0x5000);
  assert.deepEqual(
    pages.map((page) => b.cache.pageHoldsCode(page)),
    [false, false, false, false],
  );
});

// ── a full arena ───────────────────────────────────────────────────────────────────────────────────────────

test("a full arena is emptied at once: records stay within it, and everything is decoded anew", () => {
  const b = board();
  const limit = L.ARENA + L.ARENA_RECORDS * R.RECORD_BYTES;
  for (let page = 0; page < RAM_SIZE; page += 0x1000)
    b.code(page, ...Array.from({ length: 0x1000 }, () => NOP));
  let highest = 0;
  for (let round = 0; b.flushes() === 0; round++) {
    assert.ok(round < 10, "the arena never filled");
    b.cpu.set32(L.MODE_KEY, CODE64 | (round << 4));
    for (let offset = 0; offset < RAM_SIZE && b.flushes() === 0; offset += 64)
      highest = Math.max(highest, b.decode(offset, -1));
  }
  assert.ok(highest + 65 * R.RECORD_BYTES <= limit, "the last block ends within the arena");
  assert.ok(highest + 200 * R.RECORD_BYTES > limit, "the arena was used up");
  assert.equal(b.cache.counters.flushes, 1);
  assert.equal(b.cache.pageHoldsCode(0x1000), false);
  b.pages.length = 0;
  b.cpu.set32(L.MODE_KEY, CODE64);
  const again = b.decode(0x3000);
  assert.ok(again < L.ARENA + 200 * R.RECORD_BYTES, "the arena is filled from its start");
  assert.deepEqual(b.pages, [3]);
});
