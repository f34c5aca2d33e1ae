/**
 * The options of `boot` and `plan`: what to boot and on which machine. Dedicated flags, QEMU's spellings and
 * bhyve's `-o name=value` give the same request. Reads no file; knows no loader.
 */
import { UsageError, type Arguments, type OperandSpec, type OptionSpec } from "./args.js";
import { closest } from "./closest.js";
import { CONSOLE_PLACES, type BootOptions, type ClockOptions, type ConsolePlace } from "../boot/options.js";
import { ANNOUNCE_WAYS, type AnnounceBy } from "../boot/announce-ways.js";
import { DISK_OPTION, parseDisk } from "./disk-option.js";
import { NET_OPTION, parseNet } from "./net-option.js";
import { parseShares, SHARE_OPTION } from "./share-option.js";
import { DEVICE_FILE, parseDevice } from "./device-option.js";
import type { DiskRequest } from "../host/node/disk-request.js";
import type { ShareRequest } from "../host/node/share-request.js";
import type { PlugInFiles } from "../host/node/plug-ins.js";
import { readCpuOption } from "./cpu-option.js";
import { readCpuCount, readMemory, readStart } from "./machine-options.js";
import { parseModule, parsePairs, parseSize } from "./values.js";

/** A boot module whose file is not read yet. */
export interface ModulePath {
  path: string;
  commandLine: string;
}

/**
 * What was asked for, files by path, and what is only the command line's. `bios` and `vgaRom` may be "on", which is SeaBIOS and its
 * own VGA BIOS; `vgaRom` may be "off".
 */
export interface BootRequest extends BootOptions<string, ModulePath> {
  loader: Record<string, string>;
  clock: ClockOptions;
  /** Devices and loaders of somebody's own. Where there are `devices`, those of a plan that was edited, its devices are types only. */
  plugIns?: PlugInFiles;
  /** Disks by their files. */
  diskFiles?: readonly DiskRequest[];
  sharedFolders?: readonly ShareRequest[];
  /** The value of --net. */
  net?: string;
  /** The guest's clock follows the host's: nobody gave a time. */
  rtcNow?: true;
  /** SHA-256 that files must have, in hex, by path. */
  digests?: ReadonlyMap<string, string>;
}

/**
 * Time of one instruction in deterministic mode, ns: 100 M instructions a second, about what the built-in engine
 * does, so that a guest's timeouts mean what they mean in real time.
 */
const NS_PER_INSTRUCTION = 10;

const MS_PER_SECOND = 1000;

export const BOOT_OPERANDS: readonly OperandSpec[] = [
  {
    name: "KERNEL",
    required: false,
    help: "the kernel image, or a guest of the catalogue (or --kernel); or a disk's image: what it boots by itself is booted",
  },
  {
    name: "DISK",
    required: false,
    help: "a disk with the root file system, which the kernel is told; as --disk DISK,root",
  },
];

