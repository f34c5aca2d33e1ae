/**
 * Real time as the machine's clock shows it: one function of the instructions that were executed, whose pace follows
 * the host's clock. Between two looks at the host every instruction takes the same time, so the TSC needs no call, and
 * what the host does meanwhile (other programs, compiling guest code) is not seen as a jump in the middle of a guest's delay:
 * the clock catches up by running faster for a while, on all devices alike. Knows no host and no device.
 *
 * A machine that was away makes up what it missed while it sleeps: time passes at once up to the next timer, so that no guest
 * sees more of it pass than it asked to sleep. While it is awake its time only runs faster, so that no watchdog of it barks.
 *
 * ```
 *  clock │                    ____ HLT: it jumps to the host's time
 *        │              ___,·'
 *        │         _,·'          faster while behind, slower while ahead
 *        │    __,·'| a device was accessed: a step, as long as an access takes
 *        └──────────────────────────────── instructions
 * ```
 */
import { TICK_PARTS } from "../engine/contract.js";
import { NS_PER_SECOND, ticksAt } from "../devices/time/tick-rate.js";
import type { ClockFrom, MachineClock, TimeStampListener } from "./clock.js";
import type { ClockState } from "./state.js";

/** Bounds of what is believed of the time of an instruction, ns. Before anything was measured it is the least: a clock can catch up. */
const SHORTEST_NS = 0.25;
const LONGEST_NS = 100;
/** What was measured changes by these factors at most, so that one look at a busy host says little. */
const MOST_FASTER = 0.8;
const MOST_SLOWER = 1.25;
/** Instructions that a measurement takes. */
const MEASURED_INSTRUCTIONS = 1000;
/** Fewer instructions than this an access of a device say nothing of how long an instruction takes. */
const INSTRUCTIONS_AN_ACCESS = 200;
/** Time that the clock takes to catch up with the host, ns, as long as its pace allows it. */
const CATCH_UP_NS = 2_000_000;
const SLOWEST_PACE = 0.25;
const FASTEST_PACE = 8;
/** What an access of a device takes at most, ns. */
const ACCESS_NS = 1500;
/** Where a clock is about this far behind, ns, accesses and instructions take longer than that, so that it comes to an end. */
const FAR_BEHIND_NS = 200_000_000;
/** So far behind, ns, the machine was stopped, or its host was: nobody waits for that to be made up. */
const STOPPED_NS = 5_000_000_000;

/** What was missed is made up in about so many steps at most by a guest that has nothing to do, each of which costs it an interrupt. */
const MOST_STEPS = 8_000;
/** A guest that asked to sleep for so long, ns, has nothing to do; a shorter sleep is part of some work, and is kept as it is. */
const NOTHING_TO_DO_NS = 50_000_000;
/** How much faster time runs for a guest that is awake, and the longest that counts of a slice, ns. */
const FASTER_AWAKE = 20;
const LONGEST_AWAKE_NS = 2_000_000;
/** How long input waits until a guest has seen the time pass that it missed, ns of the host. */
const LONGEST_WAIT_NS = 10_000_000_000;

function urgency(behind: number): number {
  return (Math.max(0, behind) / FAR_BEHIND_NS) ** 2;
}

