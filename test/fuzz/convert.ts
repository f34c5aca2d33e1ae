/**
 * Fuzz target of the converter: damages ARM and x86 kernels (ELF files, images with one inside), converts them to everything, and
 * insists on a typed refusal, or on a file that its own reader takes without complaint and that converts on. The same
 * seed makes the same case.
 */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { convert, ConvertError, CONVERT_TARGETS, type ConvertTarget } from "../../src/convert/index.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise, type KnownImage } from "../../src/formats/index.js";
import { findMultiboot1 } from "../../src/formats/multiboot1/multiboot1.js";
import { ARM64_IMAGE, ZIMAGE } from "../../src/spec/arm-boot.js";
import { ELF32, ELF64, PT, SHT } from "../../src/spec/elf.js";
import { SIGNATURE_OFFSET, WRAPPER32, WRAPPER64 } from "../../src/convert/wrapper.js";
import { makeGuest, UART } from "../convert/guest.js";
import { makeElf, makeNotes, makePvhNote } from "../support/images.js";
import { linuxKernel, multibootKernel, pvhKernel } from "../verdicts/x86-collection.js";
import { mutate, Random, type Seed } from "./formats.js";

/** What a case may take: kernels of the corpus are far smaller. */
const MAX_MEMORY = 1 << 20;
const MAX_UNPACKED = 1 << 16;
const PATTERN = 400;
const BSS = 256;
const TARGET = { 32: "zimage", 64: "arm64-image" } as const;

type Field = Seed["fields"][number];

function words(from: number, to: number, size: number): Field[] {
  const count = Math.floor((to - from) / size);
  return Array.from({ length: count }, (_, i) => ({ offset: from + i * size, size }));
}

function corpus(): Seed[] {
  const seeds: Seed[] = [];
  for (const bits of [32, 64] as const) {
    const { ehdr, phdr, wordSize } = bits === 32 ? ELF32 : ELF64;
    const link = bits === 32 ? 0xc040_0000n : 0xffff_0000_0000_0000n;
    for (const parts of [
      { link: 0x4040_0000n, freebsd: false },
      { link, freebsd: true },
    ]) {
      const { elf } = makeGuest({ bits, uart: UART.QEMU, pattern: PATTERN, bss: BSS, ...parts });
      const headers = words(16, ehdr.size + 3 * phdr.size, wordSize);
      seeds.push({ name: `elf${bits} at ${parts.link}`, bytes: elf, fields: headers });
      const { bytes } = convert(elf, { to: TARGET[bits] });
      const own = words(SIGNATURE_OFFSET + 8, (bits === 32 ? WRAPPER32 : WRAPPER64).CODE, wordSize);
      const image = words(0, bits === 32 ? ZIMAGE.EXTENDED_SIZE : ARM64_IMAGE.SIZE, 4);
      seeds.push({ name: `${TARGET[bits]} of ${parts.link}`, bytes, fields: [...own, ...own, ...image] });
    }
  }
  // Images that are not ours: the signature is gone.
  const foreign = seeds
    .filter(({ name }) => !name.startsWith("elf"))
    .map(({ name, bytes, fields }) => ({
      name: `foreign ${name}`,
      bytes: Uint8Array.from(bytes).fill(0, SIGNATURE_OFFSET, SIGNATURE_OFFSET + 8),
      fields,
    }));
  return [...seeds, ...foreign];
}

const BASE = 0x20_0000;
const CODE = Uint8Array.from([0xfa, 0xf4, 0xeb, 0xfd]);

/** Kernels for x86 that can be converted: one target each, and what surrounds their headers. */
function x86Corpus(): Seed[] {
  const multiboot = multibootKernel({ elfClass: 64 });
  const notes = makeNotes([makePvhNote(BASE)]);
  const load = { vaddr: 0xffff_ffff_8020_0000n, paddr: BASE, bytes: CODE };
  const hidden = makeElf({
    entry: BASE,
    segments: [load, { type: PT.NOTE, bytes: notes }, { type: PT.NOTE }],
    sections: [{ name: ".note", type: SHT.NOTE, bytes: notes }],
  });
  const { ehdr, phdr } = ELF64;
  const headers = words(16, ehdr.size + 3 * phdr.size, 8);
  const bzImage = linuxKernel({ payload: gzipSync(pvhKernel()) });
  return [
    {
      name: "elf64 with Multiboot",
      bytes: multiboot,
      fields: [...headers, ...words(ehdr.size + phdr.size, 0x100, 4)],
    },
    {
      name: "elf64 with a hidden PVH note",
      bytes: hidden,
      fields: [...headers, ...words(ehdr.size, hidden.length - 8, 4)],
    },
    { name: "bzImage", bytes: bzImage, fields: words(0x1f0, 0x270, 4) },
  ];
}

