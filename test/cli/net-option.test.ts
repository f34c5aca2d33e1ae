/** R3.7 --net, --publish and --pcap: what is understood, and what is refused with what to write instead. */
import assert from "node:assert/strict";
import test from "node:test";
import { Arguments, UsageError } from "../../src/cli/args.js";
import { readBootRequest } from "../../src/cli/boot-request.js";
import type { CableAsked } from "../../src/cli/cable-option.js";
import { parseNet, parsePublished, readNet, type UserAsked } from "../../src/cli/net-option.js";
import { parsePrefix } from "../../src/net/address.js";

const MAC = "52:54:00:12:34:56";

function policy(text: string): UserAsked["policy"] {
  return (parseNet(text) as UserAsked).policy;
}

function refused(call: () => unknown, message: RegExp): void {
  assert.throws(
    call,
    (error: Error) => error instanceof UsageError && message.test(error.message),
    String(message),
  );
}

test("R3.7 --net: none, user, and what of the world the guest may reach", () => {
  assert.equal(parseNet("none"), undefined);
  assert.deepEqual(parseNet("user"), { card: { mac: MAC, mtu: 1500 }, policy: { host: false } });
  assert.deepEqual(parseNet("user,host=yes,mtu=65520,mac=52-54-00-AB-CD-EF"), {
    card: { mac: "52:54:00:ab:cd:ef", mtu: 65_520 },
    policy: { host: true },
  });
  assert.deepEqual(parseNet("user,queues=4")!.card, { mac: MAC, mtu: 1500, queues: 4 });
  assert.deepEqual(parseNet("user,loss=1%,seed=3")!.faults, { loss: 0.01, seed: 3 });
  assert.equal(parseNet("user")!.faults, undefined);
  assert.deepEqual(parseNet("user,queues=1"), parseNet("user"));
  assert.deepEqual(policy("user,host=yes,allow=host.locore:80"), {
    host: true,
    only: [{ name: "host.locore", port: 80 }],
  });
  assert.deepEqual(policy("user,deny=*"), { host: false, only: [] });
  assert.deepEqual(policy("user,allow=Example.org:443,allow=10.0.0.0/8,deny=*"), {
    host: false,
    only: [{ name: "example.org", port: 443 }, { prefix: parsePrefix("10.0.0.0/8") }],
  });
});

test("R3.7 --net: each word that is wrong is named", () => {
  refused(() => parseNet("tap"), /expected none or user/);
  refused(() => parseNet("host=yes"), /expected none or user/);
  refused(() => parseNet("none,host=yes"), /nothing to say/);
  refused(() => parseNet("user,queues=0"), /queues/);
  refused(() => parseNet("user,queues=9"), /queues/);
  refused(() => parseNet("user,host=maybe"), /no host=maybe/);
  refused(() => parseNet("user,allow=host.locore:80"), /without host=yes/);
  refused(() => parseNet("user,deny=10.0.0.1"), /no deny=10/);
  refused(() => parseNet("user,allow=a b"), /allow=a b/);
  refused(() => parseNet("user,mac=33:33:00:00:00:01"), /one station/);
  refused(() => parseNet("user,mtu=1499"), /1500/);
  refused(() => parseNet("user,speed=9"), /no speed=9/);
});

test("R3.7 --publish: the loopback unless an address is given; datagrams too", () => {
  const at = (address: string, port: number) => ({ address, port });
  assert.deepEqual(
    parsePublished([
      "8080:80",
      "0.0.0.0:8081:80",
      "[::1]:8082:80",
      "5353:53/udp",
      "5353:53",
      "[::1]:5353:54/udp",
    ]),
    [
      { at: at("127.0.0.1", 8080), guestPort: 80, udp: false },
      { at: at("0.0.0.0", 8081), guestPort: 80, udp: false },
      { at: at("::1", 8082), guestPort: 80, udp: false },
      { at: at("127.0.0.1", 5353), guestPort: 53, udp: true },
      { at: at("127.0.0.1", 5353), guestPort: 53, udp: false },
      { at: at("::1", 5353), guestPort: 54, udp: true },
    ],
  );
  for (const wrong of [
    "80",
    "0:80",
    "80:0",
    "80:65536",
    "a:80:80",
    "256.1.1.1:80:80",
    "80:80/sctp",
    "::1:80:80",
    "",
  ])
    refused(() => parsePublished([wrong]), /expected \[ADDR:\]HOST:GUEST/);
  refused(() => parsePublished(["80:80", "127.0.0.1:80:81"]), /published already/);
  refused(() => parsePublished(["80:53/udp", "81:53/udp"]), /twice/);
});

