/** `locore export KERNEL --to TARGET`: a configuration for another monitor. Knows files and words; the work is export/. */
import path from "node:path";
import type { Writable } from "node:stream";
import {
  convertedNote,
  exportGuest,
  EXPORT_TARGETS,
  type Export,
  type ExportRequest,
  type ExportTarget,
} from "../../export/index.js";
import { recognise } from "../../formats/index.js";
import { isForArm } from "../../formats/image.js";
import { UsageError, type Arguments } from "../args.js";
import { BOOT_OPERANDS, BOOT_OPTIONS, type BootRequest } from "../boot-request.js";
import { JSON_OPTION, printLines, type Command, type CommandContext } from "../command.js";
import { readInput, writeOutput } from "../files.js";
import { naming } from "../naming.js";
import { withGuestFiles } from "../guest-files.js";
import { toJson } from "../json.js";
import { makePlan } from "../make-plan.js";
import { askedRequest } from "../asked-request.js";
import { showingProgress } from "../progress.js";
import { QEMU_PARAGRAPH, qemuWords } from "../qemu/about.js";

/** Options that describe this program's own machine only, as they were spelled. */
function ownOnly(args: Arguments, request: BootRequest): string[] {
  const flags = ["cpu", "screen", "deterministic", "rtc", "device", "loader", "share", "net"]
    .filter((name) => args.has(name) && (name !== "cpu" || request.features !== undefined))
    .map((name) => `--${name}`);
  const loader = Object.keys(request.loader).map((name) => `-o loader.${name}`);
  const { bios, vgaRom } = request;
  const firmware = Object.entries({ bios, vgabios: vgaRom }).filter(([, file]) => file !== undefined);
  return [...flags, ...loader, ...firmware.map(([name]) => `-o loader.${name}`)];
}

async function exportRequest(args: Arguments, stderr: Writable): Promise<ExportRequest> {
  const asked = await askedRequest(args);
  const request = await showingProgress(stderr, (pulling) => withGuestFiles(asked, pulling));
  const bytes = await readInput("kernel", request.kernel);
  const image = naming(request.kernel, () => recognise(bytes));
  const { initrd } = request;
  const initrdSize = initrd === undefined ? 0 : (await readInput("initrd", initrd)).length;
  return {
    kernel: { name: request.kernel, size: bytes.length, image },
    name: args.value("name"),
    fileName: args.value("out"),
    memory: request.memory,
    cpus: request.cpus,
    commandLine: request.commandLine,
    initrd: initrd === undefined ? undefined : { name: initrd, size: initrdSize },
    disks: (request.diskFiles ?? []).map(({ file }) => file),
    ownOnly: ownOnly(args, request),
    modules: (request.modules ?? []).map((module) => module.path),
    plan: isForArm(image) ? undefined : await makePlan(withoutDisks(request)),
  };
}

/** The other monitor opens them: here they need not be. */
function withoutDisks(request: BootRequest): BootRequest {
  const { diskFiles: _diskFiles, sharedFolders: _sharedFolders, ...others } = request;
  return others;
}

function made(request: ExportRequest, target: ExportTarget): Export {
  try {
    return exportGuest(request, target);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

function summaryLines({ commands, lost, notes }: Export, output: string): string[] {
  return [
    `${output}: written`,
    ...commands.map((command) => `  run   ${command}`),
    ...lost.map(({ what, why }) => `  lost  ${what}: ${why}`),
    ...notes.map((note) => `  note  ${note}`),
  ];
}

async function run(args: Arguments, { stdout, stderr }: CommandContext): Promise<number> {
  const target = args.value("to") as ExportTarget | undefined;
  if (target === undefined)
    throw new UsageError("--to TARGET is missing", `where to: ${EXPORT_TARGETS.join(", ")}`);
  const result = made(await exportRequest(args, stderr), target);
  const output = args.value("out");
  const { converted, ...told } = result;
  if (converted !== undefined && path.resolve(converted.name) === path.resolve(converted.of))
    throw new UsageError(`${converted.name} is the kernel itself`, "name the guest otherwise: --name");
  if (output !== undefined) {
    await writeOutput(output, new TextEncoder().encode(result.file.text));
    if (converted !== undefined) await writeOutput(converted.name, converted.bytes);
  } else if (converted !== undefined)
    printLines(stderr, [
      `locore: note: ${converted.name} is written only with --out; ${convertedNote(converted)}`,
    ]);
  if (args.has("json")) {
    const file = converted && { name: converted.name, size: converted.bytes.length, way: converted.way };
    stdout.write(`${toJson({ output, ...told, converted: file }, 2)}\n`);
  } else if (output === undefined) stdout.write(result.file.text);
  else printLines(stdout, summaryLines(result, output));
  return 0;
}

export const exportCommand: Command = {
  description: [
    "Takes boot's options. A kernel that the target takes only in another kind of file is converted (locore help convert) and written beside " +
      "the configuration. One that the target would refuse all the same is refused here, with the check that fails and what to do.",
    "dom0less: a device-tree fragment (an overlay for dtc) and the commands that start it on QEMU's virt machine.",
    QEMU_PARAGRAPH,
  ],
  operands: BOOT_OPERANDS,
  options: [
    { name: "to", value: "TARGET", choices: EXPORT_TARGETS, help: `where to: ${EXPORT_TARGETS.join(", ")}` },
    { name: "out", value: "FILE", help: "write the configuration there; without it, it is printed" },
    { name: "name", value: "NAME", help: "of the guest (default guest; dom0less: domU1)" },
    ...BOOT_OPTIONS,
    JSON_OPTION,
  ],
  foreign: qemuWords,
  examples: [
    ["locore export vmlinuz --to qemu --append console=ttyS0 >run.sh", "a script for QEMU's microvm"],
    [
      "locore export kernel.zImage --to xl -m 256M --name freebsd --out freebsd.cfg",
      "then: xl create -c freebsd.cfg",
    ],
    ["locore export kernel.Image --to dom0less --json", "the fragment, the commands, what is lost"],
  ],
  run,
};
