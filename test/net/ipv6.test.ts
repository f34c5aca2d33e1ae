/** R3.7 IPv6 on the guest's link: who answers for which address, what the router says of itself, echoes, and what is not to be believed. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { readArp } from "../../src/net/arp.js";
import { addressBytes, addressOf, addressText, parsePrefix } from "../../src/net/address.js";
import { Fragments } from "../../src/net/fragments.js";
import { withSum } from "../../src/net/ipv6/icmp.js";
import { asPiece, readIpv6 } from "../../src/net/ipv6/packet.js";
import { ADVERTISE_MS, BETWEEN_MS } from "../../src/net/ipv6/router.js";
import { MOST_MESSAGES } from "../../src/net/message-rate.js";
import { PROTOCOL, rightSum, type Packet } from "../../src/net/packet.js";
import { MOST_STATIONS } from "../../src/net/stack.js";
import {
  GATEWAY_6,
  GUEST_6,
  GUEST_LINK,
  GUEST_MAC,
  NAMESERVER_6,
  NetRig,
  ROUTER,
  six,
  SYN,
} from "../support/net-guest.js";

const NODES = six("ff02::1");
const ROUTERS = six("ff02::2");
const ROUTER_MAC = [0x52, 0x55, 10, 0, 2, 2];
const SOURCE_MAC = [1, 1, ...GUEST_MAC];

/** A rig whose router has said already that it is there. */
function heard(more: ConstructorParameters<typeof NetRig>[0] = {}, own: string[] = []): NetRig {
  const rig = new NetRig(more);
  rig.host.own = [...rig.host.own, ...own];
  icmp(rig, [143, 0, 0, 0, 0, 0, 0, 0], six("ff02::16"), { source: 0n, hops: 1 });
  rig.taken();
  return rig;
}

function icmp(
  rig: NetRig,
  bytes: readonly number[],
  destination: bigint,
  { source = GUEST_LINK, hops = 255 }: { source?: bigint; hops?: number } = {},
): void {
  const route = { source, destination, protocol: PROTOCOL.ICMPV6, hops };
  rig.packet(withSum(route, Uint8Array.from(bytes)), route);
}

/** Solicited-node group of an address. */
function groupOf(address: bigint): bigint {
  return six("ff02::1:ff00:0") | (address & 0xff_ffffn);
}

function asked(target: bigint, options: readonly number[] = SOURCE_MAC): number[] {
  return [135, 0, 0, 0, 0, 0, 0, 0, ...addressBytes(target), ...options];
}

/** The messages of ICMPv6 that came, whose checksums are right. */
function answers(rig: NetRig): (Packet<bigint> & { mac: number[]; type: number })[] {
  const frames = [...rig.frames];
  return rig.packets6().map((packet, index) => {
    assert.ok(rightSum(packet, packet.payload), "its checksum");
    return { ...packet, mac: [...frames[index].subarray(0, 6)], type: packet.payload[0] };
  });
}