export const BOOT_OPTIONS: readonly OptionSpec[] = [
  {
    name: "plan",
    value: "FILE",
    help: "the machine of a file that plan --json wrote, as it is or edited (docs/plans.md); instead of a kernel and these options",
  },
  { name: "kernel", value: "FILE", help: "the kernel image" },
  { name: "initrd", value: "FILE", help: "initial RAM disk" },
  {
    name: "module",
    value: '"FILE ARGS…"',
    repeats: true,
    help: "a boot module and its command line (PVH, Multiboot); a space in FILE is written \\ followed by it",
  },
  {
    name: "append",
    value: "TEXT",
    help: "kernel command line; without it the words that show the console of the kernel's own system (plan says which)",
  },
  {
    name: "m",
    aliases: ["memory"],
    value: "SIZE",
    attached: /^\d/,
    help: "guest memory: 256M, 1G; a bare number counts MiB",
  },
  { name: "smp", aliases: ["cpus"], value: "N", help: "number of CPUs" },
  {
    name: "cpu",
    value: "±FEATURE,…",
    repeats: true,
    help: "switch CPU features: --cpu=-bmi1,-sha, by the names of Linux or QEMU; what is off is undefined to the guest (locore plan lists them)",
  },
  {
    name: "o",
    aliases: ["option"],
    value: "NAME=VALUE,…",
    attached: /^(loader\.|testdev=|virtio\.)/,
    repeats: true,
    help: "loader.name, loader.kernel, loader.initrd, loader.module, loader.append, loader.bios=on|FILE, loader.vgabios=on|FILE, and the loader's own, such as loader.entry=32; testdev=on adds what suites of unit tests for hypervisors expect; virtio.version=1 gives virtio devices their legacy registers; a comma that loader. does not follow belongs to the value",
  },
  DISK_OPTION,
  SHARE_OPTION,
  NET_OPTION,
  {
    name: "device",
    value: "FILE,KEY=VALUE,…",
    values: DEVICE_FILE,
    repeats: true,
    help: "a device of your own (docs/devices.md), by its JavaScript file; name=, mmio=, port=, irq= say where, type= which of the file's, all else is its configuration",
  },
  {
    name: "loader",
    value: "FILE",
    repeats: true,
    help: "a loader of your own (docs/loaders.md), by its JavaScript file; asked after those built in",
  },
  {
    name: "screen",
    help: "a VGA in text mode; its screen is printed when the machine has ended, and shown on a terminal as it changes",
  },
  {
    name: "console",
    value: "WHERE",
    choices: CONSOLE_PLACES,
    help: "serial: the serial port (the default); hvc0: a virtio console, faster, with the terminal's size, byte for byte; what is printed on the serial port is shown, too",
  },
  { name: "rng", help: "a virtio source of entropy, beside the CPU's RDRAND" },
  {
    name: "balloon",
    value: "SIZE",
    values: /^\d/,
    help: "a virtio balloon that takes so much memory from the guest, 64M; with 0 it only hears of free pages, which snapshots leave out",
  },
  {
    name: "announce",
    value: ANNOUNCE_WAYS.join("|"),
    help: "how the kernel is told of virtio devices; without it as its system finds them best: FreeBSD and NetBSD by words of the command line, all others by ACPI",
  },
  {
    name: "acpi",
    value: "on|off",
    help: "off: no ACPI tables; CPUs and interrupts are told by the MP table, virtio devices by words",
  },
  { name: "deterministic", help: "time is counted in instructions: every run is identical; takes no input" },
  {
    name: "rtc",
    value: "TIME",
    help: "what the guest's clock shows at power-on: 2024-02-29T12:00:00Z, or now",
  },
];

const LOADER_PREFIX = "loader.";
const TESTDEV = "testdev";
const VIRTIO_VERSION = "virtio.version";
const VIRTIO_VERSIONS: Readonly<Record<string, 1 | 2>> = { "1": 1, "2": 2 };

/** `-o` names that are the request's own, as bhyve has them. */
const PAIR_FIELDS: Record<string, "kernel" | "initrd" | "commandLine" | "bios" | "vgaRom"> = {
  bios: "bios",
  vgabios: "vgaRom",
  kernel: "kernel",
  initrd: "initrd",
  append: "commandLine",
  cmdline: "commandLine",
};
const PAIR_NAMES = [
  ...["name", "entry", "module", ...Object.keys(PAIR_FIELDS)].map((own) => LOADER_PREFIX + own),
  TESTDEV,
  VIRTIO_VERSION,
];

type Pairs = Pick<BootRequest, "loader"> & { modules: string[] } & Partial<
    Pick<BootRequest, "kernel" | "initrd" | "commandLine" | "bios" | "vgaRom" | "testdev" | "virtio">
  >;

function switched(name: string, value: string): boolean {
  if (value === "on" || value === "off") return value === "on";
  throw new UsageError(`-o ${name}=${value}: expected on or off`);
}

function virtioVersion(value: string): 1 | 2 {
  const version = VIRTIO_VERSIONS[value] as 1 | 2 | undefined;
  if (version !== undefined) return version;
  throw new UsageError(`-o ${VIRTIO_VERSION}=${value}: expected 2, or 1, the legacy registers`);
}

