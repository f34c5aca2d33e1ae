/**
 * R3.7 Every rule of RFC 9293's appendix B, a row each: how it is shown, or why it is left. What is shown by one of the other tests is named by its
 * title; the rest is here.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { IPV4_PAYLOAD, parseAddress, writeIpv4 } from "../../src/net/ipv4.js";
import { PROTOCOL } from "../../src/net/packet.js";
import { RECEIVE_BYTES } from "../../src/net/tcp/connection.js";
import { readSegment, segmentFrame } from "../../src/net/tcp/segment.js";
import { ACK, FIN, GATEWAY, GUEST, NetRig, PSH, RST, SYN } from "../support/net-guest.js";
import { repositoryText } from "../support/repository.js";
import { bytes, ENDS, ISS, Rule } from "../support/tcp-rule.js";

const PUBLISHED = { port: 22, remote: GATEWAY, remotePort: 49_152 };

/** A connection that came by a published port: our SYN is on its way to the guest's port 22. */
function visited(): { rig: NetRig; initial: number } {
  const rig = new NetRig();
  rig.stack.publish({ at: { address: "127.0.0.1", port: 2222 }, guestPort: 22, udp: false });
  const connection = rig.host.connect({ address: "127.0.0.1", port: 9 }, undefined as never);
  Object.assign(connection, { user: rig.host.listeners[0].accept(connection) });
  const [syn] = rig.segments();
  assert.equal(syn.flags, SYN);
  return { rig, initial: syn.seq };
}

/** The guest's SYN with these bytes as options, and the answer. */
function withOptions(options: readonly number[]): { mss: number; sent: number } {
  const rig = new NetRig();
  const route = { source: GUEST, destination: ENDS.remote, protocol: PROTOCOL.TCP };
  const plain = segmentFrame(route, {
    ...{ sourcePort: ENDS.port, destinationPort: ENDS.remotePort, seq: ISS, ack: 0, flags: SYN },
    ...{ window: 0xffff, length: options.length, fill: (into) => into.set(options) },
  });
  plain[IPV4_PAYLOAD + 12] = (5 + options.length / 4) << 4;
  writeIpv4(plain, route);
  plain.set([8, 0], 12);
  rig.stack.take({ bytes: plain, verified: true });
  rig.host.connections[0].user.connected();
  const [answer] = rig.segments();
  rig.tcp(ENDS, { seq: ISS + 1, ack: answer.seq + 1, flags: ACK });
  rig.host.connections[0].user.received(bytes(1460));
  return { mss: answer.mss!, sent: rig.segments()[0].data.length };
}

