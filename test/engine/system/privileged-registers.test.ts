/** Fast system calls, control and debug registers, descriptor tables. */
import assert from "node:assert/strict";
import test from "node:test";
import * as L from "../../../src/engine/x86/layout.js";
import { readFlags, writeFlags } from "../../../src/engine/x86/flags.js";
import {
  GDT,
  GPR,
  KERNEL_CODE,
  KERNEL_DATA,
  longMode,
  NEXT_RIP,
  TSS,
  TSS_SELECTOR,
  USER_CODE,
  USER_DATA,
  type Bench,
} from "./bench.js";
import { MEMORY, RAX, RCX, RDX, RBX, RSP, RESOLVE, long, legacy, run, faults } from "./instruction-bench.js";

test("SYSCALL and SYSRET", () => {
  const bench = long(3);
  const { cpu } = bench;
  cpu.setBig(L.MSR_STAR, 0x0013_0008_0000_0000n);
  cpu.setBig(L.MSR_LSTAR, 0xffff8000_00002000n);
  cpu.setBig(L.MSR_FMASK, 0x257fd5n);
  writeFlags(cpu, 0x246, 0x3f7fd5);
  run(bench, "syscall");
  assert.equal(cpu.getBig(L.RIP), 0xffff8000_00002000n);
  assert.equal(cpu.getBig(RCX), BigInt(NEXT_RIP));
  assert.equal(cpu.getBig(GPR(11)), 0x246n);
  assert.equal(readFlags(cpu), 2);
  assert.deepEqual([cpu.cpl, cpu.selector(L.CS), cpu.selector(L.SS)], [0, 8, 0x10]);
  assert.equal(cpu.get32(L.CODE_ACCESS), 0);
  cpu.set32(L.INTERRUPT_PENDING, 1);
  run(bench, "sysret", {}, 8);
  assert.equal(cpu.getBig(L.RIP), BigInt(NEXT_RIP));
  assert.equal(readFlags(cpu), 0x246);
  assert.deepEqual([cpu.cpl, cpu.selector(L.CS), cpu.selector(L.SS)], [3, 0x23, 0x1b]);
  assert.equal(cpu.get32(L.CODE_ACCESS), 1);
  assert.equal(bench.seen.exits, 1, "an interrupt that waits is taken");
});

test("SYSRET to compatibility code, and to an address that is not canonical", () => {
  const bench = long();
  const { cpu } = bench;
  cpu.setBig(L.MSR_STAR, 0x0013_0008_0000_0000n);
  cpu.setBig(RCX, 1n << 47n);
  faults(bench, 13, 0, "sysret", {}, 8);
  run(bench, "sysret", {}, 4);
  assert.equal(cpu.get32(L.MODE_KEY) & 3, 1);
  assert.equal(cpu.selector(L.CS), 0x13);
  faults(bench, 13, 0, "sysret", {}, 4);
  cpu.setBig(L.EFER, 0xd00n);
  faults(bench, 6, 0, "syscall");
});

test("SYSENTER, SYSEXIT", () => {
  const bench = long(3);
  const { cpu } = bench;
  faults(bench, 13, 0, "sysenter");
  cpu.setAddress(L.MSR_SYSENTER_CS, KERNEL_CODE);
  cpu.setBig(L.MSR_SYSENTER_ESP, 0xffff8000_00009000n);
  cpu.setBig(L.MSR_SYSENTER_EIP, 0xffff8000_00002000n);
  run(bench, "sysenter");
  assert.deepEqual([cpu.cpl, cpu.selector(L.SS)], [0, 0x10]);
  assert.equal(cpu.getBig(RSP), 0xffff8000_00009000n);
  cpu.setAddress(RCX, 0x7000);
  cpu.setAddress(RDX, 0x6000);
  run(bench, "sysexit", {}, 4);
  assert.deepEqual([cpu.cpl, cpu.selector(L.CS), cpu.selector(L.SS)], [3, 0x1b, 0x23]);
  assert.equal(cpu.getBig(L.RIP), 0x6000n);
});

function movCr(bench: Bench, register: number, value: bigint): number {
  bench.cpu.setBig(RAX, value);
  return run(bench, "mov_to_cr", { reg: register, rm: 0 });
}

