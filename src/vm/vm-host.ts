/**
 * A machine in its thread as the library holds it: the session, what it is connected to, and what it is asked. It begins, and it ends
 * with all of that closed. Knows none of a user's options.
 */
import { packageVersion } from "../cli/version.js";
import { NET_CHANNEL } from "../cli/network.js";
import { HandOver } from "../cli/run/hand-over.js";
import { KernelLog } from "../cli/run/kernel-log.js";
import { isOfState, NotResumed } from "../cli/run/not-resumed.js";
import { isLack, outcomeOf } from "../cli/run/outcome.js";
import { TERMINAL_CHANNEL } from "../cli/run/guest.js";
import type { JitMode } from "../engine/contract.js";
import { setHandOverTime } from "../guests/index.js";
import type { Diagnosis } from "../diagnose/diagnosis.js";
import { summary } from "../diagnose/text.js";
import type { MachineSource } from "../host/node/messages.js";
import type { HostNetwork } from "../host/node/net/host-network.js";
import { Session, type SessionChannel, type SessionOptions } from "../host/node/session.js";
import type { RunReport } from "../host/run.js";
import { machineEnd, type MachineEnd } from "../machine/end.js";
import type { MachineCopy } from "../snapshot/write.js";
import { GuestCommands } from "./guest/commands.js";
import type { TerminalPort } from "./guest/shell.js";
import { afterPatience } from "./patience.js";
import { Question } from "./question.js";
import { SaidBefore } from "./said-before.js";
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

/** Who keeps a machine that waits for its first command. */
export interface VmKeeper {
  /** Bytes of its memory that may be kept, more than 0. */
  readonly most: number;
  /** Gets the machine, and what its console has said, a character a byte. */
  readonly take: (copy: MachineCopy, said: string) => Promise<void>;
}

/** What a machine is made of once that is known. */
export interface HostSource {
  readonly source: MachineSource;
  /** What its init is handed once it waits; absent: it does not wait. */
  readonly steps?: Uint8Array;
  readonly keeper?: VmKeeper;
  /** Where modules of the kernel's were looked for and not found. */
  readonly modulesMissed?: readonly string[];
  /** It waits already: it was kept, having said this on its console. */
  readonly kept?: { readonly said: Uint8Array };
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

/** Why a kernel may lack what is needed. */
async function lackOfModules(missed: readonly string[]): Promise<Pick<VmFacts, "meaning">> {
  const { modulesNotFound } = await import("../cli/run/kernel.js");
  const meaning = modulesNotFound(missed);
  return meaning === undefined ? {} : { meaning: `${meaning[0].toUpperCase()}${meaning.slice(1)}` };
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
  /** How it ended; everything is closed then, and what is kept of it is written. Rejects for a machine that broke. */
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
  readonly #copied = new Question<undefined>();
  #handOver: HandOver | undefined;
  readonly #said = new SaidBefore();
  /** It is known what the machine is made of, which is made next. */
  #planned = (): void => undefined;
  /** Somebody has asked for its end. */
  #isStopped = false;
  /** Its init has said what it cannot do. */
  #hasSaidWhy = false;
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
          waiting: (alike) => this.#handOver?.waiting(alike),
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
        if (this.#handOver?.given === false) this.#said.take(bytes);
        return this.#consoleWire.take(bytes);
      },
      outputKeeps: true,
      onInputRoom: () => this.#consoleWire.room(),
      channels: this.#channels(),
      onPlanned: (warnings, told) => {
        this.#planned();
        for (const line of told) say(line);
        for (const warning of warnings) say(`warning: ${warning}`);
      },
      onStart: () => this.#started.answer(undefined),
      onReset: (route) => say(`reset by ${route}`),
      onSaved: (_, bytes) => this.#saved.answer({ bytes }),
      onNotSaved: (_, reason) => this.#saved.answer({ reason }),
      ...this.#whenCopied(),
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

  /** What is done about the copy of a machine that is to be kept. */
  #whenCopied(): Pick<SessionOptions, "onCopying" | "onCopied" | "onNotCopied"> {
    return {
      onCopying: () => this.#handOver?.copying(),
      onCopied: (copy) => {
        this.#copied.answer(undefined);
        this.#handOver?.copied(copy);
      },
      onNotCopied: () => {
        this.#copied.answer(undefined);
        this.#handOver?.now();
      },
    };
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
   * the machine was. With NotResumed where a machine that was kept came to nothing by itself: until it serves it does nothing that is seen.
   */
  async begin(what: HostSource, patienceMs: number): Promise<void> {
    const forget = afterPatience(patienceMs, () => {
      this.#isStopped = true;
      this.#session.stop(machineEnd("timeout", "start limit", `${patienceMs} ms`), false, true);
    });
    try {
      await this.#begin(what);
    } catch (error) {
      if (what.kept !== undefined && this.#didNotGoOn(error)) throw new NotResumed((error as Error).message);
      throw error;
    } finally {
      forget();
    }
  }

  /** What init says that it cannot do lies with what it was handed, and would be the same. */
  #didNotGoOn(error: unknown): boolean {
    if (this.#isStopped) return false;
    return error instanceof VmError ? !this.#hasSaidWhy : isOfState(error);
  }

  /** Has the guest given its steps once it waits. */
  #prepare(steps: Uint8Array, { keeper, kept }: HostSource): void {
    const handOver = new HandOver({
      keeper: keeper && { most: keeper.most, take: (copy) => this.#keep(keeper, copy) },
      give: () => {
        setHandOverTime(steps, Date.now());
        this.commands?.handOver(steps);
      },
      save: () => {
        // Nobody could tell a copy from a snapshot that is asked for meanwhile.
        const copied = this.#turn.then(() => {
          this.#session.save();
          return this.#copied.next();
        });
        this.#turn = copied.catch(() => undefined);
      },
    });
    this.#handOver = handOver;
    if (kept === undefined) return;
    this.#kernel.take(kept.said);
    void this.#consoleWire.take(kept.said);
    // So it finds them when it goes on.
    this.#planned = () => handOver.now();
  }

