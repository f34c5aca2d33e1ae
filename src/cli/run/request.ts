/** What `locore run` is asked for: its options as a table, and what they say. Opens no file. */
import { existsSync } from "node:fs";
import { JIT_MODES, type JitMode } from "../../engine/contract.js";
import { ENGINE_NAMES } from "../../host/node/engines.js";
import type { DiskRequest } from "../../host/node/disk-request.js";
import { UsageError, type Arguments, type OperandSpec, type OptionSpec } from "../args.js";
import { parseDisk } from "../disk-option.js";
import { GDB_OPTION, readGdb, type GdbRequest } from "../gdb-option.js";
import { NET_OPTION, NET_RUN_OPTIONS, readNet, type NetAsked } from "../net-option.js";
import type { NetRequest } from "../../host/node/net/net-request.js";
import { readCpuCount, readMemory } from "../machine-options.js";
import { parseDuration } from "../values.js";

/** A folder of the host in the guest. */
export interface SharedFolder {
  /** On the host, as it was written. */
  from: string;
  /** Absolute path in the guest; absent: as on the host. */
  at?: string;
  writable: boolean;
}

/** Where the command's root comes from. */
export type RootRequest =
  | { kind: "busybox" }
  /** `/` of the host, or another folder of it. */
  | { kind: "folder"; from: string }
  | { kind: "packages"; packages: readonly string[] }
  | { kind: "disk"; disk: DiskRequest };

/** A guest of the catalogue. */
export const DEFAULT_KERNEL = "debian-cloud";

export interface RunRequest {
  kernel: string | undefined;
  /** Empty: a shell. */
  command: readonly string[];
  /** The host says again and again what is to run, instead of `command`; the current folder is not shared then. */
  serving?: true;
  root: RootRequest;
  /** The guest's writes to the root, or to the current folder where busybox is the root, reach the host. */
  writable: boolean;
  shares: readonly SharedFolder[];
  disks: readonly DiskRequest[];
  net: (NetAsked & { readonly request: NetRequest }) | undefined;
  cpus: number | undefined;
  memory: number | undefined;
  append: string | undefined;
  environment: readonly (readonly [name: string, value: string])[];
  folder: string | undefined;
  user: string | undefined;
  timeoutMs: number | undefined;
  log: string | undefined;
  json: boolean;
  dryRun: boolean;
  /** No machine that was kept is used, and none is kept. */
  cold: boolean;
  timing: boolean;
  engine: string;
  jit: JitMode | undefined;
  gdb: GdbRequest | undefined;
}

export const RUN_OPERANDS: readonly OperandSpec[] = [
  {
    name: "KERNEL",
    required: false,
    help: "a kernel, a folder in which one was built, a guest of the catalogue, or a release of Debian: debian-12, sid; without it debian-cloud",
  },
  {
    name: "COMMAND…",
    required: false,
    help: "what runs in the guest, with its arguments; without it a shell",
  },
];

export const RUN_COMMAND_OPTIONS: readonly OptionSpec[] = [
  { name: "kernel", value: "KERNEL", help: "the kernel, instead of naming it first" },
  {
    name: "root",
    value: "ROOT",
    help:
      "where the command's root comes from: host (this system's own, what is written stays in memory), a folder, a disk's image (FILE,… as --disk), " +
      "or debian:PACKAGE,… ; without it busybox and the current folder",
  },
  {
    name: "share",
    value: "DIR[:AT][,rw]",
    repeats: true,
    help: "a folder of this host, at its own path or AT; what the guest writes stays in memory, with rw it is written to the folder",
  },
  { name: "rw", help: "what is written to the root, or to the current folder, is written on this host" },
  { name: "rwdir", value: "DIR", repeats: true, help: "as --share DIR,rw" },
  {
    name: "disk",
    value: "FILE,…",
    repeats: true,
    help: "a disk as with boot: /dev/vda, /dev/vdb, …",
  },
  { name: "smp", aliases: ["cpus"], value: "N", help: "number of CPUs" },
  {
    name: "m",
    aliases: ["memory"],
    value: "SIZE",
    attached: /^\d/,
    help: "guest memory: 512M, 1G; without it 256M, and more for a root that lies in memory",
  },
  {
    name: "env",
    aliases: ["e"],
    value: "NAME=VALUE",
    repeats: true,
    help: "a variable of the environment; NAME alone: as it is here",
  },
  {
    name: "cwd",
    aliases: ["pwd"],
    value: "DIR",
    help: "the command's folder; without it the current one where the guest has it",
  },
  { name: "user", value: "NAME|UID[:GID]", help: "who runs the command; without it root" },
  { name: "exec", value: "TEXT", help: "a line for the guest's sh, instead of a command behind --" },
  {
    name: "append",
    aliases: ["a"],
    value: "WORDS",
    repeats: true,
    help: "more words for the kernel's command line",
  },
  {
    name: "timeout",
    value: "T",
    help: "end after this time, counted from the start: 30s, 5m; a bare number counts seconds (status 124)",
  },
  { name: "log", value: "FILE", help: "write all of the kernel's messages to a file" },
  { name: "dry-run", help: "only show the machine and the kernel's command line; nothing runs" },
  {
    name: "cold",
    help: "boot the kernel: without it a machine is kept once it waits for its command, and the next run goes on from there",
  },
  { name: "timing", help: "say where the time went, and why a run was not warm" },
  { name: "engine", value: "NAME", choices: ENGINE_NAMES, help: "what executes the CPUs: auto, wasm" },
  {
    name: "jit",
    value: "MODE",
    choices: JIT_MODES,
    help: "whether hot guest code is compiled: on (the default), off",
  },
  NET_OPTION,
  ...NET_RUN_OPTIONS,
  GDB_OPTION,
  { name: "json", help: "say how it ended as one line of JSON on standard error" },
];

