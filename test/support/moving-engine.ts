/**
 * An engine around another whose CPUs never stay: before every instruction, or every so many, the whole machine moves to
 * another VM, as state, translations and the pages that were written, and now and then to one that was made a moment before. What runs on it
 * like on the engine itself proves that a state holds all there is. The CPU that a state is written to was left with something
 * in every field, so that nothing of it may survive.
 */
import { FixedSequence } from "../../src/bytes/fixed-sequence.js";
import type {
  Cpu,
  CpuHost,
  Engine,
  EngineCounters,
  Exit,
  GuestMemory,
  MemorySpec,
  Translations,
  Vm,
} from "../../src/engine/contract.js";
import type { CpuidLeaf } from "../../src/x86/cpuid.js";
import type { CpuState } from "../../src/x86/cpu-state.js";

const PAGE = 0x1000;
/** How long a machine moves before every instruction, and how many it executes at once from then on. */
export interface Pace {
  dense: number;
  then: number;
}

/** Moves between two new VMs, and between two copies by `structuredClone`. */
const NEW_EVERY = 997;
const CLONED_EVERY = 7;

/** What is in a CPU that something is moved to. */
function litter(state: CpuState, address: number): CpuState {
  return {
    ...state,
    dr: [1n, 2n, 3n, 4n, 0n, 0n, 0xffff0ff3n, 0x4ffn],
    msrs: { 0xc0000102: 0x1234n, 0x277: 0x0606060606060606n, 0x3b: 77n },
    xcr0: 7n,
    x87Selectors: { code: 1, data: 2 },
    ymmUpper: new Uint8Array(256).fill(0x5a),
    nmiPending: true,
    nmiBlocked: true,
    interruptShadow: "ss",
    interruptTaken: true,
    pendingDebug: 5,
    monitor: { address, waiting: true, wakesOnMasked: true },
    shutdown: "litter",
    halted: false,
    waitForSipi: false,
  };
}

class MovingVm implements Vm {
  readonly memory: GuestMemory;
  private readonly cpus = new Map<number, MovingCpu>();
  private here: Vm;
  private there: Vm;
  private moves = 0;
  private moving = false;
  /** The CPU that runs, and what it had executed in this `run` before its present instruction. */
  private running: MovingCpu | undefined;
  private readonly host: CpuHost;

  constructor(
    private readonly engine: Engine,
    private readonly spec: MemorySpec,
    host: CpuHost,
    private readonly pace: Pace,
  ) {
    const random = new FixedSequence();
    this.host = {
      readPort: (...at) => host.readPort(...at),
      writePort: (...at) => host.writePort(...at),
      readMmio: (...at) => host.readMmio(...at),
      writeMmio: (...at) => host.writeMmio(...at),
      acknowledgeInterrupt: (cpu) => host.acknowledgeInterrupt(cpu),
      readApicMsr: (...at) => host.readApicMsr(...at),
      writeApicMsr: (...at) => host.writeApicMsr(...at),
      readTaskPriority: (cpu) => host.readTaskPriority(cpu),
      writeTaskPriority: (...at) => host.writeTaskPriority(...at),
      readTsc: (cpu, instructions) => host.readTsc(cpu, (this.running?.executedInRun ?? 0) + instructions),
      woken: (cpu) => {
        if (!this.moving) host.woken?.(cpu);
      },
      random32: () => host.random32?.() ?? random.next(),
    };
    this.here = engine.createVm(spec, this.host);
    this.there = engine.createVm(spec, this.host);
    this.memory = this.delegate();
    this.here.memory.markClean?.();
  }

  /** Memory where the machine is now. */
  private delegate(): GuestMemory {
    const now = (): GuestMemory => this.here.memory;
    return {
      ranges: this.spec.ranges,
      contains: (...at) => now().contains(...at),
      view: (...at) => now().view(...at),
      writable: (...at) => now().writable(...at),
      readU8: (at) => now().readU8(at),
      readU16: (at) => now().readU16(at),
      readU32: (at) => now().readU32(at),
      readU64: (at) => now().readU64(at),
      writeU8: (...at) => now().writeU8(...at),
      writeU16: (...at) => now().writeU16(...at),
      writeU32: (...at) => now().writeU32(...at),
      writeU64: (...at) => now().writeU64(...at),
      write: (...at) => now().write(...at),
      read: (...at) => now().read(...at),
      fill: (...at) => now().fill(...at),
    };
  }

