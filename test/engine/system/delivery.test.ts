/** Delivery of exceptions and interrupts: frames, stack switches, error codes, double and triple faults. */
import assert from "node:assert/strict";
import test from "node:test";
import * as L from "../../../src/engine/x86/layout.js";
import { readFlags, writeFlags } from "../../../src/engine/x86/flags.js";
import { raise, runHelper, slowTranslate } from "../../../src/engine/x86/system/calls.js";
import { deliverFault, deliverInterrupt, deliverDebugTrap } from "../../../src/engine/x86/system/delivery.js";
import { HELPERS } from "../../../src/engine/x86/system/instructions.js";
import {
  createBench,
  gate32,
  gate64,
  GDT,
  GPR,
  IDT,
  INSTRUCTION_RIP,
  KERNEL_CODE,
  KERNEL_DATA,
  longMode,
  NEXT_RIP,
  protectedMode,
  PT,
  record,
  TSS,
  USER_CODE,
  USER_DATA,
  type Bench,
} from "./bench.js";

const HANDLER = 0xffff_8000_0000_1234n;
const RSP = GPR(4);
const STACK = 0x8000n;

/** Quadwords from guest-physical `address` up. */
function quads(bench: Bench, address: number, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => bench.peek(address + i * 8, 8));
}

function dwords(bench: Bench, address: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Number(bench.peek(address + i * 4, 4)));
}

function long(cpl = 0): Bench {
  const bench = createBench();
  longMode(bench, cpl);
  bench.cpu.setBig(RSP, STACK);
  bench.poke(TSS + 4, 8, 0x9000);
  bench.poke(TSS + 0x24, 8, 0xa000);
  return bench;
}

test("SDM vol. 3A §6.14.2: a fault at the same level pushes SS, RSP, RFLAGS, CS, RIP and the error code", () => {
  const bench = long();
  const { cpu } = bench;
  gate64(bench, 13, HANDLER);
  cpu.setBig(RSP, STACK - 8n);
  writeFlags(cpu, 0x246, 0x3f7fd5);
  deliverFault(cpu, 13, 0x18);
  assert.equal(cpu.getBig(L.RIP), HANDLER);
  assert.equal(cpu.getBig(RSP), STACK - 0x40n, "aligned to 16 before the frame");
  assert.deepEqual(quads(bench, 0x7fc0, 6), [
    0x18n,
    BigInt(INSTRUCTION_RIP),
    BigInt(KERNEL_CODE),
    0x10246n,
    STACK - 8n,
    BigInt(KERNEL_DATA),
  ]);
  assert.equal(readFlags(cpu), 0x46, "IF is cleared by an interrupt gate; RF only stands in the frame");
});

test("SDM vol. 3A §6.14.4: an interrupt from user level takes RSP0 and a null SS", () => {
  const bench = long(3);
  const { cpu } = bench;
  gate64(bench, 0x40, HANDLER);
  writeFlags(cpu, 0x200, 0x200);
  cpu.set32(L.ACTIVITY, 1);
  deliverInterrupt(cpu, 0x40);
  assert.equal(cpu.cpl, 0);
  assert.equal(cpu.selector(L.CS), KERNEL_CODE);
  assert.equal(cpu.selector(L.SS), 0);
  assert.equal(cpu.get32(L.CODE_ACCESS), 0);
  assert.equal(cpu.get32(L.ACTIVITY), 0, "HLT ends");
  assert.equal(cpu.getBig(RSP), 0x9000n - 40n);
  assert.deepEqual(quads(bench, 0x9000 - 40, 5), [
    BigInt(INSTRUCTION_RIP),
    BigInt(USER_CODE),
    0x202n,
    STACK,
    BigInt(USER_DATA),
  ]);
});

test("SDM vol. 3A §6.14.5: the interrupt stack table is used at any level", () => {
  const bench = long();
  const { cpu } = bench;
  gate64(bench, 2, HANDLER, { ist: 1 });
  deliverInterrupt(cpu, 2);
  assert.equal(cpu.getBig(RSP), 0xa000n - 40n);
  assert.equal(cpu.selector(L.SS), KERNEL_DATA, "SS stays when the level does");
  assert.equal(cpu.get32(L.NMI_BLOCKED), 1);
});

