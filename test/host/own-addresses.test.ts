/** By which addresses a host is reached: those that Node lists, and those that Linux answers by besides (R3.7). */
import assert from "node:assert/strict";
import os from "node:os";
import { test } from "node:test";
import { localPrefixes, localPrefixes6, ownAddresses } from "../../src/host/node/net/own-addresses.js";
import { parsePrefix } from "../../src/net/address.js";

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

/** As Linux shows it: a network of the link, its own address there, a whole prefix that is local, an address that several have, the loopback. */
const TABLE_6 = `fd000000000000000000000000000000 40 ${"0".repeat(32)} 00 ${"0".repeat(32)} 00000100 00000001 00000000 00000001     eth0
fd000000000000000000000000000002 80 ${"0".repeat(32)} 00 ${"0".repeat(32)} 00000000 00000002 00000000 80200001     eth0
20010db8000000000000000000000000 30 ${"0".repeat(32)} 00 ${"0".repeat(32)} 00000400 00000001 00000000 80000001       lo
fd000000000000000000000000000000 80 ${"0".repeat(32)} 00 ${"0".repeat(32)} 00000000 00000002 00000000 80300001     eth0
00000000000000000000000000000000 00 ${"0".repeat(32)} 00 ${"0".repeat(32)} ffffffff 00000001 00000000 00200200       lo
`;

test("R3.7 and what is its own of IPv6 from that of IPv6", () => {
  const [address, network, shared] = localPrefixes6(TABLE_6).map((one) => parsePrefix(one)!);
  assert.deepEqual(localPrefixes6(TABLE_6).length, 3);
  assert.deepEqual(
    [address, network, shared],
    ["fd00::2/128", "2001:db8::/48", "fd00::/128"].map(parsePrefix),
  );
  assert.deepEqual(localPrefixes6("\n"), []);
});
