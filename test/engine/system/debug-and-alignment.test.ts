/** Hardware breakpoints and alignment checks: what generated code's slow path and the run loop ask about. */
import assert from "node:assert/strict";
import test from "node:test";
import { writeFlags } from "../../../src/engine/x86/flags.js";
import * as L from "../../../src/engine/x86/layout.js";
import { refreshMode } from "../../../src/engine/x86/mode.js";
import { takeInstructionBreakpoint } from "../../../src/engine/x86/system/breakpoints.js";
import { slowTranslate } from "../../../src/engine/x86/system/calls.js";
import { deliverDebugTrap } from "../../../src/engine/x86/system/delivery.js";
import { gate64, INSTRUCTION_RIP, record, type Bench } from "./bench.js";
import { long, RAX, run, STACK } from "./instruction-bench.js";

const HANDLER = 0x6000n;
const READ = 0 << 8;
const WRITE = 1 << 8;
const AC = 1 << 18;

function setDebug(bench: Bench, address: number, control: number): void {
  bench.cpu.setAddress(RAX, address);
  run(bench, "mov_to_dr", { reg: 0, rm: 0 });
  bench.cpu.setAddress(RAX, control);
  run(bench, "mov_to_dr", { reg: 7, rm: 0 });
}

/** DR6 bits that an access leaves pending. */
function access(bench: Bench, linear: number, info: number): number {
  const { cpu } = bench;
  cpu.setAddress(L.MAIL_ADDRESS, linear);
  cpu.pendingDebug = 0;
  assert.notEqual(slowTranslate(cpu, record(cpu), info), 0);
  return cpu.pendingDebug;
}

test("SDM vol. 3B §18.2.5: data breakpoints by kind and length; their pages have no fast tags", () => {
  const bench = long();
  setDebug(bench, 0x7004, 1 | (1 << 16) | (3 << 18)); // write, 4 bytes
  assert.equal(access(bench, 0x7004, 4 | WRITE), 1);
  assert.equal(access(bench, 0x7000, 8 | WRITE), 1);
  assert.equal(access(bench, 0x7007, 1 | WRITE), 1);
  assert.equal(access(bench, 0x7008, 4 | WRITE), 0);
  assert.equal(access(bench, 0x7003, 1 | WRITE), 0);
  assert.equal(access(bench, 0x7004, 4 | READ), 0);
  assert.equal(bench.cpu.i32[bench.cpu.tlb.dataEntry(7, L.ACCESS_SUPERVISOR_USER)], L.TLB_EMPTY);
  setDebug(bench, 0x7004, 1 | (3 << 16) | (2 << 18)); // any access, 8 bytes: aligned down
  assert.equal(access(bench, 0x7001, 1 | READ), 1);
  setDebug(bench, 0x7004, 0);
  assert.equal(access(bench, 0x7004, 4 | WRITE), 0);
  assert.equal(bench.cpu.i32[bench.cpu.tlb.dataEntry(7, L.ACCESS_SUPERVISOR_USER)], 0x7000);
});

test("SDM vol. 3B §18.3.1.2: a data breakpoint is a trap with its bit in DR6", () => {
  const bench = long();
  const { cpu } = bench;
  gate64(bench, 1, HANDLER);
  setDebug(bench, 0x7004, 1 | (1 << 16));
  access(bench, 0x7004, 1 | WRITE);
  deliverDebugTrap(cpu, false);
  assert.equal(cpu.getBig(L.DR + 48) & 0x400fn, 1n);
  assert.equal(cpu.getBig(L.RIP), HANDLER);
  assert.equal(bench.peek(STACK - 40 + 16, 8), 2n, "RF is clear in a trap's frame");
});

test("SDM vol. 3B §18.3.1.1: an instruction breakpoint pushes RF clear; set by its handler it lets the instruction through once", () => {
  const bench = long();
  const { cpu } = bench;
  gate64(bench, 1, HANDLER);
  setDebug(bench, INSTRUCTION_RIP, 1);
  cpu.setAddress(L.RIP, INSTRUCTION_RIP - 1);
  assert.equal(takeInstructionBreakpoint(cpu), false);
  cpu.setAddress(L.RIP, INSTRUCTION_RIP);
  assert.equal(takeInstructionBreakpoint(cpu), true);
  assert.equal(cpu.getBig(L.RIP), HANDLER);
  assert.equal(bench.peek(STACK - 40 + 16, 8), 2n, "the one fault that does not set RF");
  bench.poke(STACK - 40 + 16, 8, 0x10002n);
  run(bench, "iret", {}, 8);
  assert.equal(cpu.getBig(L.RIP), BigInt(INSTRUCTION_RIP));
  assert.equal(takeInstructionBreakpoint(cpu), false, "RF was restored");
  assert.equal(takeInstructionBreakpoint(cpu), true, "and is spent");
});

test("SDM vol. 3A §6.15, #AC: unaligned user accesses under CR0.AM and RFLAGS.AC", () => {
  const bench = long(3);
  const { cpu } = bench;
  gate64(bench, 17, HANDLER);
  bench.poke(0x3004, 8, 0x9000);
  cpu.set32(L.CR0, cpu.get32(L.CR0) | AC);
  refreshMode(cpu);
  assert.equal(access(bench, 0x7001, 4), 0, "AC is clear");
  writeFlags(cpu, AC, AC);
  assert.equal(access(bench, 0x7004, 4), 0);
  assert.equal(cpu.i32[cpu.tlb.dataEntry(7, L.ACCESS_USER)], L.TLB_EMPTY, "every access comes this way");
  cpu.setAddress(L.MAIL_ADDRESS, 0x7002);
  assert.equal(slowTranslate(cpu, record(cpu), 4), 0);
  assert.equal(cpu.getBig(L.RIP), HANDLER);
  assert.equal(bench.peek(0x9000 - 48, 8), 0n, "error code");
  assert.equal(cpu.alignmentChecks, false, "not at level 0");
});
