/**
 * The terminal of this process: raw mode while a guest owns it, restored on every way out that a program can
 * catch (normal end, exception, signal); and its size. Knows no machine.
 */
import { fstatSync, statSync } from "node:fs";
import type { ReadStream, WriteStream } from "node:tty";
import { lateBuiltin } from "./late-builtin.js";

const STANDARD_INPUT = 0;

/**
 * Whether standard input is a terminal. What is none is told from its file: the stream that Node makes of it takes milliseconds, for which
 * nothing else need wait.
 */
export function isTerminalInput(): boolean {
  try {
    const facts = fstatSync(STANDARD_INPUT);
    if (!facts.isCharacterDevice() || facts.rdev === statSync("/dev/null").rdev) return false;
  } catch {
    // It may be closed, or this is a system without such files.
  }
  return process.stdin.isTTY;
}

/** Tells the size of a terminal now, and whenever it changes; gives what ends that. */
export function watchSize(
  stream: WriteStream,
  tell: (size: { columns: number; rows: number }) => void,
): () => void {
  const changed = (): void => tell({ columns: stream.columns, rows: stream.rows });
  changed();
  stream.on("resize", changed);
  return () => void stream.removeListener("resize", changed);
}

export class RawTerminal {
  readonly #stream: ReadStream;
  readonly #restore = (): void => this.leave();
  #raw = false;

  constructor(stream: ReadStream) {
    this.#stream = stream;
  }

  /** Every key goes to the reader unchanged, Ctrl-C too, and every byte of output to the screen. */
  enter(): void {
    if (this.#raw) return;
    this.#raw = true;
    process.once("exit", this.#restore);
    this.#stream.setRawMode(true);
    // Node's raw mode still turns LF into CR LF, which full-screen programs of the guest do not expect. Without
    // stty they are merely less pretty. What it changes is undone with the rest of raw mode.
    const { spawnSync } = lateBuiltin("node:child_process");
    spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
  }

  /** Gives the terminal back as it was. Safe to call at any time, more than once. */
  leave(): void {
    if (!this.#raw) return;
    this.#raw = false;
    process.removeListener("exit", this.#restore);
    try {
      this.#stream.setRawMode(false);
    } catch {
      // The terminal is gone (hang-up): nothing is left to restore.
    }
  }
}
