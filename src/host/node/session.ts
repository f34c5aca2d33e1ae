/**
 * Main's side of a running machine: starts the worker, carries console bytes both ways with back-pressure, and
 * turns what ends it (the guest, a stop, a broken worker) into one report. Knows no terminal and no signal; those
 * come in as `input`, `output` and calls of `stop`.
 */
import { withErrorData } from "../../bytes/error-data.js";
import type { Worker } from "node:worker_threads";
import type { Diagnosis } from "../../diagnose/diagnosis.js";
import type { Screen } from "../../machine/screen.js";
import type { MachineEnd } from "../../machine/end.js";
import type { RunReport } from "../run.js";
import type { MachineCopy } from "../../snapshot/write.js";
import {
  allocateShared,
  MainSide,
  type ConsoleSize,
  type MainStream,
  type StreamOptions,
} from "../shared.js";
import type { EngineOptions } from "./engines.js";
import { machineThread } from "./machine-thread.js";
import { randomBytes } from "./random-bytes.js";
import {
  transferable,
  type StartMessage,
  type StartSteps,
  type WorkerFailure,
  type WorkerMessage,
  type WorkerSetup,
} from "./messages.js";

/** Bytes taken from the output ring at a time. */
const OUTPUT_BLOCK = 65536;
/** How long a machine may take to end after it was asked to, before its thread is ended instead, ms. */
const STOP_PATIENCE_MS = 400;
/** How long it may take where it is to say why, ms: all of its memory may have to be looked at. */
const EXPLAIN_PATIENCE_MS = 10_000;
/** How long a reader may stall the end of a machine that was asked to end, ms. */
const DRAIN_PATIENCE_MS = 200;

/** How long a thread may take to be gone once it was ended: one in a system call of the host's may never be. */
const END_PATIENCE_MS = 1000;

const GENERATION_BYTES = 16;

/** Takes console output; resolves when it wants more. Never rejects: once nobody reads, it drops. */
export type OutputSink = (bytes: Uint8Array) => Promise<void>;

/** The worker could not run the machine: its error with name, message and facts as they were there. */
export class SessionError extends Error {
  readonly what: WorkerFailure["what"];

  constructor({ what, ...data }: WorkerFailure) {
    super(data.message);
    this.what = what;
    withErrorData(this, data);
  }
}

/** Resolves once `work` is done, or is not after so long; it goes on then. */
async function doneOrAfter(work: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  await Promise.race([work, patience]);
  clearTimeout(timer);
}

/** A fault of the thread itself. */
function threadError(message: string, stack?: string): SessionError {
  return new SessionError({ what: "internal", name: "ThreadError", message, stack, facts: {} });
}

/** The host's end of a named port. */
export interface SessionChannel extends StreamOptions {
  /** Takes what the guest writes. */
  output: OutputSink;
  /** `output` has what it is given when the call returns: what is left when the machine has ended is given to it at once. */
  keeps?: boolean;
  /** Called when there is room again after `give` took less than it was given. */
  onRoom?: () => void;
}

/** What the thread has to know of a channel. */
function streamOptions([name, channel]: [string, SessionChannel]): [string, StreamOptions] {
  const { capacity, patient, inputSaved } = channel;
  return [
    name,
    {
      ...(capacity !== undefined && { capacity }),
      ...(patient !== undefined && { patient }),
      ...(inputSaved !== undefined && { inputSaved }),
    },
  ];
}

