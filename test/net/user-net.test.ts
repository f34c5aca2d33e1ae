/** R3.7 The user-mode network as a library's machine is plugged into it: when a bad line has a frame, and that its end is one. */
import assert from "node:assert/strict";
import test from "node:test";
import { payloadAt, writeHead } from "../../src/net/heads.js";
import { parseAddress } from "../../src/net/ipv4.js";
import { PROTOCOL } from "../../src/net/packet.js";
import type { NetFrame } from "../../src/net/net-backend.js";
import { udpBytes } from "../../src/net/udp.js";
import { UserNet, type UserNetOptions } from "../../src/net/user-net.js";
import { GUEST, TestClock, TestHost } from "../support/net-guest.js";

const REMOTE = parseAddress("192.0.2.1")!;

/** A datagram of the guest's to somebody in the world. */
function datagram(): NetFrame {
  const route = { source: GUEST, destination: REMOTE, protocol: PROTOCOL.UDP };
  const data = udpBytes(route, { sourcePort: 5000, destinationPort: 7, data: Uint8Array.of(1) });
  const bytes = new Uint8Array(payloadAt(REMOTE) + data.length);
  bytes.set(data, payloadAt(REMOTE));
  writeHead(bytes, route);
  return { bytes };
}

function rig(options: Partial<UserNetOptions> = {}): { net: UserNet; host: TestHost; clock: TestClock } {
  const [host, clock] = [new TestHost(), new TestClock()];
  return { net: new UserNet({ sockets: host, clock, ...options }), host, clock };
}

test("R3.7 UserNet says when the next frame is through its line, so that a host waits no longer", () => {
  const { net, host, clock } = rig({ faults: { delay: 20 } });
  assert.equal(net.next, undefined);
  net.send(datagram());
  assert.equal(net.next, clock.now() + 20);
  clock.advance(20);
  net.receive();
  assert.equal(host.sockets.length, 1);
  assert.equal(net.next, undefined);
  const straight = rig().net;
  straight.send(datagram());
  assert.equal(straight.next, undefined);
});

test("R3.7 UserNet opens nothing once it is closed, neither for what is sent then nor for what was on its line", () => {
  for (const options of [{}, { faults: { delay: 20 } }]) {
    const { net, host, clock } = rig(options);
    net.send(datagram());
    const before = host.sockets.length;
    net.close();
    assert.equal(net.send(datagram()), true, "it is lost, as without a cable");
    clock.advance(20);
    net.receive();
    assert.deepEqual([host.sockets.length, clock.armed], [before, 0]);
    assert.ok(host.sockets.every(({ closed }) => closed));
  }
});
