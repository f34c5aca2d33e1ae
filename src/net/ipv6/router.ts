/**
 * The router of the guest's link: it says that it is there once the guest speaks, when it is asked and every few minutes, answers for its
 * addresses, and echoes. Specification: RFC 4861 §6.2 and §7.2, RFC 4862 §5.4 (who asks for an address that it wants), RFC 4443.
 */
import type { NetClock } from "../clock.js";
import type { Network } from "../network.js";
import { rightSum, type Packet, type Route } from "../packet.js";
import { echoReply } from "./icmp.js";
import { GROUP, neighbourSaid, readNeighbour, routerSaid, type Said } from "./neighbours.js";

/** How often it says that it is there, and for how long that is good: the usual of §6.2.1. */
export const ADVERTISE_MS = 600_000;
const LIFETIME_S = 1800;

export interface RouterWorld {
  readonly network: Network;
  readonly clock: NetClock;
  /** Whether the host knows a way to the world by IPv6: who is told of a router that leads nowhere waits for nothing. */
  leadsBeyond(): boolean;
  send(payload: Uint8Array, route: Route<bigint>): void;
  /** Whoever has this address has this hardware address. */
  learn(address: bigint, mac: Uint8Array): void;
}

export class Router {
  #stop: (() => void) | undefined;
  #closed = false;

  constructor(private readonly world: RouterWorld) {}

  /** Whether an address is one of the router's own. */
  has(address: bigint): boolean {
    const { router, gateway, nameserver } = this.world.network.six;
    return address === router || address === gateway || address === nameserver;
  }

  /** The guest speaks IPv6. It may have been up before this network was, and ask for no router any more. */
  heard(): void {
    if (this.#stop === undefined && !this.#closed) this.#advertiseOn();
  }

  /** A packet of ICMPv6 from the guest. */
  take(packet: Packet<bigint>): void {
    const { source, destination, protocol, payload } = packet;
    const message = readNeighbour(packet);
    if (message !== undefined) {
      const { kind, target, mac } = message;
      if (mac !== undefined) this.world.learn(kind === "said" ? target : source, mac);
      if (kind === "router-asked") this.#advertise(source === 0n ? GROUP.NODES : source);
      else if (kind === "asked" && this.has(target)) this.#say(neighbourSaid(target, source, this.#mac));
      return;
    }
    if (source === 0n || !this.has(destination) || !rightSum(packet, payload)) return;
    const reply = echoReply(packet);
    if (reply !== undefined) this.world.send(reply, { source: destination, destination: source, protocol });
  }

  close(): void {
    this.#closed = true;
    this.#stop?.();
    this.#stop = undefined;
  }

  get #mac(): Uint8Array {
    return this.world.network.mac;
  }

  #advertiseOn(): void {
    this.#stop = this.world.clock.after(ADVERTISE_MS, () => this.#advertiseOn());
    this.#advertise(GROUP.NODES);
  }

  #advertise(destination: bigint): void {
    const { network } = this.world;
    const { router, prefix, services, nameserver } = network.six;
    const lifetime = this.world.leadsBeyond() ? LIFETIME_S : 0;
    const about = { router, prefix, services, nameserver, lifetime, mac: network.mac, mtu: network.mtu };
    this.#say(routerSaid({ ...about, nameserverLifetime: LIFETIME_S }, destination));
  }

  #say({ payload, route }: Said): void {
    this.world.send(payload, route);
  }
}