test("SDM vol. 3A §6.12.1.2: INT n needs the gate's DPL, hardware interrupts do not", () => {
  const bench = long(3);
  const { cpu } = bench;
  gate64(bench, 0x80, HANDLER);
  gate64(bench, 13, HANDLER + 0x100n);
  const address = record(cpu, { immediate: 0x80 });
  assert.equal(runHelper(cpu, HELPERS["int_imm"], address, 0), 0);
  assert.equal(cpu.getBig(L.RIP), HANDLER + 0x100n);
  assert.deepEqual(quads(bench, 0x9000 - 48, 2), [BigInt(0x80 * 8 + 2), BigInt(INSTRUCTION_RIP)]);
  longMode(bench, 3);
  gate64(bench, 0x80, HANDLER, { dpl: 3 });
  record(cpu, { immediate: 0x80 });
  runHelper(cpu, HELPERS["int_imm"], address, 0);
  assert.equal(cpu.getBig(L.RIP), HANDLER);
  assert.equal(bench.peek(0x9000 - 40, 8), BigInt(NEXT_RIP));
});

test("SDM vol. 3A §6.15: a page fault sets CR2 and its error code", () => {
  const bench = long(3);
  const { cpu } = bench;
  gate64(bench, 14, HANDLER);
  bench.poke(PT + 0x44 * 8, 8, 0);
  const address = record(cpu);
  cpu.setAddress(L.MAIL_ADDRESS, 0x44123);
  assert.equal(slowTranslate(cpu, address, 8 | (1 << 8)), 0);
  assert.equal(cpu.getBig(L.CR2), 0x44123n);
  assert.equal(cpu.getBig(L.RIP), HANDLER);
  assert.deepEqual(quads(bench, 0x9000 - 48, 2), [6n, BigInt(INSTRUCTION_RIP)]);
});

test("an address that is not canonical is #SS for stack accesses and #GP for others", () => {
  const bench = long();
  const { cpu } = bench;
  gate64(bench, 12, HANDLER);
  gate64(bench, 13, HANDLER + 0x100n);
  cpu.setBig(L.MAIL_ADDRESS, 1n << 47n);
  slowTranslate(cpu, record(cpu), 8 | (1 << 10));
  assert.equal(cpu.getBig(L.RIP), HANDLER);
  slowTranslate(cpu, record(cpu, { rm: 5 }), 8);
  assert.equal(cpu.getBig(L.RIP), HANDLER, "RBP as base addresses the stack");
  slowTranslate(cpu, record(cpu, { rm: 3 }), 8);
  assert.equal(cpu.getBig(L.RIP), HANDLER + 0x100n);
});

test("SDM vol. 3A table 6-5: a contributory fault while delivering one is a double fault", () => {
  const bench = long();
  const { cpu } = bench;
  gate64(bench, 8, HANDLER);
  deliverFault(cpu, 0, 0);
  assert.equal(cpu.getBig(L.RIP), HANDLER, "#DE, its gate is missing: #NP or #GP, so #DF");
  assert.equal(bench.peek(Number(cpu.getBig(RSP)), 8), 0n, "error code of #DF");
  assert.equal(bench.seen.shutdown.length, 0);
});

test("SDM vol. 3A table 6-5: benign exceptions do not escalate", () => {
  const bench = long();
  const { cpu } = bench;
  gate64(bench, 13, HANDLER);
  deliverFault(cpu, 6, 0);
  assert.equal(cpu.getBig(L.RIP), HANDLER, "#UD without gate: #GP, not #DF");
  assert.equal(bench.peek(Number(cpu.getBig(RSP)), 8), BigInt(6 * 8 + 2 + 1), "IDT and EXT are set");
});

test("SDM vol. 3A table 6-5: a page fault while delivering a page fault is a double fault", () => {
  const bench = long();
  const { cpu } = bench;
  gate64(bench, 14, HANDLER);
  gate64(bench, 8, HANDLER + 0x100n, { ist: 1 });
  cpu.setBig(RSP, 0x50000n);
  bench.poke(PT + 0x4f * 8, 8, 0);
  deliverFault(cpu, 14, 0, 0x123000);
  assert.equal(cpu.getBig(L.RIP), HANDLER + 0x100n);
  assert.equal(cpu.getBig(L.CR2), 0x4fff8n - 0x28n);
});

test("SDM vol. 3A §6.15: a fault while delivering a double fault shuts the CPU down, state as it was", () => {
  const bench = long();
  const { cpu, seen } = bench;
  cpu.set32(L.IDTR_LIMIT, 0);
  deliverFault(cpu, 13, 0);
  assert.equal(seen.shutdown.length, 1);
  assert.match(seen.shutdown[0], /triple fault.*began with vector 13.*RIP 0x5010/);
  assert.equal(cpu.getBig(L.RIP), BigInt(INSTRUCTION_RIP));
});

