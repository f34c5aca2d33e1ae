/** `locore inspect FILE`: where a kernel boots and where not, what a file is, every fact with its offset; what is on a disk. */
import { statSync } from "node:fs";
import type { Writable } from "node:stream";
import { ownLoaders, ownRefusals, ownVerdicts } from "../../boot/own-verdicts.js";
import { ownCrc32, useHostsCrc32 } from "../../codecs/crc32.js";
import { FormatError } from "../../formats/format-error.js";
import { lateBuiltin } from "../../host/node/late-builtin.js";
import { recognise, type KnownImage } from "../../formats/index.js";
import { namedFile, type NamedFile } from "../../formats/named-file.js";
import { isForArm, type Fact } from "../../formats/image.js";
import {
  claimsX86,
  LOADERS,
  traps,
  verdicts,
  x86Verdicts,
  type Trap,
  type Verdict,
} from "../../verdicts/index.js";
import { isSnapshotFile } from "../../host/node/snapshot-file.js";
import { readInput } from "../files.js";
import { aboutLines } from "../render/snapshot.js";
import { aboutFile } from "./restore.js";
import { diskImage } from "../disk-image.js";
import { inFile, naming } from "../naming.js";
import { guestFile, isThere, KERNEL } from "../guest-files.js";
import { UsageError, type Arguments } from "../args.js";
import { closest } from "../closest.js";
import { JSON_OPTION, printLines, type Command, type CommandContext } from "../command.js";
import { toJson } from "../json.js";
import { showingProgress } from "../progress.js";
import { answerLines, answerOf } from "../render/answer.js";
import { explainable, explanation } from "../render/explain.js";
import { faultJson, imageJson, namedJson, verdictsJson } from "../render/report-json.js";
import { detailLines, trapLines, verdictLines } from "../render/verdicts.js";
import { EXIT_STATUS } from "../../machine/end.js";

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

/** What is said of a file: what it is, and what loaders do with it. */
interface Report {
  readonly path: string;
  readonly image: KnownImage | undefined;
  readonly where: readonly Verdict[];
  /** Of the loaders that take it. */
  readonly behind: readonly Trap[];
}

/** Traps of loaders that take the image; of the others the verdict says enough. */
function trapsBehind(image: KnownImage, where: readonly Verdict[]): Trap[] {
  const taking = new Set(answerOf(where).boots);
  // To find them the kernel is unpacked and looked through.
  if (taking.size === 0) return [];
  return traps(image).flatMap((trap) => {
    const loaders = trap.loaders.filter((name) => taking.has(name));
    return loaders.length === 0 ? [] : [{ ...trap, loaders }];
  });
}

/** The verdicts of other programs' loaders, and of this one's. */
function allVerdicts(image: KnownImage): Verdict[] {
  const others = verdicts(image);
  const own =
    isForArm(image) || image.format === "uimage" || image.format === "fit" ? [] : ownVerdicts(image);
  return [...others, ...own];
}

/** The same of a broken kernel: loaders do not mind what our reader minds. None for what claims to be no kernel. */
function brokenVerdicts(bytes: Uint8Array, fault: FormatError): Verdict[] {
  return claimsX86(bytes) ? [...x86Verdicts(bytes, undefined), ...ownRefusals(fault)] : [];
}

/** Loaders that a name means: itself, or all of a program's: "grub" is grub-linux and grub-multiboot. */
function named(where: readonly Verdict[], name: string): Verdict[] {
  return where.filter(({ loader }) => loader.name === name || loader.name.startsWith(`${name}-`));
}

function knownLoader(name: string): void {
  const names = [...LOADERS, ...ownLoaders()].map((loader) => loader.name);
  if (names.some((one) => one === name || one.startsWith(`${name}-`))) return;
  const near = closest(name, names);
  throw new UsageError(
    `--for ${name}: there is no such loader`,
    near === undefined ? `there are ${names.join(", ")}` : `did you mean ${near}?`,
  );
}

const BOOTS = 0;
const DOES_NOT = 1;

