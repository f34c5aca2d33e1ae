/** What a machine of the library's user is asked for, and that it is asked for by names that there are. Reads no file. */
import type { ConsolePlace } from "../boot/options.js";
import { closest } from "../cli/closest.js";
import type { JitMode } from "../engine/contract.js";
import type { DiskRequest } from "../host/node/disk-request.js";
import type { ShareRequest } from "../host/node/share-request.js";
import type { OnConnect } from "../net/door.js";
import type { Faults } from "../net/faults.js";
import { VmError } from "./vm-error.js";

/** A file: its path, or its bytes, which are copied. */
export type FileInput = string | URL | Uint8Array | { readonly name: string; readonly bytes: Uint8Array };

/** A folder of this host for the guest: its path, with `,rw` behind it where the guest may write, or the same as an object. */
export type ShareInput =
  | string
  | ({ readonly folder: string; readonly writable?: boolean } & Partial<
      Pick<ShareRequest, "cache" | "owner" | "protocol">
    >);

/** The guest's network, in user mode (docs/net.md). */
export interface NetInput {
  /** Whom the guest reaches: `NAME[:PORT]`, `ADDRESS[/BITS][:PORT]`. Absent: everybody but this host. */
  readonly allow?: readonly string[] | undefined;
  /** Whether it reaches this host, as host.locore. */
  readonly hostOk?: boolean | undefined;
  /** Ports of this host that lead to the guest: `[ADDRESS:]HOST:GUEST[/udp]`. */
  readonly publish?: readonly string[] | undefined;
  /** Asked about each new connection, behind `allow`. */
  readonly onConnect?: OnConnect | undefined;
  /** What becomes of frames, each way. */
  readonly faults?: Faults | undefined;
  /** The card's address. */
  readonly mac?: string | undefined;
  /** Bytes of a packet, 1500 to 65520. */
  readonly mtu?: number | undefined;
  /** File for all frames (pcapng). */
  readonly pcap?: string | undefined;
}

/** What every machine is asked for, one that begins and one that goes on. */
export interface AnyVmOptions {
  /** Disks, in the order that the guest finds them: as `--disk` has them, or as objects. */
  readonly disks?: readonly (string | DiskRequest)[] | undefined;
  /** true: a network in user mode; a text: what `--net` takes. Absent: none. */
  readonly net?: boolean | string | NetInput | undefined;
  /** Ends it: whatever is being done rejects with the signal's reason, a machine that runs ends as `interrupted`. */
  readonly signal?: AbortSignal | undefined;
  /** How long the machine may run, ms; its end is `timeout` then. */
  readonly timeoutMs?: number | undefined;
  /**
   * How long it may take from the machine's start until its guest runs, and with `run` until it takes commands, ms. Then it ends, and the
   * error has its `diagnosis`. Files are read and guests fetched before. Infinity: as long as it likes. Absent: five minutes.
   */
  readonly startTimeoutMs?: number | undefined;
  /** Whether hot code of the guest's is compiled; absent: "on". */
  readonly jit?: JitMode | undefined;
  /** Told what a person would be told, a line at a time. */
  readonly onMessage?: ((line: string) => void) | undefined;
}

export interface VmOptions extends AnyVmOptions {
  /**
   * The kernel: its path, a guest of the catalogue, or its bytes. Absent: that of `locore run`, with `run`.
   */
  readonly kernel?: FileInput | undefined;
  /** Initial RAM disk. */
  readonly initrd?: FileInput | undefined;
  /** Boot modules (PVH, Multiboot). */
  readonly modules?: readonly { readonly file: FileInput; readonly commandLine?: string }[] | undefined;
  /** The kernel's command line; with `run` words behind those that it needs. */
  readonly append?: string | undefined;
  /** "256M", "1G", or a number of bytes. */
  readonly memory?: string | number | undefined;
  /** Number of CPUs. */
  readonly cpus?: number | undefined;
  /**
   * Folders of this host. With `run` by their places in the guest, where they are mounted; otherwise by the tags that the guest mounts
   * them by. As a list: what `--share` takes.
   */
  readonly shares?: Readonly<Record<string, ShareInput>> | readonly string[] | undefined;
  /** Where the console is; absent: on the serial port. */
  readonly console?: ConsolePlace | undefined;
  /** A virtio source of entropy. */
  readonly rng?: boolean | undefined;
  /** How often a reset restarts the machine; absent: never. */
  readonly maxResets?: number | undefined;
  /** A Linux whose init is locore's: it serves `vm.exec`, `vm.fs` and `vm.shell`. Absent: where there is no kernel. */
  readonly run?: boolean | undefined;
  /** With `run`, where the guest's root comes from: what `--root` of `locore run` takes. Absent: busybox. */
  readonly root?: string | undefined;
  /**
   * Boots the kernel, and keeps nothing. Absent: with `run`, and without disks, a machine is kept in the cache once it waits for its first
   * command, and later ones like it go on from there.
   */
  readonly cold?: boolean | undefined;
  /** With `run`, the environment of all commands, beside PATH, HOME, USER and LOGNAME. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export interface RestoreOptions extends AnyVmOptions {
  /** Whether the guest sees the time pass that has passed since ("jump"), or its clock goes on where it was ("hold"). Absent: jump. */
  readonly clock?: "jump" | "hold" | undefined;
}

