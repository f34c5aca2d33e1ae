/**
 * The guest's connections, each by its two ends: those that it opens, which are opened on the host first, and those that come in by a
 * published port. There are so many, and no more.
 */
import { addressText, endText, type Address } from "./address.js";
import { DNS_PORT, type NameServer } from "./dns.js";
import type { ConnectAttempt } from "./door.js";
import { DnsStream } from "./dns-stream.js";
import type { HostAddress, HostConnection, HostConnectionUser, HostFailure } from "./host-sockets.js";
import { headerBytes } from "./heads.js";
import { parseAddress } from "./ipv4.js";
import { attemptName, type Link } from "./link.js";
import { isEverybodys, isInside, sideOf } from "./network.js";
import { PROTOCOL, keptPacket, type Packet, type Route } from "./packet.js";
import { Budget } from "./tcp/budget.js";
import { TcpConnection, type TcpUser } from "./tcp/connection.js";
import {
  FLAG,
  readSegment,
  refusal,
  segmentFrame,
  TCP_HEADER,
  type Segment,
  type SegmentToSend,
} from "./tcp/segment.js";
import { TcpFlow } from "./tcp-flow.js";

export const MOST_CONNECTIONS = 4096;
/** Of which so many have no answer from the host yet: a storm of SYNs costs no more sockets. */
export const MOST_OPENING = 512;
/** Bytes that wait in all of them for either side: each may be fast, and all together cost no more than this and what was promised. */
const MOST_WAITING = 256 * 1024 * 1024;
/** The host's side of what is over goes, too, when whom it sends to takes nothing for so long. */
export const LINGER_MS = 60_000;
/** Each may have what a guest may say ahead waiting for the host; the one that is over for longest goes first. */
export const MOST_LINGERING = 512;
/** Ports of the gateway's that published connections come from. */
const FIRST_PORT = 49_152;
const PORTS = 65_536 - FIRST_PORT;

/** Groups, what is nobody's, and everybody. */
const FIRST_GROUP = parseAddress("224.0.0.0")!;

/** The two ends, as the guest sees them. */
interface Ends {
  readonly guest: Address;
  readonly guestPort: number;
  readonly remote: Address;
  readonly remotePort: number;
}

interface Entry {
  readonly ends: Ends;
  /** Absent while the host is asked. */
  connection: TcpConnection | undefined;
  /** Ends both sides; what a guest said that has said all still leaves. */
  readonly leave: () => void;
}

function keyOf({ guest, guestPort, remote, remotePort }: Ends): string {
  return `${guest}:${guestPort}-${remote}:${remotePort}`;
}

export class TcpNat {
  readonly #entries = new Map<string, Entry>();
  /** Those for whose segments the link had no room. */
  readonly #blocked = new Set<TcpConnection>();
  readonly #budget: Budget;
  /** Those that are over for the guest while the host's side still sends what it said; each with what ends the watch over it. */
  readonly #lingering = new Map<TcpFlow, () => void>();
  #opening = 0;
  #nextPort = 0;

