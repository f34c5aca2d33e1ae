/**
 * The thread that a machine runs in. It may be started before it is known what it is for: it loads what every machine needs and
 * waits to be told. Loads nothing itself, as it is the first that runs.
 */
import { Worker, type WorkerOptions } from "node:worker_threads";
import type { Foretold } from "./messages.js";

/**
 * A machine allocates next to nothing once it runs, except what compiling a region leaves behind; without a limit V8
 * would keep tens of MiB for young objects. With a third of this, what a region leaves would outlive its time and wait
 * for a full collection. Those come when the heap is twice as large as what was alive at the last one; from 2 GiB on, which V8
 * takes by itself on a large host, it would be four times. No guest needs as much.
 */
const LIMITS = { maxYoungGenerationSizeMb: 12, maxOldGenerationSizeMb: 2000 };
const ENTRY = new URL("./worker.js", import.meta.url);

/**
 * What a thread will be asked for: a machine of a kernel, one that was saved, or one that was kept for a run, with its folders. Where it
 * is another one it does that, only slower.
 */
export type Expectation = "boot" | "restore" | "resume";

let early: Worker | undefined;

function start(entry: URL, options: WorkerOptions = {}): Worker {
  return new Worker(entry, { stdin: false, resourceLimits: LIMITS, ...options });
}

/**
 * Starts the thread that the next `machineThread` gives, with these variables in its environment besides. It does not keep the
 * process alive until then.
 */
export function startEarly(expectation: Expectation, variables: Record<string, string>): void {
  // Node would make this process's own streams first, for what the thread writes to its: that can wait (`machineThread`).
  const later = { stdout: true, stderr: true };
  early ??= start(ENTRY, { workerData: expectation, env: { ...process.env, ...variables }, ...later });
  early.unref();
}

/** The thread that was started early is to load what a boot needs, although something else was expected of it. */
export function expectBoot(): void {
  early?.postMessage("boots" satisfies Foretold);
}

/** A thread for one machine. `entry`: of another one than the real one, for tests. */
export function machineThread(entry?: URL): Worker {
  if (entry !== undefined || early === undefined) return start(entry ?? ENTRY);
  const thread = early;
  early = undefined;
  thread.stdout.pipe(process.stdout);
  thread.stderr.pipe(process.stderr);
  thread.ref();
  return thread;
}
