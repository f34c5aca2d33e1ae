/** R3.7 Datagrams and connections of IPv6: by the same parts as those of IPv4, with pieces, extensions and long segments. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { completeChecksum } from "../../src/net/checksum.js";
import { readPacket } from "../../src/net/heads.js";
import { MOST_MESSAGES } from "../../src/net/message-rate.js";
import { asPiece } from "../../src/net/ipv6/packet.js";
import { PROTOCOL, rightSum } from "../../src/net/packet.js";
import { cutSegments } from "../../src/net/segmentation.js";
import { udpBytes } from "../../src/net/udp.js";
import {
  ACK,
  FIN,
  GATEWAY,
  GATEWAY_6,
  GUEST_6,
  GUEST_LINK,
  NAMESERVER,
  NAMESERVER_6,
  NetRig,
  RST,
  six,
  SYN,
} from "../support/net-guest.js";
import { randomBytes } from "../support/random.js";

const WORLD = six("2001:db8::1");
const OWN = "2001:db8:7::7";
const utf8 = (words: string): Uint8Array => new TextEncoder().encode(words);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function rigged(options: ConstructorParameters<typeof NetRig>[0] = {}): NetRig {
  const rig = new NetRig(options);
  rig.host.own = [...rig.host.own, OWN];
  return rig;
}

/** Messages of ICMPv6 that say that something did not arrive: their code. */
function unreachable(rig: NetRig): number[] {
  return rig.packets6().flatMap((packet) => {
    if (packet.protocol !== PROTOCOL.ICMPV6 || packet.payload[0] !== 1) return [];
    assert.ok(rightSum(packet, packet.payload));
    assert.deepEqual([packet.source, packet.destination], [GATEWAY_6, GUEST_6]);
    assert.ok(packet.bytes.length <= 1280, "RFC 4443 §2.4 (c)");
    return [packet.payload[1]];
  });
}

