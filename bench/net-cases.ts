/**
 * A network card under Debian's cloud kernel: curl fetches and sends, ApacheBench asks many small things. The server is this process, on
 * the host's loopback; QEMU has `-netdev user` beside it, whose addresses are the same.
 */
import { writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { fetchPackages, GuestError, initramfsBytes, pullGuest } from "../src/guests/index.js";
import { DOCUMENTATION } from "../src/guests/initramfs/package-files.js";
import { COMMAND_LINE, guestFile } from "./boot-cases.js";
import type { Case, Skipped } from "./case.js";
import { isLine } from "./measure.js";
import type { Boot } from "./peers.js";

const MIB = 1024 * 1024;
const MEMORY_MIB = 512;
const TRANSFER_MIB = 100;
const REQUESTS = 2000;
const CONNECTIONS = 1000;
/** Connections that are open at once while many are opened. */
const AT_ONCE = 10;
/** In the order in which they are loaded. */
const MODULES = ["virtio_ring", "virtio", "virtio_mmio", "failover", "net_failover", "virtio_net"];
/** Of the packages of a kernel, what only serves to install it. */
const ASSUMED = ["kmod", "linux-base", "initramfs-tools"];
const HOST = "10.0.2.2";
const STATUS_LINE = "bench: net ended with";
const RIGHT = `${STATUS_LINE} 0`;
const AT = "/tmp/up";

interface Job {
  name: string;
  what(scale: number): string;
  /** Shell; fails where not all arrived. */
  command(scale: number, url: string): string;
}

const scaled = (amount: number, scale: number): number => Math.max(1, Math.round(amount * scale));
const transferBytes = (scale: number): number => scaled(TRANSFER_MIB * MIB, scale);

/** So many answers, none of them failed. */
const bench = (words: string, count: number, url: string): string =>
  `ab -q ${words} -n ${count} ${url}/ >/tmp/ab; grep -q "^Complete requests: *${count}$" /tmp/ab && grep -q "^Failed requests: *0$" /tmp/ab`;

const JOBS: readonly Job[] = [
  {
    name: "net down",
    what: (scale) => `${scaled(TRANSFER_MIB, scale)} MiB to the guest`,
    command: (scale, url) =>
      `[ "$(curl -s -o /dev/null -w '%{size_download}' ${url}/big)" = ${transferBytes(scale)} ]`,
  },
  {
    name: "net up",
    what: (scale) => `${scaled(TRANSFER_MIB, scale)} MiB from the guest`,
    command: (scale, url) => `[ "$(curl -s -T ${AT} ${url}/up)" = ${transferBytes(scale)} ]`,
  },
  {
    name: "net requests",
    what: (scale) => `${scaled(REQUESTS, scale)} answers, one behind the other`,
    command: (scale, url) => bench("-k -c 1", scaled(REQUESTS, scale), url),
  },
  {
    name: "net connections",
    what: (scale) => `${scaled(CONNECTIONS, scale)} connections, ${AT_ONCE} at once`,
    command: (scale, url) => bench(`-c ${AT_ONCE}`, scaled(Math.max(CONNECTIONS, AT_ONCE), scale), url),
  },
];

const beginLine = (name: string): string => `bench: begin ${name}`;
const endLine = (name: string): string => `bench: end ${name}`;

/** Serves the jobs, and keeps no process alive. Gives its port. */
async function serve(scale: number): Promise<number> {
  const big = Buffer.alloc(transferBytes(scale), 7);
  const server = http.createServer({ keepAliveTimeout: 0 }, (request, answer) => {
    if (request.url === "/big") answer.end(big);
    else if (request.url === "/up") {
      let taken = 0;
      request.on("data", (bytes: Buffer) => (taken += bytes.length));
      request.on("end", () => answer.end(`${taken}`));
    } else answer.end("answer\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return (server.address() as AddressInfo).port;
}

function script(scale: number, port: number): string {
  const url = `http://${HOST}:${port}`;
  const jobs = JOBS.flatMap(({ name, command }) => [
    `echo "${beginLine(name)}"`,
    `{ ${command(scale, url)}; } || { echo "failed: ${name}"; s=1; }`,
    `echo "${endLine(name)}"`,
  ]);
  return [
    ...MODULES.map((name) => `insmod $(find /lib/modules -name ${name}.ko)`),
    "ip link set lo up; ip link set eth0 up",
    "ip address add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2",
    `head -c ${transferBytes(scale)} /dev/zero >${AT}`,
    "s=0",
    ...jobs,
    `echo "${STATUS_LINE} $s"`,
  ].join("\n");
}

async function netBoot(scale: number, folder: string): Promise<Boot | Skipped> {
  const busybox = await guestFile("busybox", "busybox");
  if (typeof busybox !== "string") return busybox;
  try {
    const kernel = await pullGuest("debian-cloud");
    const packages = await fetchPackages({
      packages: ["curl", "apache2-utils", `${kernel.package}=${kernel.version}`],
      assume: ASSUMED,
    });
    const otherModules = new RegExp(`^usr/lib/modules/(?!.*/(${MODULES.join("|")})\\.ko$)`);
    const initrd = path.join(folder, "net.cpio");
    const archive = await initramfsBytes({
      busybox,
      packages: { ...packages, omit: [...DOCUMENTATION, /^boot\//, /perl|\/gconv\//, otherModules] },
      command: script(scale, await serve(scale)),
    });
    await writeFile(initrd, archive);
    return { kernel: kernel.files["kernel"], initrd, append: COMMAND_LINE, memoryMib: MEMORY_MIB, net: true };
  } catch (error) {
    if (error instanceof GuestError) return { skip: error.message };
    throw error;
  }
}

/** One boot that uses a network in four ways. */
export function netCases(scale: number): Case[] {
  return [
    {
      group: "net",
      name: "net",
      spans: JOBS.map(({ name, what }) => ({
        name,
        what: what(scale),
        from: beginLine(name),
        to: endLine(name),
        bar: "net",
      })),
      monitors: ["locore", "qemu"],
      productOnly: true,
      until: RIGHT,
      prepare: (folder) => netBoot(scale, folder),
      wrong: ({ lines }) => {
        if (lines.some(({ text }) => isLine(text, RIGHT))) return new Map();
        const said =
          lines.find(({ text }) => /failed: |ended with/.test(text))?.text ?? "the guest did not end";
        return new Map(JOBS.map(({ name }) => [name, said]));
      },
    },
  ];
}
