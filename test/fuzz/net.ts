/**
 * Random guests of the user-mode network: frames that are nearly right, of every protocol, connections that begin, go on and end as no
 * kernel would have them, hosts that answer, fail and fall silent, time that jumps. Nothing throws, nothing grows beyond its bound,
 * nothing of the host's is reached, and every frame that comes out is one.
 */
import assert from "node:assert/strict";
import { readArp } from "../../src/net/arp.js";
import type { OnConnect } from "../../src/net/door.js";
import { addressBytes, addressOf, type Address } from "../../src/net/address.js";
import { payloadAt, readPacket, writeHead } from "../../src/net/heads.js";
import { IPV4_HEADER, parseAddress } from "../../src/net/ipv4.js";
import { withSum } from "../../src/net/ipv6/icmp.js";
import { asPiece } from "../../src/net/ipv6/packet.js";
import { PROTOCOL, rightSum, type Route } from "../../src/net/packet.js";
import {
  ETHERNET_HEADER,
  LEAST_MTU,
  MOST_MTU,
  MOST_PAYLOAD,
  type NetFrame,
} from "../../src/net/net-backend.js";
import { parseAllowed } from "../../src/net/policy.js";
import { MOST_CONNECTIONS } from "../../src/net/tcp-nat.js";
import { FLAG, plus, readSegment, segmentFrame } from "../../src/net/tcp/segment.js";
import { MOST_SOCKETS } from "../../src/net/udp-nat.js";
import { readUdp, udpBytes } from "../../src/net/udp.js";
import {
  GATEWAY,
  GATEWAY_6,
  GUEST,
  GUEST_6,
  GUEST_LINK,
  GUEST_MAC,
  NAMESERVER,
  NAMESERVER_6,
  NetRig,
  ROUTER,
  type TestConnection,
} from "../support/net-guest.js";
import { Random, randomBytes } from "../support/random.js";

const OWN = ["192.168.7.7", "127.0.0.1", "169.254.169.254", "10.0.2.2"].map((text) => parseAddress(text)!);
const HOST_6 = "2001:db8:7::7";
/** The same by IPv6: in its own spellings, and in those of IPv4's. */
const OWN_6 = [
  ...[HOST_6, "::1", "fe80::1", "fec0::2", "::ffff:127.0.0.1", "::127.0.0.1"],
  ...["64:ff9b::127.0.0.1", "64:ff9b::192.168.7.7", "2002:7f00:1::1", "fd00:ec2::254"],
].map((text) => addressOf(text) as bigint);
const NEVER: readonly Address[] = [...OWN, ...OWN_6];
const WORLD_6 = addressOf("2001:db8::1") as bigint;
const ADDRESSES_6 = [
  ...OWN_6,
  ...[GUEST_6, GUEST_LINK, GATEWAY_6, NAMESERVER_6, ROUTER, WORLD_6, 0n],
  ...["2001:db8::2", "ff02::1", "ff02::2", "ff02::1:2", "ff02::1:ff00:2"].map(
    (text) => addressOf(text) as bigint,
  ),
];
const ADDRESSES = [
  ...OWN,
  ...[GUEST, GATEWAY, NAMESERVER, 0, 0xffff_ffff],
  ...["192.0.2.1", "192.0.2.2", "10.0.2.255", "224.0.0.1"].map((text) => parseAddress(text)!),
];
const PORTS = [1, 53, 67, 68, 80, 443, 546, 547, 40_000, 40_001, 40_002, 65_535];
const TYPES_6 = [1, 2, 128, 133, 134, 135, 135, 136, 143];
const PIECES = 64 * 1024 * 17;
const LOOPBACKS = ["127.0.0.1", "::1", "64:ff9b::192.168.7.7"].map((text) => addressOf(text)!);
/** Lengths around which something changes: of a packet, of a datagram. */
const LONG = [1232, 1233, 1452, 1453, 1472, 1473, 3000, 9000, 30_000, 65_472, 65_495, 65_507, 65_508, 65_527];

/** What was seen: each has to be, or the guests are not random enough. */
export type NetSeen = Set<string>;

