/**
 * Tiny synthetic images for tests: Linux bzImages of any protocol, ELF files of either class. Every number of the
 * header can be overridden, so that hostile files are one line away. Builds bytes only; knows no loader.
 */
import { alignUp } from "../../src/bytes/align.js";
import { ByteView } from "../../src/bytes/byte-view.js";
import { crc32 } from "../../src/codecs/crc32.js";
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
  PT,
} from "../../src/spec/elf.js";
import {
  BOOT_FLAG,
  BZIMAGE_LOAD_ADDRESS,
  HEADER_MAGIC,
  HEADER_OFFSET,
  JUMP_OFFSET,
  JUMP_OPCODE,
  KERNEL_INFO,
  LOADFLAGS,
  PARAGRAPH,
  PROTOCOL,
  SECTOR_SIZE,
  SETUP_FIELDS,
  XLOADFLAGS,
} from "../../src/spec/linux-boot.js";
import type { SetupFieldName } from "../../src/spec/linux-boot.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../../src/spec/xen-notes.js";

/** What a bzImage is made of; everything has a default. */
export interface BzImageParts {
  /** Boot protocol; 0x020f. */
  protocol?: number;
  /** Sectors of setup code; 2. */
  setupSects?: number;
  /** Real-mode code, put at file offset 0x270. */
  setupCode?: Uint8Array;
  /** Protected-mode code from its first byte (the 64-bit entry is at 0x200); 1 KiB of HLT. */
  code?: Uint8Array;
  /** Put behind the code, and named by the header when the protocol has fields for it. */
  payload?: Uint8Array;
  version?: string;
  setupTypeMax?: number;
  /** Header fields to set last of all: to anything, sensible or not. */
  fields?: Partial<Record<SetupFieldName, number | bigint>>;
}

const SETUP_CODE = 0x270;
const VERSION_OFFSET = 0x300;
const HLT = 0xf4;
const CODE_SIZE = 0x400;
const CHECKSUM_SIZE = 4;

/** Writes a field of the setup header. */
export function setSetupField(image: Uint8Array, name: SetupFieldName, value: number | bigint): void {
  const view = new ByteView(image);
  const field = SETUP_FIELDS.find((one) => one.name === name);
  if (!field) throw new Error(`no field ${name}`);
  if (field.size === 8) view.setU64(field.offset, value);
  else if (field.size === 4) view.setU32(field.offset, Number(value));
  else if (field.size === 2) view.setU16(field.offset, Number(value));
  else view.setU8(field.offset, Number(value));
}

/** Code, kernel_info, payload and room for the checksum, padded to paragraphs. */
function protectedModePart(parts: BzImageParts) {
  const code = parts.code ?? new Uint8Array(CODE_SIZE).fill(HLT);
  const payload = parts.payload ?? new Uint8Array(0);
  const infoAt = alignUp(code.length, PARAGRAPH);
  const payloadAt = infoAt + PARAGRAPH;
  const bytes = new Uint8Array(alignUp(payloadAt + payload.length + CHECKSUM_SIZE, PARAGRAPH));
  const view = new ByteView(bytes);
  view.setBytes(0, code);
  view.setLatin1(infoAt, KERNEL_INFO.MAGIC);
  view.setU32(infoAt + KERNEL_INFO.SIZE, KERNEL_INFO.MIN_SIZE);
  view.setU32(infoAt + KERNEL_INFO.SIZE_TOTAL, KERNEL_INFO.MIN_SIZE);
  view.setU32(infoAt + KERNEL_INFO.SETUP_TYPE_MAX, parts.setupTypeMax ?? 0x8000_0009);
  view.setBytes(payloadAt, payload);
  return { bytes, infoAt, payloadAt, payloadSize: payload.length };
}

