/**
 * Real programs instruction by instruction: Debian's busybox and kernels, from the first byte of .text to its last, must
 * have the lengths that the reference gives them. What such code holds besides our instructions (AVX behind a CPUID
 * check, data between functions) has to be undefined for both.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import type { TestContext } from "node:test";
import { decompressPayload } from "../../../src/formats/bzimage/payload.js";
import type { ElfImage } from "../../../src/formats/elf/elf.js";
import { recognise } from "../../../src/formats/index.js";
import { Random } from "../../support/random.js";
import { requireGuest } from "../../support/requires.js";
import { Comparison } from "./compare.js";
import type { Bits } from "./own.js";

const MAX_OUTPUT = 1 << 28;
/** Of so many instructions one is compared in all its parts. */
const EVERY = 16;

/** The ELF file of a guest: the program itself, or the kernel inside its bzImage. */
async function programOf(t: TestContext, name: string, file: string): Promise<ElfImage | undefined> {
  const guest = await requireGuest(t, name);
  if (!guest) return undefined;
  const outer = recognise(new Uint8Array(readFileSync(guest.files[file])));
  const image =
    outer.format === "bzimage" ? recognise(decompressPayload(outer, { maxOutput: MAX_OUTPUT })) : outer;
  assert.ok(image.format === "elf");
  return image;
}

function textOf(image: ElfImage): Uint8Array {
  const section = image.sections.find((one) => one.name === ".text");
  assert.ok(section, "a section .text");
  const start = Number(section.offset);
  return image.bytes.subarray(start, start + Number(section.size));
}

/** A program, and how many instructions are in it at least. */
export interface Program {
  guest: string;
  file: string;
  bits: Bits;
  instructions: number;
}

/** Makes the test of one program. */
export function testProgram({ guest, file, bits, instructions }: Program): void {
  test(`R6.1 ${guest}: every instruction of .text has the reference's length`, async (t) => {
    const image = await programOf(t, guest, file);
    if (!image) return;
    const comparison = new Comparison(bits, new Random(1));
    comparison.walk(textOf(image), EVERY);
    const { compared, failures } = comparison.outcome;
    assert.deepEqual([...failures.values()], []);
    assert.ok(compared > instructions, `${compared} instructions`);
    t.diagnostic(`${compared} instructions, ${comparison.outcome.undefinedBoth} undefined`);
  });
}
