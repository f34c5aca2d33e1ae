/**
 * Section headers and symbols of an ELF file. A kernel boots without them, so a section table that is missing or
 * broken is reported, not refused; using a broken section is refused. Source: gABI chapter 4, "Sections",
 * "Symbol Table".
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { SHN, SHT } from "../../spec/elf.js";
import { FormatError } from "../format-error.js";
import { ELF } from "./header.js";
import type { ElfFile, ElfHeader } from "./header.js";

/** Longest section or symbol name that is read; longer ones are cut (C++ and Rust names can be long). */
const MAX_NAME = 1024;

/** More than any kernel has. A packed file of some kilobytes can hold millions, which would cost memory and time. */
const MAX_SECTIONS = 1 << 18;

/** One section header. Fields are read when they are asked for: a file may have many. */
export class ElfSection {
  constructor(
    private readonly file: ElfFile,
    private readonly strings: ByteView | undefined,
    readonly index: number,
    readonly headerOffset: number,
  ) {}

  get name(): string {
    return nameAt(this.strings, this.file.view.u32(this.headerOffset + this.file.layout.shdr.name));
  }

  get type(): number {
    return this.file.view.u32(this.headerOffset + this.file.layout.shdr.type);
  }

  get flags(): bigint {
    return this.file.word(this.headerOffset + this.file.layout.shdr.flags);
  }

  get address(): bigint {
    return this.file.word(this.headerOffset + this.file.layout.shdr.addr);
  }

  /** File offset and size as the header gives them; unchecked. */
  get offset(): bigint {
    return this.file.word(this.headerOffset + this.file.layout.shdr.offset);
  }

  get size(): bigint {
    return this.file.word(this.headerOffset + this.file.layout.shdr.bytes);
  }

  get link(): number {
    return this.file.view.u32(this.headerOffset + this.file.layout.shdr.link);
  }

  get alignment(): bigint {
    return this.file.word(this.headerOffset + this.file.layout.shdr.addralign);
  }
}

/** The section table, or why there is none. */
export interface SectionTable {
  readonly sections: readonly ElfSection[];
  readonly problem: string | undefined;
}

/** One symbol. */
export interface ElfSymbol {
  readonly name: string;
  readonly value: bigint;
  readonly size: bigint;
  /** Low four bits of st_info: STT_*. */
  readonly type: number;
  /** Index of its section, or SHN_*. */
  readonly section: number;
}

const NONE: SectionTable = { sections: [], problem: undefined };

/** Reads the section table; never throws. */
export function readSections(file: ElfFile, header: ElfHeader): SectionTable {
  if (header.shoff === 0n) return NONE;
  const { shdr, ehdr } = file.layout;
  const table = file.place(ehdr.shoff);
  if (header.shentsize !== shdr.size) return { sections: [], problem: `e_shentsize ${header.shentsize}` };
  if (table === undefined || !file.view.holds(table, shdr.size)) {
    return { sections: [], problem: `e_shoff ${hex(header.shoff)} lies outside the file` };
  }
  // gABI: with 0xff00 sections or more the count stands in section 0's sh_size, the name table in its sh_link.
  const count = header.shnum === 0 ? (file.place(table + shdr.bytes) ?? 0) : header.shnum;
  const names = header.shstrndx === SHN.XINDEX ? file.view.u32(table + shdr.link) : header.shstrndx;
  if (!file.view.holds(table, count * shdr.size)) {
    return { sections: [], problem: `${count} section headers at ${hex(header.shoff)} exceed the file` };
  }
  if (count > MAX_SECTIONS) {
    return { sections: [], problem: `${count} section headers, more than the ${MAX_SECTIONS} that are read` };
  }
  const strings = names < count ? stringsAt(file, table + names * shdr.size) : undefined;
  const sections = Array.from(
    { length: count },
    (_, i) => new ElfSection(file, strings, i, table + i * shdr.size),
  );
  return { sections, problem: undefined };
}

function stringsAt(file: ElfFile, at: number): ByteView | undefined {
  const offset = file.place(at + file.layout.shdr.offset);
  const size = file.place(at + file.layout.shdr.bytes);
  if (offset === undefined || size === undefined || !file.view.holds(offset, size)) return undefined;
  return file.view.view(offset, size);
}

function nameAt(strings: ByteView | undefined, offset: number): string {
  if (!strings?.holds(offset, 1)) return "";
  const limit = Math.min(MAX_NAME, strings.length - offset);
  return strings.cString(offset, limit) ?? strings.latin1(offset, limit);
}

/** The section's bytes in the file (none for SHT_NOBITS). Throws FormatError when they are not in the file. */
export function sectionView(file: ElfFile, section: ElfSection): ByteView {
  if (section.type === SHT.NOBITS) return new ByteView(new Uint8Array(0), 0);
  const [offset, size] = [Number(section.offset), Number(section.size)];
  if (!file.view.holds(offset, size)) {
    throw new FormatError(ELF, {
      offset: section.headerOffset,
      found: `section ${section.index} "${section.name}": ${hex(section.size)} bytes at ${hex(section.offset)}`,
      expected: `it within the file of ${file.bytes.length} bytes`,
      meaning: "The file is cut short, or its section table is damaged: fetch or build it again.",
    });
  }
  return file.view.view(offset, size);
}

/**
 * The symbols of .symtab, or of .dynsym when there is no .symtab; one at a time, so that a huge table costs no
 * memory. Throws FormatError when the table's section is not in the file.
 */
export function* readSymbols(file: ElfFile, sections: readonly ElfSection[]): Generator<ElfSymbol, void> {
  const table =
    sections.find((section) => section.type === SHT.SYMTAB) ??
    sections.find((section) => section.type === SHT.DYNSYM);
  if (!table) return;
  const view = sectionView(file, table);
  const names = table.link < sections.length ? sectionView(file, sections[table.link]) : undefined;
  const { sym } = file.layout;
  const start = view.base;
  for (let at = start; at + sym.size <= start + view.length; at += sym.size) {
    yield {
      name: nameAt(names, file.view.u32(at + sym.name)),
      value: file.word(at + sym.value),
      size: file.word(at + sym.bytes),
      type: file.view.u8(at + sym.info) & 0xf,
      section: file.view.u16(at + sym.shndx),
    };
  }
}