describe("R3.7 IPv6: neighbours (RFC 4861 §7)", () => {
  test("the router answers for its three addresses and for no other, from the address asked for, with all flags and hop limit 255", () => {
    for (const target of [ROUTER, GATEWAY_6, NAMESERVER_6]) {
      const rig = heard();
      icmp(rig, asked(target), groupOf(target));
      const [{ type, source, destination, hops, payload, mac }, ...more] = answers(rig);
      assert.equal(more.length, 0);
      assert.deepEqual([type, source, destination, hops], [136, target, GUEST_LINK, 255]);
      assert.deepEqual(
        [...payload.subarray(4)],
        [0xe0, 0, 0, 0, ...addressBytes(target), 2, 1, ...ROUTER_MAC],
      );
      assert.deepEqual(mac, [...GUEST_MAC]);
    }
    for (const other of ["fec0::4", "fd6c:6f63:6f72::2", "fd6c:6f63:6f72::15", "fe80::3", "2001:db8::1"]) {
      const rig = heard();
      icmp(rig, asked(six(other)), groupOf(six(other)));
      assert.deepEqual(answers(rig), [], other);
    }
  });

  test("§7.2.4, RFC 4862 §5.4: who looks whether an address is free hears nothing, unless it is the router's: then all nodes hear it", () => {
    const rig = heard();
    for (const free of [GUEST_LINK, GUEST_6]) icmp(rig, asked(free, []), groupOf(free), { source: 0n });
    assert.deepEqual(answers(rig), []);
    icmp(rig, asked(GATEWAY_6, []), groupOf(GATEWAY_6), { source: 0n });
    const [{ type, destination, payload, mac }] = answers(rig);
    assert.deepEqual([type, destination, payload[4]], [136, NODES, 0xa0]);
    assert.deepEqual(mac, [0x33, 0x33, 0, 0, 0, 1]);
  });

  test("§7.1.1: what has passed a router, is cut short, has a wrong code or sum, or options that make no sense, is not believed", () => {
    const rig = heard();
    const group = groupOf(GATEWAY_6);
    icmp(rig, asked(GATEWAY_6), group, { hops: 254 });
    icmp(rig, asked(GATEWAY_6).with(1, 1), group);
    icmp(rig, asked(GATEWAY_6).slice(0, 23), group);
    icmp(rig, asked(GATEWAY_6, [1, 0, 0, 0, 0, 0, 0, 0]), group);
    icmp(rig, asked(GATEWAY_6, [1, 2, 0, 0, 0, 0, 0, 0]), group);
    icmp(rig, asked(NODES), group);
    icmp(rig, asked(GATEWAY_6), group, { source: 0n });
    icmp(rig, asked(GATEWAY_6, []), NODES, { source: 0n });
    const route = { source: GUEST_LINK, destination: group, protocol: PROTOCOL.ICMPV6, hops: 255 };
    rig.packet(withSum(route, Uint8Array.from(asked(GATEWAY_6))).with(3, 99), route);
    assert.deepEqual(answers(rig), []);
    icmp(rig, asked(GATEWAY_6), group);
    assert.equal(answers(rig).length, 1, "and the same without a fault is");
  });

  test("RFC 6980 §5: what comes in pieces, or as a piece that is the whole, is not believed, whatever hop limit which piece has", () => {
    const group = groupOf(GATEWAY_6);
    const route = { source: GUEST_LINK, destination: group, protocol: PROTOCOL.ICMPV6, hops: 255 };
    const message = withSum(route, Uint8Array.from(asked(GATEWAY_6)));
    for (const [cuts, hops] of [
      [[0, 32], [255]],
      [
        [0, 16, 32],
        [255, 255],
      ],
      [
        [0, 16, 32],
        [64, 255],
      ],
    ]) {
      const rig = heard();
      hops.forEach((itsHops, index) => {
        const [from, to] = cuts.slice(index);
        const place = { id: 7, offset: from, more: to < message.length };
        const one = asPiece({ ...route, hops: itsHops }, message.subarray(from, to), place);
        rig.packet(one.payload, one.route);
      });
      assert.equal(rig.stack.held.pieces, 0);
      assert.deepEqual(answers(rig), []);
    }
    const fragments = new Fragments();
    const piece = { ...route, id: 1, bytes: new Uint8Array(0), payload: new Uint8Array(8) };
    fragments.take({ ...piece, hops: 3, offset: 0, more: true }, 0);
    const whole = fragments.take({ ...piece, offset: 8, more: false }, 0);
    assert.equal(whole?.hops, 3, "a datagram has come as far as its first piece");
  });

  test("§7.2.5: who says where it is is sent to there", () => {
    const rig = heard();
    const mac = [2, 0, 0, 0, 0, 9];
    icmp(rig, [136, 0, 0, 0, 0x20, 0, 0, 0, ...addressBytes(GUEST_6), 2, 1, ...mac], ROUTER);
    icmp(rig, [128, 0, 0, 0, 0, 1, 0, 1], GATEWAY_6, { source: GUEST_6, hops: 64 });
    assert.deepEqual(answers(rig)[0].mac, [...GUEST_MAC], "but what it sends says it better");
    const unknown = heard();
    icmp(unknown, asked(ROUTER, [1, 1, ...mac]), ROUTER);
    assert.deepEqual(answers(unknown)[0].mac, mac);
  });
});

