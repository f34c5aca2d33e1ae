/**
 * The run loop: picks the next CPU, gives it a slice, files what came back. Synchronous and without a host; time
 * comes from the clock, sleeping is left to the caller. Knows the engine contract, no device.
 *
 * Several CPUs run in round robin; one in HLT or waiting for a start-up IPI is passed over. Device time is that
 * of the whole machine: with N CPUs in deterministic mode a clock second is split among them.
 */
import type { MachineClock } from "./clock.js";
import type { CpuSlot } from "./cpu-slot.js";
import { machineEnd, type MachineEnd } from "./end.js";
import { LONGEST_SLICE_NS, SliceMeter } from "./slice.js";
import { SpinDetector } from "./spin.js";
import type { TimerQueue } from "./timers.js";

/** What one step of the loop came to. */
export type Step =
  /** A CPU ran `instructions`, or time was skipped and there may be something to run now: 0. */
  | { state: "ran"; instructions: number }
  /** Nothing to run before `until` (ns since power-on), or before input if that is `undefined`. */
  | { state: "idle"; until: number | undefined }
  | { state: "ended"; end: MachineEnd };

export interface SchedulerOptions {
  slots: readonly CpuSlot[];
  clock: MachineClock;
  timers: TimerQueue;
  /** Told what a triple fault began with; the CPU has nothing more to execute. */
  tripleFault: (detail: string) => void;
  /** Whether something outside the machine can still wake it. */
  inputPossible: () => boolean;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #meter: SliceMeter;
  readonly #spin: SpinDetector;
  #next = 0;
  #running: CpuSlot | undefined;
  #end: MachineEnd | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#meter = new SliceMeter(options.clock, options.slots.length);
    this.#spin = new SpinDetector(options.slots);
  }

  get end(): MachineEnd | undefined {
    return this.#end;
  }

  /** Ends the machine; the first end counts. A run in progress returns at the next instruction. */
  finish(end: MachineEnd): void {
    this.#end ??= end;
    this.cut();
  }

  /** Makes the slice in progress return: an earlier timer was armed, or another CPU got an IPI. */
  cut(): void {
    this.#running?.stop();
  }

  /** A device is about to be accessed, which takes time: the slice in progress may be over sooner than its instructions are. */
  beforeAccess(): void {
    const { clock, timers } = this.#options;
    const spent = clock.beforeAccess();
    if (spent === 0) return;
    if (spent > LONGEST_SLICE_NS || clock.now() >= (timers.nextDeadline ?? Infinity)) this.cut();
  }

  /**
   * One decision and at most one slice of at most `limit` instructions. Due timers fire first. Skipped time is a
   * step of no instructions: timers that wake nobody may follow each other for ever.
   */
  step(limit: number): Step {
    const { clock, timers } = this.#options;
    if (this.#end !== undefined) return { state: "ended", end: this.#end };
    if (!this.#options.slots.some(({ status }) => status === "ready")) clock.rest();
    timers.fireDue(clock.now());
    if (this.#end !== undefined) return { state: "ended", end: this.#end };
    const slot = this.#pick();
    if (slot !== undefined) return { state: "ran", instructions: this.#runSlice(slot, limit) };
    return this.#idle() ?? { state: "ran", instructions: 0 };
  }

  /** The next CPU with something to do, in round robin. */
  #pick(): CpuSlot | undefined {
    const { slots } = this.#options;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[(this.#next + i) % slots.length];
      if (slot.status === "ready") {
        this.#next = (slot.id + 1) % slots.length;
        return slot;
      }
    }
    return undefined;
  }

  #runSlice(slot: CpuSlot, limit: number): number {
    const { clock, timers } = this.#options;
    const cpu = slot.cpu;
    const probing = this.#spin.begin(slot);
    const before = cpu.instructions;
    slot.running = true;
    this.#running = slot;
    clock.beginRun(
      () => cpu.instructions - before,
      (ticks, rate) => cpu.setTimeStamp?.(ticks, rate),
    );
    const exit = cpu.run(probing ? 1 : this.#meter.budget(timers.nextDeadline, limit));
    const executed = cpu.instructions - before;
    const spent = clock.endRun(executed);
    slot.running = false;
    this.#running = undefined;
    if (!clock.deterministic) this.#meter.measured(executed, spent);
    this.#file(slot, exit);
    slot.settle();
    if (this.#spin.finish(slot, executed)) {
      this.finish(machineEnd("stuck", "jump-to-self", this.#spin.describe(slot)));
    }
    return executed;
  }

  #file(slot: CpuSlot, exit: ReturnType<CpuSlot["cpu"]["run"]>): void {
    switch (exit.reason) {
      case "budget":
      case "stop":
      case "kick":
      case "breakpoint":
      case "watchpoint":
        return;
      case "halt":
        slot.status = exit.interruptible ? "sleeping" : "halted";
        return;
      case "shutdown":
        this.#options.tripleFault(exit.detail);
        return;
      case "error":
        this.finish(machineEnd("crashed", "engine-error", exit.detail));
    }
  }

  /** No CPU can run: skips time, says until when to sleep, or finds that nothing can ever wake the machine. */
  #idle(): Step | undefined {
    const { clock, timers, slots } = this.#options;
    if (slots.every((slot) => slot.status !== "sleeping")) {
      return this.#halt("interrupts-off", "every CPU is in HLT with interrupts off");
    }
    const deadline = timers.nextDeadline;
    if (deadline === undefined) {
      if (this.#options.inputPossible()) return { state: "idle", until: undefined };
      return this.#halt("no-wake-source", "every CPU is in HLT, no timer is armed and no input can come");
    }
    if (clock.skipTo(deadline)) return undefined;
    return { state: "idle", until: deadline };
  }

  #halt(route: string, reason: string): Step {
    this.finish(machineEnd("halted", route, reason));
    return { state: "ended", end: this.#end as MachineEnd };
  }
}
