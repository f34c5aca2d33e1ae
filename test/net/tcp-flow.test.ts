/** R3.7 What the guest has said and the host has not yet sent, once the guest is done: it is counted, it arrives, and it does not stay for ever. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddress } from "../../src/net/ipv4.js";
import { LINGER_MS, MOST_LINGERING } from "../../src/net/tcp-nat.js";
import { ACK, FIN, NetRig, SYN, type TcpEnds, type TestConnection } from "../support/net-guest.js";

const ENDS = { port: 40_000, remote: parseAddress("192.0.2.1")!, remotePort: 80 };

/** Opens a connection. Gives the host's side of it, and the other side's first number. */
function opened(rig: NetRig, ends: TcpEnds, seq = 0): { host: TestConnection; peer: number } {
  rig.tcp(ends, { seq, flags: SYN, mss: 1460 });
  const host = rig.host.connections.at(-1)!;
  host.user.connected();
  const peer = rig.segments().at(-1)!.seq;
  rig.tcp(ends, { seq: seq + 1, ack: peer + 1, flags: ACK });
  return { host, peer };
}

/** A connection by which both have said all, while the host has not sent what the guest said. */
function overButForTheHost(rig: NetRig, ends: TcpEnds): TestConnection {
  const { host, peer } = opened(rig, ends);
  host.slow = true;
  rig.tcp(ends, { seq: 1, ack: peer + 1, flags: ACK, data: Uint8Array.of(1, 2, 3) });
  rig.tcp(ends, { seq: 4, ack: peer + 1, flags: ACK, data: Uint8Array.of(4) });
  rig.tcp(ends, { seq: 5, ack: peer + 1, flags: ACK | FIN });
  host.user.finished();
  rig.tcp(ends, { seq: 6, ack: peer + 2, flags: ACK });
  rig.taken();
  return host;
}

describe("R3.7 the host's side of a connection that is over", () => {
  test("it is kept until the host has sent all, and forgotten then", () => {
    const rig = new NetRig();
    const host = overButForTheHost(rig, ENDS);
    assert.deepEqual([rig.stack.held.connections, rig.stack.held.lingering], [0, 1]);
    rig.clock.advance(LINGER_MS - 1);
    assert.equal(host.state, "ended");
    host.drain();
    host.user.closed();
    assert.equal(rig.stack.held.lingering, 0);
    assert.equal(rig.clock.armed, 0);
  });

  test("it is broken off when nothing has moved for a minute, and when the network ends", () => {
    const rig = new NetRig();
    const host = overButForTheHost(rig, ENDS);
    rig.clock.advance(LINGER_MS - 1);
    host.drain();
    rig.clock.advance(LINGER_MS);
    assert.equal(host.state, "ended", "something has moved");
    rig.clock.advance(LINGER_MS);
    assert.deepEqual([host.state, rig.stack.held.lingering], ["aborted", 0]);

    const other = overButForTheHost(rig, { ...ENDS, port: 40_001 });
    rig.stack.close();
    assert.deepEqual([other.state, rig.stack.held.lingering], ["ended", 1]);
    rig.stack.abort();
    assert.deepEqual([other.state, rig.stack.held.lingering, rig.clock.armed], ["aborted", 0, 0]);
  });

  /** The host's side was the first to end: the guest's waits for segments that may be on their way. */
  function inTimeWait(rig: NetRig): TestConnection {
    const { host, peer } = opened(rig, ENDS);
    host.slow = true;
    host.user.finished();
    rig.tcp(ENDS, { seq: 1, ack: peer + 2, flags: ACK, data: Uint8Array.of(1, 2, 3) });
    rig.tcp(ENDS, { seq: 4, ack: peer + 2, flags: ACK | FIN });
    rig.taken();
    return host;
  }

  test("what was said is sent, though the guest takes its port again, or the network ends", () => {
    const again = new NetRig();
    const before = inTimeWait(again);
    opened(again, ENDS, 100_000);
    assert.deepEqual(
      [before.state, again.stack.held.connections, again.stack.held.lingering],
      ["ended", 1, 1],
    );

    const ends = new NetRig();
    const host = inTimeWait(ends);
    ends.stack.close();
    assert.deepEqual([host.state, ends.stack.held.connections, ends.stack.held.lingering], ["ended", 0, 1]);
    ends.stack.abort();
    assert.deepEqual([host.state, ends.stack.held.lingering, ends.clock.armed], ["aborted", 0, 0]);
  });

  test("who has not said all is broken off with the network", () => {
    const rig = new NetRig();
    const { host } = opened(rig, ENDS);
    rig.stack.close();
    assert.deepEqual([host.state, rig.stack.held.lingering], ["aborted", 0]);
  });

  test("there are so many, and the one that is over for longest is broken off for another", () => {
    const rig = new NetRig();
    const hosts = Array.from({ length: MOST_LINGERING + 2 }, (_, i) =>
      overButForTheHost(rig, { ...ENDS, port: 1000 + i }),
    );
    assert.equal(rig.stack.held.lingering, MOST_LINGERING);
    assert.deepEqual(
      hosts.slice(0, 3).map(({ state }) => state),
      ["aborted", "aborted", "ended"],
    );
  });

  test("when it fails, a newer connection between the same ends is left alone", () => {
    const rig = new NetRig();
    const old = overButForTheHost(rig, ENDS);
    const { host } = opened(rig, ENDS, 50_000);
    old.user.failed("reset");
    old.user.closed();
    assert.deepEqual([rig.stack.held.connections, rig.stack.held.lingering], [1, 0]);
    assert.equal(host.state, "open");
    assert.deepEqual(rig.segments(), []);
  });
});
