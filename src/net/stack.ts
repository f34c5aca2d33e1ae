/**
 * The network of one guest, in user mode: it answers for a gateway and a nameserver, and ties what the guest sends beyond them to the
 * host's sockets. Frames come and go; nothing here knows a device, or a host but by `HostSockets`.
 */
import { inPrefix, type Address } from "./address.js";
import { ARP, arpFrame, readArp } from "./arp.js";
import type { NetClock } from "./clock.js";
import { NameServer } from "./dns.js";
import { Door, type OnConnect } from "./door.js";
import { Fragments } from "./fragments.js";
import type { HostAddress, HostSockets } from "./host-sockets.js";
import { etherType, framesOf, payloadAt, writeHead } from "./heads.js";
import { echoReply, unreachable, type Unreachable } from "./icmp.js";
import { readIpv4 } from "./ipv4.js";
import * as icmp6 from "./ipv6/icmp.js";
import { isGroupAddress, readIpv6, wholeIpv6 } from "./ipv6/packet.js";
import { neighbourAsked } from "./ipv6/neighbours.js";
import { Router } from "./ipv6/router.js";
import { LateFrames } from "./late-frames.js";
import type { Link } from "./link.js";
import { BROADCAST_MAC, groupMac, isGroup } from "./mac.js";
import { MessageRate } from "./message-rate.js";
import { ETHERNET_HEADER, MAC_BYTES, MOST_PAYLOAD, type NetFrame } from "./net-backend.js";
import { isEverybodys, sideOf, type Network } from "./network.js";
import { ETHERTYPE, PROTOCOL, type Packet, type Piece, type Route } from "./packet.js";
import { Policy, type PolicyOptions } from "./policy.js";
import { LINK_LOCAL } from "./reserved.js";
import { SEGMENT_AT } from "./tcp/segment.js";
import { TcpNat } from "./tcp-nat.js";
import { UdpNat } from "./udp-nat.js";

/** What the network needs of its surroundings. */
export interface StackWorld {
  readonly network: Network;
  readonly host: HostSockets;
  readonly policy: PolicyOptions;
  readonly clock: NetClock;
  random32(): number;
  /** Whether `send` takes segments that are to be cut (`NetFrame.segment`). */
  readonly cuts?: boolean;
  /** Bytes that connections together may have waiting; absent: 256 MiB. */
  readonly mostWaiting?: number;
  /** Asked about each new connection of TCP and each peer of UDP that the policy allows; absent: they are accepted. */
  readonly onConnect?: OnConnect;
  /** Takes a frame for the guest, whose bytes it may keep; false where there is no room now: `room` is to be called when there is. */
  send(frame: NetFrame): boolean;
  /** Told once of each thing that the guest may not reach, for people. */
  refused(what: string, why: string): void;
}

/** A port of the host's that leads to one of the guest's. */
export interface Published {
  readonly at: HostAddress;
  readonly guestPort: number;
  readonly udp: boolean;
}

/** Addresses of the guest's side of which is known who has them; the guest's own of IPv4 is never forgotten. */
export const MOST_STATIONS = 256;
/** Refusals that are remembered, so that each is told once. */
const MOST_REFUSALS = 1024;
const U32_COUNT = 2 ** 32;

export class NetStack {
  readonly #world: StackWorld;
  readonly #tcp: TcpNat;
  readonly #udp: UdpNat;
  readonly #door: Door | undefined;
  readonly #fragments = new Fragments();
  readonly #late: LateFrames;
  readonly #router: Router;
  readonly #errors: MessageRate;
  readonly #questions: MessageRate;
  /** Hardware addresses by those of IP. */
  readonly #stations = new Map<Address, Uint8Array>();
  readonly #refusals = new Set<string>();
  readonly #listeners: (() => void)[] = [];
  #nextId = 0;

