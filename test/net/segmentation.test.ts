/** R3.7 Segments that are longer than packets: as one frame to whoever can cut them, and cut for who cannot. */
import assert from "node:assert/strict";
import test from "node:test";
import { virtioNetPart } from "../../src/devices/virtio/net.js";
import type { PartType, Wires } from "../../src/devices/part.js";
import { completeChecksum } from "../../src/net/checksum.js";
import { encodeFrame, FrameReader } from "../../src/net/frame-stream.js";
import { payloadAt, readPacket, writeHead } from "../../src/net/heads.js";
import { IPV4_PAYLOAD, parseAddress } from "../../src/net/ipv4.js";
import { LEAST_SEGMENT, type NetFrame } from "../../src/net/net-backend.js";
import type { Route } from "../../src/net/packet.js";
import { cutSegments, isSound } from "../../src/net/segmentation.js";
import { FLAG, readSegment, segmentFrame, type Segment } from "../../src/net/tcp/segment.js";
import { VIRTIO_NET_FEATURE as F } from "../../src/spec/virtio-devices.js";
import { ACK, GUEST_6, NetRig, six, SYN } from "../support/net-guest.js";
import { randomBytes } from "../support/random.js";
import { driverQueue, started, VirtioBench } from "../support/virtio-bench.js";

const ROUTE = { source: parseAddress("192.0.2.1")!, destination: parseAddress("10.0.2.15")!, protocol: 6 };
const ROUTE_6 = { source: six("2001:db8::1"), destination: GUEST_6, protocol: 6 };
const DATA = randomBytes(3, 10_000);
const CHECKSUM = { start: 34, offset: 16 };

/** 10,000 bytes from number 4,294,965,000 on, with an end and a push behind them, to be cut into 1460 each. */
function longFrame(route: Route = ROUTE): NetFrame {
  const flags = FLAG.ACK | FLAG.PSH | FLAG.FIN;
  const said = { sourcePort: 80, destinationPort: 9, seq: 4_294_965_000, ack: 7, flags, window: 99 };
  const fill = (into: Uint8Array): void => into.set(DATA);
  const bytes = segmentFrame(route, { ...said, length: DATA.length, fill, cut: 1460 });
  writeHead(bytes, route);
  return { bytes, checksum: { ...CHECKSUM, start: payloadAt(route.destination) }, segment: 1460 };
}

function segmentOf({ bytes }: NetFrame): Segment {
  const packet = readPacket(bytes);
  const segment = packet && readSegment(packet, packet.payload, false);
  assert.ok(segment, "heads and checksums are right");
  return segment;
}

test("R3.7 a long segment is cut into packets with right heads; the end and the push are the last one's", () => {
  const packets = cutSegments(longFrame()).map(segmentOf);
  assert.deepEqual(
    packets.map(({ data }) => data.length),
    [1460, 1460, 1460, 1460, 1460, 1460, 1240],
  );
  assert.deepEqual(
    packets.flatMap(({ data }) => [...data]),
    [...DATA],
  );
  assert.deepEqual(
    packets.map(({ seq }) => seq),
    packets.map((_, index) => (4_294_965_000 + index * 1460) % 2 ** 32),
  );
  assert.deepEqual(
    packets.map(({ flags }) => flags),
    [...Array<number>(6).fill(FLAG.ACK), FLAG.ACK | FLAG.PSH | FLAG.FIN],
  );
});

test("R3.7 what its checksum is made of makes the whole right, too; a stream keeps what is to be cut", () => {
  assert.equal(segmentOf(completeChecksum(longFrame())).data.length, DATA.length);
  const reader = new FrameReader();
  reader.push(encodeFrame(longFrame()));
  assert.deepEqual(reader.next(), longFrame());
});

test("R3.7 what is no segment of TCP is not cut but dropped; what is not to be cut stays", () => {
  const whole = { bytes: longFrame().bytes };
  assert.deepEqual(cutSegments(whole), [whole]);
  for (const [at, byte] of [
    [14, 0x46],
    [23, 17],
    [46, 0x40],
    [46, 0xf0],
    [14, 0],
  ] as const) {
    const { bytes } = longFrame();
    bytes[at] = byte;
    assert.ok(cutSegments({ bytes, segment: 1460 }).length <= 7);
  }
  assert.deepEqual(cutSegments({ bytes: new Uint8Array(20), segment: 1 }), []);
  assert.deepEqual(cutSegments({ bytes: longFrame().bytes.subarray(0, IPV4_PAYLOAD + 10), segment: 1 }), []);
});

test("R3.7 a packet of a long segment has 48 bytes of data at least: a guest that says less loses its frame, and nobody cuts it", () => {
  const cut = (segment: number): number => cutSegments({ ...longFrame(), segment }).length;
  assert.equal(LEAST_SEGMENT, 48);
  assert.deepEqual([cut(1), cut(47), cut(48)], [0, 0, Math.ceil(DATA.length / 48)]);
});

