/**
 * Fuzz target of the converter: damages ARM kernels (ELF files, images with one inside), converts them to everything, and
 * insists on a typed refusal, or on a file that its own reader takes without complaint and that converts on. The same
 * seed makes the same case.
 */
import assert from "node:assert/strict";
import { convert, ConvertError, CONVERT_TARGETS, type ConvertTarget } from "../../src/convert/index.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise } from "../../src/formats/index.js";
import { ARM64_IMAGE, ZIMAGE } from "../../src/spec/arm-boot.js";
import { ELF32, ELF64 } from "../../src/spec/elf.js";
import { SIGNATURE_OFFSET, WRAPPER32, WRAPPER64 } from "../../src/convert/wrapper.js";
import { makeGuest, UART } from "../convert/guest.js";
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

const CORPUS = corpus();

/** The converted file is what it claims to be. */
function checkResult(bytes: Uint8Array, to: ConvertTarget): void {
  const image = recognise(bytes);
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
    ...(to === "elf" ? {} : placement),
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
    const base = random.pick(CORPUS);
    let bytes: Uint8Array = Uint8Array.from(base.bytes);
    for (let changes = random.below(4); changes > 0; changes--) bytes = mutate(bytes, base, random);
    try {
      const outcome = convertOne(bytes, random.pick(CONVERT_TARGETS), random);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (error) {
      throw new Error(`convert fuzz: seed ${seed} (${base.name}): ${String(error)}`, { cause: error });
    }
  }
  return outcomes;
}
