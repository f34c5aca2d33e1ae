/**
 * R3.7 R6.2 a guest of Debian that is saved in the middle of a transfer, with nothing on its way, and only waits for more: where it is
 * restored nobody knows its connection, and it hears so at once.
 */
import assert from "node:assert/strict";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { WITHOUT_CRYPTO_TESTS } from "../support/kernel-boot.js";
import { kernelFiles, locore } from "../support/kernel-files.js";
import { kernelModules, VIRTIO_MODULES } from "../support/kernel-modules.js";
import { listening } from "../kernels/net-servers.js";

const MINUTES = 60_000;
const PIECE = 100_000;

test(
  "R3.7 R6.2 a program that only reads from a connection of before ends when its machine is restored",
  { timeout: 10 * MINUTES },
  async (t) => {
    const modules = await kernelModules(t, "debian-cloud", [
      ...VIRTIO_MODULES,
      "failover",
      "net_failover",
      "virtio_net",
    ]);
    if (modules === undefined) return;
    // It says half of what it has, and waits; what the guest has to say never ends.
    const server = net.createServer((socket) => {
      socket.write(Buffer.alloc(PIECE, "x"));
      socket.on("error", () => undefined);
    });
    const port = await listening(t, server);
    const script = `${modules.load}
    ip link set eth0 up; ip address add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
    mkfifo /tmp/in; (sleep 1000 >/tmp/in) &
    (nc 10.0.2.2 ${port} </tmp/in >/tmp/got; echo "ended=$(wc -c </tmp/got)" >/tmp/ended) &
    for i in $(seq 300); do [ "$(wc -c </tmp/got)" = ${PIECE} ] && break; sleep 0.1; done
    sleep 1; [ -e /tmp/ended ] && echo "ended early"; echo "cut here"
    for i in $(seq 300); do [ -e /tmp/ended ] && break; sleep 0.1; done
    cat /tmp/ended; echo "tenths=$i"`;
    const files = await kernelFiles(t, { packages: modules.packages, command: script });
    if (files === undefined) return;
    const words = [
      files.kernel,
      "--initrd",
      files.initrd,
      "--append",
      `console=ttyS0 quiet ${WITHOUT_CRYPTO_TESTS}`,
    ];
    const snapshot = path.join(files.folder, "cut.snap");
    const cut = ["--snapshot-at", "cut here", "--snapshot", snapshot];
    const saved = await locore(["boot", ...words, "--net", "user,host=yes", ...cut]).during(t).ended;
    assert.equal(saved.status, 0, saved.out + saved.err);
    assert.doesNotMatch(saved.out, /ended early/);
    const { status, out, err } = await locore(["restore", snapshot, "--net", "user,host=yes"]).during(t)
      .ended;
    assert.equal(status, 0, out + err);
    assert.match(out, new RegExp(`ended=${PIECE}`), out + err);
    const tenths = Number(/tenths=(\d+)/.exec(out)?.[1]);
    assert.ok(tenths < 100, `it waited ${tenths} tenths of a second`);
  },
);
