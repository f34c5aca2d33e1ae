/** R3.7 host=yes together with a list: the host is what the list has of it, by each of its addresses, and no name of somebody else's leads there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../../src/net/ipv4.js";
import { parseAllowed } from "../../src/net/policy.js";
import { GATEWAY, NetRig, SYN } from "../support/net-guest.js";

const OWN = parseAddress("192.168.7.7")!;

/** Whether a guest gets to a port of the host, of TCP and of UDP, with `host=yes` and these words behind `allow=`. */
function reaches(allow: readonly string[], address: number, port: number): boolean {
  const rig = new NetRig({ policy: { host: true, only: allow.map((one) => parseAllowed(one)!) } });
  rig.host.names.set("evil.org 4", { addresses: ["192.168.7.7", "10.0.2.2"], seconds: 60 });
  const name = [4, ...Buffer.from("evil"), 3, ...Buffer.from("org"), 0];
  rig.udp(
    parseAddress("10.0.2.3")!,
    53,
    Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 1, 0, 1),
  );
  rig.tcp({ port: 1, remote: address, remotePort: port }, { seq: 5, flags: SYN });
  rig.udp(address, port, Uint8Array.of(1));
  const [tcp, udp] = [rig.host.connections.length > 0, rig.host.sockets.length > 0];
  assert.equal(tcp, udp);
  return tcp;
}

test("R3.7 host=yes with a list: the list has to have the host, and only what it has of it is reached", () => {
  for (const address of [GATEWAY, OWN]) {
    assert.ok(!reaches([], address, 80), "deny=* is nothing");
    assert.ok(!reaches(["example.org"], address, 80));
    assert.ok(!reaches(["evil.org"], address, 80), "a name that its owner points at this host");
    assert.ok(reaches(["host.locore:80"], address, 80));
    assert.ok(!reaches(["host.locore:80"], address, 22));
    assert.ok(reaches(["host.locore"], address, 22));
  }
  assert.ok(reaches(["192.168.0.0/16:80"], OWN, 80));
  assert.ok(!reaches(["192.168.0.0/16:80"], OWN, 22));
  assert.ok(!reaches(["192.168.0.0/16"], GATEWAY, 80));
});

test("R3.7 no guest gets to where a cloud tells its host secrets, whatever is allowed", () => {
  for (const address of ["169.254.169.254", "168.63.129.16", "192.0.0.192", "100.100.100.200"])
    assert.ok(!reaches([address], parseAddress(address)!, 80), address);
  assert.ok(reaches(["100.100.100.201"], parseAddress("100.100.100.201")!, 80));
});
