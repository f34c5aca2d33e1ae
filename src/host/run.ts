/**
 * Runs a machine to its end: steps it, watches its console for a kernel's last words, sleeps while it is idle.
 * Used inline by tests and tools and inside the worker by the command line; knows no thread and no host API,
 * how to wait and what to poll is handed in.
 */
import { PageSourceError, type FoundWorkingSet, type WorkingSet } from "../engine/contract.js";
import { ConsoleWatch, type ConsoleWatchState } from "../diagnose/console-watch.js";
import { ConsoleTail } from "../diagnose/console-tail.js";
import type { diagnose, Question } from "../diagnose/diagnose.js";
import type { Diagnosis } from "../diagnose/diagnosis.js";
import type { SymbolTable } from "../diagnose/symbols/symbol-table.js";
import { machineEnd, withPanic, type MachineEnd } from "../machine/end.js";
import { screenText, type Screen } from "../machine/screen.js";
import { Machine, type MachineOptions, type MachineStats } from "../machine/machine.js";
import { SaveError } from "../machine/state.js";
import type { ConsoleSize } from "./shared.js";
import { restoreSnapshot, type Snapshot } from "../snapshot/read.js";

const NS_PER_MS = 1e6;

/** Where in a run it is saved. */
export type SnapshotPoint =
  /** Right behind the instruction that prints the last byte of this text on the console. */
  | { kind: "text"; text: string }
  /** After so many instructions of all CPUs since power-on. */
  | { kind: "instructions"; count: number }
  /** Once the machine's clock shows this, ns since power-on. */
  | { kind: "clock"; ns: number };

/** When a run is saved, and how. */
export interface SaveOptions {
  /** Absent: only where `asked` says so. */
  at?: SnapshotPoint;
  /** Looked at between slices: whether somebody wants a snapshot now. */
  asked?: () => boolean;
  /**
   * Saves; may be called several times. What it gives as an end ends the machine. Throws SaveError where that is not possible
   * now: it is called again after the next slice.
   */
  save: (machine: Machine, watch: ConsoleWatchState, why: "point" | "asked") => MachineEnd | undefined;
}

/** A run that goes on where one was saved. */
export interface RestoredRun {
  snapshot: Snapshot;
  /** Real time that the guest is to see passing, ns. */
  missedNs?: number;
  /** RAM is read when it is needed; the snapshot's source stays open and as it is. */
  later?: boolean;
  /** Nor need it be read before: the source stays for as long as the machine. */
  lasts?: boolean;
  /** What a run before this one needed first. */
  workingSet?: WorkingSet;
  /** Told once what this one needed first, when it ends or much else begins to be needed; not where `workingSet` had most of it. */
  keepWorkingSet?: (found: FoundWorkingSet) => void;
}

/** Somebody who may hold a machine and look at it. */
export interface RunDebugger {
  /** Looked at between slices: whether the machine stands still. */
  look(): boolean;
  /** Instructions that the next slice may have. */
  readonly limit: number;
  /** The machine has ended; whether it is kept for a look. Called until it is not. */
  ended(end: MachineEnd): boolean;
  /** The run is to end: nothing is held any more. */
  leave(): void;
}

/** Who is told where the machine is, and why. */
export interface ExplainOptions {
  /** Symbols of the kernel's file. */
  symbols?: () => SymbolTable | undefined;
  /** What looks; undefined while it is being loaded: the run yields until it is there. */
  look: () => typeof diagnose | undefined;
  /** Looked at between slices: whether somebody asks now. */
  asked?: () => boolean;
  /** Told what was found while the machine goes on. */
  found?: (diagnosis: Diagnosis) => void;
  /** Whether the report of this end, after so many resets, is to say why. */
  atEnd: (end: MachineEnd, resets: number) => boolean;
}

