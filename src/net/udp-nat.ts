/**
 * The guest's datagrams. Each port of the guest has a socket of the host's, which hears only from those whom the guest has sent to; what is
 * idle goes. Published ports have a socket each, and a port of the gateway's for each who sends there.
 */
import { addressOf, addressText, endText, type Address } from "./address.js";
import { DNS_PORT, type NameServer } from "./dns.js";
import type { Opened } from "./door.js";
import { DHCP_PORT, dhcpReply } from "./dhcp.js";
import type { HostAddress, HostDatagrams } from "./host-sockets.js";
import { DHCP6_PORT, dhcp6Reply } from "./ipv6/dhcp.js";
import { GROUP } from "./ipv6/neighbours.js";
import { attemptName, type Link } from "./link.js";
import { EVERYBODY, isEverybodys, isInside, sideOf } from "./network.js";
import { PROTOCOL, keptPacket, type Packet } from "./packet.js";
import { readUdp, udpBytes, type UdpDatagram } from "./udp.js";

export const MOST_SOCKETS = 512;
/** Whom one port sends to, or is sent to by. */
export const MOST_PEERS = 256;
export const IDLE_MS = 120_000;
const SWEEP_MS = 30_000;
const FIRST_PORT = 49_152;

interface Peer {
  /** As the guest knows it. */
  readonly address: Address;
  readonly port: number;
  usedAt: number;
}

/** What was said of a peer, by the address that the guest sends to. */
interface Question {
  /** Absent while it waits for its answer. */
  answer: { readonly opened: Opened } | undefined;
  usedAt: number;
}

/** A port of the guest's. */
interface Socket {
  /** Where somebody is asked. */
  readonly questions: Map<string, Question>;
  readonly socket: HostDatagrams;
  /** By the address that the host knows them by, as `peerOf` writes it. */
  readonly peers: Map<string, Peer>;
}

/** Who sends to a published port. */
interface Visitor {
  readonly from: HostAddress;
  usedAt: number;
}

interface Published {
  readonly socket: HostDatagrams;
  /** By the port of the gateway's that the guest knows them by. */
  readonly visitors: Map<number, Visitor>;
  readonly ports: Map<string, number>;
  next: number;
}

function keyOf({ address, port }: HostAddress): string {
  return `${address} ${port}`;
}

/** The same however the host spells the address: IPv6 leaves that open. */
function peerOf({ address, port }: HostAddress): string {
  return `${addressOf(address) ?? address} ${port}`;
}

/** Forgets the one that was used longest ago: those that are used are put last. */
function makeRoom<K, V>(map: Map<K, V>, most: number, gone: (key: K, value: V) => void): void {
  while (map.size >= most) {
    const [key, value] = map.entries().next().value as [K, V];
    map.delete(key);
    gone(key, value);
  }
}

export class UdpNat {
  readonly #sockets = new Map<string, Socket>();
  /** By the guest's port. */
  readonly #published = new Map<number, Published>();
  #sweeping: (() => void) | undefined;

  constructor(
    private readonly link: Link,
    private readonly nameServer: NameServer,
  ) {}

  get size(): number {
    return this.#sockets.size;
  }

  /** A datagram from the guest. */
  take(packet: Packet, trusted: boolean): void {
    const datagram = readUdp(packet, packet.payload, trusted);
    if (datagram === undefined) return;
    const { network } = this.link;
    const { source, destination } = packet;
    const { destinationPort } = datagram;
    const everybody = isEverybodys(destination, network);
    const asksFour = everybody || destination === network.gateway;
    if (destinationPort === DHCP_PORT.SERVER && typeof source === "number" && asksFour)
      this.#configure(datagram, source);
    else if (destination === GROUP.DHCP && destinationPort === DHCP6_PORT.SERVER)
      this.#inform(datagram, source);
    else if (everybody || source === 0) return;
    else if (destination === sideOf(network, destination).nameserver && destinationPort === DNS_PORT)
      this.#serveNames(packet, datagram);
    else if (!this.#answerVisitor(packet, datagram)) this.#forward(packet, datagram);
  }

  /** Datagrams to `at` go to this port of the guest; false where the host has no such port. */
  publish(at: HostAddress, guestPort: number): boolean {
    const socket = this.link.host.datagrams(
      (data, from) => this.#visit(guestPort, data, from),
      () => this.#published.delete(guestPort),
      at,
    );
    if (socket === undefined) return false;
    this.#published.set(guestPort, { socket, visitors: new Map(), ports: new Map(), next: 0 });
    return true;
  }

  close(): void {
    for (const { socket } of [...this.#sockets.values(), ...this.#published.values()]) socket.close();
    this.#sockets.clear();
    this.#published.clear();
    this.#sweeping?.();
  }

  #configure({ data, sourcePort }: UdpDatagram, source: number): void {
    const { network } = this.link;
    const reply = dhcpReply(network, data);
    if (reply === undefined) return;
    if (reply.guest !== undefined) this.link.learn(network.guest, reply.guest);
    // Who has no address yet hears what everybody hears.
    const destination = source === 0 ? EVERYBODY : source;
    this.#send(
      { address: network.gateway, port: DHCP_PORT.SERVER },
      { address: destination, port: sourcePort },
      reply.bytes,
    );
  }

  #inform({ data, sourcePort }: UdpDatagram, source: Address): void {
    const { network } = this.link;
    const reply = dhcp6Reply(network, data);
    const from = { address: network.six.router, port: DHCP6_PORT.SERVER };
    if (reply !== undefined) this.#send(from, { address: source, port: sourcePort }, reply);
  }

