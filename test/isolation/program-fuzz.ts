/**
 * Runs random programs on engines side by side: interpreted, compiled at once, compiled and checked. They get the same
 * events at the same instructions and must agree wherever they are stopped.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Cpu, Engine, Vm } from "../../src/engine/contract.js";
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { DEFAULT_CPU_FEATURES } from "../../src/x86/cpu-features.js";
import type { CpuState } from "../../src/x86/cpu-state.js";
import { cpuidTable } from "../../src/x86/cpuid-table.js";
import { Random } from "../support/random.js";
import { silentHost } from "./bare-guest.js";
import { writeProgram, type Program } from "./program-code.js";
import { CODE, COUNTS, TWIN } from "./program-layout.js";
import type { ProgramMode } from "./program-modes.js";
import { COUNTED, IRQ, startState, writeWorld } from "./program-world.js";

const RAM_SIZE = 0x200000;

/** Where a host writes to when a program has no constants. */
const SPARE = 0x70000;

const LEGS = 60;
const LONGEST_LEG = 20_000;
const MEMORY_EVERY = 15;

interface World {
  mode: ProgramMode;
  program: Program;
  twin: Program;
  state: CpuState;
}

function makeWorld(mode: ProgramMode, seed: number): World {
  const shape = (): Random => new Random(seed);
  const program = writeProgram(mode, shape(), new Random(seed + 1));
  const twin = writeProgram(mode, shape(), new Random(seed + 2));
  return { mode, program, twin, state: startState(mode) };
}

function plain(state: CpuState): Record<string, string> {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_key, v: unknown) =>
      typeof v === "bigint" ? v.toString(16) : v instanceof Uint8Array ? Buffer.from(v).toString("hex") : v,
    ) ?? "";
  const registers = state.gpr.map((value, i): [string, string] => [`gpr${i}`, value.toString(16)]);
  return {
    ...Object.fromEntries(registers),
    ...Object.fromEntries(Object.entries(state).map(([k, v]) => [k, text(v)])),
  };
}

/** One engine's machine. */
class Side {
  readonly vm: Vm;
  readonly cpu: Cpu;
  private line = false;

  constructor(engine: Engine, world: World) {
    const host = {
      ...silentHost(),
      acknowledgeInterrupt: (): number => {
        if (!this.line) return -1;
        this.line = false;
        this.cpu.setInterruptLine(false);
        return IRQ;
      },
    };
    this.vm = engine.createVm({ ranges: [{ start: 0, size: RAM_SIZE }] }, host);
    this.cpu = this.vm.createCpu(
      0,
      cpuidTable({ features: DEFAULT_CPU_FEATURES, cpus: 1, tscHz: 1e9, apicHz: 1e9 }),
    );
    writeWorld(world.mode, this.vm.memory, world.program, world.twin);
    this.cpu.writeState(world.state);
  }

  interrupt(): void {
    this.line = true;
    this.cpu.setInterruptLine(true);
  }

  /** Runs exactly so many instructions in pieces; false when the machine has stopped for good. */
  run(instructions: number, piece: (rest: number) => number): boolean {
    const end = this.cpu.instructions + instructions;
    while (this.cpu.instructions < end) {
      const exit = this.cpu.run(piece(end - this.cpu.instructions));
      if (exit.reason === "error") throw new Error(exit.detail, { cause: exit.cause });
      if (exit.reason !== "budget") return false;
    }
    return true;
  }

  memory(): string {
    return createHash("sha1").update(this.vm.memory.read(0, RAM_SIZE)).digest("hex");
  }
}

/** A breakpoint on an instruction, or none: with one a CPU runs by single instructions. */
function setBreakpoint(cpu: Cpu, at: bigint | undefined): void {
  const state = cpu.readState();
  const dr = state.dr.map((old, i) => {
    if (i === 7) return at === undefined ? old & ~1n : old | 1n;
    return i === 0 && at !== undefined ? at : old;
  });
  cpu.writeState({ ...state, dr });
}

