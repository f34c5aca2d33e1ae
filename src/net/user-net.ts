/**
 * The user-mode network as a machine is plugged into it, for whoever uses the library: the stack, its policy, questions about connections
 * and a bad line, in one. It runs on the thread of its machine; sockets and time are handed in.
 */
import { FixedSequence } from "../bytes/fixed-sequence.js";
import type { NetClock } from "./clock.js";
import type { OnConnect } from "./door.js";
import type { Faults } from "./faults.js";
import { FaultyNet } from "./faulty-net.js";
import type { HostSockets } from "./host-sockets.js";
import { LEAST_MTU, MOST_MTU, type NetBackend, type NetFrame } from "./net-backend.js";
import { usualNetwork } from "./network.js";
import { parseAllowed, type Allowed } from "./policy.js";
import { NetStack, type Published } from "./stack.js";

export interface UserNetOptions {
  /** Connections, datagrams and names: of a host, or of nobody's. */
  readonly sockets: HostSockets;
  /** Calls back between the machine's slices, not within. */
  readonly clock: NetClock;
  /** What the guest may reach, and nothing else: "example.org:443", "10.0.0.0/8"; absent: everything but the host. */
  readonly allow?: readonly string[];
  /** Whether it may reach the host, by `host.locore`; with `allow`, what that has of it. Absent: no. */
  readonly reachHost?: boolean;
  /** Asked about each new connection of TCP and each peer of UDP that the guest may reach. Absent: they are accepted. */
  readonly onConnect?: OnConnect;
  /** What becomes of frames, each way. */
  readonly faults?: Faults;
  /** Ports of the host's that lead to the guest's. */
  readonly publish?: readonly Published[];
  /** Bytes of a packet, as the card has it: 1500 to 65520; absent: 1500. */
  readonly mtu?: number;
  /** 32 bits that nobody can guess; absent: they are the same in every run. */
  readonly random32?: () => number;
  /** Told once of each thing that the guest does not reach, for people. */
  readonly refused?: (what: string, why: string) => void;
}

/** Frames for the guest that wait for its card. */
const MOST_WAITING = 256;
const USUAL_MTU = 1500;

function allowedOf(text: string): Allowed {
  const allowed = parseAllowed(text);
  if (allowed === undefined)
    throw new RangeError(
      `allow: found ${JSON.stringify(text)}; expected NAME, ADDRESS or ADDRESS/BITS, maybe with :PORT`,
    );
  return allowed;
}

export class UserNet implements NetBackend {
  readonly #stack: NetStack;
  readonly #waiting: NetFrame[] = [];
  readonly #faulty: FaultyNet | undefined;
  readonly #line: NetBackend;
  #full = false;
  #closed = false;

  /** Throws RangeError for what makes no sense in `allow`, `faults` and `mtu`. */
  constructor(options: UserNetOptions) {
    const { sockets, clock, allow, reachHost = false, faults, mtu = USUAL_MTU } = options;
    if (!Number.isInteger(mtu) || mtu < LEAST_MTU || mtu > MOST_MTU)
      throw new RangeError(`mtu: found ${mtu}; expected ${LEAST_MTU} to ${MOST_MTU}`);
    const fixed = new FixedSequence();
    this.#stack = new NetStack({
      network: usualNetwork(mtu),
      host: sockets,
      policy: { host: reachHost, ...(allow && { only: allow.map(allowedOf) }) },
      clock,
      cuts: true,
      random32: options.random32 ?? (() => fixed.next()),
      ...(options.onConnect && { onConnect: options.onConnect }),
      send: (frame) => this.#wait(frame),
      refused: (what, why) => options.refused?.(what, why),
    });
    const straight: NetBackend = {
      send: (frame) => {
        if (!this.#closed) this.#stack.take(frame);
        return true;
      },
      receive: () => this.#next(),
    };
    this.#faulty = faults && new FaultyNet(straight, faults, () => clock.now());
    this.#line = this.#faulty ?? straight;
    for (const one of options.publish ?? []) this.#stack.publish(one);
  }

  /** When the next frame is through a bad line, by the clock's time, ms; undefined where none is on one. A host that waits waits no longer. */
  get next(): number | undefined {
    return this.#faulty?.next;
  }

  send(frame: NetFrame): boolean {
    return this.#line.send(frame);
  }

  receive(): NetFrame | undefined {
    return this.#line.receive();
  }

  /** Ends all connections, with a word to whoever is at the other end. What is sent from then on is lost. */
  close(): void {
    this.#closed = true;
    this.#stack.close();
    this.#stack.abort();
  }

  #wait(frame: NetFrame): boolean {
    this.#full ||= this.#waiting.length >= MOST_WAITING;
    if (this.#full) return false;
    this.#waiting.push(frame);
    return true;
  }

  #next(): NetFrame | undefined {
    const frame = this.#waiting.shift();
    if (this.#full && this.#waiting.length === 0) {
      this.#full = false;
      this.#stack.room();
    }
    return frame;
  }
}