test("R3.7 what is about a network makes no sense without one, and a network none in a run that repeats", () => {
  const args = (values: Record<string, string[]>): Arguments =>
    new Arguments([], new Map(Object.entries(values)));
  refused(() => readNet(args({ publish: ["80:80"] })), /--publish: the guest has no network/);
  refused(() => readNet(args({ net: ["none"], pcap: ["x"] })), /--pcap: the guest has no network/);
  assert.equal(readNet(args({})), undefined);
  assert.equal(readNet(args({ net: ["user"], pcap: ["x"] }))!.request.capture, "x");
  const kernel = { kernel: ["vmlinuz"], net: ["user,mtu=9000"] };
  assert.deepEqual(readBootRequest(args(kernel)).nets, [{ mac: MAC, mtu: 9000 }]);
  refused(
    () => readBootRequest(args({ ...kernel, deterministic: [""] })),
    /a deterministic run has no network/,
  );
});

test("R3.7 --net socket, switch and tap: what the cable leads to, and a card of an address of its own", () => {
  const cable = (text: string): CableAsked => parseNet(text) as CableAsked;
  assert.deepEqual(cable("socket=a,,b,listen=yes").cable, { kind: "socket", path: "a,b", listen: true });
  assert.deepEqual(cable("socket=a").cable, { kind: "socket", path: "a", listen: false });
  assert.deepEqual(cable("tap=tap0").cable, { kind: "tap", name: "tap0" });
  const { card, address } = cable("switch=lab,mac=52:54:00:00:07:09,mtu=9000");
  assert.deepEqual(card, { mac: "52:54:00:00:07:09", mtu: 9000 });
  assert.deepEqual(address, { address: "169.254.8.9/16" }, "nobody there answers to DHCP");
  assert.equal(cable("socket=a").address, undefined, "it asks by DHCP");
  assert.deepEqual(cable("tap=t,addr=10.0.3.2/24,gateway=10.0.3.1").address, {
    address: "10.0.3.2/24",
    gateway: "10.0.3.1",
  });
  const macs = Array.from({ length: 50 }, () => cable("switch=lab").card.mac);
  assert.equal(new Set(macs).size, 50);
  assert.ok(macs.every((mac) => mac.startsWith("52:54:00:")));
});

test("R3.7 --net with a cable: each word that is wrong is named, and so is what is of the network in user mode", () => {
  refused(() => parseNet("socket="), /expected the path of a socket/);
  refused(() => parseNet("switch=../x"), /expected a name of letters/);
  refused(() => parseNet(`switch=${"x".repeat(33)}`), /32 at most/);
  refused(() => parseNet("tap=a-name-that-is-too-long"), /15 bytes at most/);
  for (const name of ["äöüäöüäö", "tap%d", ".", "..", "a\0"])
    refused(() => parseNet(`tap=${name}`), /15 bytes at most/);
  assert.deepEqual((parseNet("tap=äöüäöüä") as CableAsked).cable, { kind: "tap", name: "äöüäöüä" });
  refused(() => parseNet("switch=lab,listen=yes"), /only a socket/);
  refused(() => parseNet("switch=lab,host=yes"), /host= is of the network in user mode/);
  refused(() => parseNet("socket=a,allow=10.0.0.0/8"), /allow= is of the network in user mode/);
  refused(() => parseNet("socket=a,addr=10.0.3.2"), /expected ADDRESS\/BITS/);
  refused(() => parseNet("socket=a,gateway=10.0.3.1"), /a gateway needs an address/);
  refused(() => parseNet("socket=a,mtu=1499"), /1500/);
  refused(() => parseNet("socket=a,mac=33:33:00:00:00:01"), /one station/);
  const args = (values: Record<string, string[]>): Arguments =>
    new Arguments([], new Map(Object.entries(values)));
  refused(() => readNet(args({ net: ["switch=a"], publish: ["80:80"] })), /--publish: it is of the network/);
  assert.equal(readNet(args({ net: ["switch=a"], pcap: ["x"] }))!.request.capture, "x");
  const kernel = { kernel: ["vmlinuz"], net: ["switch=a"] };
  refused(
    () => readBootRequest(args({ ...kernel, deterministic: [""] })),
    /a deterministic run has no network/,
  );
  refused(
    () => readBootRequest(args({ ...kernel, net: ["switch=a,addr=10.0.3.2/24"] })),
    /knows of no addr=/,
  );
});
