/** The thread that waits for the host's disks; `disk-flusher.ts` has what it shares with the machine's thread. */
import { fdatasyncSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { ringBell } from "../shared.js";
import { FLUSH_WORDS, PLACE, PLACES, type FlushThreadData } from "./disk-flusher.js";

/** What became of it: a state of a place. */
function flushed(descriptor: number): number {
  try {
    fdatasyncSync(descriptor);
    return PLACE.done;
  } catch (error) {
    return PLACE.failed + Math.abs((error as NodeJS.ErrnoException).errno ?? 0);
  }
}

function serve({ words: memory, shared }: FlushThreadData): void {
  const words = new Int32Array(memory);
  for (;;) {
    const bell = Atomics.load(words, FLUSH_WORDS.bell);
    if (Atomics.load(words, FLUSH_WORDS.end) === 1) return;
    for (let place = 0; place < PLACES; place++) {
      const at = FLUSH_WORDS.places + place;
      if (Atomics.compareExchange(words, at, PLACE.wanted, PLACE.busy) !== PLACE.wanted) continue;
      Atomics.store(words, at, flushed(Atomics.load(words, at + PLACES)));
      ringBell(shared);
    }
    Atomics.wait(words, FLUSH_WORDS.bell, bell);
  }
}

if (workerData !== null) serve(workerData as FlushThreadData);
