/**
 * R3.7 What a guest meets that is slow, stops reading, or has several connections: nobody starves, and nothing is lost that is not said again.
 * The guest connects to 192.0.2.1:80, which the host reaches at once.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { parseAddress } from "../../src/net/ipv4.js";
import { distance, plus, type Segment } from "../../src/net/tcp/segment.js";
import { RECEIVE_BYTES } from "../../src/net/tcp/connection.js";
import { ACK, GATEWAY, NetRig, PSH, RST, SYN, TestConnection, type Said } from "../support/net-guest.js";

const REMOTE = parseAddress("192.0.2.1")!;
const ISS = 7000;

/** A connection that is established, and both its ends. */
class Open {
  readonly host: TestConnection;
  readonly peer: number;

  constructor(
    readonly rig: NetRig,
    readonly port = 40_000,
  ) {
    this.say({ seq: ISS, flags: SYN, mss: 1460, scale: 7 });
    this.host = rig.host.connections.at(-1)!;
    this.host.user.connected();
    this.peer = rig.segments().at(-1)!.seq;
    this.say({ flags: ACK });
  }

  /** Behind the guest's SYN; `ack`: bytes of the other side's. */
  say({ ack = 0, ...said }: Said): void {
    const rest = { seq: ISS + 1, flags: ACK, ack: plus(this.peer ?? 0, 1 + ack), ...said };
    this.rig.tcp({ port: this.port, remote: REMOTE, remotePort: 80 }, rest);
  }

  heard(): Segment[] {
    return this.rig.segments();
  }
}

function lengths(segments: readonly Segment[]): number[] {
  return segments.map(({ data }) => data.length);
}

test("R3.7 connections that wait for the link take turns", () => {
  const rig = new NetRig();
  const all = [1, 2, 3].map((port) => new Open(rig, port));
  rig.room = 0;
  for (const { host } of all) host.user.received(new Uint8Array(8 * 1460));
  const ports: number[] = [];
  for (let i = 0; i < 6; i++) {
    rig.room = 2;
    rig.stack.room();
    ports.push(...rig.segments().map(({ destinationPort }) => destinationPort));
  }
  assert.deepEqual(ports, [1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]);
});

test("R3.7 a guest that stops reading for half an hour, and answers, keeps its connection; with room again it goes on at once", () => {
  const open = new Open(new NetRig());
  open.host.user.received(new Uint8Array(3000));
  for (let ms = 0; ms < 30 * 60_000; ms += 500) {
    open.rig.clock.advance(500);
    if (open.heard().length > 0) open.say({ window: 0 });
  }
  assert.equal(open.host.state, "open");
  open.say({ window: 1000 });
  assert.deepEqual(lengths(open.heard()), [1460], "one at first: what there was no room for was lost");
  // And what is lost of it is said again as soon as ever.
  open.rig.clock.advance(300);
  assert.deepEqual(lengths(open.heard()), [1460]);
  open.say({ ack: 1460, window: 1000 });
  assert.deepEqual(lengths(open.heard()), [1460, 80]);
});

test("R3.7 one that stops reading and answers nothing any more is given up", () => {
  const open = new Open(new NetRig());
  open.host.user.received(new Uint8Array(3000));
  open.heard();
  open.say({ window: 0 });
  open.rig.clock.advance(30 * 60_000);
  assert.equal(open.host.state, "aborted");
  assert.equal(open.heard().at(-1)!.flags, RST | ACK);
});

test("R3.7 what is said once waits for the link, in order and before data: answers to a SYN, to ARP and UDP, resets", () => {
  const rig = new NetRig({ policy: { host: false, only: [] } });
  rig.room = 0;
  for (let port = 1; port <= 200; port++) rig.tcp({ port, remote: REMOTE, remotePort: 80 }, { flags: SYN });
  assert.deepEqual(rig.segments(), []);
  rig.room = 100;
  rig.stack.room();
  rig.room = 100;
  rig.stack.room();
  const ports = rig.segments().map(({ destinationPort, flags }) => flags & RST && destinationPort);
  assert.deepEqual(
    ports,
    Array.from({ length: 128 }, (_, i) => i + 1),
    "128 of them, and no more",
  );
  const open = new NetRig();
  open.tcp({ port: 1, remote: REMOTE, remotePort: 80 }, { flags: SYN });
  open.room = 0;
  open.host.connections[0].user.connected();
  open.room = 10;
  open.stack.room();
  assert.deepEqual(
    open.segments().map(({ flags }) => flags),
    [SYN | ACK],
    "at once, not when it is sent again",
  );
});

test("R3.7 data behind what waits wait too", () => {
  const rig = new NetRig();
  const open = new Open(rig, 1);
  const other = new Open(rig, 2);
  rig.room = 0;
  other.host.user.failed("reset");
  open.host.user.received(new Uint8Array(100));
  rig.room = 10;
  rig.stack.room();
  assert.deepEqual(
    rig.segments().map(({ destinationPort, flags }) => [destinationPort, flags]),
    [
      [2, RST | ACK],
      [1, ACK | PSH],
    ],
  );
});

