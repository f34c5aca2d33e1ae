/**
 * Program headers of an ELF file, and the checks that make its PT_LOAD segments safe to copy into memory.
 * Source: gABI chapter 5, "Program Header". Knows no guest and no memory map.
 */
import { hex } from "../../bytes/hex.js";
import { PN_XNUM, PT } from "../../spec/elf.js";
import { FormatError } from "../format-error.js";
import { ELF } from "./header.js";
import type { ElfFile, ElfHeader } from "./header.js";

const EMPTY = new Uint8Array(0);
/**
 * More than boot loaders take (65,535, what e_phnum holds), by far. A packed file of some kilobytes can hold millions,
 * which would cost memory and time.
 */
const MAX_PROGRAM_HEADERS = 1 << 18;

/** One program header, with the file's bytes that it names. Fields are read when they are asked for: a file may have many. */
export class ElfSegment {
  constructor(
    private readonly file: ElfFile,
    readonly index: number,
    /** File offset of the program header itself. */
    readonly headerOffset: number,
  ) {}

  get type(): number {
    return this.file.view.u32(this.headerOffset + this.file.layout.phdr.type);
  }

  get flags(): number {
    return this.file.view.u32(this.headerOffset + this.file.layout.phdr.flags);
  }

  /** File offset of the contents. */
  get offset(): number {
    return this.file.place(this.headerOffset + this.file.layout.phdr.offset) ?? 0;
  }

  get vaddr(): bigint {
    return this.file.word(this.headerOffset + this.file.layout.phdr.vaddr);
  }

  get paddr(): bigint {
    return this.file.word(this.headerOffset + this.file.layout.phdr.paddr);
  }

  /** 0 for an unused header, whatever it says. */
  get filesz(): number {
    if (this.type === PT.NULL) return 0;
    return this.file.place(this.headerOffset + this.file.layout.phdr.filesz) ?? 0;
  }

  get memsz(): bigint {
    return this.file.word(this.headerOffset + this.file.layout.phdr.memsz);
  }

  get align(): bigint {
    return this.file.word(this.headerOffset + this.file.layout.phdr.align);
  }

  /** `filesz` bytes of the file. */
  get bytes(): Uint8Array {
    return this.filesz === 0 ? EMPTY : this.file.view.slice(this.offset, this.filesz);
  }
}

/** A PT_LOAD segment with something in it, whose physical place is sound. */
export class LoadSegment {
  constructor(
    private readonly header: ElfSegment,
    /** Guest-physical address. */
    readonly paddr: number,
    /** Bytes in memory; what `bytes` does not cover is zero. */
    readonly memsz: number,
  ) {}

  get index(): number {
    return this.header.index;
  }

  get headerOffset(): number {
    return this.header.headerOffset;
  }

  get flags(): number {
    return this.header.flags;
  }

  get vaddr(): bigint {
    return this.header.vaddr;
  }

  get bytes(): Uint8Array {
    return this.header.bytes;
  }
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
  if (count > MAX_PROGRAM_HEADERS) {
    throw new FormatError(ELF, {
      offset: ehdr.phnum,
      found: `${count} program headers`,
      expected: `at most ${MAX_PROGRAM_HEADERS}`,
      meaning: "No kernel has that many: the file is damaged, a dump of memory, or made to waste time.",
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
  const offset = file.place(at + phdr.offset);
  const filesz = file.place(at + phdr.filesz);
  const inFile = offset !== undefined && filesz !== undefined && file.view.holds(offset, filesz);
  // An empty or unused segment may point anywhere: nothing is taken from there.
  const empty = filesz === 0 || file.view.u32(at + phdr.type) === PT.NULL;
  if (!inFile && !empty) {
    throw new FormatError(ELF, {
      offset: at + phdr.offset,
      found: `program header ${index}: ${hex(file.word(at + phdr.filesz))} bytes at ${hex(file.word(at + phdr.offset))}`,
      expected: `p_offset and p_filesz within the file of ${file.bytes.length} bytes`,
      meaning: "The file is cut short, or its program header is damaged: fetch or build it again.",
    });
  }
  return new ElfSegment(file, index, at);
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
  const { index, headerOffset, paddr, memsz, filesz } = segment;
  if (memsz < BigInt(filesz)) {
    throw new FormatError(ELF, {
      offset: headerOffset,
      found: `program header ${index}: p_memsz ${hex(memsz)} below p_filesz ${hex(filesz)}`,
      expected: "p_memsz ≥ p_filesz",
      meaning: "The program header is damaged: fetch or build the file again.",
    });
  }
  if (paddr + memsz > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FormatError(ELF, {
      offset: headerOffset,
      found: `program header ${index}: p_paddr ${hex(paddr)}, p_memsz ${hex(memsz)}`,
      expected: "a place in physical memory (x86 and ARM have at most 52 address bits)",
      meaning:
        "It was linked without physical addresses (p_paddr repeats the virtual address), or its header is damaged.",
    });
  }
  return new LoadSegment(segment, Number(paddr), Number(memsz));
}
