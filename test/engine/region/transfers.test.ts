/** Calls, returns and computed jumps that stay in one region: what is computed, and that the region is not left. */
import assert from "node:assert/strict";
import test from "node:test";
import type { CpuHost, JitMode } from "../../../src/engine/contract.js";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import { bareGuest, CODE, silentHost } from "../../isolation/bare-guest.js";
import { addressOf, dword, eax, ebx, ecx, edi, edx, esi, type Assembler } from "../../support/asm/index.js";

const HANDLER = 0x8000;
const VECTOR = 0x20;
const PORT = 0x80;
const MOST = 200_000_000;

interface Outcome {
  registers: readonly bigint[];
  instructions: number;
  counters: Record<string, number>;
}

/** Writes to a port raise the interrupt line until the interrupt is acknowledged. */
function run(program: (a: Assembler) => void, jit: JitMode): Outcome {
  const engine = createWasmEngine({ jit, statistics: { now: () => 0 } });
  const host: CpuHost = {
    ...silentHost(),
    writePort: () => cpu.setInterruptLine(true),
    acknowledgeInterrupt: () => {
      cpu.setInterruptLine(false);
      return VECTOR;
    },
  };
  const { vm, cpu } = bareGuest(program, { all: HANDLER }, host, undefined, engine);
  assert.equal(cpu.run(MOST).reason, "halt");
  const registers = cpu.readState().gpr;
  const counters = vm.counters();
  vm.dispose();
  return { registers, instructions: cpu.instructions, counters };
}

/** Runs a program interpreted and compiled; what the compiler counted. */
function compiled(program: (a: Assembler) => void): Record<string, number> {
  const expected = run(program, "off");
  const { registers, instructions, counters } = run(program, "on");
  assert.deepEqual(registers, expected.registers);
  assert.equal(instructions, expected.instructions);
  assert.ok(counters["instructionsInRegions"] > instructions * 0.8, JSON.stringify(counters));
  return counters;
}

test("R3.10 recursion stays in its region: returns compare with both places that it is called from", () => {
  const CALLS = 100;
  const counters = compiled((a) => {
    a.mov(esi, CALLS).xor(edx, edx);
    a.label("repeat").mov(eax, 20).call("fib").add(edx, eax).dec(esi).jcc("ne", "repeat").hlt();
    a.label("fib").cmp(eax, 2).jcc("b", "done");
    a.push(ebx).mov(ebx, eax).dec(eax).call("fib");
    a.xchg(ebx, eax).sub(eax, 2).call("fib").add(eax, ebx).pop(ebx);
    a.label("done").ret();
  });
  assert.ok(counters["exitsToTarget"] < 100 * CALLS, JSON.stringify(counters));
});

test("R3.10 a computed jump goes on in its region, with flags that its target reads", () => {
  const TURNS = 800_000;
  const CASES = 4;
  const counters = compiled((a) => {
    a.mov(ecx, TURNS).xor(edx, edx).xor(ebx, ebx);
    a.label("again")
      .mov(eax, ecx)
      .and(eax, CASES - 1)
      .add(esi, ecx);
    a.mov(edi, addressOf("table"))
      .mov(edi, dword({ base: edi, index: eax, scale: 4 }))
      .jmpAt(edi);
    a.label("case0").adc(edx, 1).jmp("next");
    a.label("case1").jcc("s", "case2").add(ebx, edx).jmp("next");
    a.label("case2").rcl(edx, 3).jmp("next");
    a.label("case3").sbb(ebx, ecx);
    a.label("next").dec(ecx).jcc("ne", "again").hlt();
    a.label("table");
    for (let i = 0; i < CASES; i++) a.dd(addressOf(`case${i}`));
  });
  assert.ok(counters["exitsToTarget"] < TURNS / 10, JSON.stringify(counters));
});

test("R3.10 control does not come to code behind a branch whose condition never holds", () => {
  const TURNS = 800_000;
  const FAR = 0x11000;
  const counters = compiled((a) => {
    a.mov(ecx, TURNS).xor(edx, edx);
    a.label("again").test(ecx, ecx).jcc("b", "far");
    a.label("back").add(edx, ecx).call("far").dec(ecx).jcc("ne", "again").hlt();
    a.org(FAR).label("far").adc(edx, 1).ret();
  });
  assert.ok(counters["exitsToTarget"] < TURNS / 10, JSON.stringify(counters));
});

test("R3.10 STI stays in its region, unless an interrupt waits: that comes behind the next instruction", () => {
  const TURNS = 800_000;
  const EVERY = 4096;
  const counters = compiled((a) => {
    a.org(HANDLER).inc(edi).iret();
    a.org(CODE).mov(ecx, TURNS).xor(edx, edx).xor(edi, edi);
    a.label("again")
      .test(ecx, EVERY - 1)
      .jcc("ne", "quiet")
      .out(8, PORT);
    // The shadow of STI covers the addition: the handler counts after it.
    a.label("quiet").sti().add(edx, edi).cli().dec(ecx).jcc("ne", "again").hlt();
  });
  const left = counters["exitsToRecord"] + counters["exitsToInterpret"];
  assert.ok(left < (TURNS / EVERY) * 8, JSON.stringify(counters));
});

/** Work of more instructions than a copy may have. */
function longFunction(a: Assembler, name: string): void {
  a.label(name);
  for (let i = 0; i < 30; i++) a.add(edx, eax).adc(ebx, 1);
  a.ret();
}

test("R3.10 a function in another page, called from several places, is part of the region: its returns stay in it", () => {
  const TURNS = 1_000_000;
  const counters = compiled((a) => {
    a.mov(ecx, TURNS).xor(edx, edx).xor(ebx, ebx).mov(eax, 3);
    a.label("again").call("far").inc(eax).call("far").dec(ecx).jcc("ne", "again").hlt();
    a.org(0x13000);
    longFunction(a, "far");
  });
  assert.ok(counters["exitsToTarget"] < TURNS, JSON.stringify(counters));
});

test("R3.10 a call to a computed address stays in the region as long as it leads where it led before", () => {
  const TURNS = 1_000_000;
  const counters = compiled((a) => {
    a.mov(ecx, TURNS).xor(edx, edx).xor(ebx, ebx).mov(eax, 3).mov(edi, addressOf("first"));
    a.label("again").callAt(edi).dec(ecx).jcc("ne", "again");
    a.mov(ecx, 1000).mov(edi, addressOf("second"));
    a.label("other").callAt(edi).dec(ecx).jcc("ne", "other").hlt();
    a.org(0x13000);
    longFunction(a, "first");
    a.org(0x15000);
    longFunction(a, "second");
  });
  assert.ok(counters["exitsToTarget"] < (TURNS * 3) / 4, JSON.stringify(counters));
});