  constructor(world: StackWorld) {
    this.#world = world;
    this.#late = new LateFrames((frame) => world.send(frame));
    const { network, host, clock } = world;
    const policy = new Policy(
      world.policy,
      () => host.ownAddresses(),
      () => clock.now(),
    );
    const refused = (what: string, why: string): void => this.#refused(what, why);
    const { onConnect } = world;
    const door = onConnect && new Door({ onConnect, policy, clock, refused });
    this.#door = door;
    const link: Link = {
      network,
      host,
      policy,
      clock,
      random32: () => world.random32(),
      burst: world.cuts === true ? MOST_PAYLOAD : 0,
      sendWhole: (frame, route, how) => this.#sendPacket(frame, route, how),
      sendPayload: (payload, route) => this.#sendPayload(payload, route),
      learn: (address, mac) => this.#learn(address, mac),
      leadsTo: (address) => typeof address === "number" || policy.reachesSix,
      sendUnreachable: (why, packet) => this.#sendUnreachable(why, packet),
      asks: door !== undefined,
      ask(attempt, to, done) {
        if (door === undefined) done({ to, beyondPolicy: false });
        else door.ask(attempt, to, done);
      },
      refused,
    };
    const names = new NameServer({
      network,
      host,
      policy,
      refused: (name, why) => refused(`name ${name}`, why),
    });
    this.#errors = new MessageRate(clock);
    this.#questions = new MessageRate(clock);
    this.#router = new Router({
      network,
      clock,
      leadsBeyond: () => policy.reachesSix,
      send: (payload, route) => this.#sendPayload(payload, route),
      learn: (address, mac) => this.#learn(address, mac),
    });
    this.#tcp = new TcpNat(link, names, world.mostWaiting);
    this.#udp = new UdpNat(link, names);
  }

  /** Connections of TCP and their bytes that wait, those of the host's that the guest is done with, ports of UDP, and bytes of pieces that are kept. */
  get held(): { connections: number; waiting: number; lingering: number; ports: number; pieces: number } {
    const [{ size: connections, waiting, lingering }, { size: ports }] = [this.#tcp, this.#udp];
    return { connections, waiting, lingering, ports, pieces: this.#fragments.held };
  }

  /** A frame from the guest. Its bytes are the caller's again when the call returns. */
  take({ bytes, checksum, verified }: NetFrame): void {
    if (bytes.length < ETHERNET_HEADER || isGroup(bytes.subarray(MAC_BYTES))) return;
    const type = etherType(bytes);
    const payload = bytes.subarray(ETHERNET_HEADER);
    const trusted = checksum !== undefined || verified === true;
    const mac = (): Uint8Array => bytes.slice(MAC_BYTES, 2 * MAC_BYTES);
    if (type === ETHERTYPE.ARP) this.#takeArp(payload);
    else if (type === ETHERTYPE.IPV4) {
      const packet = readIpv4(payload);
      if (packet === undefined) return;
      this.#learn(packet.source, mac());
      const whole = this.#fragments.take(packet, this.#world.clock.now());
      if (whole !== undefined) this.#takePacket(whole, trusted);
    } else if (type === ETHERTYPE.IPV6) {
      const packet = readIpv6(payload);
      if (packet === undefined) return;
      this.#router.heard();
      this.#learn(packet.source, mac());
      const whole = this.#fragments.take(packet, this.#world.clock.now());
      const opened = whole === packet ? packet : whole && wholeIpv6(whole);
      if (opened !== undefined) this.#takeSix(opened, trusted);
    }
  }

  /** There is room for frames again. */
  room(): void {
    if (this.#late.flush()) this.#tcp.room();
  }

  /** Opens a port of the host's for the guest's; false where the host has no such port. Of TCP, `failed` says so later. */
  publish({ at, guestPort, udp }: Published): boolean {
    if (udp) return this.#udp.publish(at, guestPort);
    this.#listeners.push(
      this.#world.host.listen(at, (connection) => this.#tcp.publish(connection, guestPort)),
    );
    return true;
  }

  /** Ends everything, with a word to whoever is at the other end. */
  close(): void {
    for (const stop of this.#listeners) stop();
    this.#listeners.length = 0;
    this.#door?.close();
    this.#tcp.close();
    this.#udp.close();
    this.#router.close();
  }

  /** Ends what `close` left to the host: connections whose last bytes it has not sent yet (`held.lingering`). */
  abort(): void {
    this.#tcp.abort();
  }

  // ── From the guest ──────────────────────────────────────────────────────────────────────────────────────

  #takeArp(payload: Uint8Array): void {
    const { network } = this.#world;
    const message = readArp(payload);
    if (message === undefined) return;
    const { operation, sender, senderMac, target } = message;
    this.#learn(sender, senderMac);
    if (operation !== ARP.REQUEST || (target !== network.gateway && target !== network.nameserver)) return;
    const reply = { operation: ARP.REPLY, senderMac: network.mac, sender: target, target: sender };
    this.#late.take({ bytes: arpFrame(reply, senderMac), verified: true });
  }

  #takePacket(packet: Packet<number>, trusted: boolean): void {
    const { network } = this.#world;
    const { source, destination, protocol } = packet;
    // Only who has an address here is answered; who has none yet may ask for one.
    if (source !== 0 && (!inPrefix(source, network.prefix) || source === network.gateway)) return;
    if (protocol === PROTOCOL.UDP) this.#udp.take(packet, trusted);
    else if (source === 0) return;
    else if (protocol === PROTOCOL.TCP) this.#tcp.take(packet, trusted);
    else if (
      protocol === PROTOCOL.ICMP &&
      (destination === network.gateway || destination === network.nameserver)
    ) {
      const reply = echoReply(packet.payload);
      if (reply !== undefined)
        this.#sendPayload(reply, { source: destination, destination: source, protocol });
    }
  }

  #takeSix(packet: Packet<bigint>, trusted: boolean): void {
    const { source, destination, protocol } = packet;
    const { prefix, services } = this.#world.network.six;
    const near = inPrefix(source, LINK_LOCAL);
    if ((source !== 0n && !near && !inPrefix(source, prefix)) || this.#router.has(source)) return;
    if (protocol === PROTOCOL.ICMPV6) {
      this.#router.take(packet);
      return;
    }
    // Nothing of the link's leaves it (RFC 4291 §2.5.6): who has no other address reaches what is on it.
    const here = [prefix, services, LINK_LOCAL].some((one) => inPrefix(destination, one));
    if (source === 0n || (near && !here && !isGroupAddress(destination))) return;
    if (protocol === PROTOCOL.UDP) this.#udp.take(packet, trusted);
    else if (protocol === PROTOCOL.TCP) this.#tcp.take(packet, trusted);
  }

  #learn(address: Address, mac: Uint8Array): void {
    const { prefix } = sideOf(this.#world.network, address);
    const known = inPrefix(address, prefix) || inPrefix(address, LINK_LOCAL);
    if (!known || isGroup(mac)) return;
    this.#stations.delete(address);
    if (this.#stations.size >= MOST_STATIONS) {
      const [first, second] = this.#stations.keys();
      this.#stations.delete(first === this.#world.network.guest ? second : first);
    }
    this.#stations.set(address, mac);
  }

  // ── To the guest ────────────────────────────────────────────────────────────────────────────────────────

  /** Asks where somebody is of whom it is not known: what is for it goes to everybody meanwhile, and many a guest drops that. */
  #find(address: Address): void {
    const { network } = this.#world;
    const near = inPrefix(address, sideOf(network, address).prefix) || inPrefix(address, LINK_LOCAL);
    if (!near || isEverybodys(address, network) || !this.#questions.take()) return;
    if (typeof address === "bigint") {
      const { payload, route } = neighbourAsked(address, network.six.router, network.mac);
      this.#sendPayload(payload, route);
      return;
    }
    const about = { operation: ARP.REQUEST, senderMac: network.mac, sender: network.gateway };
    this.#late.take({ bytes: arpFrame({ ...about, target: address }), verified: true });
  }

  #sendPacket(
    frame: Uint8Array,
    route: Route,
    { piece, cut, again = false }: { piece?: Piece; cut?: number; again?: boolean } = {},
  ): boolean {
    frame.set(this.#macOf(route.destination));
    frame.set(this.#world.network.mac, MAC_BYTES);
    writeHead(frame, route, piece);
    const checksum = { start: payloadAt(route.destination), offset: SEGMENT_AT.CHECKSUM };
    const whole: NetFrame =
      cut === undefined ? { bytes: frame, verified: true } : { bytes: frame, checksum, segment: cut };
    if (!again) return this.#late.take(whole);
    return !this.#late.waiting && this.#world.send(whole);
  }

  #macOf(address: Address): Uint8Array {
    const known = this.#stations.get(address);
    if (known !== undefined) return known;
    if (typeof address === "bigint" && isGroupAddress(address)) return groupMac(address);
    this.#find(address);
    return BROADCAST_MAC;
  }

  #sendPayload(payload: Uint8Array, route: Route): void {
    const id = (): number => (this.#nextId = (this.#nextId + 1) % U32_COUNT);
    for (const { frame, route: itsRoute, piece } of framesOf(route, payload, this.#world.network.mtu, id))
      this.#sendPacket(frame, itsRoute, { ...(piece && { piece }) });
  }

  #sendUnreachable(why: Unreachable, packet: Packet): void {
    const { source, bytes } = packet;
    const { gateway } = sideOf(this.#world.network, source);
    const six = typeof source === "bigint";
    const protocol = six ? PROTOCOL.ICMPV6 : PROTOCOL.ICMP;
    const route = { source: gateway, destination: source, protocol };
    const message = six ? icmp6.unreachable(why, packet, route) : unreachable(why, bytes);
    if (message !== undefined && this.#errors.take()) this.#sendPayload(message, route);
  }

  #refused(what: string, why: string): void {
    if (this.#refusals.has(what) || this.#refusals.size >= MOST_REFUSALS) return;
    this.#refusals.add(what);
    this.#world.refused(what, why);
  }
}