/** What the guest knows of a connection: roughly the right numbers. */
interface Known {
  seq: number;
  ack: number;
}

class Guest {
  readonly rig: NetRig;
  readonly known = new Map<string, Known>();
  readonly begun = new Set<TestConnection>();
  readonly mtu: number;
  readonly cuts: boolean;
  never: readonly Address[] = [];

  constructor(
    readonly random: Random,
    readonly seen: NetSeen,
  ) {
    const only =
      random.below(4) === 0 ? [parseAllowed("192.0.2.0/24:80")!, parseAllowed("example.org")!] : undefined;
    const redirects = ["192.0.2.2", "127.0.0.1", "192.168.7.7", "2001:db8::2", "::1"].map((address) => ({
      redirect: { address, port: 80 },
    }));
    const onConnect: OnConnect = () =>
      random.below(50) === 0
        ? assert.fail("an owner who throws")
        : random.pick(["accept", "accept", "refuse", ...redirects] as const);
    const asks = random.below(3) === 0;
    this.mtu = random.pick([LEAST_MTU, LEAST_MTU, 9000, MOST_MTU]);
    this.cuts = random.below(3) === 0;
    const host = random.below(4) === 0;
    this.rig = new NetRig({
      policy: { host, ...(only && { only }) },
      mtu: this.mtu,
      cuts: this.cuts,
      ...(asks && { onConnect }),
    });
    this.prepare(host);
  }

  /** What there is on the host's side. */
  prepare(allowed: boolean): void {
    const { random } = this;
    const { host } = this.rig;
    // Some hosts have no address of the world's.
    if (random.below(4) > 0) host.own = [...host.own, HOST_6];
    const has = (one: Address): boolean => host.own.some((text) => addressOf(text) === one);
    // With leave the host is reached, by its loopback and its own addresses.
    const allowedNow = (one: Address): boolean => allowed && (LOOPBACKS.includes(one) || has(one));
    this.never = NEVER.filter((one) => !allowedNow(one) && (one !== addressOf(HOST_6) || has(one)));
    host.names.set("example.org 6", { addresses: ["2001:db8::2", "::1", "fe80::1"], seconds: 1 });
    host.names.set("example.org 4", { addresses: ["192.0.2.2", "127.0.0.1"], seconds: 1 });
    host.reply = (question) => {
      const answer = randomBytes(1 + random.below(99), 12 + random.below(3000));
      answer.set(question.subarray(0, 2));
      answer[2] |= 0x80;
      return random.below(4) === 0 ? undefined : answer;
    };
    for (const udp of [false, true])
      this.rig.stack.publish({ at: { address: "127.0.0.1", port: 8080 }, guestPort: 80, udp });
  }

  step(): void {
    const { random, rig } = this;
    switch (random.below(14)) {
      case 0:
        return this.raw();
      case 1:
        return this.udp();
      case 2:
        return this.names();
      case 3:
        return this.host();
      case 4:
        return void rig.clock.advance(
          random.pick([1, 40, 300, 1000, 5000, random.below(100) === 0 ? 400_000 : 10]),
        );
      case 5:
        rig.room = random.pick([0, 1, 5, Infinity, Infinity]);
        return rig.stack.room();
      case 6:
        return random.below(2) === 0 ? this.mutated() : this.mutated6();
      case 7:
        return this.icmp6();
      default:
        return this.tcp();
    }
  }

  address(): Address {
    return this.random.below(2) === 0 ? this.random.pick(ADDRESSES) : this.random.pick(ADDRESSES_6);
  }

  /** An address that the guest might have, of the version of another. */
  source(other: Address, odd: number): Address {
    const { random } = this;
    if (typeof other === "number") return random.below(odd) === 0 ? random.pick(ADDRESSES) : GUEST;
    return random.below(odd) === 0 ? random.pick(ADDRESSES_6) : random.pick([GUEST_6, GUEST_6, GUEST_LINK]);
  }

