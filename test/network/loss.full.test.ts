/**
 * R3.7 Linux's own TCP on the other side of a bad link: netem in the guest loses and reorders packets each way, and what is fetched and
 * sent arrives as it was.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { DOCUMENTATION } from "../../src/guests/initramfs/package-files.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { VIRTIO_MODULES } from "../support/kernel-modules.js";
import { randomBytes } from "../support/random.js";
import { requireGuest, requirePackages } from "../support/requires.js";

const BYTES = 2 ** 20;
/** In the order in which they are loaded. */
const MODULES = [
  ...VIRTIO_MODULES,
  ...[
    "failover",
    "net_failover",
    "virtio_net",
    "ifb",
    "sch_netem",
    "sch_ingress",
    "act_mirred",
    "cls_matchall",
  ],
];
const ASSUMED = ["kmod", "linux-base", "initramfs-tools"];
const LINKS = [
  "loss 0%",
  "loss 1%",
  "loss 5%",
  "loss 10%",
  "delay 5ms reorder 75% 50%",
  "delay 5ms 2ms loss 2% duplicate 1%",
];

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

/** Has the bytes to be fetched, and answers what is sent with its digest. */
async function serve(t: TestContext, bytes: Uint8Array): Promise<number> {
  const server = http.createServer((request, answer) => {
    if (request.method === "GET") {
      answer.end(bytes);
      return;
    }
    const hash = createHash("md5");
    request.on("data", (piece: Buffer) => hash.update(piece));
    request.on("end", () => answer.end(`${hash.digest("hex")}\n`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

test(
  "R3.7 over links that lose up to a tenth of all packets each way, reorder a quarter and double some, 1 MiB arrives as it was, both ways",
  { timeout: 900_000 },
  async (t) => {
    const kernel = await requireGuest(t, "debian-cloud");
    if (kernel === undefined) return;
    const request = {
      packages: ["iproute2", "curl", `${kernel.package}=${kernel.version}`],
      assume: ASSUMED,
    };
    const packages = await requirePackages(t, request);
    if (packages === undefined) return;
    const otherModules = new RegExp(`^usr/lib/modules/(?!.*/(${MODULES.join("|")})\\.ko$)`);
    const bytes = randomBytes(11, BYTES);
    const url = `http://10.0.2.2:${await serve(t, bytes)}/`;
    const script = `
      for name in ${MODULES.join(" ")}; do insmod $(find /lib/modules -name $name.ko) || echo "no $name"; done
      ip link set lo up; ip link set eth0 up; ip link set ifb0 up
      ip address add 10.0.2.15/24 dev eth0
      # A shell of busybox's would take its own.
      tc=/usr/sbin/tc
      $tc qdisc add dev eth0 ingress
      $tc filter add dev eth0 parent ffff: matchall action mirred egress redirect dev ifb0
      each() {
        $tc qdisc replace dev eth0 root netem limit 5000 $1
        $tc qdisc replace dev ifb0 root netem limit 5000 $1
        from=$(cut -d' ' -f1 /proc/uptime)
        curl -s -o /tmp/down $2
        between=$(cut -d' ' -f1 /proc/uptime)
        curl -s -T /tmp/down $2 >/tmp/up
        to=$(cut -d' ' -f1 /proc/uptime)
        echo "link $1: down $(md5sum </tmp/down | cut -c1-32) up $(cat /tmp/up)"
        echo "took $1: $from down $between up $to, $($tc -s qdisc show dev eth0 root | grep -o 'dropped [0-9]*') $($tc -s qdisc show dev ifb0 | grep -o 'dropped [0-9]*')"
      }
      ${LINKS.map((link) => `each "${link}" ${url}`).join("\n")}
    `;
    const omit = [...DOCUMENTATION, /^boot\//, otherModules];
    const files = await kernelFiles(t, { packages: { ...packages, omit }, command: script });
    if (files === undefined) return;
    const words = ["boot", files.kernel, "--initrd", files.initrd, "-m", "512M", "--timeout", "600"];
    const append = ["--append", "console=ttyS0 quiet cryptomgr.notests=1"];
    const { out, err } = await locore([...words, ...append, "--net", "user,host=yes"]).during(t).ended;
    const lines = out.replaceAll("\r", "").split("\n");
    for (const line of lines.filter((one) => one.startsWith("took "))) t.diagnostic(line);
    assert.deepEqual(
      lines.filter((line) => line.startsWith("link ")),
      LINKS.map((link) => `link ${link}: down ${md5(bytes)} up ${md5(bytes)}`),
      out + err,
    );
    // Packets are up to 64 KiB long: a link has some forty, of which 1 % may be none.
    assert.match(out, /took loss 10%: .*dropped [1-9]\d* dropped [1-9]\d*/);
  },
);
