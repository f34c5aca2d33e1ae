/** What the parts of the network share: how packets reach the guest, and what there is to know. */
import type { Address } from "./address.js";
import type { NetClock } from "./clock.js";
import type { ConnectAttempt, Opened } from "./door.js";
import type { HostAddress, HostSockets } from "./host-sockets.js";
import type { Unreachable } from "./icmp.js";
import { HOST_NAME, sideOf, type Network } from "./network.js";
import type { Packet, Route } from "./packet.js";
import type { Policy } from "./policy.js";

export interface Link {
  readonly network: Network;
  readonly host: HostSockets;
  readonly policy: Policy;
  readonly clock: NetClock;
  random32(): number;
  /** Bytes of a packet that the link takes at once and cuts itself; 0: it does not. */
  readonly burst: number;
  /**
   * Sends the packet whose payload is the rest of `frame`; the heads before it are made here. `cut`: it is a segment that is to be cut into
   * packets of so many bytes of data. `again`: where there is no room now it is not kept until there is, but said again by its sender.
   * False where there is no room.
   */
  sendWhole(frame: Uint8Array, route: Route, how: { cut?: number; again: boolean }): boolean;
  /** Sends a payload, in pieces if it has to be; what there is no room for waits, and is lost if that is too much. */
  sendPayload(payload: Uint8Array, route: Route): void;
  /** Whoever has this address has this hardware address. */
  learn(address: Address, mac: Uint8Array): void;
  /** Whether the host knows a way to such addresses at all. */
  leadsTo(address: Address): boolean;
  /** Tells whoever sent a packet that it does not arrive. */
  sendUnreachable(why: Unreachable, packet: Packet): void;
  /** Whether somebody is asked about new connections; then `ask` asks. */
  readonly asks: boolean;
  /** What becomes of a new connection that the policy allowed; `done` hears once, maybe before this returns. */
  ask(attempt: ConnectAttempt, to: HostAddress, done: (opened: Opened) => void): void;
  /** The guest does not reach something, for people: "tcp 192.0.2.1:80", and why. */
  refused(what: string, why: string): void;
}

/** By which name the guest knows an address, if it does. */
export function attemptName({ network, policy }: Link, address: Address): string | undefined {
  return address === sideOf(network, address).gateway ? HOST_NAME : policy.nameOf(address);
}