  raw(): void {
    const { random, rig } = this;
    const bytes = randomBytes(1 + random.below(1000), random.below(random.pick([200, 200, 200, 66_000])));
    if (bytes.length > ETHERNET_HEADER && random.below(3) > 0) {
      bytes.set(GUEST_MAC, 6);
      bytes.set(
        random.pick([
          [8, 0],
          [8, 6],
          [0x86, 0xdd],
        ]),
        12,
      );
      const arp = [0, 1, 8, 0, 6, 4, 0, random.below(3)];
      if (bytes.length > 60 && random.below(2) === 0)
        bytes.set(
          [...arp, ...GUEST_MAC, 10, 0, 2, random.below(20), 0, 0, 0, 0, 0, 0, 10, 0, 2, random.below(5)],
          14,
        );
    }
    rig.stack.take({ bytes, ...this.said() });
  }

  /** What a card may say of a frame beside its bytes. */
  said(): Partial<NetFrame> {
    const { random } = this;
    if (random.below(2) === 0) return { verified: random.below(2) === 0 };
    const place = (): number => random.pick([0, 34, 54, 6, 16, random.below(65_536)]);
    const segment = random.pick([1, 536, 1440, 1460, 65_535]);
    return {
      checksum: { start: place(), offset: place() },
      ...(random.below(2) === 0 && { segment }),
    };
  }

  /** A length of what is not often long. */
  length(usual: number): number {
    return this.random.below(8) === 0 ? this.random.pick(LONG) : this.random.below(usual);
  }

  /** A packet that is right but for a byte or two, or is a piece of one. */
  mutated(): void {
    const { random } = this;
    const destination = random.pick(ADDRESSES);
    const piece = {
      id: random.below(4),
      offset: 8 * random.pick([0, 0, 1, 100, 185, 4000, 8000, 8191]),
      more: random.below(2) === 0,
    };
    const protocol = random.pick([1, 6, 17, 17, 6, 99]);
    const route = { source: this.source(destination, 4), destination, protocol };
    this.spoilt(
      route,
      randomBytes(1 + random.below(99), this.length(1480)),
      random.below(2) === 0 ? piece : undefined,
    );
  }

  /** The same of IPv6, with extensions before what is in it. */
  mutated6(): void {
    const { random } = this;
    const destination = random.pick(ADDRESSES_6);
    let route: Route = {
      source: this.source(destination, 4),
      destination,
      protocol: random.pick([58, 6, 17, 17, 6, 59, 99]),
      hops: random.pick([255, 64, 1, 0]),
    };
    let payload = randomBytes(1 + random.below(99), this.length(1400));
    for (let count = random.below(4); count > 0; count--) {
      const kind = random.pick([0, 43, 44, 44, 60]);
      if (kind === 44) {
        const offset = 8 * random.pick([0, 0, 1, 100, 181, 4000, 8000, 8191]);
        ({ route, payload } = asPiece(route, payload, {
          id: random.below(4),
          offset,
          more: random.below(2) === 0,
        }));
      } else {
        const options = random.pick([
          [1, 4, 0, 0, 0, 0],
          [5, 2, 0, 0, 1, 0],
          [0, 0, 0, 0, 0, 0],
          [...randomBytes(count, 6)],
        ]);
        payload = Uint8Array.of(route.protocol, random.below(20) === 0 ? 9 : 0, ...options, ...payload);
        route = { ...route, protocol: kind };
      }
    }
    this.spoilt(route, payload);
  }

  /** A packet of which a bit of its head may be wrong. */
  spoilt(route: Route, payload: Uint8Array, piece?: Parameters<typeof writeHead>[2]): void {
    const { random, rig } = this;
    const at = payloadAt(route.destination);
    const frame = new Uint8Array(at + payload.length);
    frame.set(payload, at);
    frame.set(GUEST_MAC, 6);
    writeHead(frame, route, piece);
    if (random.below(2) === 0)
      frame[ETHERNET_HEADER + random.below(at - ETHERNET_HEADER)] ^= 1 << random.below(8);
    rig.stack.take({ bytes: frame, ...this.said() });
  }