  createCpu(id: number, cpuid: readonly CpuidLeaf[]): Cpu {
    const cpu = new MovingCpu(
      id,
      cpuid,
      () => this.move(),
      () => (this.moves < this.pace.dense ? 1 : this.pace.then),
      (running) => (this.running = running),
    );
    cpu.inner = this.here.createCpu(id, cpuid);
    cpu.other = this.there.createCpu(id, cpuid);
    this.cpus.set(id, cpu);
    return cpu;
  }

  private renew(): void {
    this.there.dispose();
    this.there = this.engine.createVm(this.spec, this.host);
    for (const { start, size } of this.spec.ranges)
      this.there.memory.writable(start, size)!.set(this.here.memory.view(start, size)!);
    for (const [id, cpu] of this.cpus) cpu.other = this.there.createCpu(id, cpu.cpuid);
  }

  private move(): void {
    this.moving = true;
    this.moves++;
    if (this.moves % NEW_EVERY === 0) this.renew();
    else
      for (const cpu of this.cpus.values())
        if (cpu.hasState) cpu.other.writeState(cpu.litter(this.spec.ranges[0].start));
    const from = this.here.memory;
    const to = this.there.memory;
    for (const page of from.dirtyPages?.() ?? []) to.writable(page, PAGE)!.set(from.view(page, PAGE)!);
    to.markClean?.();
    for (const cpu of this.cpus.values()) cpu.move(this.moves % CLONED_EVERY === 0);
    [this.here, this.there] = [this.there, this.here];
    this.moving = false;
  }

  counters(): EngineCounters {
    return { ...this.here.counters(), moves: this.moves };
  }

  dispose(): void {
    this.here.dispose();
    this.there.dispose();
  }
}

class MovingCpu implements Cpu {
  inner!: Cpu;
  other!: Cpu;
  /** Executed in this `run`, and before it. */
  executedInRun = 0;
  hasState = false;
  private littered: CpuState | undefined;
  private before = 0;
  private line = false;
  private stopped = false;

  constructor(
    readonly id: number,
    readonly cpuid: readonly CpuidLeaf[],
    private readonly moveAll: () => void,
    private readonly step: () => number,
    private readonly runs: (cpu: MovingCpu | undefined) => void,
  ) {}

  /** What the CPU that is moved to is left with. */
  litter(address: number): CpuState {
    return (this.littered ??= litter(this.inner.readState(), address));
  }

  /** Leaves for the other VM; a CPU without a state stays as it was made. */
  move(cloned: boolean): void {
    if (!this.hasState) return;
    let state = this.inner.readState();
    let translations: Translations | undefined = this.inner.readTranslations?.();
    if (cloned) [state, translations] = structuredClone([state, translations]);
    this.other.setInterruptLine(this.line);
    this.other.writeState(state);
    if (translations) this.other.writeTranslations?.(translations);
    [this.inner, this.other] = [this.other, this.inner];
  }

  run(budget: number): Exit {
    this.stopped = false;
    this.executedInRun = 0;
    this.runs(this);
    try {
      for (;;) {
        this.moveAll();
        const start = this.inner.instructions;
        const exit = this.inner.run(Math.min(this.step(), budget - this.executedInRun));
        this.executedInRun += this.inner.instructions - start;
        if (exit.reason !== "budget" || this.executedInRun >= budget) return exit;
        if (this.stopped) return { reason: "stop" };
      }
    } finally {
      this.runs(undefined);
      this.before += this.executedInRun;
      this.executedInRun = 0;
    }
  }

  get instructions(): number {
    return this.before + this.executedInRun;
  }

  stop(): void {
    this.stopped = true;
    this.inner.stop();
  }

  setInterruptLine(raised: boolean): void {
    this.line = raised;
    this.inner.setInterruptLine(raised);
  }

  raiseNmi(): void {
    this.inner.raiseNmi();
  }

  readState(): CpuState {
    return this.inner.readState();
  }

  writeState(state: CpuState): void {
    this.hasState = true;
    this.inner.writeState(state);
  }

  init(): void {
    this.hasState = true;
    this.inner.init();
  }

  startup(vector: number): void {
    this.inner.startup(vector);
  }
}

/** The engine whose machines move. */
export function movingEngine(engine: Engine, pace: Pace = { dense: Infinity, then: 1 }): Engine {
  return {
    ...engine,
    name: `${engine.name}, moving`,
    createVm: (memory, host) => new MovingVm(engine, memory, host, pace),
  };
}
