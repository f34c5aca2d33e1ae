/**
 * A disk under Debian's cloud kernel: fio reads and writes it in order and at random, past the guest's page cache. The disk is the same
 * raw file for every peer, written for good; the host's page cache is warm for all.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { fetchPackages, GuestError, initramfsBytes, pullGuest } from "../src/guests/index.js";
import { DOCUMENTATION } from "../src/guests/initramfs/package-files.js";
import { COMMAND_LINE, guestFile } from "./boot-cases.js";
import type { Case, Skipped } from "./case.js";
import { randomWords } from "./compute/random.js";
import { isLine } from "./measure.js";
import type { Boot } from "./peers.js";

const MIB = 1024 * 1024;
const MEMORY_MIB = 512;
const DISK_MIB = 256;
/** In order, the disk is passed over four times: one pass takes 0.3 s, of which starting the job is a third. */
const ORDERED_MIB = 4 * DISK_MIB;
const RANDOM_ACCESSES = 10_000;
const RANDOM_SIZE_KIB = 4;
const ORDERED_SIZE_KIB = 256;
/** In the order in which they are loaded. */
const MODULES = ["virtio_ring", "virtio", "virtio_mmio", "virtio_blk"];
/** Of the packages of a kernel, what only serves to install it. */
const ASSUMED = ["kmod", "linux-base", "initramfs-tools"];
const JOBS = "/bench/disk.fio";
const STATUS_LINE = "bench: disk ended with";
const RIGHT = `${STATUS_LINE} 0`;

interface Job {
  name: string;
  /** fio's word. */
  rw: "read" | "write" | "randread" | "randwrite";
}

const JOB_LIST: readonly Job[] = [
  { name: "disk read", rw: "read" },
  { name: "disk write", rw: "write" },
  { name: "disk read, random", rw: "randread" },
  { name: "disk write, random", rw: "randwrite" },
];

const scaled = (amount: number, scale: number): number => Math.max(1, Math.round(amount * scale));
const beginLine = (name: string): string => `bench: begin ${name}`;
const endLine = (name: string): string => `bench: end ${name}`;
const isRandom = ({ rw }: Job): boolean => rw.startsWith("rand");

function what(job: Job, scale: number): string {
  return isRandom(job)
    ? `${scaled(RANDOM_ACCESSES, scale)} × ${RANDOM_SIZE_KIB} KiB`
    : `${scaled(ORDERED_MIB, scale)} MiB by ${ORDERED_SIZE_KIB} KiB`;
}

/** fio's job file; each job says on the console when it begins and has ended. */
function jobFile(scale: number): string {
  // fio puts a redirection of its own behind the command.
  const say = (line: string): string => `echo "${line}" >/dev/console && true`;
  const jobs = JOB_LIST.flatMap((job) => [
    `[${job.rw}]`,
    "stonewall",
    `rw=${job.rw}`,
    ...(isRandom(job)
      ? [`bs=${RANDOM_SIZE_KIB}k`, `number_ios=${scaled(RANDOM_ACCESSES, scale)}`, "norandommap"]
      : [`bs=${ORDERED_SIZE_KIB}k`, `io_size=${scaled(ORDERED_MIB, scale)}m`]),
    ...(job.rw.endsWith("write") ? ["end_fsync=1"] : []),
    `exec_prerun=${say(beginLine(job.name))}`,
    `exec_postrun=${say(endLine(job.name))}`,
  ]);
  const global = [
    "filename=/dev/vda",
    `size=${DISK_MIB}m`,
    "direct=1",
    "ioengine=psync",
    "thread=1",
    "randseed=17",
  ];
  return ["[global]", ...global, ...jobs, ""].join("\n");
}

async function diskBoot(scale: number, folder: string): Promise<Boot | Skipped> {
  const busybox = await guestFile("busybox", "busybox");
  if (typeof busybox !== "string") return busybox;
  try {
    const kernel = await pullGuest("debian-cloud");
    const packages = await fetchPackages({
      packages: ["fio", `${kernel.package}=${kernel.version}`],
      assume: ASSUMED,
    });
    const otherModules = new RegExp(`^usr/lib/modules/(?!.*/(${MODULES.join("|")})\\.ko$)`);
    const load = MODULES.map((name) => `insmod $(find /lib/modules -name ${name}.ko)`);
    const run = `cd /tmp; fio --output=/tmp/out ${JOBS}; s=$?; [ $s = 0 ] || cat /tmp/out; echo "${STATUS_LINE} $s"`;
    const initrd = path.join(folder, "disk.cpio");
    const archive = await initramfsBytes({
      busybox,
      packages: { ...packages, omit: [...DOCUMENTATION, /^boot\//, otherModules] },
      files: [{ to: JOBS, bytes: new TextEncoder().encode(jobFile(scale)) }],
      command: [...load, run].join("\n"),
    });
    await writeFile(initrd, archive);
    const disk = path.join(folder, "disk.img");
    const noise = new Uint8Array(randomWords(MIB / 4).buffer);
    await writeFile(
      disk,
      Array.from({ length: DISK_MIB }, () => noise),
    );
    return { kernel: kernel.files["kernel"], initrd, append: COMMAND_LINE, memoryMib: MEMORY_MIB, disk };
  } catch (error) {
    if (error instanceof GuestError) return { skip: error.message };
    throw error;
  }
}

/** One boot that reads and writes a disk in four ways. */
export function diskCases(scale: number): Case[] {
  return [
    {
      group: "disk",
      name: "disk",
      spans: JOB_LIST.map((job) => ({
        name: job.name,
        what: what(job, scale),
        from: beginLine(job.name),
        to: endLine(job.name),
        bar: "disk",
      })),
      monitors: ["locore", "qemu"],
      productOnly: true,
      until: RIGHT,
      prepare: (folder) => diskBoot(scale, folder),
      wrong: ({ lines }) => {
        if (lines.some(({ text }) => isLine(text, RIGHT))) return new Map();
        const said = lines.find(({ text }) => text.includes(STATUS_LINE))?.text ?? "fio did not end";
        return new Map(JOB_LIST.map(({ name }) => [name, said]));
      },
    },
  ];
}
