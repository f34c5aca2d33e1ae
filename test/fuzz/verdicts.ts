/**
 * Fuzz target of the verdicts: damages kernels of every protocol, unified kernel images and archives, and asks every loader. What
 * is shown must never be an exception, and every failed check has an offset in the file. The same seed makes the same case.
 */
import assert from "node:assert/strict";
import { ownRefusals, ownVerdicts } from "../../src/boot/own-verdicts.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise, type KnownImage } from "../../src/formats/index.js";
import { namedFile } from "../../src/formats/named-file.js";
import { traps, verdicts, x86Verdicts, type Outcome, type Verdict } from "../../src/verdicts/index.js";
import { makeCpio, makeUki } from "../support/pe-images.js";
import { linuxKernel, soundKernels } from "../verdicts/x86-collection.js";
import { mutate, Random, type Seed } from "./formats.js";

/** Bytes of a file's start that hold fields. */
const FIELDS = 0x280;
/** A check may be about what lies behind the file's end: a header that is not there. */
const BEHIND = 0x300;

function seed(name: string, bytes: Uint8Array): Seed {
  const size = Math.min(FIELDS, bytes.length - (bytes.length % 4));
  return { name, bytes, fields: Array.from({ length: size / 4 }, (_, i) => ({ offset: i * 4, size: 4 })) };
}

const CORPUS: readonly Seed[] = [
  ...soundKernels().map(({ name, bytes }) => seed(name, bytes)),
  seed("unified", makeUki(linuxKernel(), { line: "a=b", initrd: makeCpio("init") })),
  seed("archive", makeCpio("init", "bin/sh")),
];

function recognised(bytes: Uint8Array): KnownImage | FormatError {
  try {
    return recognise(bytes);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

function asked(bytes: Uint8Array): Verdict[] {
  namedFile(bytes);
  const image = recognised(bytes);
  if (image instanceof FormatError) return [...x86Verdicts(bytes, undefined), ...ownRefusals(image)];
  traps(image);
  return [...verdicts(image), ...ownVerdicts(image)];
}

/** Runs cases `first` to `first + count - 1`; how often each outcome was, and the slowest case in ms. */
export function fuzzVerdicts(
  first: number,
  count: number,
): { outcomes: Map<Outcome, number>; slowest: number } {
  const outcomes = new Map<Outcome, number>();
  let slowest = 0;
  for (let number = first; number < first + count; number++) {
    const random = new Random(number);
    const base = CORPUS[random.below(CORPUS.length)];
    let bytes: Uint8Array = Uint8Array.from(base.bytes);
    for (let changes = 1 + random.below(3); changes > 0; changes--) bytes = mutate(bytes, base, random);
    const start = performance.now();
    const all = asked(bytes);
    slowest = Math.max(slowest, performance.now() - start);
    for (const { outcome, loader, check } of all) {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      const place = check?.offset ?? 0;
      const said = `seed ${number} (${base.name}), ${loader.name}: offset ${place} of ${bytes.length}`;
      assert.ok(outcome === "takes" || check !== undefined, said);
      assert.ok(Number.isInteger(place) && place >= 0 && place <= bytes.length + BEHIND, said);
    }
  }
  return { outcomes, slowest };
}