/** A bzImage that readers accept (unless `fields` spoil it), with a valid checksum. */
export function makeBzImage(parts: BzImageParts = {}): Uint8Array {
  const protocol = parts.protocol ?? PROTOCOL.V2_15;
  const setupSects = parts.setupSects ?? 2;
  const kernel = protectedModePart(parts);
  const setupSize = (setupSects + 1) * SECTOR_SIZE;
  const image = new Uint8Array(setupSize + kernel.bytes.length);
  const view = new ByteView(image);
  view.setBytes(setupSize, kernel.bytes);
  if (parts.setupCode) view.setBytes(SETUP_CODE, parts.setupCode);
  if (parts.version !== undefined) view.setLatin1(VERSION_OFFSET, parts.version);
  view.setLatin1(HEADER_OFFSET, HEADER_MAGIC);
  const present = SETUP_FIELDS.filter((field) => field.since <= protocol);
  const headerEnd = Math.max(...present.map((field) => field.offset + field.size));
  const values: Partial<Record<SetupFieldName, number | bigint>> = {
    setup_sects: setupSects,
    syssize: kernel.bytes.length / PARAGRAPH,
    boot_flag: BOOT_FLAG,
    jump: JUMP_OPCODE | ((headerEnd - JUMP_OFFSET - 2) << 8),
    version: protocol,
    kernel_version: parts.version === undefined ? 0 : VERSION_OFFSET - JUMP_OFFSET,
    loadflags: LOADFLAGS.LOADED_HIGH,
    code32_start: BZIMAGE_LOAD_ADDRESS,
    initrd_addr_max: 0x7fff_ffff,
    kernel_alignment: 0x20_0000,
    relocatable_kernel: 1,
    min_alignment: 21,
    xloadflags: XLOADFLAGS.XLF_KERNEL_64 | XLOADFLAGS.XLF_CAN_BE_LOADED_ABOVE_4G,
    cmdline_size: 2047,
    payload_offset: kernel.payloadSize > 0 ? kernel.payloadAt : 0,
    payload_length: kernel.payloadSize,
    pref_address: 0x100_0000,
    init_size: 0x10_0000,
    kernel_info_offset: kernel.infoAt,
  };
  for (const { name } of present) if (values[name] !== undefined) setSetupField(image, name, values[name]);
  for (const { name } of SETUP_FIELDS) {
    const value = parts.fields?.[name];
    if (value !== undefined) setSetupField(image, name, value);
  }
  // boot.rst, "The Image Checksum": the CRC of the whole, not inverted at its end, becomes 0.
  const covered = image.length - CHECKSUM_SIZE;
  view.setU32(covered, ~crc32(image.subarray(0, covered)) >>> 0);
  return image;
}

/** A segment of an ELF file to be made. */
export interface ElfSegmentParts {
  /** PT_LOAD. */
  type?: number;
  flags?: number;
  vaddr?: bigint | number;
  /** The same as `vaddr`. */
  paddr?: bigint | number;
  bytes?: Uint8Array;
  /** The size of `bytes`. */
  memsz?: bigint | number;
  align?: bigint | number;
  /** Overrides of what follows from `bytes`. */
  filesz?: bigint | number;
  offset?: bigint | number;
}

/** A section of an ELF file to be made. */
export interface ElfSectionParts {
  name: string;
  type: number;
  bytes?: Uint8Array;
  address?: bigint | number;
  link?: number;
  align?: number;
  offset?: bigint | number;
  size?: bigint | number;
}

/** A note to be made. */
export interface NoteParts {
  name: string;
  type: number;
  desc: Uint8Array;
}

/** What an ELF file is made of; everything has a default. */
export interface ElfParts {
  elfClass?: 32 | 64;
  machine?: number;
  osabi?: number;
  type?: number;
  entry?: bigint | number;
  segments?: ElfSegmentParts[];
  /** Section 0 and the name table are added. */
  sections?: ElfSectionParts[];
  phoff?: bigint | number;
  shoff?: bigint | number;
  phnum?: number;
  shnum?: number;
  phentsize?: number;
}

/** Notes as the contents of a PT_NOTE segment or SHT_NOTE section. */
export function makeNotes(notes: readonly NoteParts[], padding: 4 | 8 = 4): Uint8Array {
  const parts: number[] = [];
  const word = (value: number): void =>
    void parts.push(value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24);
  const pad = (): void => {
    while (parts.length % padding !== 0) parts.push(0);
  };
  for (const note of notes) {
    word(note.name.length + 1);
    word(note.desc.length);
    word(note.type);
    parts.push(...Array.from(note.name, (character) => character.charCodeAt(0)), 0);
    pad();
    parts.push(...note.desc);
    pad();
  }
  return Uint8Array.from(parts);
}

/** The PVH entry note: Linux writes 8 bytes of descriptor, the BSDs 4. */
export function makePvhNote(entry: number, size: 4 | 8 = 8): NoteParts {
  const desc = new ByteView(new Uint8Array(size));
  desc.setU32(0, entry);
  return { name: XEN_NOTE_OWNER, type: XEN_ELFNOTE.PHYS32_ENTRY, desc: desc.bytes };
}

