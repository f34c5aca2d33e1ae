/**
 * A machine in its thread as the library holds it: the session, what it is connected to, and what it is asked. It begins, and it ends
 * with all of that closed. Knows none of a user's options.
 */
import { packageVersion } from "../cli/version.js";
import { NET_CHANNEL } from "../cli/network.js";
import { KernelLog } from "../cli/run/kernel-log.js";
import { outcomeOf } from "../cli/run/outcome.js";
import { TERMINAL_CHANNEL } from "../cli/run/guest.js";
import type { JitMode } from "../engine/contract.js";
import { RUN_FAILED } from "../guests/index.js";
import type { Diagnosis } from "../diagnose/diagnosis.js";
import { summary } from "../diagnose/text.js";
import type { MachineSource } from "../host/node/messages.js";
import type { HostNetwork } from "../host/node/net/host-network.js";
import { Session, type SessionChannel } from "../host/node/session.js";
import type { RunReport } from "../host/run.js";
import { machineEnd, type MachineEnd } from "../machine/end.js";
import { GuestCommands } from "./guest/commands.js";
import type { TerminalPort } from "./guest/shell.js";
import { afterPatience } from "./patience.js";
import { Question } from "./question.js";
import { Terminal, type TerminalWire } from "./terminal.js";
import { VmError, type VmFacts } from "./vm-error.js";

/** What a machine is begun with. */
export interface HostOptions {
  /** Whether its init serves commands; one that goes on has to be asked what runs, and no command of before had a higher number. */
  readonly serving: "no" | "from boot" | { readonly lastJob: number };
  readonly network: HostNetwork | undefined;
  readonly jit: JitMode | undefined;
  readonly maxResets: number;
  readonly say: (line: string) => void;
}

type Saved = { readonly bytes: number } | { readonly reason: string };

/** Of a machine that did not come to serve: why, and what to do; undefined where nobody looked. */
function whyNot(diagnosis: Diagnosis | undefined): Pick<VmFacts, "meaning" | "diagnosis"> {
  if (diagnosis === undefined) return {};
  const [cause] = diagnosis.causes;
  const place = `${summary(diagnosis)}; its console ends with ${JSON.stringify(diagnosis.console.lastLine)}`;
  const meaning = cause === undefined ? place : [cause.sentence, ...cause.remedy].join(". ");
  return { meaning, diagnosis };
}

/** What is said of whatever it is asked for from then on. */
function hasEnded({ end: { kind, route, reason }, diagnosis }: RunReport): VmError {
  return new VmError("ended", "machine", {
    found: `its end, ${kind} by ${route}${reason === undefined ? "" : `: ${reason}`}`,
    expected: "a machine that runs",
    ...(diagnosis !== undefined && diagnosis.causes.length > 0 && whyNot(diagnosis)),
  });
}

function broken(error: unknown): VmError {
  return new VmError(
    "ended",
    "machine",
    { found: String(error), expected: "a machine that runs" },
    { cause: error },
  );
}

/** It ended before its guest ran. */
function notBegun({ end, diagnosis }: RunReport): VmError {
  return new VmError(end.kind === "timeout" ? "timeout" : "ended", "Vm.start", {
    found: `its end before the guest ran, ${end.kind} by ${end.route}`,
    expected: "a guest that runs",
    ...whyNot(diagnosis),
  });
}

export class VmHost {
  readonly console: Terminal;
  readonly commands: GuestCommands | undefined;
  readonly terminal: TerminalPort;
  /** How it ended; everything is closed then. Rejects for a machine that broke. */
  readonly end: Promise<RunReport>;
  readonly #options: HostOptions;
  readonly #session: Session;
  readonly #kernel = new KernelLog(undefined);
  #consoleWire!: TerminalWire;
  #settle!: { resolve: (report: RunReport) => void; reject: (error: unknown) => void };
  readonly #started = new Question<undefined>();
  readonly #saved = new Question<Saved>();
  readonly #found = new Question<Diagnosis>();
  readonly #held = new Question<boolean>();
  /** As the thread said last. */
  #stands = false;
  #hasEnded = false;
  /** Snapshots are made one after another. */
  #turn: Promise<unknown> = Promise.resolve();
  /** So is it held and let go. */
  #holdTurn: Promise<unknown> = Promise.resolve();

  /** Starts the thread. */
  constructor(options: HostOptions) {
    this.#options = options;
    this.end = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.end.catch(() => undefined);
    const { network, say, serving } = options;
    if (serving !== "no")
      this.commands = new GuestCommands(
        {
          give: (port, bytes) => this.#session.give(port, bytes, true),
          drained: (port) => this.#session.drained(port),
        },
        serving === "from boot" ? 0 : serving.lastJob,
      );
    this.terminal = {
      wire: undefined,
      give: (bytes) => this.#session.give(TERMINAL_CHANNEL, bytes),
      resize: (size) => this.#session.resize(size),
    };
    this.console = new Terminal(
      (bytes) => this.#session.giveInput(bytes),
      (wire) => (this.#consoleWire = wire),
    );
    this.#session = new Session({
      engine: "auto",
      engineOptions: { jit: options.jit, statistics: false },
      output: (bytes) => {
        this.#kernel.take(bytes);
        return this.#consoleWire.take(bytes);
      },
      outputKeeps: true,
      onInputRoom: () => this.#consoleWire.room(),
      channels: this.#channels(),
      onPlanned: (warnings, told) => {
        for (const line of told) say(line);
        for (const warning of warnings) say(`warning: ${warning}`);
      },
      onStart: () => this.#started.answer(undefined),
      onReset: (route) => say(`reset by ${route}`),
      onSaved: (_, bytes) => this.#saved.answer({ bytes }),
      onNotSaved: (_, reason) => this.#saved.answer({ reason }),
      onDiagnosis: (found) => this.#found.answer(found),
      onHeld: (held) => {
        this.#stands = held;
        this.#held.answer(held);
      },
      onUnseenText: (line) => say(`the guest writes to a screen that it does not have: ${line}`),
      onTold: say,
    });
    network?.connect((bytes) => this.#session.give(NET_CHANNEL, bytes));
  }