  constructor(
    private readonly link: Link,
    private readonly nameServer: NameServer,
    mostBytes = MOST_WAITING,
  ) {
    this.#budget = new Budget(mostBytes);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Bytes that wait for either side. */
  get waiting(): number {
    return this.#budget.held;
  }

  /** Connections of the host's whose guest is done with them. */
  get lingering(): number {
    return this.#lingering.size;
  }

  /** A packet of TCP from the guest. `trusted`: its checksum need not be right. */
  take(packet: Packet, trusted: boolean): void {
    const segment = readSegment(packet, packet.payload, trusted);
    // What is for many, or from many, is nobody's connection, and is not answered (RFC 9293 §3.9.2.3).
    if (segment === undefined || this.#isOfMany(packet.destination) || this.#isOfMany(packet.source)) return;
    const ends = {
      guest: packet.source,
      guestPort: segment.sourcePort,
      remote: packet.destination,
      remotePort: segment.destinationPort,
    };
    const key = keyOf(ends);
    const entry = this.#entries.get(key);
    if (entry?.connection?.mayBeginAgain(segment) === true) this.#end(key, entry);
    else if (entry !== undefined) {
      this.#takeFor(key, entry, segment);
      return;
    }
    if ((segment.flags & (FLAG.SYN | FLAG.ACK | FLAG.RST)) === FLAG.SYN)
      this.#begin(key, ends, segment, packet);
    else this.#refuse(ends, segment);
  }

  #isOfMany(address: Address): boolean {
    const { network } = this.link;
    return (
      isEverybodys(address, network) ||
      address === network.prefix.address ||
      (typeof address === "number" && address >= FIRST_GROUP)
    );
  }

  /** The link has room again. */
  room(): void {
    for (const connection of [...this.#blocked]) {
      // Who fills the link goes behind all who have waited longer.
      this.#blocked.delete(connection);
      connection.transmit();
      if (this.#blocked.has(connection)) return;
    }
  }

  /** Somebody came to a published port: a connection to this port of the guest. Gives who uses the host's side. */
  publish(host: HostConnection, guestPort: number): HostConnectionUser {
    const { network } = this.link;
    const ends = {
      guest: network.guest,
      guestPort,
      remote: network.gateway,
      remotePort: this.#freePort(guestPort),
    };
    const key = keyOf(ends);
    const flow = new TcpFlow({
      ready: () => undefined,
      failed: () => undefined,
      gone: () => this.#over(key, flow),
      hostClosed: () => this.#unlinger(flow),
    });
    if (!this.#hasRoom()) {
      host.abort();
      return flow.ofHost;
    }
    host.pause();
    flow.host = host;
    flow.connection = this.#connection(ends, flow.ofGuest);
    this.#entries.set(key, { ends, connection: flow.connection, leave: () => this.#leave(key, flow) });
    flow.connection.open();
    return flow.ofHost;
  }

  /** Ends all of them, with a word to both sides. What a guest said that has said all may still be with the host: it lingers. */
  close(): void {
    for (const [key, entry] of this.#entries) this.#end(key, entry);
  }

  /** Ends what lingers, too. */
  abort(): void {
    this.close();
    for (const [flow, stop] of this.#lingering) {
      stop();
      flow.abort();
    }
    this.#lingering.clear();
  }

  #takeFor(key: string, entry: Entry, segment: Segment): void {
    if (entry.connection !== undefined) entry.connection.take(segment);
    else if ((segment.flags & FLAG.RST) !== 0) this.#end(key, entry);
    // Another SYN while the host is asked: the answer is on its way.
  }

  /** The guest's SYN. */
  #begin(key: string, ends: Ends, syn: Segment, packet: Packet): void {
    const { network, policy } = this.link;
    const { remote, remotePort } = ends;
    const { nameserver, gateway, loopback } = sideOf(network, remote);
    if (remote === nameserver && remotePort === DNS_PORT) {
      if (this.#hasRoom()) this.#serveNames(key, ends, syn);
      return;
    }
    const isHost = remote === gateway;
    if (isInside(remote, network) && !isHost) {
      this.#refuse(ends, syn);
      return;
    }
    const why = isHost ? policy.refusesHost(remote, remotePort) : policy.refuses(remote, remotePort);
    if (why !== undefined) {
      this.link.refused(`tcp ${endText(remote, remotePort)}`, why);
      this.#refuse(ends, syn);
      return;
    }
    if (!this.#hasRoom() || this.#opening >= MOST_OPENING) return;
    const to = { address: isHost ? loopback : addressText(remote), port: remotePort };
    this.#connect(key, { ends, syn, packet }, to);
  }

  #connect(
    key: string,
    { ends, syn, packet }: { ends: Ends; syn: Segment; packet: Packet },
    to: HostAddress,
  ): void {
    this.#opening++;
    let opening = true;
    const opened = (): void => {
      if (opening) this.#opening--;
      opening = false;
    };
    let beyondPolicy = false;
    // A packet's bytes are the link's until its call ends.
    const kept = keptPacket(packet);
    const first = { ...syn, data: new Uint8Array(0) };
    const flow = new TcpFlow({
      ready: () => {
        opened();
        if (flow.host?.isOwn === true && !beyondPolicy && this.#refuseHost(ends)) {
          flow.abort();
          this.#forget(key);
          this.#refuse(ends, first);
          return;
        }
        flow.connection = entry.connection = this.#connection(ends, flow.ofGuest);
        flow.connection.answer(first);
      },
      failed: (why) => this.#hostFailed(ends, first, kept, why),
      gone: () => {
        opened();
        this.#over(key, flow);
      },
      hostClosed: () => this.#unlinger(flow),
    });
    const leave = (): void => {
      opened();
      this.#leave(key, flow);
    };
    const entry: Entry = { ends, connection: undefined, leave };
    this.#entries.set(key, entry);
    this.link.ask(this.#attempt(ends), to, (door) => {
      // The guest may have given up meanwhile.
      if (this.#entries.get(key) !== entry) return;
      if (door === undefined) {
        opened();
        this.#forget(key);
        this.#refuse(ends, first);
        return;
      }
      beyondPolicy = door.beyondPolicy;
      flow.host = this.link.host.connect(door.to, flow.ofHost);
    });
  }

  #attempt({ remote, remotePort }: Ends): ConnectAttempt {
    const name = attemptName(this.link, remote);
    return { protocol: "tcp", address: addressText(remote), port: remotePort, ...(name && { name }) };
  }

  /** Whether a connection that has led to the host itself may not: it has addresses that nobody lists. */
  #refuseHost({ remote, remotePort }: Ends): boolean {
    const why = this.link.policy.refusesHost(remote, remotePort);
    if (why !== undefined) this.link.refused(`tcp ${endText(remote, remotePort)}`, why);
    return why !== undefined;
  }

  #hostFailed(ends: Ends, syn: Segment, packet: Packet, why: HostFailure): void {
    if (why === "refused" || why === "reset") this.#refuse(ends, syn);
    else if (why === "unreachable") this.link.sendUnreachable("host", packet);
    // Whom nobody answered the guest hears nothing from either.
  }

