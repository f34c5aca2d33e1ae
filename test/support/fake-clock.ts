/** A clock that tests move by hand, with timers that fire in order of their deadlines, at their deadlines. */
import type { Clock, Timers } from "../../src/devices/device.js";

interface Entry {
  deadline: number;
  handle: number;
  callback: () => void;
}

export class FakeClock implements Clock, Timers {
  private time = 0;
  private nextHandle = 1;
  private entries: Entry[] = [];
  /** Timers that have fired. */
  fired = 0;

  constructor(start = 0) {
    this.time = start;
  }

  now(): number {
    return this.time;
  }

  /** Timers that are armed. */
  get armed(): number {
    return this.entries.length;
  }

  schedule(deadline: number, callback: () => void): number {
    if (!Number.isSafeInteger(deadline)) throw new RangeError(`deadline ${deadline} is not a safe integer`);
    const entry = { deadline, handle: this.nextHandle++, callback };
    this.entries.push(entry);
    return entry.handle;
  }

  rank(): number {
    return 0;
  }

  cancel(handle: number): void {
    this.entries = this.entries.filter((entry) => entry.handle !== handle);
  }

  /** Moves time forward by `ns`, stopping at every deadline on the way. */
  advance(ns: number): void {
    const end = this.time + ns;
    for (;;) {
      let first: Entry | undefined;
      for (const entry of this.entries) if (!first || entry.deadline < first.deadline) first = entry;
      if (!first || first.deadline > end) break;
      this.cancel(first.handle);
      this.time = Math.max(this.time, first.deadline);
      this.fired++;
      first.callback();
    }
    this.time = end;
  }

  /** Jumps without firing anything on the way, as a host that was suspended; due timers fire at once after. */
  jump(ns: number): void {
    this.time += ns;
    this.advance(0);
  }
}
