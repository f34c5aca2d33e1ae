/**
 * A plan made live: guest memory filled, devices wired, CPUs set to their entry state, and a run loop. Synchronous
 * and without a host: what it needs from outside (time, console) is handed in (design §4a). It never sleeps; it
 * says until when the caller may.
 */
import type { BlockBackend } from "../block/backend.js";
import type { FileBackend } from "../share/file-backend.js";
import type { NetBackend } from "../net/net-backend.js";
import type { Channel } from "../devices/part.js";
import type { PowerEvent } from "../devices/device.js";
import type { CpuSignals } from "../devices/interrupts/lapic-core.js";
import { TEXT_REGISTERS } from "../devices/display/parts.js";
import { FIRMWARE_LOG } from "../devices/serial/parts.js";
import { POWER_BUTTON } from "../devices/power/parts.js";
import { BALLOON_TARGET } from "../devices/virtio/balloon.js";
import { CONSOLE_SIZE } from "../devices/virtio/console.js";
import { FixedSequence } from "../bytes/fixed-sequence.js";
import { PartRegistry } from "../devices/registry.js";
import { PartError } from "../devices/resources.js";
import type { Plan } from "../boot/plan.js";
import type {
  CpuHost,
  Engine,
  EngineCounters,
  EngineEvents,
  FoundWorkingSet,
  GuestMemory,
  Vm,
  WorkingSet,
} from "../engine/contract.js";
import { LEAF } from "../spec/cpuid.js";
import type { CpuState } from "../x86/cpu-state.js";
import { lookUpCpuid } from "../x86/cpuid-table.js";
import { applicationProcessorState } from "../x86/entry-states.js";
import type { AccessTap, AccessWatch, MachineTrace } from "./accesses.js";
import { afterReset, buildBoard, type Board, type BoardContext, type BoardState } from "./board.js";
import { createClock, type MachineClock } from "./clock.js";
import { Completions, type CompletionOptions } from "./completions.js";
import { MachineConsole, type ConsoleEnd } from "./console.js";
import { createCpuHost } from "./cpu-host.js";
import { CpuSlot, type CpuStatus } from "./cpu-slot.js";
import { MachineDebugging } from "./debugging.js";
import { cpuidOf } from "./cpuid.js";
import { debugExitEnd, machineEnd, type MachineEnd } from "./end.js";
import { HeldTime } from "./held-time.js";
import { fillMemory, memoryRanges } from "./fill.js";
import { readScreen, unseenText, type Screen } from "./screen.js";
import { Scheduler, type Step } from "./scheduler.js";
import { TextTrigger } from "./text-trigger.js";
import { SaveError, type MachineState } from "./state.js";
import { TimerQueue } from "./timers.js";
import { WakeSources } from "./wake.js";

export interface MachineOptions {
  plan: Plan;
  engine: Engine;
  console: ConsoleEnd;
  /** The host's monotonic time, ns (fractions allowed). Not called in deterministic mode. */
  hostNow: () => number;
  /** The host's entropy, 32 bits a call. A deterministic machine does not use it; absent: a fixed sequence. */
  random32?: () => number;
  /** 16 random bytes that only this run has, where its time is real. Absent: of `random32`. */
  generation?: Uint8Array;
  /** What a triple fault does; "crash" unless said otherwise. */
  tripleFault?: "crash" | "reset";
  /** Told about instructions that the engine lacks. */
  events?: EngineEvents;
  /** The part types there are; absent: those built in. */
  types?: PartRegistry;
  /** Makes the board; the default makes the plan's parts. Tests watch it, or hand in scripted ones. */
  board?: ((context: BoardContext, states: BoardState) => Board) | undefined;
  /**
   * How often a reset restarts the machine from its plan; the next one ends it. Absent: 0, every reset is an end.
   * The plan's contents must stay as they are while a reset may follow.
   */
  maxResets?: number;
  /** Asked before a restart; `false` makes the reset an end after all. */
  mayRestart?: () => boolean;
  /** Told of every restart, before the machine goes on: how the guest asked for it. */
  onReset?: (route: string) => void;
  /** Told what the machine does; it takes time. */
  trace?: MachineTrace;
  /** Records, or replays, where back ends' answers were delivered; hears of answers while the machine is idle. */
  completions?: CompletionOptions;
  /** The world's ends of named ports. */
  channels?: ReadonlyMap<string, Channel>;
  /** The disks that parts of the plan name (`config.disk`). They stay the caller's: nobody closes them here. */
  disks?: ReadonlyMap<string, BlockBackend>;
  /** The shared folders that parts name (`config.share`), likewise. */
  shares?: ReadonlyMap<string, FileBackend>;
  /** The networks that parts name (`config.net`), likewise; a name that is not there is a cable that is out. */
  nets?: ReadonlyMap<string, NetBackend>;
}