test("R3.7 a network that can cut is sent what the window has room for, at once; small answers are as ever", () => {
  const rig = new NetRig({ cuts: true });
  const ends = { port: 40_000, remote: parseAddress("192.0.2.1")!, remotePort: 80 };
  rig.tcp(ends, { seq: 0, flags: SYN, mss: 1460, scale: 7 });
  rig.host.connections[0].user.connected();
  const peer = rig.segments()[0].seq;
  rig.tcp(ends, { seq: 1, ack: peer + 1, flags: ACK });
  rig.host.connections[0].user.received(randomBytes(1, 50_000));
  const [burst, ...more] = rig.whole.splice(0);
  assert.deepEqual([burst.segment, burst.checksum, more.length], [1460, CHECKSUM, 0]);
  assert.equal(segmentOf(completeChecksum(burst)).data.length, 10 * 1460, "the first window, in one");
});

function bench(features: readonly number[], coming: NetFrame[] = []) {
  const sent: NetFrame[] = [];
  const net = {
    send: (frame: NetFrame): boolean => sent.push(frame) > 0,
    receive: (): NetFrame | undefined => coming.shift(),
  };
  const wires = {
    net: () => net,
    wake: { hold: () => ({ release: () => undefined }) },
  } as unknown as Partial<Wires>;
  const config = { net: "net0", mac: "52:54:00:12:34:56", mtu: 1500 };
  const one = new VirtioBench(virtioNetPart as unknown as PartType, config, { wires });
  const receive = started(one, { features, size: 16 });
  const transmit = driverQueue(one, { queue: 1, base: 0x2_0000 });
  return { one, sent, receive, transmit };
}

test("R3.7 the card carries a driver's long segment, unless the driver did not say so, or leaves something out", () => {
  const head = (flags: number, type: number, size: number): number[] => [
    flags,
    type,
    54,
    0,
    size & 255,
    size >> 8,
    34,
    0,
    16,
    0,
    0,
    0,
  ];
  const both = [F.CSUM, F.HOST_TSO4];
  for (const [features, first, carried] of [
    [both, head(1, 1, 1460), true],
    [[F.CSUM], head(1, 1, 1460), false],
    [both, head(0, 1, 1460), false],
    [both, head(1, 1, 0), false],
    [both, head(1, 1, 47), false],
    [[F.CSUM, F.HOST_TSO6], head(1, 4, 1460), true],
    [[F.CSUM, F.HOST_TSO6], head(1, 1, 1460), false],
    [both, head(1, 4, 1460), false],
    [both, head(1, 3, 1460), false],
  ] as const) {
    const { one, sent, transmit } = bench(features);
    one.memory.writable(0x8_0000, 12)!.set(first);
    one.memory.writable(0x8_000c, 5000)!.fill(1);
    transmit.add([{ address: 0x8_0000, length: 5012 }]);
    one.notify(1);
    assert.equal(transmit.used().length, 1);
    assert.deepEqual(
      sent.map(({ segment, checksum }) => ({ segment, checksum })),
      carried ? [{ segment: 1460, checksum: CHECKSUM }] : [],
    );
  }
});

test("R3.7 a driver that takes long segments gets one with all that it has to know; another one gets packets", () => {
  const able = bench([F.GUEST_CSUM, F.GUEST_TSO4, F.MRG_RXBUF], [longFrame()]);
  able.receive.add([{ address: 0x8_0000, length: 0x4000, write: true }]);
  able.one.settle();
  assert.deepEqual(
    able.receive.used().map(({ length }) => length),
    [12 + 54 + DATA.length],
  );
  const head = [...able.one.memory.view(0x8_0000, 12)!];
  assert.deepEqual(head, [1, 1, 54, 0, 1460 & 255, 1460 >> 8, 34, 0, 16, 0, 1, 0]);
  const plain = bench([F.MRG_RXBUF], [longFrame()]);
  for (let i = 0; i < 8; i++)
    plain.receive.add([{ address: 0x8_0000 + i * 0x1000, length: 2000, write: true }]);
  plain.one.settle();
  assert.deepEqual(
    plain.receive.used().map(({ length }) => length),
    [...Array<number>(6).fill(12 + 54 + 1460), 12 + 54 + 1240],
  );
});

test("R3.7 a long segment that is not what it says reaches no driver, whole or cut; the next frame does", () => {
  const { bytes, checksum } = longFrame();
  const wrong: NetFrame[] = [
    { bytes: new Uint8Array(14), checksum: { start: 0, offset: 0 }, segment: 1460 },
    { bytes: bytes.with(14, 0x46), checksum: CHECKSUM, segment: 1460 },
    { bytes: bytes.with(46, 0x40), checksum: CHECKSUM, segment: 1460 },
    { bytes, checksum: { start: 35, offset: 16 }, segment: 1460 },
    { bytes, checksum: { start: 34, offset: 6 }, segment: 1460 },
    { bytes, segment: 1460 },
    { bytes, ...(checksum && { checksum }), segment: 47 },
  ];
  for (const features of [[F.GUEST_CSUM, F.GUEST_TSO4, F.MRG_RXBUF], [F.MRG_RXBUF]]) {
    const { one, receive } = bench(features, [...wrong, { bytes: new Uint8Array(60).fill(255) }]);
    for (let i = 0; i < 8; i++) receive.add([{ address: 0x8_0000, length: 0x4000, write: true }]);
    one.settle();
    assert.deepEqual(
      receive.used().map(({ length }) => length),
      [12 + 60],
    );
  }
});