  #serveNames(key: string, ends: Ends, syn: Segment): void {
    const stream = new DnsStream(this.nameServer, () => this.#forget(key));
    const connection = this.#connection(ends, stream);
    stream.connection = connection;
    this.#entries.set(key, { ends, connection, leave: () => connection.abort() });
    connection.answer(syn);
  }

  #connection(ends: Ends, user: TcpUser): TcpConnection {
    const { clock, network, burst } = this.link;
    const heads = headerBytes(ends.remote) + TCP_HEADER;
    const connection: TcpConnection = new TcpConnection({
      clock,
      user,
      initial: this.link.random32() >>> 0,
      mss: network.mtu - heads,
      burst: Math.max(0, burst - heads),
      budget: this.#budget,
      link: {
        send: (segment) => {
          const sent = this.#send(ends, segment);
          if (!sent) this.#blocked.add(connection);
          return sent;
        },
      },
    });
    return connection;
  }

  #send(
    { guest, guestPort, remote, remotePort }: Ends,
    segment: Omit<SegmentToSend, "sourcePort" | "destinationPort">,
  ): boolean {
    const route: Route = { source: remote, destination: guest, protocol: PROTOCOL.TCP };
    const frame = segmentFrame(route, { ...segment, sourcePort: remotePort, destinationPort: guestPort });
    // What begins a connection would wait for a timer, and what breaks one off is said once.
    const again = (segment.flags & (FLAG.SYN | FLAG.RST)) === 0;
    return this.link.sendWhole(frame, route, {
      ...(segment.cut !== undefined && { cut: segment.cut }),
      again,
    });
  }

  #refuse(ends: Ends, segment: Segment): void {
    const answer = refusal(segment);
    if (answer !== undefined) this.#send(ends, answer);
  }

  #hasRoom(): boolean {
    const size = this.#entries.size + this.#lingering.size;
    return !this.#budget.isSpent && (size < MOST_CONNECTIONS || this.#makeRoom());
  }

  /** One that is over but for waiting goes. */
  #makeRoom(): boolean {
    for (const [key, entry] of this.#entries) {
      if (entry.connection?.state !== "time-wait") continue;
      this.#end(key, entry);
      return true;
    }
    return false;
  }

  #end(key: string, entry: Entry): void {
    entry.leave();
    this.#forget(key);
  }

  #leave(key: string, flow: TcpFlow): void {
    flow.leave();
    this.#over(key, flow);
  }

  /** A flow is over for the guest; the host may still have to send what it said. */
  #over(key: string, flow: TcpFlow): void {
    this.#forget(key);
    if (flow.host === undefined) return;
    const [oldest] = this.#lingering.keys();
    if (this.#lingering.size >= MOST_LINGERING && oldest !== undefined) {
      this.#unlinger(oldest);
      oldest.abort();
    }
    this.#linger(flow);
  }

  #linger(flow: TcpFlow): void {
    const { moved } = flow;
    const stop = this.link.clock.after(LINGER_MS, () => {
      this.#lingering.delete(flow);
      if (flow.moved === moved) flow.abort();
      else this.#linger(flow);
    });
    this.#lingering.set(flow, stop);
  }

  #unlinger(flow: TcpFlow): void {
    this.#lingering.get(flow)?.();
    this.#lingering.delete(flow);
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry?.connection !== undefined) this.#blocked.delete(entry.connection);
    this.#entries.delete(key);
  }

  #freePort(guestPort: number): number {
    const { network } = this.link;
    for (;;) {
      const remotePort = FIRST_PORT + (this.#nextPort++ % PORTS);
      const ends = { guest: network.guest, guestPort, remote: network.gateway, remotePort };
      // There are more ports than connections.
      if (!this.#entries.has(keyOf(ends))) return remotePort;
    }
  }
}
