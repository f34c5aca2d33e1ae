/**
 * R3.7 RFC 9293, rule by rule: what is said to the network, and exactly what it answers. The guest connects to 192.0.2.1:80, which the
 * host reaches at once; each rule begins with that connection established, unless it says otherwise.
 */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { MOST_CONNECTIONS, MOST_OPENING } from "../../src/net/tcp-nat.js";
import { RECEIVE_BYTES, SEND_BYTES } from "../../src/net/tcp/connection.js";
import { ACK, FIN, NetRig, PSH, RST, SYN } from "../support/net-guest.js";
import { bytes, ENDS, ISS, NEXT, Rule } from "../support/tcp-rule.js";

describe("R3.7 connections begin (§3.5, §3.10.7)", () => {
  test("a SYN is answered once the host's connection is there, with MSS, and with a scale if the guest has one", () => {
    const rule = new Rule();
    rule.rig.tcp(ENDS, { seq: ISS, flags: SYN, mss: 1400, scale: 7 });
    rule.host.user.connected();
    const [answer] = rule.rig.segments();
    assert.deepEqual([answer.flags, answer.ack, answer.mss, answer.scale], [SYN | ACK, NEXT, 1460, 3]);
    const plain = new Rule();
    plain.rig.tcp(ENDS, { seq: ISS, flags: SYN });
    plain.host.user.connected();
    assert.equal(plain.rig.segments()[0].scale, undefined);
  });

  test("another SYN while the host is asked changes nothing; one while our answer is on its way is answered again", () => {
    const rule = new Rule();
    for (let i = 0; i < 3; i++) rule.rig.tcp(ENDS, { seq: ISS, flags: SYN });
    assert.equal(rule.rig.host.connections.length, 1);
    rule.host.user.connected();
    rule.peer = rule.rig.segments()[0].seq;
    assert.deepEqual(rule.say({ seq: ISS, flags: SYN }), ["SYN+ACK seq 0 ack 1"]);
  });

  test("our answer is sent again after 1, 2, 4 … s (RFC 6298), and given up in the end", () => {
    const rule = new Rule().open();
    assert.deepEqual(rule.after(999), []);
    assert.deepEqual(rule.after(1), ["SYN+ACK seq 0 ack 1"]);
    assert.deepEqual(rule.after(1999), []);
    assert.deepEqual(rule.after(1), ["SYN+ACK seq 0 ack 1"]);
    const rest = rule.after(200_000);
    assert.deepEqual(rest.slice(0, 3), Array(3).fill("SYN+ACK seq 0 ack 1"));
    assert.match(rest[3], /RST/);
    assert.equal(rule.host.state, "aborted");
    assert.equal(rule.rig.stack.held.connections, 0);
  });

  test("a wrong acknowledgement of it is reset with that number, and the connection stays", () => {
    const rule = new Rule().open();
    assert.deepEqual(rule.say({ ...rule.at(1, 77), flags: ACK }), ["RST seq 77"]);
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK }), []);
    assert.equal(rule.rig.stack.held.connections, 1);
  });

  test("what the host refuses is reset; what it cannot reach is told by ICMP; whom nobody answers hears nothing", () => {
    for (const [why, expected] of [
      ["refused", "tcp RST+ACK"],
      ["unreachable", "icmp 3/1"],
      ["timeout", ""],
    ] as const) {
      const { rig } = new Rule();
      rig.tcp(ENDS, { seq: ISS, flags: SYN });
      rig.host.connections[0].user.failed(why);
      const said = rig
        .packets()
        .map(({ protocol, payload }) =>
          protocol === 1
            ? `icmp ${payload[0]}/${payload[1]}`
            : `tcp ${payload[13] === (RST | ACK) ? "RST+ACK" : "?"}`,
        );
      assert.equal(said.join(), expected, why);
      assert.equal(rig.stack.held.connections, 0);
    }
  });

  test("segments of no connection are reset: with their number, or acknowledged where they have none; resets are not answered", () => {
    const rule = new Rule();
    assert.deepEqual(rule.say({ seq: ISS, ack: 5, flags: ACK }), ["RST seq 5"]);
    assert.deepEqual(rule.say({ seq: ISS, flags: FIN, data: bytes(3) }), ["ACK+RST seq 0 ack 4"]);
    assert.deepEqual(rule.say({ seq: ISS, ack: 9, flags: SYN | ACK }), ["RST seq 9"]);
    assert.deepEqual(rule.say({ seq: ISS, flags: RST }), []);
    assert.deepEqual(rule.say({ seq: ISS, flags: RST | SYN }), []);
    assert.equal(rule.rig.host.connections.length, 0);
  });

  test("a guest that breaks off before the host is there costs the host's connection", () => {
    const rule = new Rule();
    rule.rig.tcp(ENDS, { seq: ISS, flags: SYN });
    assert.deepEqual(rule.say({ seq: NEXT, flags: RST }), []);
    assert.equal(rule.host.state, "aborted");
    assert.equal(rule.rig.stack.held.connections, 0);
  });
});

