/**
 * The run loop: gives a CPU a slice, files what came back. Synchronous and without a host; time comes from the clock,
 * sleeping is left to the caller. Knows the engine contract, no device.
 *
 * Whose turn it is `turns.ts` says: CPUs share host time in real time, instructions in deterministic time; one that sleeps or
 * waits for a start-up IPI costs nothing. Device time is that of the whole machine: with N CPUs in deterministic mode a clock
 * second is split among them.
 */
import { PageSourceError, type Exit } from "../engine/contract.js";
import type { MachineClock } from "./clock.js";
import type { MachineTrace } from "./accesses.js";
import type { Completions } from "./completions.js";
import type { CpuSlot, SlotWatcher } from "./cpu-slot.js";
import { machineEnd, type MachineEnd } from "./end.js";
import { LONGEST_SLICE_NS, SliceMeter } from "./slice.js";
import { SpinDetector } from "./spin.js";
import type { MachineState } from "./state.js";
import type { TimerQueue } from "./timers.js";
import { Turns } from "./turns.js";
import type { WakeSources } from "./wake.js";

/** How far one CPU gets ahead of another. Real time, ns: long enough that changing over costs little. */
const SHARE_NS = 200_000;
/** The same in deterministic time, instructions. */
const SHARE_INSTRUCTIONS = 20_000;
/** Most that a CPU is charged for one slice, ns: a host that was busy elsewhere is nobody's fault. */
const MOST_CHARGED_NS = 5 * SHARE_NS;
/** PAUSE instructions that end a turn where others have something to do. What a CPU waits for does not come while it runs. */
const PAUSES = 4;

/** What one step of the loop came to. */
export type Step =
  /** A CPU ran `instructions`, or time was skipped and there may be something to run now: 0. */
  | { state: "ran"; instructions: number }
  /** Nothing to run before `until` (ns since power-on), or before input if that is `undefined`. */
  | { state: "idle"; until: number | undefined }
  | { state: "ended"; end: MachineEnd };

/** An exit that a debugger asked for. */
export type DebugExit = Extract<Exit, { reason: "breakpoint" | "watchpoint" }>;

export interface SchedulerOptions {
  slots: readonly CpuSlot[];
  clock: MachineClock;
  timers: TimerQueue;
  /** Told what a triple fault began with; the CPU has nothing more to execute. */
  tripleFault: (detail: string) => void;
  wake: WakeSources;
  completions: Completions;
  /** Told of each run of a CPU. */
  trace?: MachineTrace | undefined;
  /** A CPU came to a breakpoint or a watchpoint. */
  debugExit: (slot: CpuSlot, exit: DebugExit) => void;
}