/** `--for NAME`: that loader's verdict only, and a status that a script can use. */
function showFor({ path, where, behind }: Report, name: string, { args, stdout }: Shown): number {
  const asked = named(where, name);
  const names = new Set(asked.map(({ loader }) => loader.name));
  const waiting = behind.filter(({ loaders }) => loaders.some((one) => names.has(one)));
  if (args.has("json")) stdout.write(`${toJson({ file: path, verdicts: asked, traps: waiting }, 2)}\n`);
  else {
    printLines(
      stdout,
      asked.flatMap((verdict) => [
        `${path}: ${verdict.loader.name} ${verdict.outcome === "takes" ? "boots it" : "does not boot it"}: ${verdict.reason}`,
        ...detailLines(verdict).map((line) => `  ${line}`),
      ]),
    );
    printLines(stdout, trapLines(waiting));
    if (asked.length === 0) printLines(stdout, [`${path}: ${name} boots no such file`]);
  }
  return asked.some(({ outcome }) => outcome === "takes") ? BOOTS : DOES_NOT;
}

interface Shown {
  readonly args: Arguments;
  readonly stdout: Writable;
}

function wantsColour(stdout: Writable): boolean {
  return (stdout as Partial<NodeJS.WriteStream>).isTTY === true && process.env["NO_COLOR"] === undefined;
}

/** The answer, then the facts, then the table. */
function showText({ path, image, where, behind }: Report, stdout: Writable): void {
  const answer = answerLines(where, wantsColour(stdout));
  const packed = image?.packedBy !== undefined;
  printLines(stdout, [`${path}: ${image?.summary ?? "a broken kernel file"}`]);
  if (answer.length > 0) stdout.write(`${answer.join("\n")}\n`);
  const header = packed ? "  offset    field, in the unpacked file" : "  offset    field";
  printLines(stdout, [
    ...(image === undefined ? [] : ["", ...factLines(image.facts, header)]),
    ...verdictLines(where),
    ...trapLines(behind),
  ]);
}

/** What is said of a file beside its report. */
interface Beside {
  /** Bytes of the file as it is given. */
  readonly size: number;
  readonly name: NamedFile | undefined;
  readonly fault: FormatError | undefined;
}

function showJson(
  { path, image, where, behind }: Report,
  { size, name, fault }: Beside,
  stdout: Writable,
): void {
  const about = {
    file: path,
    size: image?.bytes.length ?? size,
    ...(image && imageJson(image)),
    ...(name && namedJson(name)),
    ...verdictsJson(where, behind),
    ...(fault && faultJson(fault)),
  };
  stdout.write(`${toJson(about, 2)}\n`);
}

/** Facts of what is no kernel; why it does not boot is said by its refusal. */
function showNamed(path: string, { summary, facts }: NamedFile, stdout: Writable): void {
  printLines(stdout, [`${path}: ${summary}`, "", ...factLines(facts, "  offset    field")]);
}

/** A unified kernel image: what loaders do with the whole, then the kernel in it as if it were given. */
function showUnified(path: string, file: NamedFile, whole: Uint8Array, shown: Shown): number {
  const { args, stdout } = shown;
  const kernel = naming(path, () => recognise(file.kernel ?? whole));
  const where = args.has("facts") ? [] : [...x86Verdicts(whole, undefined), ...ownVerdicts(kernel)];
  const behind = trapsBehind(kernel, where);
  const asked = args.value("for");
  if (asked !== undefined) return showFor({ path, image: undefined, where, behind }, asked, shown);
  const inside = args.has("facts") ? [] : x86Verdicts(kernel.bytes, kernel);
  const behindInside = trapsBehind(kernel, inside);
  if (args.has("json")) {
    const about = { file: path, size: whole.length, ...namedJson(file), ...verdictsJson(where, behind) };
    const linux = { ...imageJson(kernel), ...verdictsJson(inside, behindInside) };
    stdout.write(`${toJson({ ...about, linux }, 2)}\n`);
    return EXIT_STATUS.ok;
  }
  const { summary, facts } = file;
  printLines(stdout, [`${path}: ${summary}`]);
  stdout.write([...answerLines(where, wantsColour(stdout)), ""].join("\n"));
  printLines(stdout, [
    "",
    ...factLines(facts, "  offset    field"),
    ...verdictLines(where),
    ...trapLines(behind),
    "",
  ]);
  showText({ path: `${path}, section .linux`, image: kernel, where: inside, behind: behindInside }, stdout);
  return EXIT_STATUS.ok;
}

/** What there is to say of a file, and with what its reader refuses it. No verdicts: it claims to be no kernel, or none were asked for. */
function look(path: string, bytes: Uint8Array, factsOnly: boolean): { report: Report; fault?: FormatError } {
  try {
    const image = recognise(bytes);
    const where = factsOnly ? [] : allVerdicts(image);
    return { report: { path, image, where, behind: trapsBehind(image, where) } };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return {
      report: { path, image: undefined, where: brokenVerdicts(bytes, error), behind: [] },
      fault: error,
    };
  }
}

