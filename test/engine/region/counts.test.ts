/** Statistics: what compiled code counts about itself. */
import assert from "node:assert/strict";
import test from "node:test";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import { bareGuest, silentHost } from "../../isolation/bare-guest.js";
import { dword, eax, ecx, edi, type Assembler } from "../../support/asm/index.js";

const DATA = 0x20000;
const HANDLER = 0x8000;
const TURNS = 20_000;
const TURN = 4;
const PAGE = 0x1000;
const REPETITIONS = 100_000;
const LONG_TURNS = 1_000_000;

/** Turns of four instructions, the first of which misses the TLB in every new page. */
function program(a: Assembler): void {
  a.mov(edi, DATA).mov(ecx, TURNS);
  a.label("again").add(dword(edi), eax).add(edi, 16).dec(ecx).jcc("ne", "again");
  a.hlt();
}

function run(statistics?: { now: () => number }): { counters: Record<string, number>; instructions: number } {
  const engine = createWasmEngine({ jit: "on", eager: true, ...(statistics && { statistics }) });
  const { vm, cpu } = bareGuest(program, { all: HANDLER }, silentHost(), undefined, engine);
  assert.equal(cpu.run(1_000_000).reason, "halt");
  const result = { counters: vm.counters(), instructions: cpu.instructions };
  vm.dispose();
  return result;
}

test("R3.10 regions count their instructions and ways out, and the engine the time it compiles", () => {
  let ms = 0;
  const { counters, instructions } = run({ now: () => ms++ });
  assert.equal(instructions, TURNS * TURN + 3);
  const pages = (TURNS * 16) / PAGE;
  assert.ok(counters["exitsToInterpret add.4 m4,a4 mem"] >= pages - 2, JSON.stringify(counters));
  assert.ok(counters["exitsToInterpret"] >= counters["exitsToInterpret add.4 m4,a4 mem"]);
  assert.equal(counters["exitsToTarget"], 0, "there is no computed address");
  assert.equal(counters["exitsToRecord"], 1, "the loop ends once");
  const compiled = counters["instructionsInRegions"];
  assert.ok(compiled > instructions * 0.98 && compiled < instructions, `${compiled} of ${instructions}`);
  assert.equal(compiled + counters["instructionsInterpreted"], instructions);
  assert.ok(counters["compileMs"] > 0);
  assert.ok(counters["slowTranslations"] >= pages);
});

test("R3.10 regions count nothing where nobody asks", () => {
  const { counters } = run();
  assert.ok(counters["regions"] > 0);
  assert.equal(counters["instructionsInRegions"], undefined);
  assert.equal(counters["exitsToInterpret"], undefined);
});

test("R3.10 a loop is compiled though execution was often found before in what the interpreter does of its block", () => {
  const engine = createWasmEngine({ jit: "on", statistics: { now: () => 0 } });
  const longRepetition = (a: Assembler): void => {
    a.mov(edi, DATA).mov(ecx, REPETITIONS).lods(8).rep().scas(8);
    a.mov(ecx, LONG_TURNS);
    a.label("again").add(dword(DATA), eax).dec(ecx).jcc("ne", "again");
    a.hlt();
  };
  const { vm, cpu } = bareGuest(longRepetition, { all: HANDLER }, silentHost(), undefined, engine);
  assert.equal(cpu.run(10 * LONG_TURNS).reason, "halt");
  const compiled = vm.counters()["instructionsInRegions"];
  vm.dispose();
  assert.ok(compiled > LONG_TURNS, `${compiled} of ${cpu.instructions}`);
});
