/**
 * MONITOR and MWAIT on two CPUs: what ends the wait and what does not (SDM vol. 3A §9.10.4, §9.10.5). CPU 0 waits; the
 * host gives CPU 1 its turns, as a machine in round robin does.
 */
import assert from "node:assert/strict";
import test from "node:test";
import type { Cpu, Exit } from "../../../src/engine/contract.js";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import { at, byte, dword, eax, ebx, ecx, edx, rax } from "../../support/asm/index.js";
import { conformanceCpuid } from "../../conformance/support/cpuid.js";
import { prologue } from "../../conformance/support/environments.js";
import { guest, type GuestBuilder } from "../../conformance/support/guest.js";
import * as layout from "../../conformance/support/layout.js";
import { P, RW } from "../../conformance/support/page-tables.js";
import { SCRATCH_MMIO } from "../../conformance/support/host.js";
import { load, type Session } from "../../conformance/support/on-engine.js";

const LINE = layout.DATA + 0x40;
const VECTOR = 0x40;
const MANY = 1000;
const SLEEPS = { reason: "halt", interruptible: false } satisfies Exit;

interface Two extends Session {
  /** CPU 1, about to run the code behind the label "other". */
  other: Cpu;
  woken: number[];
  at(label: string): bigint;
}

/** CPU 0 waits on LINE with `extensions` in ECX; `flags` runs before it; then it counts in EBX. */
function waiting(
  extensions: number,
  write: (g: GuestBuilder) => void,
  before?: (g: GuestBuilder) => void,
): Two {
  const made = guest("waiting", { cites: "SDM vol. 3A §9.10" }, (g) => {
    prologue(g.a);
    const { a } = g;
    a.mov(rax, LINE + 8)
      .xor(ecx, ecx)
      .xor(edx, edx)
      .xor(ebx, ebx)
      .monitor();
    before?.(g);
    a.mov(ecx, extensions).xor(eax, eax).label("wait").mwait().label("behind").inc(ebx).jmp("behind");
    a.label("other");
    write(g);
    a.label("spin").jmp("spin");
    g.exit();
  });
  const session = load(createWasmEngine(), made);
  const woken: number[] = [];
  Object.assign(session.host, { woken: (cpu: number) => woken.push(cpu) });
  const other = session.vm.createCpu(1, conformanceCpuid());
  const at = (label: string): bigint => BigInt(made.label(label));
  other.writeState({ ...made.start, rip: at("other") });
  // Touches the line's page, so that a fast write right to it would be there.
  return { ...session, other, woken, at };
}

test("R6.1 MWAIT waits until another CPU writes to the line, and goes on behind itself", () => {
  const two = waiting(0, ({ a }) => a.mov(byte(LINE + 63), 1));
  assert.deepEqual(two.run(MANY), SLEEPS);
  assert.deepEqual(two.run(MANY), SLEEPS, "and stays there");
  assert.equal(two.cpu.readState().rip, two.at("behind"));
  two.other.run(1);
  assert.deepEqual(two.woken, [0]);
  assert.deepEqual(two.run(10), { reason: "budget" } satisfies Exit);
  assert.equal(two.cpu.readState().gpr[3], 5n);
  two.other.writeState({ ...two.other.readState(), rip: two.at("other") });
  two.other.run(1);
  assert.deepEqual(two.woken, [0], "one MONITOR, one wake-up");
  two.vm.dispose();
});

test("R6.1 a write of the value that is there already wakes; reads and writes beside the line do not", () => {
  const two = waiting(0, ({ a }) => {
    a.mov(eax, dword(LINE))
      .mov(dword(LINE - 4), 1)
      .mov(dword(LINE + 64), 1);
    a.mov(dword(LINE), 0);
  });
  // The other CPU has a fast right to write the page before it is watched.
  two.other.run(3);
  two.other.writeState({ ...two.other.readState(), rip: two.at("other") });
  assert.deepEqual(two.run(MANY), SLEEPS);
  two.other.run(3);
  assert.deepEqual(two.woken, []);
  two.other.run(1);
  assert.deepEqual(two.woken, [0]);
  two.vm.dispose();
});