const RW = /,rw$/;
const PACKAGES = "debian:";
/** What a shell takes as the name of a variable. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `DIR`, `DIR:AT`, either with `,rw`. Throws UsageError. */
export function parseShare(option: string, text: string): SharedFolder {
  const place = text.replace(RW, "");
  const writable = place !== text;
  const colon = place.lastIndexOf(":/");
  const from = colon > 0 ? place.slice(0, colon) : place;
  if (from === "") throw new UsageError(`${option} ${text}: expected a folder`, `${option} DIR[:AT][,rw]`);
  const [, folder = "", tag = ""] = (colon > 0 ? null : /^(.+):([^:/\\]+)$/.exec(place)) ?? [];
  if (folder !== "" && !existsSync(place) && existsSync(folder))
    throw new UsageError(
      `${option} ${text}: expected an absolute path in the guest behind the colon`,
      `${option} ${folder}:/${tag}`,
    );
  return { from, writable, ...(colon > 0 && { at: place.slice(colon + 1) }) };
}

/** Where `--root` says that the root comes from. Throws UsageError. */
export function parseRoot(text: string | undefined): RootRequest {
  if (text === undefined) return { kind: "busybox" };
  if (text === "host") return { kind: "folder", from: "/" };
  if (!text.startsWith(PACKAGES)) return { kind: "folder", from: text };
  const packages = text
    .slice(PACKAGES.length)
    .split(",")
    .filter((name) => name !== "");
  if (packages.length === 0)
    throw new UsageError(`--root ${text}: expected names of packages`, "--root debian:bash,coreutils");
  return { kind: "packages", packages };
}

function parseVariable(text: string): [string, string] {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (!VARIABLE.test(name))
    throw new UsageError(`--env ${text}: expected NAME=VALUE`, "letters, digits and _ in NAME");
  return [name, equals < 0 ? (process.env[name] ?? "") : text.slice(equals + 1)];
}

function commandOf(args: Arguments): string[] {
  const given = args.operands.slice(args.before);
  const line = args.value("exec");
  if (line === undefined) return given;
  if (given.length > 0)
    throw new UsageError("--exec and a command behind -- contradict each other", "give one of them");
  return ["sh", "-c", line];
}

/** Reads what `RUN_COMMAND_OPTIONS` describe. Throws UsageError. */
export function readRunRequest(args: Arguments): RunRequest {
  const operands = args.operands.slice(0, args.before);
  if (operands.length > 1)
    throw new UsageError(
      `unexpected operand ${operands[1]}`,
      "the command stands behind --: locore run KERNEL -- COMMAND",
    );
  const kernel = args.value("kernel");
  if (kernel !== undefined && operands.length > 0)
    throw new UsageError(`--kernel ${kernel} and ${operands[0]} are two kernels`, "give one of them");
  const [cpus, memory, timeout] = [args.value("smp"), args.value("m"), args.value("timeout")];
  const shares = [
    ...args.values("share").map((text) => parseShare("--share", text)),
    ...args.values("rwdir").map((text) => ({ ...parseShare("--rwdir", text), writable: true })),
  ];
  return {
    kernel: kernel ?? operands[0],
    command: commandOf(args),
    root: parseRoot(args.value("root")),
    writable: args.has("rw"),
    shares,
    disks: args.values("disk").map(parseDisk),
    net: readNet(args),
    cpus: cpus === undefined ? undefined : readCpuCount(cpus),
    memory: memory === undefined ? undefined : readMemory(memory),
    append: args.values("append").join(" ") || undefined,
    environment: args.values("env").map(parseVariable),
    folder: args.value("cwd"),
    user: args.value("user"),
    timeoutMs: timeout === undefined ? undefined : parseDuration("--timeout", timeout),
    log: args.value("log"),
    json: args.has("json"),
    dryRun: args.has("dry-run"),
    cold: args.has("cold"),
    timing: args.has("timing"),
    engine: args.value("engine") ?? "auto",
    jit: args.value("jit") as JitMode | undefined,
    gdb: readGdb(args),
  };
}
