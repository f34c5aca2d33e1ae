/**
 * The machine's one-shot timers: a binary heap ordered by deadline; where deadlines are equal by rank, which a timer keeps when
 * the machine goes on elsewhere, then by order of scheduling. So two runs fire them identically. Knows no device, no host; time comes from the clock.
 */
import type { Timers } from "../devices/device.js";

interface Entry {
  handle: number;
  deadline: number;
  rank: number;
  callback: () => void;
  /** Where it stands in the heap; kept so that cancelling needs no search. */
  position: number;
}

/** Whether `a` fires before `b`. Handles grow, so they break ties by age. */
function before(a: Entry, b: Entry): boolean {
  if (a.deadline !== b.deadline) return a.deadline < b.deadline;
  return a.rank === b.rank ? a.handle < b.handle : a.rank < b.rank;
}

export class TimerQueue implements Timers {
  readonly #heap: Entry[] = [];
  readonly #byHandle = new Map<number, Entry>();
  readonly #onEarlier: () => void;
  #nextHandle = 1;
  #nextRank = 0;

  /** `onEarlier` is called when a new timer becomes the first: the slice in progress may now be too long. */
  constructor(onEarlier: () => void = () => undefined) {
    this.#onEarlier = onEarlier;
  }

  /** Forgets every timer; ranks begin anew. */
  clear(): void {
    this.#nextRank = 0;
    this.#heap.length = 0;
    this.#byHandle.clear();
  }

  /** Number of armed timers. */
  get size(): number {
    return this.#heap.length;
  }

  /** Deadline of the first timer, ns since power-on; `undefined` when none is armed. */
  get nextDeadline(): number | undefined {
    return this.#heap[0]?.deadline;
  }

  rank(): number {
    return this.#nextRank++;
  }

  schedule(deadline: number, callback: () => void, rank = Infinity): number {
    if (!Number.isFinite(deadline)) throw new RangeError(`timer deadline ${deadline}: not a time`);
    const entry: Entry = {
      handle: this.#nextHandle++,
      deadline,
      rank,
      callback,
      position: this.#heap.length,
    };
    this.#heap.push(entry);
    this.#byHandle.set(entry.handle, entry);
    this.#up(entry);
    if (entry.position === 0) this.#onEarlier();
    return entry.handle;
  }

  cancel(handle: number): void {
    const entry = this.#byHandle.get(handle);
    if (entry !== undefined) this.#remove(entry);
  }

  /**
   * Fires, in order, the timers whose deadline is at most `now`: at most as many as were armed when it was called,
   * so that a device that keeps arming one in the past cannot hold the machine here. Returns how many fired.
   */
  fireDue(now: number): number {
    const limit = this.#heap.length;
    let fired = 0;
    for (let entry = this.#heap[0]; fired < limit && entry !== undefined; entry = this.#heap[0]) {
      if (entry.deadline > now) break;
      this.#remove(entry);
      entry.callback();
      fired++;
    }
    return fired;
  }

  #remove(entry: Entry): void {
    this.#byHandle.delete(entry.handle);
    const last = this.#heap.pop() as Entry;
    if (last === entry) return;
    this.#place(last, entry.position);
    this.#up(last);
    this.#down(last);
  }

  #place(entry: Entry, position: number): void {
    this.#heap[position] = entry;
    entry.position = position;
  }

  #up(entry: Entry): void {
    while (entry.position > 0) {
      const parentPosition = (entry.position - 1) >> 1;
      const parent = this.#heap[parentPosition];
      if (!before(entry, parent)) return;
      this.#place(parent, entry.position);
      this.#place(entry, parentPosition);
    }
  }

  #down(entry: Entry): void {
    for (;;) {
      const left = 2 * entry.position + 1;
      const right = left + 1;
      if (left >= this.#heap.length) return;
      const smaller = right < this.#heap.length && before(this.#heap[right], this.#heap[left]) ? right : left;
      const child = this.#heap[smaller];
      if (!before(child, entry)) return;
      this.#place(child, entry.position);
      this.#place(entry, smaller);
    }
  }
}
