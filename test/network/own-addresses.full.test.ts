/**
 * R3.7 A host with a bridge as containers have it, with addresses that no interface has up, and with a whole prefix that is led to it;
 * its services are on all addresses (0.0.0.0). The guest reaches none of them without leave.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { requireTool } from "../support/requires.js";
import { hasRunGuests, PROGRAM } from "../support/run-command.js";
import type { Reached } from "./many-addresses.js";

const HOST = fileURLToPath(new URL("many-addresses.js", import.meta.url));
/** A bridge without a carrier, an address of the loopback's, and one of a prefix that a route leads here. */
const ADDRESSES = ["172.17.0.1", "192.0.2.7", "198.51.100.1", "203.0.113.77"];
const SET_UP = [
  "ip link set lo up",
  "ip link add docker0 type bridge",
  "ip address add 172.17.0.1/16 dev docker0",
  "ip link set docker0 up",
  "ip address add 192.0.2.7/32 dev lo",
  "ip link add down0 type bridge",
  "ip address add 198.51.100.1/24 dev down0",
  "ip route add local 203.0.113.0/24 dev lo",
].join(" && ");

test(
  "R3.7 none of a host's addresses, however it came by them, leads a guest to services on all of them",
  { timeout: 280_000 },
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const [unshare, ip] = [requireTool(t, "unshare"), requireTool(t, "ip")];
    if (unshare === undefined || ip === undefined) return;
    if (spawnSync(unshare, ["-Urn", "sh", "-c", SET_UP]).status !== 0) {
      t.skip("this host lets nobody have a network of its own");
      return;
    }
    const inside = [
      "sh",
      "-c",
      `${SET_UP} && exec "$@"`,
      "sh",
      process.execPath,
      HOST,
      PROGRAM,
      ...ADDRESSES,
    ];
    const { stdout, stderr } = spawnSync(unshare, ["-Urn", ...inside], { encoding: "utf8" });
    const { tcp, udp, out, err } = JSON.parse(stdout || `{"err":${JSON.stringify(stderr)}}`) as Reached;
    assert.deepEqual([tcp, udp, out], [[], [], "over\n"], err);
    for (const address of [...ADDRESSES, "10.0.2.2"])
      for (const protocol of ["tcp", "udp"]) {
        const line = `does not reach ${protocol} ${address}:8000: `;
        assert.equal(err.split(line).length, 2, `${line}\n${err}`);
      }
  },
);
