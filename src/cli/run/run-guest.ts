/**
 * Runs the machine of a run with this process's streams, signals and files around it, and says what it came to. The serial console
 * has the kernel's messages only; what the command reads and writes goes through named ports.
 */
import { commandBytes, setHandOverTime, RUN_PORTS, type RunCommandOptions } from "../../guests/light.js";
import { connectInput, type ConsoleInput } from "../../host/node/console-in.js";
import { ConsoleLog, consoleOutput } from "../../host/node/console-out.js";
import { prepareToEnd } from "../../host/node/end-process.js";
import { keepLittleFreedMemory } from "../../host/node/freed-memory.js";
import { randomBytes } from "../../host/node/random-bytes.js";
import type { StartSteps } from "../../host/node/messages.js";
import { GDB_CHANNEL } from "../../host/gdb-frames.js";
import type { GdbServer } from "../../host/node/gdb-server.js";
import type { HostNetwork } from "../../host/node/net/host-network.js";
import { LEAVE_HINT } from "../../host/node/escape.js";
import { Session, type SessionChannel } from "../../host/node/session.js";
import { watchSize } from "../../host/node/terminal.js";
import type { RunReport } from "../../host/run.js";
import { machineEnd, type MachineEnd } from "../../machine/end.js";
import type { CommandContext } from "../command.js";
import { gdbChannel, openGdb } from "../gdb.js";
import { NET_CHANNEL, openNetwork } from "../network.js";
import { fileReason, OutputFileError } from "../failure.js";
import { forwardSignals, signalStatus } from "./forwarded-signals.js";
import { packageVersion } from "../version.js";
import { guestControl, signalByte, type CommandEnding, type SignalName } from "./guest-control.js";
import { TERMINAL_CHANNEL, type RunGuest, type StreamKinds } from "./guest.js";
import { HandOver, type Keeper } from "./hand-over.js";
import { KernelLog } from "./kernel-log.js";
import { isOfState, NotResumed } from "./not-resumed.js";
import { outcomeOf, type Outcome } from "./outcome.js";
import type { RunRequest } from "./request.js";
import type { RunTimer } from "./timing.js";
import type { WarmGuest } from "./warm/keeping.js";

/** What a run came to, and what was seen of it. */
export interface RunResult {
  outcome: Outcome;
  lines: readonly string[];
  report: RunReport;
  steps: StartSteps | undefined;
  /** Standard error was left in the middle of a line. */
  midLine: boolean;
}

/** What is run: a machine that boots, or one that waits for its command already. */
export type Runnable = { boot: RunGuest; keep?: Keeper } | { resume: WarmGuest };

const SEED_BYTES = 32;

/** The command has ended: nothing the machine does any more counts. */
const ENDED = machineEnd("off", "the command's end");

/** All that surrounds one run; `close` undoes it in any order of events. */
class RunSurroundings {
  readonly #session: Session;
  readonly #log: ConsoleLog | undefined;
  readonly #kernel: KernelLog;
  readonly #interrupt = new AbortController();
  readonly #closing: (() => void)[] = [];
  #input: ConsoleInput | undefined;
  #midLine = (): boolean => false;
  #ready = false;
  #ending: CommandEnding | undefined;
  #failed: string | undefined;
  #steps: StartSteps | undefined;
  #handOver: HandOver | undefined;
  /** Goes on with that, once there is room. */
  #give = (): void => undefined;
  /** It is known what the machine is made of, which is made next. */
  #planned = (): void => undefined;

  readonly request: RunRequest;
  readonly kinds: StreamKinds;
  readonly context: CommandContext;
  readonly timer: RunTimer;

  constructor(
    { request, kinds, context, timer }: RunGuestOptions,
    readonly network: HostNetwork | undefined,
    readonly gdb: GdbServer | undefined,
  ) {
    this.request = request;
    this.kinds = kinds;
    this.context = context;
    this.timer = timer;
    this.#log = this.#openLog();
    this.#kernel = new KernelLog(this.#log);
    this.#session = new Session({
      engine: request.engine,
      engineOptions: { jit: request.jit, statistics: false },
      isLast: true,
      output: (bytes) => {
        this.#kernel.take(bytes);
        return Promise.resolve();
      },
      channels: this.#channels(),
      onStart: (steps) => {
        this.#steps = steps;
        this.timer.end("start", steps.first);
        void prepareToEnd();
        keepLittleFreedMemory();
      },
      onCopying: () => this.#handOver?.copying(),
      onCopied: (copy) => {
        if (this.#handOver?.copied(copy) === true) this.timer.end("copy");
      },
      onNotCopied: () => this.#handOver?.now(),
      onPlanned: (warnings) => {
        this.#planned();
        for (const warning of warnings) context.stderr.write(`locore: warning: ${warning}\n`);
      },
    });
    network?.connect((bytes) => this.#session.give(NET_CHANNEL, bytes));
    gdb?.connect((bytes) => this.#session.give(GDB_CHANNEL, bytes));
    this.#closing.push(
      forwardSignals(
        (name) => this.#forward(name),
        (signal) =>
          this.stop({ ...machineEnd("interrupted", `signal ${signal}`), status: signalStatus(signal) }),
      ),
    );
    const { timeoutMs } = request;
    if (timeoutMs === undefined) return;
    const end = machineEnd("timeout", "time limit", `${timeoutMs} ms`);
    const patience = setTimeout(() => this.stop(end), timeoutMs);
    this.#closing.push(() => clearTimeout(patience));
  }

