/** R3.7 Whom the guest reaches by IPv6: no address of the host's, of its neighbourhood or of a cloud's secrets, in none of IPv6's many spellings of one of IPv4. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf } from "../../src/net/address.js";
import { parseAllowed, Policy, type PolicyOptions } from "../../src/net/policy.js";
import { GATEWAY_6, NAMESERVER_6, NetRig, six, SYN } from "../support/net-guest.js";

const OWN = ["192.168.7.7", "fe80::1%eth0", "2001:db8:7::7", "2001:db8:8::/64"];

function policyOf(options: PolicyOptions): Policy {
  return new Policy(
    options,
    () => OWN,
    () => 0,
  );
}

function refusal(address: string, options: PolicyOptions = { host: false }, port = 80): string | undefined {
  return policyOf(options).refuses(addressOf(address)!, port);
}

/** By what it is refused, whatever is allowed. */
const NEVER: readonly (readonly [string, RegExp])[] = [
  ["::", /this host/],
  ["::1", /loopback/],
  ["::192.0.2.1", /another spelling/],
  ["::127.0.0.1", /another spelling/],
  ["::ffff:127.0.0.1", /another spelling/],
  ["::ffff:192.0.2.1", /another spelling/],
  ["::ffff:0:127.0.0.1", /another spelling/],
  ["fe80::1", /link-local/],
  ["fe80::a9fe:a9fe", /link-local/],
  ["febf::1", /link-local/],
  ["fec0::2", /site/],
  ["ff02::1", /group/],
  ["ff0e::1", /group/],
  ["64:ff9b:1::7f00:1", /not known/],
  ["100::1", /nobody/],
  ["1::1", /nobody/],
  ["4000::1", /nobody/],
  ["5f00::1", /nobody/],
  ["fd00:ec2::254", /secrets/],
  ["fd00:ec2::23", /secrets/],
  ["fd20:ce::254", /secrets/],
  ["fd00:42::42", /secrets/],
  ["fd00:c1::a9fe:a9fe", /secrets/],
  ["fd00:a9fe:a9fe::1", /secrets/],
  ["fd00:a9fe:a9fe::ffff", /secrets/],
  ["fd00:100::100:200", /secrets/],
  ["64:ff9b::192.0.0.192", /secrets/],
  ["64:ff9b::127.0.0.1", /127\.0\.0\.1, in 64:ff9b::7f00:1, is the host's loopback/],
  ["64:ff9b::169.254.169.254", /link-local/],
  ["2002:7f00:1::1", /loopback/],
  ["2002:a9fe:a9fe::", /link-local/],
  ["2002:a83f:8110::1", /secrets/],
  // A server's address, and a client's with every bit turned.
  ["2001:0:7f00:1::3fff:fdfe", /loopback/],
  ["2001:0:c000:201::80ff:fffe", /loopback/],
  ["2001:db8::5efe:127.0.0.1", /loopback/],
  ["2001:db8::200:5efe:127.0.0.1", /loopback/],
];

test("R3.7 by IPv6 no guest gets to this host, its link, a group, nobody, or where clouds keep secrets, whatever is allowed (RFC 6890, RFC 4291, RFC 6052, RFC 3056, RFC 4380, RFC 5214)", () => {
  for (const [address, why] of NEVER) {
    assert.match(refusal(address) ?? "reached", why, address);
    const only = ["::/0", "0.0.0.0/0", address].map((one) => parseAllowed(one)!);
    assert.match(refusal(address, { host: true, only }) ?? "reached", why, address);
  }
});

test("R3.7 what is another machine's is reached, also by a translator or a tunnel that leads to one", () => {
  for (const address of [
    "2001:db8::1",
    "2606:4700::1",
    "fd00::1",
    "fc12::1",
    "64:ff9b::192.0.2.1",
    "2002:c000:201::1",
    "2001:0:c000:201::3fff:fdfe",
    "2001:db8::5efe:192.0.2.1",
  ])
    assert.equal(refusal(address), undefined, address);
});

test("R3.7 the host's own addresses and prefixes of IPv6 are the host: with host=yes only, and by no tunnel to one of IPv4 either", () => {
  for (const address of ["2001:db8:7::7", "2001:db8:8::9", "64:ff9b::192.168.7.7", "2002:c0a8:707::1"]) {
    assert.match(refusal(address) ?? "reached", /this host's; host=yes/, address);
    assert.equal(refusal(address, { host: true }), undefined, address);
    assert.match(refusal(address, { host: true, only: [] }) ?? "reached", /nothing allows it/, address);
    const list = [parseAllowed("host.locore:80")!];
    assert.equal(refusal(address, { host: true, only: list }), undefined, address);
    assert.notEqual(refusal(address, { host: true, only: list }, 22), undefined, address);
  }
});

test("R3.7 allow= takes addresses, prefixes and ports of IPv6, and each version is its own", () => {
  for (const [word, address, port, allowed] of [
    ["2001:db8::1", "2001:db8::1", 80, true],
    ["2001:db8::1", "2001:db8::2", 80, false],
    ["2001:db8::/32", "2001:db8:ffff::2", 80, true],
    ["2001:db8::/32", "2001:db9::2", 80, false],
    ["[2001:db8::1]:443", "2001:db8::1", 443, true],
    ["[2001:db8::1]:443", "2001:db8::1", 80, false],
    ["[2001:db8::/32]:443", "2001:db8::9", 443, true],
    ["[2001:db8::1]", "2001:db8::1", 80, true],
    ["::/0", "192.0.2.1", 80, false],
    ["0.0.0.0/0", "2001:db8::1", 80, false],
  ] as const) {
    const only = [parseAllowed(word)!];
    assert.equal(refusal(address, { host: false, only }, port) === undefined, allowed, `${word} ${address}`);
  }
  for (const wrong of [
    "2001:db8::/129",
    "[2001:db8::1",
    "[2001:db8::1]:0",
    "[2001:db8::1]:70000",
    "[10.0.0.1]:80",
    "[example.org]:80",
    "[]:80",
    "2001:db8::1::2",
    "1:2:3",
  ])
    assert.equal(parseAllowed(wrong), undefined, wrong);
});

test("R3.7 a prefix that is wider than a translator's allows no address of IPv4 behind it: the list must have that one, or name the translator's own prefix", () => {
  const behind = ["64:ff9b::10.0.0.1", "2002:a00:1::1", "2001:0:a00:1::f5ff:fffe", "2001:db8::5efe:10.0.0.1"];
  for (const address of behind)
    for (const [words, allowed] of [
      ["::/0", false],
      ["::/0 [::/0]:80", false],
      ["::/0 10.0.0.2", false],
      ["::/0 10.0.0.1:22", false],
      ["::/0 10.0.0.0/8", true],
      ["::/0 10.0.0.1:80", true],
      ["10.0.0.0/8", false],
      ["64:ff9b::/96 2002::/16 2001::/32 2001:db8::5efe:0:0/96", true],
      [address, true],
      ["64::/16 2000::/3", false],
    ] as const) {
      const only = words.split(" ").map((word) => parseAllowed(word)!);
      assert.equal(refusal(address, { host: false, only }) === undefined, allowed, `${words} ${address}`);
    }
  const own = { host: true, only: [parseAllowed("::/0")!] };
  assert.match(refusal("64:ff9b::192.168.7.7", own) ?? "reached", /nothing allows it/, "the host's, too");
});

test("R3.7 a name with thousands of addresses that share their last 64 bits costs no more time than another", () => {
  const policy = policyOf({ host: false, only: [parseAllowed("example.org")!] });
  const began = performance.now();
  for (let round = 0n; round < 40n; round++)
    for (let i = 0n; i < 4096n; i++) policy.pin("example.org", [((0x2600_0000n + i) << 96n) | 1n], 60);
  assert.ok(performance.now() - began < 5000, `${performance.now() - began} ms`);
  assert.equal(policy.refuses((0x2600_0000n << 96n) | 1n, 80), undefined);
});

test("R3.7 with allow=NAME the name's addresses of IPv6 are reached once the guest was told them, and no others", () => {
  const rig = new NetRig({ policy: { host: false, only: [parseAllowed("example.org:80")!] } });
  const reached = (address: string, remotePort = 80): boolean => {
    const before = rig.host.connections.length;
    rig.tcp({ port: 1 + before, remote: six(address), remotePort }, { seq: 5, flags: SYN });
    return rig.host.connections.length > before;
  };
  rig.host.names.set("example.org 6", { addresses: ["2001:db8::5", "::1", "fe80::1"], seconds: 60 });
  assert.ok(!reached("2001:db8::5"), "not before");
  const name = [7, ...Buffer.from("example"), 3, ...Buffer.from("org"), 0];
  const question = Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 28, 0, 1);
  rig.udp(NAMESERVER_6, 53, question);
  assert.ok(reached("2001:db8::5"));
  assert.ok(!reached("2001:db8::5", 22));
  for (const other of ["2001:db8::6", "::1", "fe80::1"]) assert.ok(!reached(other), other);
});

test("R3.7 host=yes with a list: the gateway's address of IPv6 is the host's, too", () => {
  const reached = (word: string): boolean => {
    const rig = new NetRig({ policy: { host: true, only: [parseAllowed(word)!] } });
    rig.tcp({ port: 1, remote: GATEWAY_6, remotePort: 80 }, { seq: 5, flags: SYN });
    return rig.host.connections.some(({ to }) => to.address === "::1");
  };
  assert.ok(reached("host.locore:80"));
  assert.ok(!reached("example.org"));
});
