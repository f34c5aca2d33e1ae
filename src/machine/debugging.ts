/**
 * What a debugger may do with a machine, between two steps: hold its time, look at its CPUs and memory, have it stop somewhere,
 * let one CPU run alone. Knows no debugger's protocol. The guest sees nothing of it but what is written.
 */
import type { GuestMemory, LinearTranslation, Translations, Watchpoint } from "../engine/contract.js";
import type { CpuState } from "../x86/cpu-state.js";
import type { Plan } from "../boot/plan.js";
import type { Board, BoardState } from "./board.js";
import type { CpuSlot, CpuStatus } from "./cpu-slot.js";
import type { MachineEnd } from "./end.js";
import type { HeldTime } from "./held-time.js";
import type { DebugExit, Scheduler } from "./scheduler.js";

/** A CPU came to a breakpoint or a watchpoint. */
export interface DebugStop {
  cpu: number;
  exit: DebugExit;
}

/** What it is made of. */
export interface DebuggingParts {
  slots: readonly CpuSlot[];
  scheduler: Scheduler;
  /** Absent where time is instruction time, which needs no holding. */
  time: HeldTime | undefined;
  memory: GuestMemory;
  board: () => Board;
  plan: Plan;
  finish: (end: MachineEnd) => void;
  /** False where the machine cannot begin again. */
  reset: () => boolean;
}

/** CPUs are numbers from 0. Only where the engine has `capabilities.debugging`. */
export class MachineDebugging {
  readonly #parts: DebuggingParts;
  /** The first of the last step; another CPU that came to one has not passed it and comes to it again. */
  #stop: DebugStop | undefined;

  constructor(parts: DebuggingParts) {
    this.#parts = parts;
  }

  get cpus(): number {
    return this.#parts.slots.length;
  }

  /** Whether time is instruction time. */
  get deterministic(): boolean {
    return this.#parts.time === undefined;
  }

  get plan(): Plan {
    return this.#parts.plan;
  }

  /** What every part would save. */
  parts(): BoardState {
    return this.#parts.board().save();
  }

  /** Ends the machine; the first end counts. */
  finish(end: MachineEnd): void {
    this.#parts.finish(end);
  }

  /** The machine as it was planned, time excepted, as after a reset by the guest; false where it cannot begin again. Between steps only. */
  reset(): boolean {
    return this.#parts.reset();
  }

  get memory(): GuestMemory {
    return this.#parts.memory;
  }

  /** The guest's time stands still until `release`. */
  hold(): void {
    this.#parts.time?.hold();
  }

  release(): void {
    this.#parts.time?.release();
  }

  /** The run loop has come to a stop that was asked for. */
  stopped(slot: CpuSlot, exit: DebugExit): void {
    this.#stop ??= { cpu: slot.id, exit };
  }

  /** What the last step stopped at; once. */
  takeStop(): DebugStop | undefined {
    const stop = this.#stop;
    this.#stop = undefined;
    return stop;
  }

  status(cpu: number): CpuStatus {
    return this.#slot(cpu).status;
  }

  /** Instructions that the CPU has executed since power-on. */
  instructions(cpu: number): number {
    return this.#slot(cpu).instructions;
  }

  state(cpu: number): CpuState {
    return this.#slot(cpu).cpu.readState();
  }

  /** CR8, which is the local APIC's. */
  taskPriority(cpu: number): number {
    return this.#parts.board().apics[this.#slot(cpu).id].readTaskPriority();
  }

  /** Replaces the whole state, which has to be one that the CPU can be in. */
  writeState(cpu: number, state: CpuState): void {
    this.#slot(cpu).cpu.writeState(state);
  }

  translate(cpu: number, linear: bigint): LinearTranslation | undefined {
    return this.#slot(cpu).cpu.translate?.(linear);
  }

  /** Translations that the CPU remembers; undefined where the engine cannot tell. */
  translations(cpu: number): Translations | undefined {
    return this.#slot(cpu).cpu.readTranslations?.();
  }

  readLinear(cpu: number, linear: bigint, length: number): Uint8Array | undefined {
    return this.#slot(cpu).cpu.readLinear?.(linear, length);
  }

  writeLinear(cpu: number, linear: bigint, bytes: Uint8Array): boolean {
    return this.#slot(cpu).cpu.writeLinear?.(linear, bytes) ?? false;
  }

  /** Every CPU stops there from now on. Throws RangeError for a watchpoint over two pages. */
  setStops(breakpoints: readonly bigint[], watchpoints: readonly Watchpoint[]): void {
    for (const { cpu } of this.#parts.slots) {
      cpu.setBreakpoints?.(breakpoints);
      cpu.setWatchpoints?.(watchpoints);
    }
  }

  /** Only this CPU runs; undefined: all that have something to do. Others take no interrupt meanwhile, devices and timers go on. */
  runAlone(cpu: number | undefined): void {
    this.#parts.scheduler.alone = cpu === undefined ? undefined : this.#slot(cpu);
  }

  /** Keeps maskable interrupts from a CPU that has something to do, or no longer. */
  holdInterrupts(cpu: number, held: boolean): void {
    this.#slot(cpu).holdInterrupts(held);
  }

  #slot(cpu: number): CpuSlot {
    const slot = this.#parts.slots.at(cpu);
    if (slot === undefined || cpu < 0) throw new RangeError(`CPU ${cpu}: there are ${this.cpus}`);
    return slot;
  }
}