test("R6.1 repeated stores, read-modify-writes and stores that cross into the line wake", () => {
  const writes: ((g: GuestBuilder) => unknown)[] = [
    ({ a }) =>
      a
        .mov({ kind: "gpr", name: "rdi", code: 7, size: 64 }, LINE - 64)
        .mov(ecx, 100)
        .rep()
        .stos(8),
    ({ a }) => a.lock().inc(dword(LINE + 4)),
    ({ a }) => a.mov(dword(LINE - 2), 0),
  ];
  for (const write of writes) {
    const two = waiting(0, (g) => void write(g));
    two.run(MANY);
    two.other.run(200);
    assert.deepEqual(two.woken, [0]);
    two.vm.dispose();
  }
});

test("R6.1 a device's write to the line wakes", () => {
  const two = waiting(0, () => undefined);
  two.run(MANY);
  two.memory.write(LINE + 64, Uint8Array.of(1));
  assert.deepEqual(two.woken, []);
  two.memory.write(LINE, Uint8Array.of(0));
  assert.deepEqual(two.woken, [0]);
  assert.deepEqual(two.run(3), { reason: "budget" } satisfies Exit);
  two.vm.dispose();
});

test("R6.1 a write between MONITOR and MWAIT, or no MONITOR: no wait", () => {
  const written = waiting(0, () => undefined);
  while (written.cpu.readState().rip !== written.at("wait")) written.run(1);
  written.memory.write(LINE, Uint8Array.of(7));
  assert.deepEqual(written.run(10), { reason: "budget" } satisfies Exit);
  written.vm.dispose();
  const none = waiting(0, () => undefined);
  none.cpu.writeState({ ...none.cpu.readState(), rip: none.at("wait") });
  assert.deepEqual(none.run(10), { reason: "budget" } satisfies Exit);
  none.vm.dispose();
});

test("R6.1 interrupts: enabled they are taken, masked they end the wait only with ECX[0]", () => {
  const enabled = waiting(
    0,
    () => undefined,
    ({ a }) => a.sti(),
  );
  assert.deepEqual(enabled.run(MANY), { reason: "halt", interruptible: true } satisfies Exit);
  enabled.host.raise(VECTOR);
  enabled.run(1);
  assert.deepEqual(enabled.host.acknowledged, [VECTOR]);
  enabled.vm.dispose();

  const masked = waiting(0, () => undefined);
  masked.run(MANY);
  masked.host.raise(VECTOR);
  assert.deepEqual(masked.run(MANY), SLEEPS);
  masked.vm.dispose();

  const breaks = waiting(1, () => undefined);
  assert.deepEqual(breaks.run(MANY), { reason: "halt", interruptible: true } satisfies Exit);
  breaks.host.raise(VECTOR);
  assert.deepEqual(breaks.run(3), { reason: "budget" } satisfies Exit);
  assert.deepEqual(breaks.host.acknowledged, [], "it stays pending");
  assert.equal(breaks.cpu.readState().gpr[3], 2n);
  breaks.vm.dispose();

  const nmi = waiting(0, () => undefined);
  nmi.run(MANY);
  nmi.cpu.raiseNmi();
  assert.deepEqual(nmi.run(3), { reason: "budget" } satisfies Exit);
  nmi.vm.dispose();
});

test("R6.1 a state taken in MWAIT is one that goes on behind it", () => {
  const two = waiting(0, () => undefined);
  two.run(MANY);
  const state = two.cpu.readState();
  assert.equal(state.halted, false);
  assert.equal(state.rip, two.at("behind"));
  two.vm.dispose();
});

test("R6.1 CLFLUSH and MONITOR of a device's register do not read it", () => {
  const made = guest("flush", { cites: "SDM vol. 2A, CLFLUSH" }, (g) => {
    prologue(g.a);
    g.tables.map(SCRATCH_MMIO, SCRATCH_MMIO, P | RW);
    g.a.mov(rax, BigInt(SCRATCH_MMIO)).xor(ecx, ecx).xor(edx, edx);
    g.a.clflush(at(rax)).monitor().mwait().mov(eax, dword(rax));
    g.exit();
  });
  const session = load(createWasmEngine(), made);
  session.run(MANY);
  assert.deepEqual(
    session.host.accesses.map(({ kind }) => kind),
    ["read"],
    "the load at the end alone",
  );
  session.vm.dispose();
});
