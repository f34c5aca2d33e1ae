/**
 * Runs one of apt's programs to its end and collects what it says. Knows the programs' names only for the error
 * that says they are missing.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { GuestError } from "./errors.js";

/** What to do on a host that cannot fetch guests. */
export const NO_APT_HINT =
  "Bring your own instead: `locore boot KERNEL --initrd INITRD` takes any Linux kernel and initramfs, " +
  "e.g. the files in another machine's /boot.";

/** The extra pipe on which apt reports progress (APT::Status-Fd). */
const STATUS_FD = 3;

export interface ProgramOptions {
  signal?: AbortSignal | undefined;
  /** Added to this process's environment. */
  environment?: Record<string, string> | undefined;
  cwd?: string | undefined;
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

async function readAll(stream: Readable | null): Promise<string> {
  const chunks: Buffer[] = [];
  if (stream === null) return "";
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** Runs a program without input. Throws GuestError "no-apt" when there is none of that name. */
export async function runProgram(
  program: string,
  words: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const child = spawn(program, words, {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.environment },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve(status ?? SIGNALLED));
  });
  const statusLines = child.stdio[STATUS_FD] as Readable;
  createInterface(statusLines).on("line", (line) => options.onStatus?.(line));
  try {
    const [status, stdout, stderr] = await Promise.all([ended, readAll(child.stdout), readAll(child.stderr)]);
    return { status, stdout, stderr };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new GuestError(
        "no-apt",
        `this host has no ${program}, so Debian packages cannot be fetched. ${NO_APT_HINT}`,
      );
    }
    throw error;
  }
}
