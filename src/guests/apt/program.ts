/**
 * Runs one of apt's programs to its end and collects what it says. Knows the programs' names only for the error
 * that says they are missing.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { GuestError } from "../errors.js";

/** What to do on a host that cannot fetch guests. */
export const NO_APT_HINT =
  "Bring your own instead: `locore boot KERNEL --initrd INITRD` takes any Linux kernel and initramfs, " +
  "e.g. the files in another machine's /boot.";

/** The extra pipe on which apt reports progress (APT::Status-Fd). */
const STATUS_FD = 3;

export interface ProgramOptions {
  /** Ends the program, and whatever it started, at once; its reason is what is thrown then. */
  signal?: AbortSignal | undefined;
  /** Added to this process's environment. */
  environment?: Record<string, string> | undefined;
  cwd?: string | undefined;
  /** Called for each line on standard output. */
  onLine?: ((line: string) => void) | undefined;
  /** Called for each line on file descriptor 3. */
  onStatus?: ((line: string) => void) | undefined;
}

export interface ProgramResult {
  /** Exit status; 128 and more stand for an end by a signal. */
  status: number;
  stdout: string;
  stderr: string;
}

const SIGNALLED = 128;

/** All that a stream says; whole lines are handed on as they come. */
async function readAll(stream: Readable | null, onLine?: (line: string) => void): Promise<string> {
  if (stream === null) return "";
  stream.setEncoding("utf8");
  let text = "";
  let handedOn = 0;
  for await (const chunk of stream) {
    text += chunk as string;
    for (let end = text.indexOf("\n", handedOn); end >= 0; end = text.indexOf("\n", handedOn)) {
      onLine?.(text.slice(handedOn, end));
      handedOn = end + 1;
    }
  }
  return text;
}

/** Kills a program with all that it started: apt's methods are of its process group. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // It may have ended by itself in this very moment.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/**
 * Runs a program without input. It is a session of its own, so that a terminal's Ctrl-C reaches this process alone,
 * which then ends it by `signal`. Returns or throws only after all of it is gone. Throws GuestError "no-apt" when there
 * is none of that name, and the signal's reason.
 */
export async function runProgram(
  program: string,
  words: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { signal } = options;
  signal?.throwIfAborted();
  const child = spawn(program, words, {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.environment },
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const kill = (): void => killGroup(child);
  signal?.addEventListener("abort", kill, { once: true });
  process.once("exit", kill);
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? SIGNALLED));
  });
  const statusLines = child.stdio[STATUS_FD] as Readable;
  createInterface(statusLines).on("line", (line) => options.onStatus?.(line));
  try {
    const [status, stdout, stderr] = await Promise.all([
      ended,
      readAll(child.stdout, options.onLine),
      readAll(child.stderr),
    ]);
    signal?.throwIfAborted();
    return { status, stdout, stderr };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new GuestError(
        "no-apt",
        `this host has no ${program}, so Debian packages cannot be fetched. ${NO_APT_HINT}`,
      );
    }
    throw error;
  } finally {
    signal?.removeEventListener("abort", kill);
    process.removeListener("exit", kill);
  }
}
