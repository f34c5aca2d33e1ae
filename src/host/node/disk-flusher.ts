/**
 * Brings disks' files to the disk beside the machine's thread, which goes on meanwhile. A thread of its own waits for the host; it
 * and the machine's thread share words, as the machine's thread hears no message while it runs:
 *
 * ```
 *  word 0      bell     the machine's thread adds 1 and notifies; the flushing thread sleeps on it
 *  word 1      end      1: the thread is to end
 *  word 2 + i  place i  IDLE ─ask─▶ WANTED ─take─▶ BUSY ─▶ DONE ─collect─▶ IDLE, or FAILED + errno ─▶ IDLE
 *  word n + i           the descriptor that place i asks for
 * ```
 */
import { Worker } from "node:worker_threads";
import { getSystemErrorName } from "node:util";
import { BlockError } from "../../block/block-error.js";
import { ERRNO_WORDS } from "../../spec/errno.js";
import type { SharedMemory } from "../shared.js";

export const FLUSH_WORDS = { bell: 0, end: 1, places: 2 } as const;
/** What is asked for at the same time; what is more waits in this thread. */
export const PLACES = 16;
export const PLACE = { idle: 0, wanted: 1, busy: 2, done: 3, failed: 4 } as const;
const WORDS = FLUSH_WORDS.places + 2 * PLACES;
const ENTRY = new URL("./disk-flush-thread.js", import.meta.url);

/** What the thread is handed. */
export interface FlushThreadData {
  words: SharedArrayBuffer;
  shared: SharedMemory;
}

interface Wanted {
  descriptor: number;
  name: string;
  done: (failed: BlockError | undefined) => void;
}

export class DiskFlusher {
  readonly #words = new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
  readonly #asked = new Map<number, Wanted>();
  readonly #waiting: Wanted[] = [];
  #worker: Worker | undefined;

  /** `shared`: of the machine, whose bell is rung when something is finished. */
  constructor(readonly shared: SharedMemory) {}

  /** Asks for everything that was written to a file until now to be on the disk. `done` is called by `poll`. */
  flush(descriptor: number, name: string, done: Wanted["done"]): void {
    this.#worker ??= this.#start();
    this.#waiting.push({ descriptor, name, done });
    this.#ask();
  }

  /** Tells what has been finished. To be called by the thread that asks, whenever the bell has rung. */
  poll(): void {
    if (this.#asked.size === 0) return;
    const finished: (() => void)[] = [];
    for (const [place, { name, done }] of this.#asked) {
      const state = Atomics.load(this.#words, FLUSH_WORDS.places + place);
      if (state < PLACE.done) continue;
      this.#asked.delete(place);
      Atomics.store(this.#words, FLUSH_WORDS.places + place, PLACE.idle);
      finished.push(() => done(state === PLACE.done ? undefined : flushError(name, state - PLACE.failed)));
    }
    this.#ask();
    for (const tell of finished) tell();
  }

  /** Ends the thread, once it has done what it is doing. */
  close(): void {
    Atomics.store(this.#words, FLUSH_WORDS.end, 1);
    this.#ring();
  }

  #start(): Worker {
    const workerData: FlushThreadData = {
      words: this.#words.buffer as SharedArrayBuffer,
      shared: this.shared,
    };
    return new Worker(ENTRY, { workerData, stdin: false });
  }

  /** Fills places that are free. */
  #ask(): void {
    for (let place = 0; place < PLACES && this.#waiting.length > 0; place++) {
      if (this.#asked.has(place)) continue;
      const next = this.#waiting.shift()!;
      this.#asked.set(place, next);
      Atomics.store(this.#words, FLUSH_WORDS.places + PLACES + place, next.descriptor);
      Atomics.store(this.#words, FLUSH_WORDS.places + place, PLACE.wanted);
      this.#ring();
    }
  }

  #ring(): void {
    Atomics.add(this.#words, FLUSH_WORDS.bell, 1);
    Atomics.notify(this.#words, FLUSH_WORDS.bell);
  }
}

function flushError(name: string, errno: number): BlockError {
  const code = errno === 0 ? "" : getSystemErrorName(-errno);
  const reason = ERRNO_WORDS[code] ?? (code || "an error");
  return new BlockError(0, `${name}: ${reason}`, "being written to the disk", "The host's disk refuses it.");
}
