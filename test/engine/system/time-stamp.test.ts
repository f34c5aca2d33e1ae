/**
 * The time stamp where the machine says how it grows: RDTSC and RDTSCP read it without asking, the same value interpreted,
 * compiled and checked, however the run is cut.
 */
import { MSR_IA32_TSC_ADJUST as IA32_TSC_ADJUST } from "../../../src/spec/x86-msr.js";
import assert from "node:assert/strict";
import test from "node:test";
import { TICK_PARTS, type Cpu, type CpuHost, type JitMode } from "../../../src/engine/contract.js";
import { createWasmEngine } from "../../../src/engine/wasm/engine.js";
import { bareGuest, silentHost } from "../../isolation/bare-guest.js";
import { dword, eax, ecx, edi, edx, type Assembler } from "../../support/asm/index.js";

const DATA = 0x20000;
const STAMP_BYTES = 8;
const TURNS = 200;
const MOST = 100_000;
const ENGINES: readonly JitMode[] = ["off", "on", "eager", "check"];
/** Two and a half ticks an instruction. */
const RATE = 2.5 * TICK_PARTS;
const START = 2 ** 40 + 1;
/** What the guest adds to the time stamp. */
const ADJUST = -3n;

/** Instructions in front of the loop, of one turn, and of a turn up to the first time stamp and up to the second. */
const [BEFORE, TURN, FIRST, SECOND] = [6, 9, 1, 4];

/** Stores two time stamps a turn. */
function program(a: Assembler): void {
  a.mov(ecx, IA32_TSC_ADJUST)
    .mov(eax, Number(BigInt.asUintN(32, ADJUST)))
    .mov(edx, 0xffffffff)
    .wrmsr();
  a.mov(edi, DATA).mov(ecx, TURNS);
  a.label("again");
  a.rdtsc()
    .mov(dword(edi), eax)
    .mov(dword({ base: edi, disp: 4 }), edx);
  a.rdtsc()
    .mov(dword({ base: edi, disp: 8 }), eax)
    .mov(dword({ base: edi, disp: 12 }), edx);
  a.add(edi, 2 * STAMP_BYTES);
  a.dec(ecx).jcc("ne", "again");
  a.hlt();
}

const asked: CpuHost = { ...silentHost(), readTsc: () => assert.fail("the machine was asked") };

/** The time stamps that the program stores, run in pieces of `piece` instructions. */
function stamps(jit: JitMode, piece: number, host: CpuHost, say: (cpu: Cpu) => void): bigint[] {
  const engine = createWasmEngine({ jit, eager: jit !== "off" });
  const { vm, cpu } = bareGuest(program, { all: DATA - 1 }, host, undefined, engine);
  try {
    say(cpu);
    while (cpu.instructions < MOST && cpu.run(piece).reason === "budget");
    const bytes = vm.memory.read(DATA, 2 * TURNS * STAMP_BYTES);
    return [...new BigUint64Array(bytes.slice().buffer)];
  } finally {
    vm.dispose();
  }
}

test("R6.1 a time stamp grows with each instruction as the machine said, interpreted and compiled, in pieces or at once", () => {
  const expected = Array.from({ length: 2 * TURNS }, (_, i) => {
    const executed = BEFORE + Math.floor(i / 2) * TURN + (i % 2 === 0 ? FIRST : SECOND);
    return BigInt(START + Math.floor(executed * 2.5)) + ADJUST;
  });
  for (const jit of ENGINES) {
    for (const piece of [MOST, 997, 3]) {
      const found = stamps(jit, piece, asked, (cpu) => cpu.setTimeStamp?.(START, RATE));
      assert.deepEqual(found, expected, `${jit}, in pieces of ${piece}`);
    }
  }
});

test("R6.1 a machine that does not say how the time stamp grows is asked for each", () => {
  for (const jit of ENGINES) {
    let ticks = 1000;
    const host: CpuHost = { ...silentHost(), readTsc: () => (ticks += 7) };
    const found = stamps(jit, MOST, host, () => undefined);
    assert.equal(found[0], 1007n + ADJUST, jit);
    found.forEach((stamp, i) => assert.equal(stamp, found[0] + 7n * BigInt(i), jit));
  }
});

test("R3.2 what the machine says in the middle of a run counts from that instruction on", () => {
  const cpus: Cpu[] = [];
  const host: CpuHost = { ...asked, writePort: () => cpus[0].setTimeStamp?.(5_000_000, TICK_PARTS) };
  const { vm, cpu } = bareGuest(
    (a) => {
      for (let i = 0; i < 40; i++) a.nop();
      a.rdtsc().mov(ecx, eax).out(8, 0x80).nop().rdtsc().hlt();
    },
    { all: DATA },
    host,
  );
  try {
    cpus.push(cpu);
    cpu.setTimeStamp?.(100, TICK_PARTS);
    cpu.run(MOST);
    const [rax, rcx] = cpu.readState().gpr;
    assert.deepEqual([rcx, rax], [141n, 5_000_002n]);
  } finally {
    vm.dispose();
  }
});
