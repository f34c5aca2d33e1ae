/** R3.7 The user-mode network beside TCP: who answers for what, what goes to the host and what does not, and that none of it grows without end. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { ARP, arpFrame, readArp } from "../../src/net/arp.js";
import { checksumOf, sumOf } from "../../src/net/checksum.js";
import { encodeFrame, FrameReader } from "../../src/net/frame-stream.js";
import { addressText, parsePrefix } from "../../src/net/address.js";
import { IPV4_PAYLOAD, parseAddress, writeIpv4 } from "../../src/net/ipv4.js";
import { PROTOCOL } from "../../src/net/packet.js";
import { parseIpv6 } from "../../src/net/ipv6-text.js";
import type { NetFrame } from "../../src/net/net-backend.js";
import { pcapngHeader, pcapngPacket } from "../../src/net/pcapng.js";
import { parseAllowed, Policy, type PolicyOptions } from "../../src/net/policy.js";
import { IDLE_MS, MOST_PEERS, MOST_SOCKETS } from "../../src/net/udp-nat.js";
import { udpBytes } from "../../src/net/udp.js";
import { ACK, GATEWAY, GUEST, GUEST_MAC, NAMESERVER, NetRig, SYN } from "../support/net-guest.js";
import { collectGarbage } from "../support/garbage.js";
import { pcapngFrames } from "../support/pcapng-reader.js";
import { randomBytes } from "../support/random.js";

const WORLD = parseAddress("192.0.2.1")!;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const utf8 = (words: string): Uint8Array => new TextEncoder().encode(words);

describe("R3.7 ARP and ICMP", () => {
  const ask = (target: string): string[] => {
    const rig = new NetRig();
    const request = {
      operation: ARP.REQUEST,
      senderMac: GUEST_MAC,
      sender: GUEST,
      target: parseAddress(target)!,
    };
    rig.stack.take({ bytes: arpFrame(request) });
    return rig.taken().map((frame) => {
      const { operation, sender } = readArp(frame.subarray(14))!;
      assert.deepEqual(frame.subarray(0, 6), GUEST_MAC);
      return `${operation} ${addressText(sender)}`;
    });
  };

  test("the gateway and the nameserver answer for their addresses, nobody for others", () => {
    assert.deepEqual(ask("10.0.2.2"), ["2 10.0.2.2"]);
    assert.deepEqual(ask("10.0.2.3"), ["2 10.0.2.3"]);
    for (const other of ["10.0.2.15", "10.0.2.99", "192.0.2.1"]) assert.deepEqual(ask(other), []);
  });

  test("the gateway answers echoes, byte for byte; what is beyond it does not, nor what is broken", () => {
    const echo = Uint8Array.of(8, 0, 0, 0, 1, 2, 0, 3, 9, 8, 7);
    new DataView(echo.buffer).setUint16(2, checksumOf(sumOf(echo, 0, echo.length)));
    const rig = new NetRig();
    rig.send(echo, GATEWAY, PROTOCOL.ICMP);
    const [reply] = rig.packets();
    assert.deepEqual([reply.source, reply.destination, reply.payload[0]], [GATEWAY, GUEST, 0]);
    assert.deepEqual([...reply.payload.subarray(4)], [...echo.subarray(4)]);
    assert.equal(checksumOf(sumOf(reply.payload, 0, reply.payload.length)), 0);
    rig.send(echo, WORLD, PROTOCOL.ICMP);
    rig.send(
      Uint8Array.from(echo, (byte, i) => (i === 9 ? 1 : byte)),
      GATEWAY,
      PROTOCOL.ICMP,
    );
    rig.send(echo.subarray(0, 7), GATEWAY, PROTOCOL.ICMP);
    assert.deepEqual(rig.packets(), []);
  });
});

describe("R3.7 DHCP", () => {
  const message = (options: readonly number[], more: Record<number, number> = {}): Uint8Array => {
    const bytes = new Uint8Array(300);
    bytes.set([1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef]);
    bytes.set(GUEST_MAC, 28);
    bytes.set([0x63, 0x82, 0x53, 0x63, ...options, 255], 236);
    for (const [at, byte] of Object.entries(more)) bytes[Number(at)] = byte;
    return bytes;
  };
  const ask = (data: Uint8Array, mtu = 1500): Uint8Array | undefined => {
    const rig = new NetRig({ mtu });
    rig.udp(0xffff_ffff, 67, data, 68, 0);
    const [reply] = rig.datagrams();
    if (reply === undefined) return undefined;
    assert.deepEqual(
      [reply.source, reply.destination, reply.sourcePort, reply.destinationPort],
      [GATEWAY, 0xffff_ffff, 67, 68],
    );
    assert.deepEqual([...reply.data.subarray(4, 8)], [0xde, 0xad, 0xbe, 0xef]);
    assert.deepEqual(reply.data.subarray(28, 34), GUEST_MAC);
    return reply.data;
  };
  const options = (reply: Uint8Array): Record<number, number[]> => {
    const all: Record<number, number[]> = {};
    for (let at = 240; reply[at] !== 255; at += 2 + reply[at + 1])
      all[reply[at]] = [...reply.subarray(at + 2, at + 2 + reply[at + 1])];
    return all;
  };

  test("a client that looks for a server is offered 10.0.2.15, and gets it, with all that it has to know", () => {
    const offer = ask(message([53, 1, 1]))!;
    assert.deepEqual([...offer.subarray(16, 20)], [10, 0, 2, 15]);
    assert.deepEqual(options(offer), {
      53: [2],
      54: [10, 0, 2, 2],
      51: [0, 1, 0x51, 0x80],
      1: [255, 255, 255, 0],
      3: [10, 0, 2, 2],
      6: [10, 0, 2, 3],
      28: [10, 0, 2, 255],
      26: [5, 0xdc],
    });
    const ack = ask(message([53, 1, 3, 50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2]), 65_520)!;
    assert.deepEqual([options(ack)[53], options(ack)[26]], [[5], [0xff, 0xf0]]);
  });

  test("who got the address is known by it: the first visitor of a published port is not asked to wait", () => {
    const rig = new NetRig();
    rig.stack.publish({ at: { address: "127.0.0.1", port: 8080 }, guestPort: 80, udp: false });
    rig.udp(0xffff_ffff, 67, message([53, 1, 3, 50, 4, 10, 0, 2, 15]), 68, 0);
    rig.taken();
    rig.host.listeners[0].accept(rig.host.connect({ address: "127.0.0.1", port: 9 }, undefined as never));
    assert.deepEqual(
      rig.taken().map((frame) => frame.subarray(0, 6)),
      [GUEST_MAC],
      "a SYN, to the guest, and no question where it is",
    );
  });

  test("another address is refused; what is for another server, a release and what is no message are not answered", () => {
    const nak = ask(message([53, 1, 3, 50, 4, 10, 0, 2, 99]))!;
    assert.deepEqual([options(nak)[53], nak[16]], [[6], 0]);
    assert.equal(ask(message([53, 1, 3, 50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 9])), undefined);
    assert.equal(ask(message([53, 1, 7])), undefined);
    assert.equal(ask(message([])), undefined);
    assert.equal(ask(message([53, 1, 1], { 236: 0 })), undefined);
    assert.equal(ask(message([53, 1, 1]).subarray(0, 100)), undefined);
    const runsOut = message([53, 1, 1]);
    runsOut.set([12, 200], 243);
    assert.equal(ask(runsOut.subarray(0, 250)), undefined);
  });

  test("a client that has an address asks by it, and is answered there", () => {
    const rig = new NetRig();
    rig.udp(GATEWAY, 67, message([53, 1, 8], { 12: 10, 14: 2, 15: 15 }), 68);
    const [{ data, destination }] = rig.datagrams();
    assert.deepEqual([destination, options(data)[53], options(data)[51]], [GUEST, [5], undefined]);
  });
});

describe("R3.7 UDP", () => {
  test("a port of the guest's is a socket of the host's; who was written to may answer, and nobody else", () => {
    const rig = new NetRig();
    rig.udp(WORLD, 7, utf8("one"));
    rig.udp(parseAddress("192.0.2.2")!, 8, utf8("two"));
    assert.equal(rig.host.sockets.length, 1);
    const [socket] = rig.host.sockets;
    assert.deepEqual(
      socket.sent.map(({ data, to }) => `${text(Uint8Array.from(data))} ${to.address}:${to.port}`),
      ["one 192.0.2.1:7", "two 192.0.2.2:8"],
    );
    socket.received(utf8("yes"), { address: "192.0.2.1", port: 7 });
    socket.received(utf8("no"), { address: "192.0.2.1", port: 9 });
    socket.received(utf8("no"), { address: "192.0.2.9", port: 7 });
    const heard = rig.datagrams();
    assert.deepEqual(
      heard.map(({ data, source, sourcePort, destinationPort }) => [
        text(data),
        source,
        sourcePort,
        destinationPort,
      ]),
      [["yes", WORLD, 7, 4000]],
    );
  });

  test("a datagram of 60,000 bytes crosses both ways in pieces", () => {
    const rig = new NetRig();
    const data = randomBytes(4, 60_000);
    const route = { source: GUEST, destination: WORLD, protocol: PROTOCOL.UDP };
    const payload = udpBytes(route, { sourcePort: 4000, destinationPort: 7, data });
    const pieces: Uint8Array[] = [];
    for (let offset = 0; offset < payload.length; offset += 1480) {
      const piece = payload.subarray(offset, offset + 1480);
      const frame = new Uint8Array(IPV4_PAYLOAD + piece.length);
      frame.set(piece, IPV4_PAYLOAD);
      frame.set([8, 0], 12);
      writeIpv4(frame, route, { id: 9, offset, more: offset + 1480 < payload.length });
      pieces.push(frame);
    }
    for (const frame of pieces.reverse()) rig.stack.take({ bytes: frame });
    assert.deepEqual(rig.host.sockets[0].sent[0].data, [...data]);
    assert.equal(rig.stack.held.pieces, 0);
    rig.host.sockets[0].received(data, { address: "192.0.2.1", port: 7 });
    const back = new Uint8Array(payload.length);
    const packets = rig.packets();
    for (const one of packets) back.set(one.payload, one.offset);
    assert.equal(packets.length, Math.ceil(payload.length / 1480));
    assert.deepEqual(back.subarray(8), data);
  });

  test("pieces that never become a datagram are forgotten: there are so many, for so long, and none that overlap", () => {
    const rig = new NetRig();
    const piece = (id: number, offset: number, length: number, more = true): void => {
      const frame = new Uint8Array(IPV4_PAYLOAD + length);
      frame.set([8, 0], 12);
      writeIpv4(frame, { source: GUEST, destination: WORLD, protocol: PROTOCOL.UDP }, { id, offset, more });
      rig.stack.take({ bytes: frame });
    };
    for (let id = 0; id < 10_000; id++) piece(id, 8, 1400);
    assert.ok(rig.stack.held.pieces <= 16 * 1400, `${rig.stack.held.pieces} bytes`);
    rig.clock.advance(31_000);
    piece(1, 0, 800);
    assert.equal(rig.stack.held.pieces, 800);
    piece(1, 400, 800);
    assert.equal(rig.stack.held.pieces, 0, "one that overlaps ends it");
    piece(2, 65_528, 800);
    assert.equal(rig.stack.held.pieces, 0, "longer than any datagram");
    for (let id = 0; id < 16; id++) piece(id, 0, 800);
    for (let id = 0; id < 16; id++) piece(id, 800, 80);
    assert.equal(
      rig.stack.held.pieces,
      16 * 880,
      "another piece of one that is there costs none of the others",
    );
  });

  test("what is kept of a frame keeps no block of others: a piece, and a SYN while the host is asked", async () => {
    const rig = new NetRig();
    const blocks = [PROTOCOL.UDP, PROTOCOL.TCP].map((protocol) => {
      const block = new ArrayBuffer(1 << 16);
      const frame = new Uint8Array(block, 0, IPV4_PAYLOAD + 40);
      frame.set([8, 0], 12);
      // A SYN, from port 1 to port 80.
      frame.set([0, 1, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff], IPV4_PAYLOAD);
      const route = { source: GUEST, destination: WORLD, protocol };
      writeIpv4(frame, route, ...(protocol === PROTOCOL.UDP ? [{ id: 1, offset: 0, more: true }] : []));
      rig.stack.take({ bytes: frame, verified: true });
      return new WeakRef(block);
    });
    assert.deepEqual([rig.stack.held.pieces, rig.stack.held.connections], [40, 1]);
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    assert.deepEqual(
      blocks.map((one) => one.deref()),
      [undefined, undefined],
    );
  });

  test("sockets and whom they know are bounded, and what is idle for two minutes goes", () => {
    const rig = new NetRig();
    for (let port = 1; port <= 2 * MOST_SOCKETS; port++) rig.udp(WORLD, 7, utf8("x"), port);
    assert.equal(rig.stack.held.ports, MOST_SOCKETS);
    assert.equal(rig.host.sockets.filter(({ closed }) => !closed).length, MOST_SOCKETS);
    for (let port = 1; port <= 2 * MOST_PEERS; port++) rig.udp(WORLD, port, utf8("x"), 60_000);
    const socket = rig.host.sockets.at(-1)!;
    socket.received(utf8("old"), { address: "192.0.2.1", port: 1 });
    socket.received(utf8("new"), { address: "192.0.2.1", port: 2 * MOST_PEERS });
    assert.deepEqual(
      rig.datagrams().map(({ data }) => text(data)),
      ["new"],
    );
    rig.clock.advance(IDLE_MS + 60_000);
    assert.equal(rig.stack.held.ports, 0);
    assert.ok(rig.host.sockets.every(({ closed }) => closed));
    assert.equal(rig.clock.armed, 0, "nothing is left to look at");
  });

  test("broken lengths and checksums are not sent on; one without a checksum is, and one whose checksum is still to be made", () => {
    const rig = new NetRig();
    const route = { source: GUEST, destination: WORLD, protocol: PROTOCOL.UDP };
    const send = (change: (bytes: Uint8Array) => void, more: Partial<NetFrame> = {}): number => {
      const payload = udpBytes(route, { sourcePort: 1, destinationPort: 7, data: utf8("data") });
      change(payload);
      const frame = new Uint8Array(IPV4_PAYLOAD + payload.length);
      frame.set(payload, IPV4_PAYLOAD);
      frame.set([8, 0], 12);
      writeIpv4(frame, route);
      const before = rig.host.sockets.at(0)?.sent.length ?? 0;
      rig.stack.take({ bytes: frame, ...more });
      return (rig.host.sockets.at(0)?.sent.length ?? 0) - before;
    };
    assert.equal(
      send((bytes) => (bytes[9] ^= 1)),
      0,
    );
    assert.equal(
      send((bytes) => (bytes[5] = 200)),
      0,
    );
    assert.equal(
      send((bytes) => (bytes[5] = 7)),
      0,
    );
    assert.equal(
      send(() => undefined),
      1,
    );
    assert.equal(
      send((bytes) => bytes.fill(0, 6, 8)),
      1,
    );
    assert.equal(
      send((bytes) => (bytes[6] ^= 1), { checksum: { start: 34, offset: 6 } }),
      1,
    );
  });

  test("a published port hears from everybody, and the guest's answers go to who has asked", () => {
    const rig = new NetRig();
    assert.ok(rig.stack.publish({ at: { address: "127.0.0.1", port: 5353 }, guestPort: 53, udp: true }));
    const [socket] = rig.host.sockets;
    assert.deepEqual(socket.at, { address: "127.0.0.1", port: 5353 });
    const visitors = [1, 2, 3].map((port) => ({ address: "127.0.0.1", port }));
    for (const from of visitors) socket.received(utf8(`from ${from.port}`), from);
    const heard = rig.datagrams();
    assert.deepEqual(
      heard.map(({ data, source, destination, destinationPort }) => [
        text(data),
        source,
        destination,
        destinationPort,
      ]),
      visitors.map(({ port }) => [`from ${port}`, GATEWAY, GUEST, 53]),
    );
    for (const { sourcePort, data } of heard) rig.udp(GATEWAY, sourcePort, utf8(`to ${text(data)}`), 53);
    assert.deepEqual(
      socket.sent.map(({ data, to }) => [text(Uint8Array.from(data)), to.port]),
      visitors.map(({ port }) => [`to from ${port}`, port]),
    );
    for (let port = 4; port < 3000; port++) socket.received(utf8("x"), { address: "127.0.0.1", port });
    assert.equal(new Set(rig.datagrams().map(({ sourcePort }) => sourcePort)).size <= 2 * MOST_PEERS, true);
  });
});

describe("R3.7 whom the guest reaches", () => {
  const reaches = (policy: PolicyOptions, address: string, port = 80): boolean => {
    const one = new Policy(
      policy,
      () => ["192.168.7.7", "10.9.9.9", "10.44.0.0/16", "::1"],
      () => 0,
    );
    return one.refuses(parseAddress(address)!, port) === undefined;
  };

  test("everything but this host: its loopback, its neighbourhood, its interfaces, groups, nobody", () => {
    for (const address of ["192.0.2.1", "8.8.8.8", "192.168.7.8", "10.9.9.8"])
      assert.ok(reaches({ host: false }, address), address);
    const own = ["192.168.7.7", "10.9.9.9", "10.44.255.1"];
    const never = [
      "127.0.0.1",
      "127.255.255.254",
      "0.0.0.0",
      "0.1.2.3",
      "169.254.169.254",
      "224.0.0.1",
      "239.255.255.250",
      "255.255.255.255",
      "240.0.0.1",
    ];
    for (const address of [...own, ...never]) assert.ok(!reaches({ host: false }, address), address);
    for (const address of own) assert.ok(reaches({ host: true }, address), address);
    for (const address of never) assert.ok(!reaches({ host: true }, address), address);
  });

  test("with a list nothing else: addresses, prefixes, ports; an empty one is nothing at all", () => {
    const only = ["10.1.0.0/16", "192.0.2.1:443"].map((one) => parseAllowed(one)!);
    assert.ok(reaches({ host: false, only }, "10.1.2.3", 5));
    assert.ok(reaches({ host: false, only }, "192.0.2.1", 443));
    assert.ok(!reaches({ host: false, only }, "192.0.2.1", 80));
    assert.ok(!reaches({ host: false, only }, "10.2.0.1"));
    assert.ok(!reaches({ host: false, only: [] }, "10.1.2.3"));
    assert.ok(
      !reaches({ host: false, only: [parseAllowed("192.168.7.7")!] }, "192.168.7.7"),
      "a list is no leave to reach this host",
    );
  });

  test("a name stands for the addresses that the guest was told, as long as they are good, and for no other", () => {
    let now = 0;
    const only = ["example.org:443", "*.example.net"].map((one) => parseAllowed(one)!);
    const policy = new Policy(
      { host: false, only },
      () => [],
      () => now,
    );
    const [one, two, three] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) =>
      parseAddress(address)!,
    );
    assert.notEqual(policy.refuses(one, 443), undefined);
    policy.pin("example.org", [one], 300);
    policy.pin("www.example.net", [two], 1);
    policy.pin("example.net", [three], 300);
    assert.equal(policy.refuses(one, 443), undefined);
    assert.notEqual(policy.refuses(one, 80), undefined);
    assert.equal(policy.refuses(two, 80), undefined);
    assert.notEqual(policy.refuses(three, 80), undefined);
    now = 59_000;
    assert.equal(
      policy.refuses(two, 80),
      undefined,
      "a minute at least: connections come after their lookup",
    );
    now = 300_001;
    assert.notEqual(policy.refuses(two, 80), undefined);
    assert.notEqual(policy.refuses(one, 443), undefined);
    assert.equal(policy.refusesName("example.org"), undefined);
    assert.notEqual(policy.refusesName("example.com"), undefined);
    for (let i = 0; i < 20_000; i++) policy.pin("example.org", [i], 1000);
    assert.notEqual(policy.refuses(0, 443), undefined, "the oldest are forgotten");
  });

  test("what is no name and no address is not understood", () => {
    for (const one of [
      "",
      ":80",
      "a..b",
      "example.org:0",
      "example.org:70000",
      "10.0.0.0/33",
      "10.0.0",
      "1.2.3.4.5",
      "-a",
      "a b",
      "[::1",
    ])
      assert.equal(parseAllowed(one), undefined, one);
  });

  test("a refusal is a reset for TCP and a message for UDP, opens nothing, and is told once", () => {
    const rig = new NetRig();
    for (let i = 0; i < 3; i++) {
      for (const address of ["10.0.2.2", "192.168.7.7", "127.0.0.1"]) {
        const remote = parseAddress(address)!;
        rig.tcp({ port: 1000 + i, remote, remotePort: 22 }, { seq: 5, flags: SYN });
        rig.udp(remote, 53, utf8("x"));
      }
    }
    const codes = rig
      .packets()
      .map(({ protocol, payload }) =>
        protocol === PROTOCOL.TCP ? "reset" : `icmp ${payload[0]}/${payload[1]}`,
      );
    assert.deepEqual([...new Set(codes)], ["reset", "icmp 3/13"]);
    assert.equal(codes.length, 18);
    assert.equal(rig.host.connections.length + rig.host.sockets.length, 0);
    assert.deepEqual(rig.refused, [
      "tcp 10.0.2.2:22: this is the host; host=yes allows it",
      "udp 10.0.2.2:53: this is the host; host=yes allows it",
      "tcp 192.168.7.7:22: 192.168.7.7 is this host's; host=yes allows it",
      "udp 192.168.7.7:53: 192.168.7.7 is this host's; host=yes allows it",
      "tcp 127.0.0.1:22: 127.0.0.1 is the host's loopback",
      "udp 127.0.0.1:53: 127.0.0.1 is the host's loopback",
    ]);
  });

  test("with leave the gateway is the host's loopback", () => {
    const rig = new NetRig({ policy: { host: true } });
    rig.tcp({ port: 1, remote: GATEWAY, remotePort: 8080 }, { seq: 5, flags: SYN });
    rig.udp(GATEWAY, 9, utf8("x"));
    assert.deepEqual(rig.host.connections[0].to, { address: "127.0.0.1", port: 8080 });
    rig.host.sockets[0].received(utf8("back"), { address: "127.0.0.1", port: 9 });
    assert.deepEqual(
      rig.datagrams().map(({ source, data }) => [source, text(data)]),
      [[GATEWAY, "back"]],
    );
    rig.tcp({ port: 2, remote: parseAddress("10.0.2.99")!, remotePort: 80 }, { seq: 5, flags: SYN });
    assert.equal(rig.host.connections.length, 1, "nobody else is in the guest's network");
  });

  test("an address that turns out to be the host's, which nobody lists, is refused then", () => {
    const reset = (rig: NetRig): boolean => rig.packets().some(({ payload }) => (payload[13] & 4) !== 0);
    for (const host of [false, true]) {
      const rig = new NetRig({ policy: { host } });
      rig.tcp({ port: 1, remote: WORLD, remotePort: 80 }, { seq: 5, flags: SYN });
      const [connection] = rig.host.connections;
      connection.isOwn = true;
      connection.user.connected();
      assert.equal(reset(rig), !host);
      assert.equal(connection.state, host ? "open" : "aborted");
      assert.equal(rig.refused.length, host ? 0 : 1);
    }
  });

  test("who pretends to be the gateway, or from elsewhere, is not answered", () => {
    const rig = new NetRig({ policy: { host: true } });
    for (const source of [GATEWAY, WORLD, 0]) rig.udp(WORLD, 7, utf8("x"), 4000, source);
    assert.equal(rig.host.sockets.length, 0);
  });
});

describe("R3.7 names", () => {
  const question = (name: string, type: number, more: number[] = []): Uint8Array => {
    const labels = name === "" ? [] : name.split(".").flatMap((label) => [label.length, ...utf8(label)]);
    return Uint8Array.of(0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1, ...more);
  };
  const ask = (
    rig: NetRig,
    message: Uint8Array,
  ): { code: number; cut: boolean; answers: number; data: Uint8Array } | undefined => {
    rig.udp(NAMESERVER, 53, message);
    const [reply] = rig.datagrams();
    if (reply === undefined) return undefined;
    assert.deepEqual(
      [reply.source, reply.sourcePort, reply.data[0], reply.data[1]],
      [NAMESERVER, 53, 0x12, 0x34],
    );
    const { data } = reply;
    return { code: data[3] & 15, cut: (data[2] & 2) !== 0, answers: (data[6] << 8) | data[7], data };
  };
  const named = (policy: PolicyOptions = { host: false }): NetRig => {
    const rig = new NetRig({ policy });
    rig.host.names.set("example.org 4", { addresses: ["192.0.2.1", "192.0.2.2"], seconds: 77 });
    rig.host.names.set("example.org 6", { addresses: ["2001:db8::1"], seconds: 77 });
    rig.host.names.set("four.org 4", { addresses: ["192.0.2.3"], seconds: 1 });
    rig.host.names.set("four.org 6", { addresses: [], seconds: 1 });
    rig.host.names.set("broken.org 4", { failed: "no-answer" });
    return rig;
  };

  test("addresses of both kinds, a name without one of a kind, names that there are not, a host that does not answer", () => {
    const rig = named();
    const a = ask(rig, question("Example.ORG", 1))!;
    assert.deepEqual([a.code, a.answers], [0, 2]);
    assert.deepEqual([...a.data.subarray(-16)], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 77, 0, 4, 192, 0, 2, 2]);
    const aaaa = ask(rig, question("example.org", 28))!;
    assert.deepEqual(
      [aaaa.answers, ...aaaa.data.subarray(-16)],
      [1, 0x20, 1, 0xd, 0xb8, ...new Array<number>(11).fill(0), 1],
    );
    assert.deepEqual(
      [ask(rig, question("four.org", 28))!].map(({ code, answers }) => [code, answers]),
      [[0, 0]],
    );
    assert.equal(ask(rig, question("nobody.org", 1))!.code, 3);
    assert.equal(ask(rig, question("broken.org", 1))!.code, 2);
  });

  test("the host has a name, which is nobody's question", () => {
    const rig = named();
    assert.deepEqual([...ask(rig, question("host.locore", 1))!.data.subarray(-4)], [10, 0, 2, 2]);
    const six = [...ask(rig, question("host.locore", 28))!.data.subarray(-16)];
    assert.deepEqual(six, [0xfe, 0xc0, ...new Array<number>(13).fill(0), 2]);
    assert.equal(ask(rig, question("host.locore", 16))!.answers, 0);
    assert.equal(rig.host.asked.length, 0);
  });

  test("other records are asked of whom the host asks, and handed on as they are; what is too long is cut and comes by a connection", () => {
    const rig = named();
    const long = new Uint8Array(4000).fill(7);
    long.set([0x12, 0x34, 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0]);
    rig.host.reply = () => long;
    const message = question("example.org", 16);
    const cut = ask(rig, message)!;
    assert.deepEqual([cut.cut, cut.answers, cut.data.length], [true, 0, message.length]);
    assert.deepEqual(rig.host.asked, [message]);
    rig.host.reply = () => long.slice(0, 400);
    assert.deepEqual(ask(rig, message)!.data, long.slice(0, 400));
    rig.host.reply = () => undefined;
    assert.equal(ask(rig, message)!.code, 2);
    rig.host.reply = (asked) => asked;
    assert.equal(ask(rig, message)!.code, 2, "a question is no answer");

    rig.host.reply = () => long;
    const ends = { port: 5000, remote: NAMESERVER, remotePort: 53 };
    rig.tcp(ends, { seq: 0, flags: SYN, mss: 1460, scale: 7 });
    const peer = rig.segments()[0].seq;
    const framed = Uint8Array.of(0, message.length, ...message);
    rig.tcp(ends, { seq: 1, ack: peer + 1, flags: ACK, data: framed.subarray(0, 5) });
    rig.tcp(ends, { seq: 6, ack: peer + 1, flags: ACK, data: framed.subarray(5) });
    const answer = rig.segments().flatMap(({ data }) => [...data]);
    assert.deepEqual(answer, [4000 >> 8, 4000 & 255, ...long]);
  });

  test("with a list only its names are told, and each that is not is told of once; what was told may be reached", () => {
    const rig = named({ host: false, only: [parseAllowed("example.org:80")!] });
    rig.tcp({ port: 1, remote: WORLD, remotePort: 80 }, { seq: 5, flags: SYN });
    assert.equal(rig.host.connections.length, 0);
    rig.taken();
    for (let i = 0; i < 3; i++) assert.equal(ask(rig, question("four.org", 1))!.code, 5);
    assert.equal(ask(rig, question("example.org", 1))!.code, 0);
    rig.tcp({ port: 2, remote: WORLD, remotePort: 80 }, { seq: 5, flags: SYN });
    rig.tcp({ port: 3, remote: WORLD, remotePort: 22 }, { seq: 5, flags: SYN });
    assert.deepEqual(
      rig.host.connections.map(({ to }) => to),
      [{ address: "192.0.2.1", port: 80 }],
    );
    assert.deepEqual(rig.refused, [
      "tcp 192.0.2.1:80: nothing allows it",
      "name four.org: no allow= names it",
      "tcp 192.0.2.1:22: nothing allows it",
    ]);
  });

  test("a name that stands for this host leads nowhere", () => {
    const rig = named();
    rig.host.names.set("evil.org 4", { addresses: ["127.0.0.1", "192.168.7.7"], seconds: 0 });
    assert.equal(ask(rig, question("evil.org", 1))!.answers, 2);
    for (const address of ["127.0.0.1", "192.168.7.7"])
      rig.tcp({ port: 1, remote: parseAddress(address)!, remotePort: 80 }, { seq: 5, flags: SYN });
    assert.equal(rig.host.connections.length, 0);
  });

  test("what is no question is not answered", () => {
    const rig = named();
    const right = question("example.org", 1);
    for (const [at, byte] of [
      [2, 0x80],
      [2, 0x28],
      [5, 2],
      [5, 0],
      [12, 0xc0],
      [12, 64],
    ])
      assert.equal(
        ask(
          rig,
          Uint8Array.from(right, (one, i) => (i === at ? byte : one)),
        ),
        undefined,
        `${at}`,
      );
    for (let length = 0; length < right.length; length++)
      assert.equal(ask(rig, right.subarray(0, length)), undefined);
  });
});

describe("R3.7 a published port of TCP", () => {
  test("who connects is connected to the guest, whose hardware address is asked for first", () => {
    const rig = new NetRig();
    rig.stack.publish({ at: { address: "127.0.0.1", port: 8080 }, guestPort: 80, udp: false });
    const [listener] = rig.host.listeners;
    const connection = rig.host.connect({ address: "127.0.0.1", port: 9 }, undefined as never);
    const user = listener.accept(connection);
    const [question, ...frames] = rig.taken();
    assert.equal(readArp(question.subarray(14))!.target, GUEST);
    assert.equal(frames.length, 1, "a SYN, to everybody");
    rig.clock.advance(1000);
    const [syn] = rig.segments();
    assert.deepEqual([syn.flags, syn.destinationPort], [SYN, 80]);
    const ends = { port: 80, remote: GATEWAY, remotePort: syn.sourcePort };
    rig.tcp(ends, { seq: 100, ack: syn.seq + 1, flags: SYN | ACK, mss: 1460 });
    assert.deepEqual(
      rig.segments().map(({ flags }) => flags),
      [ACK],
    );
    user.received(utf8("to the guest"));
    assert.deepEqual(
      rig.segments().map(({ data }) => text(data)),
      ["to the guest"],
    );
    rig.tcp(ends, { seq: 101, ack: syn.seq + 13, flags: ACK, data: utf8("from it") });
    assert.equal(text(Uint8Array.from((connection as unknown as { bytes: number[] }).bytes)), "from it");
    rig.stack.close();
    assert.equal(listener.open, false);
  });
});

describe("R3.7 numbers and files", () => {
  test("addresses and prefixes as text", () => {
    for (const right of ["0.0.0.0", "10.0.2.15", "255.255.255.255"])
      assert.equal(addressText(parseAddress(right)!), right);
    for (const wrong of ["", "1.2.3", "1.2.3.256", "1.2.3.4.5", "a.b.c.d", "1.2.3.4 "])
      assert.equal(parseAddress(wrong), undefined, wrong);
    for (const wrong of ["1.2.3.4/33", "1.2.3.4/", "1.2.3.4/1/2", "/8"])
      assert.equal(parsePrefix(wrong), undefined, wrong);
    const hex = (address: string): string | undefined =>
      parseIpv6(address) && Buffer.from(parseIpv6(address)!).toString("hex");
    assert.equal(hex("::"), "0".repeat(32));
    assert.equal(hex("2001:db8::1%eth0"), "20010db8000000000000000000000001");
    assert.equal(hex("::ffff:192.0.2.1"), "00000000000000000000ffffc0000201");
    assert.equal(hex("1:2:3:4:5:6:7:8"), "00010002000300040005000600070008");
    for (const wrong of [
      "1:2:3:4:5:6:7",
      "1::2::3",
      "12345::",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4::5:6:7:8",
      "x::",
    ])
      assert.equal(hex(wrong), undefined, wrong);
  });

  test("the checksum is that of RFC 1071's example, over odd lengths and long ones too", () => {
    assert.equal(sumOf(Uint8Array.of(0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7), 0, 8), 0xddf2);
    assert.equal(sumOf(Uint8Array.of(0xff), 0, 1), 0xff00);
    const long = new Uint8Array(1_000_001).fill(0xff);
    assert.equal(sumOf(long, 0, 1_000_000), 0xffff);
    let slow = 0;
    const some = randomBytes(3, 70_001);
    for (let i = 0; i < some.length; i += 2) slow += some[i] * 256 + (some[i + 1] ?? 0);
    while (slow > 0xffff) slow = (slow % 65_536) + Math.floor(slow / 65_536);
    assert.equal(sumOf(some, 0, some.length), slow);
  });

  test("a capture says when each frame went which way, and a part of it is whole", () => {
    const blocks = [
      pcapngHeader("locore", "net0"),
      pcapngPacket(randomBytes(1, 61), 1_700_000_000_123_456_789n, true),
      pcapngPacket(randomBytes(2, 64), 5n, false),
    ];
    const frames = pcapngFrames(Buffer.concat(blocks));
    assert.deepEqual(frames, [
      { bytes: randomBytes(1, 61), ns: 1_700_000_000_123_456_789n, toGuest: true },
      { bytes: randomBytes(2, 64), ns: 5n, toGuest: false },
    ]);
    assert.deepEqual(pcapngFrames(Buffer.concat(blocks.slice(0, 2))).length, 1);
  });

  test("frames on a stream come out as they went in, however the stream is cut", () => {
    const frames: NetFrame[] = [
      { bytes: randomBytes(1, 14) },
      { bytes: randomBytes(2, 65_549), verified: true },
      { bytes: randomBytes(3, 1514), checksum: { start: 34, offset: 16 } },
    ];
    const stream = Buffer.concat(frames.map(encodeFrame));
    for (const step of [1, 7, 4096, stream.length]) {
      const reader = new FrameReader();
      const got: NetFrame[] = [];
      for (let at = 0; at < stream.length; at += step) {
        reader.push(new Uint8Array(stream.subarray(at, at + step)));
        for (let frame = reader.next(); frame !== undefined; frame = reader.next())
          got.push({ ...frame, bytes: frame.bytes.slice() });
      }
      assert.deepEqual(got, frames);
    }
  });
});