  /** Aborted when the run is to end before there is a machine; the reason is its end. */
  get interrupted(): AbortSignal {
    return this.#interrupt.signal;
  }

  stop(end: MachineEnd): void {
    this.#session.stop(end);
    this.#interrupt.abort(end);
  }

  async run(what: Runnable): Promise<RunResult> {
    this.interrupted.throwIfAborted();
    if ("resume" in what) return this.#resume(what.resume);
    const { boot, keep } = what;
    if (boot.command !== undefined) this.#prepare(boot.command, keep);
    const { wait, architecture } = this.request.gdb ?? {};
    const gdb = wait !== undefined && { gdb: { wait, ...(architecture && { architecture }) } };
    const copying = keep && { copying: { locore: packageVersion(), most: keep.most } };
    const report = await this.#session.run({ source: boot.source, maxResets: 0, ...gdb, ...copying });
    await this.#handOver?.kept(this.interrupted);
    return this.result(report);
  }

  /** Throws NotResumed where its state came to nothing before the command was started: until then the guest does nothing that is seen. */
  async #resume({ source, command }: WarmGuest): Promise<RunResult> {
    const handOver = this.#prepare(command, undefined, randomBytes(SEED_BYTES));
    // So it finds its command when it goes on.
    this.#planned = () => handOver.now();
    let result: RunResult;
    try {
      result = this.result(await this.#session.run({ source, maxResets: 0 }));
    } catch (error) {
      if (this.#isOver || !isOfState(error)) throw error;
      throw new NotResumed((error as Error).message);
    }
    // What /init says that it cannot do lies with what it was handed, and would be the same.
    if (this.#isOver || result.outcome.reason === "setup") return result;
    throw new NotResumed(result.report.end.route);
  }

  /** Whether the command has been started, or nobody wants it any more. */
  get #isOver(): boolean {
    return this.#ready || this.#ending !== undefined || this.interrupted.aborted;
  }

  /** Has the guest given `command` once it waits; `seed` is for one that has waited before. */
  #prepare(command: RunCommandOptions, keeper: Keeper | undefined, seed?: Uint8Array): HandOver {
    let rest = commandBytes(command, seed);
    const give = (): void => {
      if (this.interrupted.aborted) return;
      setHandOverTime(rest, Date.now());
      this.#give = () => {
        rest = rest.subarray(this.#session.give(RUN_PORTS.control, rest));
      };
      this.#give();
    };
    const handOver = new HandOver({ keeper, give, save: () => this.#session.save() });
    this.#handOver = handOver;
    this.#closing.push(() => handOver.close());
    return handOver;
  }

  /** The guest waits for the command. */
  #waiting(alike: boolean): void {
    if (this.#handOver?.given !== false) return;
    this.timer.end("boot");
    this.#handOver.waiting(alike);
  }

  /** What `report` means, with all that the guest said. */
  result(report: RunReport): RunResult {
    const { lines } = this.#kernel;
    const failed = this.#failed ?? this.#kernel.failed;
    const facts = { ending: this.#ending, failed, started: this.#ready, end: report.end, lines };
    const outcome = outcomeOf(facts);
    return { outcome, lines, report, steps: this.#steps, midLine: this.#midLine() };
  }

  async close(): Promise<void> {
    for (const close of this.#closing) close();
    this.#input?.close();
    this.#log?.close();
    await this.#session.dispose();
  }

  #openLog(): ConsoleLog | undefined {
    const { log } = this.request;
    if (log === undefined) return undefined;
    try {
      return new ConsoleLog(log, (error) => this.#ioFailed(`log file ${log}`, error));
    } catch (cause) {
      throw new OutputFileError("log file", log, cause);
    }
  }

  #channels(): Map<string, SessionChannel> {
    const { stdout, stderr } = this.context;
    const out = consoleOutput(stdout, undefined, (error) => this.#gone("standard output", error)).sink;
    const errors = consoleOutput(stderr, undefined, (error) => this.#gone("standard error", error));
    this.#midLine = errors.midLine;
    const resume = (): void => this.#input?.resume();
    const control = guestControl({
      waiting: (alike) => this.#waiting(alike),
      booted: () => this.timer.end("boot"),
      ready: () => this.#begin(),
      failed: (why) => (this.#failed = why),
      ended: (ending) => {
        this.#ending ??= ending;
        this.timer.end("command");
        this.#session.stop(ENDED, true);
      },
    });
    const nothing = (): Promise<void> => Promise.resolve();
    const channels: [string, SessionChannel][] = [
      [RUN_PORTS.control, { output: control, onRoom: () => this.#give() }],
      [RUN_PORTS.stdin, { output: nothing, onRoom: resume }],
      [RUN_PORTS.stdout, { output: out }],
      [RUN_PORTS.stderr, { output: errors.sink }],
    ];
    if (this.kinds.terminal) channels.push([TERMINAL_CHANNEL, { output: out, onRoom: resume }]);
    if (this.network !== undefined) channels.push([NET_CHANNEL, this.network.channel]);
    const { gdb } = this;
    if (gdb !== undefined) channels.push([GDB_CHANNEL, gdbChannel(() => gdb)]);
    return new Map(channels);
  }

  /** The command is about to be started: keys and signals are its own from here on. */
  #begin(): void {
    if (this.#ready || this.interrupted.aborted) return;
    this.#ready = true;
    this.timer.end("setUp");
    const { terminal } = this.kinds;
    const channel = terminal ? TERMINAL_CHANNEL : RUN_PORTS.stdin;
    const target = {
      giveInput: (bytes: Uint8Array) => this.#session.give(channel, bytes),
      closeInput: () => this.#session.closeChannel(channel),
    };
    this.#input = connectInput(
      process.stdin,
      target,
      (command) => {
        if (command === "quit") this.stop(machineEnd("interrupted", "Ctrl-A x"));
        else if (command === "leave?") this.#hint(`\r\n${LEAVE_HINT}`);
      },
      terminal,
    );
    // Who named no command has a shell, and time to read.
    if (terminal && this.request.command.length === 0) this.#hint("locore: Ctrl-A x quits");
    if (terminal) this.#closing.push(watchSize(process.stdout, (size) => this.#session.resize(size)));
  }

  /** For who sits at the terminal; not among what programs read. */
  #hint(line: string): void {
    const { stderr } = this.context;
    if (!this.request.json && (stderr as Partial<NodeJS.WriteStream>).isTTY === true)
      stderr.write(`${line}\r\n`);
  }

  #forward(name: SignalName): boolean {
    if (!this.#ready || this.#ending !== undefined) return false;
    this.#session.give(RUN_PORTS.control, signalByte(name));
    return true;
  }

  /** A reader that went away is the command's affair, as in a pipe of its own. */
  #gone(what: string, error: NodeJS.ErrnoException): void {
    if (error.code !== "EPIPE") this.#ioFailed(what, error);
    else if (!this.#forward("PIPE")) this.stop(machineEnd("interrupted", `${what} closed (EPIPE)`));
  }

  #ioFailed(what: string, error: Error): void {
    this.stop(machineEnd("io-error", what, fileReason(error)));
  }
}

export interface RunGuestOptions {
  request: RunRequest;
  kinds: StreamKinds;
  context: CommandContext;
  timer: RunTimer;
}

/** Makes the guest and runs it. Throws what makes a run impossible. */
export async function runGuest(
  options: RunGuestOptions,
  make: (signal: AbortSignal) => Promise<Runnable>,
): Promise<RunResult> {
  const { request, context } = options;
  const say = (line: string): void => void context.stderr.write(`${line}\n`);
  const network = request.net && (await openNetwork(request.net.request, say));
  let around: RunSurroundings | undefined;
  let gdb: GdbServer | undefined;
  try {
    gdb = request.gdb && (await openGdb(request.gdb, say));
    around = new RunSurroundings(options, network, gdb);
    return await around.run(await make(around.interrupted));
  } catch (error) {
    if (around?.interrupted.aborted !== true) throw error;
    const stats = { instructions: 0, resets: 0, clockNs: 0, engine: {} };
    return around.result({ end: around.interrupted.reason as MachineEnd, stats, hostMs: 0, executed: 0 });
  } finally {
    await around?.close();
    await gdb?.close();
    await network?.close();
  }
}