describe("R3.7 datagrams by IPv6", () => {
  test("they go out by a socket of the host's, and answers come back, however the host spells the address", () => {
    const rig = rigged();
    rig.udp(WORLD, 7, utf8("ping"), 4000);
    const [socket] = rig.host.sockets;
    assert.deepEqual(socket.sent, [{ data: [...utf8("ping")], to: { address: "2001:db8::1", port: 7 } }]);
    for (const address of ["2001:db8::1", "2001:DB8:0:0::1", "2001:db8::2"])
      socket.received(utf8("pong"), { address, port: 7 });
    const got = rig
      .datagrams()
      .map(({ source, destination, sourcePort, destinationPort, data }) => [
        source,
        destination,
        sourcePort,
        destinationPort,
        text(data),
      ]);
    assert.deepEqual(got, [
      [WORLD, GUEST_6, 7, 4000, "pong"],
      [WORLD, GUEST_6, 7, 4000, "pong"],
    ]);
  });

  test("a port of the guest's is one of each version: their answers do not mix", () => {
    const rig = rigged();
    rig.udp(WORLD, 7, utf8("six"), 4000);
    rig.udp(0xc000_0201, 7, utf8("four"), 4000);
    assert.deepEqual(
      rig.host.sockets.map(({ sent, family }) => [sent[0].to.address, family]),
      [
        ["2001:db8::1", 6],
        ["192.0.2.1", 4],
      ],
    );
  });

  test("one that is longer than datagrams are is lost, of either version: its length would be another", () => {
    for (const [remote, address, most] of [
      [WORLD, "2001:db8::1", 65_527],
      [0xc000_0201, "192.0.2.1", 65_507],
    ] as const) {
      const rig = rigged();
      rig.udp(remote, 7, utf8("ping"), 4000);
      rig.taken();
      rig.host.sockets[0].received(new Uint8Array(most + 1), { address, port: 7 });
      assert.equal(rig.taken().length, 0);
      rig.host.sockets[0].received(new Uint8Array(most), { address, port: 7 });
      assert.equal(rig.taken().length, 46 - (remote === WORLD ? 0 : 1), address);
    }
  });

  test("RFC 8200 §8.1: one without a checksum is not taken", () => {
    const rig = rigged();
    const route = { source: GUEST_6, destination: WORLD, protocol: PROTOCOL.UDP };
    const bytes = udpBytes(route, { sourcePort: 9, destinationPort: 7, data: utf8("x") });
    rig.packet(bytes.with(6, 0).with(7, 0), route);
    rig.packet(bytes.with(7, bytes[7] ^ 1), route);
    assert.equal(rig.host.sockets.length, 0);
    rig.packet(bytes, route);
    assert.equal(rig.host.sockets.length, 1);
  });

  test("the nameserver answers by IPv6; host=yes leads the gateway's ports to ::1", () => {
    const rig = rigged({ policy: { host: true } });
    rig.host.names.set("example.org 6", { addresses: ["2001:db8::2", "192.0.2.9", "nonsense"], seconds: 9 });
    const name = [7, ...utf8("example"), 3, ...utf8("org"), 0];
    rig.udp(NAMESERVER_6, 53, Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 28, 0, 1));
    const [{ data, source }] = rig.datagrams();
    assert.deepEqual([source, data[7], data[data.length - 1]], [NAMESERVER_6, 1, 2]);
    rig.udp(GATEWAY_6, 7, utf8("x"));
    assert.deepEqual(rig.host.sockets[0].sent[0].to, { address: "::1", port: 7 });
  });

  test("RFC 4443 §3.1: what is refused is prohibited (1), a port that nobody has is said (4), a host without a way says so at once (0)", () => {
    const rig = rigged();
    rig.udp(GATEWAY_6, 7, utf8("x"));
    assert.deepEqual(unreachable(rig), [1]);
    assert.match(rig.refused[0], /^udp \[fec0::2\]:7: this is the host/);
    rig.udp(six("fd6c:6f63:6f72::99"), 7, utf8("x"));
    rig.udp(WORLD, 0, utf8("x"));
    assert.deepEqual(unreachable(rig), [4, 4]);
    const lonely = new NetRig();
    lonely.udp(WORLD, 7, randomBytes(1, 1400));
    assert.deepEqual([unreachable(lonely), lonely.host.sockets.length], [[0], 0]);
  });

  test("what nobody has in the guest's own network is nobody's, of which the owner is not told: also beside the nameserver", () => {
    const rig = rigged({ policy: { host: false, only: [] } });
    for (const address of [NAMESERVER_6, six("fec0::9"), six("fd6c:6f63:6f72::99"), NAMESERVER]) {
      rig.udp(address, 99, utf8("x"));
      rig.tcp({ port: 9, remote: address, remotePort: 99 }, { seq: 5, flags: SYN });
    }
    assert.deepEqual([rig.refused, unreachable(rig)], [[], [4, 4, 4]]);
    assert.deepEqual([rig.host.connections.length, rig.host.sockets.length], [0, 0]);
  });

  test("RFC 4443 §2.4 (f): a guest that provokes such messages without end hears a hundred, and one more for each millisecond", () => {
    const rig = rigged();
    const provoke = (): number => {
      for (let i = 0; i < 300; i++) rig.udp(GATEWAY_6, 7, utf8("x"));
      return unreachable(rig).length;
    };
    assert.equal(provoke(), MOST_MESSAGES);
    rig.clock.advance(5);
    assert.equal(provoke(), 5);
    rig.clock.advance(60_000);
    assert.equal(provoke(), MOST_MESSAGES);
  });

  test("RFC 1812 §4.3.2.8: the same of IPv4, and both count together", () => {
    const rig = rigged();
    for (let i = 0; i < 200; i++) {
      rig.udp(GATEWAY, 7, utf8("x"));
      rig.udp(GATEWAY_6, 7, utf8("x"));
    }
    const said = rig.taken().flatMap((frame) => readPacket(frame) ?? []);
    const errors = said.filter(({ protocol, payload }) =>
      protocol === PROTOCOL.ICMPV6 ? payload[0] === 1 : protocol === PROTOCOL.ICMP && payload[0] === 3,
    );
    assert.equal(errors.length, MOST_MESSAGES);
    assert.equal(errors.filter(({ protocol }) => protocol === PROTOCOL.ICMP).length, MOST_MESSAGES / 2);
  });

  test("RFC 4443 §2.4 (e), RFC 4291 §2.5.6: what goes to a group, or out from an address of the link, is dropped and nothing said", () => {
    const rig = rigged();
    rig.udp(six("ff02::fb"), 5353, utf8("x"));
    rig.udp(WORLD, 7, utf8("x"), 9, GUEST_LINK);
    rig.udp(WORLD, 7, utf8("x"), 9, six("2001:db8::77"));
    assert.deepEqual([unreachable(rig), rig.refused, rig.host.sockets.length], [[], [], 0]);
  });
});

