/** The network in user mode of a machine, on the thread that has the sockets. */
import { usualNetwork } from "../../../net/network.js";
import { NetStack } from "../../../net/stack.js";
import { CLOCK, GuestEnd } from "./guest-end.js";
import type { HostNetwork, NetworkEvents } from "./host-network.js";
import type { UserRequest } from "./net-request.js";
import { NodeSockets } from "./sockets.js";

/** How long what was said last may take to leave, and how often that is looked at, ms. */
const LAST_WORDS_MS = 500;
const LOOK_MS = 5;

export class UserNetwork implements HostNetwork {
  readonly #stack: NetStack;
  readonly #sockets = new NodeSockets();
  readonly #guest: GuestEnd;

  /** Throws NetError. */
  constructor({ policy, mtu, publish, capture, faults }: UserRequest, events: NetworkEvents) {
    this.#guest = new GuestEnd({
      capture,
      faults,
      say: (line) => events.say(line),
      take: (frame) => this.#stack.take(frame),
      room: () => this.#stack.room(),
    });
    this.#stack = new NetStack({
      network: usualNetwork(mtu),
      host: this.#sockets,
      policy,
      ...(events.onConnect && { onConnect: events.onConnect }),
      clock: CLOCK,
      cuts: true,
      random32: () => crypto.getRandomValues(new Uint32Array(1))[0],
      send: (frame) => this.#guest.send(frame),
      refused: (what, why) => events.say(`the guest does not reach ${what}: ${why}`),
    });
    for (const one of publish) this.#stack.publish(one);
  }

  /** Once all ports are open. Rejects with NetError. */
  opened(): Promise<void> {
    return this.#sockets.opened();
  }

  get channel(): HostNetwork["channel"] {
    return this.#guest.channel;
  }

  /** Visitors of published ports may have come before. */
  connect(give: (bytes: Uint8Array) => number): void {
    this.#guest.connect(give);
  }

  /** Ends it; what guests said in connections that they ended still leaves, for a while. */
  async close(): Promise<void> {
    this.#guest.disconnect();
    this.#stack.close();
    const since = performance.now();
    while (this.#stack.held.lingering > 0 && performance.now() - since < LAST_WORDS_MS)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    this.#stack.abort();
    this.#guest.close();
  }
}