  /** What neighbours say to each other, and echoes. */
  icmp6(): void {
    const { random, rig } = this;
    const [type, target] = [random.pick(TYPES_6), random.pick(ADDRESSES_6)];
    const options = random.pick([
      [],
      [1, 1, ...GUEST_MAC],
      [2, 1, ...GUEST_MAC],
      [1, 0, 0, 0, 0, 0, 0, 0],
      [...randomBytes(1 + random.below(9), 8)],
    ]);
    const body =
      type === 128
        ? [...randomBytes(3, random.pick([0, 8, 3000, 65_527]))]
        : type === 133
          ? options
          : [...addressBytes(target), ...options];
    const destination = random.pick(ADDRESSES_6);
    const source = this.source(destination, 4);
    const route = { source, destination, protocol: PROTOCOL.ICMPV6, hops: random.below(5) === 0 ? 64 : 255 };
    const bytes = withSum(
      route,
      Uint8Array.of(type, random.below(9) === 0 ? 1 : 0, 0, 0, random.below(256), 0, 0, 0, ...body),
    );
    if (random.below(6) === 0) bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    rig.packet(random.below(9) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes, route);
  }

  udp(): void {
    const { random, rig } = this;
    const data = randomBytes(1 + random.below(99), random.pick([0, 1, 100, 300, 548, this.length(548)]));
    const destinationPort = random.pick(PORTS);
    if (destinationPort === 67 && data.length >= 300) {
      data.set([1, 1, 6, 0]);
      data.set([0x63, 0x82, 0x53, 0x63, 53, 1, random.below(9)], 236);
    }
    if (destinationPort === 547)
      data.set(
        [
          random.pick([11, 11, 1]),
          1,
          2,
          3,
          0,
          random.pick([1, 6, 3]),
          0,
          random.pick([0, 2, 4]),
          0,
          23,
        ].slice(0, data.length),
      );
    const destination = this.address();
    const source = this.source(destination, 5);
    rig.udp(destination, destinationPort, data, random.pick([...PORTS, random.below(65_536)]), source);
  }

  names(): void {
    const { random, rig } = this;
    const label = random.pick([
      [7, ...Buffer.from("example"), 3, ...Buffer.from("org")],
      [4, ...Buffer.from("host"), 6, ...Buffer.from("locore")],
      [1, 97],
    ]);
    const message = Uint8Array.of(
      0,
      random.below(256),
      1,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
      ...label,
      0,
      0,
      random.pick([1, 28, 16, 255]),
      0,
      1,
    );
    if (random.below(3) === 0) message[random.below(message.length)] ^= 1 << random.below(8);
    const nameserver = random.pick([NAMESERVER, NAMESERVER_6]);
    if (random.below(2) === 0) {
      const source = typeof nameserver === "bigint" ? GUEST_6 : GUEST;
      const route = { source, destination: nameserver, protocol: PROTOCOL.UDP };
      rig.send(
        udpBytes(route, {
          sourcePort: 9999,
          destinationPort: 53,
          data: message.subarray(0, random.below(3) === 0 ? random.below(20) : undefined),
        }),
        nameserver,
        PROTOCOL.UDP,
      );
    } else this.segment(random.pick(PORTS), nameserver, 53, Uint8Array.of(0, message.length, ...message));
  }

  tcp(): void {
    const { random } = this;
    const data = randomBytes(1 + random.below(99), random.pick([0, 0, 1, 10, 1460, 3000, this.length(99)]));
    const remote =
      random.below(3) === 0 ? this.address() : random.pick([parseAddress("192.0.2.1")!, WORLD_6]);
    this.segment(
      random.pick([40_000, 40_001, 40_002, 80, random.below(65_536)]),
      remote,
      random.pick([80, 80, 53, 49_152, ...PORTS]),
      data,
    );
  }