/** All names that there are. */
export type NameOf<T> = Record<keyof T, true>;

const ANY_NAMES: NameOf<AnyVmOptions> = {
  disks: true,
  net: true,
  signal: true,
  timeoutMs: true,
  startTimeoutMs: true,
  jit: true,
  onMessage: true,
};
const START_NAMES: NameOf<VmOptions> = {
  ...ANY_NAMES,
  kernel: true,
  initrd: true,
  modules: true,
  append: true,
  memory: true,
  cpus: true,
  shares: true,
  console: true,
  rng: true,
  maxResets: true,
  run: true,
  root: true,
  env: true,
  cold: true,
};
const RESTORE_NAMES: NameOf<RestoreOptions> = { ...ANY_NAMES, clock: true };
const NET_NAMES: NameOf<NetInput> = {
  allow: true,
  hostOk: true,
  publish: true,
  onConnect: true,
  faults: true,
  mac: true,
  mtu: true,
  pcap: true,
};
const FAULT_NAMES: NameOf<Faults> = {
  loss: true,
  delay: true,
  jitter: true,
  reorder: true,
  duplicate: true,
  corrupt: true,
  rate: true,
  seed: true,
};
const SHARE_NAMES: NameOf<Exclude<ShareInput, string>> = {
  folder: true,
  writable: true,
  cache: true,
  owner: true,
  protocol: true,
};
const MODULE_NAMES: NameOf<NonNullable<VmOptions["modules"]>[number]> = { file: true, commandLine: true };
const DISK_NAMES: NameOf<DiskRequest> = {
  file: true,
  access: true,
  overlay: true,
  format: true,
  serial: true,
  root: true,
};

/** What there is only with `run`, and what there is not. */
const RUN_ONLY = ["root", "env"] as const;
const BOOT_ONLY = ["initrd", "modules", "console", "rng", "maxResets"] as const;

/** How other libraries and programs name what has another name here. */
const NAMES_ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  append: ["cmdline", "commandLine", "bootArgs"],
  cpus: ["smp", "vcpus", "cores"],
  cwd: ["workdir", "workingDirectory", "folder"],
  env: ["environment"],
  initrd: ["initramfs", "ramdisk"],
  maxOutputBytes: ["maxBuffer"],
  memory: ["ram"],
  net: ["network"],
  shares: ["mounts", "volumes"],
  signal: ["cancelSignal", "abortSignal"],
  stdin: ["input"],
};

function meant(name: string, names: readonly string[]): string | undefined {
  return names.find((one) => NAMES_ELSEWHERE[one]?.includes(name)) ?? closest(name, names);
}

/** Throws VmError "option" for a name that there is not. */
export function checkNames(what: string, given: object, known: object): void {
  const names = Object.keys(known);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const guess = meant(unknown, names);
  throw new VmError("option", what, {
    found: `the name ${unknown}`,
    expected: names.join(", "),
    ...(guess !== undefined && { meaning: `Did you mean ${guess}?` }),
  });
}

function checkAny({ disks = [], net }: AnyVmOptions): void {
  disks.forEach((disk, index) => {
    if (typeof disk !== "string") checkNames(`disks[${index}]`, disk, DISK_NAMES);
  });
  if (typeof net !== "object") return;
  checkNames("net", net, NET_NAMES);
  if (net.faults !== undefined) checkNames("net.faults", net.faults, FAULT_NAMES);
}

/** Whether the guest is one that serves commands. */
export function isRun({ kernel, run }: VmOptions): boolean {
  return run ?? kernel === undefined;
}

/** Throws VmError "option" for a name that there is not, and for options that contradict each other. */
export function checkStart(options: VmOptions): void {
  checkNames("Vm.start", options, START_NAMES);
  checkAny(options);
  for (const [place, share] of Object.entries(options.shares ?? {}))
    if (typeof share !== "string")
      checkNames(`shares[${JSON.stringify(place)}]`, share as object, SHARE_NAMES);
  options.modules?.forEach((module, index) => checkNames(`modules[${index}]`, module, MODULE_NAMES));
  const run = isRun(options);
  if (!run && options.kernel === undefined)
    throw new VmError("option", "Vm.start", { found: "run: false and no kernel", expected: "a kernel" });
  const alien = (run ? BOOT_ONLY : RUN_ONLY).find((name) => options[name] !== undefined);
  if (alien === undefined) return;
  throw new VmError("option", "Vm.start", {
    found: `${alien} ${run ? "with" : "without"} run`,
    expected: run ? "a kernel of the user's own for it" : "run: true",
    meaning: run
      ? "Where locore's init serves commands, locore makes the initrd."
      : "It is of machines whose init is locore's.",
  });
}

/** Throws VmError "option". */
export function checkRestore(options: RestoreOptions): void {
  checkNames("Vm.restore", options, RESTORE_NAMES);
  checkAny(options);
}
