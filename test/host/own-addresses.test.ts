/** By which addresses a host is reached: those that Node lists, and those that Linux answers by besides (R3.7). */
import assert from "node:assert/strict";
import os from "node:os";
import { test } from "node:test";
import { localPrefixes, ownAddresses } from "../../src/host/node/net/own-addresses.js";

/** As Linux shows it: an interface without a carrier has an address that Node does not list, and a whole network is local. */
const TABLE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 198.51.100.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 2 0 2
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     |-- 198.51.100.9
        /32 host LOCAL
     |-- 203.0.113.0
        /24 host LOCAL
`;

test("R3.7 what Linux takes for its own is read from its table of routes", () => {
  assert.deepEqual(localPrefixes(TABLE), [
    "127.0.0.0/8",
    "127.0.0.1/32",
    "198.51.100.9/32",
    "203.0.113.0/24",
  ]);
  assert.deepEqual(localPrefixes("Main:\n"), []);
});

test("R3.7 the addresses of all interfaces are among the host's own", () => {
  const own = new Set(ownAddresses());
  for (const all of Object.values(os.networkInterfaces()))
    for (const { address } of all ?? []) assert.ok(own.has(address), address);
});
