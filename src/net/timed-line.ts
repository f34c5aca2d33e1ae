/** A bad line that hands on its frames by itself when they are due: for whoever has a clock that calls back. */
import type { NetClock } from "./clock.js";
import type { FaultyLine } from "./faults.js";
import type { NetFrame } from "./net-backend.js";

export class TimedLine {
  #waiting: NetFrame | undefined;
  #refused = false;
  #timer: { at: number; cancel: () => void } | undefined;

  /** `out`: takes a frame that is through; false where there is no room: `room` follows. `again`: the line was full, and takes frames again. */
  constructor(
    private readonly line: FaultyLine,
    private readonly clock: NetClock,
    private readonly out: (frame: NetFrame) => boolean,
    private readonly again: () => void,
  ) {}

  /** Takes a frame; false where the line is full. */
  send(frame: NetFrame): boolean {
    if (!this.line.room) {
      this.#refused = true;
      return false;
    }
    this.line.push(frame, this.clock.now());
    this.#pass();
    return true;
  }

  /** Behind it there is room again. */
  room(): void {
    this.#pass();
    if (!this.#refused || !this.line.room) return;
    this.#refused = false;
    this.again();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #pass(): void {
    for (;;) {
      this.#waiting ??= this.line.pull(this.clock.now());
      if (this.#waiting === undefined) break;
      if (!this.out(this.#waiting)) return;
      this.#waiting = undefined;
    }
    this.#arm();
  }

  #arm(): void {
    const { next } = this.line;
    if (next === undefined || (this.#timer !== undefined && this.#timer.at <= next)) return;
    this.close();
    const cancel = this.clock.after(Math.max(0, next - this.clock.now()), () => {
      this.#timer = undefined;
      this.room();
    });
    this.#timer = { at: next, cancel };
  }
}
