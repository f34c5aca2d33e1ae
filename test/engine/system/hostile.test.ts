/**
 * Whatever state a guest makes and whatever it executes, the system half answers with a result or a guest fault:
 * never another error, never without end.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { writeFlags } from "../../../src/engine/x86/flags.js";
import * as L from "../../../src/engine/x86/layout.js";
import { refreshMode } from "../../../src/engine/x86/mode.js";
import { slowTranslate, runHelper, translateCode, codeLinear } from "../../../src/engine/x86/system/calls.js";
import { HELPERS } from "../../../src/engine/x86/system/instructions.js";
import { createBench, GDT, IDT, longMode, PML4, protectedMode, record, TSS, type Bench } from "./bench.js";

const CASES = 20_000;
const INTERESTING = [
  0n,
  1n,
  7n,
  0x10n,
  0x23n,
  0x28n,
  0x7fffn,
  0xffffn,
  0x80000000n,
  0xffffffffn,
  1n << 47n,
  (1n << 64n) - 1n,
];
const SIZES = [1, 2, 4, 8];
const NAMES = Object.keys(HELPERS).sort();

/** A small generator with a fixed seed: every run tries the same cases. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function value(next: (below: number) => number): bigint {
  const base = INTERESTING[next(INTERESTING.length)];
  return next(2) ? base : BigInt.asUintN(64, base + BigInt(next(0x10000) - 0x8000));
}

/** Scribbles over tables, registers and segment state. */
function disturb(bench: Bench, next: (below: number) => number): void {
  const { cpu } = bench;
  for (const table of [GDT, IDT, TSS, PML4]) {
    if (next(3) === 0) bench.poke(table + next(0x80) * 8, 8, value(next) ^ (BigInt(next(0x7fffffff)) << 24n));
  }
  for (let i = 0; i < 16; i++) if (next(2)) cpu.setBig(L.GPR + i * 8, value(next));
  if (next(4) === 0) cpu.setBig(L.SEGMENT_BASE + next(6) * 8, BigInt.asIntN(32, value(next)));
  if (next(4) === 0) cpu.set32(L.SEGMENT_ACCESS + next(8) * 4, next(0x20000));
  if (next(4) === 0) cpu.set32(L.SEGMENT_LIMIT + next(8) * 4, Number(value(next) & 0xffffffffn));
  if (next(8) === 0) cpu.setBig(L.TR_BASE, value(next) & 0xffffffffn);
  if (next(8) === 0) cpu.set32(L.GDTR_LIMIT, next(0x10000));
  if (next(8) === 0) cpu.set32(L.CR4, cpu.get32(L.CR4) ^ (1 << next(22)));
  writeFlags(cpu, next(0x400000), 0x3d7fd5);
  cpu.set32(L.LEFT, next(50));
  cpu.tlb.flushAll();
  refreshMode(cpu);
}

test("no state and no instruction brings the system half down", () => {
  const next = generator(0x5eed);
  const bench = createBench();
  const { cpu } = bench;
  const outcomes = new Set<string>();
  for (let i = 0; i < CASES; i++) {
    const mode = next(4);
    if (mode < 2) longMode(bench, mode * 3);
    else protectedMode(bench, (mode - 2) * 3);
    disturb(bench, next);
    const name = NAMES[next(NAMES.length)];
    const address = record(cpu, {
      reg: next(16),
      rm: next(16),
      displacement: next(0x10000),
      segment: next(7),
      ea: next(3),
      immediate: next(0x10000),
      second: next(0x10000),
      rep: next(2) ? 0xf3 : 0,
      addressSize: cpu.code64 ? 8 - 4 * next(2) : 4 - 2 * next(2),
    });
    const result = runHelper(cpu, HELPERS[name], address, SIZES[next(4)] | (next(2) << 8));
    assert.ok(result === 0 || result === 1, name);
    outcomes.add(`${name} ${result}`);
    cpu.setBig(L.MAIL_ADDRESS, value(next));
    slowTranslate(cpu, address, [1, 2, 4, 8, 16, 64][next(6)] | (next(3) << 8));
    cpu.setBig(L.RIP, value(next));
    const linear = codeLinear(cpu);
    if (!Number.isNaN(linear)) assert.ok(translateCode(cpu, linear) >= -1);
  }
  assert.ok(outcomes.size > NAMES.length, "the cases reach both ends of most instructions");
});
