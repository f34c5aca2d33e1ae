/**
 * Code that would hold or crash a careless engine, one trick a test: it costs the guest its budget, and nothing else.
 */
import { VECTOR_UD } from "../../src/spec/x86-privileged.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CpuHost } from "../../src/engine/contract.js";
import { al, byte, dword, eax, ecx, edi, edx, TYPE_TRAP_GATE } from "../support/asm/index.js";
import { bareGuest, CODE, HOLE, RAM_SIZE, silentHost } from "./bare-guest.js";

const BUDGET = 200_000;
const HALT_STUB = 0x8000;
const VECTOR_INTERRUPT = 0x40;
const MOST_REPORTS = 256;
const PAGE = 0x1000;
const RET = 0xc3;
const INC_EAX = 0x40;
const NOP = 0x90;
const HLT = 0xf4;

/** Runs exactly `BUDGET` instructions and returns how long that took, ms. */
function spend(cpu: { run(budget: number): { reason: string }; readonly instructions: number }): number {
  const start = performance.now();
  const before = cpu.instructions;
  assert.equal(cpu.run(BUDGET).reason, "budget");
  assert.equal(cpu.instructions - before, BUDGET);
  return performance.now() - start;
}

test("isolation: code outside RAM reads as all ones and is #UD, reported once an address", () => {
  const reports: bigint[] = [];
  const { vm, cpu } = bareGuest(
    (a) => a.jmp(HOLE),
    { all: HOLE, own: { [VECTOR_UD]: HALT_STUB } },
    silentHost(),
    { unimplemented: (_cpu, rip) => reports.push(rip) },
  );
  vm.memory.write(HALT_STUB, Uint8Array.of(HLT));
  assert.deepEqual(cpu.run(BUDGET), { reason: "halt", interruptible: false });
  assert.equal(cpu.instructions, 3, "the jump, the fetch that faulted, the halt");
  assert.deepEqual(reports, [BigInt(HOLE)]);
  vm.dispose();
});

test("isolation: an instruction whose second half lies outside RAM is completed by ones; the next is #UD", () => {
  const last = RAM_SIZE - 2;
  const { vm, cpu } = bareGuest((a) => a.jmp(last), { all: HOLE, own: { [VECTOR_UD]: HALT_STUB } });
  vm.memory.write(HALT_STUB, Uint8Array.of(HLT));
  vm.memory.write(last, Uint8Array.of(0xb8, 0));
  assert.equal(cpu.run(BUDGET).reason, "halt");
  const { gpr } = cpu.readState();
  assert.equal(gpr[0], 0xffffff00n, "MOV EAX, imm32");
  const frame = new DataView(vm.memory.read(Number(gpr[4]), 4).buffer);
  assert.equal(frame.getUint32(0, true), last + 5);
  vm.dispose();
});

test("isolation: an instruction that ones make undefined is #UD at its first byte", () => {
  const last = RAM_SIZE - 1;
  const { vm, cpu } = bareGuest((a) => a.jmp(last), { all: HOLE, own: { [VECTOR_UD]: HALT_STUB } });
  vm.memory.write(HALT_STUB, Uint8Array.of(HLT));
  vm.memory.write(last, Uint8Array.of(0x0f));
  assert.equal(cpu.run(BUDGET).reason, "halt");
  const frame = new DataView(vm.memory.read(Number(cpu.readState().gpr[4]), 4).buffer);
  assert.equal(frame.getUint32(0, true), last);
  vm.dispose();
});

test("isolation: a guest that strays everywhere makes a bounded number of reports", () => {
  let reports = 0;
  const { vm, cpu } = bareGuest(
    (a) => a.mov(edi, HOLE).label("stray").add(edi, PAGE).jmpAt(edi),
    { all: CODE + 5 },
    silentHost(),
    { unimplemented: () => reports++ },
  );
  spend(cpu);
  assert.equal(reports, MOST_REPORTS);
  vm.dispose();
});

test("isolation: exception handlers that cannot be fetched use up the budget", () => {
  const { vm, cpu } = bareGuest((a) => a.jmp(HOLE), { all: HOLE });
  const exit = cpu.run(BUDGET);
  assert.ok(exit.reason === "budget" || exit.reason === "shutdown", exit.reason);
  assert.ok(cpu.instructions > 0 && cpu.instructions <= BUDGET);
  vm.dispose();
});

