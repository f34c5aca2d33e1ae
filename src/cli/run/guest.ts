/**
 * The machine of a run: kernel, modules, user space and the kernel's command line put together, as a machine is planned from it.
 * Says by name what the kernel lacks before anything runs, where that can be known.
 */
import { existsSync, statSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import type { BootOptions } from "../../boot/options.js";
import { RUN_PORTS, type KernelModule, type RunInitOptions, type RunRoot } from "../../guests/index.js";
import type { DiskRequest } from "../../host/node/disk-request.js";
import type { PlannedSource } from "../../host/node/messages.js";
import { UsageError } from "../args.js";
import { InputFileError } from "../failure.js";
import type { Pulling } from "../guest-files.js";
import { parseDisk } from "../disk-option.js";
import { diskRoot } from "./disk-root.js";
import { findKernel, type RunKernel } from "./kernel.js";
import { RunRefused } from "./refused.js";
import type { RootRequest, RunRequest } from "./request.js";

/** The channel that the guest's console hvc0 is connected to, on a terminal. */
export const TERMINAL_CHANNEL = "locore.terminal";

/** How this process's standard streams are connected. */
export interface StreamKinds {
  /** Standard input and output are a terminal. */
  terminal: boolean;
  /** Standard error is something else than that terminal. */
  separateErrors: boolean;
}

/** What is to be run, and what is known of it besides. */
export interface RunGuest {
  source: PlannedSource;
  kernel: RunKernel;
}

const CONSOLE_MODULES = ["virtio_mmio", "virtio_console"];
const DISK_MODULES = ["virtio_blk"];
/** What a file system needs beside its own module. */
const WITH_FILE_SYSTEM: Readonly<Record<string, readonly string[]>> = { ext4: ["crc32c_generic"] };

const MIB = 2 ** 20;
const LEAST_MEMORY = 256 * MIB;
/** Linux keeps the archive and what it unpacks to at the same time. */
const COPIES_OF_ARCHIVE = 2;
/** For everything else, where the root lies in memory. */
const SPARE_MEMORY = 192 * MIB;

/**
 * A kernel that goes wrong ends the machine: it is not waited for. Ciphers test themselves for longer than everything else takes
 * until user space. A CPU that is stuck for a minute is stuck.
 */
const WORDS = [
  "console=ttyS0",
  "panic=-1",
  "oops=panic",
  "softlockup_panic=1",
  "watchdog_thresh=30",
  "cryptomgr.notests=1",
];
/** Every byte on the serial port takes time; errors and worse are shown all the same. */
const QUIET = ["quiet", "loglevel=4"];
const TALKATIVE = ["loglevel=7"];

function commandLine({ log, append }: RunRequest): string {
  return [
    ...WORDS,
    ...(log === undefined ? QUIET : TALKATIVE),
    ...(append === undefined ? [] : [append]),
  ].join(" ");
}

/** A file that is given as a root may be a disk; a folder is shared. */
function settledRoot(root: RootRequest): RootRequest {
  if (root.kind !== "folder") return root;
  const { from } = root;
  const disk = parseDisk(from);
  if (existsSync(disk.file) && !statSync(disk.file).isDirectory()) return { kind: "disk", disk };
  if (existsSync(from)) return root;
  throw new InputFileError("root", from, Object.assign(new Error("no such folder"), { code: "ENOENT" }));
}

/** What a kernel lacks is said with what each of it is for. */
async function loaded(
  { name, modules }: RunKernel,
  wanted: readonly string[],
): Promise<readonly KernelModule[]> {
  if (modules === undefined) return [];
  const { moduleSet } = await import("../../guests/index.js");
  const set = await moduleSet(modules, wanted);
  const missing = set.missing.filter((one) => !OPTIONAL.includes(one));
  if (missing.length > 0)
    throw new RunRefused(
      missing.some((one) => CONSOLE_MODULES.includes(one)) ? "no-virtio" : "no-module",
      `kernel ${name}: neither has ${missing.join(", ")} built in nor is it a module in ${modules.where}; ` +
        "a run needs virtio_mmio and virtio_console, a folder fuse, virtiofs and overlay, a disk virtio_blk",
    );
  return set.modules;
}

/** What a kernel may do without. */
const OPTIONAL = Object.values(WITH_FILE_SYSTEM).flat();

interface Assembled {
  root: RunRoot;
  wanted: string[];
  packages: readonly string[] | undefined;
  disks: DiskRequest[];
}

async function assemble(request: RunRequest): Promise<Assembled> {
  const asked = settledRoot(request.root);
  const wanted = [...CONSOLE_MODULES];
  const disks = [...request.disks];
  if (asked.kind === "disk") {
    const disk: DiskRequest = request.writable ? { ...asked.disk, access: "write" } : asked.disk;
    const { device, type } = await diskRoot(disk);
    disks.unshift(disk);
    wanted.push(...DISK_MODULES, ...(type === undefined ? [] : [type, ...(WITH_FILE_SYSTEM[type] ?? [])]));
    return { root: { kind: "disk", device, type }, wanted, packages: undefined, disks };
  }
  if (disks.length > 0) wanted.push(...DISK_MODULES);
  if (asked.kind === "folder")
    throw new UsageError(
      `--root ${asked.from}: folders cannot be shared yet`,
      "--root debian:PACKAGE,… or a disk",
    );
  const packages = asked.kind === "packages" ? asked.packages : undefined;
  return { root: { kind: "initramfs" }, wanted, packages, disks };
}

/** Where the command begins: what was asked for, else the current folder if the guest has it, else the root. */
function folderOf({ folder }: RunRequest, has: boolean): string {
  if (folder !== undefined) return path.posix.isAbsolute(folder) ? folder : path.resolve(folder);
  return has ? process.cwd() : "/";
}

function initOptions(request: RunRequest, root: RunRoot, kinds: StreamKinds): RunInitOptions {
  const terminal = process.env["TERM"];
  const environment = [...request.environment];
  if (kinds.terminal && terminal !== undefined) environment.unshift(["TERM", terminal]);
  return {
    command: request.command.length > 0 ? request.command : ["sh"],
    environment,
    folder: folderOf(request, false),
    user: request.user,
    hostname: hostname(),
    root,
    mounts: [],
    ...kinds,
  };
}

/**
 * Finds, fetches and packs all that a run needs. Throws RunRefused for a kernel that cannot do it, and what finding and
 * fetching throw.
 */
export async function makeGuest(
  request: RunRequest,
  kinds: StreamKinds,
  pulling: Pulling,
): Promise<RunGuest> {
  const { fetchPackages, pullGuest, runInitramfs } = await import("../../guests/index.js");
  const [kernel, busybox, { root, wanted, packages: names, disks }] = await Promise.all([
    findKernel(request.kernel, pulling),
    pullGuest("busybox", pulling),
    assemble(request),
  ]);
  const modules = await loaded(kernel, wanted);
  const packages = names && (await fetchPackages({ packages: names }, pulling));
  const init = initOptions(request, root, kinds);
  const initrd = await runInitramfs({ busybox: busybox.files["busybox"], modules, packages, init });
  const memory =
    request.memory ??
    Math.max(LEAST_MEMORY, Math.ceil((initrd.length * COPIES_OF_ARCHIVE + SPARE_MEMORY) / MIB) * MIB);
  const boot: BootOptions = {
    kernel: { name: kernel.name, bytes: kernel.bytes },
    initrd: { name: "locore's initramfs", bytes: initrd },
    commandLine: commandLine(request),
    memory,
    clock: { rtcStart: Math.floor(Date.now() / 1000) },
    moreDevices: [
      {
        type: "virtio-console",
        name: "streams",
        config: {
          ports: Object.values(RUN_PORTS),
          ...(kinds.terminal && { terminal: TERMINAL_CHANNEL }),
        },
      },
    ],
    loader: {},
    ...(request.cpus !== undefined && { cpus: request.cpus }),
  };
  return { source: { boot, ...(disks.length > 0 && { disks }) }, kernel };
}
