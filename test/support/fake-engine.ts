/**
 * An engine that executes scripts instead of x86: each CPU runs a generator, one `yield` is one instruction. It
 * keeps the contract's promises (exact budgets, stop at the next boundary, interrupts only with IF set), so that
 * the machine around it can be tested without a real CPU.
 */
import type {
  AccessSize,
  Cpu,
  CpuHost,
  Engine,
  EngineCounters,
  Exit,
  MemorySpec,
  Vm,
} from "../../src/engine/contract.js";
import { CAPABILITIES } from "../../src/engine/wasm/capabilities.js";
import type { CpuState } from "../../src/x86/cpu-state.js";
import { plainMemory } from "./guest-memory.js";
import { emptyState } from "./states.js";

/** What a script can do besides `yield` (which is one instruction that does nothing). */
export interface ScriptCpu {
  readonly id: number;
  out(port: number, value: number, size?: AccessSize): void;
  in(port: number, size?: AccessSize): number;
  readMmio(address: number, size?: AccessSize): number;
  writeMmio(address: number, value: number, size?: AccessSize): void;
  readMsr(index: number): bigint | undefined;
  writeMsr(index: number, value: bigint): boolean;
  rdtsc(): number;
  /** RFLAGS.IF. */
  setInterrupts(enabled: boolean): void;
}

/** `yield` executes one instruction; `yield "hlt"` halts; "triple-fault" and "error" end the run. */
export type Script = Generator<"hlt" | "triple-fault" | "error" | "self-jump" | void, void, void>;

export interface FakeProgram {
  /** Runs on CPU 0 from power-on, on others from a start-up IPI with its vector. */
  main: (cpu: ScriptCpu, startupVector?: number) => Script;
  /** Runs when an interrupt is taken; interrupts are off until it ends. */
  interrupt?: (cpu: ScriptCpu, vector: number) => void;
}

const RFLAGS_IF = 1n << 9n;

class FakeCpu implements Cpu, ScriptCpu {
  readonly id: number;
  readonly #host: CpuHost;
  readonly #program: FakeProgram;
  #script: Script | undefined;
  #instructions = 0;
  #runStart = 0;
  #stop = false;
  #line = false;
  #nmi = false;
  #interrupts = false;
  #halted = false;
  #waiting = false;
  #spinning = false;
  #state: CpuState = emptyState();

  constructor(id: number, host: CpuHost, program: FakeProgram) {
    this.id = id;
    this.#host = host;
    this.#program = program;
  }

  get instructions(): number {
    return this.#instructions;
  }

  run(budget: number): Exit {
    this.#runStart = this.#instructions;
    this.#stop = false;
    for (let left = budget; left > 0; left--) {
      if (this.#stop) return { reason: "stop" };
      this.#takeInterrupt();
      if (this.#halted) return { reason: "halt", interruptible: this.#interrupts };
      if (this.#waiting) return { reason: "halt", interruptible: false };
      const exit = this.#execute();
      if (exit !== undefined) return exit;
    }
    return { reason: this.#stop ? "stop" : "budget" };
  }

  #execute(): Exit | undefined {
    this.#instructions++;
    if (this.#spinning) return undefined;
    const step = (this.#script as Script).next();
    if (step.done === true || step.value === "hlt") {
      this.#takeInterruptAfterHalt();
      return this.#halted ? { reason: "halt", interruptible: this.#interrupts } : undefined;
    }
    this.#state.rip++;
    if (step.value === "triple-fault") return { reason: "shutdown", detail: "#GP, then #DF" };
    if (step.value === "error") return { reason: "error", detail: "a bug" };
    if (step.value === "self-jump") this.#spinning = true;
    return undefined;
  }

  #takeInterruptAfterHalt(): void {
    this.#halted = true;
    this.#takeInterrupt();
  }

  #takeInterrupt(): void {
    if (this.#nmi) {
      this.#nmi = false;
      this.#halted = false;
      this.#program.interrupt?.(this, 2);
    }
    while (this.#line && this.#interrupts && this.#script !== undefined) {
      const vector = this.#host.acknowledgeInterrupt(this.id);
      if (vector < 0) return;
      this.#halted = false;
      this.#interrupts = false;
      this.#program.interrupt?.(this, vector);
      this.#interrupts = true;
    }
  }

  stop(): void {
    this.#stop = true;
  }

  setInterruptLine(raised: boolean): void {
    this.#line = raised;
  }

  raiseNmi(): void {
    this.#nmi = true;
  }

  readState(): CpuState {
    const state = structuredClone(this.#state);
    state.halted = this.#halted;
    if (this.#interrupts) state.rflags |= RFLAGS_IF;
    return state;
  }

  writeState(state: CpuState): void {
    this.#state = structuredClone(state);
    this.#waiting = state.waitForSipi;
    this.#script = this.#program.main(this);
  }

  init(): void {
    this.#waiting = true;
    this.#halted = false;
    this.#interrupts = false;
    this.#script = undefined;
  }

  startup(vector: number): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#script = this.#program.main(this, vector);
  }

  out(port: number, value: number, size: AccessSize = 1): void {
    this.#host.writePort(this.id, port, size, value);
  }

  in(port: number, size: AccessSize = 1): number {
    return this.#host.readPort(this.id, port, size);
  }

  readMmio(address: number, size: AccessSize = 4): number {
    return this.#host.readMmio(this.id, address, size);
  }

  writeMmio(address: number, value: number, size: AccessSize = 4): void {
    this.#host.writeMmio(this.id, address, size, value);
  }

  readMsr(index: number): bigint | undefined {
    return this.#host.readApicMsr(this.id, index);
  }

  writeMsr(index: number, value: bigint): boolean {
    return this.#host.writeApicMsr(this.id, index, value);
  }

  rdtsc(): number {
    return this.#host.readTsc(this.id, this.#instructions - this.#runStart);
  }

  setInterrupts(enabled: boolean): void {
    this.#interrupts = enabled;
  }
}

/** Makes an engine whose CPUs all run `program`. */
export function createFakeEngine(program: FakeProgram): Engine {
  return {
    name: "fake",
    capabilities: { ...CAPABILITIES, dirtyPages: false, debugging: false, exactState: false, kick: false },
    probe: () => ({ usable: true, detail: "scripts" }),
    createVm(memory: MemorySpec, host: CpuHost): Vm {
      return {
        memory: plainMemory(memory.ranges),
        createCpu: (id: number) => new FakeCpu(id, host, program),
        counters: (): EngineCounters => ({}),
        dispose: () => undefined,
      };
    },
  };
}