describe("R3.7 who is where on the guest's link", () => {
  const spoken = (rig: NetRig, count: number): void => {
    for (let i = 0n; i < count; i++)
      rig.udp(six("2001:db8::1"), 7, new Uint8Array(1), 9, six("fd6c:6f63:6f72::1:0") + i);
    rig.taken();
  };
  const syn = { port: 80, remote: 0xc000_0201, remotePort: 7 };

  test("so many addresses are remembered, of which the guest's own of IPv4 is one for ever", () => {
    const rig = heard();
    rig.tcp(syn, { seq: 5, flags: SYN });
    rig.udp(0xc000_0201, 7, new Uint8Array(1));
    icmp(rig, [128, 0, 0, 0, 0, 1, 0, 1], GATEWAY_6, { source: GUEST_6 });
    spoken(rig, MOST_STATIONS - 2);
    const macs = (): number[][] => {
      const { received } = rig.host.sockets[0];
      received(new Uint8Array(1), { address: "192.0.2.1", port: 7 });
      return rig.taken().map((frame) => [...frame.subarray(0, 6)]);
    };
    assert.deepEqual(macs(), [[...GUEST_MAC]]);
    spoken(rig, 2 * MOST_STATIONS);
    assert.deepEqual(macs(), [[...GUEST_MAC]]);
  });

  test("who is forgotten is asked for, by its group (RFC 4861 §7.2.2) or by ARP, and what is for it goes to it once it answers", () => {
    const rig = heard({}, ["2001:db8:7::7"]);
    const other = 0x0a00_0263;
    rig.udp(six("2001:db8::1"), 7, new Uint8Array(1), 9);
    rig.udp(0xc000_0201, 7, new Uint8Array(1), 9, other);
    spoken(rig, MOST_STATIONS);
    const say = (): Uint8Array[] => {
      rig.host.sockets[0].received(new Uint8Array(1), { address: "2001:db8::1", port: 7 });
      rig.host.sockets[1].received(new Uint8Array(1), { address: "192.0.2.1", port: 7 });
      return rig.taken();
    };
    const [asksSix, six1, asksFour, four1] = say();
    for (const lost of [six1, four1]) assert.deepEqual([...lost.subarray(0, 6)], Array(6).fill(0xff));
    const question = readIpv6(asksSix.subarray(14))!;
    assert.ok(rightSum(question, question.payload));
    const { source, destination, hops, payload } = question;
    assert.deepEqual([source, destination, hops], [ROUTER, groupOf(GUEST_6), 255]);
    assert.deepEqual([...payload.subarray(4)], [0, 0, 0, 0, ...addressBytes(GUEST_6), 1, 1, ...ROUTER_MAC]);
    assert.deepEqual([...asksSix.subarray(0, 6)], [0x33, 0x33, 0xff, 0, 0, 0x15]);
    assert.deepEqual(
      [readArp(asksFour.subarray(14))?.operation, readArp(asksFour.subarray(14))?.target],
      [1, other],
    );
    const answer = [136, 0, 0, 0, 0x60, 0, 0, 0, ...addressBytes(GUEST_6), 2, 1, ...GUEST_MAC];
    icmp(rig, answer, NODES);
    icmp(rig, answer.with(26, 0x53), ROUTER);
    assert.equal(
      say().length,
      4,
      "no answer to a question is for a group (§7.1.2), and no station has the address of one",
    );
    icmp(rig, answer, ROUTER);
    const [first] = say();
    assert.deepEqual([...first.subarray(0, 6)], [...GUEST_MAC]);
    let questions = 0;
    for (let i = 0; i < 500; i++) questions += say().length - 2;
    assert.equal(questions, MOST_MESSAGES - 5, "no more than of other messages");
  });
});

