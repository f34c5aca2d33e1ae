/** A command that runs in the guest: what it comes to, and what it writes meanwhile. */
import {
  ABORT_SIGNAL,
  ANYTHING,
  checkOptions,
  DATA,
  either,
  OBJECT,
  TEXT,
  type KindsOf,
} from "../option-kinds.js";
import { afterPatience, checkPatience } from "../patience.js";
import { VmError } from "../vm-error.js";
import { LineSplitter } from "../text-lines.js";
import type { GuestCommands } from "./commands.js";
import { ExecOutput, type ExecChunk } from "./exec-output.js";
import { checkBytes, jobScript, type JobOptions } from "./job.js";
import type { Slot, SlotInput } from "./slot.js";
import { KILL_PATIENCE_MS, stubborn } from "./stubborn.js";

/** Bytes of both streams that a result has, where nobody says something else. */
const USUAL_LIMIT = 64 << 20;
/** Characters of what a command complained about that an error shows. */
const SHOWN = 2000;
const SIGNAL_BASE = 128;
const LAST_SIGNAL = 64;
const KILL = 9;

/** Standard input of a command: all of it, or in pieces as they come. */
export type ExecInput = string | Uint8Array | AsyncIterable<Uint8Array | string>;

export interface ExecOptions extends JobOptions {
  /** Standard input; absent: empty. */
  readonly stdin?: ExecInput | undefined;
  /**
   * How long it may take from the call on, ms, the wait for its place too; it is killed then, and the result says `timedOut`. Infinity:
   * as long as it likes.
   */
  readonly timeoutMs?: number | undefined;
  /** Kills the command; the execution rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Bytes of both streams that are kept for the result; absent: 64 MiB. What comes behind is dropped, and the result is `truncated`. */
  readonly maxOutputBytes?: number | undefined;
}

const KINDS: KindsOf<ExecOptions> = {
  cwd: TEXT,
  env: OBJECT,
  stdin: either("a text, a Uint8Array, or an async iterable of them", DATA, {
    is: (value) =>
      typeof (value as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] === "function",
    expected: "pieces",
  }),
  timeoutMs: ANYTHING,
  signal: ABORT_SIGNAL,
  maxOutputBytes: ANYTHING,
};

/** What a command came to. */
export interface ExecResult {
  /** As a shell has it: its own, 128 and the number of the signal that ended it, 126 and 127 for what cannot be run or is not there. */
  readonly status: number;
  /** The number of the signal that ended it; a command may say the same by itself. */
  readonly signal: number | undefined;
  /** What it wrote, as UTF-8. */
  readonly stdout: string;
  readonly stderr: string;
  /** The same, byte for byte. */
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
  /** It was killed because its time was over. */
  readonly timedOut: boolean;
  /** It wrote more than was kept. */
  readonly truncated: boolean;
}

/** A line of what a command writes, without its end. */
export interface ExecLine {
  readonly stream: "stdout" | "stderr";
  readonly line: string;
}

const utf8 = new TextEncoder();

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? utf8.encode(data) : data;
}

class Result implements ExecResult {
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
  readonly truncated: boolean;

  constructor(
    readonly status: number,
    readonly timedOut: boolean,
    output: ExecOutput,
  ) {
    this.stdoutBytes = output.bytes("stdout");
    this.stderrBytes = output.bytes("stderr");
    this.truncated = output.isCut;
  }

  get signal(): number | undefined {
    const signal = this.status - SIGNAL_BASE;
    return signal > 0 && signal <= LAST_SIGNAL ? signal : undefined;
  }

  get stdout(): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.stdoutBytes);
  }

  get stderr(): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.stderrBytes);
  }

  /** Its text, not its bytes. */
  toJSON(): object {
    const { status, signal, stdout, stderr, timedOut, truncated } = this;
    return { status, signal, stdout, stderr, timedOut, truncated };
  }

  /** What `console.log` shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return this.toJSON();
  }
}

/** What a caller of our own wants of a command besides. */
export interface ExecutionHooks {
  /** What it rejects with, killed, as soon as it has written more than is kept; absent: it goes on, and its result is truncated. */
  readonly whenCut?: () => Error;
  /** What init's own shell does instead of the command. */
  readonly script?: string;
}

/**
 * To be awaited for its result, or iterated for what it writes as it comes, or both. It runs whether or not somebody looks. It never
 * rejects for a status: only when the machine ends before the command, its signal is aborted, what gives its standard input throws, or
 * the guest does not end what was killed (VmError "timeout").
 */
export class Execution implements PromiseLike<ExecResult>, AsyncIterable<ExecChunk> {
  readonly #commands: GuestCommands;
  /** As it was asked for. */
  readonly #words: string;
  readonly #output: ExecOutput;
  readonly #result: Promise<ExecResult>;
  #slot: Slot | undefined;
  /** Signals for a command that has not begun. */
  readonly #early: string[] = [];
  #timedOut = false;
  readonly #settled = new AbortController();
  #settle!: { resolve: (status: number) => void; reject: (reason: unknown) => void };

