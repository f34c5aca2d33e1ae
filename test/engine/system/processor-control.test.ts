/** CPUID, model-specific registers, clock, TLB instructions, flags, frames, ports. */
import assert from "node:assert/strict";
import test from "node:test";
import * as L from "../../../src/engine/x86/layout.js";
import { readFlags, writeFlags } from "../../../src/engine/x86/flags.js";
import { GPR, longMode, NEXT_RIP, TSS, type Bench } from "./bench.js";
import {
  MEMORY,
  RAX,
  RCX,
  RDX,
  RBX,
  RSP,
  STACK,
  CONTINUE,
  RESOLVE,
  long,
  legacy,
  run,
  faults,
} from "./instruction-bench.js";

function cpuid(bench: Bench, leaf: number, subleaf = 0): number[] {
  bench.cpu.setAddress(RAX, leaf);
  bench.cpu.setAddress(RCX, subleaf);
  run(bench, "cpuid");
  return [RAX, RBX, RCX, RDX].map((offset) => bench.cpu.get32(offset));
}

test("CPUID: rows, OSXSAVE, XSAVE sizes, leaves that do not exist", () => {
  const bench = long();
  assert.deepEqual(cpuid(bench, 1), [
    0x106ca,
    0x800,
    ((1 << 3) | (1 << 17) | (1 << 26) | (1 << 30)) >>> 0,
    0x07ffffff,
  ]);
  bench.cpu.set32(L.CR4, bench.cpu.get32(L.CR4) | (1 << 18));
  assert.equal(cpuid(bench, 1)[2] & (1 << 27), 1 << 27);
  assert.deepEqual(cpuid(bench, 0xd), [3, 576, 576, 0]);
  assert.deepEqual(cpuid(bench, 4), [0, 0, 0, 0]);
  assert.deepEqual(cpuid(bench, 0x40000000), [0, 0, 0, 0]);
  assert.deepEqual(cpuid(bench, 0x123), cpuid(bench, 0xd), "above the maximum: the highest basic leaf");
});

function rdmsr(bench: Bench, index: number): bigint {
  bench.cpu.set32(RCX, index);
  run(bench, "rdmsr");
  return (bench.cpu.getBig(RDX) << 32n) | bench.cpu.getBig(RAX);
}

function wrmsr(bench: Bench, index: number, value: bigint): void {
  bench.cpu.set32(RCX, index);
  bench.cpu.setBig(RAX, value & 0xffffffffn);
  bench.cpu.setBig(RDX, value >> 32n);
  run(bench, "wrmsr");
}

test("model-specific registers keep what they accept", () => {
  const bench = long();
  const values: [index: number, value: bigint][] = [
    [0xc0000081, 0x123456789abcdef0n],
    [0xc0000082, 0xffff8000_00001000n],
    [0xc0000084, 0x257fd5n],
    [0xc0000100, 0x7fff_12345678n],
    [0xc0000101, 0xffff8880_00000000n],
    [0xc0000102, 0x1000n],
    [0xc0000103, 7n],
    [0x174, 0x10n],
    [0x277, 0x0407050600070106n],
    [0x48, 1n],
    [0x200, 0x80000006n],
    [0x20f, 0xf80000800n],
    [0x268, 0x0606060606060606n],
    [0x2ff, 0xc06n],
    [0x17a, 0n],
    [0x3b, 0xffffffff_ffffff00n],
    [0x830, 0x1234n],
    [0x6e0, 0x1_0000_0000n],
  ];
  for (const [index, value] of values) {
    wrmsr(bench, index, value);
    assert.equal(rdmsr(bench, index), value, `MSR 0x${index.toString(16)}`);
  }
  assert.equal(bench.cpu.getBig(L.SEGMENT_BASE + L.GS * 8), 0xffff8880_00000000n);
  assert.equal(rdmsr(bench, 0x10a) & 1n, 1n);
});

