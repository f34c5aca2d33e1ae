/** RFLAGS in its lazy form: every combination of status flags, masks, and forms that generated code leaves. */
import assert from "node:assert/strict";
import test from "node:test";
import { readFlags, writeFlags } from "../../../src/engine/x86/flags.js";
import * as L from "../../../src/engine/x86/layout.js";
import { createBench, longMode } from "./bench.js";

const STATUS = [0x1, 0x4, 0x10, 0x40, 0x80, 0x800];
const ALL_STATUS = 0x8d5;

test("SDM vol. 1 §3.4.3: every combination of the status flags survives being written", () => {
  const { cpu } = createBench();
  for (let set = 0; set < 64; set++) {
    const flags = STATUS.reduce((all, flag, i) => (set & (1 << i) ? all | flag : all), 0);
    writeFlags(cpu, flags, ALL_STATUS);
    assert.equal(readFlags(cpu) & ALL_STATUS, flags, `flags 0x${flags.toString(16)}`);
  }
});

test("SDM vol. 1 §3.4.3: a masked write leaves every other flag alone", () => {
  const { cpu } = createBench();
  writeFlags(cpu, 0x8d5 | 0x200, 0x3f7fd5);
  for (const flag of STATUS) {
    writeFlags(cpu, 0, flag);
    assert.equal(readFlags(cpu), (0x8d5 | 0x202) & ~flag);
    writeFlags(cpu, flag, flag);
    assert.equal(readFlags(cpu), 0x8d5 | 0x202);
  }
});

test("SDM vol. 1 §3.4.3: bit 1 stays set and undefined bits stay clear", () => {
  const { cpu } = createBench();
  writeFlags(cpu, 0xffffffff, 0xffffffff);
  assert.equal(readFlags(cpu), 0x3f7fd7);
  writeFlags(cpu, 0, 0xffffffff);
  assert.equal(readFlags(cpu), 2);
});

test("the lazy form: results and carry words as arithmetic leaves them", () => {
  const { cpu } = createBench();
  const cases: [result: bigint, carry: bigint, flags: number][] = [
    [0n, 0n, 0x44], // zero: ZF PF
    [-1n, 0n, 0x84], // negative, parity of 0xff: SF PF
    [1n, 1n << 63n, 0x801], // carry out without carry into the top bit: CF OF
    [1n, 3n << 62n, 0x01], // both carries: CF only
    [1n, 1n << 62n, 0x800], // carry in only: OF
    [3n, 8n, 0x14], // AF PF
    [3n, 0x100n, 0x00], // parity delta turns PF off
  ];
  for (const [result, carry, flags] of cases) {
    cpu.setBig(L.FLAG_RESULT, result);
    cpu.setBig(L.FLAG_CARRY, carry);
    assert.equal(readFlags(cpu) & ALL_STATUS, flags, `result ${result}, carry 0x${carry.toString(16)}`);
  }
});

test("SDM vol. 3A §4.6.1: RFLAGS.AC chooses the access mode under SMAP", () => {
  const bench = createBench();
  longMode(bench);
  const { cpu } = bench;
  cpu.set32(L.CR4, cpu.get32(L.CR4) | (1 << 21));
  writeFlags(cpu, 1 << 18, 1 << 18);
  assert.equal(cpu.get32(L.TLB_CURRENT), cpu.base + L.TLB + L.ACCESS_SUPERVISOR_USER * L.TLB_BYTES);
  writeFlags(cpu, 0, 1 << 18);
  assert.equal(cpu.get32(L.TLB_CURRENT), cpu.base + L.TLB + L.ACCESS_SUPERVISOR * L.TLB_BYTES);
});
