/**
 * Fuzz target of formats and codecs: makes a damaged image from a seed, reads everything that can be read of it,
 * and insists on a FormatError or CodecError with an offset inside the file, or a result within its limits. The
 * same seed makes the same case: `runCase(seed)` repeats a failure.
 */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { ByteView } from "../../src/bytes/byte-view.js";
import { CodecError } from "../../src/codecs/codec-error.js";
import { decompress } from "../../src/codecs/decompress.js";
import { identifyCodec } from "../../src/codecs/identify.js";
import { decompressPayload } from "../../src/formats/bzimage/payload.js";
import { loadSegments } from "../../src/formats/elf/segments.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise, type KnownImage } from "../../src/formats/index.js";
import { ELF32, ELF64, PT, SHT } from "../../src/spec/elf.js";
import { PROTOCOL, SETUP_FIELDS } from "../../src/spec/linux-boot.js";
import { unpackZImage } from "../../src/formats/zimage/payload.js";
import { verdicts } from "../../src/verdicts/index.js";
import { makeBzImage, makeElf, makeNotes, makePvhNote } from "../support/images.js";
import { armSeeds } from "./arm-seeds.js";
import { firmwareSeeds } from "./firmware-seeds.js";
import { makeSample, packedSamples } from "../codecs/sample.js";

/** Limit given to every codec. */
const MAX_OUTPUT = 1 << 20;
/** Symbols read of one image. */
const MAX_SYMBOLS = 1000;
const SECTOR = 512;
/** How deep images are read that come out of images. */
const MAX_DEPTH = 2;
/** Values at which sizes and offsets break. */
const INTERESTING = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** A small generator of numbers (mulberry32). */
export class Random {
  constructor(private state: number) {}

  /** An integer in 0 … limit - 1. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
}

/** Where headers are in a file of the corpus: there damage tells most. */
export interface Seed {
  name: string;
  bytes: Uint8Array;
  /** Fields: offset and size. */
  fields: readonly { offset: number; size: number }[];
}

function elfSeed(elfClass: 32 | 64): Seed {
  const layout = elfClass === 64 ? ELF64 : ELF32;
  const notes = makeNotes([{ name: "GNU", type: 3, desc: new Uint8Array(20) }, makePvhNote(0x10_0000)]);
  const symbols = new Uint8Array(layout.sym.size * 8).fill(1);
  const segments = [
    { vaddr: 0x10_0000, bytes: makeSample().subarray(0, 600), memsz: 0x2000 },
    { vaddr: 0x20_0000, bytes: makeSample().subarray(600, 700) },
    { type: PT.NOTE, bytes: notes },
    { type: PT.INTERP, bytes: new TextEncoder().encode("/lib/ld.so\0") },
  ];
  const bytes = makeElf({
    elfClass,
    segments,
    sections: [
      { name: ".note.Xen", type: SHT.NOTE, bytes: notes },
      { name: ".symtab", type: SHT.SYMTAB, bytes: symbols, link: 3 },
      { name: ".strtab", type: SHT.STRTAB, bytes: new TextEncoder().encode("\0main\0start\0") },
    ],
  });
  const words = (start: number, size: number): { offset: number; size: number }[] =>
    Array.from({ length: size / 4 }, (_, i) => ({
      offset: start + i * 4,
      size: i % 2 === 0 ? layout.wordSize : 4,
    }));
  const table = bytes.length - 5 * layout.shdr.size;
  return {
    name: `elf${elfClass}`,
    bytes,
    fields: [
      ...words(16, layout.ehdr.size - 16),
      ...words(layout.ehdr.size, segments.length * layout.phdr.size),
      ...words(table, 5 * layout.shdr.size - 4),
    ].filter(({ offset, size }) => offset + size <= bytes.length),
  };
}

function corpus(): Seed[] {
  const fields = SETUP_FIELDS.map(({ offset, size }) => ({ offset, size }));
  const kernels = packedSamples().map(({ codec, bytes }) => ({
    name: `bzimage ${codec}`,
    bytes: makeBzImage({ payload: bytes, version: "6.1-fuzz" }),
    fields,
  }));
  const inner = makeBzImage({ payload: gzipSync(elfSeed(64).bytes) });
  const old = makeBzImage({ protocol: PROTOCOL.V2_03 });
  const streams = packedSamples().map(({ codec, bytes }) => ({ name: codec, bytes, fields: [] }));
  return [
    ...kernels,
    { name: "bzimage with elf", bytes: inner, fields },
    { name: "bzimage 2.03", bytes: old, fields: fields.filter(({ offset }) => offset < 0x230) },
    elfSeed(32),
    elfSeed(64),
    ...armSeeds(),
    ...firmwareSeeds(),
    ...streams,
  ];
}

const CORPUS = corpus();

/** One change to the bytes; may return a shorter or longer file. */
export function mutate(bytes: Uint8Array, seed: Seed, random: Random): Uint8Array {
  if (bytes.length === 0) return bytes;
  const view = new ByteView(bytes);
  switch (random.below(8)) {
    case 0:
    case 1: {
      bytes[random.below(bytes.length)] ^= 1 << random.below(8);
      return bytes;
    }
    case 2: {
      bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
    }
    case 3:
      return bytes.subarray(0, random.below(Math.ceil(bytes.length / SECTOR)) * SECTOR);
    case 4:
      return bytes.subarray(0, random.below(bytes.length + 1));
    case 5: {
      const [from, to] = [random.below(bytes.length), random.below(bytes.length)];
      bytes.copyWithin(to, from, from + random.below(64));
      return bytes;
    }
    default: {
      const field =
        seed.fields.length > 0 ? random.pick(seed.fields) : { offset: random.below(bytes.length), size: 1 };
      const near = BigInt(bytes.length + random.below(33) - 16);
      const value = BigInt.asUintN(field.size * 8, random.below(3) === 0 ? near : random.pick(INTERESTING));
      for (let i = 0; i < field.size && view.holds(field.offset + i, 1); i++) {
        bytes[field.offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
      }
      return bytes;
    }
  }
}

/** The damaged file of a seed. */
export function makeCase(seed: number): { name: string; bytes: Uint8Array } {
  const random = new Random(seed);
  const base = random.pick(CORPUS);
  let bytes: Uint8Array = Uint8Array.from(base.bytes);
  for (let changes = 1 + random.below(4); changes > 0; changes--) bytes = mutate(bytes, base, random);
  return { name: base.name, bytes };
}

/** Runs a step; "refused" when it threw an error of ours with an offset inside the bytes. */
function step(bytes: Uint8Array, run: () => void): "read" | "refused" {
  try {
    run();
    return "read";
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof CodecError)) throw error;
    const { offset } = error;
    assert.ok(
      Number.isSafeInteger(offset) && offset >= 0 && offset <= bytes.length,
      `offset ${offset}: ${error}`,
    );
    assert.ok(error.message.length < 1000, `a message of ${error.message.length} characters`);
    return "refused";
  }
}