export interface SessionOptions {
  engine: string;
  engineOptions?: EngineOptions;
  /** Entry of the thread; the default is the real one, tests bring their own. */
  worker?: URL | undefined;
  output: OutputSink;
  /** The process ends behind the machine: nobody waits then for its thread to be gone, once it has reported. */
  isLast?: boolean;
  /** As `SessionChannel.keeps`, of the console. */
  outputKeeps?: boolean;
  /** Called when the guest's input ring has room again after `giveInput` took less than it was given. */
  onInputRoom?: () => void;
  /** The host's ends of the machine's named ports. */
  channels?: ReadonlyMap<string, SessionChannel>;
  /** Told when there is a plan, with its warnings and what else a person is to know, before anything runs. */
  onPlanned?: (warnings: readonly string[], told: readonly string[]) => void;
  /** Told when the first instruction runs. */
  onStart?: (steps: StartSteps) => void;
  /** Told that the machine starts again, and how the guest asked for the reset. */
  onReset?: (route: string) => void;
  /** Told that the machine was saved to a file of so many bytes, and how long it stood still, ms. */
  onSaved?: (file: string, bytes: number, ms: number) => void;
  /** Told that the machine stands still, or goes on, because that was asked for. */
  onHeld?: (held: boolean) => void;
  /** Told that it was not saved, and why. */
  onNotSaved?: (file: string, reason: string) => void;
  /** Told that its memory is copied now, after `save` of a run with `StartMessage.copying`: `onCopied` or `onNotCopied` follows. */
  onCopying?: () => void;
  /** Given the machine as it was, after `save` of a run with `StartMessage.copying`, and how long it stood still, ms; or why it cannot be. */
  onCopied?: (copy: MachineCopy, ms: number) => void;
  onNotCopied?: (reason: string) => void;
  /** Told where the machine is, after `explain`. */
  onDiagnosis?: (diagnosis: Diagnosis) => void;
  /** Shown the screen when it has changed, if the run was started with `watchScreen`. */
  onScreen?: (screen: Screen) => void;
  /** Told that the guest writes to a screen that the machine does not have, with a line of it. */
  onUnseenText?: (line: string) => void;
  /** Told a line for people. */
  onTold?: (line: string) => void;
  /** Told about instructions that the engine lacks. */
  onUnimplemented?: (text: string, rip: bigint, bytes: Uint8Array) => void;
}

/** Carries what the guest writes to one stream, a block at a time. */
class Pumped {
  readonly #stream: MainStream;
  readonly #channel: SessionChannel;
  #isCarrying = false;
  /** The carrying that was begun last. */
  #carrying: Promise<void> = Promise.resolve();
  #waiting: (() => void)[] = [];

  constructor(stream: MainStream, channel: SessionChannel) {
    this.#stream = stream;
    this.#channel = channel;
  }

  /** There may be room for input. */
  room(): void {
    this.#channel.onRoom?.();
  }