test("SDM vol. 3A §6.12.1: gates are checked for type, presence and their code segment", () => {
  const expect = (change: (bench: Bench) => void, vector: number, error: bigint): void => {
    const bench = long();
    for (const at of [10, 11, 12, 13]) gate64(bench, at, HANDLER + BigInt(at));
    gate64(bench, 0x40, HANDLER);
    change(bench);
    deliverInterrupt(bench.cpu, 0x40);
    assert.equal(bench.cpu.getBig(L.RIP), HANDLER + BigInt(vector));
    assert.equal(bench.peek(Number(bench.cpu.getBig(RSP)), 8), error);
  };
  const gate = IDT + 0x40 * 16;
  expect((b) => b.poke(gate + 5, 1, 0x0e), 11, 0x203n); // not present
  expect((b) => b.poke(gate + 5, 1, 0x8c), 13, 0x203n); // a call gate
  expect((b) => b.poke(gate + 2, 2, 0), 13, 1n); // null selector
  expect((b) => b.poke(gate + 2, 2, KERNEL_DATA), 13, 0x11n); // data
  expect((b) => b.poke(gate + 2, 2, USER_CODE), 13, 0x21n); // an outer level
  expect((b) => b.poke(gate + 8, 4, 0x8000), 13, 1n); // offset not canonical
});

test("SDM vol. 3A §6.12.1: a missing stack is #TS (limit of the TSS) or #SS (not canonical)", () => {
  const bench = long(3);
  const { cpu } = bench;
  gate64(bench, 0x40, HANDLER);
  gate64(bench, 10, HANDLER + 10n, { ist: 1 });
  gate64(bench, 12, HANDLER + 12n, { ist: 1 });
  bench.poke(TSS + 4, 8, 1n << 50n);
  deliverInterrupt(cpu, 0x40);
  assert.equal(cpu.getBig(L.RIP), HANDLER + 12n);
});

test("IRET undoes delivery: all registers come back, to user level", () => {
  const bench = long(3);
  const { cpu } = bench;
  gate64(bench, 0x40, HANDLER);
  writeFlags(cpu, 0xad7, 0x3f7fd5);
  deliverInterrupt(cpu, 0x40);
  cpu.set32(L.NMI_BLOCKED, 1);
  assert.equal(runHelper(cpu, HELPERS["iret"], record(cpu), 8), 0);
  assert.equal(cpu.cpl, 3);
  assert.equal(cpu.getBig(L.RIP), BigInt(INSTRUCTION_RIP));
  assert.equal(cpu.getBig(RSP), STACK);
  assert.equal(cpu.selector(L.SS), USER_DATA);
  assert.equal(cpu.selector(L.CS), USER_CODE);
  assert.equal(readFlags(cpu), 0xad7);
  assert.equal(cpu.get32(L.NMI_BLOCKED), 0);
  assert.equal(cpu.get32(L.CODE_ACCESS), 1);
  assert.equal(cpu.get32(L.TLB_CURRENT), cpu.base + L.TLB);
});

test("IRET with a bad frame faults and changes nothing", () => {
  const frame = (rip: bigint, cs: number, ss: number): bigint[] => [rip, BigInt(cs), 2n, 0x7000n, BigInt(ss)];
  const cases: [frame: bigint[], vector: number, error: bigint][] = [
    [frame(1n << 47n, KERNEL_CODE, KERNEL_DATA), 13, 0n],
    [frame(0n, 0, KERNEL_DATA), 13, 0n],
    [frame(0n, KERNEL_DATA, KERNEL_DATA), 13, 0x10n],
    [frame(0n, USER_CODE, KERNEL_DATA), 13, 0x10n],
    [frame(0n, USER_CODE, 0), 13, 0n],
    [frame(0n, 0x98, KERNEL_DATA), 13, 0x98n],
  ];
  for (const [values, vector, error] of cases) {
    const bench = long();
    const { cpu } = bench;
    gate64(bench, 13, HANDLER + 13n);
    values.forEach((value, i) => bench.poke(Number(STACK) + i * 8, 8, value));
    runHelper(cpu, HELPERS["iret"], record(cpu), 8);
    assert.equal(cpu.getBig(L.RIP), HANDLER + BigInt(vector));
    assert.equal(cpu.getBig(RSP), STACK - 48n);
    assert.deepEqual(quads(bench, Number(STACK) - 48, 2), [error, BigInt(INSTRUCTION_RIP)]);
  }
});