test("model-specific registers raise #GP(0) for what they do not accept, unknown ones always", () => {
  const bench = long();
  const { cpu } = bench;
  const refused: [index: number, value: bigint][] = [
    [0xc0000082, 1n << 47n],
    [0xc0000080, 1n << 1n],
    [0xc0000080, 0xc01n], // LME cannot change while paging
    [0x277, 2n],
    [0x48, 8n],
    [0x49, 2n],
    [0x8ff, 0n],
    [0xfe, 0n],
    [0xe7, 0n],
    [0x12345, 0n],
    [0xc0010015, 0n],
  ];
  for (const [index, value] of refused) {
    cpu.set32(RCX, index);
    cpu.setBig(RAX, value & 0xffffffffn);
    cpu.setBig(RDX, value >> 32n);
    faults(bench, 13, 0, "wrmsr");
  }
  for (const index of [0xe8, 0x49, 0x480, 0x12345, 0x8fe]) {
    cpu.set32(RCX, index);
    faults(bench, 13, 0, "rdmsr");
  }
  faults(long(3), 13, 0, "rdmsr");
});

test("the time stamp follows the clock, TSC_ADJUST and writes to it", () => {
  const bench = long();
  const { cpu, tsc } = bench;
  const read = (): bigint => {
    run(bench, "rdtsc");
    return (cpu.getBig(RDX) << 32n) | cpu.getBig(RAX);
  };
  tsc.ticks = 2 ** 40 + 5;
  assert.equal(read(), 2n ** 40n + 5n);
  wrmsr(bench, 0x3b, BigInt.asUintN(64, -10n));
  assert.equal(read(), 2n ** 40n - 5n);
  wrmsr(bench, 0x10, 3n);
  assert.equal(read(), 3n);
  tsc.ticks += 2 ** 33;
  assert.equal(read(), 3n + 2n ** 33n);
  wrmsr(bench, 0xc0000103, 9n);
  run(bench, "rdtscp");
  assert.equal(cpu.getBig(RCX), 9n);
  longMode(bench, 3);
  cpu.set32(L.CR4, cpu.get32(L.CR4) | 4);
  faults(bench, 13, 0, "rdtsc");
});

test("INVLPG, INVPCID and their privileges", () => {
  const bench = long();
  assert.equal(run(bench, "invlpg", { displacement: 0x3000 }, 8 | MEMORY), RESOLVE);
  const invpcid = (type: bigint): void => bench.cpu.setBig(RBX, type);
  bench.poke(0x7000, 8, 0);
  bench.poke(0x7008, 8, 0x3000);
  for (const type of [0n, 1n, 2n, 3n]) {
    invpcid(type);
    assert.equal(run(bench, "invpcid", { reg: 3, displacement: 0x7000 }, 8 | MEMORY), RESOLVE);
  }
  invpcid(4n);
  faults(bench, 13, 0, "invpcid", { reg: 3, displacement: 0x7000 }, 8 | MEMORY);
  invpcid(0n);
  bench.poke(0x7000, 8, 1);
  faults(bench, 13, 0, "invpcid", { reg: 3, displacement: 0x7000 }, 8 | MEMORY);
  for (const mnemonic of ["invlpg", "wbinvd", "hlt", "clts", "wrmsr"]) faults(long(3), 13, 0, mnemonic);
});

test("HLT stores RIP behind it and stops the run", () => {
  const bench = long();
  run(bench, "hlt");
  assert.equal(bench.cpu.get32(L.ACTIVITY), 1);
  assert.equal(bench.cpu.getBig(L.RIP), BigInt(NEXT_RIP));
  assert.equal(bench.seen.exits, 1);
});

test("RDRAND sets CF and clears the other status flags", () => {
  const bench = long();
  const { cpu } = bench;
  writeFlags(cpu, 0x8d4, 0x8d5);
  run(bench, "rdrand", { rm: 3 }, 8);
  assert.equal(cpu.getBig(RBX), 0xcafef00d_cafef00dn);
  assert.equal(readFlags(cpu), 3);
  faults(long(3), 6, 0, "monitor");
  faults(long(), 6, 0, "rdfsbase", { rm: 0 });
});

test("POPF by privilege: IOPL only at level 0, IF up to IOPL", () => {
  const pop = (bench: Bench, value: number, size = 8): number => {
    bench.cpu.setAddress(RSP, STACK);
    bench.poke(STACK, 8, value);
    run(bench, "popf", {}, size);
    return readFlags(bench.cpu);
  };
  const kernel = long();
  kernel.cpu.set32(L.INTERRUPT_PENDING, 1);
  assert.equal(pop(kernel, 0x3fffff), 0x247fd7);
  assert.equal(kernel.seen.exits, 1);
  assert.equal(pop(kernel, 0, 2), 0x240002, "16 bits leave the upper flags alone");
  const user = long(3);
  assert.equal(pop(user, 0x3fffff), 0x244dd7);
  run(user, "pushf", {}, 8);
  assert.equal(user.peek(STACK, 8), 0x244dd7n);
});