function announceWay(text: string): AnnounceBy {
  const way = ANNOUNCE_WAYS.find((one) => one === text);
  if (way !== undefined) return way;
  throw new UsageError(`--announce ${text}: expected ${ANNOUNCE_WAYS.join(", ")}`);
}

function consolePlace(text: string): ConsolePlace {
  const place = CONSOLE_PLACES.find((one) => one === text);
  if (place !== undefined) return place;
  throw new UsageError(`--console ${text}: expected ${CONSOLE_PLACES.join(", ")}`);
}

/** A size of none. */
const NOTHING = /^0+[KMGT]?$/i;

/** Virtio devices that are no disks. */
function readVirtio(request: BootRequest, args: Arguments): void {
  const console = args.value("console");
  if (console !== undefined) request.console = consolePlace(console);
  if (args.has("rng")) request.rng = true;
  const balloon = args.value("balloon");
  if (balloon !== undefined) request.balloon = NOTHING.test(balloon) ? 0 : parseSize("--balloon", balloon);
}

/** Nothing of outside comes into a run that repeats exactly. */
function readNetwork(request: BootRequest, args: Arguments): void {
  const net = args.value("net");
  const asked = net === undefined ? undefined : parseNet(net);
  if (net === undefined || asked === undefined) return;
  if (args.has("deterministic"))
    throw new UsageError(
      `--net ${net}: a deterministic run has no network: what comes from there is never the same`,
      "leave one of the two out",
    );
  if ("cable" in asked && asked.isAddressed)
    throw new UsageError(
      `--net ${net}: what boots has an init of its own, which knows of no addr=`,
      "leave it out, and tell Linux's kernel: --append ip=10.0.3.2:::255.255.255.0::eth0:off",
    );
  request.net = net;
  request.nets = [asked.card];
}

/** How devices are told of. */
function readAnnouncing(request: BootRequest, args: Arguments): void {
  const announce = args.value("announce");
  if (announce !== undefined) request.announce = announceWay(announce);
  const acpi = args.value("acpi");
  if (acpi !== undefined && acpi !== "on" && acpi !== "off")
    throw new UsageError(`--acpi ${acpi}: expected on or off`);
  if (acpi !== undefined) request.acpi = acpi === "on";
}

function unknownPair(name: string): UsageError {
  const whole = PAIR_NAMES.find((one) => one === LOADER_PREFIX + name);
  const near = whole ?? closest(name, PAIR_NAMES);
  const hint = near === undefined ? `there are ${PAIR_NAMES.join(", ")}` : `did you mean ${near}?`;
  return new UsageError(`-o ${name}: unknown name`, hint);
}

function readPairs(args: Arguments): Pairs {
  const request: Pairs = { loader: {}, modules: [] };
  for (const text of args.values("o")) {
    for (const [name, value] of parsePairs("-o", text, LOADER_PREFIX)) {
      if (name === TESTDEV) {
        request.testdev = switched(TESTDEV, value);
        continue;
      }
      if (name === VIRTIO_VERSION) {
        request.virtio = { version: virtioVersion(value) };
        continue;
      }
      if (!name.startsWith(LOADER_PREFIX)) {
        throw unknownPair(name);
      }
      const own = name.slice(LOADER_PREFIX.length);
      const field = PAIR_FIELDS[own];
      if (own === "module") request.modules.push(value);
      else if (field === undefined) request.loader[own] = value;
      else request[field] = value;
    }
  }
  return request;
}

function only(what: string, values: readonly (string | undefined)[], hint?: string): string | undefined {
  const given = [...new Set(values.filter((value) => value !== undefined))];
  if (given.length > 1)
    throw new UsageError(`two different ${what} were given: ${given.join(" and ")}`, hint);
  return given[0];
}

const ONE_KERNEL = "a word that is no option and no option's value is the kernel, as --kernel is";
/** Values of loader.bios that are no file. */
const BIOS_SWITCHES = ["on", "off"];