describe("R3.7 IPv6: the router (RFC 4861 §6.2)", () => {
  test("it says what §4.2, §4.6 and RFC 8106 §5.1 have a guest know: its card, the MTU, the prefix of its addresses, what else is on the link, the nameserver", () => {
    const rig = heard({ mtu: 9000 }, ["2001:db8:7::7"]);
    icmp(rig, [133, 0, 0, 0, 0, 0, 0, 0, ...SOURCE_MAC], ROUTERS);
    const [{ type, source, destination, hops, payload }] = answers(rig);
    assert.deepEqual([type, source, destination, hops], [134, ROUTER, GUEST_LINK, 255]);
    assert.deepEqual(
      [...payload.subarray(4)],
      [
        ...[64, 0x40, 1800 >> 8, 1800 & 0xff, 0, 0, 0, 0, 0, 0, 0, 0],
        ...[1, 1, ...ROUTER_MAC],
        ...[5, 1, 0, 0, 0, 0, 9000 >> 8, 9000 & 0xff],
        ...[
          3,
          4,
          64,
          0xc0,
          0,
          0x27,
          0x8d,
          0,
          0,
          9,
          0x3a,
          0x80,
          0,
          0,
          0,
          0,
          ...addressBytes(six("fd6c:6f63:6f72::")),
        ],
        ...[3, 4, 64, 0x80, 0, 0x27, 0x8d, 0, 0, 9, 0x3a, 0x80, 0, 0, 0, 0, ...addressBytes(six("fec0::"))],
        ...[25, 3, 0, 0, 0, 0, 1800 >> 8, 1800 & 0xff, ...addressBytes(NAMESERVER_6)],
      ],
    );
  });

  test("§6.2.6: who has no address yet and asks is told with everybody; a wrong question is not answered (§6.1.1)", () => {
    const rig = heard();
    rig.clock.advance(BETWEEN_MS);
    icmp(rig, [133, 0, 0, 0, 0, 0, 0, 0], ROUTERS, { source: 0n });
    assert.deepEqual(
      answers(rig).map(({ destination }) => destination),
      [NODES],
    );
    icmp(rig, [133, 0, 0, 0, 0, 0, 0, 0, ...SOURCE_MAC], ROUTERS, { source: 0n });
    icmp(rig, [133, 0, 0, 0, 0, 0, 0, 0], ROUTERS, { hops: 64 });
    icmp(rig, [133, 0, 0, 0, 0, 0, 0], ROUTERS);
    assert.deepEqual(answers(rig), []);
  });

  test("§6.2.4: it says so at the guest's first word of IPv6, which it may have been up for long, every ten minutes, and never after the end", () => {
    const rig = new NetRig();
    rig.udp(0xffff_ffff, 67, new Uint8Array(9), 68, 0);
    assert.equal(rig.clock.armed, 0, "who does not speak it hears none of it");
    icmp(rig, [143, 0, 0, 0, 0, 0, 0, 0], six("ff02::16"), { source: 0n, hops: 1 });
    const types = (): number[] => answers(rig).map(({ type }) => type);
    assert.deepEqual(types(), [134]);
    icmp(rig, [143, 0, 0, 0, 0, 0, 0, 0], six("ff02::16"), { hops: 1 });
    assert.deepEqual(types(), [], "that is once");
    rig.clock.advance(3 * ADVERTISE_MS);
    assert.deepEqual(types(), [134, 134, 134]);
    rig.stack.close();
    icmp(rig, [143, 0, 0, 0, 0, 0, 0, 0], six("ff02::16"), { hops: 1 });
    assert.deepEqual([types(), rig.clock.armed], [[], 0]);
  });

  test("§6.2.6: all nodes are told no oftener than every 3 seconds, however many ask; who asked meanwhile hears it with its next word", () => {
    const rig = heard();
    const ask = (): void => icmp(rig, [133, 0, 0, 0, 0, 0, 0, 0], ROUTERS, { source: 0n });
    const said = (): number => answers(rig).length;
    for (let i = 0; i < 50; i++) ask();
    rig.clock.advance(BETWEEN_MS - 1);
    ask();
    assert.equal(said(), 0);
    rig.clock.advance(1);
    icmp(rig, [143, 0, 0, 0, 0, 0, 0, 0], six("ff02::16"), { hops: 1 });
    assert.equal(said(), 1);
    rig.clock.advance(BETWEEN_MS);
    ask();
    ask();
    assert.equal(said(), 1);
  });

  test("RFC 4861 §6.2.6, §7.2.4: a guest that asks without end hears a hundred answers, and one more for each millisecond", () => {
    const rig = heard();
    const said = (): number => answers(rig).length;
    for (let i = 0; i < 300; i++) {
      icmp(rig, [133, 0, 0, 0, 0, 0, 0, 0, ...SOURCE_MAC], ROUTERS);
      icmp(rig, asked(GATEWAY_6), groupOf(GATEWAY_6));
    }
    assert.equal(said(), MOST_MESSAGES);
    rig.clock.advance(5);
    for (let i = 0; i < 300; i++) icmp(rig, asked(GATEWAY_6), groupOf(GATEWAY_6));
    assert.equal(said(), 5);
  });

  test("§6.2.4: a host that gains or loses its way to the world says so with the guest's next word, and once", () => {
    const rig = heard({}, ["2001:db8:7::7"]);
    const lifetimes = (): number[] =>
      answers(rig)
        .filter(({ type }) => type === 134)
        .map(({ payload }) => (payload[6] << 8) | payload[7]);
    for (const [own, lifetime] of [
      [["192.168.7.7"], 0],
      [["2001:db8:7::7"], 1800],
    ] as const) {
      rig.host.own = [...own];
      rig.clock.advance(BETWEEN_MS);
      for (let i = 0; i < 5; i++) {
        icmp(rig, [143, 0, 0, 0, 0, 0, 0, 0], six("ff02::16"), { hops: 1 });
        rig.clock.advance(BETWEEN_MS);
      }
      assert.deepEqual(lifetimes(), [lifetime]);
    }
    assert.equal(rig.clock.armed, 1);
  });

  test("§4.2: where the host has no address of the world's, it leads nowhere and says so: its lifetime is 0", () => {
    for (const [own, lifetime] of [
      ["192.168.7.7", 0],
      ["fe80::1", 0],
      ["::1", 0],
      ["2001:db8:7::7", 1800],
      ["fd00:9::7", 1800],
    ] as const) {
      const rig = heard({}, [own]);
      icmp(rig, [133, 0, 0, 0, 0, 0, 0, 0], ROUTERS);
      const [{ payload }] = answers(rig);
      assert.equal((payload[6] << 8) | payload[7], lifetime, own);
    }
  });
});

