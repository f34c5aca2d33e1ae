/**
 * Guest memory as parts and callers of an engine reach it: views of the very bytes, typed loads and stores, what happens
 * out of range, and that the guest executes what was written.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Engine, GuestMemory, Vm } from "../../src/engine/contract.js";
import { at, dword, eax, ebx, ecx, edi, qword, rax, rcx } from "../support/asm/index.js";
import { prologue } from "./support/environments.js";
import { P, RW } from "./support/page-tables.js";
import { conformanceCpuid } from "./support/cpuid.js";
import { guest } from "./support/guest.js";
import type { Guest } from "./support/guest.js";
import * as layout from "./support/layout.js";
import { load, withVm } from "./support/on-engine.js";

const PAGE = 0x1000;
/** A mapping of its own. */
const FAR = 0x5000_0000;
const FAR_PHYSICAL = layout.DATA + 12 * PAGE;
const HIGH = 0x1_0000_0000;
/** Two ranges that touch, and one above 4 GiB. */
const RANGES = [
  { start: 0, size: 0x8000 },
  { start: 0x8000, size: 0x4000 },
  { start: HIGH, size: 0x2000 },
];
/** Where no RAM is, or not all of it in one range: address and length. */
const OUTSIDE = [
  [-1, 1],
  [-8, 4],
  [0, -1],
  [0, 0x8001],
  [0x7fff, 2],
  [0xbfff, 2],
  [0xc000, 1],
  [HIGH - 1, 1],
  [HIGH + 0x1fff, 2],
  [2 ** 53, 1],
  [2 ** 64, 8],
  [0, 2 ** 64],
  [Infinity, 1],
  [NaN, 1],
  [0, NaN],
] as const;

const memoryOf = (engine: Engine, drive: (memory: GuestMemory, vm: Vm) => void): void =>
  withVm(engine, RANGES, (vm) => drive(vm.memory, vm));

/** Adds 1 to EBX for ever; label "one" stands before the number's byte. */
function counting(): Guest {
  return guest("memory", { cites: "src/engine/contract.ts" }, (g) => {
    g.a.label("again").mov(eax, 1).add(ebx, eax).jmp("again");
    g.exit();
  });
}

function ranges(engine: Engine): void {
  test("R6.1 what does not lie in one range of RAM is an answer and no exception, and changes nothing", () =>
    memoryOf(engine, (memory) => {
      for (const [address, length] of OUTSIDE) {
        const where = `${address} +${length}`;
        assert.equal(memory.contains(address, length), false, where);
        assert.equal(memory.view(address, length), undefined, where);
        assert.equal(memory.writable(address, length), undefined, where);
      }
      for (const [at, size] of [
        [0x7fff, 2],
        [0xbffd, 4],
        [HIGH + 0x1ff9, 8],
      ]) {
        const loads = { 2: memory.readU16(at), 4: memory.readU32(at), 8: memory.readU64(at) };
        assert.equal(loads[size as 2], -1);
        if (size === 2) assert.equal(memory.writeU16(at, 0xffff), false);
        else if (size === 4) assert.equal(memory.writeU32(at, 0xffffffff), false);
        else assert.equal(memory.writeU64(at, 1, 1), false);
      }
      assert.equal(memory.readU8(0xc000), -1);
      assert.equal(memory.writeU8(0xc000, 1), false);
      for (const { start, size } of RANGES)
        assert.ok(
          memory.view(start, size)?.every((byte) => byte === 0),
          `range at ${start}`,
        );
    }));

  test("R6.1 what lies in one range is contained, up to its last byte", () =>
    memoryOf(engine, (memory) => {
      for (const { start, size } of RANGES) {
        assert.ok(memory.contains(start, size));
        assert.ok(memory.contains(start + size - 1, 1));
        assert.ok(memory.contains(start + size, 0));
        assert.equal(memory.view(start + size - 8, 8)?.length, 8);
        assert.ok(memory.writeU64(start + size - 8, 1, 2));
      }
    }));

  test("R6.1 loads and stores are little-endian, unsigned, of any alignment, and keep the low bits", () =>
    memoryOf(engine, (memory) => {
      for (const base of [0x101, 0x8003, HIGH + 5]) {
        assert.ok(memory.writeU64(base, 0x89abcdef, 0xfedcba98));
        assert.deepEqual([...memory.read(base, 8)], [0xef, 0xcd, 0xab, 0x89, 0x98, 0xba, 0xdc, 0xfe]);
        assert.equal(memory.readU8(base + 7), 0xfe);
        assert.equal(memory.readU16(base + 6), 0xfedc);
        assert.equal(memory.readU32(base), 0x89abcdef);
        assert.equal(memory.readU64(base), Number(0xfedcba9889abcdefn));
        memory.writeU32(base, -1);
        memory.writeU16(base + 4, 0x12345);
        memory.writeU8(base + 6, 0x1ff);
        assert.deepEqual([...memory.read(base, 8)], [0xff, 0xff, 0xff, 0xff, 0x45, 0x23, 0xff, 0xfe]);
      }
      memory.writeU64(0, 0xffffffff, 0x1fffff);
      assert.equal(memory.readU64(0), Number.MAX_SAFE_INTEGER);
      memory.writeU64(0, 0, 0x200000);
      assert.ok(memory.readU64(0) > Number.MAX_SAFE_INTEGER, "no such number is an address");
    }));
}

