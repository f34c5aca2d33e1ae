/** FXSAVE and XSAVE: images, headers, what is refused. */
import assert from "node:assert/strict";
import test from "node:test";
import * as L from "../../../src/engine/x86/layout.js";
import { longMode, type Bench } from "./bench.js";
import { MEMORY, RAX, RCX, RDX, long, run, faults } from "./instruction-bench.js";

function fillExtended(bench: Bench): void {
  const { cpu } = bench;
  for (let i = 0; i < 16; i++) {
    cpu.setBig(L.XMM + i * 32, BigInt(i) * 0x0101010101010101n);
    cpu.setBig(L.XMM + i * 32 + 8, BigInt(i) + 1n);
  }
  for (let i = 0; i < 8; i++) cpu.setBig(L.FPU + i * 16, 0x8000000000000000n + BigInt(i));
  cpu.u16[(cpu.base + L.FPU + 130) >>> 1] = 3 << 11;
  cpu.u8[cpu.base + L.FPU + 132] = 0x5a;
}

function extended(bench: Bench): bigint[] {
  const { cpu } = bench;
  const fpu = Array.from({ length: 20 }, (_, i) => cpu.getBig(L.FPU + i * 8));
  return [...fpu, ...Array.from({ length: 64 }, (_, i) => cpu.getBig(L.XMM + i * 8))];
}

test("FXSAVE and FXRSTOR: ST order, XMM, untouched tail", () => {
  const bench = long();
  fillExtended(bench);
  const before = extended(bench);
  bench.poke(0x7000 + 416, 8, 0x1122334455667788n);
  faults(bench, 13, 0, "fxsave", { displacement: 0x7008 }, 8 | MEMORY);
  run(bench, "fxsave", { displacement: 0x7000 }, 8 | MEMORY);
  assert.equal(bench.peek(0x7000, 2), 0x37fn);
  assert.equal(bench.peek(0x7020, 8), 0x8000000000000003n, "ST(0) is R3");
  assert.equal(bench.peek(0x7000 + 160 + 16, 8), 0x0101010101010101n);
  assert.equal(bench.peek(0x7000 + 416, 8), 0x1122334455667788n);
  const other = long();
  for (let at = 0; at < 512; at += 8) other.poke(0x7000 + at, 8, bench.peek(0x7000 + at, 8));
  run(other, "fxrstor", { displacement: 0x7000 }, 8 | MEMORY);
  assert.deepEqual(extended(other), before);
  other.poke(0x7018, 4, 0x10000);
  faults(other, 13, 0, "fxrstor", { displacement: 0x7000 }, 8 | MEMORY);
});

function xsaveReady(): Bench {
  const bench = long();
  bench.cpu.set32(L.CR4, bench.cpu.get32(L.CR4) | (1 << 18));
  bench.cpu.setAddress(RAX, 3);
  bench.cpu.setAddress(RCX, 0);
  bench.cpu.setAddress(RDX, 0);
  run(bench, "xsetbv");
  return bench;
}

test("XSAVE, XSAVEOPT, XSAVEC and XRSTOR", () => {
  for (const mnemonic of ["xsave", "xsaveopt", "xsavec"]) {
    const bench = xsaveReady();
    fillExtended(bench);
    const before = extended(bench);
    run(bench, mnemonic, { displacement: 0x7000 }, 8 | MEMORY);
    assert.equal(bench.peek(0x7200, 8), 3n);
    assert.equal(bench.peek(0x7208, 8), mnemonic === "xsavec" ? (1n << 63n) | 3n : 0n);
    longMode(bench);
    bench.cpu.set32(L.CR4, bench.cpu.get32(L.CR4) | (1 << 18));
    bench.cpu.setAddress(L.XCR0, 3);
    bench.cpu.setAddress(RAX, 3);
    run(bench, "xrstor", { displacement: 0x7000 }, 8 | MEMORY);
    assert.deepEqual(extended(bench), before, mnemonic);
    bench.poke(0x7200, 8, 1);
    run(bench, "xrstor", { displacement: 0x7000 }, 8 | MEMORY);
    assert.equal(bench.cpu.getBig(L.XMM + 32), 0n, "a component that is not in the image becomes initial");
    bench.poke(0x7200, 8, 4);
    faults(bench, 13, 0, "xrstor", { displacement: 0x7000 }, 8 | MEMORY);
    bench.poke(0x7200, 8, 0);
    bench.poke(0x7210, 8, 1);
    faults(bench, 13, 0, "xrstor", { displacement: 0x7000 }, 8 | MEMORY);
  }
});

test("XSETBV and XGETBV", () => {
  const bench = xsaveReady();
  run(bench, "xgetbv");
  assert.equal(bench.cpu.getBig(RAX), 3n);
  for (const value of [0, 2, 7]) {
    bench.cpu.setAddress(RAX, value);
    faults(bench, 13, 0, "xsetbv");
  }
  bench.cpu.setAddress(RCX, 2);
  faults(bench, 13, 0, "xgetbv");
  faults(long(), 6, 0, "xgetbv");
  faults(long(), 6, 0, "xsave", { displacement: 0x7000 }, 8 | MEMORY);
});