export interface RunOptions extends MachineOptions {
  /** Goes on from there; `plan` is its plan. */
  from?: RestoredRun;
  snapshots?: SaveOptions;
  explain?: ExplainOptions;
  /** Stops after exactly this many instructions with the end `timeout`, route "instruction limit". */
  maxInstructions?: number;
  /** Looked at between slices: whether `runInParts` is to come back, so that its caller may wait for something. */
  pause?: () => boolean;
  /** Looked at between slices: whether the machine is to stand still. Whoever has it stand still wakes `wait` when that changes. */
  held?: () => boolean;
  /** Told that it stands still from here on, or goes on: the clock of `hostNow` is to do the same. */
  onHeld?: (held: boolean) => void;
  /** Looked at between slices; an end it returns ends the machine. */
  poll?: () => MachineEnd | undefined;
  /** Looked at between slices: how large the console is, when it has another size. */
  consoleSize?: () => ConsoleSize | undefined;
  /**
   * Blocks until `milliseconds` have passed (fractions allowed, `undefined` is for ever), or something happened
   * that `poll` or the console will show. Coming back early is harmless.
   */
  wait: (milliseconds: number | undefined) => void;
  /** Makes a debugger of the machine, between slices; may be set while it runs. `watch`: of the console so far. */
  debugger?: (machine: Machine, watch: () => ConsoleWatchState) => RunDebugger;
  /** Shown what the screen shows, at most some times a second and only when it has changed. */
  onScreen?: (screen: Screen) => void;
  /** Told once that the guest writes to a screen that the machine does not have, with a line of it. */
  onUnseenText?: (line: string) => void;
  /** Called once, right before the first instruction. */
  onStart?: () => void;
}

/** What a run came to. Plain data. */
export interface RunReport {
  end: MachineEnd;
  stats: MachineStats;
  /** Host time from the first instruction to the end, ms. */
  hostMs: number;
  /** Instructions executed in that time; `stats` has those of before too, where the run goes on from a snapshot. */
  executed: number;
  /** What the screen showed last; absent without a screen. */
  screen?: Screen;
  /** A line of what the guest wrote to a screen that the machine does not have; absent when it did not. */
  unseenText?: string;
  /** What firmware wrote to its debug console; absent without firmware. */
  firmwareLog?: string;
  /** Why it did not go on; absent when nobody asked. */
  diagnosis?: Diagnosis;
  /** The machine ended before it came to the point where it was to be saved. */
  neverSaved?: true;
}

/** Looks between slices whether the run is to be saved. */
class Saver {
  readonly #machine: Machine;
  readonly #options: SaveOptions | undefined;
  readonly #watch: ConsoleWatch;
  #due = false;
  #asked = false;
  #point: SnapshotPoint | undefined;

