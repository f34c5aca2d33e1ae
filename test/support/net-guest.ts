/** A guest of the user-mode network, its host and its clock, all in the test: frames in, frames out, and sockets that do as they are told. */
import { addressOf, type Address } from "../../src/net/address.js";
import type { NetClock } from "../../src/net/clock.js";
import type { OnConnect } from "../../src/net/door.js";
import { payloadAt, readPacket, writeHead } from "../../src/net/heads.js";
import type {
  HostAddress,
  HostConnection,
  HostConnectionUser,
  HostNames,
  HostSockets,
} from "../../src/net/host-sockets.js";
import { parseAddress, readIpv4 } from "../../src/net/ipv4.js";
import { readIpv6 } from "../../src/net/ipv6/packet.js";
import { ETHERNET_HEADER, type NetFrame } from "../../src/net/net-backend.js";
import { usualNetwork } from "../../src/net/network.js";
import { PROTOCOL, type Packet, type Route } from "../../src/net/packet.js";
import type { PolicyOptions } from "../../src/net/policy.js";
import { NetStack } from "../../src/net/stack.js";
import { FLAG, readSegment, segmentFrame, type Segment } from "../../src/net/tcp/segment.js";
import { readUdp, udpBytes, type UdpDatagram } from "../../src/net/udp.js";

/** Time that passes when it is told to. */
export class TestClock implements NetClock {
  #now = 1000;
  readonly #timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get armed(): number {
    return this.#timers.size;
  }

  /** When the next timer is due; undefined where there is none. */
  get next(): number | undefined {
    return this.#first()?.at;
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (let first = this.#first(); first !== undefined && first.at <= end; first = this.#first()) {
      this.#timers.delete(first);
      this.#now = Math.max(this.#now, first.at);
      first.callback();
    }
    this.#now = end;
  }

  /** Of those that are due at once, the one that was set first. */
  #first(): { at: number; callback: () => void } | undefined {
    let first: { at: number; callback: () => void } | undefined;
    for (const timer of this.#timers) if (first === undefined || timer.at < first.at) first = timer;
    return first;
  }
}

/** A connection of the host's, as the other side of it sees it. */
export class TestConnection implements HostConnection {
  readonly sent: Uint8Array[] = [];
  isOwn = false;
  state: "open" | "ended" | "aborted" = "open";
  paused = false;
  /** What was written is not taken until `drain`. */
  slow = false;
  #waiting: (() => void)[] = [];
  user!: HostConnectionUser;

  constructor(readonly to: HostAddress) {}

  get bytes(): number[] {
    return this.sent.flatMap((piece) => [...piece]);
  }

  write(bytes: Uint8Array, done: (count: number) => void): void {
    this.sent.push(bytes);
    if (this.slow) this.#waiting.push(() => done(bytes.length));
    else done(bytes.length);
  }

  drain(): void {
    for (const done of this.#waiting.splice(0)) done();
  }

  end(): void {
    this.state = "ended";
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  abort(): void {
    this.state = "aborted";
  }
}

export class TestDatagrams {
  readonly sent: { data: number[]; to: HostAddress }[] = [];
  closed = false;

  constructor(
    readonly received: (data: Uint8Array, from: HostAddress) => void,
    readonly failed: () => void,
    readonly at: HostAddress | undefined,
    /** The version of IP that it speaks. */
    readonly family: 4 | 6,
  ) {}

  send(data: Uint8Array, to: HostAddress): void {
    this.sent.push({ data: [...data], to });
  }

  close(): void {
    this.closed = true;
  }
}

export class TestHost implements HostSockets {
  readonly connections: TestConnection[] = [];
  readonly sockets: TestDatagrams[] = [];
  readonly names = new Map<string, HostNames>();
  readonly asked: Uint8Array[] = [];
  readonly listeners: {
    at: HostAddress;
    accept: (connection: HostConnection) => HostConnectionUser;
    open: boolean;
  }[] = [];
  reply: (question: Uint8Array) => Uint8Array | undefined = () => undefined;
  own: string[] = ["192.168.7.7", "fe80::1"];

  connect(to: HostAddress, user: HostConnectionUser): HostConnection {
    const connection = new TestConnection(to);
    connection.user = user;
    this.connections.push(connection);
    return connection;
  }

  datagrams(
    received: (data: Uint8Array, from: HostAddress) => void,
    failed: () => void,
    at: HostAddress | 4 | 6,
  ): TestDatagrams {
    const socket =
      typeof at === "object"
        ? new TestDatagrams(received, failed, at, at.address.includes(":") ? 6 : 4)
        : new TestDatagrams(received, failed, undefined, at);
    this.sockets.push(socket);
    return socket;
  }

  listen(at: HostAddress, accept: (connection: HostConnection) => HostConnectionUser): () => void {
    const listener = { at, accept, open: true };
    this.listeners.push(listener);
    return () => (listener.open = false);
  }

  lookup(name: string, family: 4 | 6, done: (names: HostNames) => void): void {
    done(this.names.get(`${name} ${family}`) ?? { failed: "no-name" });
  }

  ask(question: Uint8Array, done: (answer: Uint8Array | undefined) => void): void {
    this.asked.push(question);
    done(this.reply(question));
  }

  ownAddresses(): readonly string[] {
    return this.own;
  }
}

export const GUEST = parseAddress("10.0.2.15")!;
export const GATEWAY = parseAddress("10.0.2.2")!;
export const NAMESERVER = parseAddress("10.0.2.3")!;
/** An address of IPv6. */
export function six(text: string): bigint {
  return addressOf(text) as bigint;
}

/** The same of IPv6: what the guest makes of the prefix, and has on its link. */
export const GUEST_6 = six("fd6c:6f63:6f72::15");
export const GUEST_LINK = six("fe80::15");
export const GATEWAY_6 = six("fec0::2");
export const NAMESERVER_6 = six("fec0::3");
export const ROUTER = six("fe80::2");
export const GUEST_MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);

export interface NetRigOptions {
  policy?: PolicyOptions;
  mtu?: number;
  /** Whether segments may be longer than packets. */
  cuts?: boolean;
  /** Bytes that wait in all connections. */
  mostWaiting?: number;
  onConnect?: OnConnect;
}

/** What a guest says in a segment; what is absent is zero. */
export type Said = Partial<Omit<Segment, "sourcePort" | "destinationPort">>;

/** The network with a guest whose every frame the test makes. */
export class NetRig {
  readonly clock = new TestClock();
  readonly host = new TestHost();
  readonly refused: string[] = [];
  readonly stack: NetStack;
  /** Frames for the guest that were not looked at. */
  frames: Uint8Array[] = [];
  /** The same as they came. */
  whole: NetFrame[] = [];
  /** How many frames the link has room for. */
  room = Infinity;
  random = 0x1000;