  /** A cache that takes nothing is no reason to end. */
  async #keep(keeper: VmKeeper, copy: MachineCopy): Promise<void> {
    const { text } = this.#said;
    if (text !== undefined) await keeper.take(copy, text).catch(() => undefined);
  }

  async #begin(what: HostSource): Promise<void> {
    const { source, steps, keeper } = what;
    const locore = packageVersion();
    const saving = { then: "go", compress: false, locore } as const;
    const copying = keeper && { copying: { locore, most: keeper.most } };
    const { maxResets, serving } = this.#options;
    if (steps !== undefined) this.#prepare(steps, what);
    const started = this.#started.next();
    this.#session.run({ source, explain: true, maxResets, saving, ...copying }).then(
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
    if ("failed" in first || "end" in first) throw await this.#notServing(first, what.modulesMissed ?? []);
  }

  async #notServing(
    first: RunReport | { readonly failed?: string },
    modulesMissed: readonly string[],
  ): Promise<VmError> {
    const { lines } = this.#kernel;
    const failed = ("failed" in first ? first.failed : undefined) ?? this.#kernel.failed;
    this.#hasSaidWhy = failed !== undefined;
    const { end, diagnosis } = "end" in first ? first : { end: machineEnd("off", "init") };
    const { reason, message } = outcomeOf({ ending: undefined, failed, started: false, end, lines });
    return new VmError(end.kind === "timeout" ? "timeout" : "no-exec", "Vm.start", {
      found: `${reason}: ${message ?? end.route}`,
      expected: "a guest whose init serves commands",
      meaning: "docs/run.md says what a kernel needs for it.",
      ...whyNot(diagnosis),
      ...(isLack(reason) && (await lackOfModules(modulesMissed))),
    });
  }

  /** Ends it; without a machine yet, its thread. */
  stop(end: MachineEnd): void {
    this.#isStopped = true;
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
    this.#handOver?.close();
    const ended = report === undefined ? broken(error) : hasEnded(report);
    for (const one of [this.#started, this.#saved, this.#found, this.#held, this.#copied]) one.finish(ended);
    this.#consoleWire.finish(ended);
    this.terminal.wire?.finish(ended);
    this.commands?.finish(ended);
    void Promise.allSettled([this.#options.network?.close(), this.#handOver?.kept()]).then(() =>
      report === undefined ? this.#settle.reject(error) : this.#settle.resolve(report),
    );
  }
}