  segment(port: number, remote: Address, remotePort: number, data: Uint8Array): void {
    const { random, rig, known } = this;
    const key = `${port} ${remote} ${remotePort}`;
    const at = known.get(key);
    const off = random.below(4) === 0 ? random.pick([-1, 1, 1000, -70_000, 300_000, 2 ** 31]) : 0;
    const flags =
      at === undefined
        ? FLAG.SYN
        : random.pick([
            FLAG.ACK,
            FLAG.ACK,
            FLAG.ACK,
            FLAG.ACK | FLAG.PSH,
            FLAG.ACK | FLAG.FIN,
            FLAG.RST,
            FLAG.SYN,
            random.below(64),
          ]);
    const seq = at === undefined ? random.pick([0, 0xffff_fff0, random.below(2 ** 32)]) : plus(at.seq, off);
    const source = typeof remote === "bigint" ? GUEST_6 : GUEST;
    const route = { source, destination: remote, protocol: PROTOCOL.TCP };
    const some = at === undefined ? new Uint8Array(0) : data;
    const frame = segmentFrame(route, {
      sourcePort: port,
      destinationPort: remotePort,
      seq,
      ack: plus(at?.ack ?? 0, random.below(6) === 0 ? random.pick([-1, 1, 5000, 2 ** 31]) : 0),
      flags,
      window: random.pick([0, 1, 100, 0xffff, 0xffff, 0xffff]),
      length: some.length,
      fill: (into) => into.set(some),
      ...((flags & FLAG.SYN) !== 0 && {
        mss: random.pick([0, 1, 536, 1460, 65_535]),
        scale: random.below(16),
      }),
    });
    if (at === undefined) known.set(key, { seq: plus(seq, 1), ack: 0 });
    else if (off === 0 && (flags & FLAG.ACK) !== 0) at.seq = plus(at.seq, some.length + (flags & FLAG.FIN));
    if (known.size > 200) known.clear();
    rig.frame(frame, route);
  }

  /** Something happens on the host's side. */
  host(): void {
    const { random, rig } = this;
    const open = rig.host.connections.filter(({ state }) => state !== "aborted").slice(-20);
    if (open.length > 0) this.connection(random.pick(open));
    const socket = rig.host.sockets.at(-1);
    const from = {
      address: random.pick(["192.0.2.1", "127.0.0.1", "2001:db8::1", "2001:DB8:0::2", "::1"]),
      port: random.pick(PORTS),
    };
    if (socket !== undefined && !socket.closed)
      socket.received(randomBytes(1 + random.below(9), random.pick([0, 10, 3000, 60_000, ...LONG])), from);
    const visited = rig.host.sockets.find(({ at }) => at !== undefined);
    visited?.received(Uint8Array.of(1), { address: "127.0.0.1", port: 1 + random.below(60_000) });
    if (random.below(10) > 0) return;
    const [listener] = rig.host.listeners;
    const connection = rig.host.connect(
      { address: "192.0.2.99", port: 1 },
      undefined as never,
    ) as TestConnection;
    connection.user = listener.accept(connection);
  }

  /** As sockets do: it is connected once, or fails; what comes, comes behind that. */
  connection(connection: TestConnection): void {
    const { random, begun } = this;
    connection.slow = random.below(3) === 0;
    const fails = random.below(8) === 0;
    if (!begun.has(connection) && !this.isPublished(connection) && !fails) {
      begun.add(connection);
      connection.user.connected();
      return;
    }
    switch (fails ? 0 : 1 + random.below(6)) {
      case 0:
        connection.state = "aborted";
        connection.user.failed(random.pick(["refused", "unreachable", "timeout", "reset"]));
        return connection.user.closed();
      case 1:
        return connection.user.finished();
      case 2:
        return connection.drain();
      default:
        if (!connection.paused)
          connection.user.received(randomBytes(1 + random.below(9), random.pick([1, 1000, 65_536])));
    }
  }

  isPublished({ to }: TestConnection): boolean {
    return to.address === "192.0.2.99";
  }

