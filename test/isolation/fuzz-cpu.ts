/**
 * Lives of a fuzzed CPU: a random world, run in legs of a fixed number of instructions with events between them,
 * and checks after every run. The same life can be run with its legs cut into other pieces: the outcome must be the
 * same, or the engine's result depends on its host.
 */
import type { Cpu, Engine, Exit, Vm } from "../../src/engine/contract.js";
import { DEFAULT_CPU_FEATURES } from "../../src/x86/cpu-features.js";
import { cpuidTable } from "../../src/x86/cpuid-table.js";
import type { CpuState } from "../../src/x86/cpu-state.js";
import { Random } from "../support/random.js";
import { FuzzHost } from "./fuzz-host.js";
import { stateFaults } from "./fuzz-invariants.js";
import { buildWorld, CODE, CODE_SIZE, registerValue, WORLD_RAM, type World } from "./fuzz-worlds.js";

const LEG = 400;
const LEGS = 40;
/** Runs that execute nothing, in a row, before a leg counts as stuck. */
const MOST_EMPTY_RUNS = 1000;
/** CPUs that run, in turn leg by leg, and one that never does: nothing may change it. */
const RUNNING_CPUS = 2;
const CPUS = RUNNING_CPUS + 1;

/** Seeds of lives, one in each mode. */
export const ONE_LIFE_A_MODE = [1, 23, 3, 4, 5, 6, 14, 25];

/** What happened in a life; equal for equal seeds. */
export interface LifeReport {
  mode: string;
  instructions: number;
  shutdowns: number;
  halts: number;
  accesses: number;
  /** Digest of state and memory at the end. */
  digest: string;
}

/** A broken promise of the engine, with what is needed to see it again. */
export class FuzzFailure extends Error {
  override readonly name = "FuzzFailure";
}

/** How a leg is cut: the budget of its next run. */
export type Cut = (random: Random, rest: number) => number;

/** Pieces of all lengths. */
export const IN_PIECES: Cut = (random, rest) => Math.min(rest, random.pick([1, 2, 3, 20, 100, LEG]));
/** At most one instruction at a time. */
export const ONE_BY_ONE: Cut = () => 1;
/** As much as possible. */
export const WHOLE: Cut = (_random, rest) => rest;

/** What the fuzzed CPUs show. */
export const FUZZ_CPUID = cpuidTable({ features: DEFAULT_CPU_FEATURES, cpus: CPUS, tscHz: 2e9, apicHz: 1e9 });

/** Another state to begin in, made from the world's own. */
export type Craft = (state: CpuState, random: Random) => CpuState;

export function fuzzVm(engine: Engine, host: FuzzHost): { vm: Vm; cpus: Cpu[] } {
  const vm = engine.createVm({ ranges: WORLD_RAM, cpus: CPUS }, host);
  return { vm, cpus: Array.from({ length: CPUS }, (_, id) => vm.createCpu(id, FUZZ_CPUID)) };
}

function plain(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    typeof v === "bigint" ? v.toString(16) : v instanceof Uint8Array ? Buffer.from(v).toString("hex") : v,
  );
}

/** Seeds in a row must not begin alike; the generator takes any but 0. */
function scattered(seed: number): number {
  return Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
}

class Life {
  private readonly random: Random;
  private readonly cutting: Random;
  private readonly host: FuzzHost;
  private readonly vm: Vm;
  private readonly cpus: readonly Cpu[];
  /** The one whose leg it is. */
  private cpu: Cpu;
  private readonly idle: Cpu;
  private readonly idleState: string;
  private readonly world: World;
  private readonly report: LifeReport;

  constructor(
    engine: Engine,
    readonly seed: number,
    private readonly cut: Cut,
    private readonly observe: ((cpu: Cpu, vm: Vm) => void) | undefined,
    private readonly legs: number,
    craft: Craft | undefined,
  ) {
    const [world, cuts, devices] = [1, 2, 3].map((use) => new Random(scattered(4 * seed + use)));
    this.random = world;
    this.cutting = cuts;
    this.host = new FuzzHost(devices);
    const { vm, cpus } = fuzzVm(engine, this.host);
    this.vm = vm;
    this.cpus = cpus.slice(0, RUNNING_CPUS);
    this.idle = cpus[RUNNING_CPUS];
    this.cpu = cpus[0];
    this.host.memory = vm.memory;
    this.world = buildWorld(vm.memory, this.random);
    if (craft !== undefined) this.world.state = craft(this.world.state, this.random);
    for (const cpu of this.cpus) cpu.writeState(this.world.state);
    this.idleState = plain(this.idle.readState());
    this.report = { mode: this.world.mode, instructions: 0, shutdowns: 0, halts: 0, accesses: 0, digest: "" };
  }

  run(): LifeReport {
    try {
      for (let leg = 0; leg < this.legs; leg++) {
        this.cpu = this.host.cpu = this.random.pick(this.cpus);
        this.leg();
        this.between();
      }
      this.checkEnd();
      return this.report;
    } finally {
      this.vm.dispose();
    }
  }

