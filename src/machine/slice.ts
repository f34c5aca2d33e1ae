/**
 * How long a CPU may run before somebody looks at the clock, the console and the other CPUs. In real time the
 * engine's speed is measured, on each CPU apart, and the slice sized to end when the next timer is due or the turn is over; in
 * deterministic time the counts of instructions to both are exact. Knows no device, no host and no engine.
 */
import type { MachineClock } from "./clock.js";

/** Longest slice in real time, ns: bounds how late input and stop requests are noticed. */
export const LONGEST_SLICE_NS = 1_000_000;
/** Shortest slice in real time, instructions: below it, looking at the clock would cost more than running. */
const SHORTEST_SLICE = 500;
/** The same where a timer is due, whom a long one would make wait. */
const SHORTEST_TO_TIMER = 100;
/** Slice of a deterministic machine with no timer armed, instructions. */
const DETERMINISTIC_SLICE = 200_000;
/** Speed assumed before the first measurement, instructions per ns. */
const FIRST_GUESS = 0.02;
/** Weight of a new measurement that is faster than expected. */
const SMOOTHING = 0.25;
/** Shorter times than this, ns, say little about speed. */
const SHORTEST_MEASUREMENT_NS = 20_000;

export class SliceMeter {
  readonly #clock: MachineClock;
  #rate = FIRST_GUESS;
  /** Runs too short to measure alone are measured together. */
  #shortInstructions = 0;
  #shortNs = 0;

  constructor(clock: MachineClock) {
    this.#clock = clock;
  }

  /** Measured speed in instructions per ns; meaningless in deterministic mode. */
  get rate(): number {
    return this.#rate;
  }

  /**
   * Instructions of the next slice, at least 1 and at most `limit`. `turn` is what is left of the CPU's turn: instructions when
   * deterministic, otherwise ns.
   */
  budget(nextDeadline: number | undefined, limit: number, turn: number): number {
    const until = nextDeadline === undefined ? Infinity : this.#clock.instructionsUntil(nextDeadline);
    const budget = this.#clock.deterministic
      ? Math.min(DETERMINISTIC_SLICE, until, turn)
      : Math.min(this.#adaptive(turn), Math.max(SHORTEST_TO_TIMER, until));
    return Math.max(1, Math.min(budget, limit));
  }

  /** Learns from a slice that executed `instructions` in `ns`. */
  measured(instructions: number, ns: number): void {
    this.#shortInstructions += instructions;
    this.#shortNs += ns;
    if (this.#shortNs < SHORTEST_MEASUREMENT_NS || this.#shortInstructions === 0) return;
    const rate = this.#shortInstructions / this.#shortNs;
    this.#shortInstructions = 0;
    this.#shortNs = 0;
    // A guest that turns slow (faults, devices) may hold the next slice up only once, not until an average follows.
    this.#rate = rate < this.#rate ? rate : this.#rate + SMOOTHING * (rate - this.#rate);
  }

  #adaptive(turn: number): number {
    return Math.max(SHORTEST_SLICE, Math.floor(Math.min(LONGEST_SLICE_NS, turn) * this.#rate));
  }
}