/** Most that an access moves a clock on that is so far behind, ns. */
function longestStep(behind: number): number {
  return behind > STOPPED_NS ? behind : ACCESS_NS * (1 + urgency(behind));
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

export class PacedClock implements MachineClock {
  readonly deterministic = false;
  readonly #tscHz: number;
  readonly #hostNow: () => number;
  /** Host time at power-on; earlier for time that was made up. */
  #start: number;
  /** ns since power-on, and the TSC, at the instruction `#anchor` of the run in progress. */
  #time = 0;
  #ticks = 0;
  #anchor = 0;
  /** What an instruction of the run takes: ns, and parts of a tick. */
  #nsEach = SHORTEST_NS;
  #rate = 0;
  #executed: (() => number) | undefined;
  #timeStamp: TimeStampListener | undefined;
  /** No CPU has anything to do: the time is the host's. */
  #resting = true;
  /** Measured time of an instruction, ns. */
  #measuredNs: number | undefined;
  /** Runs too short to measure alone are measured together. */
  #instructions = 0;
  #spent = 0;
  /** Host time at the beginning of the run, and what accesses of devices have added to the clock since. */
  #runStart = 0;
  #stepped = 0;
  #accesses = 0;
  /** What is still to be made up, the least step of it, and the host's time at the last one, ns. */
  #missed = 0;
  readonly #leastStep: number = 0;
  #lastStep = 0;
  /** The host's time at which nobody is kept waiting any more for time that was missed, ns. */
  #patience = 0;

  /** `hostNow`: monotonic, ns, fractions allowed. */
  constructor(tscHz: number, hostNow: () => number, from?: ClockFrom) {
    this.#tscHz = tscHz;
    this.#hostNow = hostNow;
    this.#start = hostNow();
    if (from?.state.kind !== "real") return;
    this.#time = from.state.timeNs;
    this.#ticks = from.state.ticks;
    this.#start -= this.#time;
    this.#missed = from.missedNs;
    this.#leastStep = this.#missed / MOST_STEPS;
    this.#patience = hostNow() + LONGEST_WAIT_NS;
  }

  get catchingUp(): boolean {
    return this.#missed > 0 && this.#hostNow() < this.#patience;
  }

  save(): ClockState {
    return { kind: "real", timeNs: this.now(), ticks: this.tsc(0), missedNs: this.#missed };
  }

  now(): number {
    if (this.#resting) this.#wake(this.#host());
    const executed = this.#executed?.() ?? this.#anchor;
    return Math.floor(this.#time + (executed - this.#anchor) * this.#nsEach);
  }

  tsc(runInstructions: number): number {
    if (this.#executed === undefined) return Math.max(this.#ticks, ticksAt(this.now(), this.#tscHz));
    return this.#ticks + Math.floor(((runInstructions - this.#anchor) * this.#rate) / TICK_PARTS);
  }

  beginRun(executed: () => number, timeStamp?: TimeStampListener): void {
    if (this.#resting) this.#wake(this.#host());
    this.#resting = false;
    if (this.#missed > 0) this.#makeUpAwake();
    const host = this.#host();
    if (host - this.#time > STOPPED_NS) this.#time = host;
    const behind = host - this.#time;
    const pace = clamp(1 + behind / CATCH_UP_NS, SLOWEST_PACE, FASTEST_PACE);
    const each =
      Math.min(LONGEST_NS, (this.#measuredNs ?? SHORTEST_NS) * pace) + LONGEST_NS * urgency(behind);
    const ticks = (each * this.#tscHz) / NS_PER_SECOND;
    this.#rate = Math.max(1, Math.round(ticks * TICK_PARTS));
    this.#nsEach = (this.#rate * NS_PER_SECOND) / (this.#tscHz * TICK_PARTS);
    this.#executed = executed;
    this.#timeStamp = timeStamp;
    this.#runStart = host;
    this.#stepped = 0;
    this.#accesses = 0;
    this.#anchorAt(0);
  }

  beforeAccess(): number {
    if (this.#executed === undefined) return 0;
    this.#accesses++;
    const host = this.#host();
    const executed = this.#executed();
    const behind = host - this.#time - (executed - this.#anchor) * this.#nsEach;
    if (behind > 0) {
      const step = Math.min(behind, longestStep(behind));
      this.#advanceTo(executed);
      this.#time += step;
      this.#stepped += step;
      this.#anchorAt(executed);
    }
    return host - this.#runStart;
  }

  endRun(instructions: number): number {
    this.#advanceTo(instructions);
    this.#anchor = 0;
    this.#executed = undefined;
    this.#timeStamp = undefined;
    const spent = this.#host() - this.#runStart;
    this.#measure(instructions, spent - this.#stepped);
    return spent;
  }

  instructionsUntil(deadline: number): number {
    return Math.max(1, Math.ceil((deadline - this.#time) / this.#nsEach));
  }

  skipTo(deadline: number): boolean {
    if (this.#missed <= 0) return false;
    const sleep = deadline - this.now();
    this.#makeUp(sleep < NOTHING_TO_DO_NS ? sleep : Math.max(sleep, this.#leastStep));
    return true;
  }

  /** Before a slice: the time since the last one counts so many times. */
  #makeUpAwake(): void {
    const awake = Math.min(this.#host() - this.#lastStep, LONGEST_AWAKE_NS);
    this.#makeUp(awake * FASTER_AWAKE);
  }

  /** Lets time pass at once that was missed: `ns` of it, or what is left. */
  #makeUp(ns: number): void {
    const step = Math.min(this.#missed, Math.ceil(Math.max(0, ns)));
    this.#missed -= step;
    this.#start -= step;
    this.#time += step;
    this.#lastStep = this.#host();
  }

  rest(): void {
    this.#resting = true;
  }

  /** Host time since the machine was made, ns. */
  #host(): number {
    return this.#hostNow() - this.#start;
  }

  #wake(host: number): void {
    this.#time = Math.max(this.#time, Math.floor(host));
  }

  /** Moves time and TSC on to an instruction of the run. */
  #advanceTo(executed: number): void {
    this.#ticks = this.tsc(executed);
    this.#time += (executed - this.#anchor) * this.#nsEach;
    this.#anchor = executed;
  }

  /** From this instruction on the TSC goes on from the time; rounding must not take it back. */
  #anchorAt(executed: number): void {
    this.#anchor = executed;
    this.#ticks = Math.max(this.#ticks, ticksAt(Math.floor(this.#time), this.#tscHz));
    this.#timeStamp?.(this.#ticks, this.#rate);
  }

  #measure(instructions: number, spent: number): void {
    if (instructions < this.#accesses * INSTRUCTIONS_AN_ACCESS) return;
    this.#instructions += instructions;
    this.#spent += spent;
    if (this.#instructions < MEASURED_INSTRUCTIONS) return;
    const found = clamp(this.#spent / this.#instructions, SHORTEST_NS, LONGEST_NS);
    const known = this.#measuredNs ?? found;
    this.#measuredNs = clamp(found, known * MOST_FASTER, known * MOST_SLOWER);
    this.#instructions = 0;
    this.#spent = 0;
  }
}
