/**
 * Plans and runs a machine with this process's terminal, signals and files around it, and reports how it ended. Used by
 * every command that boots something; knows no command line.
 */
import { inOneLine } from "../bytes/one-line.js";
import type { JitMode } from "../engine/contract.js";
import { connectInput, type ConsoleInput } from "../host/node/console-in.js";
import { ConsoleLog, consoleOutput } from "../host/node/console-out.js";
import { prepareToEnd } from "../host/node/end-process.js";
import { keepLittleFreedMemory } from "../host/node/freed-memory.js";
import { ESCAPE_HELP, LEAVE_HINT, type EscapeCommand } from "../host/node/escape.js";
import type { MachineSource, StartMessage, StartSteps } from "../host/node/messages.js";
import type { SavingRequest } from "../host/node/saving.js";
import type { NetRequest } from "../host/node/net/net-request.js";
import { GDB_CHANNEL } from "../host/gdb-frames.js";
import type { GdbServer } from "../host/node/gdb-server.js";
import type { HostNetwork } from "../host/node/net/host-network.js";
import type { TraceRequest } from "../host/node/trace-file.js";
import { Session, type SessionChannel } from "../host/node/session.js";
import { onAskingSignal, onEndingSignal } from "../host/node/signals.js";
import { isTerminalInput, watchSize } from "../host/node/terminal.js";
import type { RunReport } from "../host/run.js";
import { screenText } from "../machine/screen.js";
import { machineEnd, type MachineEnd } from "../machine/end.js";
import type { CommandContext } from "./command.js";
import { attachLine, gdbChannel, openGdb, openGdbSomewhere } from "./gdb.js";
import type { GdbRequest } from "./gdb-option.js";
import { NET_CHANNEL, openNetwork } from "./network.js";
import { fileReason, OutputFileError } from "./failure.js";
import { endExplanation, explanation, silenceLine } from "./render/diagnosis.js";
import {
  endJson,
  endLine,
  firmwareLogLines,
  neverSavedLine,
  notSavedLine,
  resetLine,
  savedLine,
  traceLine,
  screenFrame,
  statsLines,
  unimplementedLine,
  unseenTextLine,
} from "./render/end.js";

export interface LaunchOptions {
  engine: string;
  jit?: JitMode;
  /** Entry of the machine's thread, where it is not the real one: for tests. */
  worker?: URL;
  /** Absent: "crash", or as the machine had it that is restored. */
  tripleFault?: "crash" | "reset";
  /** When, and to which file, the machine is saved; absent: never. */
  saving?: SavingRequest;
  /** How often a reset restarts the machine. Absent: on a terminal always, otherwise never. */
  maxResets?: number;
  /** Host time from the start of the launch, files and planning included, ms. */
  timeoutMs?: number;
  /** What the machine does goes to a file. */
  trace?: TraceRequest;
  /** Path of a file with the kernel's symbols, for diagnoses. */
  symbols?: string;
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
  /** The guest's network, whose card its plan has. */
  net?: NetRequest;
  /** Where gdb may attach from the start. */
  gdb?: GdbRequest;
  /** Whether standard input is the guest's console; otherwise it gets none. */
  input: boolean;
  /** Also shown every block of console output. */
  onConsole?: (bytes: Uint8Array) => void;
  /** Gets what is to be booted while the engine loads in its own thread, where it is planned as well. */
  source: (interrupted: AbortSignal) => Promise<MachineSource>;
}

/** How long a guest may be silent before a person is told how to ask, ms. */
const SILENCE_MS = 10_000;

/** Prints lines while the guest runs: a terminal is in raw mode then and needs a CR. */
function say(context: CommandContext, lines: readonly string[]): void {
  const end = (context.stderr as Partial<NodeJS.WriteStream>).isTTY === true ? "\r\n" : "\n";
  context.stderr.write(lines.map((line) => line + end).join(""));
}

