/**
 * The monitors that are measured side by side, and how each is started. A peer is a monitor in one configuration;
 * locore appears once for every way to execute and every Node.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "./measure.js";
import { seabiosMissing } from "./seabios.js";

export type Monitor = "locore" | "qemu" | "v86";

/** What is booted, the same for every peer. */
export interface Boot {
  kernel: string;
  initrd?: string;
  append?: string;
  memoryMib: number;
  /** Default: one. */
  cpus?: number;
  /** A raw image that is read and written. */
  disk?: string;
  /** A folder that is read and written, by virtio-fs. */
  share?: string;
  /** With a network in user mode, by which the guest reaches this host. */
  net?: boolean;
  /** The command of a run, where that is what the initramfs is of. */
  run?: readonly string[];
}

export interface Peer {
  name: string;
  monitor: Monitor;
  /** The variant of locore, or the monitor: what `--peer` selects. */
  kind: string;
  /** Version of Node that runs it. */
  node?: string;
  /** Whether the bars are about this one. */
  judged: boolean;
  /** Why it cannot run here. */
  missing?: string | undefined;
  command(boot: Boot): Command;
}

/** Ways to execute that are worth comparing. The first is the product as it comes. */
const VARIANTS = [
  { name: "locore", arguments: ["--jit", "on"], judged: true },
  { name: "interpreter", arguments: ["--jit", "off"], judged: false },
];
/** The same where the command line has no such switch. */
const ONLY_VARIANT = [{ name: "locore", arguments: [], judged: true }];

const MIB = 1024 * 1024;
const KHZ_PER_MHZ = 1000;
const HERE = path.dirname(fileURLToPath(import.meta.url));
/** dist/bench → the compiled command line. */
/** What `locore` starts once it is installed. */
const CLI = path.join(path.dirname(HERE), "run/locore.cjs");
const V86_MONITOR = path.join(HERE, "v86-monitor.js");
const QEMU = process.env.LOCORE_QEMU ?? "qemu-system-x86_64";
/** Without ACPI this machine tells its guest of one CPU only, and Debian's kernel of no disk. */
const needsAcpi = ({ cpus = 1, disk, share, net, run }: Boot): boolean =>
  cpus > 1 || [disk, share, net, run].some((one) => one !== undefined);
const qemuMachine = (boot: Boot): string =>
  `microvm,acpi=${needsAcpi(boot) ? "on" : "off"},pit=on,pic=on,rtc=on`;
const qemuDisk = (disk: string): string[] => [
  ...["-drive", `if=none,id=disk,format=raw,file=${disk}`, "-device", "virtio-blk-device,drive=disk"],
];
/** Of this host, kHz; QEMU's guests count the same. 0 where nobody says. */
function tscKhz(): number {
  try {
    const speed = /^cpu MHz\s*: ([\d.]+)$/m.exec(readFileSync("/proc/cpuinfo", "latin1"));
    return Math.round(KHZ_PER_MHZ * Number(speed?.[1] ?? 0));
  } catch {
    return 0;
  }
}

/** With these Linux takes the timers from ACPI; on a busy host it measures none of them, and waits for good. */
const qemuAppend = ({ append, share, net, run }: Boot): string | undefined =>
  append === undefined || [share, net, run].every((one) => one === undefined) || tscKhz() === 0
    ? append
    : `${append} tsc_early_khz=${tscKhz()}`;
/** By what a guest mounts the share. */
export const SHARE_TAG = "bench";
const VIRTIOFSD = process.env.LOCORE_VIRTIOFSD ?? "/usr/lib/qemu/virtiofsd";
const qemuShare = (boot: Boot): string[] => [
  ...["-object", `memory-backend-memfd,id=ram,size=${boot.memoryMib}M,share=on`],
  ...["-machine", "memory-backend=ram", "-chardev", `socket,id=share,path=${boot.share!}.socket`],
  // virtiofsd serves no legacy device, which those on MMIO are unless told otherwise.
  ...["-global", "virtio-mmio.force-legacy=off"],
  ...["-device", `vhost-user-fs-device,chardev=share,tag=${SHARE_TAG}`],
];

const QEMU_NET = [
  ...["-netdev", "user,id=net", "-global", "virtio-mmio.force-legacy=off"],
  ...["-device", "virtio-net-device,netdev=net"],
];

