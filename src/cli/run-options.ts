/** The options of every command that runs a machine: about the run, not about the machine. */
import { accessSync, constants } from "node:fs";
import { JIT_MODES, type JitMode } from "../engine/contract.js";
import { ENGINE_NAMES } from "../host/node/engines.js";
import { UsageError, type Arguments, type OptionSpec } from "./args.js";
import { GDB_OPTION, readGdb } from "./gdb-option.js";
import type { LaunchOptions } from "./launch.js";
import { readSnapshotOptions, SNAPSHOT_OPTIONS } from "./snapshot-options.js";
import { readTrace, TRACE_OPTIONS } from "./trace-option.js";
import { parseCount, parseDuration } from "./values.js";

/** Options about the run, not about the machine. */
export const RUN_OPTIONS: readonly OptionSpec[] = [
  { name: "engine", value: "NAME", choices: ENGINE_NAMES, help: "what executes the CPUs: auto, wasm" },
  {
    name: "jit",
    value: "MODE",
    choices: JIT_MODES,
    help: "whether hot guest code is compiled: on (the default), off; check compares; eager compiles all",
  },
  {
    name: "timeout",
    value: "T",
    help: "end after this time, counted from the start of the command: 30s, 5m; a bare number counts seconds (status 124)",
  },
  { name: "instructions", value: "N", help: "end after this many instructions (status 124)" },
  {
    name: "symbols",
    value: "FILE",
    help: "the kernel's symbols for a diagnosis, an ELF file or System.map; a Linux kernel's own are found in its memory",
  },
  { name: "log", value: "FILE", help: "also write the console to a file" },
  ...TRACE_OPTIONS,
  { name: "no-reboot", help: "a reset ends the run (status 0), as it does anyway without a terminal" },
  {
    name: "max-resets",
    value: "N",
    help: "a reset restarts the machine so many times; the next one ends it. Without: on a terminal always, otherwise never",
  },
  {
    name: "triple-fault",
    value: "WHAT",
    choices: ["crash", "reset"],
    help: "what a triple fault is: crash (status 4, the default) or a reset like any other",
  },
  { name: "stats", help: "also print instructions, speed and the engine's counters" },
  { name: "jit-stats", help: "the same with what compiled code counts about itself, which takes some time" },
  { name: "firmware-log", help: "print what firmware wrote to its debug console (port 0x402)" },
  ...SNAPSHOT_OPTIONS,
  GDB_OPTION,
];

/** A file that will be read later only. */
function readable(file: string): string {
  try {
    accessSync(file, constants.R_OK);
    return file;
  } catch {
    throw new UsageError(
      `--symbols ${file}: it cannot be read`,
      "give the kernel's ELF file or its System.map",
    );
  }
}

/** Reads `RUN_OPTIONS` and `--json`. */
export function readRunOptions(args: Arguments): Omit<LaunchOptions, "source" | "input"> {
  const options: Omit<LaunchOptions, "source" | "input"> = {
    engine: args.value("engine") ?? "auto",
    saving: readSnapshotOptions(args),
    stats: args.has("stats") || args.has("jit-stats"),
    countRegions: args.has("jit-stats"),
    json: args.has("json"),
    firmwareLog: args.has("firmware-log"),
  };
  const tripleFault = args.value("triple-fault");
  if (tripleFault !== undefined) options.tripleFault = tripleFault as "crash" | "reset";
  const jit = args.value("jit");
  if (jit !== undefined) options.jit = jit as JitMode;
  const timeout = args.value("timeout");
  if (timeout !== undefined) options.timeoutMs = parseDuration("--timeout", timeout);
  const instructions = args.value("instructions");
  if (instructions !== undefined) {
    options.maxInstructions = parseCount("--instructions", instructions, 1, Number.MAX_SAFE_INTEGER);
  }
  const resets = args.value("max-resets");
  if (resets !== undefined && args.has("no-reboot"))
    throw new UsageError("--no-reboot and --max-resets contradict each other", "give one of them");
  if (resets !== undefined)
    options.maxResets = parseCount("--max-resets", resets, 0, Number.MAX_SAFE_INTEGER);
  if (args.has("no-reboot")) options.maxResets = 0;
  const gdb = readGdb(args);
  if (gdb !== undefined) options.gdb = gdb;
  const trace = readTrace(args);
  if (trace !== undefined) options.trace = trace;
  const symbols = args.value("symbols");
  if (symbols !== undefined) options.symbols = readable(symbols);
  const log = args.value("log");
  if (log !== undefined) options.log = log;
  return options;
}
