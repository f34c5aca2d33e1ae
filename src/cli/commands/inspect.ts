/** `locore inspect FILE…`: what a file is, every fact with its offset; which loaders take an ARM kernel; what is on a disk. */
import type { Writable } from "node:stream";
import { recognise } from "../../formats/index.js";
import type { Fact } from "../../formats/image.js";
import { verdicts } from "../../verdicts/index.js";
import { isSnapshotFile } from "../../host/node/snapshot-file.js";
import { readInput } from "../files.js";
import { aboutLines } from "../render/snapshot.js";
import { aboutFile } from "./restore.js";
import { diskImage } from "../disk-image.js";
import { guestFile, KERNEL } from "../guest-files.js";
import { JSON_OPTION, printLines, type Command } from "../command.js";
import { toJson } from "../json.js";
import { showingProgress } from "../progress.js";
import { verdictLines } from "../render/verdicts.js";

const FILE = { ...KERNEL, what: "file" };
const OFFSET_DIGITS = 8;
const WITHOUT_OFFSET = " ".repeat(OFFSET_DIGITS);

function valueText(value: Fact["value"]): string {
  return Array.isArray(value) ? value.join(" ") : String(value);
}

function factLine({ name, value, offset, meaning }: Fact, nameWidth: number): string {
  const at = offset === undefined ? WITHOUT_OFFSET : offset.toString(16).padStart(OFFSET_DIGITS, "0");
  const text = `  ${at}  ${name.padEnd(nameWidth)}  ${valueText(value)}`;
  return meaning === undefined ? text : `${text}  (${meaning})`;
}

function factLines(facts: readonly Fact[], header: string): string[] {
  const width = Math.max(...facts.map(({ name }) => name.length));
  return [header, ...facts.map((fact) => factLine(fact, width))];
}

/** Says what is on a disk; false where the file is none. */
async function showDisk(path: string, asJson: boolean, stdout: Writable): Promise<boolean> {
  const image = await diskImage({ file: path, access: "read" });
  if (image === undefined) return false;
  try {
    const [{ diskJson, diskLines }, { diskFacts }] = await Promise.all([
      import("../render/disk.js"),
      import("../../disk/disk.js"),
    ]);
    if (asJson) stdout.write(`${toJson({ file: path, ...diskJson(image.disk) }, 2)}\n`);
    else
      printLines(stdout, [
        ...diskLines(path, image.disk),
        "",
        ...factLines(diskFacts(image.disk), "  offset    field"),
      ]);
    return true;
  } finally {
    image.close();
  }
}

export const inspect: Command = {
  summary:
    "say what a file is: format, entry points, segments, notes, payload, each with its file offset; of an ARM kernel, which loaders take it; of a snapshot, which machine it is; of a disk, its partitions and what it boots",
  operands: [
    {
      name: "FILE",
      required: true,
      help: "a kernel image, a snapshot, a disk's image, or a guest of the catalogue",
    },
  ],
  options: [JSON_OPTION],
  examples: [
    ["locore inspect /boot/vmlinuz", "the setup header of a Linux kernel, field by field"],
    ["locore inspect shell.snap", "of a snapshot: which machine, when, which kernel"],
    ["locore inspect disk.img", "of a disk: partitions, file systems, and what it boots"],
    ["locore inspect kernel.arm", "an ARM kernel: what Xen, QEMU, U-Boot and Firecracker do with it"],
  ],
  async run(args, { stdout, stderr }) {
    const [given] = args.operands;
    const path = await showingProgress(stderr, (pulling) => guestFile(FILE, given, pulling));
    if (isSnapshotFile(path)) {
      const about = aboutFile(path);
      if (args.has("json")) stdout.write(`${toJson({ file: path, format: "snapshot", ...about }, 2)}\n`);
      else printLines(stdout, aboutLines(path, about));
      return 0;
    }
    if (await showDisk(path, args.has("json"), stdout)) return 0;
    const image = recognise(await readInput("file", path));
    const { format, arch, summary, facts, packedBy } = image;
    const where = verdicts(image);
    if (args.has("json")) {
      const about = { file: path, size: image.bytes.length, format, arch, packedBy, summary, facts };
      stdout.write(`${toJson(where.length > 0 ? { ...about, verdicts: where } : about, 2)}\n`);
      return 0;
    }
    printLines(stdout, [
      `${path}: ${summary}`,
      "",
      ...factLines(
        facts,
        packedBy === undefined ? "  offset    field" : "  offset    field, in the unpacked file",
      ),
      ...verdictLines(where),
    ]);
    return 0;
  },
};