/** A machine that goes on. */
export interface RestoreOptions extends Omit<MachineOptions, "plan"> {
  /** What `save` gave; it may be kept and used again. */
  state: MachineState;
  /** Puts RAM back: every byte is 0 before. */
  fill: (memory: GuestMemory) => void;
  /** What a machine needed first that went on from the same state: where `fill` leaves RAM to be fetched later. */
  workingSet?: WorkingSet;
  /** Real time that has passed since it was saved and that the guest is to see passing, ns. */
  missedNs?: number;
}

type RestoredFrom = Pick<RestoreOptions, "state" | "fill" | "workingSet"> & { missedNs: number };

/** Timers in a row that wake no CPU before `run` comes back: a minute of the fastest. */
const MOST_SKIPS = 1_000_000;
/** 16 bytes, in words of 32 bits. */
const GENERATION_WORDS = 4;

/** Numbers about a run, for `--stats` and `--json`. */
export interface MachineStats {
  /** Instructions executed by all CPUs. */
  instructions: number;
  /** How often the machine was restarted. */
  resets: number;
  /** Time on the machine's clock, ns since power-on. */
  clockNs: number;
  engine: EngineCounters;
}

/** What tells this run from every other. */
function newGeneration(random32: () => number): Uint8Array {
  return new Uint8Array(Uint32Array.from({ length: GENERATION_WORDS }, random32).buffer);
}

/** Every CPU but the first: after reset, waiting for INIT and start-up IPIs. */
export function waitingState(plan: Plan): CpuState {
  const state = applicationProcessorState(lookUpCpuid(plan.cpuid, LEAF.VERSION, 0).eax);
  return { ...state, msrs: { ...state.msrs, ...plan.waitingMsrs } };
}

/**
 * The pins of a CPU as a local APIC drives them. `yieldCpu` ends the slice in progress: whoever interrupts another CPU often
 * waits for its answer.
 */
function cpuSignals(slot: CpuSlot, yieldCpu: () => void): CpuSignals {
  const answerSoon = (): void => {
    if (!slot.running) yieldCpu();
  };
  return {
    interrupt: {
      set: (raised) => {
        slot.setInterruptLine(raised);
        if (raised) answerSoon();
      },
    },
    nmi: () => {
      slot.raiseNmi();
      answerSoon();
    },
    init: () => slot.init(),
    startup: (vector) => {
      slot.startup(vector);
      answerSoon();
    },
  };
}

export class Machine {
  readonly plan: Plan;
  readonly #options: MachineOptions;
  readonly #vm: Vm;
  readonly #slots: readonly CpuSlot[];
  readonly #clock: MachineClock;
  readonly #timers: TimerQueue;
  readonly #console: MachineConsole;
  readonly #wake: WakeSources;
  readonly #completions: Completions;
  readonly #scheduler: Scheduler;
  /** The host's time, as far as this machine has seen it. */
  readonly #time: HeldTime;
  #debugging: MachineDebugging | undefined;
  readonly #context: BoardContext;
  #board: Board;
  /** What the guest was told last; a reset makes its devices new, the terminal stays. */
  #consoleSize: [columns: number, rows: number] | undefined;
  /** How the guest asked for the reset that is to come at the end of the slice. */
  #resetRoute: string | undefined;
  #resets: number;
  readonly #random: FixedSequence;
  readonly #tap: AccessTap = { watch: undefined, interrupt: undefined };

