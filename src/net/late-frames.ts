/**
 * Frames for the guest that are said once, and for which there was no room: they wait here, so many of them, in their order. What is said
 * again by itself, as the data of TCP, does not.
 */
import type { NetFrame } from "./net-backend.js";

/** What waits at most; what comes beyond is lost, as in every network. */
const MOST_FRAMES = 128;
const MOST_BYTES = 256 * 1024;

export class LateFrames {
  readonly #frames: NetFrame[] = [];
  #bytes = 0;

  /** `send`: false where there is no room. */
  constructor(private readonly send: (frame: NetFrame) => boolean) {}

  /** Whether some wait: whatever comes now is behind them. */
  get waiting(): boolean {
    return this.#frames.length > 0;
  }

  /** Sends a frame, now or once there is room; false where too many wait. */
  take(frame: NetFrame): boolean {
    if (!this.waiting && this.send(frame)) return true;
    const { length } = frame.bytes;
    if (this.#frames.length >= MOST_FRAMES || this.#bytes + length > MOST_BYTES) return false;
    this.#frames.push(frame);
    this.#bytes += length;
    return true;
  }

  /** There is room: sends what there is room for; whether that was all. */
  flush(): boolean {
    while (this.waiting && this.send(this.#frames[0])) this.#bytes -= this.#frames.shift()!.bytes.length;
    return !this.waiting;
  }
}
