/**
 * Builds the Multiboot2 boot information: every tag that can be given truthfully. Left out are those of a BIOS disk,
 * VBE, APM, EFI, SMBIOS and a network, because the machine has none of them.
 *
 * The ELF-symbols tag has 32-bit num, entsize and shndx, and the framebuffer tag 16 reserved bits, as the
 * specification's own header file (multiboot2.h) and every loader have them; its text draws narrower fields.
 *
 * Specification: Multiboot2 2.0, §3.6.
 */
import { alignUp } from "../../bytes/align.js";
import { ByteView } from "../../bytes/byte-view.js";
import { ByteWriter } from "../../bytes/byte-writer.js";
import { RSDP } from "../../spec/acpi.js";
import { E820_NUMBERS, type E820Entry } from "../../spec/e820.js";
import {
  INFO_TAG,
  INFO_TAG_TYPE,
  MMAP_TAG,
  MULTIBOOT2_ALIGNMENT,
  MULTIBOOT2_INFO,
} from "../../spec/multiboot2.js";
import { FRAMEBUFFER_EGA_TEXT } from "../../spec/multiboot1.js";
import { TEXT_CELL_SIZE, TEXT_SCREEN } from "../../spec/vga.js";
import { zeroTerminated } from "../hand-over.js";
import type { SectionTable } from "../multiboot/elf-sections.js";
import { memoryAmounts } from "../multiboot/memory-info.js";

/** What the tags say. Addresses are guest-physical. */
export interface Multiboot2InfoInput {
  commandLine: string;
  loaderName: string;
  modules: readonly { address: number; size: number; text: string }[];
  memoryMap: readonly E820Entry[];
  sections: SectionTable | undefined;
  /** The RSDP's bytes, of ACPI 2.0 or later, if they are known. */
  rsdp: Uint8Array | undefined;
  /** Whether there is a screen in text mode. */
  vga: boolean;
  /** Where the image was put, if it is a relocatable one. */
  loadBase: number | undefined;
}

class TagWriter {
  readonly #bytes = new ByteWriter().zeros(MULTIBOOT2_INFO.SIZE);

  tag(type: number, body: Uint8Array): this {
    const size = INFO_TAG.SIZE + body.length;
    this.#bytes
      .u32(type)
      .u32(size)
      .bytes(body)
      .zeros(alignUp(size, MULTIBOOT2_ALIGNMENT) - size);
    return this;
  }

  finish(): Uint8Array {
    this.tag(INFO_TAG_TYPE.END, new Uint8Array(0));
    const bytes = this.#bytes.finish();
    new ByteView(bytes).setU32(MULTIBOOT2_INFO.OFFSET.TOTAL_SIZE, bytes.length);
    return bytes;
  }
}

/** The structure, to lie at a multiple of 8. Its contents do not depend on where. */
export function buildMultiboot2Info(input: Multiboot2InfoInput): Uint8Array {
  const tags = new TagWriter();
  tags.tag(INFO_TAG_TYPE.CMDLINE, zeroTerminated(input.commandLine));
  tags.tag(INFO_TAG_TYPE.BOOT_LOADER_NAME, zeroTerminated(input.loaderName));
  for (const { address, size, text } of input.modules) {
    const body = new ByteWriter()
      .u32(address)
      .u32(address + size)
      .bytes(zeroTerminated(text));
    tags.tag(INFO_TAG_TYPE.MODULE, body.finish());
  }
  const { lower, upper } = memoryAmounts(input.memoryMap);
  tags.tag(INFO_TAG_TYPE.BASIC_MEMINFO, new ByteWriter().u32(lower).u32(upper).finish());
  tags.tag(INFO_TAG_TYPE.MMAP, memoryMap(input.memoryMap));
  if (input.sections !== undefined) tags.tag(INFO_TAG_TYPE.ELF_SECTIONS, elfSections(input.sections));
  if (input.vga) tags.tag(INFO_TAG_TYPE.FRAMEBUFFER, textScreen());
  if (input.rsdp !== undefined) {
    tags.tag(INFO_TAG_TYPE.ACPI_OLD, input.rsdp.subarray(0, RSDP.V1_SIZE));
    tags.tag(INFO_TAG_TYPE.ACPI_NEW, input.rsdp);
  }
  if (input.loadBase !== undefined) {
    tags.tag(INFO_TAG_TYPE.LOAD_BASE_ADDR, new ByteWriter().u32(input.loadBase).finish());
  }
  return tags.finish();
}

function memoryMap(map: readonly E820Entry[]): Uint8Array {
  const body = new ByteWriter().u32(MMAP_TAG.ENTRY_SIZE).u32(MMAP_TAG.ENTRY_VERSION);
  for (const { start, size, type } of map) body.u64(start).u64(size).u32(E820_NUMBERS[type]).u32(0);
  return body.finish();
}

function textScreen(): Uint8Array {
  return new ByteWriter()
    .u64(TEXT_SCREEN.ADDRESS)
    .u32(TEXT_SCREEN.COLUMNS * TEXT_CELL_SIZE)
    .u32(TEXT_SCREEN.COLUMNS)
    .u32(TEXT_SCREEN.ROWS)
    .u8(TEXT_CELL_SIZE * 8)
    .u8(FRAMEBUFFER_EGA_TEXT)
    .u16(0)
    .finish();
}

function elfSections({ count, entrySize, names, bytes }: SectionTable): Uint8Array {
  return new ByteWriter().u32(count).u32(entrySize).u32(names).bytes(bytes).finish();
}