const ARM_CORPUS = corpus();
const X86_CORPUS = x86Corpus();
const X86_TARGETS: readonly ConvertTarget[] = ["vmlinux", "elf32", "pvh"];

function loadsOf(image: KnownImage): number {
  assert.ok(image.format === "elf");
  return image.segments.filter(({ type }) => type === PT.LOAD).length;
}

/** The converted file is what it claims to be. */
function checkResult(bytes: Uint8Array, to: ConvertTarget): void {
  const image = recognise(bytes);
  if (to === "vmlinux" || to === "elf32" || to === "pvh") {
    assert.equal(image.format, "elf");
    if (to === "pvh") assert.ok(image.format === "elf" && image.pvh !== undefined);
    if (to === "elf32")
      assert.equal(findMultiboot1(bytes)?.offset, ELF32.ehdr.size + loadsOf(image) * ELF32.phdr.size);
    return;
  }
  assert.equal(image.format, to);
  if (image.format === "zimage") {
    assert.deepEqual([image.start, image.end, image.problems], [0, bytes.length, []]);
  } else if (image.format === "arm64-image") {
    assert.deepEqual([image.loadOffset, image.problems], [0n, []]);
  } else if (image.format === "elf") {
    const { to: again } = { to: TARGET[image.header.elfClass] };
    const { bytes: wrapped } = convert(bytes, { to: again });
    checkResult(wrapped, again);
  }
}

function convertOne(bytes: Uint8Array, to: ConvertTarget, random: Random): string {
  const placement = random.pick([{}, { relative: true }, { at: random.below(2 ** 32) }]);
  const options = {
    to,
    maxMemory: MAX_MEMORY,
    maxUnpacked: MAX_UNPACKED,
    ...(to === "zimage" || to === "arm64-image" ? placement : {}),
    ...(to === "pvh" && random.below(4) === 0 ? { entry: `0x${BASE.toString(16)}` } : {}),
  };
  let made: Uint8Array;
  try {
    made = convert(bytes, options).bytes;
  } catch (error) {
    if (error instanceof ConvertError) return `${to} misplaced`;
    if (!(error instanceof FormatError)) throw error;
    const { offset } = error;
    assert.ok(Number.isSafeInteger(offset) && offset >= 0, `offset ${offset}: ${error}`);
    assert.ok(error.message.length < 2000, `a message of ${error.message.length} characters`);
    return `${to} refused`;
  }
  assert.ok(made.length <= MAX_MEMORY + 2 * bytes.length + 0x2000, `${made.length} bytes`);
  checkResult(made, to);
  return `${to} made`;
}

/** Runs `count` cases from a first seed on; returns how many ended how. Throws with the seed on anything unexpected. */
export function fuzzConvert(first: number, count: number): Map<string, number> {
  const outcomes = new Map<string, number>();
  for (let seed = first; seed < first + count; seed++) {
    const random = new Random(seed);
    // Four of five cases are of a kernel and a target that may go together.
    const x86 = random.below(2) === 0;
    const base = random.pick(x86 ? X86_CORPUS : ARM_CORPUS);
    const fitting = CONVERT_TARGETS.filter((target) => X86_TARGETS.includes(target) === x86);
    const to = random.pick(random.below(5) === 0 ? CONVERT_TARGETS : fitting);
    let bytes: Uint8Array = Uint8Array.from(base.bytes);
    for (let changes = random.below(4); changes > 0; changes--) bytes = mutate(bytes, base, random);
    try {
      const outcome = convertOne(bytes, to, random);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (error) {
      throw new Error(`convert fuzz: seed ${seed} (${base.name}): ${String(error)}`, { cause: error });
    }
  }
  return outcomes;
}