/** Opens the copy of the console; `onFailure` is told once when it cannot be written any more. */
function openLog(path: string | undefined, onFailure: (error: Error) => void): ConsoleLog | undefined {
  if (path === undefined) return undefined;
  try {
    return new ConsoleLog(path, onFailure);
  } catch (cause) {
    throw new OutputFileError("log file", path, cause);
  }
}

function attachInput(
  session: Session,
  options: LaunchOptions,
  context: CommandContext,
  letGdbIn: () => void,
): ConsoleInput | undefined {
  if (!options.input) {
    session.closeInput();
    return undefined;
  }
  const command = (name: EscapeCommand): void => {
    if (name === "help") say(context, ["", ...ESCAPE_HELP]);
    else if (name === "leave?") say(context, ["", LEAVE_HINT]);
    else if (name === "save") session.save();
    else if (name === "gdb") letGdbIn();
    else if (name === "explain") session.explain();
    else session.stop(machineEnd("interrupted", "Ctrl-A x"));
  };
  const input = connectInput(process.stdin, session, command);
  // Said once it is true: from here on Ctrl-C is the guest's.
  if (process.stdin.isTTY) say(context, ["locore: Ctrl-A x quits, Ctrl-A h lists keys"]);
  return input;
}

/** Whether somebody sits before the machine: a script wants to hear of a reset. */
function isInteractive(): boolean {
  return isTerminalInput() && process.stdout.isTTY;
}

function startMessage(source: MachineSource, options: LaunchOptions): StartMessage {
  const message: StartMessage = { source, explain: true };
  if (options.symbols !== undefined) message.symbols = options.symbols;
  if (options.trace !== undefined) message.trace = options.trace;
  if (options.saving !== undefined) message.saving = options.saving;
  if (options.tripleFault !== undefined) message.tripleFault = options.tripleFault;
  if (options.screen === true && process.stdout.isTTY) message.watchScreen = true;
  message.maxResets = options.maxResets ?? (isInteractive() ? Infinity : 0);
  if (options.gdb !== undefined) {
    const { place: _, ...gdb } = options.gdb;
    message.gdb = gdb;
  }
  if (options.maxInstructions !== undefined) message.maxInstructions = options.maxInstructions;
  return message;
}

/** Everything that surrounds one run; `close` undoes it in any order of events. */
class Surroundings {
  readonly #log: ConsoleLog | undefined;
  readonly session: Session;
  readonly midLine: () => boolean;
  #input: ConsoleInput | undefined;
  #hinted = false;
  readonly #timer: NodeJS.Timeout | undefined;
  /** Runs until the guest has said something. */
  #silence: NodeJS.Timeout | undefined;
  readonly #forgetSignals: () => void;
  readonly #forgetQuestions: () => void;
  readonly #forgetSize: (() => void) | undefined;
  readonly #interrupt = new AbortController();
  /** Where gdb may attach; opened later where a terminal's user asks for it. */
  #gdb: GdbServer | undefined;
  #openingGdb: Promise<void> | undefined;
  /** How the guest came to its first instruction. */
  startSteps: StartSteps | undefined;

