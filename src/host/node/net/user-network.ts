/** The network of a machine, on the thread that has the sockets: frames cross by a channel of the session's. */
import { encodeFrame, FrameReader } from "../../../net/frame-stream.js";
import { FaultyLine } from "../../../net/faults.js";
import type { NetFrame } from "../../../net/net-backend.js";
import { usualNetwork } from "../../../net/network.js";
import { NetStack } from "../../../net/stack.js";
import { TimedLine } from "../../../net/timed-line.js";
import type { SessionChannel } from "../session.js";
import { hostReason } from "../disk-error.js";
import { Capture } from "./capture.js";
import type { NetRequest } from "./net-request.js";
import { NodeSockets } from "./sockets.js";

/** What the network tells its surroundings. */
export interface NetworkEvents {
  /** A line for people. */
  say(line: string): void;
}

/** Some of the longest segments: a channel that holds one is empty while the next is asked for. */
const CHANNEL_BYTES = 2 ** 20;

/** How long what was said last may take to leave, and how often that is looked at, ms. */
const LAST_WORDS_MS = 500;
const LOOK_MS = 5;

const CLOCK = {
  now: () => performance.now(),
  after(milliseconds: number, callback: () => void): () => void {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

export class UserNetwork {
  readonly #reader = new FrameReader();
  readonly #stack: NetStack;
  readonly #sockets = new NodeSockets();
  readonly #capture: Capture | undefined;
  readonly #lines: { toGuest: TimedLine; fromGuest: TimedLine } | undefined;
  readonly #events: NetworkEvents;
  #broken = false;
  #give: ((bytes: Uint8Array) => number) | undefined;
  /** What the channel had no room for. */
  #rest: Uint8Array | undefined;

  /** Throws NetError. */
  constructor({ policy, mtu, publish, capture, faults }: NetRequest, events: NetworkEvents) {
    this.#events = events;
    if (capture !== undefined)
      this.#capture = new Capture(capture, (why) =>
        events.say(`capture ${capture}: ${why}; nothing more is written to it`),
      );
    if (faults !== undefined)
      this.#lines = {
        toGuest: new TimedLine(
          new FaultyLine(faults, "to-guest"),
          CLOCK,
          (frame) => this.#pass(frame),
          () => this.#stack.room(),
        ),
        fromGuest: new TimedLine(
          new FaultyLine(faults, "from-guest"),
          CLOCK,
          (frame) => {
            this.#stack.take(frame);
            return true;
          },
          // What a guest sends beyond what the line holds is lost, as on every line.
          () => undefined,
        ),
      };
    this.#stack = new NetStack({
      network: usualNetwork(mtu),
      host: this.#sockets,
      policy,
      clock: CLOCK,
      cuts: true,
      random32: () => crypto.getRandomValues(new Uint32Array(1))[0],
      send: (frame) => this.#lines?.toGuest.send(frame) ?? this.#pass(frame),
      refused: (what, why) => events.say(`the guest does not reach ${what}: ${why}`),
    });
    for (const one of publish) this.#stack.publish(one);
  }

  /** Once all ports are open. Rejects with NetError. */
  opened(): Promise<void> {
    return this.#sockets.opened();
  }

  /** The host's end of the channel. */
  readonly channel: SessionChannel = {
    capacity: CHANNEL_BYTES,
    output: (bytes) => {
      this.#take(bytes);
      // Behind all else that waits: a guest that never stops sending would leave no turn to sockets, timers and signals.
      return new Promise((resolve) => setImmediate(resolve));
    },
    onRoom: () => this.#resume(),
  };

  /** Frames for the guest go here: gives how many bytes were taken. */
  connect(give: (bytes: Uint8Array) => number): void {
    this.#give = give;
    // Visitors of published ports may have come before.
    this.#room();
  }

  /** Ends it; what guests said in connections that they ended still leaves, for a while. */
  async close(): Promise<void> {
    this.#give = undefined;
    this.#stack.close();
    const since = performance.now();
    while (this.#stack.held.lingering > 0 && performance.now() - since < LAST_WORDS_MS)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    this.#stack.abort();
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
      this.#events.say(`${hostReason(error)}; nothing more is taken from the guest`);
    }
  }

  #takeFrames(bytes: Uint8Array): void {
    this.#reader.push(bytes);
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      this.#capture?.take(frame, false);
      if (this.#lines === undefined) this.#stack.take(frame);
      else this.#lines.fromGuest.send(frame);
    }
  }

  #pass(frame: NetFrame): boolean {
    if (this.#rest !== undefined || this.#give === undefined) return false;
    this.#capture?.take(frame, true);
    const bytes = encodeFrame(frame);
    const taken = this.#give(bytes);
    if (taken < bytes.length) this.#rest = bytes.subarray(taken);
    return true;
  }

  #resume(): void {
    if (this.#rest === undefined || this.#give === undefined) return;
    const taken = this.#give(this.#rest);
    this.#rest = taken < this.#rest.length ? this.#rest.subarray(taken) : undefined;
    if (this.#rest === undefined) this.#room();
  }

  #room(): void {
    this.#lines?.toGuest.room();
    this.#stack.room();
  }
}
