/**
 * Runs a machine to its end: steps it, watches its console for a kernel's last words, sleeps while it is idle.
 * Used inline by tests and tools and inside the worker by the command line; knows no thread and no host API,
 * how to wait and what to poll is handed in.
 */
import { ConsoleWatch } from "../diagnose/console-watch.js";
import type { ConsoleEnd } from "../machine/console.js";
import { machineEnd, withPanic, type MachineEnd } from "../machine/end.js";
import { screenText, type Screen } from "../machine/screen.js";
import { Machine, type MachineOptions, type MachineStats } from "../machine/machine.js";

const NS_PER_MS = 1e6;

export interface RunOptions extends MachineOptions {
  /** Stops after exactly this many instructions with the end `timeout`, route "instruction limit". */
  maxInstructions?: number;
  /** Looked at between slices; an end it returns ends the machine. */
  poll?: () => MachineEnd | undefined;
  /**
   * Blocks until `milliseconds` have passed (fractions allowed, `undefined` is for ever), or something happened
   * that `poll` or the console will show. Coming back early is harmless.
   */
  wait: (milliseconds: number | undefined) => void;
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
  /** What the screen showed last; absent without a screen. */
  screen?: Screen;
  /** A line of what the guest wrote to a screen that the machine does not have; absent when it did not. */
  unseenText?: string;
  /** What firmware wrote to its debug console; absent without firmware. */
  firmwareLog?: string;
}

/** Feeds what the guest prints to the watcher on its way out. */
function watchedConsole(outside: ConsoleEnd, watch: ConsoleWatch): ConsoleEnd {
  return {
    write(bytes) {
      watch.feed(bytes);
      outside.write(bytes);
    },
    read: (limit) => outside.read(limit),
    inputOpen: () => outside.inputOpen(),
  };
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

/** Steps the machine until it ended. */
function stepToEnd(machine: Machine, options: RunOptions, watch: ConsoleWatch): MachineEnd {
  let left = options.maxInstructions ?? Infinity;
  const watchScreen = screenWatch(machine, options);
  const watchUnseenText = unseenTextWatch(machine, options);
  for (;;) {
    const asked = options.poll?.();
    if (asked !== undefined) machine.finish(asked);
    if (watch.panicOver) machine.finish(machineEnd("crashed", "panic without reboot", watch.panic));
    if (left <= 0) machine.finish(machineEnd("timeout", "instruction limit"));
    const step = machine.step(left);
    watchScreen();
    watchUnseenText();
    if (step.state === "ended") return step.end;
    if (step.state === "ran") left -= step.instructions;
    else if (step.until === undefined) options.wait(undefined);
    else options.wait(Math.max(0, (step.until - machine.now()) / NS_PER_MS));
  }
}

/** Makes the machine of `options.plan`, runs it until it ends, and frees it. Throws what `Machine` throws. */
export function runToEnd(options: RunOptions): RunReport {
  const watch = new ConsoleWatch();
  const machine = new Machine({
    ...options,
    console: watchedConsole(options.console, watch),
    // A kernel that panicked would only panic again, and why would scroll away.
    mayRestart: () => watch.panic === undefined && (options.mayRestart?.() ?? true),
  });
  try {
    const start = options.hostNow();
    options.onStart?.();
    const end = stepToEnd(machine, options, watch);
    const hostMs = (options.hostNow() - start) / NS_PER_MS;
    const screen = machine.screen();
    // A kernel whose console is the screen says there why it ended.
    if (screen !== undefined) watch.feed(new TextEncoder().encode(`\n${screenText(screen)}\n`));
    const report: RunReport = { end: withPanic(end, watch.panic), stats: machine.stats(), hostMs };
    if (screen !== undefined) report.screen = screen;
    const unseenText = machine.unseenText();
    if (unseenText !== undefined) report.unseenText = unseenText;
    const firmwareLog = machine.firmwareLog();
    if (firmwareLog !== undefined) report.firmwareLog = firmwareLog;
    return report;
  } finally {
    machine.dispose();
  }
}
