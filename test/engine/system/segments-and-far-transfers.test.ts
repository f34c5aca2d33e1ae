/** Segment loads and far transfers: checks, frames, call gates. */
import assert from "node:assert/strict";
import test from "node:test";
import * as L from "../../../src/engine/x86/layout.js";
import {
  CALL_GATE,
  descriptor,
  GDT,
  KERNEL_CODE,
  KERNEL_DATA,
  NEXT_RIP,
  TSS,
  TSS_SELECTOR,
  USER_CODE,
  USER_DATA,
  type Bench,
} from "./bench.js";
import {
  MEMORY,
  RAX,
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

test("MOV Sreg loads base, limit and rights, and marks the descriptor accessed", () => {
  const bench = legacy();
  const { cpu } = bench;
  bench.poke(GDT + 0x40, 8, descriptor(0x12345678, 0xabcde, 0x4092));
  cpu.setAddress(RAX, 0x40);
  assert.equal(run(bench, "mov_to_seg", { reg: L.ES, rm: 0 }, 4), RESOLVE, "ES is not flat any more");
  assert.equal(cpu.getBig(L.RIP), BigInt(NEXT_RIP));
  assert.equal(cpu.segmentBase(L.ES), 0x12345678);
  assert.equal(cpu.limit(L.ES), 0xabcde);
  assert.equal(cpu.access(L.ES), 0x4093);
  assert.equal(bench.peek(GDT + 0x45, 1), 0x93n);
  assert.equal(cpu.get32(L.MODE_KEY) & (1 << (4 + L.ES)), 1 << (4 + L.ES));
  assert.equal(run(bench, "mov_to_seg", { reg: L.ES, rm: 0 }, 4), CONTINUE);
  run(bench, "mov_from_seg", { reg: L.ES, rm: 3 }, 4);
  assert.equal(cpu.getBig(RBX), 0x40n);
});

test("loads of data segments are refused by type, privilege, presence and limit", () => {
  const bench = legacy(3);
  const { cpu } = bench;
  bench.poke(GDT + 0x40, 8, descriptor(0, 0xfffff, 0xc099)); // execute-only code
  bench.poke(GDT + 0x48, 8, descriptor(0, 0xfffff, 0xc073)); // not present
  const load = (selector: number, vector: number): void => {
    cpu.setAddress(RAX, selector);
    faults(bench, vector, selector & 0xfffc, "mov_to_seg", { reg: L.DS, rm: 0 }, 4);
  };
  load(KERNEL_DATA, 13);
  load(0x43, 13);
  load(0x4b, 11);
  load(TSS_SELECTOR, 13);
  load(0x7b + 8, 13);
  load(0x7, 13);
  faults(bench, 6, 0, "mov_to_seg", { reg: L.CS, rm: 0 }, 4);
  faults(bench, 6, 0, "mov_to_seg", { reg: 6, rm: 0 }, 4);
  cpu.setAddress(RAX, 2);
  run(bench, "mov_to_seg", { reg: L.DS, rm: 0 }, 4);
  assert.equal(cpu.access(L.DS) & (1 << 16), 1 << 16, "a null selector makes DS unusable");
});

test("SS: privilege must match, a missing segment is #SS, the next instruction is shielded", () => {
  const bench = legacy();
  const { cpu } = bench;
  bench.poke(GDT + 0x48, 8, descriptor(0, 0xfffff, 0xc013));
  for (const [selector, vector] of [
    [0, 13],
    [USER_DATA, 13],
    [0x11, 13],
    [KERNEL_CODE, 13],
    [0x48, 12],
  ]) {
    cpu.setAddress(RAX, selector);
    faults(bench, vector, selector & 0xfffc, "mov_to_seg", { reg: L.SS, rm: 0 }, 4);
  }
  cpu.set32(L.LEFT, 41);
  cpu.setAddress(RAX, KERNEL_DATA);
  assert.equal(run(bench, "mov_to_seg", { reg: L.SS, rm: 0 }, 4), RESOLVE);
  assert.equal(cpu.get32(L.INTERRUPT_SHADOW), 42);
});

test("64-bit mode takes a null SS below level 3, and clears the base with a null FS", () => {
  const bench = long();
  const { cpu } = bench;
  cpu.setAddress(RAX, 0);
  run(bench, "mov_to_seg", { reg: L.SS, rm: 0 }, 4);
  assert.equal(cpu.selector(L.SS), 0);
  cpu.setAddress(L.SEGMENT_BASE + L.FS * 8, 0x1234);
  run(bench, "mov_to_seg", { reg: L.FS, rm: 0 }, 4);
  assert.equal(cpu.segmentBase(L.FS), 0);
  faults(long(3), 13, 0, "mov_to_seg", { reg: L.SS, rm: 0 }, 4);
});

test("PUSH and POP of segments, LES", () => {
  const bench = legacy();
  const { cpu } = bench;
  run(bench, "push_seg", { reg: L.DS }, 4);
  assert.equal(bench.peek(STACK - 4, 4), BigInt(KERNEL_DATA));
  run(bench, "pop_seg", { reg: L.GS }, 4);
  assert.equal(cpu.selector(L.GS), KERNEL_DATA);
  assert.equal(cpu.getAddress(RSP), STACK);
  bench.poke(0x7000, 4, 0xdeadbeef);
  bench.poke(0x7004, 2, USER_DATA);
  run(bench, "les", { reg: 3, displacement: 0x7000, segment: L.DS }, 4 | MEMORY);
  assert.equal(cpu.getBig(RBX), 0xdeadbeefn);
  assert.equal(cpu.selector(L.ES), USER_DATA);
});

test("SDM vol. 3A §5.3: limits and rights of checked operands", () => {
  const bench = legacy();
  const { cpu } = bench;
  cpu.setSegment(L.DS, 0x40, 0x1000, 0xff, 0x4091);
  const fields = { displacement: 0xfd, segment: L.DS, ea: 2 };
  faults(bench, 13, 0, "bound", fields, 4 | MEMORY);
  cpu.setSegment(L.SS, 0x40, 0x1000, 0xff, 0x4097);
  faults(bench, 12, 0, "bound", { displacement: 0xff, segment: L.SS, ea: 2 }, 4 | MEMORY);
  faults(bench, 13, 0, "sgdt", { displacement: 0, segment: L.DS, ea: 2 }, 4 | MEMORY);
});

test("far CALL and RET at one level", () => {
  const bench = legacy();
  const { cpu } = bench;
  assert.equal(run(bench, "far_call_imm", { immediate: 0x4000, second: KERNEL_CODE }, 4), RESOLVE);
  assert.equal(cpu.getBig(L.RIP), 0x4000n);
  assert.equal(bench.peek(STACK - 4, 4), BigInt(KERNEL_CODE));
  assert.equal(bench.peek(STACK - 8, 4), BigInt(NEXT_RIP));
  run(bench, "far_ret", { immediate: 12 }, 4);
  assert.equal(cpu.getBig(L.RIP), BigInt(NEXT_RIP));
  assert.equal(cpu.getAddress(RSP), STACK + 12);
});

test("far JMP between 64-bit and compatibility code", () => {
  const bench = long();
  const { cpu } = bench;
  bench.poke(GDT + 0x40, 8, descriptor(0, 0xfffff, 0xc09b));
  bench.poke(0x7000, 4, 0x6000);
  bench.poke(0x7004, 2, 0x40);
  run(bench, "far_jmp_mem", { displacement: 0x7000 }, 4 | MEMORY);
  assert.equal(cpu.get32(L.MODE_KEY) & 3, 1);
  assert.equal(cpu.getBig(L.LINEAR_MASK), 0xffffffffn);
  run(bench, "far_jmp_imm", { immediate: 0x6100, second: KERNEL_CODE }, 4);
  assert.equal(cpu.get32(L.MODE_KEY) & 3, 2);
});

test("far transfers are checked: null, type, privilege, presence, limit", () => {
  const bench = legacy();
  bench.poke(GDT + 0x40, 8, descriptor(0, 0xfff, 0x409b));
  bench.poke(GDT + 0x48, 8, descriptor(0, 0xfffff, 0xc01b));
  const jump = (selector: number, vector: number, code: number, offset = 0): void =>
    faults(bench, vector, code, "far_jmp_imm", { immediate: offset, second: selector }, 4);
  jump(0, 13, 0);
  jump(KERNEL_DATA, 13, KERNEL_DATA);
  jump(USER_CODE, 13, USER_CODE & 0xfffc);
  jump(0x48, 11, 0x48);
  jump(0x40, 13, 0, 0x1000);
  jump(0x80, 13, 0x80);
});

function callGate32(bench: Bench, parameters: number): void {
  bench.poke(GDT + CALL_GATE, 4, 0x1234 | (KERNEL_CODE << 16));
  bench.poke(GDT + CALL_GATE + 4, 4, 0x0000ec00 | parameters);
}

test("SDM vol. 3A §5.8.4: a call gate to an inner level copies parameters, RET drops them on both stacks", () => {
  const bench = legacy(3);
  const { cpu } = bench;
  callGate32(bench, 2);
  bench.poke(STACK, 4, 0x111);
  bench.poke(STACK + 4, 4, 0x222);
  run(bench, "far_call_imm", { immediate: 0xffff, second: CALL_GATE }, 4);
  assert.equal(cpu.cpl, 0);
  assert.equal(cpu.getBig(L.RIP), 0x1234n);
  const frame = Array.from({ length: 6 }, (_, i) => Number(bench.peek(0x9000 - 24 + i * 4, 4)));
  assert.deepEqual(frame, [NEXT_RIP, USER_CODE, 0x111, 0x222, STACK, USER_DATA]);
  run(bench, "far_ret", { immediate: 8 }, 4);
  assert.equal(cpu.cpl, 3);
  assert.equal(cpu.getAddress(RSP), STACK + 8);
  assert.equal(cpu.selector(L.SS), USER_DATA);
});

test("a 64-bit call gate switches to RSP0 and a null SS; JMP through it must stay at its level", () => {
  const bench = long(3);
  const { cpu } = bench;
  callGate32(bench, 0);
  bench.poke(GDT + CALL_GATE + 8, 8, 0xffff8000);
  bench.poke(TSS + 4, 8, 0x9000);
  bench.poke(0x7000, 4, 0);
  bench.poke(0x7004, 2, CALL_GATE);
  faults(bench, 13, KERNEL_CODE, "far_jmp_mem", { displacement: 0x7000 }, 4 | MEMORY);
  run(bench, "far_call_mem", { displacement: 0x7000 }, 4 | MEMORY);
  assert.equal(cpu.cpl, 0);
  assert.equal(cpu.selector(L.SS), 0);
  assert.equal(cpu.getBig(L.RIP), 0xffff8000_00001234n);
  assert.equal(bench.peek(0x9000 - 32, 8), BigInt(NEXT_RIP));
  run(bench, "far_ret", {}, 8);
  assert.equal(cpu.cpl, 3);
  assert.equal(cpu.getAddress(RSP), STACK);
});
