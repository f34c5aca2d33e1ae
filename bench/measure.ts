/**
 * Runs a monitor as a user would, as a process, and measures it from outside: when each line of its console came,
 * how long it ran, how much memory it has that is not the guest's. Knows no monitor. Linux is needed for memory only.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";

const KIB = 1024;

export interface Command {
  program: string;
  args: readonly string[];
  guestBytes: number;
}

/** How to follow a run. */
export interface Watch {
  /** Console lines at which memory is looked at. */
  marks: readonly string[];
  /** The console line at which the run is over; without it the process must end by itself. */
  until?: string | undefined;
  timeoutMs: number;
}

export interface ConsoleLine {
  text: string;
  /** Since the process was started, ms. */
  atMs: number;
}

export interface Run {
  lines: ConsoleLine[];
  /** From spawn to the last line of interest, or to the end where there is none, ms. */
  wallMs: number;
  status: number | null;
  stderr: string;
  timedOut: boolean;
  /** The largest host memory at a mark that is not guest RAM, bytes; undefined where /proc is missing. */
  beyondGuestBytes: number | undefined;
}

/** Asked to end, a monitor may report first. */
const GRACE_MS = 5_000;

/** More than an engine puts beside guest RAM into one mapping; reservations of a JavaScript engine are larger. */
const ENGINE_TABLES = 128 * KIB * KIB;

/** Processes that are running, to be ended with this one. */
const running = new Set<ChildProcess>();

/** Kills what is being measured. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/**
 * Resident memory that is not guest RAM: every mapping but the one that holds guest RAM, and of that one all that
 * exceeds guest RAM, resident or not (an upper bound: untouched guest RAM must not hide the engine's own tables).
 */
export function beyondGuest(pid: number, guestBytes: number): number | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/smaps`, "latin1");
  } catch {
    return undefined;
  }
  let total = 0;
  for (const [, size, rss] of text.matchAll(/^Size:\s+(\d+) kB\n(?:.*\n)*?Rss:\s+(\d+) kB/gm)) {
    const [mapped, resident] = [Number(size) * KIB, Number(rss) * KIB];
    const holdsGuest = mapped >= guestBytes && mapped < guestBytes + ENGINE_TABLES && resident > 0;
    total += holdsGuest ? mapped - guestBytes : resident;
  }
  return total;
}

/** Whether a console line is `mark`: a kernel's message may stand before it on the line. */
export const isLine = (text: string, mark: string): boolean => text.trimEnd().endsWith(mark);

/** Cuts a console into lines and stamps each when its end arrives. */
class LineReader {
  private partial = "";

  constructor(
    private readonly start: number,
    private readonly onLine: (line: ConsoleLine) => void,
  ) {}

  feed(bytes: Buffer): void {
    const atMs = performance.now() - this.start;
    const pieces = (this.partial + bytes.toString("latin1")).split("\n");
    this.partial = pieces.pop() ?? "";
    for (const piece of pieces) this.onLine({ text: piece.replaceAll("\r", ""), atMs });
  }
}

/** Asks a process to end and insists after a while. */
function end(child: ChildProcess): void {
  child.kill("SIGTERM");
  setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
}

/** Starts `command` and follows it to its end. Rejects when it cannot be started. */
export function measure(command: Command, watch: Watch): Promise<Run> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(command.program, command.args, { stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    const run: Run = {
      lines: [],
      wallMs: 0,
      status: null,
      stderr: "",
      timedOut: false,
      beyondGuestBytes: undefined,
    };
    const limit = setTimeout(() => {
      run.timedOut = true;
      child.kill("SIGKILL");
    }, watch.timeoutMs);
    const console = new LineReader(start, (line) => {
      if (run.wallMs > 0) return;
      run.lines.push(line);
      const over = watch.until !== undefined && isLine(line.text, watch.until);
      if (child.pid !== undefined && (over || watch.marks.some((mark) => isLine(line.text, mark)))) {
        const bytes = beyondGuest(child.pid, command.guestBytes);
        if (bytes !== undefined && bytes > 0)
          run.beyondGuestBytes = Math.max(bytes, run.beyondGuestBytes ?? 0);
      }
      if (!over) return;
      run.wallMs = line.atMs;
      end(child);
    });
    child.stdout.on("data", (bytes: Buffer) => console.feed(bytes));
    child.stderr.on("data", (bytes: Buffer) => (run.stderr += bytes.toString("latin1")));
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(limit);
      running.delete(child);
      run.status = status;
      if (run.wallMs === 0) run.wallMs = performance.now() - start;
      resolve(run);
    });
  });
}
