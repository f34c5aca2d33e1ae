/**
 * Assembles the ARM listings of the sources (src/convert/listing.ts has the notation) with llvm-mc, and compares the
 * words that stand there: `node dist/tools/arm-listings.js`; `--write` puts right words into the sources. A test runs it
 * where llvm-mc is installed (Debian: the package llvm).
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { TRAMPOLINE32 } from "../src/convert/trampoline32.js";
import { TRAMPOLINE64 } from "../src/convert/trampoline64.js";
import { ByteView } from "../src/bytes/byte-view.js";
import { readElf, type ElfImage } from "../src/formats/elf/elf.js";
import { GUEST32, GUEST64 } from "../test/convert/guest-code.js";

/** One listing: the source it stands in, and which listing of that source it is. */
export interface Listing {
  readonly file: string;
  readonly name: string;
  readonly bits: 32 | 64;
  readonly text: string;
}

const GUESTS = "test/convert/guest-code.ts";

/** Every listing of the project. */
export const LISTINGS: readonly Listing[] = [
  { file: "src/convert/trampoline32.ts", name: "TRAMPOLINE32", bits: 32, text: TRAMPOLINE32 },
  { file: "src/convert/trampoline64.ts", name: "TRAMPOLINE64", bits: 64, text: TRAMPOLINE64 },
  { file: GUESTS, name: "GUEST32", bits: 32, text: GUEST32 },
  { file: GUESTS, name: "GUEST64", bits: 64, text: GUEST64 },
];

/** ARMv7-A with the virtualization extensions (hvc), as every machine that Xen runs on; ARMv8.0-A. */
const TARGETS = {
  32: ["-triple=armv7a-none-eabi", "-mattr=+virtualization,+v7"],
  64: ["-triple=aarch64-none-elf"],
} as const;
const WORD = /^ {2}([0-9a-f]{8})(?= {2}\S)/;
const WORD_SIZE = 4;
const WORD_DIGITS = 8;
/** gABI, "Sections"; ELF for the Arm Architecture, "Relocation types". */
const SHT_RELA = 4;
const SHT_REL = 9;
const REL_SIZE = 8;
const R_ARM_CALL = 28;
/** `bl`, always: its word offset counts from two words further on. */
const BL = 0xeb00_0000;
const BRANCH_BIAS = 8;

/** The words of a listing as they stand there. */
export function listedWords(text: string): string[] {
  return text.split("\n").flatMap((line) => WORD.exec(line)?.[1] ?? []);
}

/** The words that an assembler makes of the same lines. Throws Error with its complaints. */
export function assembledWords({ bits, text }: Listing, assembler: string): string[] {
  const source = text.replace(/^ {2}[0-9a-f]{8} {2}/gm, "  ");
  const words = [...TARGETS[bits], "-filetype=obj", "-o", "-", "-"];
  const run = spawnSync(assembler, words, { input: source, maxBuffer: 1 << 24 });
  if (run.status !== 0) throw new Error(`${assembler}: ${run.stderr.toString()}${run.error?.message ?? ""}`);
  const image = readElf(run.stdout);
  const code = image.sections.find(({ name }) => name === ".text");
  if (code === undefined) throw new Error(`${assembler} made no .text`);
  const view = new ByteView(run.stdout).view(Number(code.offset), Number(code.size));
  linkCalls(image, view);
  return Array.from({ length: view.length / WORD_SIZE }, (_, i) =>
    view
      .u32(i * WORD_SIZE)
      .toString(16)
      .padStart(WORD_DIGITS, "0"),
  );
}

/** `bl` is left to a linker by the 32-bit assembler, though its target is in the same section: fills it in. */
function linkCalls(image: ElfImage, text: ByteView): void {
  const symbols = [...image.symbols()];
  for (const { name, type, offset, size } of image.sections) {
    if (type === SHT_RELA) throw new Error(`relocations in ${name}: is every symbol defined?`);
    if (type !== SHT_REL) continue;
    const entries = new ByteView(image.bytes).view(Number(offset), Number(size));
    for (let at = 0; at < entries.length; at += REL_SIZE) {
      const [place, info] = [entries.u32(at), entries.u32(at + WORD_SIZE)];
      if ((info & 0xff) !== R_ARM_CALL) throw new Error(`relocation type ${info & 0xff} at ${place}`);
      const words = (Number(symbols[info >>> 8].value) - place - BRANCH_BIAS) / WORD_SIZE;
      text.setU32(place, (BL | (words & 0xff_ffff)) >>> 0);
    }
  }
}

/** A source with the words of one of its listings replaced. */
function rewritten(source: string, name: string, words: readonly string[]): string {
  const start = source.indexOf(`${name} = \``);
  const end = source.indexOf("\n`;", start);
  if (start < 0 || end < 0) throw new Error(`no listing ${name}`);
  let next = 0;
  const listing = source
    .slice(start, end)
    .split("\n")
    .map((line) => (WORD.test(line) ? line.replace(WORD, () => `  ${words[next++]}`) : line));
  return source.slice(0, start) + listing.join("\n") + source.slice(end);
}

function main(): number {
  const write = process.argv.includes("--write");
  const assembler = process.env["LLVM_MC"] ?? "llvm-mc";
  let differing = 0;
  for (const listing of LISTINGS) {
    const [found, wanted] = [listedWords(listing.text), assembledWords(listing, assembler)];
    if (found.length === wanted.length && found.every((word, i) => word === wanted[i])) continue;
    differing++;
    console.error(`${listing.name} in ${listing.file} differs from what ${assembler} makes`);
    const file = path.resolve(listing.file);
    if (write) writeFileSync(file, rewritten(readFileSync(file, "utf8"), listing.name, wanted));
  }
  return differing === 0 || write ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main();