/** Reads all that can be read of a file; returns what became of it. */
function readAll(bytes: Uint8Array, depth: number): string {
  const codec = identifyCodec(bytes);
  if (typeof codec === "string") {
    return `${codec} ${step(bytes, () => checkSize(decompress(codec, bytes, { maxOutput: MAX_OUTPUT }).bytes))}`;
  }
  let outcome = "unrecognised";
  const result = step(bytes, () => {
    const image = recognise(bytes, MAX_OUTPUT);
    outcome = image.format;
    assert.ok(JSON.stringify(image.facts).length > 0);
    checkVerdicts(image);
    if (image.format === "elf") {
      step(bytes, () => void loadSegments(image));
      step(bytes, () => {
        let count = 0;
        for (const symbol of image.symbols())
          if (symbol.name.length > MAX_OUTPUT || ++count > MAX_SYMBOLS) break;
      });
    } else if (image.format === "zimage" && image.payload) {
      step(bytes, () => {
        checkSize(unpackZImage(image, { maxOutput: MAX_OUTPUT }));
        outcome = "zimage with payload";
      });
    } else if (image.format === "bzimage" && image.payload) {
      step(bytes, () => {
        const inner = decompressPayload(image, { maxOutput: MAX_OUTPUT });
        checkSize(inner);
        outcome = "bzimage with payload";
        if (depth < MAX_DEPTH) readAll(inner, depth + 1);
      });
    }
  });
  return `${outcome} ${result}`;
}

/** Whatever the image is, each loader has one answer; what it minds lies inside the file. */
function checkVerdicts(image: KnownImage): void {
  for (const { check, reason } of verdicts(image)) {
    assert.ok(reason.length > 0);
    assert.ok(check === undefined || (check.offset >= 0 && check.offset <= image.bytes.length), reason);
  }
}

function checkSize(result: Uint8Array): void {
  assert.ok(result.length <= MAX_OUTPUT, `${result.length} bytes of output`);
}

/** Runs one case; throws on anything but a right refusal or a result. */
export function runCase(seed: number): string {
  const { name, bytes } = makeCase(seed);
  try {
    return readAll(bytes, 0);
  } catch (error) {
    throw new Error(`formats fuzz: seed ${seed} (${name}, ${bytes.length} bytes): ${String(error)}`, {
      cause: error,
    });
  }
}

/**
 * Reads every file of the corpus cut at each multiple of `stride` and next to every sector boundary; returns how
 * many cuts there were.
 */
export function cutEverywhere(stride: number): number {
  let cuts = 0;
  for (const { name, bytes } of CORPUS) {
    for (let size = 0; size <= bytes.length; size++) {
      const nearSector = (size + 1) % SECTOR <= 2;
      if (size % stride !== 0 && !nearSector) continue;
      cuts += 1;
      try {
        readAll(bytes.subarray(0, size), 0);
      } catch (error) {
        throw new Error(`${name} cut to ${size} bytes: ${String(error)}`, { cause: error });
      }
    }
  }
  return cuts;
}

/** What a run of cases did. */
export interface FuzzReport {
  /** Cases by outcome. */
  outcomes: Map<string, number>;
  slowest: { seed: number; milliseconds: number };
  /** Greatest growth of array buffers seen between cases, bytes. */
  memory: number;
}

/** Runs `count` cases from a first seed on. */
export function fuzzFormats(first: number, count: number): FuzzReport {
  const report: FuzzReport = { outcomes: new Map(), slowest: { seed: first, milliseconds: 0 }, memory: 0 };
  const before = process.memoryUsage().arrayBuffers;
  for (let seed = first; seed < first + count; seed++) {
    const started = performance.now();
    const outcome = runCase(seed);
    const milliseconds = performance.now() - started;
    report.outcomes.set(outcome, (report.outcomes.get(outcome) ?? 0) + 1);
    if (milliseconds > report.slowest.milliseconds) report.slowest = { seed, milliseconds };
    if (seed % 64 === 0) report.memory = Math.max(report.memory, process.memoryUsage().arrayBuffers - before);
  }
  return report;
}