function views(engine: Engine): void {
  test("R1.7 views are of the very bytes: what a caller fills before the start is what the guest executes", () => {
    const made = counting();
    withVm(engine, [{ start: 0, size: layout.RAM_SIZE }], (vm) => {
      const { memory } = vm;
      const whole = memory.writable(0, layout.RAM_SIZE)!;
      assert.equal(memory.view(0, 1)?.buffer, whole.buffer);
      assert.equal(memory.view(PAGE, 1)?.byteOffset, whole.byteOffset + PAGE);
      for (const { address, bytes } of made.chunks) whole.set(bytes, address);
      const cpu = vm.createCpu(0, conformanceCpuid());
      cpu.writeState(made.start);
      cpu.run(300);
      assert.equal(cpu.readState().gpr[3], 100n);
      memory.writeU32(layout.DATA, 0x01020304);
      assert.equal(whole[layout.DATA], 4);
      assert.equal(memory.view(0, layout.RAM_SIZE)?.buffer, whole.buffer, "and it stays that memory");
    });
  });

  /** Ways to make the guest add 5 instead of 1. */
  const WRITES: [string, (memory: GuestMemory, at: number) => unknown][] = [
    ["writable", (memory, at): unknown => memory.writable(at, 1)!.fill(5)],
    ["writeU8", (memory, at): unknown => memory.writeU8(at, 5)],
    ["writeU16", (memory, at): unknown => memory.writeU16(at, 5)],
    ["writeU32", (memory, at): unknown => memory.writeU32(at, 5)],
    ["writeU64", (memory, at): unknown => memory.writeU64(at - 4, (0xb8 << 24) | 0x909090, 5)],
  ];
  for (const [name, write] of WRITES)
    test(`R1.7 what ${name} writes over code that has run is what runs next`, () => {
      const made = guest("memory", { cites: "src/engine/contract.ts" }, (g) => {
        g.a.label("again").nop().nop().nop().label("one").mov(eax, 1).add(ebx, eax).jmp("again");
        g.exit();
      });
      const { vm, cpu, memory, run } = load(engine, made);
      run(6000);
      assert.equal(cpu.readState().gpr[3], 1000n);
      write(memory, made.label("one") + 1);
      run(6);
      assert.equal(cpu.readState().gpr[3], 1005n);
      vm.dispose();
    });
}