describe("R3.7 pieces and extensions (RFC 8200 §4)", () => {
  const route = { source: GUEST_6, destination: WORLD, protocol: PROTOCOL.UDP };
  const data = randomBytes(4, 4000);
  const whole = udpBytes(route, { sourcePort: 9, destinationPort: 7, data });

  function pieces(
    bytes: Uint8Array,
    protocol: number,
    id = 5,
    step = 1448,
  ): (() => void)[] & { rig: NetRig } {
    const rig = rigged();
    const all: (() => void)[] = [];
    for (let offset = 0; offset < bytes.length; offset += step) {
      const more = offset + step < bytes.length;
      const one = asPiece({ ...route, protocol }, bytes.subarray(offset, offset + step), {
        id,
        offset,
        more,
      });
      all.push(() => rig.packet(one.payload, one.route));
    }
    return Object.assign(all, { rig });
  }
  const sent = (rig: NetRig): number[][] =>
    rig.host.sockets.flatMap((one) => one.sent.map((each) => each.data));

  test("§4.5: a datagram in pieces arrives, in any order; long ones to the guest go in pieces that it can join", () => {
    for (const order of [
      [0, 1, 2],
      [2, 0, 1],
    ]) {
      const all = pieces(whole, PROTOCOL.UDP);
      for (const index of order) all[index]();
      assert.deepEqual(sent(all.rig), [[...data]]);
      assert.equal(all.rig.stack.held.pieces, 0);
      all.rig.taken();
      all.rig.host.sockets[0].received(data, { address: "2001:db8::1", port: 7 });
      const came = all.rig.packets6();
      assert.deepEqual(
        came.map(({ offset, more, bytes }) => [offset, more, bytes.length <= 1500]),
        [
          [0, true, true],
          [1448, true, true],
          [2896, false, true],
        ],
      );
      const joined = Uint8Array.from(came.flatMap(({ payload }) => [...payload]));
      assert.ok(rightSum({ source: WORLD, destination: GUEST_6, protocol: PROTOCOL.UDP }, joined));
    }
  });

  test("RFC 5722: pieces that overlap make no datagram; RFC 6946: one that is the whole is no piece", () => {
    const all = pieces(whole, PROTOCOL.UDP);
    all[0]();
    const over = asPiece(route, whole.subarray(1440, 2888), { id: 5, offset: 1440, more: true });
    all.rig.packet(over.payload, over.route);
    all[1]();
    all[2]();
    assert.deepEqual(sent(all.rig), []);
    const atom = asPiece(route, whole, { id: 5, offset: 0, more: false });
    all.rig.packet(atom.payload, atom.route);
    assert.deepEqual(sent(all.rig), [[...data]]);
  });

  test("what is bounded of IPv4's pieces is of these: they are forgotten after half a minute, and are few", () => {
    const rig = rigged();
    for (let id = 0; id < 1000; id++) {
      const one = asPiece(route, whole.subarray(0, 1448), { id, offset: 0, more: true });
      rig.packet(one.payload, one.route);
    }
    assert.ok(rig.stack.held.pieces <= 16 * 1448);
    rig.clock.advance(31_000);
    const last = asPiece(route, whole.subarray(0, 8), { id: 7000, offset: 0, more: true });
    rig.packet(last.payload, last.route);
    assert.equal(rig.stack.held.pieces, 8);
  });

  test("§4.5: a piece that others follow and that has no multiple of 8 bytes is dropped, and not the datagram", () => {
    const all = pieces(whole, PROTOCOL.UDP);
    const odd = asPiece(route, whole.subarray(0, 1447), { id: 5, offset: 0, more: true });
    all.rig.packet(odd.payload, odd.route);
    assert.equal(all.rig.stack.held.pieces, 0);
    for (const one of all) one();
    assert.deepEqual(sent(all.rig), [[...data]]);
  });

  const small = udpBytes(route, { sourcePort: 9, destinationPort: 7, data: utf8("x") });
  const behind = (protocol: number, ...extensions: number[]): boolean => {
    const rig = rigged();
    rig.packet(Uint8Array.of(...extensions, ...small), { ...route, protocol });
    return sent(rig).length > 0;
  };

  test("§4.2: options that say that they may be passed over are, others end the packet", () => {
    assert.ok(behind(17));
    assert.ok(behind(0, 17, 0, 5, 2, 0, 0, 1, 0), "for a router's attention, and room");
    assert.ok(behind(60, 17, 0, 0x1e, 4, 1, 2, 3, 4), "one that nobody knows");
    assert.ok(behind(0, 60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0));
    for (const first of [0x5e, 0x9e, 0xde]) assert.ok(!behind(60, 17, 0, first, 4, 1, 2, 3, 4));
    assert.ok(!behind(60, 17, 0, 1, 9, 0, 0, 0, 0), "an option beyond its header");
    assert.ok(!behind(60, 17, 9, 1, 4, 0, 0, 0, 0), "a header beyond its packet");
    assert.ok(!behind(60, 0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0), "§4.1: the first one or none");
    const many = new Array<number[]>(9).fill([60, 0, 1, 4, 0, 0, 0, 0]).flat();
    assert.ok(!behind(60, ...many.with(64, 17)), "more than anybody sends");
    assert.ok(behind(60, ...many.slice(8).with(56, 17)), "and as many as are taken");
  });

  test("§4.4, RFC 5095: a way that is over is passed over, and none is gone", () => {
    assert.ok(behind(43, 17, 0, 0, 0, 0, 0, 0, 0));
    for (const kind of [0, 2, 4]) assert.ok(!behind(43, 17, 0, kind, 1, 0, 0, 0, 0), `${kind}`);
  });

  test("§4.5: extensions that were cut with a datagram are looked at when it is whole, and no piece is within another", () => {
    const all = pieces(Uint8Array.of(17, 0, 1, 4, 0, 0, 0, 0, ...whole), 60);
    for (const one of all) one();
    assert.deepEqual(sent(all.rig), [[...data]]);
    const mixed = rigged();
    for (const [offset, protocol] of [
      [0, 17],
      [2000, 99],
    ]) {
      const bytes = whole.subarray(offset, offset === 0 ? 2000 : undefined);
      const one = asPiece({ ...route, protocol }, bytes, { id: 5, offset, more: offset === 0 });
      mixed.packet(one.payload, one.route);
    }
    assert.deepEqual(sent(mixed), [[...data]], "what is in it the first piece says");
    const inner = asPiece(route, whole, { id: 1, offset: 0, more: false });
    const nested = pieces(inner.payload, 44);
    for (const one of nested) one();
    assert.deepEqual(sent(nested.rig), []);
  });

  test("§3: what says that it is longer than it is, or of another version, is no packet", () => {
    const rig = rigged();
    const frame = new Uint8Array(54 + small.length);
    frame.set(small, 54);
    rig.frame(frame, route);
    const once = sent(rig).length;
    for (const [at, value] of [
      [19, small.length + 1],
      [14, 0x40],
    ]) {
      rig.stack.take({ bytes: frame.with(at, value) });
      rig.stack.take({ bytes: frame.subarray(0, 53) });
    }
    assert.deepEqual([once, sent(rig).length], [1, 1]);
  });
});

