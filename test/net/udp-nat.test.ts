/** R3.7 The guest's datagrams where the host's sockets do not do as they are told, and visitors of published ports who cannot be answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../../src/net/ipv4.js";
import { NetRig } from "../support/net-guest.js";

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