test("SDM vol. 3A §9.8.5: long mode is entered by CR0.PG with EFER.LME, and left again", () => {
  const bench = legacy();
  const { cpu } = bench;
  movCr(bench, 3, 0x10000n);
  cpu.setAddress(RCX, 0xc0000080);
  cpu.setAddress(RAX, 0x900);
  cpu.setAddress(RDX, 0);
  run(bench, "wrmsr");
  cpu.setBig(RAX, 0x80010011n);
  faults(bench, 13, 0, "mov_to_cr", { reg: 0, rm: 0 });
  movCr(bench, 4, 0x20n);
  assert.equal(movCr(bench, 0, 0x80010011n), RESOLVE);
  assert.equal(cpu.get32(L.EFER), 0xd00);
  assert.equal(cpu.get32(L.MODE_KEY) & 3, 1, "compatibility mode");
  cpu.setBig(RAX, 0n);
  faults(bench, 13, 0, "mov_to_cr", { reg: 4, rm: 0 });
  movCr(bench, 0, 0x11n);
  assert.equal(cpu.get32(L.EFER), 0x900);
});

test("control registers refuse what the SDM says they refuse", () => {
  const refused = (register: number, value: bigint): void => {
    const bench = long();
    bench.cpu.setBig(RAX, value);
    faults(bench, 13, 0, "mov_to_cr", { reg: register, rm: 0 });
  };
  refused(0, 0x80000010n); // PG without PE
  refused(0, 0xa0000011n); // NW without CD
  refused(0, 0x1_80000011n); // upper half
  refused(0, 0x11n); // PG off in 64-bit code
  refused(3, 1n << 36n); // above MAXPHYADDR
  refused(3, 1n << 63n); // no-flush bit without PCIDE
  refused(4, 0x620n | (1n << 13n)); // VMXE
  refused(4, 0x600n); // PAE off in long mode
  refused(8, 16n);
  faults(long(3), 13, 0, "mov_to_cr", { reg: 0, rm: 0 });
  faults(long(), 6, 0, "mov_to_cr", { reg: 1, rm: 0 });
  const pcid = long();
  pcid.cpu.setAddress(L.CR3, 0x10001);
  pcid.cpu.setBig(RAX, 0x620n | (1n << 17n));
  faults(pcid, 13, 0, "mov_to_cr", { reg: 4, rm: 0 });
});

test("CR0.TS and EM reach the mode key; CLTS, LMSW and SMSW", () => {
  const bench = long();
  const { cpu } = bench;
  assert.equal(cpu.get32(L.MODE_KEY), 2);
  movCr(bench, 0, 0x80010019n);
  assert.equal(cpu.get32(L.MODE_KEY), 2 | (1 << 10) | (1 << 12));
  faults(bench, 7, 0, "fxsave", { displacement: 0x7000 }, 8 | MEMORY);
  run(bench, "clts");
  assert.equal(cpu.get32(L.MODE_KEY), 2);
  cpu.setAddress(RAX, 0xe);
  run(bench, "lmsw", { rm: 0 }, 2);
  assert.equal(cpu.get32(L.CR0), 0x8001001f, "LMSW cannot clear PE");
  assert.equal(cpu.get32(L.MODE_KEY), 2 | (15 << 10));
  run(bench, "smsw", { rm: 3 }, 8);
  assert.equal(cpu.getBig(RBX), 0x8001001fn);
  run(bench, "mov_from_cr", { reg: 8, rm: 3 });
  assert.equal(cpu.getBig(RBX), 5n);
});

test("debug registers: fixed bits, aliases, general detect", () => {
  const bench = long();
  const { cpu } = bench;
  cpu.setBig(RAX, 0xffffffffn);
  run(bench, "mov_to_dr", { reg: 6, rm: 0 });
  assert.equal(cpu.getBig(L.DR + 48), 0xffffefffn);
  cpu.setBig(RAX, 0n);
  run(bench, "mov_to_dr", { reg: 5, rm: 0 });
  assert.equal(cpu.getBig(L.DR + 56), 0x400n);
  cpu.setBig(RAX, 1n << 32n);
  faults(bench, 13, 0, "mov_to_dr", { reg: 7, rm: 0 });
  cpu.set32(L.CR4, cpu.get32(L.CR4) | 8);
  faults(bench, 6, 0, "mov_to_dr", { reg: 5, rm: 0 });
  cpu.set32(L.DR + 56, 0x2400);
  faults(bench, 1, 0, "mov_from_dr", { reg: 0, rm: 0 });
  assert.equal(cpu.getBig(L.DR + 48) & 0x2000n, 0x2000n);
});