  /** A user does not make one: it comes from `vm.exec()`. Throws VmError "option". */
  constructor(
    commands: GuestCommands,
    command: string | readonly string[],
    options: ExecOptions = {},
    { whenCut, script }: ExecutionHooks = {},
  ) {
    checkOptions("exec", options, KINDS);
    checkPatience("timeoutMs", options.timeoutMs);
    checkBytes("maxOutputBytes", options.maxOutputBytes);
    this.#commands = commands;
    this.#output = new ExecOutput(options.maxOutputBytes ?? USUAL_LIMIT, () => {
      if (whenCut !== undefined) this.#abort(whenCut());
    });
    const job = script === undefined ? jobScript(command, options) : utf8.encode(script);
    this.#words = JSON.stringify(command);
    this.#result = this.#run(job, options);
    this.#result.then(
      () => this.#output.finish(),
      (error: unknown) => this.#output.finish(error as Error),
    );
  }

  then<A = ExecResult, B = never>(
    onfulfilled?: ((value: ExecResult) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(onfulfilled, onrejected);
  }

  catch<B = never>(onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<ExecResult | B> {
    return this.#result.catch(onrejected);
  }

  finally(onfinally?: (() => void) | null): Promise<ExecResult> {
    return this.#result.finally(onfinally);
  }

  /**
   * Its result, of a command that has to succeed: rejects with VmError "status" for any status but 0, also where its time was over; the
   * error says what it complained about.
   */
  async check(): Promise<ExecResult> {
    const result = await this.#result;
    const { status, timedOut, stderr } = result;
    if (status === 0) return result;
    const said = stderr.trim().slice(-SHOWN);
    throw new VmError("status", `exec ${this.#words}`, {
      found: `status ${status}${timedOut ? ", its time was over" : ""}`,
      expected: "status 0",
      ...(said !== "" && { meaning: `It said: ${said}` }),
    });
  }

  /** So that it may stand where a promise is asked for. */
  get [Symbol.toStringTag](): string {
    return "Execution";
  }

  /** What it writes, as it comes. A slow reader holds the command back. */
  [Symbol.asyncIterator](): AsyncGenerator<ExecChunk, void> {
    return this.#output.read();
  }

  /** The same by lines of UTF-8. */
  async *lines(): AsyncGenerator<ExecLine, void> {
    const splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() };
    for await (const { stream, data } of this.#output.read())
      for (const line of splitters[stream].take(data)) yield { stream, line };
    for (const stream of ["stdout", "stderr"] as const) {
      const line = splitters[stream].end();
      if (line !== undefined) yield { stream, line };
    }
  }

  /**
   * Sends a signal, by its name without SIG, to the command and its process group; KILL, the default, to all of its session. A command
   * that waits for its place gets it when it begins; KILL ends the wait, and it never runs.
   */
  kill(name = "KILL"): void {
    if (!/^[A-Z0-9+]+$/.test(name))
      throw new VmError("option", "kill", { found: name, expected: "the name of a signal without SIG" });
    if (this.#settled.signal.aborted) return;
    if (this.#slot !== undefined) this.#commands.signal(this.#slot, name);
    else if (name === "KILL") {
      this.#settled.abort();
      this.#settle.resolve(SIGNAL_BASE + KILL);
    } else this.#early.push(name);
  }

  async #run(job: Uint8Array, options: ExecOptions): Promise<ExecResult> {
    const { timeoutMs, signal } = options;
    const aborted = (): void => this.#abort(signal?.reason);
    let forget: (() => void)[] = [];
    try {
      const status = await new Promise<number>((resolve, reject) => {
        this.#settle = { resolve, reject };
        if (signal?.aborted === true) return aborted();
        signal?.addEventListener("abort", aborted);
        forget = [
          afterPatience(timeoutMs, () => {
            this.#timedOut = true;
            this.kill();
            forget.push(
              afterPatience(KILL_PATIENCE_MS, () =>
                reject(stubborn("exec", `, which was after ${timeoutMs} ms`)),
              ),
            );
          }),
        ];
        this.#begin(job, options).catch(reject);
      });
      return new Result(status, this.#timedOut, this.#output);
    } finally {
      this.#settled.abort();
      for (const each of forget) each();
      signal?.removeEventListener("abort", aborted);
    }
  }

  /** Kills it, if it has begun, and rejects. */
  #abort(reason: unknown): void {
    if (this.#slot !== undefined) this.kill();
    this.#settled.abort();
    this.#settle.reject(reason);
  }

  /** Waits for a place and begins; resolves when its standard input was given. */
  async #begin(job: Uint8Array, { stdin }: ExecOptions): Promise<void> {
    const slot = await this.#commands.slot(this.#settled.signal);
    if (this.#settled.signal.aborted) return this.#commands.release(slot);
    this.#slot = slot;
    const input = slot.begin(job, "stream", {
      output: (stream, data) => this.#output.take({ stream, data }),
      ended: this.#settle.resolve,
      failed: this.#settle.reject,
    });
    for (const name of this.#early) this.kill(name);
    await this.#feed(input, stdin);
  }

  async #feed(input: SlotInput, stdin: ExecInput | undefined): Promise<void> {
    try {
      if (typeof stdin === "string" || stdin instanceof Uint8Array) await input.write(bytesOf(stdin));
      else if (stdin !== undefined) await this.#feedPieces(input, stdin);
    } catch (error) {
      this.kill();
      throw error;
    } finally {
      input.close();
    }
  }

  /** The command may end before its input: then nobody waits for the next piece, and the giver is told that there is no more. */
  async #feedPieces(input: SlotInput, stdin: AsyncIterable<Uint8Array | string>): Promise<void> {
    const { signal } = this.#settled;
    const pieces = stdin[Symbol.asyncIterator]();
    let settled!: () => void;
    const over = new Promise<undefined>((resolve) => (settled = () => resolve(undefined)));
    signal.addEventListener("abort", settled);
    let isDone = false;
    try {
      while (!signal.aborted && !isDone) {
        const piece = await Promise.race([pieces.next(), over]);
        isDone = piece?.done === true;
        if (piece !== undefined && piece.done !== true) await input.write(bytesOf(piece.value));
      }
    } finally {
      signal.removeEventListener("abort", settled);
      // It may be at a piece that never comes: it is not waited for.
      if (!isDone) void Promise.resolve(pieces.return?.()).catch(() => undefined);
    }
  }
}
