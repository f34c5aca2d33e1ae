/**
 * Fuzz target of the Multiboot readers and loaders: damages images of both versions, then recognises, lays out memory
 * and describes the CPU. Insists on an error of ours with an offset inside the file, or on regions inside RAM, an
 * entry inside the kernel and an information structure that can be walked. The same seed makes the same case.
 */
import assert from "node:assert/strict";
import { BootError, OptionError } from "../../src/boot/index.js";
import { faultOf } from "../../src/boot/boot-error.js";
import { multiboot1Lines, multiboot2Lines } from "../../src/boot/multiboot/info-lines.js";
import { multiboot1Loader } from "../../src/boot/multiboot1/multiboot1.js";
import { multiboot2Loader } from "../../src/boot/multiboot2/multiboot2.js";
import type { LoadContext } from "../../src/boot/loader.js";
import { ByteView } from "../../src/bytes/byte-view.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise } from "../../src/formats/index.js";
import { MemoryMapError } from "../../src/memory/memory-error.js";
import { RegionMap } from "../../src/memory/regions.js";
import { makeGuest, type GuestParts } from "../boot/multiboot/guest.js";
import { elfOf } from "../boot/multiboot/run.js";
import { mutate, Random, type Seed } from "./formats.js";

const RAM = 8 * 1024 * 1024;
const RSDP_AT = 0xe_0000;
const MODULES = [{ name: "m", bytes: new Uint8Array(5000), commandLine: "a b" }];
/** Bytes of a header's start that hold fields, and of an ELF file's. */
const HEADER_FIELDS = 160;
const EHDR_AND_PHDR = 120;

function words(start: number, size: number): { offset: number; size: number }[] {
  return Array.from({ length: size / 4 }, (_, i) => ({ offset: start + i * 4, size: 4 }));
}

function seed(name: string, parts: Omit<GuestParts, "address">, elfClass?: 32 | 64): Seed {
  const guest = makeGuest({ address: 0x20_0000, ...parts });
  if (elfClass === undefined) return { name, bytes: guest.bytes, fields: words(0, HEADER_FIELDS) };
  const bytes = elfOf(guest, elfClass);
  const at = elfClass === 32 ? 96 : 128;
  const table = bytes.length - 4 * (elfClass === 32 ? 40 : 64);
  const fields = [
    ...words(16, EHDR_AND_PHDR - 16),
    ...words(at, HEADER_FIELDS),
    ...words(table, bytes.length - table),
  ];
  return { name, bytes, fields };
}

const TAGS = [
  { type: 1, words: [4, 6, 8] },
  { type: 4, words: [2] },
  { type: 5, words: [0, 0, 0], optional: true },
  { type: 6 },
  { type: 9, words: [0x20_0000], optional: true },
  { type: 10, words: [0x10_0000, 0xffff_ffff, 0x1000, 2] },
];

const CORPUS: readonly Seed[] = [
  seed("1 flat", { version: 1, flat: true }),
  seed("1 elf32", { version: 1 }, 32),
  seed("1 elf64", { version: 1 }, 64),
  seed("2 flat", { version: 2, flat: true, tags: TAGS }),
  seed("2 elf32", { version: 2, tags: TAGS }, 32),
  seed("2 elf64", { version: 2, tags: TAGS }, 64),
];
const LOADERS = [multiboot1Loader, multiboot2Loader];

/** Repairs the checksum after half of the changes: otherwise hardly any header is read. */
function sealed(bytes: Uint8Array): void {
  const view = new ByteView(bytes);
  for (let at = 0; at + 16 <= Math.min(bytes.length, 512); at += 4) {
    const magic = view.u32(at);
    if (magic === 0x1badb002) view.setU32(at + 8, -(magic + view.u32(at + 4)) >>> 0);
    if (magic === 0xe85250d6) view.setU32(at + 12, -(magic + view.u32(at + 4) + view.u32(at + 8)) >>> 0);
  }
}

function makeCase(number: number): { name: string; bytes: Uint8Array } {
  const random = new Random(number);
  const base = random.pick(CORPUS);
  let bytes: Uint8Array = Uint8Array.from(base.bytes);
  for (let changes = 1 + random.below(3); changes > 0; changes--) bytes = mutate(bytes, base, random);
  bytes = Uint8Array.from(bytes);
  if (random.below(2) === 0) sealed(bytes);
  return { name: base.name, bytes };
}

function contextOf(): LoadContext {
  const memory = new RegionMap([{ start: 0, size: RAM }]);
  memory.claimAt(0x400, { name: "bios data area", owner: "firmware", size: 0x100 });
  memory.claimAt(RSDP_AT, { name: "acpi", owner: "firmware", size: 64, bytes: new Uint8Array(36) });
  return {
    memory,
    kernelName: "k",
    commandLine: "c",
    modules: MODULES,
    rsdpAddress: RSDP_AT,
    warn: () => undefined,
  };
}

/** Loads by one loader; what came of it. */
function load(bytes: Uint8Array, loader: (typeof LOADERS)[number]): string {
  const recognition = loader.recognise(recognise(bytes, RAM), { options: {}, memory: RAM, modules: 1 });
  if (!recognition.fits) {
    const { place } = recognition.fault;
    assert.ok(
      place.kind === "file" && place.offset >= 0 && place.offset <= bytes.length,
      "an offset in the file",
    );
    return "refused";
  }
  const context = contextOf();
  recognition.protocol.layOutMemory(context);
  const cpu = recognition.protocol.describeBootCpu();
  const regions = context.memory.regions();
  const inside = (address: number, owner: string): boolean =>
    regions.some(
      (one) => one.name.startsWith(owner) && address >= one.start && address < one.start + one.size,
    );
  assert.ok(inside(Number(cpu.rip), "kernel"), "the entry lies in the kernel");
  const info = regions.find(({ start }) => start === Number(cpu.gpr[3]));
  assert.ok(info?.content.kind === "bytes" && info.start % 8 === 0);
  const view = new ByteView(info.content.bytes, info.start);
  const lines = loader === multiboot1Loader ? multiboot1Lines(view) : multiboot2Lines(view);
  assert.ok(lines.length > 5);
  return "loaded";
}

/** Runs one case with both loaders; throws on anything but a right refusal or a sound result. */
export function runCase(number: number): string[] {
  const { name, bytes } = makeCase(number);
  return LOADERS.map((loader) => {
    try {
      return `${loader.name} ${load(bytes, loader)}`;
    } catch (error) {
      const ours =
        error instanceof FormatError || error instanceof BootError || error instanceof MemoryMapError;
      const fault = ours && !(error instanceof OptionError) ? faultOf(error) : undefined;
      const place = fault?.place;
      const sound = place?.kind === "memory" || (place?.kind === "file" && place.offset <= bytes.length);
      if (sound) return `${loader.name} refused`;
      throw new Error(`multiboot fuzz: seed ${number} (${name}): ${String(error)}`, { cause: error });
    }
  });
}

/** Runs `count` cases from a first seed on; cases by outcome, and the slowest in ms. */
export function fuzzMultiboot(
  first: number,
  count: number,
): { outcomes: Map<string, number>; slowest: number } {
  const outcomes = new Map<string, number>();
  let slowest = 0;
  for (let number = first; number < first + count; number++) {
    const started = performance.now();
    for (const outcome of runCase(number)) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    slowest = Math.max(slowest, performance.now() - started);
  }
  return { outcomes, slowest };
}