  /** What came out is right, what is kept is bounded, and nobody was reached who must not be. */
  check(): void {
    const { rig, seen, known } = this;
    for (const frame of rig.taken()) {
      const most = rig.whole.some(({ bytes }) => bytes === frame) ? MOST_PAYLOAD : this.mtu;
      assert.ok(frame.length <= ETHERNET_HEADER + most, `a frame of ${frame.length} bytes`);
      const payload = frame.subarray(ETHERNET_HEADER);
      if (most !== this.mtu) {
        seen.add("cut");
        continue;
      }
      if (frame[12] === 8 && frame[13] === 6) {
        assert.ok(readArp(payload));
        seen.add("arp");
        continue;
      }
      const packet = readPacket(frame);
      assert.ok(packet, "a packet");
      if (packet.offset > 0 || packet.more) {
        seen.add(typeof packet.source === "bigint" ? "piece 6" : "piece");
        const head = typeof packet.source === "bigint" ? 0 : IPV4_HEADER;
        assert.ok(head + packet.offset + packet.payload.length <= MOST_PAYLOAD, "a datagram's length");
        continue;
      }
      const segment =
        packet.protocol === PROTOCOL.TCP ? readSegment(packet, packet.payload, false) : undefined;
      if (packet.protocol === PROTOCOL.TCP) assert.ok(segment, "a segment");
      if (packet.protocol === PROTOCOL.ICMPV6) {
        assert.ok(rightSum(packet, packet.payload), "a message of ICMPv6");
        seen.add(`icmp6 ${packet.payload[0]}`);
        continue;
      }
      const version = typeof packet.source === "bigint" ? " 6" : "";
      if (packet.protocol === PROTOCOL.UDP) assert.ok(readUdp(packet, packet.payload, false), "a datagram");
      if (segment === undefined)
        seen.add(packet.protocol === PROTOCOL.ICMP ? `icmp ${packet.payload[0]}` : `udp${version}`);
      else {
        const key = `${segment.destinationPort} ${packet.source} ${segment.sourcePort}`;
        const end = plus(
          segment.seq,
          segment.data.length + ((segment.flags & (FLAG.SYN | FLAG.FIN)) !== 0 ? 1 : 0),
        );
        seen.add(`tcp ${segment.flags}${segment.data.length > 0 ? " data" : ""}${version}`);
        const at = known.get(key);
        if (at !== undefined) at.ack = end;
        else if ((segment.flags & FLAG.SYN) !== 0) known.set(key, { seq: segment.ack, ack: end });
      }
    }
    rig.whole = [];
    const { connections, lingering, ports, pieces } = rig.stack.held;
    assert.ok(connections + lingering <= MOST_CONNECTIONS && ports <= MOST_SOCKETS && pieces <= PIECES);
    // And one for what is idle, one for the router.
    const most = connections + lingering + 2;
    assert.ok(rig.clock.armed <= most, `${rig.clock.armed} timers for ${connections} connections`);
    const reached = [
      ...rig.host.connections.map(({ to }) => to),
      ...rig.host.sockets.flatMap(({ sent, at }) => (at === undefined ? sent.map(({ to }) => to) : [])),
    ];
    for (const { address } of reached.slice(-50))
      assert.ok(!this.never.includes(addressOf(address)!), `${address} was reached`);
  }
}

/** Frames of guests of seeds from `first` on, a hundred steps each; an error names its seed. */
export function fuzzNet(steps: number, first: number): NetSeen {
  const seen: NetSeen = new Set();
  const STEPS_A_LIFE = 200;
  for (let seed = first; seed < first + steps / STEPS_A_LIFE; seed++) {
    const guest = new Guest(new Random(seed), seen);
    try {
      for (let i = 0; i < STEPS_A_LIFE; i++) {
        guest.step();
        guest.check();
      }
      guest.rig.room = Infinity;
      guest.rig.stack.close();
      guest.check();
      assert.deepEqual(guest.rig.stack.held.connections, 0);
      const left = guest.rig.host.connections.filter(({ state }) => state === "open");
      assert.equal(left.length, 0, "every connection of the host's has ended");
      guest.rig.stack.abort();
      assert.equal(guest.rig.stack.held.lingering, 0);
      assert.equal(guest.rig.clock.armed, 0, "no timer is left");
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).stack ?? String(error)}`, { cause: error });
    }
  }
  return seen;
}

/** Of what is seen, what has to be among it. */
export const EXPECTED_SEEN = [
  ...["arp", "cut", "piece", "udp", "icmp 3"],
  ...["tcp 18", "tcp 16", "tcp 16 data", "tcp 24 data", "tcp 17", "tcp 4", "tcp 20", "tcp 2"],
  ...["piece 6", "udp 6", "icmp6 1", "icmp6 129", "icmp6 134", "icmp6 136"],
  ...["tcp 18 6", "tcp 16 6", "tcp 24 data 6", "tcp 20 6"],
];
