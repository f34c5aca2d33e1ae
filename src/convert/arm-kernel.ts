/**
 * An ARM kernel's ELF file as it lies in memory: one run of bytes from its lowest physical address on, the memory that it
 * takes, its entry point. Knows neither where that will be nor any other kind of image. Source: gABI chapters 4 and 5;
 * ELF for the Arm Architecture (IHI 0044) §5.2.1.1, bit 0 of e_entry.
 */
import { hex } from "../bytes/hex.js";
import { FormatError } from "../formats/format-error.js";
import type { ElfImage } from "../formats/elf/elf.js";
import type { ElfSegment } from "../formats/elf/segments.js";
import { ELF32, ELF64, EM, ET, PT } from "../spec/elf.js";
import { COPY_UNIT } from "./wrapper.js";

const ELF = "ELF";
const UNIT = BigInt(COPY_UNIT);

/** More than any kernel takes in memory, bytes: a zImage lies within the first 128 MiB. */
export const LARGEST_KERNEL = { 32: 128 * 2 ** 20, 64: 2 ** 30 } as const;

/** Most zeros, bytes, that fill the holes between a file's segments: an image is not to be many times its kernel. */
const LARGEST_HOLES = 64 * 2 ** 20;

/** A kernel, ready to be copied to a place in memory. */
export interface ArmKernel {
  readonly bits: 32 | 64;
  /** p_paddr of its lowest byte. */
  readonly lowest: bigint;
  /** The same, rounded down to COPY_UNIT: address of the first byte of `contents`. */
  readonly link: bigint;
  /** What is in the file, holes filled with zeros; a multiple of COPY_UNIT. */
  readonly contents: Uint8Array;
  /** Bytes that it takes in memory from `link` on, bss included; a multiple of COPY_UNIT. */
  readonly memory: number;
  /** Entry point, counted from `link`; bit 0 set: Thumb code. */
  readonly entry: number;
  /** The segment that holds the entry point. */
  readonly entrySegment: ElfSegment;
}

function refuse(offset: number, found: string, expected: string, meaning: string): FormatError {
  return new FormatError(ELF, { offset, found, expected, meaning });
}

function bitsOf({ header, arch }: ElfImage): 32 | 64 {
  const layout = header.elfClass === 64 ? ELF64 : ELF32;
  if (header.machine === EM.ARM && header.elfClass === 32) return 32;
  if (header.machine === EM.AARCH64 && header.elfClass === 64) return 64;
  throw refuse(
    layout.ehdr.machine,
    `e_machine ${header.machine} (${arch}) in an ELF${header.elfClass}`,
    `${EM.ARM} (arm) in an ELF32, or ${EM.AARCH64} (arm64) in an ELF64`,
    "zImage and arm64 Image are for ARM machines: give a kernel that was built for one.",
  );
}

function range(segment: ElfSegment): string {
  return `${hex(segment.paddr)}–${hex(segment.paddr + segment.memsz)}`;
}

/** The PT_LOAD segments that take memory, ascending by physical address, none overlapping another. */
function loads(image: ElfImage): ElfSegment[] {
  const found = image.segments.filter(
    ({ type, memsz, filesz }) => type === PT.LOAD && (memsz > 0n || filesz > 0),
  );
  found.sort((left, right) => (left.paddr < right.paddr ? -1 : left.paddr > right.paddr ? 1 : 0));
  for (const segment of found) {
    if (segment.memsz >= BigInt(segment.filesz)) continue;
    throw refuse(
      segment.headerOffset,
      `program header ${segment.index}: p_memsz ${hex(segment.memsz)} below p_filesz ${hex(segment.filesz)}`,
      "p_memsz ≥ p_filesz",
      "The program header is damaged: fetch or build the file again.",
    );
  }
  for (let i = 1; i < found.length; i++) {
    const [before, after] = [found[i - 1], found[i]];
    if (after.paddr >= before.paddr + before.memsz) continue;
    throw refuse(
      after.headerOffset,
      `program header ${after.index} at physical ${range(after)}`,
      `it not to overlap program header ${before.index} at ${range(before)}`,
      "It was linked without physical addresses, or is damaged.",
    );
  }
  return found;
}

function checkType({ header }: ElfImage): void {
  if (header.type === ET.EXEC || header.type === ET.DYN) return;
  throw refuse(
    ELF32.ehdr.type,
    `e_type ${header.type}`,
    `${ET.EXEC} (executable) or ${ET.DYN} (shared)`,
    "This is not a linked kernel (an object file, a module or a core dump): give the kernel itself.",
  );
}

/** Whether `address` lies in the file's bytes of a segment that starts at `start`. */
function within(address: bigint, start: bigint, { filesz }: ElfSegment): boolean {
  return address >= start && address < start + BigInt(filesz);
}