test("isolation: an interrupt line that never falls, through trap gates, leaves an instruction between two", () => {
  let acknowledged = 0;
  const host: CpuHost = {
    ...silentHost(),
    acknowledgeInterrupt: () => {
      acknowledged++;
      return VECTOR_INTERRUPT;
    },
  };
  const { vm, cpu } = bareGuest(
    (a) => a.sti().label("loop").jmp("loop"),
    { all: CODE + 1, type: TYPE_TRAP_GATE },
    host,
  );
  cpu.setInterruptLine(true);
  assert.equal(cpu.run(10_000).reason, "budget");
  assert.ok(acknowledged > 1000 && acknowledged <= 10_000, `${acknowledged}`);
  vm.dispose();
});

test("isolation: a page entered at every byte and written to all the time stays cheap", () => {
  const target = 0x40000;
  const { vm, cpu } = bareGuest(
    (a) => {
      a.label("again").mov(edi, target);
      a.label("enter")
        .callAt(edi)
        .mov(byte(edi), RET)
        .inc(edi)
        .cmp(edi, target + PAGE)
        .jcc("b", "enter");
      a.jmp("again");
    },
    { all: HOLE },
  );
  vm.memory.fill(target, PAGE, RET);
  const ms = spend(cpu);
  assert.ok(ms < 10_000, `${ms} ms`);
  vm.dispose();
});

test("isolation: more code than the cache of decoded instructions holds runs exactly", () => {
  const start = 0x100000;
  const length = 0x200000;
  const { vm, cpu } = bareGuest((a) => a.xor(eax, eax).jmp(start), { all: HOLE });
  vm.memory.fill(start, length, INC_EAX);
  vm.memory.write(start + length, Uint8Array.of(HLT));
  assert.equal(cpu.run(2 * length).reason, "halt");
  assert.equal(cpu.readState().gpr[0], BigInt(length));
  assert.ok(vm.counters()["decodeFlushes"] >= 2, JSON.stringify(vm.counters()));
  vm.dispose();
});

test("isolation: a repeat count without end stops at the budget, in RAM, in a hole and over the top of memory", () => {
  for (const start of [0x100000, RAM_SIZE - 64, 0xfffffff0]) {
    const { vm, cpu } = bareGuest((a) => a.mov(edi, start).mov(ecx, 0xffffffff).mov(al, NOP).rep().stos(8), {
      all: HOLE,
    });
    const exit = cpu.run(BUDGET);
    assert.ok(exit.reason === "budget", `${start}: ${JSON.stringify(exit)}`);
    assert.equal(cpu.instructions, BUDGET);
    vm.dispose();
  }
});

test("isolation: a repeated store that overwrites its own instruction is found out at the next element", () => {
  const { vm, cpu } = bareGuest(
    (a) => {
      a.mov(edi, CODE + 12)
        .mov(ecx, 64)
        .mov(al, HLT);
      a.rep().stos(8).db(NOP, NOP, NOP, NOP);
    },
    { all: HOLE },
  );
  assert.equal(cpu.run(BUDGET).reason, "halt");
  assert.equal(cpu.readState().gpr[1], 63n, "one element, then the instruction is gone");
  vm.dispose();
});

test("isolation: repeated input that overwrites its own instruction is found out at the next element", () => {
  const host: CpuHost = { ...silentHost(), readPort: () => HLT };
  const { vm, cpu } = bareGuest(
    (a) => {
      a.mov(edi, CODE + 15)
        .mov(ecx, 64)
        .mov(edx, 0x80);
      a.rep().ins(8).db(NOP, NOP, NOP, NOP);
    },
    { all: HOLE },
    host,
  );
  assert.equal(cpu.run(BUDGET).reason, "halt");
  assert.equal(cpu.readState().gpr[1], 63n);
  vm.dispose();
});

test("isolation: what a host throws ends the run with its cause, and a new state revives the CPU", () => {
  const thrown = new Error("a device broke");
  const host: CpuHost = {
    ...silentHost(),
    writePort: () => {
      throw thrown;
    },
  };
  const { vm, cpu } = bareGuest((a) => a.inc(dword(0x9000)).out(8, 0x80).hlt(), { all: HOLE }, host);
  const first = cpu.readState();
  const exit = cpu.run(BUDGET);
  assert.ok(exit.reason === "error" && exit.cause === thrown && /a device broke.*RIP/.test(exit.detail));
  assert.equal(cpu.run(BUDGET), exit);
  cpu.writeState(first);
  assert.equal(cpu.run(1).reason, "budget");
  vm.dispose();
});
