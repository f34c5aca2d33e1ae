/**
 * A folder of the host that Debian's cloud kernel mounts by virtio-fs: a build, a large work tree and a copy. QEMU has virtiofsd beside
 * it. The folder is made anew for the case and is the same for every peer; each run undoes what an earlier one left there.
 */
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fetchPackages, GuestError, initramfsBytes, pullGuest } from "../src/guests/index.js";
import { DOCUMENTATION } from "../src/guests/initramfs/package-files.js";
import { COMMAND_LINE, guestFile } from "./boot-cases.js";
import type { Case, Skipped } from "./case.js";
import { randomWords } from "./compute/random.js";
import { isLine } from "./measure.js";
import { SHARE_TAG, type Boot } from "./peers.js";

const MEMORY_MIB = 768;
const SOURCES = 60;
const FUNCTIONS = 20;
const TREE_FOLDERS = 100;
const FILES_A_FOLDER = 100;
const COPIED_FOLDERS = 20;
const FILE_WORDS = 512;
/** In the order in which they are loaded. */
const MODULES = ["virtio_ring", "virtio", "virtio_mmio", "fuse", "virtiofs"];
/** Of the packages of a kernel, what only serves to install it. */
const ASSUMED = ["kmod", "linux-base", "initramfs-tools"];
/** Of the packages, what no job asks for: a smaller initramfs boots sooner. */
const UNUSED = [
  /^boot\//,
  /perl|\/gconv\//,
  /^usr\/lib\/git-core\/git-(remote|http|imap|daemon|shell|sh-)/,
  /^usr\/bin\/(scalar|git-shell)$/,
  /lib(c|m-2\.36|mvec|tirpc|nsl|rt|crypt|pthread)\.a$/,
];
const APPEND = `${COMMAND_LINE} cryptomgr.notests=1 tsc=reliable`;
const STATUS_LINE = "bench: share ended with";
const RIGHT = `${STATUS_LINE} 0`;
const AT = "/share";

interface Job {
  name: string;
  what(scale: number): string;
  /** Shell, before the clock starts, and while it runs. */
  before: string;
  command: string;
}

const scaled = (amount: number, scale: number): number => Math.max(1, Math.round(amount * scale));

const JOBS: readonly Job[] = [
  {
    name: "make on a share",
    what: (scale) => `${scaled(SOURCES, scale)} files of C, tcc`,
    before: `make -s -C ${AT}/project clean`,
    command: `make -s -C ${AT}/project && ${AT}/project/all`,
  },
  {
    name: "git status on a share",
    what: (scale) => `${scaled(TREE_FOLDERS, scale) * FILES_A_FOLDER} files`,
    before: ":",
    command: `[ -z "$(git -C ${AT}/tree status --porcelain)" ]`,
  },
  {
    name: "cp -r on a share",
    what: (scale) => `${scaled(COPIED_FOLDERS, scale) * FILES_A_FOLDER} files`,
    before: `rm -rf ${AT}/copy`,
    command: `cp -r ${AT}/some ${AT}/copy`,
  },
];

const beginLine = (name: string): string => `bench: begin ${name}`;
const endLine = (name: string): string => `bench: end ${name}`;

/** C sources that call each other, and what builds them. */
async function writeProject(folder: string, sources: number): Promise<void> {
  await mkdir(folder);
  const names = Array.from({ length: sources }, (_, i) => `part${i}`);
  for (const name of names) {
    const functions = Array.from(
      { length: FUNCTIONS },
      (_, i) =>
        `int ${name}_${i}(int n) { int s = ${i}; for (int k = 0; k < n; k++) s = s * 31 + k; return s; }`,
    );
    const text = ["#include <stdio.h>", "#include <stdlib.h>", "#include <string.h>", ...functions, ""];
    await writeFile(path.join(folder, `${name}.c`), text.join("\n"));
  }
  const calls = names.map((name) => `int ${name}_0(int); `).join("");
  const sum = names.map((name) => `${name}_0(3)`).join(" + ");
  await writeFile(path.join(folder, "main.c"), `${calls}\nint main(void) { return (${sum}) == 0; }\n`);
  const objects = [...names, "main"].map((name) => `${name}.o`).join(" ");
  const makefile = [
    `all: ${objects}`,
    "\ttcc -o all $^",
    "%.o: %.c",
    "\ttcc -c -o $@ $<",
    "clean:",
    "\trm -f *.o all",
  ];
  await writeFile(path.join(folder, "Makefile"), `${makefile.join("\n")}\n`);
}