/** The entry point: e_entry is virtual by the gABI; where no segment has it as that, it is taken for physical. */
function findEntry(
  image: ElfImage,
  segments: readonly ElfSegment[],
  bits: 32 | 64,
): { segment: ElfSegment; paddr: bigint; thumb: boolean } {
  const { entry } = image.header;
  const at = (bits === 64 ? ELF64 : ELF32).ehdr.entry;
  const thumb = bits === 32 && (entry & 1n) === 1n;
  const address = thumb ? entry - 1n : entry;
  if (!thumb && (address & 3n) !== 0n) {
    const also = bits === 32 ? ", or bit 0 set for Thumb code" : "";
    const expected = `a multiple of 4${also}`;
    throw refuse(
      at,
      `e_entry ${hex(entry)}`,
      expected,
      "The ELF header is damaged: fetch or build the file again.",
    );
  }
  const byVirtual = segments.find((segment) => within(address, segment.vaddr, segment));
  if (byVirtual !== undefined)
    return { segment: byVirtual, paddr: byVirtual.paddr + (address - byVirtual.vaddr), thumb };
  const byPhysical = segments.find((segment) => within(address, segment.paddr, segment));
  if (byPhysical !== undefined) return { segment: byPhysical, paddr: address, thumb };
  throw refuse(
    at,
    `e_entry ${hex(entry)}`,
    "an address in the contents of a PT_LOAD segment, virtual or physical",
    "The file has no code where it says it starts: it is a library or debug information, or damaged.",
  );
}

/**
 * Takes a kernel's ELF file apart. Throws FormatError: another machine, nothing to load, segments that overlap or lie
 * too far apart in memory or leave holes in the image, an entry point outside them.
 * @param largest bytes that it may take in memory
 */
export function readArmKernel(image: ElfImage, largest?: number): ArmKernel {
  const bits = bitsOf(image);
  checkType(image);
  const segments = loads(image);
  if (segments.length === 0) {
    const at = (bits === 64 ? ELF64 : ELF32).ehdr.phoff;
    const meaning =
      "It is an object file, or only the debug information of a kernel: give the kernel itself.";
    throw refuse(at, "no PT_LOAD segment with contents", "at least one", meaning);
  }
  const [first, last] = [segments[0], segments[segments.length - 1]];
  const link = first.paddr - (first.paddr % UNIT);
  const end = last.paddr + last.memsz;
  const memory = ((end - link + UNIT - 1n) / UNIT) * UNIT;
  const most = largest ?? LARGEST_KERNEL[bits];
  if (memory > BigInt(most)) {
    throw refuse(
      last.headerOffset,
      `memory from ${hex(first.paddr)} (program header ${first.index}) to ${hex(end)} (program header ${last.index})`,
      `at most ${hex(most)} bytes from the lowest to the highest physical address`,
      "A kernel lies in one piece: these are virtual addresses of several regions, or the program headers are damaged.",
    );
  }
  const entry = findEntry(image, segments, bits);
  return {
    bits,
    lowest: first.paddr,
    link,
    contents: flat(segments, link, image.bytes.length),
    memory: Number(memory),
    entry: Number(entry.paddr - link) + (entry.thumb ? 1 : 0),
    entrySegment: entry.segment,
  };
}

/** Refuses segments that lie apart: what is between the two that are furthest apart is named. */
function refuseHoles(filled: readonly ElfSegment[], size: number, most: number): FormatError {
  const hole = (i: number): bigint => filled[i].paddr - filled[i - 1].paddr - BigInt(filled[i - 1].filesz);
  let widest = 1;
  for (let i = 2; i < filled.length; i++) if (hole(i) > hole(widest)) widest = i;
  const [before, after] = [filled[widest - 1], filled[widest]];
  return refuse(
    after.headerOffset,
    `contents of ${hex(size)} bytes in memory: program header ${after.index} at physical ${range(after)} lies ${hex(hole(widest))} bytes above the contents of program header ${before.index} at ${range(before)}`,
    `at most ${hex(most)}: the file's size, and ${LARGEST_HOLES / 2 ** 20} MiB of holes`,
    "An image holds every byte between its first and its last: link the segments closer together, or leave one out.",
  );
}

/** The file's bytes as they lie in memory from `link` on. Throws FormatError if that is mostly holes. */
function flat(segments: readonly ElfSegment[], link: bigint, fileSize: number): Uint8Array {
  const filled = segments.filter(({ filesz }) => filesz > 0);
  // None overlaps another, so the last one ends last.
  const { paddr, filesz } = filled[filled.length - 1];
  const size = Math.ceil((Number(paddr - link) + filesz) / COPY_UNIT) * COPY_UNIT;
  const most = fileSize + LARGEST_HOLES;
  if (size > most) throw refuseHoles(filled, size, most);
  const bytes = new Uint8Array(size);
  for (const segment of segments) bytes.set(segment.bytes, Number(segment.paddr - link));
  return bytes;
}