/** The kernel; where there is none, a firmware image is what boots, which `request` then names as the kernel only. */
function readKernel(args: Arguments, request: Pairs): string {
  const { bios } = request;
  const kernel = only("kernels", [args.operands[0], args.value("kernel"), request.kernel], ONE_KERNEL);
  if (kernel !== undefined) return kernel;
  if (bios === undefined || BIOS_SWITCHES.includes(bios))
    throw new UsageError("which kernel?", "locore boot KERNEL, or --kernel FILE");
  delete request.bios;
  return bios;
}

/** A date, or a date and a time with or without its zone. */
const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;
const WITHOUT_ZONE = /T[\d:.]+$/;

/**
 * "now", or an ISO 8601 time; seconds since 1970 UTC. Without a zone it is UTC: where the host lies must not decide
 * what a guest sees.
 */
function startTime(text: string): number {
  const iso = WITHOUT_ZONE.test(text) ? `${text}Z` : text;
  const ms = text === "now" ? Date.now() : ISO_TIME.test(text) ? Date.parse(iso) : NaN;
  if (!(ms >= 0)) throw new UsageError(`--rtc ${text}: expected a time such as 2024-02-29T12:00:00Z, or now`);
  return Math.floor(ms / MS_PER_SECOND);
}

function clockOptions(args: Arguments, rtc: string | undefined): ClockOptions {
  const clock: ClockOptions = {};
  if (args.has("deterministic")) clock.deterministic = { nsPerInstruction: NS_PER_INSTRUCTION };
  if (rtc !== undefined) clock.rtcStart = startTime(rtc);
  return clock;
}

/** A 16-bit entry needs a BIOS. "off" is what is meant without the option. */
function readFirmware(request: BootRequest, args: Arguments): void {
  if (request.loader["entry"] === "16") request.bios ??= "on";
  if (request.bios === "off") delete request.bios;
  if (args.has("screen")) request.screen = true;
}

/** Reads what `BOOT_OPTIONS` describe. Throws `UsageError`. */
export function readBootRequest(args: Arguments): BootRequest {
  const pairs = readPairs(args);
  const kernel = readKernel(args, pairs);
  const { modules: inPairs, ...others } = pairs;
  const rtc = readStart(args.value("rtc")) ?? (args.has("deterministic") ? undefined : "now");
  const request: BootRequest = { ...others, kernel, clock: clockOptions(args, rtc) };
  const modules = [...args.values("module"), ...inPairs].map(parseModule);
  if (modules.length > 0) request.modules = modules;
  readFirmware(request, args);
  readAnnouncing(request, args);
  readVirtio(request, args);
  const plugIns = { devices: args.values("device").map(parseDevice), loaders: [...args.values("loader")] };
  if (plugIns.devices.length + plugIns.loaders.length > 0) request.plugIns = plugIns;
  const diskFiles = args.values("disk").map(parseDisk);
  const [, rootDisk] = args.operands;
  if (rootDisk !== undefined) diskFiles.unshift({ ...parseDisk(rootDisk), root: true });
  if (diskFiles.length > 0) request.diskFiles = diskFiles;
  const sharedFolders = parseShares(args.values("share"));
  if (sharedFolders.length > 0) request.sharedFolders = sharedFolders;
  readNetwork(request, args);
  const initrd = only("initrds", [args.value("initrd"), pairs.initrd]);
  if (initrd !== undefined) request.initrd = initrd;
  const commandLine = only("command lines", [args.value("append"), pairs.commandLine]);
  if (commandLine !== undefined) request.commandLine = commandLine;
  const memory = args.value("m");
  if (memory !== undefined) request.memory = readMemory(memory);
  const cpus = args.value("smp");
  if (cpus !== undefined) request.cpus = readCpuCount(cpus);
  const switches = readCpuOption(args.values("cpu"));
  if (Object.keys(switches).length > 0) request.features = switches;
  if (rtc === "now") request.rtcNow = true;
  return request;
}