  constructor(machine: Machine, options: SaveOptions | undefined, watch: ConsoleWatch) {
    this.#machine = machine;
    this.#options = options;
    this.#watch = watch;
    this.#point = options?.at;
    if (this.#point?.kind === "text")
      machine.whenPrinted(this.#point.text, () => {
        if (this.#point !== undefined) this.#due = true;
      });
  }

  /** Whether there is a point that was not come to. */
  get missed(): boolean {
    return this.#point !== undefined;
  }

  /** Whether somebody waits for a snapshot that the machine cannot make yet: it has to go on to come there. */
  get isOwed(): boolean {
    return this.#asked || this.#due;
  }

  /** Instructions until the run is saved, where that is known. */
  get left(): number {
    if (this.#point?.kind === "clock") return this.#machine.instructionsUntil(this.#point.ns);
    return this.#point?.kind === "instructions"
      ? Math.max(0, this.#point.count - this.#machine.instructions)
      : Infinity;
  }

  /** When the machine's clock shows that it is to be saved. */
  get until(): number {
    return this.#point?.kind === "clock" ? this.#point.ns : Infinity;
  }

  look(): void {
    if (this.#options === undefined || this.#machine.end !== undefined) return;
    if (this.left === 0 || this.#machine.now() >= this.until) this.#due = true;
    if (this.#options.asked?.() === true) this.#asked = true;
    if (!this.#due && !this.#asked) return;
    const why = this.#due ? "point" : "asked";
    try {
      const end = this.#options.save(this.#machine, this.#watch.save(), why);
      if (end !== undefined) this.#machine.finish(end);
    } catch (error) {
      if (error instanceof SaveError) return;
      throw error;
    }
    if (this.#due) this.#point = undefined;
    this.#due = this.#asked = false;
  }
}

const SCREEN_INTERVAL_NS = 200 * NS_PER_MS;

/** Looks at the screen now and then; one whose text is the same as before has not changed. */
function screenWatch(machine: Machine, { onScreen, hostNow }: RunOptions): () => void {
  if (onScreen === undefined || machine.screen() === undefined) return () => undefined;
  let next = hostNow();
  let shown = "";
  return () => {
    if (hostNow() < next) return;
    next = hostNow() + SCREEN_INTERVAL_NS;
    const screen = machine.screen();
    if (screen === undefined || screenText(screen) === shown) return;
    shown = screenText(screen);
    onScreen(screen);
  };
}

const UNSEEN_INTERVAL_NS = 1000 * NS_PER_MS;

/** Looks now and then whether the guest writes to a screen that is not there, until it does. */
function unseenTextWatch(machine: Machine, { onUnseenText, hostNow }: RunOptions): () => void {
  if (onUnseenText === undefined || machine.screen() !== undefined) return () => undefined;
  let next = hostNow() + UNSEEN_INTERVAL_NS;
  return () => {
    if (hostNow() < next) return;
    next = hostNow() + UNSEEN_INTERVAL_NS;
    const text = machine.unseenText();
    if (text === undefined) return;
    next = Infinity;
    onUnseenText(text);
  };
}

/** Says where the machine is when somebody asks, and at an end that is to be explained. */
class Explainer {
  readonly tail = new ConsoleTail();
  readonly #machine: Machine;
  readonly #options: ExplainOptions | undefined;
  /** Of an end that came from outside, while the machine still ran. */
  #last: Diagnosis | undefined;

  constructor(machine: Machine, options: ExplainOptions | undefined) {
    this.#machine = machine;
    this.#options = options;
    if (options === undefined) return;
    machine.watchConsole((byte) => {
      this.tail.take(byte);
      return false;
    });
  }

  /** Between two slices; gives what the machine executed while it was looked at, with `watch`. */
  *look(watch: boolean): Generator<void, number> {
    if (this.#options?.asked?.() !== true) return 0;
    const found = yield* this.#diagnose({ watch });
    if (found === undefined) return 0;
    this.#options.found?.(found);
    return found.watched;
  }

  /** Before somebody else ends the machine; `watch`: it may execute a little more. */
  *beforeEnd(end: MachineEnd, watch: boolean): Generator<void, void> {
    if (this.#isExplained(end) && this.#machine.end === undefined)
      this.#last = yield* this.#diagnose({ watch });
  }

  /** Of a machine that has ended. */
  *afterEnd(end: MachineEnd): Generator<void, Diagnosis | undefined> {
    if (this.#last !== undefined || !this.#isExplained(end)) return this.#last;
    return yield* this.#diagnose({ end });
  }

  #isExplained(end: MachineEnd): boolean {
    return this.#options?.atEnd(end, this.#machine.stats().resets) === true;
  }

  *#diagnose(question: Question): Generator<void, Diagnosis | undefined> {
    for (;;) {
      const look = this.#options!.look();
      if (look !== undefined) return this.#found(look, question);
      yield;
    }
  }

  /** Undefined where RAM of a snapshot cannot be read: the guest has not asked for it, and its end stays what it is. */
  #found(look: NonNullable<ReturnType<ExplainOptions["look"]>>, question: Question): Diagnosis | undefined {
    const { resets } = this.#machine.stats();
    const symbols = this.#options!.symbols?.();
    try {
      return look(this.#machine, { ...question, ...(symbols && { symbols }), console: this.tail, resets });
    } catch (error) {
      if (error instanceof PageSourceError) return undefined;
      throw error;
    }
  }
}

/** What is fetched of a restored guest's RAM beside what it asks for: a third of the time of a step, and a millisecond or two. */
const BLOCKS_A_STEP = 12;
const BLOCKS_WHEN_IDLE = 64;

/** Steps the machine until it ended. */
function* stepToEnd(
  machine: Machine,
  options: RunOptions,
  watch: ConsoleWatch,
  { saver, explainer, foresight }: { saver: Saver; explainer: Explainer; foresight: Foresight },
): Generator<void, MachineEnd> {
  let left = options.maxInstructions ?? Infinity;
  const watchScreen = screenWatch(machine, options);
  const watchUnseenText = unseenTextWatch(machine, options);
  let debug: RunDebugger | undefined;
  const fetchMore = (blocks: number): boolean => options.from?.lasts !== true && machine.fetchMore(blocks);
  let stands = false;
  const stand = (held: boolean): void => {
    if (held !== stands) options.onHeld?.(held);
    stands = held;
  };
  for (;;) {
    if (options.pause?.() === true) yield* foresight.pause();
    const asked = options.poll?.();
    if (asked !== undefined) {
      yield* explainer.beforeEnd(asked, debug === undefined);
      machine.finish(asked);
      debug?.leave();
    }
    const size = options.consoleSize?.();
    if (size !== undefined) machine.resizeConsole(size.columns, size.rows);
    if (watch.panicOver) machine.finish(machineEnd("crashed", "panic without reboot", watch.panic));
    saver.look();
    if (left <= 0) {
      const end = machineEnd("timeout", "instruction limit");
      yield* explainer.beforeEnd(end, false);
      machine.finish(end);
    }
    if (options.debugger !== undefined) debug ??= options.debugger(machine, () => watch.save());
    const debugged = debug !== undefined && machine.end === undefined && debug.look();
    stand(machine.end === undefined && options.held?.() === true && !saver.isOwed);
    // What is held, or has breakpoints in it, executes nothing behind its holder's back.
    left -= yield* explainer.look(debug === undefined && !stands);
    if (debugged || stands) {
      options.wait(undefined);
      continue;
    }
    const step = machine.step(Math.min(left, Math.max(1, saver.left), debug?.limit ?? Infinity));
    watchScreen();
    watchUnseenText();
    if (step.state === "ended") {
      if (debug?.ended(step.end) !== true) return step.end;
      options.wait(undefined);
      continue;
    }
    if (step.state === "ran") {
      left -= step.instructions;
      fetchMore(BLOCKS_A_STEP);
    } else if (!fetchMore(BLOCKS_WHEN_IDLE)) {
      const until = Math.min(step.until ?? Infinity, saver.until);
      options.wait(until === Infinity ? undefined : Math.max(0, (until - machine.now()) / NS_PER_MS));
    }
  }
}

function restored(
  { snapshot, missedNs = 0, later = false, workingSet }: RestoredRun,
  options: RunOptions,
): Machine {
  return restoreSnapshot(snapshot, { ...options, missedNs, later, ...(workingSet && { workingSet }) });
}

/** Bytes of RAM in a working set: a short command needs nine million. */
const MOST_FORESEEN = 16 * 2 ** 20;

/** Tells once what a machine needed first. */
class Foresight {
  #keep: RestoredRun["keepWorkingSet"];

  constructor(
    private readonly machine: Machine,
    from: RestoredRun | undefined,
  ) {
    this.#keep = from?.keepWorkingSet;
  }

  /** What is loaded in a pause may be the compiler: behind that nobody can say. */
  *pause(): Generator<void, void> {
    this.keep();
    yield;
  }

  keep(): void {
    const keep = this.#keep;
    this.#keep = undefined;
    const found = keep && this.machine.workingSet(MOST_FORESEEN);
    if (found !== undefined) keep?.(found);
  }
}

/** The machine of the options, whose console `watch` reads. A kernel that gives up ends a step there, wherever a run is cut. */
function makeMachine(options: RunOptions, watch: ConsoleWatch): Machine {
  const { from } = options;
  const canRestart = from === undefined || from.snapshot.about.restarts;
  const made: RunOptions = {
    ...options,
    // A kernel that panicked would only panic again, and why would scroll away.
    mayRestart: () => canRestart && watch.panic === undefined && (options.mayRestart?.() ?? true),
  };
  const machine = from === undefined ? new Machine(made) : restored(from, made);
  machine.watchConsole((byte) => watch.take(byte));
  return machine;
}

/** Makes the machine of `options.plan`, or goes on with that of `from`, runs it until it ends, and frees it. Throws what these do. */
export function runToEnd(options: RunOptions): RunReport {
  const run = runInParts(options);
  for (;;) {
    const part = run.next();
    if (part.done === true) return part.value;
  }
}

/** The same, in parts: yields where `options.pause` says so. Whoever gives up in between has to call `return`. */
export function* runInParts(options: RunOptions): Generator<void, RunReport> {
  const watch = new ConsoleWatch(options.from?.snapshot.watch);
  const machine = makeMachine(options, watch);
  const saver = new Saver(machine, options.snapshots, watch);
  const explainer = new Explainer(machine, options.explain);
  const foresight = new Foresight(machine, options.from);
  try {
    const start = options.hostNow();
    const before = machine.instructions;
    options.onStart?.();
    const end = yield* stepToEnd(machine, options, watch, { saver, explainer, foresight });
    foresight.keep();
    const hostMs = (options.hostNow() - start) / NS_PER_MS;
    const screen = machine.screen();
    // A kernel whose console is the screen says there why it ended.
    if (screen !== undefined) watch.feed(new TextEncoder().encode(`\n${screenText(screen)}\n`));
    const executed = machine.instructions - before;
    const report: RunReport = { end: withPanic(end, watch.panic), stats: machine.stats(), hostMs, executed };
    if (screen !== undefined) report.screen = screen;
    const unseenText = machine.unseenText();
    if (unseenText !== undefined) report.unseenText = unseenText;
    const firmwareLog = machine.firmwareLog();
    if (firmwareLog !== undefined) report.firmwareLog = firmwareLog;
    if (saver.missed) report.neverSaved = true;
    const diagnosis = yield* explainer.afterEnd(report.end);
    if (diagnosis !== undefined) report.diagnosis = diagnosis;
    return report;
  } finally {
    machine.dispose();
  }
}