/** A kernel's file: what it is and where it boots. Throws what its reader refuses it with, after the loaders' verdicts. */
async function inspectKernel(path: string, shown: Shown): Promise<number> {
  const { args, stdout } = shown;
  const bytes = await readInput("file", path);
  const known = namedFile(bytes);
  if (known?.kernel !== undefined) return showUnified(path, known, bytes, shown);
  const { report, fault } = look(path, bytes, args.has("facts"));
  const noKernel = fault !== undefined && report.where.length === 0;
  const asked = args.value("for");
  if (asked !== undefined && !noKernel) return showFor(report, asked, shown);
  if (asked === undefined) {
    const name = noKernel ? known : undefined;
    if (args.has("json")) showJson(report, { size: bytes.length, name, fault }, stdout);
    else if (!noKernel) showText(report, stdout);
    else if (name !== undefined) showNamed(path, name, stdout);
  }
  if (fault !== undefined) throw inFile(path, fault);
  return EXIT_STATUS.ok;
}

function explain(name: string, stdout: Writable): number {
  const lines = explanation(name, ownLoaders());
  if (lines === undefined) {
    const near = closest(name, explainable(ownLoaders()));
    throw new UsageError(
      `--explain ${name}: there is no such rule`,
      near === undefined ? "the table of locore inspect FILE names them" : `did you mean ${near}?`,
    );
  }
  printLines(stdout, lines);
  return EXIT_STATUS.ok;
}

/** The checksum of a whole kernel is most of what reading its headers takes. */
function useHostsChecksum(): void {
  useHostsCrc32((bytes, previous) => (lateBuiltin("node:zlib").crc32 ?? ownCrc32)(bytes, previous));
}

/** A pipe with a name: opening it waits for somebody who writes, which is worth a word. */
function isPipe(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() ?? false;
}

async function run(args: Arguments, { stdout, stderr }: CommandContext): Promise<number> {
  const rule = args.value("explain");
  if (rule !== undefined) return explain(rule, stdout);
  const [given] = args.operands as readonly (string | undefined)[];
  if (given === undefined) throw new UsageError("FILE is missing", "locore inspect FILE");
  const asked = args.value("for");
  if (asked !== undefined) knownLoader(asked);
  // What there is needs no progress shown, and nothing of what fetches guests.
  const path = (await isThere(given))
    ? given
    : await showingProgress(stderr, (pulling) => guestFile(FILE, given, pulling));
  useHostsChecksum();
  if (isPipe(path)) {
    printLines(stderr, [
      `locore: ${path} is a pipe: reading until whoever writes to it ends (Ctrl-C to give up)`,
    ]);
    return inspectKernel(path, { args, stdout });
  }
  if (isSnapshotFile(path)) {
    const about = aboutFile(path);
    if (args.has("json")) stdout.write(`${toJson({ file: path, format: "snapshot", ...about }, 2)}\n`);
    else printLines(stdout, aboutLines(path, about));
    return EXIT_STATUS.ok;
  }
  if (await showDisk(path, args.has("json"), stdout)) return EXIT_STATUS.ok;
  return inspectKernel(path, { args, stdout });
}

export const inspect: Command = {
  description: [
    "The answer comes first, then the facts, then a table: which loader takes the file and how, or which check fails, what is printed, what to do. Loaders are marked as run or read in --explain.",
    "--for ends with status 0 if the loader boots the file, 1 if it does not, 2 if there is no such loader.",
  ],
  operands: [
    {
      name: "FILE",
      required: false,
      help: "a kernel image, a snapshot, a disk's image, or a guest of the catalogue",
    },
  ],
  options: [
    {
      name: "for",
      value: "NAME",
      help: "only this loader, or all of one program (qemu, grub); the status is its answer",
    },
    {
      name: "explain",
      value: "RULE",
      help: "what a rule or a loader of the table is, where it was read; no FILE",
    },
    { name: "facts", help: "facts only: no loader is asked, nothing is unpacked" },
    JSON_OPTION,
  ],
  examples: [
    ["locore inspect /boot/vmlinuz", "where it boots, then the setup header field by field"],
    ["locore inspect kernel --for firecracker", "would Firecracker take it? Status 0 or 1"],
    ["locore inspect --explain qemu/elf-no-pvh", "what a rule is, what is printed, where it was read"],
    ["locore inspect shell.snap", "of a snapshot: which machine, when, which kernel"],
    ["locore inspect disk.img", "of a disk: partitions, file systems, and what it boots"],
  ],
  run,
};
