/** `locore convert FILE --to KIND`: a kernel as another kind of image. Knows files and words; the work is convert/. */
import { realpath } from "node:fs/promises";
import { hex } from "../../bytes/hex.js";
import {
  convert as convertImage,
  CONVERT_TARGETS,
  placeText,
  type Conversion,
  type ConvertTarget,
} from "../../convert/index.js";
import { UsageError, type Arguments } from "../args.js";
import { JSON_OPTION, printLines, type Command, type CommandContext } from "../command.js";
import { readInput, writeOutput } from "../files.js";
import { guestFile, KERNEL } from "../guest-files.js";
import { naming } from "../naming.js";
import { toJson } from "../json.js";
import { showingProgress } from "../progress.js";
import { parseAddress } from "../values.js";

const ENDINGS: Readonly<Record<ConvertTarget, string>> = {
  zimage: ".zImage",
  "arm64-image": ".Image",
  elf: ".elf",
  vmlinux: ".vmlinux",
  elf32: ".elf32",
  pvh: ".pvh",
};
const LABEL = 11;

function row(label: string, text: string): string {
  return `  ${label.padEnd(LABEL)}${text}`;
}

function placeRows(made: Conversion): string[] {
  const size = `${made.memory} bytes, of which ${made.memory - made.contents} are cleared`;
  if (made.target === "elf") {
    const end = made.address + BigInt(made.memory);
    return [
      row("kernel", made.found),
      row("linked at", `${hex(made.address)} to ${hex(end)} (${size})`),
      row("entry", hex(made.entry)),
    ];
  }
  if (!("placement" in made)) {
    const whole = `${made.memory} bytes in memory, of which ${made.contents} are in the file`;
    return [row("kernel", made.found), row("size", whole), row("entry", hex(made.entry))];
  }
  const { placement, memory, entry, instructionSet } = made;
  const from = placeText(placement, placement.address);
  const to = placeText(placement, placement.address + memory);
  return [
    row("runs at", `${from} to ${to} (${size})`),
    row("entry", `${placeText(placement, entry)}, ${instructionSet} code`),
    row("why there", placement.reason),
  ];
}

function lines(made: Conversion, input: string, output: string): string[] {
  return [
    `${output}: ${made.target}, ${made.bytes.length} bytes`,
    row("input", `${input}: ${made.input}`),
    ...placeRows(made),
    ...made.notes.map((note, i) => row(i === 0 ? "note" : "", note)),
  ];
}

/** Refuses to replace the input by the output. */
async function checkDistinct(input: string, output: string): Promise<void> {
  const real = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);
  const [from, to] = await Promise.all([real(input), real(output)]);
  if (from === undefined || from !== to) return;
  throw new UsageError(`--out ${output} is the input itself`, "name another file");
}

async function run(args: Arguments, { stdout, stderr }: CommandContext): Promise<number> {
  const [input] = args.operands;
  const to = args.value("to") as ConvertTarget | undefined;
  if (to === undefined) {
    throw new UsageError("--to KIND is missing", `what to make of it: ${CONVERT_TARGETS.join(", ")}`);
  }
  const output = args.value("out") ?? `${input}${ENDINGS[to]}`;
  const address = args.value("at");
  if (address !== undefined && args.has("relative")) {
    throw new UsageError(
      "--at and --relative exclude each other",
      "a fixed address does not move with memory",
    );
  }
  const at = address === undefined ? undefined : parseAddress("--at", address);
  const file = await showingProgress(stderr, (pulling) => guestFile(KERNEL, input, pulling));
  const bytes = await readInput("kernel", file);
  const asked = { to, at, relative: args.has("relative"), entry: args.value("entry") };
  const made = naming(file, () => convertImage(bytes, asked));
  await checkDistinct(file, output);
  await writeOutput(output, made.bytes);
  if (args.has("json")) {
    const { bytes: image, input: summary, ...facts } = made;
    stdout.write(`${toJson({ output, size: image.length, input: { file: input, summary }, ...facts }, 2)}\n`);
  } else {
    printLines(stdout, lines(made, input, output));
  }
  return 0;
}

export const convert: Command = {
  description: [
    "Xen on ARM, U-Boot's bootz and booti and Firecracker take no ELF file. The result is what they take: a header, a " +
      "piece of code that puts the kernel where it belongs, and the kernel.",
    "The other way, --to elf takes the kernel out of such an image: what was wrapped, what a Linux zImage unpacks itself to, " +
      "or an Image as it is.",
    "Of x86 kernels, vmlinux is the ELF kernel in a bzImage (Firecracker, Cloud Hypervisor, libkrun), elf32 a 64-bit Multiboot kernel in the " +
      "ELF32 file that QEMU wants, pvh the same file with a PVH note that every loader finds, where there is an entry for it.",
    "Of ARM kernels, without --relative and --at the place is chosen by the file's addresses, and the choice explained.",
  ],
  operands: [
    {
      name: "KERNEL",
      required: true,
      help: "a bzImage, an ELF file for x86, 32-bit ARM or AArch64, a zImage or an Image, packed or not; or a guest of the catalogue",
    },
  ],
  options: [
    { name: "to", value: "KIND", choices: CONVERT_TARGETS, help: `one of ${CONVERT_TARGETS.join(", ")}` },
    {
      name: "relative",
      help: "place it by its address modulo 128 MiB (64-bit: 2 MiB) above the start of memory",
    },
    { name: "at", value: "ADDR", help: "place its lowest byte at this physical address" },
    {
      name: "entry",
      value: "WHERE",
      help: "with pvh: address (0x…) or symbol of the 32-bit code that the note leads to",
    },
    {
      name: "out",
      aliases: ["o"],
      value: "FILE",
      help: "where to write it (default: KERNEL.zImage, .Image, .elf, .vmlinux, .elf32 or .pvh)",
    },
    JSON_OPTION,
  ],
  examples: [
    ["locore convert vmlinuz --to vmlinux", "the ELF kernel of a bzImage, for Firecracker"],
    ["locore convert gnumach-amd64 --to elf32 -o gnumach", "a 64-bit Multiboot kernel for QEMU"],
    ["locore convert kernel --to zimage", "FreeBSD for 32-bit ARM as a guest of Xen"],
    [
      "locore convert kernel.elf --to arm64-image --at 0x40080000 -o Image",
      "a kernel linked for one machine",
    ],
  ],
  run,
};
