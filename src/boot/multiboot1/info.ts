/**
 * Builds the Multiboot information structure and what it points to, in one run of bytes.
 *
 * ```
 *  base +0x00  multiboot_info, 120 bytes (fields of BIOS tables and of VBE are 0, their flags clear)
 *       +0x78  module list, 16 bytes a module
 *        …     memory map, 24 bytes an entry
 *        …     ELF section headers
 *        …     strings: command line, loader name, one a module
 * ```
 *
 * Specification: Multiboot 0.6.96 §3.3.
 */
import { alignUp } from "../../bytes/align.js";
import { ByteView } from "../../bytes/byte-view.js";
import { E820_NUMBERS, type E820Entry } from "../../spec/e820.js";
import {
  FRAMEBUFFER_EGA_TEXT,
  MULTIBOOT1_INFO,
  MULTIBOOT1_MMAP,
  MULTIBOOT1_MODULE,
} from "../../spec/multiboot1.js";
import { TEXT_CELL_SIZE, TEXT_SCREEN } from "../../spec/vga.js";
import { zeroTerminated } from "../hand-over.js";
import type { SectionTable } from "../multiboot/elf-sections.js";
import { memoryAmounts } from "../multiboot/memory-info.js";

/** What the structure says. Addresses are guest-physical. */
export interface Multiboot1InfoInput {
  commandLine: string;
  loaderName: string;
  modules: readonly { address: number; size: number; text: string }[];
  memoryMap: readonly E820Entry[];
  sections: SectionTable | undefined;
  /** Whether there is a screen in text mode. */
  vga: boolean;
}

const WORD = 4;

/** Where each part begins. */
interface Parts {
  modules: number;
  map: number;
  sections: number;
  strings: number;
  size: number;
}

function layOut(input: Multiboot1InfoInput, strings: readonly Uint8Array[]): Parts {
  const modules = MULTIBOOT1_INFO.SIZE;
  const map = modules + input.modules.length * MULTIBOOT1_MODULE.SIZE;
  const sections = map + input.memoryMap.length * MULTIBOOT1_MMAP.SIZE;
  const text = alignUp(sections + (input.sections?.bytes.length ?? 0), WORD);
  const size = strings.reduce((end, string) => end + string.length, text);
  return { modules, map, sections, strings: text, size };
}

function stringsOf(input: Multiboot1InfoInput): Uint8Array[] {
  const texts = [input.commandLine, input.loaderName, ...input.modules.map(({ text }) => text)];
  return texts.map(zeroTerminated);
}

/** Bytes that `buildMultiboot1Info` makes. */
export function multiboot1InfoSize(input: Multiboot1InfoInput): number {
  return layOut(input, stringsOf(input)).size;
}

/** The structure as it lies at `base`. */
export function buildMultiboot1Info(input: Multiboot1InfoInput, base: number): Uint8Array {
  const strings = stringsOf(input);
  const parts = layOut(input, strings);
  const view = new ByteView(new Uint8Array(parts.size));
  const at = MULTIBOOT1_INFO.OFFSET;
  const addresses = setStrings(view, base, parts.strings, strings);
  const { lower, upper } = memoryAmounts(input.memoryMap);
  const flag = MULTIBOOT1_INFO.FLAG;
  const flags = flag.MEMORY | flag.COMMAND_LINE | flag.MODULES | flag.MEMORY_MAP | flag.LOADER_NAME;
  const symbols = input.sections === undefined ? 0 : flag.ELF_SECTIONS;
  view.setU32(at.FLAGS, flags | symbols | (input.vga ? flag.FRAMEBUFFER : 0));
  view.setU32(at.MEM_LOWER, lower);
  view.setU32(at.MEM_UPPER, upper);
  view.setU32(at.CMDLINE, addresses[0]);
  view.setU32(at.BOOT_LOADER_NAME, addresses[1]);
  view.setU32(at.MODS_COUNT, input.modules.length);
  if (input.modules.length > 0) view.setU32(at.MODS_ADDR, base + parts.modules);
  view.setU32(at.MMAP_LENGTH, parts.sections - parts.map);
  view.setU32(at.MMAP_ADDR, base + parts.map);
  setModules(view, parts.modules, input.modules, addresses.slice(2));
  setMemoryMap(view, parts.map, input.memoryMap);
  if (input.sections !== undefined) setSections(view, base, parts.sections, input.sections);
  if (input.vga) setScreen(view);
  return view.bytes;
}

function setStrings(view: ByteView, base: number, start: number, strings: readonly Uint8Array[]): number[] {
  let offset = start;
  return strings.map((string) => {
    const address = base + offset;
    view.setBytes(offset, string);
    offset += string.length;
    return address;
  });
}

function setModules(
  view: ByteView,
  start: number,
  modules: Multiboot1InfoInput["modules"],
  strings: readonly number[],
): void {
  const { OFFSET, SIZE } = MULTIBOOT1_MODULE;
  modules.forEach(({ address, size }, index) => {
    const entry = start + index * SIZE;
    view.setU32(entry + OFFSET.START, address);
    view.setU32(entry + OFFSET.END, address + size);
    view.setU32(entry + OFFSET.STRING, strings[index]);
  });
}

function setMemoryMap(view: ByteView, start: number, map: readonly E820Entry[]): void {
  const { OFFSET, SIZE, SIZE_VALUE } = MULTIBOOT1_MMAP;
  map.forEach((range, index) => {
    const entry = start + index * SIZE;
    view.setU32(entry + OFFSET.SIZE, SIZE_VALUE);
    view.setU64(entry + OFFSET.BASE, range.start);
    view.setU64(entry + OFFSET.LENGTH, range.size);
    view.setU32(entry + OFFSET.TYPE, E820_NUMBERS[range.type]);
  });
}

function setSections(view: ByteView, base: number, start: number, table: SectionTable): void {
  const at = MULTIBOOT1_INFO.OFFSET;
  view.setU32(at.ELF_NUM, table.count);
  view.setU32(at.ELF_SIZE, table.entrySize);
  view.setU32(at.ELF_ADDR, base + start);
  view.setU32(at.ELF_SHNDX, table.names);
  view.setBytes(start, table.bytes);
}

function setScreen(view: ByteView): void {
  const at = MULTIBOOT1_INFO.OFFSET;
  view.setU64(at.FRAMEBUFFER_ADDR, TEXT_SCREEN.ADDRESS);
  view.setU32(at.FRAMEBUFFER_PITCH, TEXT_SCREEN.COLUMNS * TEXT_CELL_SIZE);
  view.setU32(at.FRAMEBUFFER_WIDTH, TEXT_SCREEN.COLUMNS);
  view.setU32(at.FRAMEBUFFER_HEIGHT, TEXT_SCREEN.ROWS);
  view.setU8(at.FRAMEBUFFER_BPP, TEXT_CELL_SIZE * 8);
  view.setU8(at.FRAMEBUFFER_TYPE, FRAMEBUFFER_EGA_TEXT);
}