  #channels(): Map<string, SessionChannel> {
    const channels = new Map<string, SessionChannel>();
    // Who reads a command's output slowly holds that command back, and nothing else of the machine.
    for (const [name, channel] of this.commands?.channels() ?? [])
      channels.set(name, { ...channel, patient: true, keeps: true, inputSaved: true });
    if (this.commands !== undefined)
      channels.set(TERMINAL_CHANNEL, {
        output: (bytes) => this.terminal.wire?.take(bytes) ?? Promise.resolve(),
        keeps: true,
        inputSaved: true,
        onRoom: () => this.terminal.wire?.room(),
      });
    if (this.#options.network !== undefined) channels.set(NET_CHANNEL, this.#options.network.channel);
    return channels;
  }

  /**
   * Runs it; resolves once the guest runs, and serves commands if it is to. Rejects with why it does not; so many ms later, that is where
   * the machine was.
   */
  async begin(source: MachineSource, patienceMs: number): Promise<void> {
    const forget = afterPatience(patienceMs, () =>
      this.#session.stop(machineEnd("timeout", "start limit", `${patienceMs} ms`), false, true),
    );
    try {
      await this.#begin(source);
    } finally {
      forget();
    }
  }

  async #begin(source: MachineSource): Promise<void> {
    const saving = { then: "go", compress: false, locore: packageVersion() } as const;
    const { maxResets, serving } = this.#options;
    const started = this.#started.next();
    this.#session.run({ source, explain: true, maxResets, saving }).then(
      (report) => this.#over(report),
      (error: unknown) => this.#over(undefined, error),
    );
    try {
      await started;
    } catch {
      throw notBegun(await this.end);
    }
    if (this.commands === undefined) return;
    if (serving !== "from boot") this.commands.ask();
    const first = await Promise.race([this.commands.ready, this.end]);
    if ("failed" in first || "end" in first) throw this.#notServing(first);
  }

  #notServing(first: RunReport | { readonly failed?: string }): VmError {
    const { lines } = this.#kernel;
    const unsaid = lines.find((line) => line.includes(RUN_FAILED));
    const said = unsaid?.slice(unsaid.indexOf(RUN_FAILED) + RUN_FAILED.length);
    const failed = ("failed" in first ? first.failed : undefined) ?? said;
    const { end, diagnosis } = "end" in first ? first : { end: machineEnd("off", "init") };
    const { reason, message } = outcomeOf({ ending: undefined, failed, started: false, end, lines });
    return new VmError(end.kind === "timeout" ? "timeout" : "no-exec", "Vm.start", {
      found: `${reason}: ${message ?? end.route}`,
      expected: "a guest whose init serves commands",
      meaning: "docs/run.md says what a kernel needs for it.",
      ...whyNot(diagnosis),
    });
  }

  /** Ends it; without a machine yet, its thread. */
  stop(end: MachineEnd): void {
    if (!this.#hasEnded) this.#session.stop(end);
  }

  /** Ends the thread and the network of a machine that was never begun. */
  async abandon(): Promise<void> {
    await this.#session.dispose();
    await this.#options.network?.close();
  }

  /** Has it stand still, or go on; resolves once it does. Rejects with VmError "ended". */
  hold(held: boolean): Promise<void> {
    const holding = this.#holdTurn.then(async () => {
      this.#session.hold(held);
      // The thread speaks of changes only: a wish that is taken back before it has looked is never answered.
      while (this.#hasEnded || this.#stands !== held) await this.#held.next();
    });
    this.#holdTurn = holding.catch(() => undefined);
    return holding;
  }

  /** Saves it to a file; gives its bytes. Rejects with VmError "snapshot" and "ended". */
  async save(file: string): Promise<number> {
    const saving = this.#turn.then(async () => {
      const goOn = await this.commands?.settled(this.#stands);
      try {
        this.#askToSave(file);
        return await this.#saved.next();
      } finally {
        goOn?.();
      }
    });
    this.#turn = saving.catch(() => undefined);
    const saved = await saving;
    if ("bytes" in saved) return saved.bytes;
    throw new VmError("snapshot", `snapshot ${file}`, {
      found: saved.reason,
      expected: "a file that can be written",
    });
  }

  #askToSave(file: string): void {
    try {
      this.#session.save(file);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new VmError("snapshot", "snapshot", {
        found: error.message,
        expected: "a path that a file may have",
      });
    }
  }

  /** Where it is, and why it does not go on. Rejects with VmError "ended". */
  diagnose(): Promise<Diagnosis> {
    const found = this.#found.next();
    this.#session.explain();
    return found;
  }

  #over(report: RunReport | undefined, error?: unknown): void {
    this.#hasEnded = true;
    const ended = report === undefined ? broken(error) : hasEnded(report);
    for (const one of [this.#started, this.#saved, this.#found, this.#held]) one.finish(ended);
    this.#consoleWire.finish(ended);
    this.terminal.wire?.finish(ended);
    this.commands?.finish(ended);
    void (this.#options.network?.close() ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => (report === undefined ? this.#settle.reject(error) : this.#settle.resolve(report)));
  }
}