/** QEMU with the daemon that has its share; both end together. In a container the daemon has no namespaces of its own. */
function withDaemon(command: Command, share: string): Command {
  const daemon = `"${VIRTIOFSD}" --socket-path="$0.socket" -o source="$0" -o sandbox=chroot -o xattr >/dev/null 2>&1 &`;
  const wait = 'while [ ! -S "$0.socket" ]; do sleep 0.01; done';
  return {
    ...command,
    program: "sh",
    args: ["-c", `${daemon} ${wait}; exec "$@"`, share, command.program, ...command.args],
  };
}

const QEMU_ARGUMENTS = [
  ...["-accel", "tcg", "-cpu", "max"],
  ...["-nodefaults", "-display", "none", "-no-reboot"],
  ...["-device", "isa-debug-exit,iobase=0xf4,iosize=1"],
];

const optional = (flag: string, value: string | undefined): string[] =>
  value === undefined ? [] : [flag, value];

function firstLine(program: string, args: string[]): string | undefined {
  const run = spawnSync(program, args, { encoding: "utf8" });
  return run.status === 0 ? run.stdout.split("\n")[0].trim() : undefined;
}

/** QEMU's version, or undefined where it is not installed. */
export const qemuVersion = (): string | undefined => firstLine(QEMU, ["--version"]);

function hasSwitch(node: string, name: string): boolean {
  return spawnSync(node, [CLI, "boot", "--help"], { encoding: "utf8" }).stdout.includes(name);
}

/** Where runs are started: none of its files reach the guest. */
export const RUN_FOLDER = "/";

/** A run, with whatever it finds by itself. */
function locoreRun(node: string, command: readonly string[], memoryMib: number): Command {
  return inRunFolder(node, ["--cold", "--", ...command], memoryMib * MIB);
}

function inRunFolder(node: string, words: readonly string[], guestBytes: number): Command {
  const start = ['cd "$0" && exec "$@"', RUN_FOLDER, node, CLI, "run", ...words];
  return { program: "sh", args: ["-c", ...start], guestBytes };
}

/** The shortest run there is, which says where its time went. */
export function trueCommand(node: string, cold: boolean): Command {
  return inRunFolder(node, ["--timing", ...(cold ? ["--cold"] : []), "--", "true"], 0);
}

/** Ports as a run's guest wants them; what the command writes comes on standard output. */
const QEMU_RUN = [
  ...["-serial", "null", "-global", "virtio-mmio.force-legacy=off", "-device", "virtio-serial-device"],
  ...["-chardev", "stdio,id=stdout", "-chardev", "null,id=stdin"],
  // A guest that writes to a port waits until somebody is at its other end: with "null" nobody is.
  ...["control", "stderr"].flatMap((name) => ["-chardev", `file,id=${name},path=/dev/null`]),
  ...["control", "stdin", "stderr", "stdout"].flatMap((name) => [
    ...["-device", `virtserialport,chardev=${name},name=locore.${name}`],
  ]),
];

/** With an input that never ends: behind its end QEMU's standard output is closed for the guest, too. */
function withInput(command: Command, initrd: string): Command {
  const start = 'mkfifo "$0.input" 2>/dev/null; exec "$@" 0<>"$0.input"';
  return { ...command, program: "sh", args: ["-c", start, initrd, command.program, ...command.args] };
}

/** locore's arguments for a boot; `--stats --json` has it report its own counters at its end. */
function locoreCommand(node: string, variant: readonly string[], boot: Boot): Command {
  if (boot.run !== undefined) return locoreRun(node, boot.run, boot.memoryMib);
  const args = [CLI, "boot", boot.kernel, "-m", `${boot.memoryMib}M`, "--stats", "--json", ...variant];
  if (boot.cpus !== undefined) args.push("--smp", String(boot.cpus));
  if (boot.disk !== undefined) args.push("--disk", `${boot.disk},rw`);
  if (boot.share !== undefined) args.push("--share", `${boot.share}:${SHARE_TAG},rw`);
  if (boot.net === true) args.push("--net", "user,host=yes");
  args.push(...optional("--initrd", boot.initrd), ...optional("--append", boot.append));
  return { program: node, args, guestBytes: boot.memoryMib * MIB };
}

/** How locore is started for its start-up time alone: one instruction, figures as text. */
export function startCommand(node: string, boot: Boot): Command {
  const { program, args, guestBytes } = locoreCommand(node, ["--instructions", "1"], boot);
  return { program, args: args.filter((arg) => arg !== "--json"), guestBytes };
}

