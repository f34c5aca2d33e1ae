/** `locore boot KERNEL`: runs a kernel. */
import { JIT_MODES, type JitMode } from "../../engine/contract.js";
import { ENGINE_NAMES } from "../../host/node/engines.js";
import { UsageError, type Arguments, type OptionSpec } from "../args.js";
import { BOOT_OPERANDS, BOOT_OPTIONS } from "../boot-request.js";
import { JSON_OPTION, type Command } from "../command.js";
import { withGuestFiles } from "../guest-files.js";
import { machineSource } from "../make-plan.js";
import { bootRequest } from "../plan-file.js";
import { launch, type LaunchOptions } from "../launch.js";
import { progressLine } from "../progress.js";
import { readSnapshotOptions, SNAPSHOT_OPTIONS } from "../snapshot-options.js";
import { QEMU_PARAGRAPH, QEMU_WORDS } from "../qemu/words.js";
import { parseCount, parseDuration } from "../values.js";

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
  { name: "log", value: "FILE", help: "also write the console to a file" },
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
];

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
  const log = args.value("log");
  if (log !== undefined) options.log = log;
  return options;
}

export const boot: Command = {
  summary: "boot a kernel; its console is your terminal",
  description: [
    "A guest that resets the machine gets a machine as it was planned, unless it panicked before: then the run ends.",
    "On a terminal every key goes to the guest; Ctrl-A x quits, Ctrl-A h lists keys. With a pipe as standard input " +
      "its bytes are typed in; the end of the pipe is no key.",
    "Console output goes to standard output, everything locore says goes to standard error. The last line says how " +
      "the machine ended; with --json it is one JSON object: " +
      '{"kind","machine","route","status","reason","instructions","resets","clockNs"}; "machine" is what a panicked guest came to; "screen" and "firmwareLog" are there when asked for.',
    QEMU_PARAGRAPH,
  ],
  operands: BOOT_OPERANDS,
  options: [
    ...BOOT_OPTIONS,
    ...RUN_OPTIONS,
    { ...JSON_OPTION, help: "report the end as one line of JSON on standard error" },
  ],
  foreign: QEMU_WORDS,
  examples: [
    ["locore boot vmlinuz --initrd initrd.img --append console=ttyS0", "boot Linux with its console here"],
    ["locore boot -kernel vmlinuz -initrd initrd.img -m 512 -nographic", "the same in QEMU's words"],
    ["locore boot vmlinuz -o loader.entry=32 --deterministic", "by the 32-bit entry, the same on every run"],
    ["locore boot ipxe.lkrn -o loader.bios=on", "SeaBIOS first, then the image by its 16-bit entry"],
    ["locore boot memtest.bin --screen --timeout 60", "a program that writes to a VGA's text screen"],
    ["locore boot --plan p.json", "a machine that plan --json wrote, edited or not"],
    [
      'locore boot vmlinuz --initrd i --snapshot-at "# " --snapshot shell.snap',
      "save the machine at its prompt",
    ],
    ["locore boot bios.bin --firmware-log", "firmware from its reset vector, with its log"],
  ],
  async run(args, context) {
    const request = await bootRequest(args);
    const options = readRunOptions(args);
    const source: LaunchOptions["source"] = async (signal) => {
      const progress = progressLine(context.stderr);
      try {
        const files = await withGuestFiles(request, { progress: progress.show, signal });
        return await machineSource(files, signal);
      } finally {
        progress.done();
      }
    };
    const screen = request.screen ?? false;
    return launch({ ...options, screen, input: request.clock.deterministic === undefined, source }, context);
  },
};