  /** Carries output until there is none; the worker calls again at the next byte. */
  pump(): void {
    for (const wake of this.#waiting.splice(0)) wake();
    void this.#left();
  }

  /** Resolves once everything that was written has left, with what waits in the guest. */
  async drained(): Promise<void> {
    for (;;) {
      const { kept } = this.#stream;
      await this.#left();
      if (!kept) return;
      if (this.#stream.kept) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The machine has ended: resolves once the last that came out of it has left. */
  async last(): Promise<void> {
    if (this.#channel.keeps !== true) return this.#left();
    for (let bytes = this.#take(); bytes.length > 0; bytes = this.#take()) void this.#channel.output(bytes);
  }

  /** Resolves once everything that came out of the guest has left. */
  #left(): Promise<void> {
    if (this.#isCarrying) return this.#carrying;
    this.#isCarrying = true;
    this.#carrying = this.#carry();
    return this.#carrying;
  }

  async #carry(): Promise<void> {
    for (let bytes = this.#take(); bytes.length > 0; bytes = this.#take()) await this.#channel.output(bytes);
    this.#isCarrying = false;
  }

  #take(): Uint8Array {
    return this.#stream.takeOutput(OUTPUT_BLOCK);
  }
}

export class Session {
  readonly #options: SessionOptions;
  readonly #worker: Worker;
  readonly #side: MainSide;
  readonly #result: Promise<RunReport>;
  #settle: { resolve: (report: RunReport) => void; reject: (error: Error) => void } | undefined;
  #stop: MachineEnd | undefined;
  /** Resolves once somebody asks for the end and does not wait for readers. */
  readonly #hurried: Promise<void>;
  #hurry!: () => void;
  #running = false;
  /** The machine has ended, and what it was made of is closed. */
  #reported = false;
  #stopTimer: NodeJS.Timeout | undefined;
  readonly #streams: readonly Pumped[];
  readonly #pumped: ReadonlyMap<string, Pumped>;

  /** Starts the thread and lets it load the engine; the machine waits for `run`. */
  constructor(options: SessionOptions) {
    this.#options = options;
    const channels = options.channels ?? new Map<string, SessionChannel>();
    const shared = allocateShared([...channels.keys()], new Map([...channels].map(streamOptions)));
    this.#side = new MainSide(shared);
    this.#pumped = new Map(
      [...channels].map(([name, channel]) => [name, new Pumped(this.#side.channels.get(name)!, channel)]),
    );
    this.#streams = [
      new Pumped(this.#side, {
        output: options.output,
        onRoom: () => options.onInputRoom?.(),
        ...(options.outputKeeps === true && { keeps: true }),
      }),
      ...this.#pumped.values(),
    ];
    const setup: WorkerSetup = { engine: options.engine, options: options.engineOptions ?? {}, shared };
    this.#result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#result.catch(() => undefined);
    this.#hurried = new Promise((resolve) => (this.#hurry = resolve));
    this.#worker = machineThread(options.worker);
    try {
      this.#worker.postMessage(setup);
    } catch (error) {
      void this.#worker.terminate();
      throw error;
    }
    this.#worker.on("message", (message: WorkerMessage) => this.#hear(message));
    this.#worker.on("error", (error) => this.#fail(threadError(error.message, error.stack)));
    this.#worker.on("exit", () => this.#exited());
  }

  /**
   * Hands over what to boot and runs it to its end. Large buffers are moved, not copied: they are empty here
   * afterwards. Resolves after the last byte of console output was taken.
   */
  async run(start: StartMessage): Promise<RunReport> {
    const generation = randomBytes(GENERATION_BYTES);
    this.#worker.postMessage({ ...start, generation }, transferable(start.source));
    this.#pump();
    try {
      const report = await this.#result;
      await this.#drain();
      return report;
    } finally {
      await this.dispose();
    }
  }

  /** Offers input; returns how many bytes were taken. `onInputRoom` follows if that is not all. */
  giveInput(bytes: Uint8Array): number {
    return this.#side.giveInput(bytes);
  }

  /**
   * Offers input to the named port; returns how many bytes were taken. The channel's `onRoom` follows if that is not all. `whole`: all of it
   * or nothing, where the channel can have so much.
   */
  give(channel: string, bytes: Uint8Array, whole = false): number {
    return this.#channel(channel).giveInput(bytes, whole);
  }

  /** The input of the named port has come to its end: its reader finds it behind what was given. */
  closeChannel(channel: string): void {
    this.#channel(channel).closeInput();
  }

  /**
   * Resolves once all that the guest has written to the named port until now was taken. Not for a machine that ends before: what still
   * waits in its guest is lost.
   */
  drained(channel: string): Promise<void> {
    return this.#pumped.get(channel)?.drained() ?? Promise.resolve();
  }

  #channel(name: string): MainStream {
    const channel = this.#side.channels.get(name);
    if (channel === undefined) throw new RangeError(`no channel ${name}`);
    return channel;
  }

  /**
   * Asks for a snapshot, in this file where one is named: `onSaved` or `onNotSaved` follows. Without `StartMessage.saving` nothing
   * happens.
   */
  save(file?: string): void {
    this.#side.requestSave(file);
  }

  /** Asks the machine to stand still, its clock too, or to go on: `onHeld` follows. */
  hold(held: boolean): void {
    this.#side.requestHold(held);
  }

  /** A debugger may come, over the channel that is for it. */
  allowDebugger(): void {
    this.#side.requestDebugger();
  }

  /** Asks where the machine is: `onDiagnosis` follows. Without `StartMessage.explain` nothing happens. */
  explain(): void {
    this.#side.requestDiagnosis();
  }

  /** The terminal has this size, characters and lines. A machine with a virtio console is told. */
  resize(size: ConsoleSize): void {
    this.#side.resize(size);
  }

  /** The input has come to its end. */
  closeInput(): void {
    this.#side.closeInput();
  }

  /**
   * Ends the machine with `end`; if its thread does not answer, or has nothing running yet that could, ends the thread.
   * The first stop counts. `patient`: all that the guest has written leaves nevertheless, however long its readers take.
   * `explain`: the report says where the machine was, where it was started with `StartMessage.explain`.
   */
  stop(end: MachineEnd, patient = false, explain = false): void {
    if (this.#stop !== undefined) return;
    this.#stop = end;
    if (!patient) this.#hurry();
    if (explain) this.#side.requestDiagnosis();
    this.#side.requestStop();
    const patience = !this.#running ? 0 : explain ? EXPLAIN_PATIENCE_MS : STOP_PATIENCE_MS;
    this.#stopTimer = setTimeout(() => void this.#endThread().then(() => this.#exited()), patience);
  }

  /** Ends the thread. Safe to call at any time, more than once. */
  async dispose(): Promise<void> {
    clearTimeout(this.#stopTimer);
    const gone = this.#endThread();
    if (!this.#reported || this.#options.isLast !== true) await gone;
  }

  /** Resolves once the thread is gone, or does not seem to go. */
  async #endThread(): Promise<void> {
    await doneOrAfter(this.#worker.terminate(), END_PATIENCE_MS);
  }

  #hear(message: WorkerMessage): void {
    switch (message.kind) {
      case "wake":
        this.#pump();
        for (const stream of this.#streams) stream.room();
        return;
      case "planned":
        this.#options.onPlanned?.(message.warnings, message.told);
        return;
      case "started":
        this.#running = true;
        this.#options.onStart?.(message.steps);
        return;
      case "unimplemented":
        this.#options.onUnimplemented?.(message.text, message.rip, message.bytes);
        return;
      case "reset":
        this.#options.onReset?.(message.route);
        return;
      case "saved":
        this.#options.onSaved?.(message.file, message.bytes, message.ms);
        return;
      case "held":
        this.#options.onHeld?.(message.held);
        return;
      case "not-saved":
        this.#options.onNotSaved?.(message.file, message.reason);
        return;
      case "copying":
        this.#options.onCopying?.();
        return;
      case "copied":
        this.#options.onCopied?.(message.copy, message.ms);
        return;
      case "not-copied":
        this.#options.onNotCopied?.(message.reason);
        return;
      case "diagnosis":
        this.#options.onDiagnosis?.(message.diagnosis);
        return;
      case "screen":
        this.#options.onScreen?.(message.screen);
        return;
      case "unseen-text":
        this.#options.onUnseenText?.(message.line);
        return;
      case "told":
        this.#options.onTold?.(message.line);
        return;
      case "ended":
        this.#finish(message.report);
        return;
      case "failed":
        this.#fail(new SessionError(message.failure));
    }
  }

  /** The machine reports a stop as the host's; what was asked for is more exact. */
  #finish(report: RunReport): void {
    this.#reported = true;
    const stopped = this.#stop !== undefined && report.end.kind === "interrupted";
    this.#settle?.resolve(stopped ? { ...report, end: this.#stop as MachineEnd } : report);
  }

  #fail(error: Error): void {
    this.#settle?.reject(error);
  }

  /** The thread is gone; after `ended` or `failed` that changes nothing any more. */
  #exited(): void {
    const stats = { instructions: 0, resets: 0, clockNs: 0, engine: {} };
    if (this.#stop !== undefined) this.#settle?.resolve({ end: this.#stop, stats, hostMs: 0, executed: 0 });
    else this.#fail(threadError("the machine's thread ended without a report"));
  }

  #pump(): void {
    for (const stream of this.#streams) stream.pump();
  }

  /** Everything the guest wrote leaves; once the machine was asked to end, only what leaves soon. */
  async #drain(): Promise<void> {
    const drained = Promise.all(this.#streams.map((stream) => stream.last()));
    await Promise.race([drained, this.#hurried]);
    await doneOrAfter(drained, DRAIN_PATIENCE_MS);
  }
}
