/**
 * How a machine runs under a debugger: it stands still, goes on, or executes single instructions. All CPUs stop together. Called
 * between slices of the run loop; knows no packet.
 *
 * A single step keeps maskable interrupts and the guest's time from the CPU, as QEMU's does, so that it does not end in a timer's
 * handler each time. Where time is instruction time that would make another run of it: there a step is what comes next.
 */
import type { MachineDebugging } from "../../machine/debugging.js";
import { StopPoints, type StopReason } from "./stop-points.js";

/** What a CPU is to do. */
export type CpuAction =
  | { kind: "continue" }
  /** One instruction; with a range as many as it takes to be outside of it. */
  | { kind: "step"; from?: bigint; to?: bigint };

/** Why the machine stands still again. */
export type Halt = { cpu: number } & ({ why: "step" } | ({ why: "stop" } & StopReason));

/** Bits of what a single step is, numbered as QEMU numbers them. */
export const STEP_BITS = { ENABLE: 1, NOIRQ: 2, NOTIMER: 4 } as const;
const ALL_STEP_BITS = STEP_BITS.ENABLE | STEP_BITS.NOIRQ | STEP_BITS.NOTIMER;

/** The CPU that executes single instructions. */
interface Stepping {
  cpu: number;
  action: Extract<CpuAction, { kind: "step" }>;
  /** What it had executed before. */
  before: number;
}

export class Execution {
  readonly points = new StopPoints();
  readonly #machine: MachineDebugging;
  /** What a single step leaves out: see `STEP_BITS`. */
  stepBits: number;
  #running = true;
  #stepping: Stepping | undefined;

  constructor(machine: MachineDebugging) {
    this.#machine = machine;
    this.stepBits = machine.deterministic ? STEP_BITS.ENABLE : ALL_STEP_BITS;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Instructions that the next slice may have. */
  get limit(): number {
    const stepping = this.#stepping;
    return stepping !== undefined && this.#machine.status(stepping.cpu) === "ready" ? 1 : Infinity;
  }

  /** The machine stands still from now on. */
  halt(): void {
    this.#running = false;
    this.#stopStepping();
    this.#machine.runAlone(undefined);
    this.#machine.hold();
  }

  /** Goes on; a CPU without an action stands still, where the others let it: one runs alone, or all do. */
  resume(actions: readonly (CpuAction | undefined)[]): void {
    this.#applyPoints();
    const active = actions.flatMap((action, cpu) => (action === undefined ? [] : [cpu]));
    this.#machine.runAlone(active.length === 1 && this.#machine.cpus > 1 ? active[0] : undefined);
    this.#running = true;
    const stepper = actions.findIndex((action) => action?.kind === "step");
    const action = actions.at(stepper);
    if (stepper >= 0 && action?.kind === "step") this.#beginStep(stepper, action);
    else this.#machine.release();
  }

  /** The debugger is gone: everything goes on as if it had never been there. */
  letGo(): void {
    this.points.clear();
    this.halt();
    this.resume(Array.from({ length: this.#machine.cpus }, () => ({ kind: "continue" })));
  }

  /** Between slices of a machine that runs: whether it has come to where it is to stand still. */
  look(): Halt | undefined {
    const stop = this.#machine.takeStop();
    const reason = stop && this.points.reason(stop.exit);
    if (stop !== undefined && reason !== undefined) {
      this.halt();
      return { why: "stop", cpu: stop.cpu, ...reason };
    }
    const stepping = this.#stepping;
    if (stepping === undefined || this.#machine.instructions(stepping.cpu) === stepping.before)
      return undefined;
    if (this.#goesOn(stepping)) {
      this.#beginStep(stepping.cpu, stepping.action);
      return undefined;
    }
    this.halt();
    return { why: "step", cpu: stepping.cpu };
  }

  /** Whether a step by a range is still in it. */
  #goesOn({ cpu, action: { from, to } }: Stepping): boolean {
    if (from === undefined || to === undefined) return false;
    const { rip } = this.#machine.state(cpu);
    return rip >= from && rip < to;
  }

  #beginStep(cpu: number, action: Stepping["action"]): void {
    this.#stepping = { cpu, action, before: this.#machine.instructions(cpu) };
    // Who sleeps is woken by nothing but what is kept away.
    const awake = this.#machine.status(cpu) === "ready";
    this.#machine.holdInterrupts(cpu, awake && (this.stepBits & STEP_BITS.NOIRQ) !== 0);
    if (awake && (this.stepBits & STEP_BITS.NOTIMER) !== 0) this.#machine.hold();
    else this.#machine.release();
  }

  #stopStepping(): void {
    if (this.#stepping !== undefined) this.#machine.holdInterrupts(this.#stepping.cpu, false);
    this.#stepping = undefined;
  }

  #applyPoints(): void {
    if (this.points.takeChanged()) this.#machine.setStops(this.points.breakpoints, this.points.watchpoints);
  }
}
