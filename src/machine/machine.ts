/**
 * A plan made live: guest memory filled, devices wired, CPUs set to their entry state, and a run loop. Synchronous
 * and without a host: what it needs from outside (time, console) is handed in (design §4a). It never sleeps; it
 * says until when the caller may.
 */
import type { PowerControl, PowerEvent } from "../devices/device.js";
import type { Plan } from "../boot/plan.js";
import type { Engine, EngineCounters, EngineEvents, GuestMemory, Vm } from "../engine/contract.js";
import { LEAF } from "../spec/cpuid.js";
import type { CpuState } from "../x86/cpu-state.js";
import { lookUpCpuid } from "../x86/cpuid-table.js";
import { applicationProcessorState } from "../x86/entry-states.js";
import type { Board } from "./board.js";
import { createClock, type MachineClock } from "./clock.js";
import { MachineConsole, type ConsoleEnd } from "./console.js";
import { createCpuHost } from "./cpu-host.js";
import { CpuSlot } from "./cpu-slot.js";
import { cpuidOf } from "./cpuid.js";
import { debugExitEnd, machineEnd, type MachineEnd } from "./end.js";
import { fillMemory, memoryRanges } from "./fill.js";
import { readScreen, unseenText, type Screen } from "./screen.js";
import { Scheduler, type Step } from "./scheduler.js";
import { TimerQueue } from "./timers.js";
import { wireBoard } from "./wiring.js";

/** What the wiring gets to build a board from. */
export interface BoardContext {
  plan: Plan;
  clock: MachineClock;
  timers: TimerQueue;
  slots: readonly CpuSlot[];
  power: PowerControl;
  console: MachineConsole;
  /** Guest memory; there once the devices are wired. */
  memory: () => GuestMemory;
  /** Ends the slice in progress, so that another CPU gets its turn. */
  yieldCpu: () => void;
}

export interface MachineOptions {
  plan: Plan;
  engine: Engine;
  console: ConsoleEnd;
  /** The host's monotonic time, ns (fractions allowed). Not called in deterministic mode. */
  hostNow: () => number;
  /** The host's entropy, 32 bits a call. A deterministic machine does not use it; absent: a fixed sequence. */
  random32?: () => number;
  /** What a triple fault does; "crash" unless said otherwise. */
  tripleFault?: "crash" | "reset";
  /** Told about instructions that the engine lacks. */
  events?: EngineEvents;
  /** Builds the devices; the default wires the real ones. Tests hand in scripted boards. */
  wire?: ((context: BoardContext) => Board) | undefined;
}

/** Timers in a row that wake no CPU before `run` comes back: a minute of the fastest. */
const MOST_SKIPS = 1_000_000;

/** Numbers about a run, for `--stats` and `--json`. */
export interface MachineStats {
  /** Instructions executed by all CPUs. */
  instructions: number;
  /** Time on the machine's clock, ns since power-on. */
  clockNs: number;
  engine: EngineCounters;
}

/** Every CPU but the first: after reset, waiting for INIT and start-up IPIs. */
function waitingState(plan: Plan): CpuState {
  const state = applicationProcessorState(lookUpCpuid(plan.cpuid, LEAF.VERSION, 0).eax);
  return { ...state, msrs: { ...state.msrs, ...plan.waitingMsrs } };
}

export class Machine {
  readonly plan: Plan;
  readonly #vm: Vm;
  readonly #slots: readonly CpuSlot[];
  readonly #clock: MachineClock;
  readonly #console: MachineConsole;
  readonly #scheduler: Scheduler;
  readonly #board: Board;