describe("R3.7 IPv6: echoes (RFC 4443 §4)", () => {
  const echo = [128, 0, 0, 0, 1, 2, 0, 3, 9, 8, 7];

  test("the router's addresses answer them, byte for byte, in pieces where they are long; nobody else does", () => {
    const rig = heard();
    for (const address of [GATEWAY_6, NAMESERVER_6, ROUTER]) {
      icmp(rig, echo, address, { source: GUEST_6, hops: 64 });
      const [{ type, source, destination, payload, hops }] = answers(rig);
      assert.deepEqual([type, source, destination, hops], [129, address, GUEST_6, 64]);
      assert.deepEqual([...payload.subarray(4)], echo.slice(4));
    }
    for (const other of [six("2001:db8::1"), six("fd6c:6f63:6f72::99"), NODES])
      icmp(rig, echo, other, { source: GUEST_6 });
    icmp(rig, echo.with(1, 1), GATEWAY_6);
    icmp(rig, echo.slice(0, 7), GATEWAY_6);
    icmp(rig, [129, ...echo.slice(1)], GATEWAY_6);
    icmp(rig, echo, GATEWAY_6, { source: 0n });
    icmp(rig, echo, GATEWAY_6, { source: six("2001:db8::5") });
    icmp(rig, echo, GATEWAY_6, { source: ROUTER });
    const route = { source: GUEST_6, destination: GATEWAY_6, protocol: PROTOCOL.ICMPV6 };
    rig.packet(Uint8Array.from(echo), route);
    assert.deepEqual(
      answers(rig),
      [],
      "also not to who is not of this network, or says that it is the router",
    );
  });
});

