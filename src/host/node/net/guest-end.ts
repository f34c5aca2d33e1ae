/** The host's end of the channel by which a guest's frames cross between the threads; all of them are recorded here, if that was asked for. */
import { encodeFrame, FrameReader } from "../../../net/frame-stream.js";
import type { NetClock } from "../../../net/clock.js";
import { FaultyLine, type Faults } from "../../../net/faults.js";
import type { NetFrame } from "../../../net/net-backend.js";
import { TimedLine } from "../../../net/timed-line.js";
import type { SessionChannel } from "../session.js";
import { hostReason } from "../disk-error.js";
import { Capture } from "./capture.js";
import type { NetworkEvents } from "./host-network.js";

/** Some of the longest segments: a channel that holds one is empty while the next is asked for. */
const CHANNEL_BYTES = 2 ** 20;

/** What a network does with a guest. */
export interface GuestEndOptions extends NetworkEvents {
  /** File for the frames. */
  readonly capture: string | undefined;
  /** What becomes of frames between the card and the network. */
  readonly faults: Faults | undefined;
  /** Takes a frame of the guest's. */
  take(frame: NetFrame): void;
  /** There is room for frames for the guest. */
  room(): void;
  /** Looked at behind some frames of the guest's: resolves when more may come; the guest is held back meanwhile. */
  ready?(): Promise<void> | undefined;
}

/** The time of the host. */
export const CLOCK: NetClock = {
  now: () => performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

export class GuestEnd {
  readonly #reader = new FrameReader();
  readonly #capture: Capture | undefined;
  readonly #lines: { toGuest: TimedLine; fromGuest: TimedLine } | undefined;
  readonly #options: GuestEndOptions;
  #broken = false;
  #give: ((bytes: Uint8Array) => number) | undefined;
  /** What the channel had no room for. */
  #rest: Uint8Array | undefined;

  /** Throws NetError. */
  constructor(options: GuestEndOptions) {
    this.#options = options;
    const { capture, faults } = options;
    if (faults !== undefined)
      this.#lines = {
        toGuest: new TimedLine(
          new FaultyLine(faults, "to-guest"),
          CLOCK,
          (frame) => this.#pass(frame),
          () => options.room(),
        ),
        fromGuest: new TimedLine(
          new FaultyLine(faults, "from-guest"),
          CLOCK,
          (frame) => {
            options.take(frame);
            return true;
          },
          // What a guest sends beyond what the line holds is lost, as on every line.
          () => undefined,
        ),
      };
    if (capture === undefined) return;
    this.#capture = new Capture(capture, (why) =>
      options.say(`capture ${capture}: ${why}; nothing more is written to it`),
    );
  }

  readonly channel: SessionChannel = {
    capacity: CHANNEL_BYTES,
    output: (bytes) => {
      this.#take(bytes);
      // Behind all else that waits: a guest that never stops sending would leave no turn to sockets, timers and signals.
      return this.#options.ready?.() ?? new Promise((resolve) => setImmediate(resolve));
    },
    onRoom: () => this.#resume(),
  };

  /** Frames for the guest go here: gives how many bytes were taken. */
  connect(give: (bytes: Uint8Array) => number): void {
    this.#give = give;
    // Some may have come before.
    this.#room();
  }

  /** Sends a frame to the guest; false where there is no room. */
  send(frame: NetFrame): boolean {
    return this.#lines?.toGuest.send(frame) ?? this.#pass(frame);
  }

  #pass(frame: NetFrame): boolean {
    if (this.#rest !== undefined || this.#give === undefined) return false;
    this.#capture?.take(frame, true);
    const bytes = encodeFrame(frame);
    const taken = this.#give(bytes);
    if (taken < bytes.length) this.#rest = bytes.subarray(taken);
    return true;
  }

  /** Nothing reaches the guest any more. */
  disconnect(): void {
    this.#give = undefined;
  }

  close(): void {
    this.disconnect();
    this.#lines?.toGuest.close();
    this.#lines?.fromGuest.close();
    this.#capture?.close();
  }

  /** A stream that makes no sense is read no further: the guest has no network any more, and the rest goes on. */
  #take(bytes: Uint8Array): void {
    if (this.#broken) return;
    try {
      this.#takeFrames(bytes);
    } catch (error) {
      this.#broken = true;
      this.#options.say(`${hostReason(error)}; nothing more is taken from the guest`);
    }
  }

  #takeFrames(bytes: Uint8Array): void {
    this.#reader.push(bytes);
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      this.#capture?.take(frame, false);
      if (this.#lines === undefined) this.#options.take(frame);
      else this.#lines.fromGuest.send(frame);
    }
  }

  #resume(): void {
    if (this.#rest === undefined || this.#give === undefined) return;
    const taken = this.#give(this.#rest);
    this.#rest = taken < this.#rest.length ? this.#rest.subarray(taken) : undefined;
    if (this.#rest === undefined) this.#room();
  }

  #room(): void {
    this.#lines?.toGuest.room();
    this.#options.room();
  }
}