test("SDM vol. 3A §6.9: a single step reports BS and pushes RIP as it is, without RF", () => {
  const bench = long();
  const { cpu } = bench;
  gate64(bench, 1, HANDLER);
  writeFlags(cpu, 0x100, 0x100);
  deliverDebugTrap(cpu, true);
  assert.equal(cpu.getBig(L.DR + 48) & 0x4000n, 0x4000n);
  assert.equal(bench.peek(Number(STACK) - 40 + 16, 8), 0x102n);
  assert.equal(readFlags(cpu) & 0x100, 0);
});

function legacy(cpl = 0): Bench {
  const bench = createBench();
  protectedMode(bench, cpl);
  bench.cpu.setAddress(RSP, 0x8000);
  bench.poke(TSS + 4, 4, 0x9000);
  bench.poke(TSS + 8, 4, KERNEL_DATA);
  return bench;
}

test("SDM vol. 3A §6.12.1: 32-bit gates at the same and from an outer level", () => {
  const same = legacy();
  gate32(same, 13, 0x12345678);
  deliverFault(same.cpu, 13, 0x30);
  assert.equal(same.cpu.getBig(L.RIP), 0x12345678n);
  assert.equal(same.cpu.getBig(RSP), 0x7ff0n);
  assert.deepEqual(dwords(same, 0x7ff0, 4), [0x30, INSTRUCTION_RIP, KERNEL_CODE, 0x10002]);

  const inner = legacy(3);
  gate32(inner, 0x40, 0x1000);
  deliverInterrupt(inner.cpu, 0x40);
  assert.equal(inner.cpu.cpl, 0);
  assert.equal(inner.cpu.selector(L.SS), KERNEL_DATA);
  assert.equal(inner.cpu.getBig(RSP), 0x8fecn);
  assert.deepEqual(dwords(inner, 0x8fec, 5), [INSTRUCTION_RIP, USER_CODE, 2, 0x8000, USER_DATA]);
  runHelper(inner.cpu, HELPERS["iret"], record(inner.cpu), 4);
  assert.equal(inner.cpu.cpl, 3);
  assert.equal(inner.cpu.getBig(RSP), 0x8000n);
  assert.equal(inner.cpu.selector(L.SS), USER_DATA);
  assert.equal(inner.cpu.access(L.DS), 0xc0f3, "user data segments stay");
});

test("SDM vol. 3A §6.12.1: the inner stack's descriptor is checked with #TS", () => {
  const bench = legacy(3);
  gate32(bench, 0x40, 0x1000);
  gate32(bench, 10, 0x2000);
  bench.poke(TSS + 8, 4, USER_DATA);
  bench.poke(GDT + 0x18, 8, 0);
  deliverInterrupt(bench.cpu, 0x40);
  assert.equal(bench.seen.shutdown.length, 1, "#TS needs that stack as well: double fault, then shutdown");
});

test("SDM vol. 3A §20.1.4: real mode goes through the vector table and pushes three words", () => {
  const bench = createBench();
  const { cpu } = bench;
  cpu.setSegment(L.SS, 0x100, 0x1000, 0xffff, 0x93);
  cpu.setSegment(L.CS, 0x200, 0x2000, 0xffff, 0x9b);
  cpu.setAddress(L.RIP, 0x345);
  cpu.setAddress(RSP, 0x10);
  bench.poke(0x21 * 4, 4, 0x00300456);
  writeFlags(cpu, 0x200, 0x200);
  deliverInterrupt(cpu, 0x21);
  assert.equal(cpu.selector(L.CS), 0x30);
  assert.equal(cpu.segmentBase(L.CS), 0x300);
  assert.equal(cpu.getBig(L.RIP), 0x456n);
  assert.deepEqual(
    [0, 2, 4].map((at) => Number(bench.peek(0x100a + at, 2))),
    [0x345, 0x200, 0x202],
  );
  assert.equal(readFlags(cpu), 2);
  runHelper(cpu, HELPERS["iret"], record(cpu), 2);
  assert.equal(cpu.getBig(L.RIP), 0x345n);
  assert.equal(cpu.segmentBase(L.CS), 0x2000);
  assert.equal(readFlags(cpu), 0x202);
});

test("a fault that generated code finds is delivered at its instruction", () => {
  const bench = long();
  gate64(bench, 0, HANDLER);
  assert.equal(raise(bench.cpu, record(bench.cpu), 0), 0);
  assert.equal(bench.cpu.getBig(L.RIP), HANDLER);
  assert.equal(bench.peek(Number(STACK) - 40, 8), BigInt(INSTRUCTION_RIP));
});
