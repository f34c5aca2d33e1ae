/** R3.7 Linux's own driver and stack on the user-mode network by IPv6, in long segments both ways. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os, { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { pcapngFrames } from "../support/pcapng-reader.js";
import { randomBytes } from "../support/random.js";
import { hasRunGuests, startRun } from "../support/run-command.js";
import { listening, md5 } from "./net-servers.js";

const LIMIT = { timeout: 280_000 };
const MEGABYTES = 5 * 2 ** 20;

test(
  "R3.7 by IPv6, with host=yes: an address of the guest's own making, echoes, names, pages and 5 MiB each way from ::1, in long segments; no address of IPv4 in disguise",
  LIMIT,
  async (t) => {
    if (!(await hasRunGuests(t))) return;
    const loopback = Object.values(os.networkInterfaces()).flat();
    if (!loopback.some((one) => one?.address === "::1")) {
      t.skip("this host has no ::1");
      return;
    }
    const big = randomBytes(6, MEGABYTES);
    const server = http.createServer((request, answer) => {
      if (request.url === "/big") answer.end(big);
      else answer.end(`${request.url} for ${request.socket.remoteAddress}\n`);
    });
    const port = await listening(t, server, "::1");
    const got: Buffer[] = [];
    const sink = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("data", (bytes) => got.push(bytes));
      socket.on("end", () => socket.end("taken\n"));
    });
    const sinkPort = await listening(t, sink, "::1");
    const folder = mkdtempSync(path.join(tmpdir(), "locore-net-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const capture = path.join(folder, "net.pcapng");
    const six = "fd6c:6f63:6f72";
    const script = `
        for i in $(seq 100); do ip -6 address show dev eth0 | grep -q 'inet6 fd' && break; usleep 50000; done
        ip -6 address show dev eth0 | grep -o 'inet6 f[^ ]*'
        ip -6 address show dev eth0 | grep -c tentative
        cat /proc/sys/net/ipv6/conf/eth0/mtu
        ping -6 -c 1 fec0::2 | grep -o '1 packets received'
        ping -6 -c 1 -s 4000 fec0::3 | grep -o '1 packets received'
        ping -6 -c 1 fe80::2%eth0 | grep -o '1 packets received'
        nslookup -type=aaaa host.locore fec0::3 | grep 'Address: '
        six=$(nslookup -type=aaaa host.locore | sed -n 's/Address: //p' | tail -n 1)
        wget -qO- http://[$six]:${port}/name
        wget -qO- http://[fec0::2]:${port}/address
        wget -qO /tmp/big http://[fec0::2]:${port}/big
        md5sum </tmp/big
        nc fec0::2 ${sinkPort} </tmp/big
        cat /etc/resolv.conf
        wget -qO- http://[::ffff:127.0.0.1]:${port}/ 2>/dev/null && echo reached
        wget -qO- http://[64:ff9b::7f00:1]:${port}/ 2>/dev/null && echo reached
        echo over
      `;
    const words = ["--net", "user,host=yes", "--pcap", capture, "--", "sh", "-c", script];
    const { status, out, err } = await startRun(t, words).ended;
    assert.equal(status, 0, err);
    assert.deepEqual(out.toString().split("\n"), [
      `inet6 ${six}:0:5054:ff:fe12:3456/64`,
      "inet6 fe80::5054:ff:fe12:3456/64",
      "0",
      "1500",
      ...new Array<string>(3).fill("1 packets received"),
      `Address: fec0::2`,
      "/name for ::1",
      "/address for ::1",
      `${md5(big)}  -`,
      "taken",
      "nameserver 10.0.2.3",
      "over",
      "",
    ]);
    assert.equal(md5(Buffer.concat(got)), md5(big));
    const long = pcapngFrames(readFileSync(capture)).filter(
      ({ bytes }) => bytes[12] === 0x86 && bytes[13] === 0xdd && bytes.length > 1514,
    );
    for (const toGuest of [false, true])
      assert.ok(
        long.some((frame) => frame.toGuest === toGuest),
        `long segments, to the guest: ${toGuest}`,
      );
  },
);
