/**
 * ELF kernels of very many small segments, made without an array a segment: one code page's worth of HLTs in the file
 * that every segment loads, each to a place of its own.
 */
import { alignUp } from "../../src/bytes/align.js";
import { ByteView } from "../../src/bytes/byte-view.js";
import {
  ELF32,
  ELF64,
  ELF_MAGIC,
  ELFCLASS,
  ELFDATA,
  EI,
  EM,
  ET,
  EV_CURRENT,
  PN_XNUM,
  PT,
} from "../../src/spec/elf.js";
import { makeNotes, makePvhNote } from "./images.js";

/** Where the first one goes, how far apart they are, and how large each is. */
export const FIRST_SEGMENT = 0x10_0000;
export const SEGMENT_STRIDE = 0x800;
export const SEGMENT_SIZE = 16;

export interface ManySegmentsParts {
  elfClass?: 32 | 64;
  /** Put behind the ELF header: a Multiboot header. */
  header?: Uint8Array;
  /** Whether a PHYS32_ENTRY note names the first segment. */
  pvh?: boolean;
  /** e_entry; the first segment when absent. */
  entry?: number;
}

const HLT = 0xf4;

/** The file. More than 0xfffe program headers are counted in a section header 0, as the gABI has it. */
export function manySegments(count: number, parts: ManySegmentsParts = {}): Uint8Array {
  const { elfClass = 64, header = new Uint8Array(0), pvh = false, entry = FIRST_SEGMENT } = parts;
  const layout = elfClass === 64 ? ELF64 : ELF32;
  const { ehdr, phdr, shdr } = layout;
  const note = pvh ? makeNotes([makePvhNote(FIRST_SEGMENT)]) : new Uint8Array(0);
  const headerAt = alignUp(ehdr.size, 8);
  const tableAt = alignUp(headerAt + header.length, 8);
  const headers = count + (pvh ? 1 : 0);
  const noteAt = tableAt + headers * phdr.size;
  const codeAt = noteAt + note.length;
  const sectionAt = alignUp(codeAt + SEGMENT_SIZE, 8);
  const view = new ByteView(new Uint8Array(sectionAt + shdr.size));
  const word = (at: number, value: number): void =>
    layout.wordSize === 8 ? view.setU64(at, value) : view.setU32(at, value);
  const programHeader = (
    index: number,
    type: number,
    offset: number,
    address: number,
    size: number,
  ): void => {
    const at = tableAt + index * phdr.size;
    view.setU32(at + phdr.type, type);
    for (const [field, value] of [
      [phdr.offset, offset],
      [phdr.vaddr, address],
      [phdr.paddr, address],
      [phdr.filesz, size],
      [phdr.memsz, size],
    ])
      word(at + field, value);
  };
  view.setBytes(0, Uint8Array.from(ELF_MAGIC));
  view.setU8(EI.CLASS, elfClass === 64 ? ELFCLASS.CLASS64 : ELFCLASS.CLASS32);
  view.setU8(EI.DATA, ELFDATA.LSB);
  view.setU8(EI.VERSION, EV_CURRENT);
  view.setU16(ehdr.type, ET.EXEC);
  view.setU16(ehdr.machine, elfClass === 64 ? EM.X86_64 : EM[386]);
  view.setU32(ehdr.version, EV_CURRENT);
  word(ehdr.entry, entry);
  word(ehdr.phoff, tableAt);
  view.setU16(ehdr.phentsize, phdr.size);
  view.setU16(ehdr.phnum, Math.min(headers, PN_XNUM));
  if (headers >= PN_XNUM) {
    word(ehdr.shoff, sectionAt);
    view.setU16(ehdr.shentsize, shdr.size);
    view.setU16(ehdr.shnum, 1);
    view.setU32(sectionAt + shdr.info, headers);
  }
  view.setBytes(headerAt, header);
  for (let i = 0; i < count; i++)
    programHeader(i, PT.LOAD, codeAt, FIRST_SEGMENT + i * SEGMENT_STRIDE, SEGMENT_SIZE);
  if (pvh) programHeader(count, PT.NOTE, noteAt, 0, note.length);
  view.setBytes(noteAt, note);
  view.bytes.fill(HLT, codeAt, codeAt + SEGMENT_SIZE);
  return view.bytes;
}
