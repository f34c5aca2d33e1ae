/**
 * R3.7 Linux's own driver, stack and DHCP client on the user-mode network: pages and bytes both ways, a server in the guest, and
 * what the guest may not reach. Everything beyond the guest is in this process.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import os, { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { pcapngFrames } from "../support/pcapng-reader.js";
import { randomBytes } from "../support/random.js";
import { hasRunGuests, startRun } from "../support/run-command.js";
import { freePort, get, listening, md5 } from "./net-servers.js";

const LIMIT = { timeout: 280_000 };
const MEGABYTES = 5 * 2 ** 20;

describe("R3.7 --net user, with Debian's cloud kernel", { concurrency: 2 }, () => {
  test(
    "R3.7 with host=yes and a pair of queues for each CPU: an address by DHCP, a page and 5 MiB from this host, 5 MiB to it, 40 connections at once, 5 MiB out of a published port; every frame is in the capture",
    LIMIT,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      const big = randomBytes(5, MEGABYTES);
      const server = http.createServer((request, answer) => {
        if (request.url === "/big") answer.end(big);
        else answer.end(`page ${request.url}\n`);
      });
      const port = await listening(t, server);
      const got: Buffer[] = [];
      const sink = net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on("data", (bytes) => got.push(bytes));
        socket.on("end", () => socket.end(`${Buffer.concat(got).length} bytes\n`));
      });
      const sinkPort = await listening(t, sink);
      const published = await freePort();
      const folder = mkdtempSync(path.join(tmpdir(), "locore-net-"));
      t.after(() => rmSync(folder, { recursive: true }));
      const capture = path.join(folder, "net.pcapng");
      const script = `
        ip -4 address show eth0 | grep -o 'inet [0-9./]*'
        ls /sys/class/net/eth0/queues | tr '\\n' ' '; cat /sys/class/net/eth0/carrier
        ip route | grep -o 'default via [0-9.]*'
        cat /etc/resolv.conf
        url=http://host.locore:${port}
        wget -qO- $url/first
        wget -qO /tmp/big $url/big
        md5sum </tmp/big
        nc host.locore ${sinkPort} </tmp/big
        for i in $(seq 40); do wget -qO /tmp/page$i $url/$i & all="$all $!"; done
        wait $all
        cat /tmp/page* | sort | uniq | wc -l
        ping -c 1 10.0.2.2 | grep -o '1 packets received'
        mkdir /srv; cp /tmp/big /srv/big; echo of the guest >/srv/page
        httpd -p 80 -h /srv
        echo serving >&2
        nc -l -p 81 >/dev/null
      `;
      const ending = await freePort();
      const ports = ["--publish", `${published}:80`, "--publish", `127.0.0.1:${ending}:81`];
      const words = [
        "--cpus",
        "2",
        "--net",
        "user,host=yes,queues=4",
        ...ports,
        "--pcap",
        capture,
        "--",
        "sh",
        "-c",
        script,
      ];
      const run = startRun(t, words);
      await run.shows("serving");
      assert.equal((await get(published, "/page")).toString(), "of the guest\n");
      assert.equal(md5(await get(published, "/big")), md5(big));
      net.connect(ending, "127.0.0.1").end("over");
      const { status, out, err } = await run.ended;
      assert.equal(status, 0, err);
      assert.deepEqual(out.toString().split("\n"), [
        "inet 10.0.2.15/24",
        "rx-0 rx-1 tx-0 tx-1 1",
        "default via 10.0.2.2",
        "nameserver 10.0.2.3",
        "page /first",
        `${md5(big)}  -`,
        `${MEGABYTES} bytes`,
        "40",
        "1 packets received",
        "",
      ]);
      assert.equal(md5(Buffer.concat(got)), md5(big));
      const frames = pcapngFrames(readFileSync(capture));
      assert.ok(frames.length > 2000, `${frames.length} frames`);
      assert.ok(frames.some(({ bytes }) => Buffer.from(bytes).includes("GET /first")));
    },
  );

  test(
    "R3.7 without it the guest reaches nothing of this host, by none of its addresses, and each refusal is told once",
    LIMIT,
    async (t) => {
      if (!(await hasRunGuests(t))) return;
      let reached = 0;
      const targets: string[] = [];
      // Those of a link are no other machine's, and the guest has a link of its own.
      const addresses = Object.values(os.networkInterfaces()).flatMap((all = []) =>
        all.map(({ address }) => address).filter((one) => !one.startsWith("fe80:") && one !== "::1"),
      );
      for (const address of [...new Set([...addresses, "127.0.0.1"])]) {
        const server = http.createServer((_, answer) => {
          reached++;
          answer.end("reached\n");
        });
        const host = net.isIPv6(address) ? `[${address}]` : address;
        targets.push(`${host}:${await listening(t, server, address)}`);
      }
      const gatewayPort = targets.find((one) => one.startsWith("127."))!.split(":")[1];
      const hosts = [...targets.filter((one) => !one.startsWith("127.")), `10.0.2.2:${gatewayPort}`];
      hosts.push(`[fec0::2]:${gatewayPort}`);
      const others = ["169.254.169.254:80", "0.0.0.0:80", "10.0.2.77:80"];
      const script = `
        for i in $(seq 100); do ip -6 address show dev eth0 | grep -q 'inet6 fd' && break; usleep 50000; done
        for each in ${[...hosts, ...others].join(" ")} ${hosts[0]}; do
          wget -qO- http://$each/ 2>/dev/null && echo "$each was reached"
        done
        echo over
      `;
      const { out, err } = await startRun(t, ["--net", "user", "--", "sh", "-c", script]).ended;
      assert.equal(out.toString(), "over\n");
      assert.equal(reached, 0);
      for (const host of hosts) {
        const told = err.split("\n").filter((line) => line.includes(`does not reach tcp ${host}:`));
        assert.equal(told.length, 1, `${host}: ${err}`);
        assert.match(told[0], /host=yes allows it/);
      }
      assert.match(err, /169\.254\.169\.254 is link-local/);
    },
  );
});
