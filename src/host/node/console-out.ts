/**
 * Where console bytes go: a stream of this process, and a copy in a log file. Waits for slow readers; when the
 * reader is gone it says so once and drops what follows.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Writable } from "node:stream";
import type { OutputSink } from "./session.js";

/** A copy of the console. Written at once, so that it is complete up to the moment of any end, kill -9 too. */
export class ConsoleLog {
  readonly #descriptor: number;
  readonly #onFailure: (error: Error) => void;
  #failed = false;
  #closed = false;

  /**
   * Creates or empties the file. Throws the host's error when it cannot. `onFailure` is told once that it cannot be
   * written; what follows is dropped.
   */
  constructor(path: string, onFailure: (error: Error) => void) {
    this.#descriptor = openSync(path, "w");
    this.#onFailure = onFailure;
  }

  write(bytes: Uint8Array): void {
    if (this.#failed) return;
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#descriptor, bytes, done);
    } catch (error) {
      this.#failed = true;
      this.#onFailure(error as Error);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#descriptor);
  }
}

export interface ConsoleOutput {
  sink: OutputSink;
  /** Whether a non-empty last line was left without a newline. */
  midLine: () => boolean;
}

const LF = 0x0a;

/**
 * A sink that writes to `stream`, and to `log` if there is one; `onGone` is told once that nothing can be written to the
 * stream any more.
 */
export function consoleOutput(
  stream: Writable,
  log: ConsoleLog | undefined,
  onGone: (error: NodeJS.ErrnoException) => void,
): ConsoleOutput {
  let gone = false;
  let last = LF;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (gone) return;
    gone = true;
    onGone(error);
  });
  const sink: OutputSink = (bytes) => {
    log?.write(bytes);
    last = bytes[bytes.length - 1];
    if (gone) return Promise.resolve();
    return new Promise((resolve) => stream.write(bytes, () => resolve()));
  };
  return { sink, midLine: () => last !== LF };
}