describe("R3.7 data come (§3.10.7.4)", () => {
  test("numbers go round at 2^32; a single segment is acknowledged within 40 ms, two whole ones at once", () => {
    const rule = new Rule().established();
    // There is more room than a SYN can say, which the guest is told at once.
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK, data: bytes(1) }), ["ACK seq 1 ack 2"]);
    assert.deepEqual(rule.say({ ...rule.at(2, 1), flags: ACK, data: bytes(100) }), []);
    assert.deepEqual(rule.after(39), []);
    assert.deepEqual(rule.after(1), ["ACK seq 1 ack 102"]);
    assert.deepEqual(rule.say({ ...rule.at(102, 1), flags: ACK, data: bytes(1460) }), []);
    assert.deepEqual(rule.say({ ...rule.at(1562, 1), flags: ACK, data: bytes(1460) }), [
      "ACK seq 1 ack 3022",
    ]);
    assert.equal(rule.host.bytes.length, 3021);
  });

  test("what comes again is acknowledged and not delivered; what overlaps is delivered once", () => {
    const rule = new Rule().established();
    rule.say({ ...rule.at(1, 1), flags: ACK, data: bytes(10) });
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK, data: bytes(10) }), ["ACK seq 1 ack 11"]);
    rule.say({ ...rule.at(6, 1), flags: ACK, data: bytes(10, 5) });
    assert.deepEqual(rule.host.bytes, [...bytes(15)]);
  });

  test("what comes early is kept and acknowledged at once with what is missing; all of it is delivered in order", () => {
    const rule = new Rule().established();
    assert.deepEqual(rule.say({ ...rule.at(21, 1), flags: ACK, data: bytes(10, 20) }), ["ACK seq 1 ack 1"]);
    assert.deepEqual(rule.say({ ...rule.at(11, 1), flags: ACK, data: bytes(12, 10) }), ["ACK seq 1 ack 1"]);
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK, data: bytes(10) }), ["ACK seq 1 ack 31"]);
    assert.deepEqual(rule.host.bytes, [...bytes(30)]);
  });

  test("data beyond the window are acknowledged and not taken", () => {
    const rule = new Rule().established();
    const far = 1 + 2 * RECEIVE_BYTES;
    assert.deepEqual(rule.say({ ...rule.at(far, 1), flags: ACK, data: bytes(10) }), ["ACK seq 1 ack 1"]);
    assert.deepEqual(rule.host.bytes, []);
  });

  test("a host that takes nothing closes the window; what it takes opens it again, and the guest is told", () => {
    const rule = new Rule().established();
    rule.host.slow = true;
    let at = 1;
    let heard: string[] = [];
    for (let i = 0; i < 1000 && !heard.some((one) => one.includes("no room")); i++) {
      heard = rule.say({ ...rule.at(at, 1), flags: ACK, data: bytes(1460) });
      at += 1460;
    }
    assert.ok(at - 1 >= RECEIVE_BYTES && at - 1 < RECEIVE_BYTES + 1460, `${at - 1} bytes`);
    assert.equal(rule.host.bytes.length, RECEIVE_BYTES, "no more than there was room for");
    assert.match(
      rule.say({ ...rule.at(1 + RECEIVE_BYTES, 1), flags: ACK, data: bytes(1) })[0],
      /no room/,
      "a probe is answered",
    );
    assert.equal(rule.host.bytes.length, RECEIVE_BYTES);
    rule.host.drain();
    const told = rule.heard();
    assert.ok(told.length >= 1 && told.length <= 5, `once for each quarter: ${told.length}`);
    assert.ok(told.every((one) => one === `ACK seq 1 ack ${1 + RECEIVE_BYTES}`));
  });

  test("without ACK nothing is looked at; an acknowledgement of what was never said is answered and the segment dropped", () => {
    const rule = new Rule().established();
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: PSH, data: bytes(10) }), []);
    assert.deepEqual(rule.say({ ...rule.at(1, 5), flags: ACK, data: bytes(10) }), ["ACK seq 1 ack 1"]);
    assert.deepEqual(rule.host.bytes, []);
  });
});

