/** What a machine of the library's user is asked for, and that it is asked for by names that there are. Reads no file. */
import { CONSOLE_PLACES, type ConsolePlace } from "../boot/options.js";
import { JIT_MODES, type JitMode } from "../engine/contract.js";
import type { DiskRequest } from "../host/node/disk-request.js";
import type { ShareRequest } from "../host/node/share-request.js";
import type { OnConnect } from "../net/door.js";
import type { Faults } from "../net/faults.js";
import {
  ABORT_SIGNAL,
  ANYTHING,
  checkOptions,
  checkValue,
  either,
  FILE,
  FUNCTION,
  LIST,
  NUMBER,
  OBJECT,
  oneOf,
  TEXT,
  TEXTS,
  TRUTH,
  type Kind,
  type KindsOf,
} from "./option-kinds.js";
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
  /** "256M", "1G", a text without a unit for MiB, or a number of bytes. */
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

/** Seconds, milliseconds and sizes are told by who reads them. */
const ANY_KINDS: KindsOf<AnyVmOptions> = {
  disks: LIST,
  net: either("true, a text as --net takes it, or an object", TRUTH, TEXT, OBJECT),
  signal: ABORT_SIGNAL,
  timeoutMs: ANYTHING,
  startTimeoutMs: ANYTHING,
  jit: oneOf(JIT_MODES),
  onMessage: FUNCTION,
};
const START_KINDS: KindsOf<VmOptions> = {
  ...ANY_KINDS,
  kernel: FILE,
  initrd: FILE,
  modules: LIST,
  append: TEXT,
  memory: either('a text like "512M", or a number of bytes', TEXT, NUMBER),
  cpus: NUMBER,
  shares: either('an object like { "/src": "." }, or a list of texts', OBJECT, TEXTS),
  console: oneOf(CONSOLE_PLACES),
  rng: TRUTH,
  maxResets: NUMBER,
  run: TRUTH,
  root: TEXT,
  env: OBJECT,
  cold: TRUTH,
};
const RESTORE_KINDS: KindsOf<RestoreOptions> = { ...ANY_KINDS, clock: oneOf(["jump", "hold"]) };
const NET_KINDS: KindsOf<NetInput> = {
  allow: TEXTS,
  hostOk: TRUTH,
  publish: TEXTS,
  onConnect: FUNCTION,
  faults: OBJECT,
  mac: TEXT,
  mtu: NUMBER,
  pcap: TEXT,
};
const FAULT_KINDS: KindsOf<Faults> = {
  loss: ANYTHING,
  delay: ANYTHING,
  jitter: ANYTHING,
  reorder: ANYTHING,
  duplicate: ANYTHING,
  corrupt: ANYTHING,
  rate: ANYTHING,
  seed: ANYTHING,
};
const SHARE: Kind = either('a folder, or an object like { folder: "." }', TEXT, OBJECT);
const SHARE_KINDS: KindsOf<Exclude<ShareInput, string>> = {
  folder: TEXT,
  writable: TRUTH,
  cache: TEXT,
  owner: ANYTHING,
  protocol: TEXT,
};
const MODULE_KINDS: KindsOf<NonNullable<VmOptions["modules"]>[number]> = { file: FILE, commandLine: TEXT };
const DISK: Kind = either('a text as --disk takes it, or an object like { file: "disk.img" }', TEXT, OBJECT);
const DISK_KINDS: KindsOf<DiskRequest> = {
  file: TEXT,
  access: TEXT,
  overlay: ANYTHING,
  format: TEXT,
  serial: TEXT,
  root: ANYTHING,
};

/** What there is only with `run`, and what there is not. */
const RUN_ONLY = ["root", "env"] as const;
const BOOT_ONLY = ["initrd", "modules", "console", "rng", "maxResets"] as const;

function checkAny({ disks = [], net }: AnyVmOptions): void {
  disks.forEach((disk, index) => {
    checkValue(`disks[${index}]`, disk, DISK);
    if (typeof disk !== "string") checkOptions(`disks[${index}]`, disk, DISK_KINDS, true);
  });
  if (typeof net !== "object") return;
  checkOptions("net", net, NET_KINDS, true);
  if (net.faults !== undefined) checkOptions("net.faults", net.faults, FAULT_KINDS, true);
}

function checkShares(shares: NonNullable<VmOptions["shares"]>): void {
  for (const [place, share] of Object.entries(shares)) {
    const name = `shares[${JSON.stringify(place)}]`;
    checkValue(name, share, SHARE);
    if (typeof share !== "string") checkOptions(name, share, SHARE_KINDS, true);
  }
}

/** Whether the guest is one that serves commands. */
export function isRun({ kernel, run }: VmOptions): boolean {
  return run ?? kernel === undefined;
}

/** Throws VmError "option" for a name that there is not, and for options that contradict each other. */
export function checkStart(options: VmOptions): void {
  checkOptions("Vm.start", options, START_KINDS);
  checkAny(options);
  checkShares(options.shares ?? {});
  options.modules?.forEach((module, index) => checkOptions(`modules[${index}]`, module, MODULE_KINDS, true));
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
  checkOptions("Vm.restore", options, RESTORE_KINDS);
  checkAny(options);
}