/** What happens between two legs. */
function event(random: Random, { program, state }: World): (side: Side) => void {
  const where = random.pick([...program.constants, SPARE]) + random.pick([0, TWIN - CODE]);
  const value = Uint8Array.from({ length: 4 }, () => random.below(128));
  const head = BigInt(random.pick(program.heads));
  switch (random.below(8)) {
    case 0:
    case 1:
      return (side) => side.interrupt();
    case 2:
      return (side) => side.vm.memory.write(where, value);
    case 3:
      return ({ cpu }) => setBreakpoint(cpu, head);
    case 4:
      return ({ cpu }) => {
        const { gpr, cs, ss } = state;
        cpu.writeState({ ...cpu.readState(), rip: BigInt(CODE), gpr, cs, ss });
      };
    default:
      return () => undefined;
  }
}

export interface ProgramReport {
  instructions: number;
  /** Of the engine that checks. */
  counters: Record<string, number>;
  /** What handlers counted, as COUNTED names it. */
  counts: number[];
}

/** One program on all engines; the first is the reference. Throws where another differs. */
export function runProgram(mode: ProgramMode, seed: number, engines: readonly Engine[]): ProgramReport {
  const world = makeWorld(mode, seed);
  const random = new Random(seed + 3);
  const cuts = new Random(seed + 4);
  const sides = engines.map((engine) => new Side(engine, world));
  const [reference] = sides;
  try {
    for (let leg = 0; leg < LEGS; leg++) {
      const length = 1 + random.below(random.pick([20, 300, LONGEST_LEG]));
      const alive = sides.map((side, i) =>
        side.run(length, (rest) => (i === 0 ? Math.min(rest, 1 + cuts.below(500)) : rest)),
      );
      compare(sides, `${mode.name}, seed ${seed}, leg ${leg}`, leg % MEMORY_EVERY === 0);
      // A fault that no handler mends: the program does not do what it was written for.
      assert.ok(
        alive[0],
        `${mode.name}, seed ${seed}, leg ${leg}: stopped at ${reference.cpu.readState().rip}`,
      );
      const change = event(random, world);
      for (const side of sides) {
        setBreakpoint(side.cpu, undefined);
        change(side);
      }
    }
    compare(sides, `${mode.name}, seed ${seed}, at the end`, true);
    const words = new Uint32Array(reference.vm.memory.read(COUNTS, 4 * COUNTED.length).buffer);
    const counters = sides[sides.length - 1].vm.counters();
    return { instructions: reference.cpu.instructions, counters, counts: [...words] };
  } finally {
    for (const { vm } of sides) vm.dispose();
  }
}

function compare([reference, ...others]: readonly Side[], where: string, memory: boolean): void {
  const expected = plain(reference.cpu.readState());
  others.forEach((side, i) => {
    const name = `${where}: engine ${i + 1} after ${reference.cpu.instructions} instructions`;
    assert.deepEqual(plain(side.cpu.readState()), expected, name);
    assert.equal(side.cpu.instructions, reference.cpu.instructions, name);
    if (memory) assert.equal(side.memory(), reference.memory(), `${name}: memory`);
  });
}

/** What many programs did, added up: of the engine that checks, and what handlers counted. */
export type FuzzSum = Record<string, number>;

const SEED_STEP = 7919;

/** Runs programs of a mode interpreted, compiled, and compiled and checked. */
export function runPrograms(mode: ProgramMode, first: number, programs: number): FuzzSum {
  const engines = [
    createWasmEngine({ jit: "off" }),
    createWasmEngine({ jit: "eager" }),
    createWasmEngine({ jit: "check", eager: true, statistics: { now: () => 0 } }),
  ];
  const counted = COUNTED.filter((what) => what !== "others" && (what !== "privileged" || mode.user));
  const sum: FuzzSum = { instructions: 0, inRegions: 0, checked: 0, dropped: 0 };
  for (const what of counted) sum[what] = 0;
  for (let seed = first; seed < first + programs; seed++) {
    const { instructions, counters, counts } = runProgram(mode, seed * SEED_STEP, engines);
    sum["instructions"] += instructions;
    sum["inRegions"] += counters["instructionsInRegions"];
    sum["checked"] += counters["instructionsChecked"];
    sum["dropped"] += counters["regionsDropped"];
    for (const what of counted) sum[what] += counts[COUNTED.indexOf(what)];
  }
  return sum;
}