describe("R3.7 what somebody may have made up (RFC 5961)", () => {
  test("a reset counts only with the next number; another one within the window is asked about, one outside is nothing", () => {
    const rule = new Rule().established();
    assert.deepEqual(rule.say({ ...rule.at(5, 0), flags: RST }), ["ACK seq 1 ack 1"]);
    assert.deepEqual(rule.say({ ...rule.at(-5, 0), flags: RST }), []);
    assert.equal(rule.host.state, "open");
    assert.deepEqual(rule.say({ ...rule.at(1, 0), flags: RST }), []);
    assert.equal(rule.host.state, "aborted");
    assert.equal(rule.rig.stack.held.connections, 0);
  });

  test("a SYN within a connection is asked about, at most ten times a second", () => {
    const rule = new Rule().established();
    const answers = Array.from({ length: 30 }, () => rule.say({ ...rule.at(9, 0), flags: SYN })).flat();
    assert.deepEqual(answers, Array(10).fill("ACK seq 1 ack 1"));
    rule.after(1000);
    assert.equal(rule.say({ ...rule.at(9, 0), flags: SYN }).length, 1);
    assert.equal(rule.host.state, "open");
  });
});

describe("R3.7 data go (§3.8)", () => {
  const give = (rule: Rule, length: number): void => rule.host.user.received(bytes(length));

  test("in segments of what the guest takes, the last one pushed; MSS is 536 for one that does not say", () => {
    const rule = new Rule().established();
    give(rule, 3000);
    assert.deepEqual(rule.heard(), [
      "ACK seq 1 ack 1 1460 bytes",
      "ACK seq 1461 ack 1 1460 bytes",
      "ACK+PSH seq 2921 ack 1 80 bytes",
    ]);
    const small = new Rule().established({});
    give(small, 600);
    assert.deepEqual(small.heard(), ["ACK seq 1 ack 1 536 bytes", "ACK+PSH seq 537 ack 1 64 bytes"]);
  });

  test("no more than the window has room for, and ten segments at first (RFC 6928)", () => {
    const rule = new Rule().established();
    give(rule, 100_000);
    assert.equal(rule.heard().length, 10);
    const narrow = new Rule().open();
    narrow.say({ ...narrow.at(1, 1), flags: ACK, window: Math.ceil(3000 / 128) });
    give(narrow, 100_000);
    assert.deepEqual(narrow.heard().length, 2, "and none for the little that is left of it");
  });

  test("what is not acknowledged is sent again after 0.3 s at least, then after twice the time, and again", () => {
    const rule = new Rule().established();
    give(rule, 100);
    rule.heard();
    assert.deepEqual(rule.after(5000), Array(4).fill("ACK+PSH seq 1 ack 1 100 bytes"));
    assert.deepEqual(rule.say({ ...rule.at(1, 101), flags: ACK }), []);
    assert.deepEqual(rule.after(60_000), []);
  });

  test("three acknowledgements that say nothing new have the first segment sent again at once (RFC 5681)", () => {
    const rule = new Rule().established();
    give(rule, 14_600);
    rule.heard();
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK }), []);
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK }), []);
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK }), ["ACK+PSH seq 1 ack 1 1460 bytes"]);
  });

  test("a window that is closed is asked about with a byte, later and later, and used as soon as it opens", () => {
    const rule = new Rule().established();
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK, window: 0 }), []);
    give(rule, 500);
    assert.deepEqual(rule.heard(), []);
    const probes = rule.after(10_000);
    assert.ok(probes.length >= 2 && probes.length <= 6, `${probes.length} probes`);
    assert.ok(
      probes.every((one) => one === "ACK+PSH seq 1 ack 1 1 bytes"),
      probes.join(),
    );
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK, window: 100 }), [
      "ACK+PSH seq 1 ack 1 500 bytes",
    ]);
  });

  test("the host is held back once enough waits, and goes on when half of it is gone", () => {
    const rule = new Rule().established();
    rule.say({ ...rule.at(1, 1), flags: ACK, window: 0 });
    for (let given = 0; given < SEND_BYTES; given += 32_768) {
      assert.equal(rule.host.paused, false);
      give(rule, 32_768);
    }
    assert.equal(rule.host.paused, true);
    let acked = 1;
    for (let i = 0; i < 400 && rule.host.paused; i++) {
      rule.rig.tcp(ENDS, { ...rule.at(1, acked), flags: ACK, window: 2000 });
      for (const { seq, data } of rule.rig.segments()) acked = Math.max(acked, seq - rule.peer + data.length);
    }
    assert.equal(rule.host.paused, false);
    assert.ok(acked - 1 >= SEND_BYTES / 2 && acked - 1 < SEND_BYTES, `${acked}`);
  });

  test("while the link has no room nothing is lost and nothing is sent; then all of it is", () => {
    const rule = new Rule().established();
    rule.rig.room = 1;
    give(rule, 4000);
    assert.deepEqual(rule.heard(), ["ACK seq 1 ack 1 1460 bytes"]);
    rule.rig.room = Infinity;
    rule.rig.stack.room();
    assert.deepEqual(rule.heard(), ["ACK seq 1461 ack 1 1460 bytes", "ACK+PSH seq 2921 ack 1 1080 bytes"]);
  });
});