/** Boots to a shell and saves the machine there. */
export function saveCommand(node: string, boot: Boot, file: string): Command {
  const { program, args, guestBytes } = locoreCommand(
    node,
    ["--snapshot-at", "# ", "--snapshot", file],
    boot,
  );
  return { program, args: args.filter((arg) => arg !== "--json"), guestBytes };
}

/** Goes on with it for one instruction, figures as text. */
export function restoreCommand(node: string, file: string): Command {
  return { program: node, args: [CLI, "restore", file, "--instructions", "1", "--stats"], guestBytes: 0 };
}

/** locore that says its version. */
export function versionCommand(node: string): Command {
  return { program: node, args: [CLI, "--version"], guestBytes: 0 };
}

/** A Node that does nothing. */
export function nothingCommand(node: string): Command {
  return { program: node, args: ["-e", "0"], guestBytes: 0 };
}

/** A Node with a worker that does nothing. */
export function emptyWorkerCommand(node: string): Command {
  return { program: node, args: [path.join(HERE, "empty-worker.js")], guestBytes: 0 };
}

/** A program that has a guest run `true`. */
export function vmStartCommand(node: string, cold: boolean): Command {
  const args = [path.join(HERE, "vm-start.js"), ...(cold ? ["--cold"] : [])];
  return { program: node, args, guestBytes: 0 };
}

function locorePeers(node: string, version: string, suffix: string): Peer[] {
  const variants = hasSwitch(node, "--jit") ? VARIANTS : ONLY_VARIANT;
  return variants.map((variant) => ({
    name: variant.name + suffix,
    monitor: "locore",
    kind: variant.name,
    node: version,
    judged: variant.judged,
    command: (boot) => locoreCommand(node, variant.arguments, boot),
  }));
}

function v86Peer(node: string, version: string, suffix: string): Peer {
  return {
    name: `v86${suffix}`,
    monitor: "v86",
    kind: "v86",
    node: version,
    judged: false,
    missing: seabiosMissing(),
    command: (boot) => ({
      program: node,
      args: [V86_MONITOR, boot.kernel, boot.initrd ?? "", String(boot.memoryMib), boot.append ?? ""],
      guestBytes: boot.memoryMib * MIB,
    }),
  };
}

function qemuCommand(boot: Boot): Command {
  return {
    program: QEMU,
    args: [
      ...["-M", qemuMachine(boot)],
      ...QEMU_ARGUMENTS,
      ...["-m", `${boot.memoryMib}M`, "-kernel", boot.kernel],
      ...optional("-smp", boot.cpus === undefined ? undefined : String(boot.cpus)),
      ...(boot.disk === undefined ? [] : qemuDisk(boot.disk)),
      ...(boot.share === undefined ? [] : qemuShare(boot)),
      ...(boot.net === true ? QEMU_NET : []),
      ...(boot.run === undefined ? ["-serial", "stdio"] : QEMU_RUN),
      ...optional("-initrd", boot.initrd),
      ...optional("-append", qemuAppend(boot)),
    ],
    guestBytes: boot.memoryMib * MIB,
  };
}

function qemuPeer(): Peer {
  return {
    name: "QEMU",
    monitor: "qemu",
    kind: "qemu",
    judged: false,
    missing: qemuVersion() === undefined ? `${QEMU} is not installed` : undefined,
    command: (boot) => {
      const command = qemuCommand(boot);
      if (boot.run !== undefined) return withInput(command, boot.initrd!);
      return boot.share === undefined ? command : withDaemon(command, boot.share);
    },
  };
}

/** One Node that runs JavaScript peers. */
export interface NodeBinary {
  path: string;
  version: string;
}

/** Asks a Node for its version. Throws where it is none. */
export function nodeBinary(file: string): NodeBinary {
  const version = firstLine(file, ["--version"]);
  if (version === undefined || !/^v\d+\./.test(version)) throw new Error(`--node ${file}: that is no Node`);
  return { path: file, version };
}

/** All peers, the reference first. Names tell Nodes apart where there are several. */
export function allPeers(nodes: readonly NodeBinary[]): Peer[] {
  const several = nodes.length > 1;
  const ofNode = ({ path: file, version }: NodeBinary): Peer[] => {
    const suffix = several ? ` (Node ${version.slice(1).split(".")[0]})` : "";
    return [...locorePeers(file, version, suffix), v86Peer(file, version, suffix)];
  };
  return [qemuPeer(), ...nodes.flatMap(ofNode)];
}
