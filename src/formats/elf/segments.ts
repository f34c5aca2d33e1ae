/**
 * Program headers of an ELF file, and the checks that make its PT_LOAD segments safe to copy into memory.
 * Source: gABI chapter 5, "Program Header". Knows no guest and no memory map.
 */
import { hex } from "../../bytes/hex.js";
import { PN_XNUM, PT } from "../../spec/elf.js";
import { FormatError } from "../format-error.js";
import { ELF } from "./header.js";
import type { ElfFile, ElfHeader } from "./header.js";

/** One program header, with the file's bytes that it names. */
export interface ElfSegment {
  readonly index: number;
  /** File offset of the program header itself. */
  readonly headerOffset: number;
  readonly type: number;
  readonly flags: number;
  /** File offset of the contents. */
  readonly offset: number;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly filesz: number;
  readonly memsz: bigint;
  readonly align: bigint;
  /** `filesz` bytes of the file. */
  readonly bytes: Uint8Array;
}

/** A PT_LOAD segment with something in it, whose physical place is sound. */
export interface LoadSegment {
  readonly index: number;
  readonly headerOffset: number;
  readonly flags: number;
  /** Guest-physical address. */
  readonly paddr: number;
  readonly vaddr: bigint;
  /** Bytes in memory; what `bytes` does not cover is zero. */
  readonly memsz: number;
  readonly bytes: Uint8Array;
}

/** e_phnum, or what section 0 says when it does not fit there. */
function programHeaderCount(file: ElfFile, header: ElfHeader): number {
  if (header.phnum !== PN_XNUM) return header.phnum;
  const shoff = file.place(file.layout.ehdr.shoff);
  if (shoff === undefined || shoff === 0) return header.phnum;
  return file.view.u32(shoff + file.layout.shdr.info);
}

/** Reads all program headers. Throws FormatError and BoundsError. */
export function readSegments(file: ElfFile, header: ElfHeader): ElfSegment[] {
  const count = programHeaderCount(file, header);
  const { ehdr, phdr } = file.layout;
  if (count === 0 || header.phoff === 0n) return [];
  if (header.phentsize !== phdr.size) {
    throw new FormatError(ELF, {
      offset: ehdr.phentsize,
      found: `e_phentsize ${header.phentsize}`,
      expected: `${phdr.size}`,
      meaning: "The ELF header is damaged: fetch or build the file again.",
    });
  }
  const table = file.place(ehdr.phoff);
  if (table === undefined || !file.view.holds(table, count * phdr.size)) {
    throw new FormatError(ELF, {
      offset: ehdr.phoff,
      found: `${count} program headers at ${hex(header.phoff)}`,
      expected: `them within the file of ${file.bytes.length} bytes`,
      meaning: "The file is cut short, or its header is damaged: fetch or build it again.",
    });
  }
  return Array.from({ length: count }, (_, index) => readSegment(file, index, table + index * phdr.size));
}

function readSegment(file: ElfFile, index: number, at: number): ElfSegment {
  const { phdr } = file.layout;
  const type = file.view.u32(at + phdr.type);
  const offset = file.place(at + phdr.offset);
  const filesz = file.place(at + phdr.filesz);
  const inFile = offset !== undefined && filesz !== undefined && file.view.holds(offset, filesz);
  // An empty or unused segment may point anywhere: nothing is taken from there.
  const empty = filesz === 0 || type === PT.NULL;
  if (!inFile && !empty) {
    throw new FormatError(ELF, {
      offset: at + phdr.offset,
      found: `program header ${index}: ${hex(file.word(at + phdr.filesz))} bytes at ${hex(file.word(at + phdr.offset))}`,
      expected: `p_offset and p_filesz within the file of ${file.bytes.length} bytes`,
      meaning: "The file is cut short, or its program header is damaged: fetch or build it again.",
    });
  }
  const contents = inFile && !empty ? file.view.slice(offset, filesz) : new Uint8Array(0);
  return {
    index,
    headerOffset: at,
    type,
    flags: file.view.u32(at + phdr.flags),
    offset: offset ?? 0,
    vaddr: file.word(at + phdr.vaddr),
    paddr: file.word(at + phdr.paddr),
    filesz: contents.length,
    memsz: file.word(at + phdr.memsz),
    align: file.word(at + phdr.align),
    bytes: contents,
  };
}

/**
 * The PT_LOAD segments as they go into physical memory, ascending by address; empty ones left out. Throws
 * FormatError for one that is larger in the file than in memory, leaves the physical address space, or overlaps
 * another.
 */
export function loadSegments(image: {
  readonly header: Pick<ElfHeader, "elfClass">;
  readonly segments: readonly ElfSegment[];
}): LoadSegment[] {
  const loads = image.segments
    .filter((segment) => segment.type === PT.LOAD && (segment.memsz > 0n || segment.filesz > 0))
    .map(loadSegment)
    .sort((left, right) => left.paddr - right.paddr);
  for (let i = 1; i < loads.length; i++) {
    const [before, after] = [loads[i - 1], loads[i]];
    if (after.paddr < before.paddr + before.memsz) {
      throw new FormatError(ELF, {
        offset: after.headerOffset,
        found: `program header ${after.index} at physical ${place(after)}`,
        expected: `it not to overlap program header ${before.index} at ${place(before)}`,
        meaning:
          "It was linked without physical addresses, or is damaged; a program for an operating system, not a kernel, looks like this.",
      });
    }
  }
  return loads;
}

function place(segment: LoadSegment): string {
  return `${hex(segment.paddr)}–${hex(segment.paddr + segment.memsz)}`;
}

function loadSegment(segment: ElfSegment): LoadSegment {
  const { index, headerOffset, flags, vaddr, bytes } = segment;
  if (segment.memsz < BigInt(segment.filesz)) {
    throw new FormatError(ELF, {
      offset: headerOffset,
      found: `program header ${index}: p_memsz ${hex(segment.memsz)} below p_filesz ${hex(segment.filesz)}`,
      expected: "p_memsz ≥ p_filesz",
      meaning: "The program header is damaged: fetch or build the file again.",
    });
  }
  if (segment.paddr + segment.memsz > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FormatError(ELF, {
      offset: headerOffset,
      found: `program header ${index}: p_paddr ${hex(segment.paddr)}, p_memsz ${hex(segment.memsz)}`,
      expected: "a place in physical memory (x86 and ARM have at most 52 address bits)",
      meaning:
        "It was linked without physical addresses (p_paddr repeats the virtual address), or its header is damaged.",
    });
  }
  return {
    index,
    headerOffset,
    flags,
    vaddr,
    bytes,
    paddr: Number(segment.paddr),
    memsz: Number(segment.memsz),
  };
}