describe("R3.7 connections end (§3.6)", () => {
  test("the guest first: its end is acknowledged and told, what the host still says arrives, then its end", () => {
    const rule = new Rule().established();
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK | FIN, data: bytes(5) }), ["ACK seq 1 ack 7"]);
    assert.equal(rule.host.state, "ended");
    rule.host.user.received(bytes(10));
    assert.deepEqual(rule.heard(), ["ACK+PSH seq 1 ack 7 10 bytes"]);
    rule.say({ ...rule.at(7, 11), flags: ACK });
    rule.host.user.finished();
    assert.deepEqual(rule.heard(), ["ACK+FIN seq 11 ack 7"]);
    rule.say({ ...rule.at(7, 12), flags: ACK });
    rule.host.user.closed();
    assert.equal(rule.rig.stack.held.connections, 0);
    assert.equal(rule.rig.clock.armed, 0);
  });

  test("the host first: the guest may go on; behind its end the connection waits two seconds, and answers", () => {
    const rule = new Rule().established();
    rule.host.user.received(bytes(10));
    rule.host.user.finished();
    assert.deepEqual(rule.heard(), ["ACK+PSH seq 1 ack 1 10 bytes", "ACK+FIN seq 11 ack 1"]);
    rule.say({ ...rule.at(1, 12), flags: ACK });
    rule.say({ ...rule.at(1, 12), flags: ACK, data: bytes(3) });
    assert.deepEqual(rule.host.bytes, [...bytes(3)]);
    assert.deepEqual(rule.say({ ...rule.at(4, 12), flags: ACK | FIN }), ["ACK seq 12 ack 5"]);
    assert.deepEqual(rule.say({ ...rule.at(4, 12), flags: ACK | FIN }), ["ACK seq 12 ack 5"]);
    rule.rig.clock.advance(1999);
    assert.equal(rule.rig.stack.held.connections, 1);
    rule.rig.clock.advance(1);
    assert.equal(rule.rig.stack.held.connections, 0);
  });

  test("both at once: each end is acknowledged", () => {
    const rule = new Rule().established();
    rule.host.user.finished();
    assert.deepEqual(rule.heard(), ["ACK+FIN seq 1 ack 1"]);
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK | FIN }), ["ACK seq 2 ack 2"]);
    assert.deepEqual(rule.say({ ...rule.at(2, 2), flags: ACK }), []);
    rule.rig.clock.advance(2000);
    assert.equal(rule.rig.stack.held.connections, 0);
  });

  test("an end that comes before its data counts once they are there", () => {
    const rule = new Rule().established();
    assert.deepEqual(rule.say({ ...rule.at(11, 1), flags: ACK | FIN, data: bytes(10, 10) }), [
      "ACK seq 1 ack 1",
    ]);
    assert.equal(rule.host.state, "open");
    assert.deepEqual(rule.say({ ...rule.at(1, 1), flags: ACK, data: bytes(10) }), ["ACK seq 1 ack 22"]);
    assert.deepEqual([rule.host.bytes, rule.host.state], [[...bytes(20)], "ended"]);
  });

  test("a new SYN begins a new connection between the ends of one that only waits, not of one that runs", () => {
    const rule = new Rule().established();
    rule.host.user.finished();
    rule.say({ ...rule.at(1, 2), flags: ACK | FIN });
    rule.rig.segments();
    rule.rig.tcp(ENDS, { seq: (ISS + 1000) >>> 0, flags: SYN });
    assert.equal(rule.rig.host.connections.length, 2);
  });

  test("a host's connection that breaks is a reset for the guest", () => {
    const rule = new Rule().established();
    rule.host.user.failed("reset");
    assert.deepEqual(rule.heard(), ["ACK+RST seq 1 ack 1"]);
    assert.equal(rule.rig.stack.held.connections, 0);
  });

  test("a guest that is gone is found out by probes after five minutes of silence; one that answers is left alone", () => {
    const rule = new Rule().established();
    assert.deepEqual(rule.after(299_999), []);
    assert.deepEqual(rule.after(1), ["ACK seq 0 ack 1"]);
    rule.say({ ...rule.at(1, 1), flags: ACK });
    rule.after(15_000);
    assert.equal(rule.after(280_000).length, 0);
    rule.after(300_000);
    rule.after(6 * 15_000);
    assert.equal(rule.host.state, "aborted");
    assert.equal(rule.rig.stack.held.connections, 0);
  });

  test("the network's end resets the guest's connections and the host's", () => {
    const rule = new Rule().established();
    rule.rig.stack.close();
    assert.deepEqual(rule.heard(), ["ACK+RST seq 1 ack 1"]);
    assert.equal(rule.host.state, "aborted");
    assert.equal(rule.rig.clock.armed, 0);
  });
});