describe("R3.7 DHCP for IPv6 (RFC 8415)", () => {
  const DHCP = six("ff02::1:2");
  const SERVER = [0, 2, 0, 10, 0, 3, 0, 1, ...ROUTER_MAC];
  const client = [0, 1, 0, 4, 0, 3, 0, 1];
  const ask = (message: readonly number[]): number[] | undefined => {
    const rig = heard();
    rig.udp(DHCP, 547, Uint8Array.from(message), 546, GUEST_LINK);
    const [reply] = rig.datagrams();
    if (reply === undefined) return undefined;
    assert.deepEqual(
      [reply.source, reply.destination, reply.sourcePort, reply.destinationPort],
      [ROUTER, GUEST_LINK, 547, 546],
    );
    return [...reply.data];
  };

  test("§18.3.6: who asks for what there is beside addresses is told the nameserver, and only what it asked for", () => {
    const asks = [11, 1, 2, 3, ...client];
    assert.deepEqual(ask(asks), [7, 1, 2, 3, ...client, ...SERVER]);
    assert.deepEqual(ask([...asks, 0, 6, 0, 4, 0, 23, 0, 32]), [
      ...[7, 1, 2, 3, ...client, ...SERVER],
      ...[0, 23, 0, 16, ...addressBytes(NAMESERVER_6)],
      ...[0, 32, 0, 4, 0, 1, 0x51, 0x80],
    ]);
    assert.deepEqual(ask([...asks, ...SERVER]), [7, 1, 2, 3, ...client, ...SERVER]);
  });

  test("§11.1: a client's name of more than 130 bytes, or a message that no link takes whole, is not answered", () => {
    const named = (length: number): number[] => [0, 1, length >> 8, length & 0xff, ...new Uint8Array(length)];
    assert.deepEqual(ask([11, 1, 2, 3, ...named(130)]), [7, 1, 2, 3, ...named(130), ...SERVER]);
    for (const long of [named(131), named(65_472), [...client, 0, 99, 4, 200, ...new Uint8Array(1224)]])
      assert.equal(ask([11, 1, 2, 3, ...long]), undefined);
    assert.ok(ask([11, 1, 2, 3, ...client, 0, 99, 4, 184, ...new Uint8Array(1208)]));
  });

  test("who asks for addresses, asks another server, or says nothing that makes sense, is not answered", () => {
    for (const one of [
      [1, 1, 2, 3, ...client],
      [11, 1, 2, 3, ...client, 0, 3, 0, 0],
      [11, 1, 2, 3, ...client, ...SERVER.with(9, 7)],
      [11, 1, 2, 3, 0, 1, 0, 9],
      [11, 1, 2, 3, 0, 1, 0],
      [11, 1, 2],
      [],
    ])
      assert.equal(ask(one), undefined, one.join(" "));
  });
});

describe("R3.7 addresses of IPv6 as text (RFC 5952 §4)", () => {
  test("each has one spelling: the longest run of zeros is left out, the first of two, and none of one", () => {
    for (const [spelt, right] of [
      ["::", "::"],
      ["::1", "::1"],
      ["1::", "1::"],
      ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["0:0:1:0:0:0:1:0", "0:0:1::1:0"],
      ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
      ["fe80::1%eth0", "fe80::1"],
    ])
      assert.equal(addressText(addressOf(spelt)!), right);
    assert.deepEqual(parsePrefix("fd00::/8"), { address: six("fd00::"), bits: 8 });
    assert.deepEqual(parsePrefix("::1"), { address: 1n, bits: 128 });
    for (const wrong of ["::/129", "::1/", "::/8/9", "x::/8"])
      assert.equal(parsePrefix(wrong), undefined, wrong);
  });
});