/** A guest whose instructions, and the CPU on its own, write in many ways, again and again so that it is compiled. */
function writingGuest(): Guest {
  return guest("writes", { cites: "src/engine/contract.ts" }, (g) => {
    prologue(g.a);
    const { a } = g;
    g.tables.map(FAR, FAR_PHYSICAL, P | RW);
    a.mov(ecx, 60).label("again");
    a.mov(dword(layout.DATA), ecx).inc(dword(layout.DATA + 2 * PAGE));
    a.mov(dword(layout.DATA + 4 * PAGE - 2), ecx);
    a.mov(edi, layout.DATA + 6 * PAGE - 8)
      .push(rcx)
      .mov(ecx, 16)
      .rep()
      .stos(8)
      .pop(rcx);
    a.mov(rax, qword(layout.DATA + 9 * PAGE)).fxsave(at(layout.DATA + 8 * PAGE));
    g.user(() => a.nop());
    a.loop("again");
    // Sets D of an entry that a read has already brought into the TLB.
    a.mov(rax, qword(FAR)).mov(qword(FAR), rax);
    g.exit();
  });
}

const whole = (memory: GuestMemory): Uint8Array => memory.read(0, layout.RAM_SIZE);

/** Guest-physical addresses of pages that differ. */
function changedPages(before: Uint8Array, after: Uint8Array): number[] {
  const pages: number[] = [];
  for (let at = 0; at < after.length; at += PAGE)
    if (Buffer.compare(before.subarray(at, at + PAGE), after.subarray(at, at + PAGE)) !== 0) pages.push(at);
  return pages;
}

function written(engine: Engine): void {
  for (const piece of [1, 7, 100_000])
    test(`R6.1 pages that the guest wrote since a mark are known, in pieces of ${piece}`, () => {
      const session = load(engine, writingGuest());
      const { memory, host, cpu } = session;
      session.run(500);
      for (let i = 0; host.exitCode === undefined; i++) {
        assert.ok(i < 10_000);
        const before = whole(memory);
        memory.markClean!();
        assert.deepEqual(memory.dirtyPages!(), []);
        for (let j = 0; j < 300 && host.exitCode === undefined; j++) session.run(piece);
        const changed = changedPages(before, whole(memory));
        const dirty = memory.dirtyPages!()!;
        assert.deepEqual(
          changed.filter((page) => !dirty.includes(page)),
          [],
          `missing at instruction ${cpu.instructions}`,
        );
        assert.ok(!dirty.includes(layout.DATA + 9 * PAGE), "a page that is only read");
      }
      session.vm.dispose();
    });

  test("R6.1 pages that devices and callers wrote since a mark are known; reading marks none; without a mark none is", () =>
    memoryOf(engine, (memory) => {
      assert.equal(memory.dirtyPages!(), undefined);
      memory.markClean!();
      memory.read(0, 0x8000);
      memory.view(0, 0x8000);
      memory.readU32(0x3000);
      assert.deepEqual(memory.dirtyPages!(), []);
      memory.write(0x1fff, Uint8Array.of(1, 2));
      memory.fill(0x4000, PAGE, 0);
      memory.writable(0x8000, 1);
      memory.writeU64(HIGH + PAGE - 4, 1, 1);
      memory.write(0x7000, new Uint8Array(0));
      assert.deepEqual(memory.dirtyPages!(), [0x1000, 0x2000, 0x4000, 0x8000, HIGH, HIGH + PAGE]);
      memory.markClean!();
      memory.writeU8(0, 1);
      assert.deepEqual(memory.dirtyPages!(), [0]);
      memory.dropMark!();
      assert.equal(memory.dirtyPages!(), undefined);
    }));
}

/** Declares the part of the suite that concerns guest memory. */
export function defineMemoryTests(engine: Engine, skip: string | false): void {
  describe(`conformance of the ${engine.name} engine: memory for parts`, { skip }, () => {
    ranges(engine);
    views(engine);
    written(engine);
  });
}
