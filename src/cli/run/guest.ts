/**
 * The machine of a run: kernel, modules, user space and the kernel's command line put together, as a machine is planned from it.
 * Says by name what the kernel lacks before anything runs, where that can be known.
 */
import { existsSync, statSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import type { BootOptions } from "../../boot/options.js";
import {
  EXEC_PORTS,
  inputAt,
  RUN_PORTS,
  type Input,
  type RunMount,
  type RunAddress,
  type RunCommandOptions,
  type RunRoot,
} from "../../guests/light.js";
import type { KernelModule } from "../../guests/index.js";
import type { DiskRequest } from "../../host/node/disk-request.js";
import type { PlannedSource } from "../../host/node/messages.js";
import type { ShareRequest } from "../../host/node/share-request.js";
import { UsageError } from "../args.js";
import type { NetAsked } from "../net-option.js";
import { InputFileError } from "../failure.js";
import type { Pulling } from "../guest-files.js";
import { parseDisk } from "../disk-option.js";
import type { RunKernel } from "./kernel.js";
import { RunRefused } from "./refused.js";
import type { RootRequest, RunRequest, SharedFolder } from "./request.js";

/** The channel that the guest's console hvc0 is connected to, on a terminal. */
export const TERMINAL_CHANNEL = "locore.terminal";

/** How this process's standard streams are connected. */
export interface StreamKinds {
  /** Standard input and output are a terminal. */
  terminal: boolean;
  /** Standard error is something else than that terminal. */
  separateErrors: boolean;
}

/** What is to be run. */
export interface RunGuest {
  source: PlannedSource;
  /** What is handed over once it waits for the command; undefined: the archive has it. */
  command: RunCommandOptions | undefined;
  /** Files whose contents it depends on, as they were before they were read, and places where such might have been. */
  seen: readonly Input[];
  /** Places where the kernel's modules were looked for, if they were found in none. */
  modulesMissed: readonly string[];
  /** What carries folders. */
  sharedOver: "virtiofs" | "9p";
}

/** Whether the command lies in the archive, or is told once the guest waits for it: until then every run is the same. */
export type CommandBy = "archive" | "hand";

const CONSOLE_MODULES = ["virtio_mmio", "virtio_console"];
const DISK_MODULES = ["virtio_blk"];
/** A DHCP client sends what its kernel has no address for yet. */
const NET_MODULES = ["virtio_net", "af_packet"];
/** A folder that the guest must not write to has an overlay. */
const FOLDER_MODULES = ["fuse", "virtiofs", "overlay"];
/** Of those, what a kernel may have these instead of. */
const FUSE_MODULES = ["fuse", "virtiofs"];
const NINE_P_MODULES = ["9pnet_virtio", "9p"];
/** What a file system needs beside its own module. */
const WITH_FILE_SYSTEM: Readonly<Record<string, readonly string[]>> = { ext4: ["crc32c_generic"] };

/** Of a root of this host's, what the guest has its own of. */
const OWN_FOLDERS = ["/tmp", "/run"];

/** Comes with every package: busybox's shell takes busybox's programs before those of the same name in PATH. */
const SHELL = "dash";

const MIB = 2 ** 20;
/** Without a word about it. */
export const LEAST_MEMORY = 256 * MIB;
/** Linux keeps the archive and what it unpacks to at the same time. */
const COPIES_OF_ARCHIVE = 2;
/** For everything else, where the root lies in memory. */
const SPARE_MEMORY = 192 * MIB;

/**
 * A kernel that goes wrong ends the machine: it is not waited for. Ciphers test themselves for longer than everything else takes
 * until user space. A CPU that is stuck for a minute is stuck, from the command on (`run-init.ts`): a large archive is unpacked
 * without a pause, which on a busy host takes as long.
 */
const WORDS = ["console=ttyS0", "panic=-1", "oops=panic", "watchdog_thresh=30", "cryptomgr.notests=1"];
/** Every byte on the serial port takes time; errors and worse are shown all the same. */
const QUIET = ["quiet", "loglevel=4"];
const TALKATIVE = ["loglevel=7"];

/** The kernel's. */
export function commandLine({ log, append }: RunRequest): string {
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

interface PlacedFolder {
  /** On the host, absolute. */
  from: string;
  /** In the guest, absolute. */
  place: string;
  writable: boolean;
  /** Nobody asked for it. */
  optional: boolean;
}

function placed({ from, at, writable }: SharedFolder): PlacedFolder {
  const folder = path.resolve(from);
  const place = path.posix.resolve("/", at ?? folder);
  if (place === "/")
    throw new UsageError(`--share ${from}: a folder cannot be shared as /`, `--root ${from}`);
  return { from: folder, place, writable, optional: false };
}

/** What the guest is put together of. */
export class Assembly {
  root: RunRoot = { kind: "initramfs" };
  packages: readonly string[] | undefined;
  /** Whether the guest has the current folder. */
  hasFolder = false;
  modules = [...CONSOLE_MODULES];
  /** Those of them without which it goes as well. */
  readonly optional: string[] = [];
  readonly disks: DiskRequest[] = [];
  shares: ShareRequest[] = [];
  sharedOver: "virtiofs" | "9p" = "virtiofs";
  readonly mounts: RunMount[] = [];

  /** A folder of the host gets a tag. */
  share(folder: string, writable: boolean): string {
    const tag = `locore${this.shares.length}`;
    this.shares.push({ folder, tag, access: writable ? "write" : "read", cache: "auto" });
    return tag;
  }

  /** Folders by their places in the guest; of two at one place the later counts, and one within another is mounted behind it. */
  mountAll(folders: readonly PlacedFolder[]): void {
    const byPlace = new Map(folders.map((folder) => [folder.place, folder]));
    const inOrder = [...byPlace.values()].sort((a, b) => a.place.length - b.place.length);
    for (const { from, place, writable, optional } of inOrder)
      this.mounts.push({ tag: this.share(from, writable), at: place, writable, optional });
  }

  /** The folders are carried by 9P instead of FUSE. */
  overNineP(): void {
    this.modules = [...this.modules.filter((name) => !FUSE_MODULES.includes(name)), ...NINE_P_MODULES];
    this.shares = this.shares.map((share) => ({ ...share, protocol: "9p" as const }));
    this.sharedOver = "9p";
  }

  /** For what the guest can be without. */
  mayNeed(modules: readonly string[]): void {
    this.needs(modules);
    this.optional.push(...modules);
  }

  needs(modules: readonly string[]): void {
    for (const name of modules) if (!this.modules.includes(name)) this.modules.push(name);
  }
}

/** Reads no kernel and no program. Throws what a root or a folder is refused by. */
export async function assemble(request: RunRequest): Promise<Assembly> {
  const made = new Assembly();
  const { writable, serving } = request;
  const asked = settledRoot(request.root);
  const folders = request.shares.map(placed);
  if (asked.kind === "disk") {
    const disk: DiskRequest = writable ? { ...asked.disk, access: "write" } : asked.disk;
    const { diskRoot } = await import("./disk-root.js");
    const { device, type } = await diskRoot(disk);
    made.disks.push(disk);
    made.root = { kind: "disk", device, type };
    if (type !== undefined) made.needs([type]);
    if (type !== undefined) made.mayNeed(WITH_FILE_SYSTEM[type] ?? []);
  } else if (asked.kind === "folder") {
    const from = path.resolve(asked.from);
    made.root = { kind: "share", tag: made.share(from, writable), writable };
    made.hasFolder = from === "/" && serving !== true;
    // There the guest has something else.
    if (made.hasFolder && OWN_FOLDERS.some((own) => `${process.cwd()}/`.startsWith(`${own}/`)))
      folders.unshift(placed({ from: process.cwd(), writable }));
  } else {
    if (asked.kind === "packages") made.packages = asked.packages;
    made.hasFolder = process.cwd() !== "/" && serving !== true;
    if (made.hasFolder)
      folders.unshift({ ...placed({ from: process.cwd(), writable }), optional: !writable });
  }
  made.mountAll(folders);
  made.disks.push(...request.disks);
  if (made.mounts.some(({ optional }) => !optional) || made.root.kind === "share") made.needs(FOLDER_MODULES);
  else if (made.shares.length > 0) made.mayNeed(FOLDER_MODULES);
  if (made.disks.length > 0) made.needs(DISK_MODULES);
  if (request.net !== undefined) made.needs(NET_MODULES);
  return made;
}

/** What a kernel lacks is said with what each of it is for. */
async function loaded({ name, modules }: RunKernel, made: Assembly): Promise<readonly KernelModule[]> {
  if (modules === undefined) return [];
  const { moduleSet } = await import("../../guests/index.js");
  let set = await moduleSet(modules, made.modules);
  if (set.missing.some((one) => FUSE_MODULES.includes(one))) {
    const { missing } = await moduleSet(modules, NINE_P_MODULES);
    if (missing.length === 0) {
      made.overNineP();
      set = await moduleSet(modules, made.modules);
    }
  }
  const missing = set.missing.filter((one) => !made.optional.includes(one));
  if (missing.length > 0)
    throw new RunRefused(
      missing.some((one) => CONSOLE_MODULES.includes(one)) ? "no-virtio" : "no-module",
      `kernel ${name}: neither has ${missing.join(", ")} built in nor is it a module in ${modules.where}; ` +
        "a run needs virtio_mmio and virtio_console, a folder fuse and virtiofs, or 9p and 9pnet_virtio, and overlay (the current one is there unless --root is a disk), a disk virtio_blk, a network virtio_net and af_packet",
    );
  return set.modules;
}

/** Where the command begins: what was asked for, else the current folder if the guest has it, else the root. */
function folderOf({ folder }: RunRequest, has: boolean): string {
  if (folder !== undefined) return path.resolve(folder);
  return has ? process.cwd() : "/";
}

/** How the guest learns what its network is. */
function runNetwork(net: NetAsked): "dhcp" | "alone" | RunAddress {
  return "cable" in net ? (net.address ?? "dhcp") : "alone";
}

function commandOf({ command, serving }: RunRequest): RunCommandOptions["command"] {
  if (serving === true) return "from host";
  return command.length > 0 ? command : ["sh"];
}

/** What the guest is told of the command. */
export function commandOptions(request: RunRequest, made: Assembly, kinds: StreamKinds): RunCommandOptions {
  const terminal = process.env["TERM"];
  const environment = [...request.environment];
  if (kinds.terminal && terminal !== undefined) environment.unshift(["TERM", terminal]);
  return {
    hostname: hostname(),
    command: commandOf(request),
    environment,
    folder: folderOf(request, made.hasFolder),
    folderMayMiss: request.folder === undefined,
    user: request.user,
    root: made.root,
    mounts: made.mounts,
    ...(request.net && { network: runNetwork(request.net) }),
    sharedOver: made.sharedOver,
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
  by: CommandBy = "archive",
): Promise<RunGuest> {
  const [{ fetchPackages, pullGuest, runInitramfs }, { findKernel }] = await Promise.all([
    import("../../guests/index.js"),
    import("./kernel.js"),
  ]);
  const [kernel, busybox, made] = await Promise.all([
    findKernel(request.kernel, pulling),
    pullGuest("busybox", pulling),
    assemble(request),
  ]);
  const modules = await loaded(kernel, made);
  const { disks, shares } = made;
  const packages = made.packages && (await fetchPackages({ packages: [SHELL, ...made.packages] }, pulling));
  const fetched = packages ? [packages.record, ...packages.packages.map(({ file }) => file)] : [];
  const seen = [busybox.record, ...Object.values(busybox.files), ...fetched].map((file) => inputAt(file));
  const isServing = request.serving === true;
  const command = commandOptions(request, made, kinds);
  const initrd = await runInitramfs({
    busybox: busybox.files["busybox"],
    modules,
    packages,
    start: { ...kinds, serving: isServing, tags: made.shares.map(({ tag }) => tag) },
    ...(by === "archive" && { command }),
  });
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
          ports: Object.values(isServing ? EXEC_PORTS : RUN_PORTS),
          ...((kinds.terminal || isServing) && { terminal: TERMINAL_CHANNEL }),
        },
      },
    ],
    loader: {},
    ...(request.net && { nets: [request.net.card] }),
    ...(request.cpus !== undefined && { cpus: request.cpus }),
  };
  return {
    source: { boot, ...(disks.length > 0 && { disks }), ...(shares.length > 0 && { shares }) },
    command: by === "hand" ? command : undefined,
    seen: [...kernel.seen, ...(kernel.modules?.seen ?? []), ...seen],
    modulesMissed: kernel.modulesMissed,
    sharedOver: made.sharedOver,
  };
}