async function writeFiles(folder: string, folders: number): Promise<void> {
  const noise = Buffer.from(randomWords(FILE_WORDS).buffer);
  for (let i = 0; i < folders; i++) {
    const inner = path.join(folder, `folder${i}`);
    await mkdir(inner, { recursive: true });
    for (let k = 0; k < FILES_A_FOLDER; k++)
      await writeFile(path.join(inner, `file${k}`), noise.subarray(0, 4 * ((i + k) % FILE_WORDS)));
  }
}

/** Puts a work tree under git; gives what is wrong. */
function commit(folder: string): string | undefined {
  const who = ["-c", "user.name=bench", "-c", "user.email=bench"];
  for (const args of [
    ["init", "-q"],
    ["add", "."],
    [...who, "commit", "-qm", "all"],
  ]) {
    const { status, stderr, error } = spawnSync("git", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) return `git ${args[0]}: ${error?.message ?? stderr}`;
  }
  return undefined;
}

function script(): string {
  const load = MODULES.map((name) => `insmod $(find /lib/modules -name ${name}.ko) 2>/dev/null`);
  const jobs = JOBS.flatMap(({ name, before, command }) => [
    `${before} || s=1`,
    `echo "${beginLine(name)}"`,
    `{ ${command}; } || { echo "failed: ${name}"; s=1; }`,
    `echo "${endLine(name)}"`,
  ]);
  return [
    ...load,
    "s=0",
    `mkdir ${AT} && mount -t virtiofs ${SHARE_TAG} ${AT} || s=1`,
    "export HOME=/root GIT_OPTIONAL_LOCKS=0",
    "git config --global --add safe.directory '*'",
    ...jobs,
    `echo "${STATUS_LINE} $s"`,
  ].join("\n");
}

async function shareBoot(scale: number, folder: string): Promise<Boot | Skipped> {
  const busybox = await guestFile("busybox", "busybox");
  if (typeof busybox !== "string") return busybox;
  try {
    const kernel = await pullGuest("debian-cloud");
    const packages = await fetchPackages({
      packages: ["git", "make", "tcc", "libc6-dev", `${kernel.package}=${kernel.version}`],
      assume: ASSUMED,
    });
    const otherModules = new RegExp(`^usr/lib/modules/(?!.*/(${MODULES.join("|")})\\.ko$)`);
    const archive = await initramfsBytes({
      busybox,
      packages: { ...packages, omit: [...DOCUMENTATION, ...UNUSED, otherModules] },
      command: script(),
    });
    const initrd = path.join(folder, "share.cpio");
    await writeFile(initrd, archive);
    const share = path.join(folder, "share");
    await mkdir(share);
    await writeProject(path.join(share, "project"), scaled(SOURCES, scale));
    await writeFiles(path.join(share, "tree"), scaled(TREE_FOLDERS, scale));
    await writeFiles(path.join(share, "some"), scaled(COPIED_FOLDERS, scale));
    const fault = commit(path.join(share, "tree"));
    if (fault !== undefined) return { skip: fault };
    return { kernel: kernel.files["kernel"], initrd, append: APPEND, memoryMib: MEMORY_MIB, share };
  } catch (error) {
    if (error instanceof GuestError) return { skip: error.message };
    throw error;
  }
}

/** One boot that works on a share in three ways. */
export function shareCases(scale: number): Case[] {
  return [
    {
      group: "share",
      name: "share",
      spans: JOBS.map(({ name, what }) => ({
        name,
        what: what(scale),
        from: beginLine(name),
        to: endLine(name),
        bar: "share",
      })),
      monitors: ["locore", "qemu"],
      until: RIGHT,
      prepare: (folder) => shareBoot(scale, folder),
      wrong: ({ lines }) => {
        if (lines.some(({ text }) => isLine(text, RIGHT))) return new Map();
        const said =
          lines.find(({ text }) => /failed: |ended with/.test(text))?.text ?? "the guest did not end";
        return new Map(JOBS.map(({ name }) => [name, said]));
      },
    },
  ];
}
