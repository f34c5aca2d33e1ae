/**
 * Runs a monitor as a user would, as a process, and measures it from outside: when each line of its console came,
 * how long it ran, how much memory it has that is not the guest's. Knows no monitor. Linux is needed for memory only.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

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
  /** Gives up a run whose console has shown no line by then. */
  silentMs?: number;
  /** Looks at memory this often besides. */
  sampleEveryMs?: number;
  /** Ends the run after this time, as if the last line had come. */
  stopAfterMs?: number;
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
  /** It was given up because it showed nothing. */
  silent: boolean;
  /** Host memory that is not guest RAM, at marks and at intervals; empty where /proc is missing. */
  memory: MemorySample[];
}

export interface MemorySample {
  atMs: number;
  bytes: number;
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

/** Bytes of what /proc/PID/pagemap says of a page (proc(5)), and the bits of its last byte: the page is there, or swapped. */
const PAGEMAP_ENTRY = 8;
const THERE = 0xc0;
const PAGE = 4 * KIB;

/** Resident bytes of `[start, +length)`; all of them where the system does not say, or the process is ending. */
function residentBytes(pid: number, start: number, length: number): number {
  const entries = Buffer.alloc((length / PAGE) * PAGEMAP_ENTRY);
  try {
    const file = openSync(`/proc/${pid}/pagemap`, "r");
    try {
      const read = readSync(file, entries, 0, entries.length, (start / PAGE) * PAGEMAP_ENTRY);
      if (read < entries.length) return length;
    } finally {
      closeSync(file);
    }
  } catch {
    return length;
  }
  let pages = 0;
  for (let i = PAGEMAP_ENTRY - 1; i < entries.length; i += PAGEMAP_ENTRY) {
    if ((entries[i] & THERE) !== 0) pages++;
  }
  return pages === 0 ? length : pages * PAGE;
}

const MAPPING = /^([0-9a-f]+)-[0-9a-f]+ .*\nSize:\s+(\d+) kB\n(?:.*\n)*?Rss:\s+(\d+) kB/gm;

/**
 * Resident memory that is not guest RAM: every mapping but the one that holds guest RAM, and of that one what lies before
 * guest RAM, which is at its end. (Where a monitor has it elsewhere in there, untouched guest RAM hides its tables.)
 */
export function beyondGuest(pid: number, guestBytes: number): number | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/smaps`, "latin1");
  } catch {
    return undefined;
  }
  let total = 0;
  for (const [, start, size, rss] of text.matchAll(MAPPING)) {
    const [mapped, resident] = [Number(size) * KIB, Number(rss) * KIB];
    const holdsGuest = mapped >= guestBytes && mapped < guestBytes + ENGINE_TABLES && resident > 0;
    total += holdsGuest ? residentBytes(pid, Number.parseInt(start, 16), mapped - guestBytes) : resident;
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

/** One process under measurement. */
class Measurement {
  readonly run: Run = {
    lines: [],
    wallMs: 0,
    status: null,
    stderr: "",
    timedOut: false,
    silent: false,
    memory: [],
  };
  private readonly start = performance.now();
  private readonly child: ChildProcess;
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly command: Command,
    private readonly watch: Watch,
    resolve: (run: Run) => void,
    reject: (error: Error) => void,
  ) {
    const child = spawn(command.program, command.args, { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    running.add(child);
    const console = new LineReader(this.start, (line) => this.onLine(line));
    child.stdout.on("data", (bytes: Buffer) => console.feed(bytes));
    child.stderr.on("data", (bytes: Buffer) => (this.run.stderr += bytes.toString("latin1")));
    child.on("error", reject);
    child.on("close", (status) => {
      this.onClose(status);
      resolve(this.run);
    });
    this.setTimers();
  }

  private setTimers(): void {
    const { timeoutMs, silentMs, sampleEveryMs, stopAfterMs } = this.watch;
    this.timers.push(
      setTimeout(() => {
        this.run.timedOut = true;
        this.child.kill("SIGKILL");
      }, timeoutMs),
    );
    if (silentMs !== undefined) this.timers.push(setTimeout(() => this.endIfSilent(), silentMs));
    if (sampleEveryMs !== undefined) this.timers.push(setInterval(() => this.sampleMemory(), sampleEveryMs));
    if (stopAfterMs !== undefined) this.timers.push(setTimeout(() => this.stop(), stopAfterMs));
  }

  private endIfSilent(): void {
    if (this.run.lines.length > 0 || this.run.timedOut) return;
    this.run.silent = true;
    this.child.kill("SIGKILL");
  }

  private onLine(line: ConsoleLine): void {
    const { marks, until } = this.watch;
    if (this.run.wallMs > 0) return;
    this.run.lines.push(line);
    const over = until !== undefined && isLine(line.text, until);
    if (over || marks.some((mark) => isLine(line.text, mark))) this.sampleMemory();
    if (over) this.stop(line.atMs);
  }

  private sampleMemory(): void {
    if (this.child.pid === undefined) return;
    const bytes = beyondGuest(this.child.pid, this.command.guestBytes);
    // A process that has ended and was not waited for has no mappings.
    if (bytes) this.run.memory.push({ atMs: performance.now() - this.start, bytes });
  }

  /** Asks the process to end and insists after a while. */
  private stop(atMs = performance.now() - this.start): void {
    this.run.wallMs = atMs;
    this.child.kill("SIGTERM");
    this.timers.push(setTimeout(() => this.child.kill("SIGKILL"), GRACE_MS));
  }

  private onClose(status: number | null): void {
    for (const timer of this.timers) clearTimeout(timer);
    running.delete(this.child);
    this.run.status = status;
    if (this.run.wallMs === 0) this.run.wallMs = performance.now() - this.start;
  }
}

/** Starts `command` and follows it to its end. Rejects when it cannot be started. */
export function measure(command: Command, watch: Watch): Promise<Run> {
  return new Promise((resolve, reject) => new Measurement(command, watch, resolve, reject));
}