  constructor(
    readonly options: LaunchOptions,
    readonly context: CommandContext,
    network: HostNetwork | undefined,
    gdb: GdbServer | undefined,
  ) {
    this.#gdb = gdb;
    this.#log = openLog(options.log, (error) => this.stop(ioError(`log file ${options.log ?? ""}`, error)));
    const output = consoleOutput(context.stdout, this.#log, (error) => this.stop(consoleEnd(error)));
    this.midLine = output.midLine;
    this.session = new Session({
      engine: options.engine,
      engineOptions: { jit: options.jit, statistics: options.countRegions ?? false },
      worker: options.worker,
      output: (bytes) => {
        clearTimeout(this.#silence);
        options.onConsole?.(bytes);
        return output.sink(bytes);
      },
      channels: this.#channels(network),
      onInputRoom: () => this.#input?.resume(),
      onPlanned: (warnings, told) => this.#begin(warnings, told),
      onStart: (steps) => {
        this.startSteps = steps;
        void prepareToEnd();
        keepLittleFreedMemory();
      },
      onReset: (route) => say(context, [...(this.midLine() ? [""] : []), resetLine(route)]),
      onSaved: (...facts) => say(context, [...(this.midLine() ? [""] : []), savedLine(...facts)]),
      onNotSaved: (...facts) => say(context, [...(this.midLine() ? [""] : []), notSavedLine(...facts)]),
      onDiagnosis: (found) => say(context, [...(this.midLine() ? [""] : []), ...explanation(found)]),
      onScreen: (screen) => void context.stdout.write(screenFrame(screen)),
      onUnseenText: (line) => this.hintAtScreen(line),
      onTold: (line) => say(context, [...(this.midLine() ? [""] : []), `locore: ${line}`]),
      onUnimplemented: (text, rip, bytes) => say(context, [unimplementedLine(text, rip, bytes)]),
    });
    network?.connect((bytes) => this.session.give(NET_CHANNEL, bytes));
    gdb?.connect((bytes) => this.session.give(GDB_CHANNEL, bytes));
    this.#forgetSignals = onEndingSignal((signal) =>
      this.stop(machineEnd("interrupted", `signal ${signal}`)),
    );
    this.#forgetQuestions = onAskingSignal(() => this.session.explain());
    // A run that repeats exactly sees nothing of the terminal.
    if (options.input && process.stdout.isTTY)
      this.#forgetSize = watchSize(process.stdout, (size) => this.session.resize(size));
    const { timeoutMs } = options;
    if (timeoutMs === undefined) return;
    const end = machineEnd("timeout", "time limit", `${timeoutMs} ms`);
    this.#timer = setTimeout(() => this.stop(end, true), timeoutMs);
  }

  /** A machine whose user sits at a terminal has a channel for a gdb that comes later. */
  #channels(network: HostNetwork | undefined): Map<string, SessionChannel> {
    const channels = new Map<string, SessionChannel>();
    if (network !== undefined) channels.set(NET_CHANNEL, network.channel);
    if (this.#gdb !== undefined || (this.options.input && isTerminalInput()))
      channels.set(
        GDB_CHANNEL,
        gdbChannel(() => this.#gdb),
      );
    return channels;
  }

  /** A terminal's user wants gdb to be able to attach. */
  #letGdbIn(): void {
    const tell = (line: string): void => say(this.context, ["", line]);
    if (this.#gdb !== undefined) tell(attachLine(this.#gdb));
    else
      this.#openingGdb ??= openGdbSomewhere(tell)
        .then((gdb) => {
          this.#gdb = gdb;
          this.session.allowDebugger();
          gdb.connect((bytes) => this.session.give(GDB_CHANNEL, bytes));
        })
        .catch((error: unknown) => tell(`locore: ${(error as Error).message}`))
        .finally(() => (this.#openingGdb = undefined));
  }

  /** Aborted when the run is to end before it came to an end by itself; the reason is that end. */
  get interrupted(): AbortSignal {
    return this.#interrupt.signal;
  }

  /**
   * Ends whatever is being done with `end`: reading, planning, the machine. The first stop counts. `explain`: the report is to say
   * where the machine was.
   */
  stop(end: MachineEnd, explain = false): void {
    this.session.stop(end, false, explain);
    this.#interrupt.abort(end);
  }

  /** Says once that the guest writes to a screen that is not there. */
  hintAtScreen(line: string): void {
    if (this.#hinted) return;
    this.#hinted = true;
    const cut = this.midLine() && (this.context.stdout as Partial<NodeJS.WriteStream>).isTTY === true;
    say(this.context, [...(cut ? [""] : []), unseenTextLine(line)]);
  }

  /** The guest is about to run: what there is to say of it, then its keys. */
  #begin(warnings: readonly string[], told: readonly string[]): void {
    for (const line of told) this.context.stderr.write(`locore: ${inOneLine(line)}\n`);
    for (const warning of warnings) this.context.stderr.write(`locore: warning: ${warning}\n`);
    if (isInteractive() && this.options.input)
      this.#silence = setTimeout(() => say(this.context, [silenceLine(SILENCE_MS)]), SILENCE_MS);
    if (!this.interrupted.aborted)
      this.#input = attachInput(this.session, this.options, this.context, () => this.#letGdbIn());
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#forgetSignals();
    this.#forgetQuestions();
    this.#forgetSize?.();
    this.#input?.close();
    this.#log?.close();
    await this.session.dispose();
    await this.#openingGdb;
    await this.#gdb?.close();
  }
}

/** What our own input or output failing means for the machine. */
function ioError(route: string, error: Error): MachineEnd {
  return machineEnd("io-error", route, fileReason(error));
}

/** A reader that went away is a way to end a program; anything else is a failure. */
function consoleEnd(error: NodeJS.ErrnoException): MachineEnd {
  if (error.code === "EPIPE") return machineEnd("interrupted", "console closed (EPIPE)");
  return ioError("standard output", error);
}

/** Says on stderr how it ended. */
function reportEnd(report: RunReport, around: Surroundings): void {
  const { options, context } = around;
  const cut = around.midLine() && (context.stdout as Partial<NodeJS.WriteStream>).isTTY === true ? "\n" : "";
  const extras = { firmwareLog: options.firmwareLog ?? false, screen: options.screen ?? false };
  if (extras.screen && !options.json && report.screen !== undefined)
    context.stdout.write(`${around.midLine() ? "\n" : ""}${screenText(report.screen)}\n`);
  if (!options.json && report.unseenText !== undefined) around.hintAtScreen(report.unseenText);
  if (report.neverSaved === true) context.stderr.write(`${cut}${neverSavedLine()}\n`);
  const lines = options.json ? [endJson(report, { stats: options.stats, ...extras })] : [endLine(report)];
  if (options.trace !== undefined && !options.json) lines.unshift(traceLine(options.trace.file));
  if (report.diagnosis !== undefined && !options.json) lines.unshift(...endExplanation(report.diagnosis));
  if (extras.firmwareLog && !options.json) lines.unshift(...firmwareLogLines(report));
  if (options.stats && !options.json) lines.push(...statsLines(report, around.startSteps));
  context.stderr.write(`${cut}${lines.join("\n")}\n`);
}

/** Gets, plans and runs. A signal or a time limit that comes before there is a machine ends it all the same. */
async function runMachine(around: Surroundings): Promise<RunReport> {
  const { options, session, interrupted } = around;
  try {
    const source = await options.source(interrupted);
    interrupted.throwIfAborted();
    return await session.run(startMessage(source, options));
  } catch (error) {
    if (!interrupted.aborted) throw error;
    const stats = { instructions: 0, resets: 0, clockNs: 0, engine: {} };
    return { end: interrupted.reason as MachineEnd, stats, hostMs: 0, executed: 0 };
  }
}

/** Boots what `source` gives and returns the exit status. Throws what makes a boot impossible. */
export async function launch(options: LaunchOptions, context: CommandContext): Promise<number> {
  const network = options.net && (await openNetwork(options.net, (line) => say(context, [line])));
  let around: Surroundings | undefined;
  let gdb: GdbServer | undefined;
  try {
    gdb = options.gdb && (await openGdb(options.gdb, (line) => say(context, [line])));
    around = new Surroundings(options, context, network, gdb);
    const report = await runMachine(around);
    await around.close();
    reportEnd(report, around);
    return report.end.status;
  } finally {
    await around?.close();
    await gdb?.close();
    await network?.close();
  }
}
