/** R3.7 The guest's datagrams where the host's sockets do not do as they are told, and visitors of published ports who cannot be answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../../src/net/ipv4.js";
import { IDLE_MS } from "../../src/net/udp-nat.js";
import { GATEWAY, NetRig } from "../support/net-guest.js";

const WORLD = parseAddress("192.0.2.1")!;
const X = Uint8Array.of(1);

test("R3.7 a socket that the host does not have after all is forgotten: the next datagram asks for another", () => {
  const rig = new NetRig();
  rig.udp(WORLD, 7, X);
  rig.host.sockets[0].failed();
  assert.equal(rig.stack.held.ports, 0);
  rig.udp(WORLD, 7, X);
  rig.host.sockets[0].failed();
  assert.deepEqual([rig.stack.held.ports, rig.host.sockets.length], [1, 2], "a late word harms no newer one");
});

test("R3.7 a visitor of a published port who comes from port 0 cannot be answered, and is not heard", () => {
  const rig = new NetRig();
  rig.stack.publish({ at: { address: "127.0.0.1", port: 5353 }, guestPort: 53, udp: true });
  for (const port of [0, 9]) rig.host.sockets[0].received(X, { address: "127.0.0.1", port });
  assert.equal(rig.datagrams().length, 1);
});

test("R3.7 a visitor of a published port is forgotten after two minutes of silence, and nothing looks for others then", () => {
  const rig = new NetRig();
  rig.stack.publish({ at: { address: "127.0.0.1", port: 5353 }, guestPort: 53, udp: true });
  const [socket] = rig.host.sockets;
  const visit = (): number => {
    socket.received(X, { address: "127.0.0.1", port: 9 });
    return rig.datagrams()[0].sourcePort;
  };
  const port = visit();
  for (let minute = 0; minute < 10; minute++) {
    rig.clock.advance(60_000);
    rig.udp(GATEWAY, port, X, 53);
  }
  assert.equal(socket.sent.length, 10, "one that is spoken to stays");
  assert.equal(visit(), port);
  rig.clock.advance(IDLE_MS + 1);
  rig.udp(GATEWAY, port, X, 53);
  assert.equal(socket.sent.length, 10, "one that is not goes at once");
  rig.clock.advance(IDLE_MS);
  assert.equal(rig.clock.armed, 0);
  assert.notEqual(visit(), port);
});