  /** Executed by all CPUs. */
  private get instructions(): number {
    return this.cpus.reduce((sum, cpu) => sum + cpu.instructions, 0);
  }

  /** Exactly `LEG` instructions, in pieces. */
  private leg(): void {
    const end = this.cpu.instructions + LEG;
    let empty = 0;
    while (this.cpu.instructions < end) {
      const before = this.cpu.instructions;
      const budget = this.cut(this.cutting, end - before);
      this.host.before = this.instructions;
      const exit = this.cpu.run(budget);
      const executed = this.cpu.instructions - before;
      this.observe?.(this.cpu, this.vm);
      if (!Number.isInteger(executed) || executed < 0 || executed > budget)
        this.fail(`executed ${executed} of ${budget}`);
      if (exit.reason === "budget" && executed !== budget)
        this.fail(`budget ${budget}, but ${executed} executed`);
      this.file(exit);
      empty = executed === 0 ? empty + 1 : 0;
      if (empty > MOST_EMPTY_RUNS) this.fail("no progress");
    }
    this.checkState();
  }

  private file(exit: Exit): void {
    switch (exit.reason) {
      case "budget":
      case "stop":
      case "pause":
        return;
      case "kick":
      case "breakpoint":
      case "watchpoint":
        return this.fail(`${exit.reason}, which nobody asked for`);
      case "halt":
        this.report.halts++;
        this.checkState();
        return this.wake(exit.interruptible);
      case "shutdown":
        // A task switch may have got as far as half a state before it failed.
        this.report.shutdowns++;
        return this.restart();
      case "error":
        this.fail(exit.cause instanceof Error ? (exit.cause.stack ?? exit.detail) : exit.detail);
    }
  }

  private wake(interruptible: boolean): void {
    const kind = this.random.below(4);
    if (kind < 2 && interruptible) this.host.setLine(true);
    else if (kind < 3) this.cpu.raiseNmi();
    else this.restart();
    if (this.random.below(4) === 0) this.restart();
  }

  /** A new start in the same memory, by INIT and start-up IPI or by a written state. */
  private restart(): void {
    if (this.random.below(4) === 0) {
      this.cpu.init();
      this.cpu.startup(this.random.pick([0x30, 0x31, 0x37, 0x9f, 0xff, 0x00]));
      return;
    }
    const { state, size } = this.world;
    const limit = size === 16 ? 0x8000 : CODE_SIZE;
    const base = state.cs.base === 0n ? CODE : 0;
    const gpr = state.gpr.map((old, i) => (i === 4 ? old : registerValue(this.random)));
    this.cpu.writeState({ ...state, gpr, rip: BigInt(base + this.random.below(limit)) });
  }

  /** Events from outside: they come at the same instruction however the legs were cut. */
  private between(): void {
    const kind = this.random.below(10);
    if (kind < 2) this.host.setLine(!this.host.lineRaised);
    else if (kind === 2) this.cpu.raiseNmi();
    else if (kind === 3) this.host.dma();
    else if (kind === 4) this.roundTrip();
    else if (kind < 8) this.restart();
  }

  /** What was read and is written back is what is read again. */
  private roundTrip(): void {
    const state = this.cpu.readState();
    this.cpu.writeState(state);
    const again = plain(this.cpu.readState());
    if (again !== plain(state)) this.fail(`state changes when written back:\n${plain(state)}\n${again}`);
  }

  private checkState(): void {
    const state = this.cpu.readState();
    const faults = stateFaults(state);
    if (faults.length > 0) this.fail(faults.join("; "), state);
  }

  private checkEnd(): void {
    if (plain(this.idle.readState()) !== this.idleState) this.fail("a CPU that never ran has changed");
    this.report.instructions = this.instructions;
    this.report.accesses = this.host.accesses;
    let hash = 0;
    for (const { start, size } of WORLD_RAM) {
      const words = new Uint32Array(this.vm.memory.read(start, size).buffer);
      for (const word of words) hash = (Math.imul(hash, 31) + word) | 0;
    }
    this.report.digest = `${hash >>> 0} ${plain(this.cpus.map((cpu) => cpu.readState()))}`;
  }

  private fail(what: string, state: CpuState = this.cpu.readState()): never {
    throw new FuzzFailure(
      `life ${this.seed} (${this.world.mode}) CPU ${this.cpu.id} at instruction ${this.cpu.instructions}: ${what}\n${plain({ ...state, fxsave: undefined })}`,
    );
  }
}

/**
 * One life of `legs` × `LEG` instructions. Throws whatever the engine throws, or a `FuzzFailure`. `observe` is
 * called after every run, to find where two lives part. `craft` changes the state that the life begins in.
 */
export function live(
  engine: Engine,
  seed: number,
  cut: Cut = IN_PIECES,
  observe?: (cpu: Cpu, vm: Vm) => void,
  legs = LEGS,
  craft?: Craft,
): LifeReport {
  const life = new Life(engine, seed, cut, observe, legs, craft);
  try {
    return life.run();
  } catch (error) {
    if (error instanceof FuzzFailure) throw error;
    throw new Error(`life ${seed}: the engine threw`, { cause: error });
  }
}