/** Rules that these show. */
const HERE: readonly [rules: string, what: string, show: () => void][] = [
  [
    "MUST-1 REC-1",
    "a window is no negative number, and has more than 16 bits with its scale",
    () => {
      const rule = new Rule().open({ scale: 14, mss: 65_495 });
      rule.say({ ...rule.at(1, 1), flags: ACK, window: 0xffff });
      rule.host.user.received(bytes(1460));
      assert.deepEqual(rule.heard(), ["ACK+PSH seq 1 ack 1 1460 bytes"]);
    },
  ],
  [
    "MUST-2 MUST-3",
    "a checksum is right in all that is said, and what has a wrong one is not heard",
    () => {
      const rule = new Rule().established();
      rule.host.user.received(bytes(10));
      assert.equal(rule.heard().length, 1, "the rig hears only what is right");
      const route = { source: GUEST, destination: ENDS.remote, protocol: PROTOCOL.TCP };
      const frame = segmentFrame(route, {
        ...{ sourcePort: ENDS.port, destinationPort: ENDS.remotePort, flags: RST, window: 0, length: 0 },
        ...rule.at(1, 0),
      });
      frame[IPV4_PAYLOAD + 16] ^= 1;
      rule.rig.frame(frame, route);
      assert.equal(rule.host.state, "open");
    },
  ],
  [
    "MUST-4 MUST-6 MUST-14 MUST-64 MUST-68",
    "the end, nothing, and MSS are understood wherever they stand; an option that nobody knows is passed over by its length",
    () => {
      assert.equal(withOptions([1, 2, 4, 1, 0, 0, 0, 0]).sent, 256);
      assert.equal(withOptions([0xfd, 3, 9, 2, 4, 1, 0, 0]).sent, 256);
      assert.equal(withOptions([0, 2, 4, 1, 0, 0, 0, 0]).sent, 536, "behind the end there is none");
    },
  ],
  [
    "MUST-5 MUST-7",
    "an option may stand in any segment, and one whose length is wrong costs no more than the options behind it",
    () => {
      for (const options of [
        [2, 0, 1, 0],
        [2, 1, 1, 0],
        [0xfd, 200, 1, 0],
        [1, 1, 1, 2],
      ])
        assert.equal(withOptions(options).sent, 536, options.join());
      const rule = new Rule().established();
      const route = { source: GUEST, destination: ENDS.remote, protocol: PROTOCOL.TCP };
      const frame = segmentFrame(route, {
        ...{ sourcePort: ENDS.port, destinationPort: ENDS.remotePort, flags: ACK | PSH, window: 0xffff },
        ...{ ...rule.at(1, 1), length: 8, fill: (into: Uint8Array) => into.set([1, 1, 2, 4, 1, 0, 77, 78]) },
      });
      frame[IPV4_PAYLOAD + 12] = 6 << 4;
      frame.set(GUEST_ETHERNET, 6);
      writeIpv4(frame, route);
      rule.rig.stack.take({ bytes: frame, verified: true });
      assert.deepEqual(rule.host.bytes, [1, 0, 77, 78], "and is none of the data");
    },
  ],
  [
    "MUST-10",
    "both sides may begin at once: a SYN that meets ours is answered, and the connection stands",
    () => {
      const { rig, initial } = visited();
      rig.tcp(PUBLISHED, { seq: 500, flags: SYN });
      const [answer] = rig.segments();
      assert.deepEqual([answer.flags, answer.seq, answer.ack], [SYN | ACK, initial, 501]);
      rig.tcp(PUBLISHED, { seq: 501, ack: initial + 1, flags: ACK, data: bytes(3) });
      assert.deepEqual(rig.host.connections[0].bytes, [...bytes(3)]);
    },
  ],
  [
    "MUST-11",
    "a reset of a connection that the guest has begun and not finished to begin leaves it free to begin again",
    () => {
      const rule = new Rule().open();
      rule.say({ ...rule.at(1, 0), flags: RST });
      assert.equal(rule.rig.stack.held.connections, 0);
      rule.rig.tcp(ENDS, { seq: 7, flags: SYN });
      assert.equal(rule.rig.host.connections.length, 2);
    },
  ],
  [
    "MUST-16 MUST-65 MUST-67 MUST-69 SHLD-5 SHLD-6",
    "MSS is what the MTU has room for, and said in a SYN only; no segment is longer than either side takes",
    () => {
      for (const [mtu, theirs, expected] of [
        [1500, 9000, 1460],
        [9000, 1000, 1000],
        [9000, 9000, 8960],
      ]) {
        const rig = new NetRig({ mtu });
        rig.tcp(ENDS, { seq: ISS, flags: SYN, mss: theirs });
        rig.host.connections[0].user.connected();
        const [answer] = rig.segments();
        rig.tcp(ENDS, { seq: ISS + 1, ack: answer.seq + 1, flags: ACK });
        rig.host.connections[0].user.received(bytes(20_000));
        const [packet] = rig.packets();
        const segment = readSegment(packet, packet.payload, false)!;
        assert.deepEqual([answer.mss, segment.data.length], [mtu - 40, expected]);
        assert.equal(packet.payload.length, 20 + expected, "a head without options");
      }
    },
  ],
  [
    "MUST-18",
    "the round trip of what was sent twice is not measured: the next wait is as long as the last one (Karn)",
    () => {
      const rule = new Rule().established();
      rule.host.user.received(bytes(10));
      rule.heard();
      assert.equal(rule.after(300).length, 1);
      rule.rig.clock.advance(100);
      rule.say({ ...rule.at(1, 11), flags: ACK });
      rule.host.user.received(bytes(10));
      rule.heard();
      assert.deepEqual(rule.after(599), []);
      assert.equal(rule.after(1).length, 1);
    },
  ],
  [
    "MUST-19",
    "slow start: an acknowledgement of two segments lets four go; behind a timeout there is one, and waiting doubles",
    () => {
      const rule = new Rule().established();
      rule.host.user.received(bytes(100_000));
      assert.equal(rule.heard().length, 10);
      assert.equal(rule.say({ ...rule.at(1, 1 + 2920), flags: ACK }).length, 4);
      assert.equal(rule.after(300).length, 1);
      assert.equal(rule.after(599).length, 0);
      assert.equal(rule.after(1).length, 1);
    },
  ],
  [
    "MUST-20 SHLD-10 SHLD-11",
    "what is never acknowledged is said again ten times, which takes more than 100 s, and then given up with a reset",
    () => {
      const rule = new Rule().established();
      rule.host.user.received(bytes(10));
      rule.heard();
      assert.ok(rule.after(100_000).length >= 3);
      assert.equal(rule.host.state, "open");
      assert.match(rule.after(500_000).at(-1)!, /RST/);
      assert.equal(rule.host.state, "aborted");
    },
  ],
  [
    "MUST-34 SHLD-15 SHLD-16 SHLD-17",
    "a window that shrinks below what is on its way: nothing new is sent, the old again, and the connection stays",
    () => {
      const rule = new Rule().established();
      rule.host.user.received(bytes(14_600));
      assert.equal(rule.heard().length, 10);
      assert.deepEqual(rule.say({ ...rule.at(1, 1461), flags: ACK, window: 12 }), []);
      rule.host.user.received(bytes(1000));
      assert.deepEqual(rule.heard(), []);
      assert.deepEqual(rule.after(300), ["ACK seq 1461 ack 1 1460 bytes"]);
      for (let i = 0; i < 40; i++) {
        rule.rig.clock.advance(15_000);
        rule.say({ ...rule.at(1, 1461), flags: ACK, window: 0 });
      }
      assert.equal(rule.host.state, "open");
    },
  ],
  [
    "MUST-50",
    "a packet with options of IP is heard as one without",
    () => {
      const rule = new Rule().established();
      const route = { source: GUEST, destination: ENDS.remote, protocol: PROTOCOL.TCP };
      const segment = { ...rule.at(1, 0), flags: RST, window: 0, length: 0 };
      const plain = segmentFrame(route, {
        ...{ sourcePort: ENDS.port, destinationPort: ENDS.remotePort, ...segment },
      });
      writeIpv4(plain, route);
      const frame = new Uint8Array(plain.length + 4);
      frame.set(plain.subarray(0, IPV4_PAYLOAD));
      // Router alert (RFC 2113).
      frame.set([0x94, 4, 0, 0], IPV4_PAYLOAD);
      frame.set(plain.subarray(IPV4_PAYLOAD), IPV4_PAYLOAD + 4);
      frame.set([...GUEST_ETHERNET, 8, 0], 6);
      frame[14] = 0x46;
      frame[17] += 4;
      const old = (frame[24] << 8) | frame[25];
      // RFC 1624: what is added to the header is taken from its sum.
      let sum = (~old & 0xffff) + 0x0100 + 4 + 0x9404;
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
      frame.set([(~sum >> 8) & 255, ~sum & 255], 24);
      rule.rig.stack.take({ bytes: frame });
      assert.equal(rule.host.state, "aborted");
    },
  ],
  [
    "MUST-46 MUST-57 MUST-63",
    "what is for a group or everybody, or from there, is not answered at all",
    () => {
      const { rig } = new Rule();
      for (const to of ["224.0.0.1", "255.255.255.255", "10.0.2.255", "10.0.2.0"])
        for (const flags of [SYN, ACK]) rig.tcp({ ...ENDS, remote: parseAddress(to)! }, { seq: 1, flags });
      for (const source of ["10.0.2.255", "10.0.2.0", "224.0.0.1"].map((text) => parseAddress(text)!)) {
        const route = { source, destination: ENDS.remote, protocol: PROTOCOL.TCP };
        const ends = { sourcePort: 1, destinationPort: 80, seq: 1, ack: 0, flags: SYN, window: 0, length: 0 };
        rig.frame(segmentFrame(route, ends), route);
      }
      assert.deepEqual([rig.taken(), rig.host.connections, rig.refused], [[], [], []]);
    },
  ],
  [
    "MUST-66",
    "with no room at all a reset is heard, and so are acknowledgements",
    () => {
      const rule = new Rule().established();
      rule.host.slow = true;
      for (let at = 0; at < RECEIVE_BYTES; at += 1024)
        rule.say({ ...rule.at(1 + at, 1), flags: ACK, data: bytes(1024) });
      const end = 1 + RECEIVE_BYTES;
      assert.match(rule.say({ ...rule.at(end, 1), flags: ACK, data: bytes(1) }).join(), /no room/);
      rule.host.user.received(bytes(10));
      rule.heard();
      rule.say({ ...rule.at(end, 11), flags: ACK });
      assert.deepEqual(rule.after(10_000), [], "which was acknowledged");
      rule.say({ ...rule.at(end, 0), flags: RST });
      assert.equal(rule.host.state, "aborted");
    },
  ],
  [
    "SHLD-1 MUST-9",
    "each connection begins with a number that is random, and no other one's",
    () => {
      const rig = new NetRig();
      rig.random = 0x7777_0000;
      for (const port of [1, 2]) rig.tcp({ ...ENDS, port }, { seq: 1, flags: SYN });
      for (const { user } of rig.host.connections) user.connected();
      assert.deepEqual(
        rig.segments().map(({ seq }) => seq),
        [0x7777_1000, 0x7777_2000],
      );
    },
  ],
  [
    "SHLD-2",
    "a reset may have data",
    () => {
      const rule = new Rule().established();
      rule.say({ ...rule.at(1, 0), flags: RST, data: bytes(9) });
      assert.equal(rule.host.state, "aborted");
    },
  ],
  [
    "SHLD-14",
    "the end of the window that the guest was told of never goes back",
    () => {
      const rule = new Rule().established();
      rule.host.slow = true;
      let edge = 0;
      for (let at = 0; at < RECEIVE_BYTES; at += 500) {
        rule.rig.tcp(ENDS, { ...rule.at(1 + at, 1), flags: ACK, data: bytes(500) });
        if (at % 9000 === 0) rule.host.drain();
        for (const { ack, window } of rule.rig.segments()) {
          const now = ((ack - ISS) | 0) + (window << 3);
          // Of what is no multiple of the scale the rest is not told.
          assert.ok(now > edge - 8, `${now} behind ${edge}`);
          edge = Math.max(edge, now);
        }
      }
      assert.ok(edge > RECEIVE_BYTES);
    },
  ],
  [
    "MUST-54 MUST-55 MUST-56",
    "messages of ICMP end no connection",
    () => {
      const rule = new Rule().established();
      rule.host.user.received(bytes(10));
      const [packet] = rule.rig.packets();
      for (const [type, code] of [
        [3, 0],
        [3, 1],
        [3, 3],
        [4, 0],
        [11, 0],
        [12, 0],
      ]) {
        const message = Uint8Array.from([type, code, 0, 0, 0, 0, 0, 0, ...packet.bytes.subarray(0, 28)]);
        rule.rig.send(message, ENDS.remote, PROTOCOL.ICMP);
      }
      assert.equal(rule.host.state, "open");
      assert.deepEqual(rule.say({ ...rule.at(1, 11), flags: ACK | FIN }), ["ACK seq 11 ack 2"]);
    },
  ],
];

