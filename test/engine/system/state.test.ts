/** The plain-data state of a CPU: what goes in comes out; INIT and start-up. */
import assert from "node:assert/strict";
import test from "node:test";
import * as L from "../../../src/engine/x86/layout.js";
import { initState, readState, startupState, writeState } from "../../../src/engine/x86/state.js";
import type { CpuState } from "../../../src/x86/cpu-state.js";
import { createBench, longMode } from "./bench.js";

function busyState(): CpuState {
  const bench = createBench();
  longMode(bench, 3);
  const state = readState(bench.cpu);
  const fxsave = new Uint8Array(512);
  new DataView(fxsave.buffer).setUint16(0, 0x27f, true);
  new DataView(fxsave.buffer).setUint32(24, 0x1fa0, true);
  new DataView(fxsave.buffer).setUint32(28, 0xffff, true);
  fxsave[32] = 7;
  fxsave[160] = 9;
  return {
    ...state,
    gpr: state.gpr.map((_, i) => 0xf000_0000_0000_0000n + BigInt(i)),
    rflags: 0x247fd7n,
    cr2: 0xdeadbeefn,
    dr: [1n, 2n, 3n, 4n, 0n, 0n, 0xffff0ff1n, 0x401n],
    msrs: { 0xc0000082: 0xffff800000001000n, 0x277: 0x0007010600070106n, 0x2ff: 0xc06n, 0x3b: 5n },
    xcr0: 3n,
    fxsave,
  };
}

test("every part of the state survives being written and read", () => {
  const { cpu } = createBench();
  const state = busyState();
  writeState(cpu, state);
  assert.deepEqual(readState(cpu), state);
  assert.equal(cpu.cpl, 3);
  assert.equal(cpu.get32(L.MODE_KEY) & 3, 2);
});

test("a state without registers that have a reset value gets those", () => {
  const { cpu } = createBench();
  writeState(cpu, busyState());
  const { fxsave, xcr0, ...rest } = busyState();
  assert.ok(fxsave && xcr0);
  writeState(cpu, { ...rest, msrs: {} });
  const state = readState(cpu);
  assert.deepEqual(state.msrs, {});
  assert.equal(cpu.getBig(L.XCR0), 1n);
  assert.equal(cpu.get32(L.MXCSR), 0x1f80);
  assert.equal(cpu.getBig(L.MSR_PAT), 0x0007040600070406n);
});

test("SDM vol. 3A table 9-1: INIT keeps x87, SSE and most MSRs, and waits for a start-up IPI", () => {
  const { cpu } = createBench();
  writeState(cpu, busyState());
  initState(cpu);
  const state = readState(cpu);
  assert.equal(state.waitForSipi, true);
  assert.equal(state.rip, 0xfff0n);
  assert.equal(state.cs.base, 0xffff0000n);
  assert.equal(state.gpr[2], 0x106can, "EDX is the signature");
  assert.equal(state.cr0 & ~0x60000000n, 0x10n);
  assert.equal(state.efer, 0n);
  assert.deepEqual(state.msrs, busyState().msrs);
  assert.deepEqual(state.fxsave, busyState().fxsave);
  assert.equal(cpu.cpl, 0);
});

test("SDM vol. 3A §8.4.4: a start-up IPI begins at its page, and only after INIT", () => {
  const { cpu } = createBench();
  assert.equal(startupState(cpu, 0x9f), false);
  initState(cpu);
  assert.equal(startupState(cpu, 0x9f), true);
  const state = readState(cpu);
  assert.equal(state.cs.selector, 0x9f00);
  assert.equal(state.cs.base, 0x9f000n);
  assert.equal(state.rip, 0n);
  assert.equal(state.waitForSipi, false);
  assert.equal(startupState(cpu, 0x10), false);
});

test("a state image of the wrong size is refused", () => {
  const { cpu } = createBench();
  assert.throws(
    () => writeState(cpu, { ...busyState(), fxsave: new Uint8Array(511) }),
    /511 bytes: expected 512/,
  );
});