  /**
   * Makes the machine that was saved go on. Throws as the constructor does, and RangeError for a state that cannot be.
   */
  static restore({ state, fill, workingSet, missedNs = 0, ...options }: RestoreOptions): Machine {
    const { plan, tripleFault } = state;
    const from = { state, fill, missedNs, ...(workingSet && { workingSet }) };
    return new Machine({ tripleFault, ...options, plan }, from);
  }

  /**
   * Throws `PlanError` or `PartError` when the plan cannot be made live, `RangeError` when its layout contradicts
   * itself. `from` is `Machine.restore`'s.
   */
  constructor(options: MachineOptions, from?: RestoredFrom) {
    const { plan } = options;
    const state = from?.state;
    this.plan = plan;
    this.#options = options;
    this.#resets = state?.resets ?? 0;
    this.#random = new FixedSequence(state?.random);
    this.#time = new HeldTime(options.hostNow);
    this.#clock = createClock(
      plan.clock,
      this.#time.now,
      from && { state: from.state.clock, missedNs: from.missedNs },
    );
    this.#console = new MachineConsole(options.console, state?.input, () => this.#clock.catchingUp);
    this.#timers = new TimerQueue(() => this.#scheduler.cut());
    const wake = (this.#wake = new WakeSources());
    wake.stand({ possible: () => this.#timers.size > 0, missing: "no timer is armed" });
    wake.stand({ possible: () => this.#console.inputPossible, missing: "no input can come" });
    this.#completions = new Completions(wake, options.completions, state?.requests);
    this.#slots = Array.from(
      { length: plan.cpus },
      (_, id) => new CpuSlot(id, id === 0 ? "ready" : "waiting"),
    );
    this.#scheduler = new Scheduler({
      slots: this.#slots,
      clock: this.#clock,
      timers: this.#timers,
      tripleFault: (detail) => this.#tripleFault(detail),
      wake,
      completions: this.#completions,
      trace: options.trace,
      debugExit: (slot, exit) => this.#debugging?.stopped(slot, exit),
    });
    const random32 = this.#clock.deterministic ? undefined : options.random32;
    const random = random32 ?? ((): number => this.#random.next());
    this.#context = this.#boardContext(
      wake,
      random,
      random32 && (options.generation ?? newGeneration(random32)),
    );
    this.#board = this.#makeBoard(state?.parts ?? {});
    const { trace } = options;
    if (trace !== undefined) {
      this.watchAccesses(undefined);
      this.#tap.interrupt = (cpu, vector) => trace.interrupt(this.#clock.now(), cpu, vector);
    }
    const host = this.#cpuHost(random);
    const memory = { ranges: memoryRanges(plan), cpus: plan.cpus };
    this.#vm = options.engine.createVm(memory, host, options.events);
    for (const slot of this.#slots) slot.attach(this.#vm.createCpu(slot.id, cpuidOf(slot.id, plan.cpuid)));
    if (from === undefined) {
      fillMemory(this.#vm.memory, plan);
      this.#enterCpus();
    } else this.#goOn(from);
  }

  #goOn({ state, fill, workingSet }: RestoredFrom): void {
    fill(this.#vm.memory);
    if (workingSet !== undefined) this.#vm.bringWorkingSet?.(workingSet);
    this.#slots.forEach((slot, id) => slot.restore(state.cpus[id]));
    this.#scheduler.restore(state);
    for (const slot of this.#slots) slot.hearLine();
  }

  /**
   * The whole state but RAM, which `memory` shows, between two steps. What the guest has printed is handed on before. Throws
   * SaveError where the machine has ended, or a back end owes it an answer: then later; PartError for a part that is not saved.
   * `again`: who restores it hands it again what its parts name, so that of that it can have whatever nothing was asked of yet.
   */
  save(again = false): MachineState {
    if (this.end !== undefined) throw new SaveError(`the machine has ended (${this.end.route})`);
    const parts = this.#board.save();
    this.#expectSaved(parts, again);
    const { inFlight, waiting } = this.#completions;
    if (inFlight + waiting > 0)
      throw new SaveError(`${Math.max(inFlight, waiting)} requests to back ends are in flight`);
    this.#console.flush();
    return {
      plan: this.plan,
      tripleFault: this.#options.tripleFault ?? "crash",
      // In real time nobody can tell that they were forgotten, and a restore need not fetch the RAM that they name.
      cpus: this.#slots.map((slot) => slot.save(this.#clock.deterministic)),
      ...this.#scheduler.save(),
      parts,
      clock: this.#clock.save(),
      random: this.#random.state,
      input: this.#console.held,
      requests: this.#completions.ordinals,
      resets: this.#resets,
    };
  }

  #expectSaved(parts: BoardState, again: boolean): void {
    for (const part of this.plan.devices) {
      const why = this.#context.types.get(part.type)?.unsaved?.(part, parts[part.name], again);
      if (why !== undefined)
        throw new PartError(
          part.name,
          why,
          "a machine that is saved whole",
          "Save a machine without this part.",
        );
    }
  }

  /**
   * One step: due timers fire, input is passed on, one CPU runs one slice (about 1 ms at most in real time, at most
   * `limit` instructions), output is handed on. No time is skipped beyond `horizon`, ns on its clock. Cheap enough to look at the
   * outside between two steps.
   */
  step(limit = Infinity, horizon = Infinity): Step {
    this.#console.pump();
    const step = this.#scheduler.step(limit, horizon);
    this.#console.flush();
    if (this.#resetRoute !== undefined) this.#reset();
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

  /**
   * Runs until its clock shows `ns` (`now`), where time is instruction time; it skips no further. Comes back earlier as `run` does.
   */
  runUntil(ns: number): Step {
    let executed = 0;
    for (let skips = 0; this.now() < ns && skips < MOST_SKIPS; skips++) {
      const step = this.step(this.instructionsUntil(ns), ns);
      if (step.state !== "ran") return step;
      if (step.instructions > 0) skips = 0;
      executed += step.instructions;
    }
    return this.end === undefined
      ? { state: "ran", instructions: executed }
      : { state: "ended", end: this.end };
  }

  /**
   * Fetches some more of RAM, where `fill` has left it to be fetched later; whether there is more. Whatever the guest needs is
   * fetched by itself; a host with time to spare calls this.
   */
  fetchMore(blocks: number): boolean {
    return this.#vm.memory.fetchMore?.(blocks) ?? false;
  }

  /** What was needed first of RAM that `fill` left to be fetched later; see `Vm.workingSet`. */
  workingSet(mostBytes: number): FoundWorkingSet | undefined {
    return this.#vm.workingSet?.(mostBytes);
  }

  /** Ends the machine from outside (timeout, signal, a diagnosis). The first end counts. */
  finish(end: MachineEnd): void {
    this.#scheduler.finish(end);
  }

  /**
   * Calls `printed` once the guest's console has shown `text`, in the step in which it does, which then ends right behind the
   * instruction that printed the last byte. Throws RangeError for an empty one.
   */
  whenPrinted(text: string, printed: () => void): void {
    const trigger = new TextTrigger(text);
    this.watchConsole((byte) => {
      const complete = trigger.feed(byte);
      if (complete) printed();
      return complete;
    });
  }

  /**
   * Shows `saw` every byte that the guest's console prints, in the step in which it does; where that gives true, the step ends
   * right behind the instruction that printed it.
   */
  watchConsole(saw: (byte: number) => boolean): void {
    this.#console.onByte((byte) => {
      if (saw(byte)) this.#scheduler.cut();
    });
  }

  /** How it ended; `undefined` while it lives. */
  get end(): MachineEnd | undefined {
    return this.#scheduler.end;
  }

  /** The machine's clock, ns since power-on: what `idle.until` counts in. */
  now(): number {
    return this.#clock.now();
  }

  /** Instructions until the clock shows `ns`, at least 1, where time is instruction time; otherwise nobody knows: Infinity. */
  instructionsUntil(ns: number): number {
    return this.#clock.deterministic ? this.#clock.instructionsUntil(ns) : Infinity;
  }

  /** Whether time is instruction time. */
  get deterministic(): boolean {
    return this.#clock.deterministic;
  }

  /** Guest RAM. */
  get memory(): GuestMemory {
    return this.#vm.memory;
  }

  /** What a debugger does with the machine; undefined where the engine cannot be debugged. */
  debugging(): MachineDebugging | undefined {
    if (!this.#options.engine.capabilities.debugging) return undefined;
    return (this.#debugging ??= new MachineDebugging({
      slots: this.#slots,
      scheduler: this.#scheduler,
      time: this.#clock.deterministic ? undefined : this.#time,
      memory: this.memory,
      board: () => this.#board,
      plan: this.plan,
      finish: (end) => this.finish(end),
      reset: () => this.#resetByDebugger(),
    }));
  }

  /** Architectural state of CPU `id`. */
  cpuState(id: number): CpuState {
    return this.#slots[id].cpu.readState();
  }

  /** What CPU `id` does: it has something to execute, sleeps until an interrupt, sleeps for ever, or waits to be started. */
  cpuStatus(id: number): CpuStatus {
    return this.#slots[id].status;
  }

  /** From now on `watch` is told of every access to a device; undefined: nobody is. */
  watchAccesses(watch: AccessWatch | undefined): void {
    const { trace } = this.#options;
    if (trace === undefined) this.#tap.watch = watch;
    else
      this.#tap.watch = (access) => {
        trace.access(this.#clock.now(), access);
        watch?.(access);
      };
  }

  /** What the screen shows; undefined for a machine without one. */
  screen(): Screen | undefined {
    const text = this.#board.find(TEXT_REGISTERS);
    return text === undefined ? undefined : readScreen(this.memory, text);
  }

  /** A line of what the guest wrote to the screen of a machine without one; undefined if it did not, or there is one. */
  unseenText(): string | undefined {
    return this.#board.find(TEXT_REGISTERS) === undefined ? unseenText(this.memory) : undefined;
  }

  /** What the firmware wrote to its debug console, the last 256 KiB at least; undefined without one. */
  firmwareLog(): string | undefined {
    return this.#board.find(FIRMWARE_LOG)?.();
  }

  /** Presses and releases the power button; false on a machine without one. What happens, the guest decides. */
  pressPowerButton(): boolean {
    const press = this.#board.find(POWER_BUTTON);
    press?.();
    return press !== undefined;
  }

  /** Tells the guest how large its virtio console is, characters and lines, 1 to 65535; false where the machine has none. */
  resizeConsole(columns: number, rows: number): boolean {
    this.#consoleSize = [columns, rows];
    const resize = this.#board.find(CONSOLE_SIZE);
    resize?.(columns, rows);
    return resize !== undefined;
  }

  /** Asks the guest to give away so many pages of 4 KiB in all; false on a machine without a balloon. */
  inflateBalloon(pages: number): boolean {
    const ask = this.#board.find(BALLOON_TARGET);
    ask?.(pages);
    return ask !== undefined;
  }

  /** Executed by all CPUs since power-on, also before the machine was saved and restored. */
  get instructions(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.instructions, 0);
  }

  stats(): MachineStats {
    return {
      instructions: this.instructions,
      resets: this.#resets,
      clockNs: this.#clock.now(),
      engine: this.#vm.counters(),
    };
  }

  /** Frees guest memory. The machine must not be used afterwards. */
  dispose(): void {
    this.#vm.dispose();
  }

  /** The state of every part: plain data. */
  saveParts(): BoardState {
    return this.#board.save();
  }

  /** What parts are connected to. `generation`: see `Wires`. */
  #boardContext(wake: WakeSources, random32: () => number, generation: Uint8Array | undefined): BoardContext {
    const { plan } = this;
    return {
      plan,
      types: this.#options.types ?? new PartRegistry(),
      clock: this.#clock,
      timers: this.#timers,
      cpus: this.#slots.map((slot) => cpuSignals(slot, () => this.#scheduler.cut())),
      power: { request: (event) => this.#power(event) },
      wake,
      completions: this.#completions,
      console: {
        transmit: (byte) => this.#console.transmit(byte),
        receiveReady: () => this.#console.pump(),
        connect: (port) => this.#console.connect(port),
      },
      channels: this.#options.channels,
      disks: this.#options.disks,
      shares: this.#options.shares,
      nets: this.#options.nets,
      random32,
      generation,
      memory: () => this.#vm.memory,
      failed: (what) => this.finish(machineEnd("failed", "device-error", what)),
    };
  }

  /** What the engine calls. */
  #cpuHost(random32: () => number): CpuHost {
    const woken = (cpu: number): void => {
      this.#slots[cpu].wake();
      // Who writes to the line of another CPU often waits for it: it gets its turn now.
      this.#scheduler.cut();
    };
    const accessing = (): void => this.#scheduler.beforeAccess();
    const [clock, tap] = [this.#clock, this.#tap];
    return createCpuHost(() => this.#board, { clock, random32, woken, accessing, tap });
  }

  #makeBoard(states: BoardState): Board {
    return (this.#options.board ?? buildBoard)(this.#context, states);
  }

  /** Every CPU as the plan has it at the first instruction. */
  #enterCpus(): void {
    for (const slot of this.#slots)
      slot.enter(
        slot.id === 0 ? "ready" : "waiting",
        slot.id === 0 ? this.plan.bootCpu : waitingState(this.plan),
      );
  }

  #power(event: PowerEvent): void {
    if (event.kind === "debug-exit") this.finish(debugExitEnd(event.route, event.value));
    else if (event.kind === "off") this.finish(machineEnd("off", event.route));
    else this.#askForReset(event.route);
  }

  #tripleFault(detail: string): void {
    if (this.#options.tripleFault === "reset") this.#askForReset("triple-fault", detail);
    else this.finish(machineEnd("crashed", "triple-fault", detail));
  }

  /** A reset comes at the end of the slice: the device that asked for it is in the middle of an access. */
  #askForReset(route: string, detail?: string): void {
    if (this.end !== undefined || this.#resetRoute !== undefined) return;
    const { maxResets = 0, mayRestart = () => true } = this.#options;
    // What was printed last may be why.
    this.#console.flush();
    if (this.#resets >= maxResets || !mayRestart()) {
      this.finish(machineEnd("reset", route, detail));
      return;
    }
    this.#resetRoute = route;
    this.#scheduler.cut();
  }

  /** The machine as it was planned: new parts, RAM with zeros and what the plan fills, CPUs at their first instruction. */
  #reset(): void {
    const route = this.#resetRoute as string;
    this.#resetRoute = undefined;
    if (this.end !== undefined) return;
    this.#resets++;
    this.#beginAgain(route);
  }

  /** A reset that the guest knows nothing of: it does not count, and is no end. */
  #resetByDebugger(): boolean {
    if (this.end !== undefined || this.#options.mayRestart?.() === false) return false;
    this.#beginAgain("gdb monitor reset");
    return true;
  }

  #beginAgain(route: string): void {
    this.#console.flush();
    const left = afterReset(this.#context, this.#board.save());
    this.#timers.clear();
    this.#completions.clear();
    this.#wake.clear();
    const { memory } = this.#vm;
    for (const { start, size } of memory.ranges) memory.fill(start, size, 0);
    fillMemory(memory, this.plan);
    this.#board = this.#makeBoard(left);
    if (this.#consoleSize !== undefined) this.resizeConsole(...this.#consoleSize);
    this.#enterCpus();
    this.#options.onReset?.(route);
  }
}
