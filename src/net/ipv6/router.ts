/**
 * The router of the guest's link: it says that it is there once the guest speaks, when it is asked and every few minutes, answers for its
 * addresses, and echoes. Specification: RFC 4861 §6.2 and §7.2, RFC 4862 §5.4 (who asks for an address that it wants), RFC 4443.
 */
import type { NetClock } from "../clock.js";
import type { Network } from "../network.js";
import { MessageRate } from "../message-rate.js";
import { rightSum, type Packet, type Route } from "../packet.js";
import { echoReply } from "./icmp.js";
import { GROUP, neighbourSaid, readNeighbour, routerSaid, type Said } from "./neighbours.js";

/** How often it says that it is there, and for how long that is good: the usual of §6.2.1. */
export const ADVERTISE_MS = 600_000;
const LIFETIME_S = 1800;
/** To everybody it says so no oftener (§6.2.6, MIN_DELAY_BETWEEN_RAS). */
export const BETWEEN_MS = 3000;

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
  /** When all nodes were last told, what of the way beyond, and whether somebody asked since who hears only what these hear. */
  #toldAt = -Infinity;
  #toldWay: boolean | undefined;
  #owes = false;
  #lookedAt = -Infinity;
  /** Of answers to questions of who is where. */
  readonly #answers: MessageRate;

  constructor(private readonly world: RouterWorld) {
    this.#answers = new MessageRate(world.clock);
  }

  /** Whether an address is one of the router's own. */
  has(address: bigint): boolean {
    const { router, gateway, nameserver } = this.world.network.six;
    return address === router || address === gateway || address === nameserver;
  }

  /**
   * The guest speaks IPv6. It may have been up before this network was, and ask for no router any more; and the host may have gained or lost
   * its way to the world.
   */
  heard(): void {
    const now = this.world.clock.now();
    if (this.#closed || now < this.#toldAt + BETWEEN_MS) return;
    if (!this.#owes && now < this.#lookedAt + BETWEEN_MS) return;
    this.#lookedAt = now;
    if (this.#owes || this.world.leadsBeyond() !== this.#toldWay) this.#advertiseOn();
  }

  /** A packet of ICMPv6 from the guest. */
  take(packet: Packet<bigint>): void {
    const { source, destination, protocol, payload } = packet;
    const message = readNeighbour(packet);
    if (message !== undefined) {
      const { kind, target, mac } = message;
      if (mac !== undefined) this.world.learn(kind === "said" ? target : source, mac);
      if (kind === "router-asked" && source === 0n) this.#tellAll();
      else if (kind === "router-asked" && this.#answers.take()) this.#advertise(source);
      else if (kind === "asked" && this.has(target) && this.#answers.take())
        this.#say(neighbourSaid(target, source, this.#mac));
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

  /** All nodes are told, now or with the guest's first word when it is time: who asked asks again if it hears nothing. */
  #tellAll(): void {
    this.#owes = this.world.clock.now() < this.#toldAt + BETWEEN_MS;
    if (!this.#owes && !this.#closed) this.#advertiseOn();
  }

  #advertiseOn(): void {
    this.#stop?.();
    this.#stop = this.world.clock.after(ADVERTISE_MS, () => this.#advertiseOn());
    this.#toldAt = this.world.clock.now();
    this.#toldWay = this.world.leadsBeyond();
    this.#owes = false;
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