describe("R3.7 connections by IPv6", () => {
  const ends = { port: 4000, remote: WORLD, remotePort: 80 };

  function opened(options: ConstructorParameters<typeof NetRig>[0] = {}) {
    const rig = rigged(options);
    rig.tcp(ends, { seq: 99, flags: SYN, mss: 1440, scale: 7 });
    const [connection] = rig.host.connections;
    rig.taken();
    connection.user.connected();
    const [syn] = rig.segments();
    rig.tcp(ends, { seq: 100, ack: syn.seq + 1, flags: ACK });
    return { rig, connection, syn };
  }

  test("one goes to the host's own, and data and ends go both ways; a segment has 40 bytes of head before it (RFC 9293 §3.7.1)", () => {
    const { rig, connection, syn } = opened();
    assert.deepEqual(connection.to, { address: "2001:db8::1", port: 80 });
    assert.deepEqual([syn.flags, syn.ack, syn.mss], [SYN | ACK, 100, 1500 - 40 - 20]);
    rig.tcp(ends, { seq: 100, ack: syn.seq + 1, flags: ACK, data: utf8("GET /") });
    assert.equal(text(Uint8Array.from(connection.bytes)), "GET /");
    connection.user.received(utf8("page"));
    connection.user.finished();
    const said = rig.segments();
    assert.equal(said.map(({ data }) => text(data)).join(""), "page");
    assert.equal(said.at(-1)!.flags & FIN, FIN);
    const sent = rig.host.connections.length;
    rig.tcp({ ...ends, remote: 0xc000_0201 }, { seq: 99, flags: SYN });
    assert.equal(rig.host.connections.length, sent + 1, "the same ports of IPv4 are another connection");
  });

  test("who is refused hears a reset, who has no way is told so, and both at once: whoever tries both versions goes on with the other", () => {
    const rig = rigged();
    for (const remote of [GATEWAY_6, six("::1"), six("fe80::2"), six("fd6c:6f63:6f72::99"), six(OWN)])
      rig.tcp({ ...ends, remote }, { seq: 5, flags: SYN });
    assert.deepEqual(
      rig.segments().map(({ flags }) => flags),
      new Array<number>(5).fill(RST | ACK),
    );
    assert.equal(rig.host.connections.length, 0);
    rig.tcp(ends, { seq: 5, flags: SYN });
    rig.host.connections[0].user.failed("unreachable");
    assert.deepEqual(unreachable(rig), [3]);
  });

  test("one that has led to the host itself after all is reset", () => {
    const rig = rigged();
    rig.tcp(ends, { seq: 5, flags: SYN });
    rig.taken();
    rig.host.connections[0].isOwn = true;
    rig.host.connections[0].user.connected();
    assert.deepEqual(
      rig.segments().map(({ flags }) => flags),
      [RST | ACK],
    );
  });

  test("a long segment is one frame to who can cut it, and cut it is right: heads, numbers, checksums", () => {
    const { rig, connection, syn } = opened({ cuts: true });
    rig.taken();
    const data = randomBytes(9, 20_000);
    connection.user.received(data);
    const [frame] = rig.whole;
    assert.deepEqual([frame.segment, frame.checksum], [1440, { start: 54, offset: 16 }]);
    const [first, ...more] = cutSegments(frame);
    assert.ok(more.length > 3);
    const guest = rigged();
    guest.frames = [first, ...more].map(({ bytes }) => bytes);
    const segments = guest.segments();
    assert.deepEqual(
      segments.map(({ seq }) => seq),
      segments.map((_, index) => syn.seq + 1 + index * 1440),
    );
    const got = segments.flatMap((one) => [...one.data]);
    assert.deepEqual(got, [...data.subarray(0, got.length)]);
    guest.frames = [completeChecksum(frame).bytes];
    assert.equal(guest.segments()[0].data.length, got.length);
  });

  test("no segment is longer than a packet may be, also where the window and the burst are", () => {
    const { rig, connection } = opened({ cuts: true, mtu: 65_520 });
    rig.taken();
    connection.user.received(randomBytes(9, 250_000));
    assert.ok(rig.frames.length > 0);
    for (const frame of rig.frames) assert.ok(frame.length <= 14 + 65_535, `${frame.length}`);
  });

  test("names are asked by a connection, too", () => {
    const rig = rigged();
    rig.tcp({ port: 9, remote: NAMESERVER_6, remotePort: 53 }, { seq: 1, flags: SYN });
    assert.equal(rig.segments()[0].flags, SYN | ACK);
  });
});