test("ENTER makes nested frames", () => {
  const bench = legacy();
  const { cpu } = bench;
  const rbp = GPR(5);
  cpu.setAddress(rbp, 0x7800);
  bench.poke(0x77fc, 4, 0xaaa);
  run(bench, "enter", { immediate: 0x20, second: 2 }, 4);
  assert.deepEqual(
    [4, 8, 12].map((at) => Number(bench.peek(STACK - at, 4))),
    [0x7800, 0xaaa, STACK - 4],
  );
  assert.equal(cpu.getAddress(rbp), STACK - 4);
  assert.equal(cpu.getAddress(RSP), STACK - 12 - 0x20);
});

test("IN and OUT under IOPL and the permission map", () => {
  const bench = long();
  const { cpu, seen } = bench;
  cpu.setBig(RAX, 0xffffffff_12345678n);
  run(bench, "out_imm", { immediate: 0x80 }, 1);
  cpu.setAddress(RDX, 0x3f8);
  run(bench, "out_dx", {}, 4);
  assert.deepEqual(seen.ports, [
    { port: 0x80, size: 1, value: 0x78 },
    { port: 0x3f8, size: 4, value: 0x12345678 },
  ]);
  run(bench, "in_dx", {}, 1);
  assert.equal(cpu.getBig(RAX), 0xffffffff_123456f8n);
  run(bench, "in_imm", { immediate: 0x60 }, 4);
  assert.equal(cpu.getBig(RAX), 0x60n);

  const user = long(3);
  user.cpu.setAddress(RDX, 0x3f8);
  user.cpu.set32(L.SEGMENT_LIMIT + L.TR * 4, 0x200);
  user.poke(TSS + 0x66, 2, 0x201);
  faults(user, 13, 0, "in_dx", {}, 4);
  user.poke(TSS + 0x66, 2, 0x68);
  for (let at = 0; at < 0x80; at++) user.poke(TSS + 0x68 + at, 1, 0xff);
  faults(user, 13, 0, "in_dx", {}, 1);
  user.poke(TSS + 0x68 + 0x7f, 1, 0xfe);
  run(user, "in_dx", {}, 1);
  faults(user, 13, 0, "in_dx", {}, 2);
  writeFlags(user.cpu, 3 << 12, 3 << 12);
  run(user, "in_dx", {}, 2);
});

test("REP INS counts every iteration and can be restarted", () => {
  const bench = long();
  const { cpu } = bench;
  cpu.setAddress(RDX, 0x1f0);
  cpu.setAddress(RCX, 5);
  cpu.setAddress(GPR(7), 0x7000);
  cpu.set32(L.LEFT, 2);
  const fields = { rep: 0xf3 };
  assert.equal(run(bench, "ins", fields, 2), RESOLVE);
  assert.equal(cpu.getBig(RCX), 2n);
  assert.equal(cpu.getAddress(GPR(7)), 0x7006);
  assert.equal(cpu.get32(L.LEFT), 0);
  assert.equal(cpu.getBig(L.RIP), BigInt(NEXT_RIP - 3));
  cpu.set32(L.LEFT, 100);
  assert.equal(run(bench, "ins", fields, 2), CONTINUE);
  assert.equal(cpu.getBig(RCX), 0n);
  assert.equal(bench.peek(0x7008, 2), 0xf0n);
  assert.equal(cpu.get32(L.LEFT), 99);
});

test("OUTS goes down with DF and reads through its segment", () => {
  const bench = long();
  const { cpu, seen } = bench;
  bench.poke(0x7010, 1, 0xab);
  cpu.setAddress(L.SEGMENT_BASE + L.FS * 8, 0x7000);
  cpu.setAddress(GPR(6), 0x10);
  writeFlags(cpu, 0x400, 0x400);
  run(bench, "outs", { segment: L.FS }, 1);
  assert.equal(seen.ports[0].value, 0xab);
  assert.equal(cpu.getAddress(GPR(6)), 0xf);
});