/** A published port of the guest's 80; the host's side, who uses it, and the guest's first segment of it. */
function visited(rig: NetRig): { host: TestConnection; said: (said: Said) => void } {
  rig.stack.publish({ at: { address: "127.0.0.1", port: 1 }, guestPort: 80, udp: false });
  const host = new TestConnection({ address: "127.0.0.1", port: 1 });
  host.user = rig.host.listeners[0].accept(host);
  const syn = rig.segments().at(-1)!;
  const ends = { port: 80, remote: GATEWAY, remotePort: syn.sourcePort };
  return { host, said: (said) => rig.tcp(ends, { ack: plus(syn.seq, 1), ...said }) };
}

test("R3.7 data that come with the answer to our SYN are all delivered, and acknowledged", () => {
  const rig = new NetRig();
  const { host, said } = visited(rig);
  said({ seq: 500, flags: SYN | ACK, mss: 1460, data: Uint8Array.of(1, 2, 3) });
  assert.deepEqual(host.bytes, [1, 2, 3]);
  assert.equal(rig.segments().at(-1)!.ack, 504);
});

test("R3.7 a window that was closed is opened by segments, not by every byte that the host takes (§3.8.6.2.2)", () => {
  const open = new Open(new NetRig());
  open.host.slow = true;
  const done: (() => void)[] = [];
  open.host.write = (bytes, then) => void done.push(() => then(bytes.length));
  let sent = 0;
  const say = (length: number): void => {
    open.say({ seq: ISS + 1 + sent, data: new Uint8Array(length) });
    sent += length;
  };
  for (let i = 0; i < 1460; i++) say(1);
  while (sent < RECEIVE_BYTES) say(Math.min(1460, RECEIVE_BYTES - sent));
  open.rig.clock.advance(100);
  assert.equal(open.heard().at(-1)!.window, 0);
  for (const one of done.splice(0, 1459)) one();
  assert.deepEqual(open.heard(), [], "not for less than a segment");
  done.shift()!();
  assert.deepEqual(
    open.heard().map(({ window }) => window << 3),
    [1456],
  );
});

test("R3.7 all connections together have so much for the guest waiting: hosts are held back then, and go on with what it takes", () => {
  const rig = new NetRig({ mostWaiting: 500_000 });
  const all = Array.from({ length: 40 }, (_, i) => new Open(rig, 1 + i));
  let given = 0;
  for (const { host } of all)
    for (; !host.paused; given += 10_000) host.user.received(new Uint8Array(10_000));
  assert.ok(given >= 500_000 && given <= 500_000 + 40 * 10_000, `${given} bytes`);
  assert.equal(rig.stack.held.waiting, given);
  rig.tcp({ port: 99, remote: REMOTE, remotePort: 80 }, { flags: SYN });
  assert.equal(rig.host.connections.length, 40, "and nobody new comes");
  for (let turn = 0; turn < 100 && rig.stack.held.waiting > 0; turn++)
    for (const { destinationPort, seq, data } of rig.segments()) {
      const one = all[destinationPort - 1];
      one.say({ ack: distance(plus(seq, data.length), one.peer) - 1 });
    }
  assert.equal(rig.stack.held.waiting, 0);
  assert.ok(all.every(({ host }) => !host.paused));
});

test("R3.7 all connections together have so much for hosts waiting: windows do not grow then, and do when hosts take it", () => {
  const rig = new NetRig({ mostWaiting: 500_000 });
  const all = Array.from({ length: 40 }, (_, i) => new Open(rig, 1 + i));
  const sent = all.map(() => 0);
  /** What the guest was told that there is room for, behind its SYN. */
  const edges = all.map(() => 0xffff);
  const hear = (): void => {
    for (const { destinationPort, ack, window } of rig.segments())
      edges[destinationPort - 1] = distance(ack, ISS + 1) + (window << 3);
  };
  for (const { host } of all) host.slow = true;
  for (let turn = 0; turn < 100; turn++) {
    for (const [i, one] of all.entries())
      while (sent[i] < edges[i]) {
        const data = new Uint8Array(Math.min(1460, edges[i] - sent[i]));
        one.say({ seq: ISS + 1 + sent[i], data });
        sent[i] += data.length;
      }
    rig.clock.advance(50);
    hear();
  }
  const { waiting } = rig.stack.held;
  assert.equal(
    waiting,
    sent.reduce((sum, one) => sum + one, 0),
  );
  // A window that was told is not taken back: eight connections spend all, the others have what they began with.
  assert.ok(waiting <= 8 * RECEIVE_BYTES + 32 * 0x10000, `${waiting} bytes`);
  for (const { host } of all) host.drain();
  hear();
  assert.equal(rig.stack.held.waiting, 0);
  assert.ok(edges.every((edge, i) => edge > sent[i]));
});