  constructor({ policy = { host: false }, mtu = 1500, cuts = false, ...more }: NetRigOptions = {}) {
    this.stack = new NetStack({
      network: usualNetwork(mtu),
      host: this.host,
      policy,
      clock: this.clock,
      random32: () => (this.random += 0x1000),
      cuts,
      ...more,
      send: (frame: NetFrame) => {
        if (this.room <= 0) return false;
        this.room--;
        this.frames.push(frame.bytes);
        if (frame.segment !== undefined) this.whole.push(frame);
        return true;
      },
      refused: (what, why) => this.refused.push(`${what}: ${why}`),
    });
  }

  /** Takes the frames that came. */
  taken(): Uint8Array[] {
    return this.frames.splice(0);
  }

  packets(): Packet<number>[] {
    return this.taken().flatMap((frame) => readIpv4(frame.subarray(ETHERNET_HEADER)) ?? []);
  }

  packets6(): Packet<bigint>[] {
    return this.taken().flatMap((frame) =>
      frame[12] === 0x86 ? (readIpv6(frame.subarray(ETHERNET_HEADER)) ?? []) : [],
    );
  }

  /** Segments that came, whose checksums are right. */
  segments(): Segment[] {
    return this.taken().flatMap((frame) => {
      const packet = readPacket(frame);
      return packet?.protocol === PROTOCOL.TCP ? (readSegment(packet, packet.payload, false) ?? []) : [];
    });
  }

  datagrams(): (UdpDatagram & { source: Address; destination: Address })[] {
    return this.taken().flatMap((frame) => {
      const packet = readPacket(frame);
      if (packet?.protocol !== PROTOCOL.UDP) return [];
      const datagram = readUdp(packet, packet.payload, false);
      const { source, destination } = packet;
      return datagram === undefined ? [] : [{ ...datagram, source, destination }];
    });
  }

  /** Sends a packet's payload. */
  send(payload: Uint8Array, destination: Address, protocol: number, source = guestFor(destination)): void {
    this.packet(payload, { source, destination, protocol });
  }

  packet(payload: Uint8Array, route: Route): void {
    const at = payloadAt(route.destination);
    const frame = new Uint8Array(at + payload.length);
    frame.set(payload, at);
    this.frame(frame, route);
  }

  frame(frame: Uint8Array, route: Route): void {
    frame.set(GUEST_MAC, 6);
    writeHead(frame, route);
    this.stack.take({ bytes: frame });
  }

  udp(
    destination: Address,
    destinationPort: number,
    data: Uint8Array,
    sourcePort = 4000,
    source = guestFor(destination),
  ): void {
    const route = { source, destination, protocol: PROTOCOL.UDP };
    this.send(udpBytes(route, { sourcePort, destinationPort, data }), destination, PROTOCOL.UDP, source);
  }

  tcp(ends: TcpEnds, { data = new Uint8Array(0), ...said }: Said): void {
    const route = { source: guestFor(ends.remote), destination: ends.remote, protocol: PROTOCOL.TCP };
    const frame = segmentFrame(route, {
      ...{ seq: 0, ack: 0, flags: 0, window: 0xffff, ...said },
      sourcePort: ends.port,
      destinationPort: ends.remotePort,
      length: data.length,
      fill: (into) => into.set(data),
    });
    this.frame(frame, route);
  }
}

/** Who the guest is to such an address. */
function guestFor(address: Address): Address {
  return typeof address === "bigint" ? GUEST_6 : GUEST;
}

/** Of the guest's port and whom it talks to. */
export interface TcpEnds {
  readonly port: number;
  readonly remote: Address;
  readonly remotePort: number;
}

export const { FIN, SYN, RST, PSH, ACK } = FLAG;