  /** Throws `PlanError` when the plan cannot be made live, `RangeError` when its layout contradicts itself. */
  constructor(options: MachineOptions) {
    const { plan } = options;
    this.plan = plan;
    this.#clock = createClock(plan.clock, options.hostNow);
    this.#console = new MachineConsole(options.console);
    const timers = new TimerQueue(() => this.#scheduler.cut());
    this.#slots = Array.from(
      { length: plan.cpus },
      (_, id) => new CpuSlot(id, id === 0 ? "ready" : "waiting"),
    );
    this.#scheduler = new Scheduler({
      slots: this.#slots,
      clock: this.#clock,
      timers,
      tripleFault: options.tripleFault ?? "crash",
      inputPossible: () => this.#console.inputPossible,
    });
    const board = (options.wire ?? wireBoard)({
      plan,
      clock: this.#clock,
      timers,
      slots: this.#slots,
      power: { request: (event) => this.#power(event) },
      console: this.#console,
      memory: () => this.#vm.memory,
      yieldCpu: () => this.#scheduler.cut(),
    });
    this.#board = board;
    if (board.serial !== undefined) this.#console.connect(board.serial);
    const random32 = this.#clock.deterministic ? undefined : options.random32;
    const woken = (cpu: number): void => {
      this.#slots[cpu].wake();
      // Who writes to the line of another CPU often waits for it: it gets its turn now.
      this.#scheduler.cut();
    };
    const host = createCpuHost(board, this.#clock, random32, woken, () => this.#scheduler.beforeAccess());
    this.#vm = options.engine.createVm({ ranges: memoryRanges(plan) }, host, options.events);
    fillMemory(this.#vm.memory, plan);
    for (const slot of this.#slots) {
      slot.attach(this.#vm.createCpu(slot.id, cpuidOf(slot.id, plan.cpuid)));
      slot.cpu.writeState(slot.id === 0 ? plan.bootCpu : waitingState(plan));
    }
  }

  /**
   * One step: due timers fire, input is passed on, one CPU runs one slice (about 1 ms at most in real time, at most
   * `limit` instructions), output is handed on. Cheap enough to look at the outside between two steps.
   */
  step(limit = Infinity): Step {
    this.#console.pump();
    const step = this.#scheduler.step(limit);
    this.#console.flush();
    return step;
  }

  /**
   * Runs until `instructions` were executed, the machine ended, there is nothing to do before some time, or every
   * CPU slept through `MOST_SKIPS` timers. Exact in both modes: never executes more than `instructions`.
   */
  run(instructions: number): Step {
    let left = instructions;
    for (let skips = 0; skips < MOST_SKIPS; skips++) {
      const step = this.step(left);
      if (step.state !== "ran") return step;
      if (step.instructions > 0) skips = 0;
      left -= step.instructions;
      if (left <= 0) break;
    }
    return { state: "ran", instructions: instructions - left };
  }

  /** Ends the machine from outside (timeout, signal, a diagnosis). The first end counts. */
  finish(end: MachineEnd): void {
    this.#scheduler.finish(end);
  }

  /** How it ended; `undefined` while it lives. */
  get end(): MachineEnd | undefined {
    return this.#scheduler.end;
  }

  /** The machine's clock, ns since power-on: what `idle.until` counts in. */
  now(): number {
    return this.#clock.now();
  }

  /** Whether time is instruction time. */
  get deterministic(): boolean {
    return this.#clock.deterministic;
  }

  /** Guest RAM. */
  get memory(): GuestMemory {
    return this.#vm.memory;
  }

  /** Architectural state of CPU `id`. */
  cpuState(id: number): CpuState {
    return this.#slots[id].cpu.readState();
  }

  /** What the screen shows; undefined for a machine without one. */
  screen(): Screen | undefined {
    const { text } = this.#board;
    return text === undefined ? undefined : readScreen(this.memory, text);
  }

  /** A line of what the guest wrote to the screen of a machine without one; undefined if it did not, or there is one. */
  unseenText(): string | undefined {
    return this.#board.text === undefined ? unseenText(this.memory) : undefined;
  }

  /** What the firmware wrote to its debug console, the last 256 KiB at least; undefined without one. */
  firmwareLog(): string | undefined {
    return this.#board.firmwareLog?.();
  }

  stats(): MachineStats {
    return {
      instructions: this.#slots.reduce((sum, slot) => sum + slot.cpu.instructions, 0),
      clockNs: this.#clock.now(),
      engine: this.#vm.counters(),
    };
  }

  /** Frees guest memory. The machine must not be used afterwards. */
  dispose(): void {
    this.#vm.dispose();
  }

  #power(event: PowerEvent): void {
    if (event.kind === "debug-exit") this.finish(debugExitEnd(event.route, event.value));
    else this.finish(machineEnd(event.kind, event.route));
  }
}
