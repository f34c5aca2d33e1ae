/** A command that runs in the guest: what it comes to, and what it writes meanwhile. */
import { VmError } from "../vm-error.js";
import { LineSplitter } from "../text-lines.js";
import type { GuestCommands } from "./commands.js";
import { ExecOutput, type ExecChunk } from "./exec-output.js";
import { jobScript, type JobOptions } from "./job.js";
import type { Slot, SlotInput } from "./slot.js";

/** Bytes of both streams that a result has, where nobody says something else. */
const USUAL_LIMIT = 64 << 20;
/** How long a guest may take to end a command that is to be killed, ms: it may be busy. */
const KILL_PATIENCE_MS = 30_000;
const SIGNAL_BASE = 128;
const LAST_SIGNAL = 64;

/** Standard input of a command: all of it, or in pieces as they come. */
export type ExecInput = string | Uint8Array | AsyncIterable<Uint8Array | string>;

export interface ExecOptions extends JobOptions {
  /** Standard input; absent: empty. */
  readonly stdin?: ExecInput;
  /** How long the command may run, ms; it is killed then, and the result says `timedOut`. */
  readonly timeoutMs?: number;
  /** Kills the command; the execution rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Bytes of both streams that are kept for the result; absent: 64 MiB. What comes behind is dropped, and the result is `truncated`. */
  readonly maxOutputBytes?: number;
}

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
    return new TextDecoder().decode(this.stdoutBytes);
  }

  get stderr(): string {
    return new TextDecoder().decode(this.stderrBytes);
  }
}

/**
 * To be awaited for its result, or iterated for what it writes as it comes, or both. It runs whether or not somebody looks. It rejects
 * only when the machine ends before the command, or its signal is aborted: never for a status.
 */
export class Execution implements PromiseLike<ExecResult>, AsyncIterable<ExecChunk> {
  readonly #commands: GuestCommands;
  readonly #output: ExecOutput;
  readonly #result: Promise<ExecResult>;
  #slot: Slot | undefined;
  #timedOut = false;
  readonly #settled = new AbortController();

  /** A user does not make one: it comes from `vm.exec()`. Throws VmError "option". */
  constructor(commands: GuestCommands, command: string | readonly string[], options: ExecOptions = {}) {
    this.#commands = commands;
    this.#output = new ExecOutput(options.maxOutputBytes ?? USUAL_LIMIT);
    const job = jobScript(command, options);
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

  /** Sends a signal, by its name without SIG, to the command and its process group; KILL, the default, to all of its session. */
  kill(name = "KILL"): void {
    if (!/^[A-Z0-9+]+$/.test(name))
      throw new VmError("option", "kill", { found: name, expected: "the name of a signal without SIG" });
    if (this.#slot !== undefined && !this.#settled.signal.aborted) this.#commands.signal(this.#slot, name);
  }

  async #run(job: Uint8Array, { stdin, timeoutMs, signal }: ExecOptions): Promise<ExecResult> {
    signal?.throwIfAborted();
    const slot = await this.#commands.slot(signal);
    this.#slot = slot;
    if (signal?.aborted === true) {
      this.#commands.release(slot);
      throw signal.reason;
    }
    const timers: NodeJS.Timeout[] = [];
    let aborted: (() => void) | undefined;
    try {
      const status = await new Promise<number>((resolve, reject) => {
        const input = slot.begin(job, "stream", {
          output: (stream, data) => this.#output.take({ stream, data }),
          ended: resolve,
          failed: reject,
        });
        aborted = () => {
          this.kill();
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", aborted);
        if (timeoutMs !== undefined)
          timers.push(
            setTimeout(() => {
              this.#timedOut = true;
              this.kill();
              timers.push(setTimeout(() => reject(stubborn(timeoutMs)), KILL_PATIENCE_MS));
            }, timeoutMs),
          );
        this.#feed(input, stdin).catch(reject);
      });
      return new Result(status, this.#timedOut, this.#output);
    } finally {
      this.#settled.abort();
      for (const timer of timers) clearTimeout(timer);
      if (aborted !== undefined) signal?.removeEventListener("abort", aborted);
    }
  }

  async #feed(input: SlotInput, stdin: ExecInput | undefined): Promise<void> {
    try {
      if (typeof stdin === "string" || stdin instanceof Uint8Array) await input.write(bytesOf(stdin));
      else if (stdin !== undefined)
        for await (const piece of stdin) {
          if (this.#settled.signal.aborted) return;
          await input.write(bytesOf(piece));
        }
    } catch (error) {
      this.kill();
      throw error;
    } finally {
      input.close();
    }
  }
}

function stubborn(timeoutMs: number): VmError {
  return new VmError("timeout", "exec", {
    found: `a command that runs ${KILL_PATIENCE_MS} ms after it was killed, which was after ${timeoutMs} ms`,
    expected: "its end",
    meaning: "vm.diagnose() says where the machine is.",
  });
}
