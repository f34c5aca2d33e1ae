/**
 * Runs a plan with this process's terminal, signals and files around it, and reports how it ended. Used by every
 * command that boots something; knows no command line.
 */
import type { JitMode } from "../engine/contract.js";
import type { Plan } from "../boot/plan.js";
import { connectInput, type ConsoleInput } from "../host/node/console-in.js";
import { ConsoleLog, consoleOutput } from "../host/node/console-out.js";
import { requireEngine } from "../host/node/engines.js";
import { ESCAPE_HELP, type EscapeCommand } from "../host/node/escape.js";
import type { StartMessage } from "../host/node/messages.js";
import { Session } from "../host/node/session.js";
import { onEndingSignal } from "../host/node/signals.js";
import type { RunReport } from "../host/run.js";
import { screenText } from "../machine/screen.js";
import { machineEnd, type MachineEnd } from "../machine/end.js";
import type { CommandContext } from "./command.js";
import { FileError } from "./failure.js";
import {
  endJson,
  endLine,
  firmwareLogLines,
  screenFrame,
  statsLines,
  unimplementedLine,
} from "./render/end.js";

export interface LaunchOptions {
  engine: string;
  jit?: JitMode;
  /** Entry of the machine's thread, where it is not the real one: for tests. */
  worker?: URL;
  tripleFault: "crash" | "reset";
  /** Host time, ms. */
  timeoutMs?: number;
  /** Instructions of all CPUs. */
  maxInstructions?: number;
  /** Path of a copy of the console. */
  log?: string;
  stats: boolean;
  /** Whether compiled code counts its ways out, and the engine the time it compiles. */
  countRegions?: boolean;
  json: boolean;
  /** Print what the screen shows in the end; on a terminal also while it changes. */
  screen?: boolean;
  /** Print what firmware wrote to its debug console. */
  firmwareLog?: boolean;
  /** Whether standard input is the guest's console; otherwise it gets none. */
  input: boolean;
  /** Also shown every block of console output. */
  onConsole?: (bytes: Uint8Array) => void;
  /** Makes the plan while the engine loads in its own thread. */
  makePlan: (interrupted: AbortSignal) => Promise<Plan>;
}

/** Prints lines while the guest runs: a terminal is in raw mode then and needs a CR. */
function say(context: CommandContext, lines: readonly string[]): void {
  const end = (context.stderr as Partial<NodeJS.WriteStream>).isTTY === true ? "\r\n" : "\n";
  context.stderr.write(lines.map((line) => line + end).join(""));
}

function openLog(path: string | undefined): ConsoleLog | undefined {
  if (path === undefined) return undefined;
  try {
    return new ConsoleLog(path);
  } catch (cause) {
    throw new FileError("log file", path, cause);
  }
}

function attachInput(
  session: Session,
  options: LaunchOptions,
  context: CommandContext,
): ConsoleInput | undefined {
  if (!options.input) {
    session.closeInput();
    return undefined;
  }
  const command = (name: EscapeCommand): void => {
    if (name === "help") say(context, ["", ...ESCAPE_HELP]);
    else session.stop(machineEnd("interrupted", "Ctrl-A x"));
  };
  const input = connectInput(process.stdin, session, command);
  // Said once it is true: from here on Ctrl-C is the guest's.
  if (process.stdin.isTTY) say(context, ["locore: Ctrl-A x quits, Ctrl-A h lists keys"]);
  return input;
}

function startMessage(plan: Plan, options: LaunchOptions): StartMessage {
  const message: StartMessage = { plan, tripleFault: options.tripleFault };
  if (options.screen === true && process.stdout.isTTY) message.watchScreen = true;
  if (options.maxInstructions !== undefined) message.maxInstructions = options.maxInstructions;
  return message;
}

/** Everything that surrounds one run; `close` undoes it in any order of events. */
class Surroundings {
  readonly #log: ConsoleLog | undefined;
  readonly session: Session;
  readonly midLine: () => boolean;
  #input: ConsoleInput | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #forgetSignals: () => void;
  readonly #interrupt = new AbortController();
  /** Ms from process start to the guest's first instruction. */
  startedAfterMs: number | undefined;