test("R3.7 a storm of SYNs opens 512 connections of the host's and no more; those that are answered make room", () => {
  const rig = new NetRig();
  for (let port = 1; port < 60_000; port++) rig.tcp({ ...ENDS, port }, { seq: ISS, flags: SYN });
  assert.equal(rig.host.connections.length, MOST_OPENING);
  assert.equal(rig.stack.held.connections, MOST_OPENING);
  assert.equal(rig.frames.length, 0);
  rig.host.connections[0].user.connected();
  rig.tcp({ ...ENDS, port: 60_000 }, { seq: ISS, flags: SYN });
  assert.equal(rig.host.connections.length, MOST_OPENING + 1);
});

test("R3.7 connections that nobody finishes to begin: there are so many, and all of them end by themselves", () => {
  const rig = new NetRig();
  for (let port = 1; port < 10_000; port++) {
    rig.tcp({ ...ENDS, port }, { seq: ISS, flags: SYN });
    if (rig.host.connections.length === port) rig.host.connections[port - 1].user.connected();
  }
  assert.equal(rig.stack.held.connections, MOST_CONNECTIONS);
  assert.equal(rig.host.connections.length, MOST_CONNECTIONS);
  rig.clock.advance(120_000);
  assert.equal(rig.stack.held.connections, 0);
  assert.ok(rig.host.connections.every(({ state }) => state === "aborted"));
  assert.equal(rig.clock.armed, 0);
});