test("LGDT and SGDT, LIDT and SIDT in 64-bit and 32-bit code", () => {
  const bench = long();
  const { cpu } = bench;
  bench.poke(0x7000, 2, 0x1ff);
  bench.poke(0x7002, 8, 0xffff8000_00012340n);
  run(bench, "lgdt", { displacement: 0x7000 }, 8 | MEMORY);
  assert.equal(cpu.getBig(L.GDTR_BASE), 0xffff8000_00012340n);
  run(bench, "sgdt", { displacement: 0x7100 }, 8 | MEMORY);
  assert.equal(bench.peek(0x7100, 2), 0x1ffn);
  assert.equal(bench.peek(0x7102, 8), 0xffff8000_00012340n);
  bench.poke(0x7002, 8, 1n << 50n);
  faults(bench, 13, 0, "lidt", { displacement: 0x7000 }, 8 | MEMORY);
  const small = legacy();
  small.poke(0x7002, 4, 0xff123456);
  run(small, "lidt", { displacement: 0x7000, segment: L.DS }, 2 | MEMORY);
  assert.equal(small.cpu.getBig(L.IDTR_BASE), 0x123456n);
});

test("LTR marks the TSS busy and refuses a busy one; 16-byte descriptors in long mode", () => {
  const bench = long();
  const { cpu } = bench;
  bench.poke(GDT + 0x30, 8, 0xffff8000);
  cpu.setAddress(RAX, TSS_SELECTOR);
  run(bench, "ltr", { rm: 0 }, 2);
  assert.equal(cpu.segmentBase(L.TR), -0x8000 * 2 ** 32 + TSS);
  assert.equal(bench.peek(GDT + 0x2d, 1), 0x8bn);
  faults(bench, 13, TSS_SELECTOR, "ltr", { rm: 0 }, 2);
  run(bench, "str", { rm: 3 }, 8);
  assert.equal(cpu.getBig(RBX), BigInt(TSS_SELECTOR));
  cpu.setAddress(RAX, 0);
  faults(bench, 13, 0, "ltr", { rm: 0 }, 2);
  run(bench, "lldt", { rm: 0 }, 2);
  assert.equal(cpu.access(L.LDTR), 0x10000);
  cpu.set32(L.CR4, cpu.get32(L.CR4) | (1 << 11));
  longMode(bench, 3);
  cpu.set32(L.CR4, cpu.get32(L.CR4) | (1 << 11));
  for (const mnemonic of ["str", "sldt", "smsw"]) faults(bench, 13, 0, mnemonic, { rm: 3 });
});

test("LAR, LSL, VERR, VERW answer in ZF and fault for nothing", () => {
  const bench = legacy(3);
  const { cpu } = bench;
  const ask = (mnemonic: string, selector: number): bigint | undefined => {
    cpu.setAddress(RAX, selector);
    cpu.setAddress(RBX, 0);
    run(bench, mnemonic, { reg: 3, rm: 0 }, 4);
    return readFlags(cpu) & 0x40 ? cpu.getBig(RBX) : undefined;
  };
  assert.equal(ask("lar", USER_CODE), 0xcffb00n & 0xf0ff00n);
  assert.equal(ask("lsl", USER_DATA), 0xffffffffn);
  assert.equal(ask("lar", KERNEL_DATA), undefined);
  assert.equal(ask("lar", 0), undefined);
  assert.equal(ask("lsl", 0xfff8), undefined);
  assert.equal(ask("verr", USER_CODE), 0n);
  assert.equal(ask("verw", USER_CODE), undefined);
  assert.equal(ask("verw", USER_DATA), 0n);
  cpu.setAddress(RAX, 0x20);
  cpu.setAddress(RBX, 3);
  run(bench, "arpl", { rm: 0, reg: 3 }, 2);
  assert.equal(cpu.getBig(RAX), 0x23n);
});