export class Scheduler implements SlotWatcher {
  readonly #options: SchedulerOptions;
  /** By CPU. */
  readonly #meters: readonly SliceMeter[];
  readonly #turns: Turns;
  readonly #spin: SpinDetector;
  #running: CpuSlot | undefined;
  /** Executed by all CPUs. */
  #instructions = 0;
  #end: MachineEnd | undefined;
  /** The only CPU that runs, where a debugger has said so. Devices and time go on. */
  alone: CpuSlot | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#meters = options.slots.map(() => new SliceMeter(options.clock));
    this.#turns = new Turns(options.clock.deterministic ? SHARE_INSTRUCTIONS : SHARE_NS);
    this.#spin = new SpinDetector(options.slots);
    options.completions.listen(() => this.cut());
    for (const slot of options.slots) {
      slot.watcher = this;
      this.changed(slot);
    }
  }

  get end(): MachineEnd | undefined {
    return this.#end;
  }

  /** What the loop itself remembers, between two steps. */
  save(): Pick<MachineState, "turns" | "sinceLook"> {
    return { turns: this.#turns.save(), sinceLook: this.#spin.sinceLook };
  }

  /** Goes on where `save` left it, after every slot. */
  restore({ turns, sinceLook }: Pick<MachineState, "turns" | "sinceLook">): void {
    const { slots } = this.#options;
    this.#turns.restore(turns, slots);
    this.#spin.sinceLook = sinceLook;
    this.#instructions = slots.reduce((sum, slot) => sum + slot.instructions, 0);
  }

  /** Ends the machine; the first end counts. A run in progress returns at the next instruction. */
  finish(end: MachineEnd): void {
    this.#end ??= end;
    this.cut();
  }

  changed(slot: CpuSlot): void {
    if (slot.status === "ready") this.#turns.arrive(slot);
    else this.#turns.depart(slot);
  }

  /** Whoever interrupts a CPU often waits for its answer: it gets its turn now. */
  interrupted(slot: CpuSlot): void {
    if (slot.running) return;
    this.#turns.interrupt(slot);
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
   * step of no instructions: timers that wake nobody may follow each other for ever. No time is skipped beyond `horizon`.
   */
  step(limit: number, horizon = Infinity): Step {
    const { clock, timers, completions } = this.#options;
    if (this.#end !== undefined) return { state: "ended", end: this.#end };
    if (this.#turns.ready === 0) clock.rest();
    if (!completions.drain(this.#instructions, clock.now())) return { state: "idle", until: undefined };
    timers.fireDue(clock.now());
    if (this.#end !== undefined) return { state: "ended", end: this.#end };
    const turn = this.alone === undefined ? this.#turns.next() : this.#turnOf(this.alone);
    if (turn !== undefined)
      return { state: "ran", instructions: this.#runSlice(turn.slot, turn.fresh, this.#limit(limit)) };
    return this.#idle(horizon) ?? { state: "ran", instructions: 0 };
  }

  #turnOf(slot: CpuSlot): ReturnType<Turns["next"]> {
    return slot.status === "ready" ? { slot, fresh: false } : undefined;
  }

  /** A slice ends where an answer of a replayed run belongs. */
  #limit(limit: number): number {
    const { nextStamp } = this.#options.completions;
    const left = (nextStamp?.instructions ?? Infinity) - this.#instructions;
    return left > 0 ? Math.min(limit, left) : limit;
  }

  #runSlice(slot: CpuSlot, fresh: boolean, limit: number): number {
    const { clock, timers, trace } = this.#options;
    const cpu = slot.cpu;
    const from = trace === undefined ? 0 : clock.now();
    const probing = this.#spin.begin(slot);
    const before = cpu.instructions;
    // Alone it may wait as it likes: for time, or for a device.
    if (fresh) cpu.limitPauses?.(this.#turns.ready > 1 ? PAUSES : 0);
    slot.running = true;
    this.#running = slot;
    clock.beginRun(
      () => cpu.instructions - before,
      (ticks, rate) => cpu.setTimeStamp?.(ticks, rate),
    );
    const meter = this.#meters[slot.id];
    const most = probing ? 1 : Math.min(limit, this.#spin.left);
    const left = this.alone === undefined ? this.#turns.left : Infinity;
    const exit = cpu.run(meter.budget(timers.nextDeadline, most, left));
    const executed = cpu.instructions - before;
    const spent = clock.endRun(executed);
    this.#instructions += executed;
    slot.running = false;
    this.#running = undefined;
    this.#turns.charge(slot, clock.deterministic ? executed : Math.min(spent, MOST_CHARGED_NS));
    if (!clock.deterministic) meter.measured(executed, spent);
    trace?.ran(from, clock.now(), { cpu: slot.id, reason: exit.reason, instructions: executed });
    this.#file(slot, exit);
    slot.settle();
    if (this.#spin.finish(slot, executed)) {
      this.finish(machineEnd("stuck", "jump-to-self", this.#spin.describe(slot)));
    }
    return executed;
  }

  #file(slot: CpuSlot, exit: Exit): void {
    switch (exit.reason) {
      case "budget":
      case "stop":
      case "kick":
        return;
      case "breakpoint":
      case "watchpoint":
        this.#options.debugExit(slot, exit);
        return;
      case "pause":
        if (this.alone === undefined) this.#turns.wait();
        return;
      case "halt":
        slot.status = exit.interruptible ? "sleeping" : "halted";
        return;
      case "shutdown":
        this.#options.tripleFault(exit.detail);
        return;
      case "error":
        if (exit.cause instanceof PageSourceError) throw exit.cause;
        this.finish(machineEnd("crashed", "engine-error", exit.detail));
    }
  }

  /** No CPU can run: skips time, says until when to sleep, or finds that nothing can ever wake the machine. */
  #idle(horizon: number): Step | undefined {
    const { clock, completions } = this.#options;
    const dead = this.#turns.ready === 0 ? this.#nothingWakes() : undefined;
    if (dead !== undefined) return dead;
    const until = this.#nextEvent(horizon);
    // Instruction time stands still while it is waited for an answer, which then always comes at the same place.
    const waits = clock.deterministic && completions.inFlight > 0 && completions.nextStamp === undefined;
    if (until !== undefined && !waits && clock.skipTo(until)) return undefined;
    return { state: "idle", until: waits ? undefined : until };
  }

  /** Ends a machine whose CPUs all sleep where nothing can ever wake one. */
  #nothingWakes(): Step | undefined {
    const { slots, wake, completions } = this.#options;
    if (slots.every((slot) => slot.status !== "sleeping"))
      return this.#halt("interrupts-off", "every CPU is in HLT with interrupts off");
    if (wake.any || completions.nextStamp !== undefined) return undefined;
    return this.#halt(
      "no-wake-source",
      `every CPU is in HLT or MWAIT and nothing can wake it: ${wake.missing()}`,
    );
  }

  /** When something happens to a machine in which every CPU sleeps, ns; `undefined`: when something from outside comes. */
  #nextEvent(horizon: number): number | undefined {
    const { timers, completions } = this.#options;
    const { nextStamp } = completions;
    const stamped = nextStamp?.instructions === this.#instructions ? nextStamp.at : Infinity;
    const next = Math.min(timers.nextDeadline ?? Infinity, stamped, horizon);
    return Number.isFinite(next) ? next : undefined;
  }

  #halt(route: string, reason: string): Step {
    this.finish(machineEnd("halted", route, reason));
    return { state: "ended", end: this.#end as MachineEnd };
  }
}