  #serveNames({ source, destination }: Packet, { sourcePort, data }: UdpDatagram): void {
    this.nameServer.datagram(data, (answer) =>
      this.#send({ address: destination, port: DNS_PORT }, { address: source, port: sourcePort }, answer),
    );
  }

  #send(
    from: { address: Address; port: number },
    to: { address: Address; port: number },
    data: Uint8Array,
  ): void {
    const route = { source: from.address, destination: to.address, protocol: PROTOCOL.UDP };
    this.link.sendPayload(udpBytes(route, { sourcePort: from.port, destinationPort: to.port, data }), route);
  }

  // ── To the world ────────────────────────────────────────────────────────────────────────────────────────

  #forward(packet: Packet, { sourcePort, destinationPort, data }: UdpDatagram): void {
    const { network, policy } = this.link;
    const { source, destination } = packet;
    const { gateway, loopback } = sideOf(network, destination);
    const isHost = destination === gateway;
    const nobody = isInside(destination, network) && !isHost;
    const why = isHost
      ? policy.refusesHost(destination, destinationPort)
      : nobody
        ? undefined
        : policy.refuses(destination, destinationPort);
    if (why !== undefined) this.link.refused(`udp ${endText(destination, destinationPort)}`, why);
    if (why !== undefined || nobody || destinationPort === 0) {
      this.link.sendUnreachable(why === undefined ? "port" : "prohibited", packet);
      return;
    }
    // A socket would lose it and say nothing.
    if (!isHost && !this.link.leadsTo(destination)) {
      this.link.sendUnreachable("route", packet);
      return;
    }
    const found = this.#socketOf(source, sourcePort);
    if (found === undefined) return;
    const to = { address: isHost ? loopback : addressText(destination), port: destinationPort };
    const peer = { address: destination, port: destinationPort };
    if (this.link.asks) this.#ask(found, { packet, peer, to, data: data.slice() });
    else this.#sendTo(found, peer, to, data.slice());
  }

  /** As the guest has it, `peer`; `to`: as the host has it. Of two peers that one address stands for, the last one is heard. */
  #sendTo(found: Socket, peer: Omit<Peer, "usedAt">, to: HostAddress, data: Uint8Array): void {
    const key = peerOf(to);
    const { peers } = found;
    peers.delete(key);
    makeRoom(peers, MOST_PEERS, () => undefined);
    peers.set(key, { ...peer, usedAt: this.link.clock.now() });
    found.socket.send(data, to);
  }

  /** The first datagram to a peer waits for the answer; others meanwhile are lost. */
  #ask(
    found: Socket,
    asked: { packet: Packet; peer: Omit<Peer, "usedAt">; to: HostAddress; data: Uint8Array },
  ): void {
    const { peer, to, data } = asked;
    const { questions } = found;
    const key = peerOf(to);
    const now = this.link.clock.now();
    const known = questions.get(key);
    if (known !== undefined) {
      known.usedAt = now;
      if (known.answer !== undefined) this.#answered(found, asked, known.answer.opened);
      return;
    }
    makeRoom(questions, MOST_PEERS, () => undefined);
    const question: Question = { answer: undefined, usedAt: now };
    questions.set(key, question);
    const name = attemptName(this.link, peer.address);
    const attempt = { address: addressText(peer.address), port: peer.port, ...(name && { name }) };
    // A packet's bytes are the link's until its call ends.
    const kept = { packet: keptPacket(asked.packet), peer, to, data };
    this.link.ask({ protocol: "udp", ...attempt }, to, (opened) => {
      if (questions.get(key) !== question || !this.#has(found)) return;
      question.answer = { opened };
      this.#answered(found, kept, opened);
    });
  }

  #answered(
    found: Socket,
    { packet, peer, data }: { packet: Packet; peer: Omit<Peer, "usedAt">; data: Uint8Array },
    opened: Opened,
  ): void {
    if (opened === undefined) this.link.sendUnreachable("prohibited", packet);
    else this.#sendTo(found, peer, opened.to, data);
  }

  /** Whether a port is still there: it may be gone when an answer comes. */
  #has(socket: Socket): boolean {
    return [...this.#sockets.values()].includes(socket);
  }

  #socketOf(guest: Address, port: number): Socket | undefined {
    const key = `${guest} ${port}`;
    const found = this.#sockets.get(key);
    if (found !== undefined) {
      this.#sockets.delete(key);
      this.#sockets.set(key, found);
      return found;
    }
    makeRoom(this.#sockets, MOST_SOCKETS, (_, { socket }) => socket.close());
    const peers = new Map<string, Peer>();
    const socket = this.link.host.datagrams(
      (data, from) => {
        const peer = peers.get(peerOf(from));
        if (peer === undefined) return;
        peer.usedAt = this.link.clock.now();
        this.#send(peer, { address: guest, port }, data);
      },
      () => {
        if (this.#sockets.get(key)?.socket === socket) this.#sockets.delete(key);
      },
      typeof guest === "bigint" ? 6 : 4,
    );
    if (socket === undefined) return undefined;
    const made: Socket = { socket, peers, questions: new Map() };
    this.#sockets.set(key, made);
    this.#sweepLater();
    return made;
  }

  // ── From the world, by a published port ─────────────────────────────────────────────────────────────────

  #visit(guestPort: number, data: Uint8Array, from: HostAddress): void {
    const published = this.#published.get(guestPort);
    // To port 0 there is no answer.
    if (published === undefined || from.port === 0) return;
    const { visitors, ports } = published;
    const { network, clock } = this.link;
    const known = ports.get(keyOf(from));
    makeRoom(visitors, known === undefined ? MOST_PEERS : MOST_PEERS + 1, (_, one) =>
      ports.delete(keyOf(one.from)),
    );
    const port = known ?? FIRST_PORT + (published.next++ % (2 * MOST_PEERS));
    const before = visitors.get(port);
    if (known === undefined && before !== undefined) ports.delete(keyOf(before.from));
    visitors.delete(port);
    visitors.set(port, { from, usedAt: clock.now() });
    ports.set(keyOf(from), port);
    this.#sweepLater();
    this.#send({ address: network.gateway, port }, { address: network.guest, port: guestPort }, data);
  }

  /** A datagram of the guest's to a visitor; whether it was one. */
  #answerVisitor({ destination }: Packet, { sourcePort, destinationPort, data }: UdpDatagram): boolean {
    if (destination !== this.link.network.gateway) return false;
    const published = this.#published.get(sourcePort);
    const visitor = published?.visitors.get(destinationPort);
    if (published === undefined || visitor === undefined) return false;
    const now = this.link.clock.now();
    if (visitor.usedAt < now - IDLE_MS) return false;
    visitor.usedAt = now;
    published.socket.send(data.slice(), visitor.from);
    return true;
  }

  // ── Age ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** As long as there is anything that grows old, and no longer. */
  #sweepLater(): void {
    this.#sweeping ??= this.link.clock.after(SWEEP_MS, () => {
      this.#sweeping = undefined;
      this.#sweep();
      const visited = [...this.#published.values()].some(({ visitors }) => visitors.size > 0);
      if (this.#sockets.size > 0 || visited) this.#sweepLater();
    });
  }

  #sweep(): void {
    const oldest = this.link.clock.now() - IDLE_MS;
    for (const [key, { socket, peers, questions }] of this.#sockets) {
      for (const all of [peers, questions])
        for (const [name, { usedAt }] of all) if (usedAt < oldest) all.delete(name);
      if (peers.size > 0 || questions.size > 0) continue;
      socket.close();
      this.#sockets.delete(key);
    }
    for (const { visitors, ports } of this.#published.values())
      for (const [port, { from, usedAt }] of visitors) {
        if (usedAt >= oldest) continue;
        visitors.delete(port);
        ports.delete(keyOf(from));
      }
  }
}