/** Ethernet's sender. */
const GUEST_ETHERNET = [0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 0];

/** Rules that a test of another file shows, by the beginning of its title. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "MUST-12 SHLD-3": "a host's connection that breaks is a reset for the guest",
  "MUST-15": "in segments of what the guest takes, the last one pushed; MSS is 536",
  "MUST-22": "our answer is sent again after 1, 2, 4",
  "MUST-26 MUST-29 SHLD-12": "a guest that is gone is found out by probes",
  "MUST-35 MUST-36 SHLD-29 SHLD-30": "a window that is closed is asked about with a byte, later and later",
  "MUST-37": "a guest that stops reading for half an hour",
  "MUST-38": "no more than the window has room for, and ten segments at first",
  "MUST-39": "a window that was closed is opened by segments, not by every byte",
  "MUST-40 MUST-58 SHLD-18 SHLD-19":
    "numbers go round at 2^32; a single segment is acknowledged within 40 ms",
  "MUST-59 SHLD-31": "what comes early is kept and acknowledged at once",
  "MUST-60 MUST-61 SHLD-27 SHLD-28": "in segments of what the guest takes, the last one pushed",
};

/** Rules that are left, and why. */
const LEFT: Readonly<Record<string, string>> = {
  "MUST-8": "a number is random in all its bits: nobody guesses it, and a clock adds nothing to that",
  "MUST-13": "two seconds and not four minutes: between a guest and its monitor no segment turns up late",
  "MUST-17 SHLD-7": "no Nagle: what a host's connection brings was gathered by its sender",
  "MUST-21 SHLD-9 SHLD-20 MUST-24 MUST-27 MUST-47": "the program at this end is the network itself",
  "MUST-23":
    "a SYN is given up after a minute: a guest that is there answers at once, and half-open connections are bounded",
  "MUST-25 MUST-28":
    "asked after five minutes: a guest that was reset is found out so, and it costs nobody a packet",
  "MUST-30 MUST-31 MUST-32 MUST-33 MUST-62 SHLD-13":
    "urgent data are data as all others: the host's connection has no other",
  "MUST-41 MUST-42 MUST-43 MUST-44 MUST-45":
    "there is no OPEN: ports are published, addresses are those of the gateway",
  "MUST-48 SHLD-21 SHLD-22 SHLD-23":
    "a guest's differentiated services end here: a host's socket is another connection",
  "MUST-49": "packets live for 64 hops, and go one",
  "MUST-51 MUST-52 MUST-53 SHLD-24": "no routes from a source: there is one way",
  "SHLD-4": "no timestamps",
  "SHLD-8": "no ECN: the line between a guest and its monitor has no queue that would say so",
  "SHLD-25 SHLD-26": "a guest says by a reset that nobody is there; its messages of ICMP may be anybody's",
};

for (const [rules, what, show] of HERE) test(`R3.7 ${rules}: ${what}`, show);

test("R3.7 every rule of the appendix has a row, and one; tests of other files are there", () => {
  const rows = [...HERE.map(([rules]) => rules), ...Object.keys(ELSEWHERE), ...Object.keys(LEFT)];
  const named = rows.flatMap((row) => row.split(" "));
  const numbers = (kind: string, last: number): string[] =>
    Array.from({ length: last }, (_, index) => `${kind}-${index + 1}`);
  assert.deepEqual(named.sort(), [...numbers("MUST", 69), ...numbers("SHLD", 31), "REC-1"].sort());
  const others = ["rules", "load"].map((name) => repositoryText(`test/net/tcp-${name}.test.ts`)).join("");
  for (const title of Object.values(ELSEWHERE)) assert.ok(others.includes(title), title);
});
