/**
 * The options of `boot` and `plan`: what to boot and on which machine. Dedicated flags, QEMU's spellings and
 * bhyve's `-o name=value` give the same request. Reads no file; knows no loader.
 */
import { UsageError, type Arguments, type OperandSpec, type OptionSpec } from "./args.js";
import { closest } from "./closest.js";
import { parseCount, parsePairs, parseSize } from "./values.js";

/** What was asked for; absent means the default of `boot/`. */
export interface BootRequest {
  kernel: string;
  initrd?: string;
  commandLine?: string;
  /** Bytes. */
  memory?: number;
  cpus?: number;
  loader?: string;
  entry?: string;
  deterministic: boolean;
}

/** More CPUs than this would only share one thread's time. */
const MOST_CPUS = 64;

export const BOOT_OPERANDS: readonly OperandSpec[] = [
  { name: "KERNEL", required: false, help: "the kernel image (or --kernel)" },
];

export const BOOT_OPTIONS: readonly OptionSpec[] = [
  { name: "kernel", value: "FILE", help: "the kernel image" },
  { name: "initrd", value: "FILE", help: "initial RAM disk" },
  { name: "append", value: "TEXT", help: "kernel command line" },
  { name: "m", aliases: ["memory"], value: "SIZE", help: "guest memory: 256M, 1G; a bare number counts MiB" },
  { name: "smp", aliases: ["cpus"], value: "N", help: "number of CPUs" },
  {
    name: "o",
    aliases: ["option"],
    value: "NAME=VALUE,…",
    repeats: true,
    help: "loader.name, loader.kernel, loader.initrd, loader.append, loader.entry (16, 32, 64, pvh, elf64)",
  },
  { name: "deterministic", help: "time is counted in instructions: every run is identical; takes no input" },
];

/** `-o` names, as bhyve has them, and the request's fields. */
const PAIR_FIELDS: Record<string, "loader" | "kernel" | "initrd" | "commandLine" | "entry"> = {
  "loader.name": "loader",
  "loader.kernel": "kernel",
  "loader.initrd": "initrd",
  "loader.append": "commandLine",
  "loader.cmdline": "commandLine",
  "loader.entry": "entry",
};

function readPairs(args: Arguments): Partial<BootRequest> {
  const request: Partial<BootRequest> = {};
  for (const text of args.values("o")) {
    for (const [name, value] of parsePairs("-o", text)) {
      const field = PAIR_FIELDS[name];
      if (field === undefined) {
        const guess = closest(name, Object.keys(PAIR_FIELDS));
        throw new UsageError(`-o ${name}: unknown name`, guess && `did you mean ${guess}?`);
      }
      request[field] = value;
    }
  }
  return request;
}

function only(what: string, values: readonly (string | undefined)[]): string | undefined {
  const given = [...new Set(values.filter((value) => value !== undefined))];
  if (given.length > 1) throw new UsageError(`two different ${what} were given: ${given.join(" and ")}`);
  return given[0];
}

/** QEMU's "-smp 2" and "-smp cpus=2". */
function cpuCount(text: string): number {
  return parseCount("--smp", text.replace(/^cpus=/, ""), 1, MOST_CPUS);
}

/** Reads what `BOOT_OPTIONS` describe. Throws `UsageError`. */
export function readBootRequest(args: Arguments): BootRequest {
  const pairs = readPairs(args);
  const kernel = only("kernels", [args.operands[0], args.value("kernel"), pairs.kernel]);
  if (kernel === undefined) throw new UsageError("which kernel?", "locore boot KERNEL, or --kernel FILE");
  const request: BootRequest = { ...pairs, kernel, deterministic: args.has("deterministic") };
  const initrd = only("initrds", [args.value("initrd"), pairs.initrd]);
  if (initrd !== undefined) request.initrd = initrd;
  const commandLine = only("command lines", [args.value("append"), pairs.commandLine]);
  if (commandLine !== undefined) request.commandLine = commandLine;
  const memory = args.value("m");
  if (memory !== undefined) request.memory = parseSize("-m", memory);
  const cpus = args.value("smp");
  if (cpus !== undefined) request.cpus = cpuCount(cpus);
  return request;
}
