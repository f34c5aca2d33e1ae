/**
 * Writes an ELF file that holds names and addresses and nothing else: what `symbol-file` of gdb takes for a kernel that has no such
 * file. Addresses are those that the kernel runs at, its slide included.
 *
 * Specification: System V gABI, chapter 4 (sections, symbol table).
 */
import { ByteView } from "../../bytes/byte-view.js";
import {
  EI,
  ELF32,
  ELF64,
  ELFCLASS,
  ELFDATA,
  ELF_MAGIC,
  EM,
  ET,
  EV_CURRENT,
  SHF,
  SHN,
  SHT,
  STB,
  STT,
  type ElfLayout,
} from "../../spec/elf.js";
import type { NamedAddress } from "../symbols/symbol-table.js";

/** Linear addresses, the second one outside. */
export interface AddressRange {
  from: bigint;
  to: bigint;
}

/** What a file is made of. */
export interface NamedKernel {
  bits: 32 | 64;
  /** By ascending addresses. */
  symbols: readonly NamedAddress[];
  /** Where instructions are: ascending, disjoint. What lies between and behind them is data, what lies before has no section. */
  code: readonly AddressRange[];
}

interface Section extends AddressRange {
  name: string;
  type: number;
  flags: bigint;
  /** Of those that have contents. */
  bytes?: Uint8Array;
  link?: number;
  /** Index of the first symbol that is not local. */
  info?: number;
  entsize?: number;
}

/** Data behind the last symbol. */
const TAIL = 0x1000n;
const DATA_FLAGS = SHF.ALLOC | SHF.WRITE;
const CODE_FLAGS = SHF.ALLOC | SHF.EXECINSTR;

function texts(names: readonly string[]): { bytes: Uint8Array; offsets: number[] } {
  const offsets: number[] = [];
  let size = 1;
  for (const name of names) {
    offsets.push(size);
    size += name.length + 1;
  }
  const bytes = new Uint8Array(size);
  names.forEach((name, i) => {
    for (let at = 0; at < name.length; at++) bytes[offsets[i] + at] = name.charCodeAt(at);
  });
  return { bytes, offsets };
}

/** Sections of code and of the data around it. */
function placedSections({ symbols, code }: NamedKernel): Section[] {
  const sections: Section[] = [];
  code.forEach(({ from, to }, i) => {
    sections.push({ name: `.text${i === 0 ? "" : i}`, type: SHT.NOBITS, flags: CODE_FLAGS, from, to });
    const last = (symbols.at(-1)?.address ?? to) + TAIL;
    const end = code.at(i + 1)?.from ?? last;
    if (end > to)
      sections.push({
        name: `.data${i === 0 ? "" : i}`,
        type: SHT.NOBITS,
        flags: DATA_FLAGS,
        from: to,
        to: end,
      });
  });
  return sections;
}

function wordOf(view: ByteView, layout: ElfLayout, at: number, value: bigint | number): void {
  if (layout.wordSize === 8) view.setU64(at, value);
  else view.setU32(at, Number(value));
}

/** The symbol table; section 1 is the first of `placed`. */
function symbolBytes(
  { symbols }: NamedKernel,
  layout: ElfLayout,
  placed: readonly Section[],
  offsets: readonly number[],
): Uint8Array {
  const { sym } = layout;
  const view = new ByteView(new Uint8Array(sym.size * (symbols.length + 1)));
  let section = 0;
  symbols.forEach(({ address }, i) => {
    while (section < placed.length && address >= placed[section].to) section++;
    const inside = section < placed.length && address >= placed[section].from;
    const isCode = inside && placed[section].flags === CODE_FLAGS;
    const next = symbols.at(i + 1)?.address ?? address;
    const at = sym.size * (i + 1);
    view.setU32(at + sym.name, offsets[i]);
    view.setU8(at + sym.info, STB.GLOBAL | (isCode ? STT.FUNC : inside ? STT.OBJECT : STT.NOTYPE));
    view.setU16(at + sym.shndx, inside ? section + 1 : SHN.ABS);
    wordOf(view, layout, at + sym.value, address);
    if (isCode) wordOf(view, layout, at + sym.bytes, next < placed[section].to ? next - address : 0n);
  });
  return view.bytes;
}

/** The file. */
export function symbolFile(kernel: NamedKernel): Uint8Array {
  const layout = kernel.bits === 64 ? ELF64 : ELF32;
  const placed = placedSections(kernel);
  const names = texts(kernel.symbols.map(({ name }) => name));
  const table = (name: string, type: number, bytes: Uint8Array): Section => ({
    name,
    type,
    flags: 0n,
    from: 0n,
    to: 0n,
    bytes,
  });
  const symtab: Section = {
    ...table(".symtab", SHT.SYMTAB, symbolBytes(kernel, layout, placed, names.offsets)),
    link: placed.length + 2,
    info: 1,
    entsize: layout.sym.size,
  };
  const sections: Section[] = [
    table("", SHT.NULL, new Uint8Array(0)),
    ...placed,
    symtab,
    table(".strtab", SHT.STRTAB, names.bytes),
  ];
  const titles = texts([...sections.map(({ name }) => name), ".shstrtab"]);
  sections.push(table(".shstrtab", SHT.STRTAB, titles.bytes));
  return assembled(kernel.bits, layout, sections, titles.offsets);
}

function assembled(
  bits: 32 | 64,
  layout: ElfLayout,
  sections: readonly Section[],
  titles: readonly number[],
): Uint8Array {
  const { ehdr, shdr } = layout;
  const contents = sections.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  const headersAt = Math.ceil((ehdr.size + contents) / layout.wordSize) * layout.wordSize;
  const view = new ByteView(new Uint8Array(headersAt + shdr.size * sections.length));
  const word = (at: number, value: bigint | number): void => wordOf(view, layout, at, value);
  view.setBytes(0, Uint8Array.from(ELF_MAGIC));
  view.setU8(EI.CLASS, bits === 64 ? ELFCLASS.CLASS64 : ELFCLASS.CLASS32);
  view.setU8(EI.DATA, ELFDATA.LSB);
  view.setU8(EI.VERSION, EV_CURRENT);
  view.setU16(ehdr.type, ET.EXEC);
  view.setU16(ehdr.machine, bits === 64 ? EM.X86_64 : EM[386]);
  view.setU32(ehdr.version, EV_CURRENT);
  word(ehdr.shoff, headersAt);
  view.setU16(ehdr.ehsize, ehdr.size);
  view.setU16(ehdr.shentsize, shdr.size);
  view.setU16(ehdr.shnum, sections.length);
  view.setU16(ehdr.shstrndx, sections.length - 1);
  let at: number = ehdr.size;
  sections.forEach(({ type, flags, from, to, bytes, link, info, entsize }, i) => {
    const header = headersAt + shdr.size * i;
    view.setU32(header + shdr.name, i === 0 ? 0 : titles[i]);
    view.setU32(header + shdr.type, type);
    word(header + shdr.flags, flags);
    word(header + shdr.addr, from);
    word(header + shdr.offset, i === 0 ? 0 : at);
    word(header + shdr.bytes, bytes === undefined ? to - from : bytes.length);
    view.setU32(header + shdr.link, link ?? 0);
    view.setU32(header + shdr.info, info ?? 0);
    word(header + shdr.addralign, i === 0 ? 0 : 1);
    word(header + shdr.entsize, entsize ?? 0);
    if (bytes !== undefined) view.setBytes(at, bytes);
    at += bytes?.length ?? 0;
  });
  return view.bytes;
}
