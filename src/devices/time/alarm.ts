/**
 * One re-armable deadline on the machine's timers: what a timer chip needs to have its next event, and no
 * more than one, scheduled. Knows no device. Not part of any state: a device arms it again from its registers.
 */
import type { Timers } from "../device.js";

export class Alarm {
  private handle: number | undefined;
  private deadline: number | undefined;
  private readonly rank: number;

  /** To be made with its device, once. */
  constructor(
    private readonly timers: Timers,
    private readonly callback: () => void,
  ) {
    this.rank = timers.rank();
  }

  /** Arms for `deadline` (ns since power-on) instead of what was armed before; `undefined` disarms. */
  set(deadline: number | undefined): void {
    if (deadline === this.deadline) return;
    if (this.handle !== undefined) this.timers.cancel(this.handle);
    this.handle = undefined;
    this.deadline = deadline;
    if (deadline === undefined) return;
    this.handle = this.timers.schedule(deadline, this.fire, this.rank);
  }

  private readonly fire = (): void => {
    this.handle = undefined;
    this.deadline = undefined;
    this.callback();
  };
}
