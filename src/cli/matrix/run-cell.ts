/**
 * One cell of a matrix: `locore run` in a process of its own, in a process group of its own, with nothing to read. What it prints is
 * kept here, and mixes with nobody's.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { RUN_STATUS, type Outcome } from "../run/outcome.js";
import { CELL_VARIABLE, killGroup } from "./cell-link.js";
import type { CellResult, CellState } from "./cell-result.js";
import { KeptOutput } from "./kept-output.js";
import type { Cell } from "./plan.js";

/** What a cell is started with. */
export interface CellStart {
  cell: Cell;
  /** Its command line behind `locore run`. */
  words: readonly string[];
  /** A file that all its output goes to. */
  log: string | undefined;
  /** When its run ends itself, ms. */
  timeoutMs: number | undefined;
}

/** How long a run has for each step of being ended: its command is asked, then its machine, then it is killed, ms. */
const PATIENCE_MS = 2_000;
/** A run that has not ended itself so long after its time limit hangs, ms. */
const HANGING_MS = 10_000;

/** How a child process ended, for people. */
function deathOf(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `its process ended with status ${code}` : `its process was ended by ${signal}`;
}

function stateOf({ status, reason }: Outcome): CellState {
  if (reason === "unavailable") return "unavailable";
  return status === 0 ? "ok" : "failed";
}

/** A cell that runs. */
export class RunningCell {
  readonly startedMs = performance.now();
  readonly ended: Promise<CellResult>;
  readonly #child: ChildProcess;
  readonly #output = new KeptOutput();
  readonly #timers: NodeJS.Timeout[] = [];
  #outcome: Outcome | undefined;
  #stopped: "interrupted" | "fail-fast" | undefined;
  #hung = false;

  constructor(readonly start: CellStart) {
    const { words, log, timeoutMs } = start;
    this.#child = spawn(process.execPath, [...process.execArgv, process.argv[1], "run", ...words], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // Ctrl-C is for the matrix, which decides what becomes of its cells.
      detached: true,
      env: { ...process.env, [CELL_VARIABLE]: "1" },
    });
    this.#child.on("message", (outcome) => (this.#outcome = outcome as Outcome));
    const file = log === undefined ? undefined : createWriteStream(log);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      if (stream !== null) this.#keep(stream, file);
    if (timeoutMs !== undefined)
      this.#later(timeoutMs + HANGING_MS, () => {
        this.#hung = true;
        this.kill();
      });
    this.ended = this.#end(file);
  }

  /** Asks it to end, and sees to it that it does. */
  stop(why: "interrupted" | "fail-fast"): void {
    if (this.#stopped !== undefined || this.#outcome !== undefined) return;
    this.#stopped = why;
    this.#child.kill("SIGTERM");
    this.#later(PATIENCE_MS, () => this.#child.kill("SIGTERM"));
    this.#later(2 * PATIENCE_MS, () => this.kill());
  }

  /** Ends it at once, with what it may have started. */
  kill(): void {
    killGroup(this.#child.pid);
  }

  #later(ms: number, action: () => void): void {
    this.#timers.push(setTimeout(action, ms));
  }

  /** A file that is slow, or full, holds the guest back or is done without. */
  #keep(stream: Readable, file: WriteStream | undefined): void {
    stream.on("data", (bytes: Buffer) => {
      this.#output.take(bytes);
      if (file === undefined || file.destroyed || file.write(bytes)) return;
      stream.pause();
      const resume = (): void => {
        file.off("drain", resume);
        file.off("close", resume);
        stream.resume();
      };
      file.on("drain", resume).on("close", resume);
    });
  }

  #end(file: WriteStream | undefined): Promise<CellResult> {
    let lost: Error | undefined;
    file?.on("error", (error) => (lost ??= error));
    return new Promise((resolve) => {
      const settle = (code: number | null, signal: NodeJS.Signals | null, failure?: Error): void => {
        for (const timer of this.#timers) clearTimeout(timer);
        const result = this.#result(failure?.message ?? deathOf(code, signal), lost);
        if (file === undefined || file.destroyed) resolve(result);
        else file.end(() => resolve(result));
      };
      this.#child.on("error", (error) => {
        if (this.#child.pid === undefined) settle(null, null, error);
      });
      this.#child.on("close", settle);
    });
  }

  #result(death: string, lost: Error | undefined): CellResult {
    const about = {
      cell: this.start.cell,
      ms: Math.round(performance.now() - this.startedMs),
      output: this.#output,
    };
    const outcome = this.#outcome;
    if (this.#stopped !== undefined) {
      const status = outcome?.status || RUN_STATUS.ours;
      return { ...about, state: "ended", status, reason: this.#stopped };
    }
    if (outcome === undefined) {
      const reason = this.#hung ? "timeout" : "died";
      const status = this.#hung ? RUN_STATUS.timeout : RUN_STATUS.ours;
      return { ...about, state: "failed", status, reason, message: death };
    }
    const { status, reason, message } = outcome;
    const said = message === undefined ? {} : { message };
    if (lost !== undefined && status === 0)
      return { ...about, state: "failed", status: RUN_STATUS.ours, reason: "died", message: lost.message };
    return { ...about, state: stateOf(outcome), status, reason, ...said };
  }
}