  constructor(
    readonly options: LaunchOptions,
    readonly context: CommandContext,
  ) {
    this.#log = openLog(options.log);
    const gone = (why: string): void =>
      this.session.stop(machineEnd("interrupted", `console closed (${why})`));
    const output = consoleOutput(context.stdout, this.#log, gone);
    this.midLine = output.midLine;
    this.session = new Session({
      engine: options.engine,
      engineOptions: { jit: options.jit, statistics: options.countRegions ?? false },
      worker: options.worker,
      output: (bytes) => {
        options.onConsole?.(bytes);
        return output.sink(bytes);
      },
      onInputRoom: () => this.#input?.resume(),
      onStart: (at) => (this.startedAfterMs = at - performance.timeOrigin),
      onScreen: (screen) => void context.stdout.write(screenFrame(screen)),
      onUnimplemented: (text, rip, bytes) => say(context, [unimplementedLine(text, rip, bytes)]),
    });
    this.#forgetSignals = onEndingSignal((signal) => {
      const end = machineEnd("interrupted", `signal ${signal}`);
      this.session.stop(end);
      this.#interrupt.abort(end);
    });
  }

  /** Aborted by a signal that asks the process to end; the reason is the end. */
  get interrupted(): AbortSignal {
    return this.#interrupt.signal;
  }

  /** The guest is about to run: clock, keys. */
  begin(): void {
    const { timeoutMs } = this.options;
    if (timeoutMs !== undefined) {
      this.#timer = setTimeout(
        () => this.session.stop(machineEnd("timeout", "time limit", `${timeoutMs} ms`)),
        timeoutMs,
      );
    }
    this.#input = attachInput(this.session, this.options, this.context);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#forgetSignals();
    this.#input?.close();
    this.#log?.close();
    await this.session.dispose();
  }
}

/** Says on stderr how it ended. */
function reportEnd(report: RunReport, around: Surroundings): void {
  const { options, context } = around;
  const cut = around.midLine() && (context.stdout as Partial<NodeJS.WriteStream>).isTTY === true ? "\n" : "";
  const extras = { firmwareLog: options.firmwareLog ?? false, screen: options.screen ?? false };
  if (extras.screen && !options.json && report.screen !== undefined)
    context.stdout.write(`${around.midLine() ? "\n" : ""}${screenText(report.screen)}\n`);
  const lines = options.json ? [endJson(report, { stats: options.stats, ...extras })] : [endLine(report)];
  if (extras.firmwareLog && !options.json) lines.unshift(...firmwareLogLines(report));
  if (options.stats && !options.json) lines.push(...statsLines(report, around.startedAfterMs));
  context.stderr.write(`${cut}${lines.join("\n")}\n`);
}

/** Plans and runs. A signal that comes before there is a machine ends it all the same. */
async function planAndRun(around: Surroundings): Promise<RunReport> {
  const { options, context, session, interrupted } = around;
  try {
    const plan = await options.makePlan(interrupted);
    for (const warning of plan.warnings) context.stderr.write(`locore: warning: ${warning}\n`);
    around.begin();
    return await session.run(startMessage(plan, options));
  } catch (error) {
    if (!interrupted.aborted) throw error;
    const stats = { instructions: 0, clockNs: 0, engine: {} };
    return { end: interrupted.reason as MachineEnd, stats, hostMs: 0 };
  }
}

/** Boots what `makePlan` makes and returns the exit status. Throws what makes a boot impossible. */
export async function launch(options: LaunchOptions, context: CommandContext): Promise<number> {
  requireEngine(options.engine);
  const around = new Surroundings(options, context);
  let report: RunReport;
  try {
    report = await planAndRun(around);
  } finally {
    await around.close();
  }
  reportEnd(report, around);
  return report.end.status;
}