/** Collects the file: header, program headers, contents, section headers. */
export function makeElf(parts: ElfParts = {}): Uint8Array {
  const layout = parts.elfClass === 32 ? ELF32 : ELF64;
  const segments = parts.segments ?? [];
  const { ehdr, phdr, shdr } = layout;
  const names = sectionNames(parts.sections);
  const sections: ElfSectionParts[] = parts.sections
    ? [{ name: "", type: 0 }, ...parts.sections, { name: ".shstrtab", type: 3, bytes: names.bytes }]
    : [];
  let end = ehdr.size + segments.length * phdr.size;
  const place = (bytes: Uint8Array | undefined): number => {
    const at = alignUp(end, 16);
    end = at + (bytes?.length ?? 0);
    return at;
  };
  const segmentAt = segments.map((segment) => place(segment.bytes));
  const sectionAt = sections.map((section) => place(section.bytes));
  const table = place(undefined);
  const view = new ByteView(new Uint8Array(table + sections.length * shdr.size));
  const word = (at: number, value: bigint | number): void =>
    layout.wordSize === 8 ? view.setU64(at, value) : view.setU32(at, Number(value));

  segments.forEach((segment, i) => {
    const at = ehdr.size + i * phdr.size;
    const size = segment.bytes?.length ?? 0;
    view.setU32(at + phdr.type, segment.type ?? PT.LOAD);
    view.setU32(at + phdr.flags, segment.flags ?? 5);
    word(at + phdr.offset, segment.offset ?? segmentAt[i]);
    word(at + phdr.vaddr, segment.vaddr ?? 0);
    word(at + phdr.paddr, segment.paddr ?? segment.vaddr ?? 0);
    word(at + phdr.filesz, segment.filesz ?? size);
    word(at + phdr.memsz, segment.memsz ?? size);
    word(at + phdr.align, segment.align ?? 4);
    if (segment.bytes) view.setBytes(segmentAt[i], segment.bytes);
  });
  sections.forEach((section, i) => {
    const at = table + i * shdr.size;
    view.setU32(at + shdr.name, names.offsets.get(section.name) ?? 0);
    view.setU32(at + shdr.type, section.type);
    word(at + shdr.addr, section.address ?? 0);
    word(at + shdr.offset, section.offset ?? sectionAt[i]);
    word(at + shdr.bytes, section.size ?? section.bytes?.length ?? 0);
    view.setU32(at + shdr.link, section.link ?? 0);
    word(at + shdr.addralign, section.align ?? 4);
    if (section.bytes) view.setBytes(sectionAt[i], section.bytes);
  });
  writeHeader(view, parts, { table, sections: sections.length });
  return view.bytes;
}

function sectionNames(sections: readonly ElfSectionParts[] = []) {
  let text = "\0";
  const offsets = new Map<string, number>([["", 0]]);
  for (const name of [...sections.map((section) => section.name), ".shstrtab"]) {
    if (offsets.has(name)) continue;
    offsets.set(name, text.length);
    text += `${name}\0`;
  }
  return { bytes: Uint8Array.from(text, (character) => character.charCodeAt(0)), offsets };
}

function writeHeader(view: ByteView, parts: ElfParts, made: { table: number; sections: number }): void {
  const layout = parts.elfClass === 32 ? ELF32 : ELF64;
  const { ehdr, phdr, shdr } = layout;
  const word = (at: number, value: bigint | number): void =>
    layout.wordSize === 8 ? view.setU64(at, value) : view.setU32(at, Number(value));
  const segments = parts.segments?.length ?? 0;
  view.setBytes(0, Uint8Array.from(ELF_MAGIC));
  view.setU8(EI.CLASS, layout === ELF64 ? ELFCLASS.CLASS64 : ELFCLASS.CLASS32);
  view.setU8(EI.DATA, ELFDATA.LSB);
  view.setU8(EI.VERSION, EV_CURRENT);
  view.setU8(EI.OSABI, parts.osabi ?? 0);
  view.setU16(ehdr.type, parts.type ?? ET.EXEC);
  view.setU16(ehdr.machine, parts.machine ?? (layout === ELF64 ? EM.X86_64 : EM[386]));
  view.setU32(ehdr.version, EV_CURRENT);
  word(ehdr.entry, parts.entry ?? 0);
  word(ehdr.phoff, parts.phoff ?? (segments > 0 ? ehdr.size : 0));
  word(ehdr.shoff, parts.shoff ?? (made.sections > 0 ? made.table : 0));
  view.setU16(ehdr.ehsize, ehdr.size);
  view.setU16(ehdr.phentsize, parts.phentsize ?? phdr.size);
  view.setU16(ehdr.phnum, parts.phnum ?? segments);
  view.setU16(ehdr.shentsize, shdr.size);
  view.setU16(ehdr.shnum, parts.shnum ?? made.sections);
  view.setU16(ehdr.shstrndx, Math.max(0, made.sections - 1));
}
