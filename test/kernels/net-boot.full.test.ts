/**
 * R3.7 What takes longer: a guest of `locore boot` with its own DHCP client, saved in the middle of a transfer and gone on with a new
 * network; 500 connections at once; what analysers of Debian's say of a capture.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";
import { pcapngFrames } from "../support/pcapng-reader.js";
import { hasRunGuests, startRun } from "../support/run-command.js";

const LIMIT = { timeout: 600_000 };
const BIG = 100 * 2 ** 20;

/** A server of pages, and of one that is large. */
async function pages(t: TestContext): Promise<number> {
  const big = Buffer.alloc(BIG, 7);
  const server = http.createServer((request, answer) =>
    answer.end(request.url === "/big" ? big : `page ${request.url}\n`),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

test(
  "R3.7 a guest that is saved in the middle of a transfer goes on: the transfer ends with a reset, the next page arrives; without --net the cable is out",
  LIMIT,
  async (t) => {
    const modules = await kernelModules(t, "debian-cloud", [
      ...VIRTIO_MODULES,
      "failover",
      "net_failover",
      "virtio_net",
    ]);
    if (modules === undefined) return;
    const port = await pages(t);
    const url = `http://host.locore:${port}`;
    const script = `
    ${modules.load}
    ip link set eth0 up
    cat >/lease <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev "$interface"
ip route add default via "$router"
echo "nameserver $dns" >/etc/resolv.conf
END
    chmod 755 /lease
    udhcpc -f -q -n -i eth0 -s /lease >/dev/null 2>&1
    wget -qO- ${url}/before
    (wget -qO /dev/null ${url}/big; echo "transfer: $?"; wget -qO- ${url}/after; poweroff -f) &
    sleep 1
    echo "save here"
    wait`;
    const files = await kernelFiles(t, { packages: modules.packages, command: script });
    if (files === undefined) return;
    const file = path.join(files.folder, "net.snap");
    const net = ["--net", "user,host=yes"];
    const words = [
      "--append",
      "console=ttyS0 quiet cryptomgr.notests=1",
      "--snapshot-at",
      "save here",
      "--snapshot",
      file,
    ];
    const saved = await locore(["boot", files.kernel, "--initrd", files.initrd, ...words, ...net]).during(t)
      .ended;
    assert.equal(saved.status, 0, saved.err);
    assert.match(saved.out, /page \/before/);
    assert.doesNotMatch(saved.out, /transfer:/);
    const again = await locore(["restore", file, ...net, "--timeout", "120"]).during(t).ended;
    assert.match(again.out, /transfer: 1/, again.err);
    assert.match(again.out, /page \/after/);
    assert.match(again.err, /off by acpi-s5/);
    const alone = await locore(["restore", file, "--timeout", "15"]).during(t).ended;
    assert.doesNotMatch(alone.out, /page \/after/);
    assert.match(alone.err, /timeout/);
  },
);

test("R3.7 500 connections at once, each with its page", LIMIT, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const url = `http://host.locore:${await pages(t)}`;
  const script = `mkdir /tmp/p; for i in $(seq 500); do wget -qO /tmp/p/$i ${url}/$i & done; wait; cat /tmp/p/* | sort -u | wc -l`;
  const { status, out, err } = await startRun(t, [
    "-m",
    "512M",
    "--net",
    "user,host=yes",
    "--",
    "sh",
    "-c",
    script,
  ]).ended;
  assert.deepEqual([status, out.toString()], [0, "500\n"], err);
});

/** The same by IPv6: an echo in pieces, a connection that is refused, a name, and what is prohibited. */
const SIX = `
  for i in $(seq 100); do ip -6 address show dev eth0 | grep -q 'inet6 fd' && break; usleep 50000; done
  ping -6 -c 1 -s 4000 fec0::2; wget -qO- http://[fec0::2]:1/; nslookup host.locore fec0::3
  echo x | nc -u -w 1 fec0::99 9; wget -qO- http://[2001:db8::1]/ -T 2; true
`;

test("R3.7 Debian's tcpdump and tshark find no frame of a capture malformed", LIMIT, async (t) => {
  if (!(await hasRunGuests(t))) return;
  const folder = await mkdtemp(path.join(tmpdir(), "locore-net-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const capture = path.join(folder, "net.pcapng");
  const url = `http://host.locore:${await pages(t)}`;
  const script = `for i in 1 2 3; do wget -qO- ${url}/$i; done; head -c 300000 /dev/zero | nc host.locore 1; ping -c 2 10.0.2.2; nslookup nobody.example; wget -qO- http://10.0.2.99/; ${SIX}`;
  const run = await startRun(t, ["--net", "user,host=yes", "--pcap", capture, "--", "sh", "-c", script])
    .ended;
  assert.equal(run.status, 0, run.err);
  const frames = pcapngFrames(readFileSync(capture)).length;
  const judge = `
    tcpdump -Z root -r net.pcapng -nn -vv >/tmp/text 2>/tmp/errors
    grep -c -v '^[[:space:]]' /tmp/text
    grep -icE 'bad (udp |tcp )?c?k?sum|malformed|truncated|incorrect' /tmp/text
    tshark -r net.pcapng -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -Y '_ws.malformed || _ws.expert.severity == error || tcp.checksum.status == 0' 2>/dev/null | wc -l
    tshark -r net.pcapng 2>/dev/null | wc -l`;
  const words = [
    "--root",
    "debian:tcpdump,tshark",
    "--share",
    `${folder}:/capture`,
    "--cwd",
    "/capture",
    "-m",
    "1G",
  ];
  const judged = await startRun(t, [...words, "--", "sh", "-c", judge]).ended;
  assert.deepEqual(
    judged.out.toString().trim().split("\n"),
    [`${frames}`, "0", "0", `${frames}`],
    judged.err,
  );
});