test("R3.7 a card that holds the longest segment in the smallest packets can be saved", () => {
  const data = new Uint8Array(65_495);
  const said = { sourcePort: 80, destinationPort: 9, seq: 1, ack: 7, flags: FLAG.ACK, window: 99 };
  const bytes = segmentFrame(ROUTE, {
    ...said,
    length: data.length,
    fill: () => undefined,
    cut: LEAST_SEGMENT,
  });
  writeHead(bytes, ROUTE);
  const small = { bytes: new Uint8Array(60).fill(255) };
  const long = { bytes, checksum: CHECKSUM, segment: LEAST_SEGMENT };
  const { one } = bench([F.MRG_RXBUF], [...Array<NetFrame>(63).fill(small), long, long]);
  for (let i = 0; i < 4; i++) one.settle();
  const part = {
    name: "one",
    type: "virtio-net",
    config: { net: "net0", mac: "52:54:00:12:34:56", mtu: 1500 },
  };
  const { state } = one;
  assert.equal(
    (state as { device: { receiver: { held: unknown[] } } }).device.receiver.held.length,
    63 + 1365,
  );
  const shape = (virtioNetPart as unknown as PartType).state!(part, {} as never);
  assert.deepEqual(shape.check(state, "state"), state);
});

test("R3.7 a segment of IPv6 is whole to a driver that takes those, and packets to one that takes only IPv4's", () => {
  const able = bench([F.GUEST_CSUM, F.GUEST_TSO6, F.MRG_RXBUF], [longFrame(ROUTE_6)]);
  able.receive.add([{ address: 0x8_0000, length: 0x4000, write: true }]);
  able.one.settle();
  const head = [...able.one.memory.view(0x8_0000, 12)!];
  assert.deepEqual(head, [1, 4, 74, 0, 1460 & 255, 1460 >> 8, 54, 0, 16, 0, 1, 0]);
  const four = bench([F.GUEST_CSUM, F.GUEST_TSO4, F.MRG_RXBUF], [longFrame(ROUTE_6), longFrame()]);
  for (let i = 0; i < 12; i++)
    four.receive.add([{ address: 0x8_0000 + i * 0x1000, length: i < 7 ? 2000 : 0x4000, write: true }]);
  four.one.settle();
  assert.deepEqual(
    four.receive.used().map(({ length }) => length),
    [...Array<number>(6).fill(12 + 74 + 1460), 12 + 74 + 1240, 12 + 54 + DATA.length],
  );
});

test("R3.7 a segment of IPv6 is cut as one of IPv4 is (RFC 8200 §8.1)", () => {
  const packets = cutSegments(longFrame(ROUTE_6)).map(segmentOf);
  assert.deepEqual(
    packets.flatMap(({ data }) => [...data]),
    [...DATA],
  );
  assert.equal(segmentOf(completeChecksum(longFrame(ROUTE_6))).data.length, DATA.length);
  const { bytes, ...more } = longFrame(ROUTE_6);
  assert.deepEqual(
    cutSegments({ bytes: bytes.with(20, 0), ...more }),
    [],
    "options before its head nobody of ours sends",
  );
});

test("R3.7 a segment with a tag of a VLAN is cut, and each packet has the tag (IEEE 802.1Q); one of another guest is cut before the driver sees it", () => {
  for (const tags of [
    [0x81, 0, 0, 5],
    [0x88, 0xa8, 0, 7, 0x81, 0, 0, 5],
  ])
    for (const route of [ROUTE, ROUTE_6]) {
      const { bytes, checksum, segment } = longFrame(route);
      const tagged = Uint8Array.of(...bytes.subarray(0, 12), ...tags, ...bytes.subarray(12));
      const start = checksum!.start + tags.length;
      const frame = { bytes: tagged, checksum: { ...checksum!, start }, segment: segment! };
      assert.ok(isSound(frame));
      assert.ok(!isSound({ ...frame, checksum: checksum! }));
      const packets = cutSegments(frame);
      for (const packet of packets) assert.deepEqual([...packet.bytes.subarray(12, 12 + tags.length)], tags);
      const inner = packets.map((one) => ({
        bytes: Uint8Array.of(...one.bytes.subarray(0, 12), ...one.bytes.subarray(12 + tags.length)),
      }));
      assert.deepEqual(
        inner.map(segmentOf).flatMap(({ data }) => [...data]),
        [...DATA],
      );
    }
});
