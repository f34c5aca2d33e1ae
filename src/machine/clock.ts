/**
 * The one source of time of a machine, in its two modes (design §4). *Real*: follows the host's monotonic time, handed
 * in as a function (`paced-clock.ts`). *Deterministic*: executed instructions × a fixed period, plus the idle time that was skipped.
 * Knows no host and no device.
 */
import type { Clock } from "../devices/device.js";
import { NS_PER_SECOND, ticksAt } from "../devices/time/tick-rate.js";
import { TICK_PARTS } from "../engine/contract.js";
import type { PlanClock } from "../boot/plan.js";
import { PacedClock } from "./paced-clock.js";
import type { ClockState } from "./state.js";

/** Is told the TSC at an instruction and what it grows by with each, in parts of a tick. */
export type TimeStampListener = (ticks: number, rate: number) => void;

/** What the run loop needs beyond `now()`. */
export interface MachineClock extends Clock {
  readonly deterministic: boolean;
  /**
   * TSC ticks at this moment. `runInstructions` is what the running CPU has executed in its current `run`.
   * A safe integer that never goes backwards.
   */
  tsc(runInstructions: number): number;
  /**
   * A CPU is about to run; `executed` reports what it has executed since, when asked in the middle. `timeStamp` is told how the
   * TSC goes on from there, if that can be said: see `Cpu.setTimeStamp`.
   */
  beginRun(executed: () => number, timeStamp?: TimeStampListener): void;
  /** A device is about to be accessed, perhaps in the middle of a run. Host time since the run began, ns; 0 when deterministic. */
  beforeAccess(): number;
  /** The run is over and executed exactly `instructions`. Host time that it took, ns; 0 when deterministic. */
  endRun(instructions: number): number;
  /** Instructions that bring the clock to `deadline` at its present pace, at least 1. Between `beginRun` and the run itself. */
  instructionsUntil(deadline: number): number;
  /** No CPU has anything to do until one runs again. */
  rest(): void;
  /** Every CPU sleeps: time may jump to `deadline`. Real time that has nothing to make up cannot jump and answers `false`. */
  skipTo(deadline: number): boolean;
  /** Time that was missed is being made up, and nobody has waited long for it: what comes from outside can wait until then. */
  readonly catchingUp: boolean;
  /** Between runs. */
  save(): ClockState;
}

/**
 * Instruction time. Devices ask in the middle of a run (a PIT latch, a LAPIC count), so the clock asks the CPU
 * how far it is; `readTsc` brings that number along.
 */
class DeterministicClock implements MachineClock {
  readonly deterministic = true;
  readonly catchingUp = false;
  readonly #tscHz: number;
  readonly #nsPerInstruction: number;
  #instructions = 0;
  #skipped = 0;
  #executed: (() => number) | undefined;
  /** Ticks of the TSC an instruction, where that is a whole number; otherwise 0. */
  readonly #ticks: number;

  constructor(tscHz: number, nsPerInstruction: number, from?: ClockState) {
    if (from?.kind === "deterministic") {
      this.#instructions = from.instructions;
      this.#skipped = from.skippedNs;
    }
    if (!(nsPerInstruction > 0) || !Number.isFinite(nsPerInstruction)) {
      throw new RangeError(`nsPerInstruction ${nsPerInstruction}: expected a positive number`);
    }
    this.#tscHz = tscHz;
    this.#nsPerInstruction = nsPerInstruction;
    const ticks = (nsPerInstruction * tscHz) / NS_PER_SECOND;
    this.#ticks = Number.isInteger(nsPerInstruction) && Number.isInteger(ticks) ? ticks : 0;
  }

  now(): number {
    return this.#at(this.#executed === undefined ? 0 : this.#executed());
  }

  tsc(runInstructions: number): number {
    return ticksAt(this.#at(runInstructions), this.#tscHz);
  }

  beginRun(executed: () => number, timeStamp?: TimeStampListener): void {
    this.#executed = executed;
    if (this.#ticks > 0) timeStamp?.(this.tsc(0), this.#ticks * TICK_PARTS);
  }

  beforeAccess(): number {
    return 0;
  }

  endRun(instructions: number): number {
    this.#executed = undefined;
    this.#instructions += instructions;
    return 0;
  }

  instructionsUntil(deadline: number): number {
    const target = Math.ceil((deadline - this.#skipped) / this.#nsPerInstruction);
    return Math.max(1, target - this.#instructions);
  }

  rest(): void {
    // Idle time is skipped.
  }

  skipTo(deadline: number): boolean {
    const missing = deadline - this.now();
    if (missing > 0) this.#skipped += Math.ceil(missing);
    return true;
  }

  save(): ClockState {
    return { kind: "deterministic", instructions: this.#instructions, skippedNs: this.#skipped };
  }

  #at(runInstructions: number): number {
    return Math.floor((this.#instructions + runInstructions) * this.#nsPerInstruction) + this.#skipped;
  }
}

/** A clock that goes on. */
export interface ClockFrom {
  state: ClockState;
  /** Real time that has passed since the state was saved and that the clock makes up, ns. */
  missedNs: number;
}

/**
 * Builds the clock a plan asks for. `hostNow` is the host's monotonic time in nanoseconds (fractions allowed);
 * the deterministic mode never calls it. `from`: of the same kind as the plan's.
 */
export function createClock(plan: PlanClock, hostNow: () => number, from?: ClockFrom): MachineClock {
  if (plan.deterministic !== undefined) {
    return new DeterministicClock(plan.tscHz, plan.deterministic.nsPerInstruction, from?.state);
  }
  return new PacedClock(plan.tscHz, hostNow, from);
}
