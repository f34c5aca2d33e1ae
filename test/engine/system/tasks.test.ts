/** Task switches where a guest cannot look: faults half-way, EXT bits, hostile task registers, virtual-8086 state. */
import { FLAG_NT, FLAG_VM } from "../../../src/spec/x86-privileged.js";
import assert from "node:assert/strict";
import test from "node:test";
import * as L from "../../../src/engine/x86/layout.js";
import { readFlags, writeFlags } from "../../../src/engine/x86/flags.js";
import { readState, writeState } from "../../../src/engine/x86/state.js";
import { deliverFault, deliverInterrupt } from "../../../src/engine/x86/system/delivery.js";
import { GuestFault } from "../../../src/engine/x86/system/faults.js";
import { descriptor, GDT, IDT, KERNEL_CODE, KERNEL_DATA, TSS, TSS_SELECTOR, type Bench } from "./bench.js";
import { legacy, run, faults } from "./instruction-bench.js";

const OTHER = 0x40;
const OTHER_TSS = 0x3100;

/** Protected mode with a second task at `OTHER`, and the first one marked busy. */
function twoTasks(): Bench {
  const bench = legacy();
  bench.poke(GDT + TSS_SELECTOR, 8, descriptor(TSS, 0x67, 0x8b));
  bench.poke(GDT + OTHER, 8, descriptor(OTHER_TSS, 0x67, 0x89));
  bench.poke(OTHER_TSS + 0x20, 4, 0x4000);
  bench.poke(OTHER_TSS + 0x24, 4, 2);
  bench.poke(OTHER_TSS + 0x38, 4, 0x9800);
  for (let i = 0; i < 6; i++) bench.poke(OTHER_TSS + 0x48 + 4 * i, 4, i === 1 ? KERNEL_CODE : KERNEL_DATA);
  return bench;
}

function taskGate(bench: Bench, vector: number): void {
  bench.poke(IDT + vector * 8, 4, OTHER << 16);
  bench.poke(IDT + vector * 8 + 4, 4, 0x8500);
}

test("SDM vol. 3A §7.3: nothing has changed when the TSS of the current task is too short or absent", () => {
  const bench = twoTasks();
  const { cpu } = bench;
  cpu.setSegment(L.TR, TSS_SELECTOR, TSS, 0x66, 0x8b);
  faults(bench, 10, TSS_SELECTOR, "far_jmp_imm", { second: OTHER }, 4);
  cpu.setSegment(L.TR, 0, 0, 0, 1 << 16);
  faults(bench, 10, 0, "far_jmp_imm", { second: OTHER }, 4);
  assert.equal(bench.peek(GDT + OTHER + 5, 1), 0x89n, "the new task is still available");
  assert.equal(cpu.get32(L.CR0) & 8, 0, "CR0.TS is clear");
});

test("SDM vol. 3A §6.13: error codes of an interrupt through a task gate have EXT set", () => {
  const bench = twoTasks();
  const { cpu } = bench;
  taskGate(bench, 0x30);
  taskGate(bench, 10);
  bench.poke(GDT + OTHER, 8, descriptor(OTHER_TSS, 0x66, 0x89));
  deliverInterrupt(cpu, 0x30);
  assert.equal(bench.seen.shutdown.length, 1, "#TS of a task that cannot be entered ends in a triple fault");
  assert.match(bench.seen.shutdown[0], /exception/);
});

test("SDM vol. 3A §6.12.2: a page fault's error code goes onto the new task's stack", () => {
  const bench = twoTasks();
  const { cpu } = bench;
  taskGate(bench, 14);
  cpu.setPair(L.RIP, 0x5010, 0);
  deliverFault(cpu, 14, 6, 0x12345);
  assert.equal(cpu.getBig(L.RIP), 0x4000n);
  assert.equal(cpu.getAddress(L.CR2), 0x12345);
  assert.equal(bench.peek(0x9800 - 4, 4), 6n);
  assert.equal(bench.peek(OTHER_TSS, 2), BigInt(TSS_SELECTOR), "the link");
  assert.equal(bench.peek(TSS + 0x20, 4), 0x5010n, "EIP of the instruction that faulted");
  assert.equal(readFlags(cpu) & FLAG_NT, FLAG_NT);
});

test("SDM vol. 3A §7.3: a fault of the new task is reported at its EIP", () => {
  const bench = twoTasks();
  bench.poke(OTHER_TSS + 0x54, 4, 0x70);
  assert.throws(
    () => run(bench, "far_jmp_imm", { second: OTHER }, 4),
    (error) => error instanceof GuestFault && error.vector === 10 && error.inNewTask,
  );
  assert.equal(bench.cpu.getBig(L.RIP), 0x4000n);
  assert.equal(bench.cpu.selector(L.TR), OTHER);
});

test("RFLAGS.VM of a state counts in protected mode only", () => {
  const { cpu } = legacy(3);
  const state = readState(cpu);
  writeState(cpu, { ...state, rflags: 0x20002n });
  assert.equal(cpu.virtual8086, true);
  assert.equal(cpu.cpl, 3);
  writeState(cpu, { ...state, cr0: 0x10n, rflags: 0x20002n });
  assert.equal(cpu.virtual8086, false);
  assert.equal(cpu.cpl, 0);
});

test("SDM vol. 3A §20.2.7: POPF of virtual-8086 code at IOPL 3 keeps IOPL and VM", () => {
  const bench = legacy(3);
  const { cpu } = bench;
  writeState(cpu, { ...readState(cpu), rflags: 0x23002n });
  run(bench, "popf", {}, 2);
  assert.equal(readFlags(cpu) & (FLAG_VM | 0x3000), FLAG_VM | 0x3000);
  writeFlags(cpu, 0x2000, 0x3000);
  faults(bench, 13, 0, "popf", {}, 2);
  faults(bench, 13, 0, "iret", {}, 2);
});
