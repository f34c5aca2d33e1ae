/**
 * The Multiboot information structures of a plan as text: every field or tag with what it says. Reads the plan's own
 * bytes, so it shows what the kernel will find.
 */
import { alignUp } from "../../bytes/align.js";
import type { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { MULTIBOOT1_INFO } from "../../spec/multiboot1.js";
import { INFO_TAG, INFO_TAG_TYPE, MULTIBOOT2_ALIGNMENT, MULTIBOOT2_INFO } from "../../spec/multiboot2.js";

/** Longest text that is shown. */
const SHOWN = 80;

/** Fields of the Multiboot information structure. */
export function multiboot1Lines(view: ByteView): string[] {
  const at = MULTIBOOT1_INFO.OFFSET;
  const fields: [string, string][] = [
    ["flags", hex(view.u32(at.FLAGS))],
    ["mem_lower", `${view.u32(at.MEM_LOWER)} KiB`],
    ["mem_upper", `${view.u32(at.MEM_UPPER)} KiB`],
    ["cmdline", textAt(view, view.u32(at.CMDLINE) - view.base)],
    ["mods_count", String(view.u32(at.MODS_COUNT))],
    ["mods_addr", hex(view.u32(at.MODS_ADDR))],
    ["elf_num", String(view.u32(at.ELF_NUM))],
    ["mmap_length", String(view.u32(at.MMAP_LENGTH))],
    ["mmap_addr", hex(view.u32(at.MMAP_ADDR))],
    ["boot_loader_name", textAt(view, view.u32(at.BOOT_LOADER_NAME) - view.base)],
  ];
  return fields.map(([name, value]) => `multiboot_info.${name} = ${value}`);
}

function textAt(view: ByteView, offset: number): string {
  return `"${view.cString(offset, SHOWN) ?? `${view.latin1(offset, Math.min(SHOWN, view.length - offset))}…`}"`;
}

/** Every tag of the Multiboot2 boot information. */
export function multiboot2Lines(view: ByteView): string[] {
  const total = view.u32(MULTIBOOT2_INFO.OFFSET.TOTAL_SIZE);
  const lines = [`multiboot2.total_size = ${total}`];
  for (let at: number = MULTIBOOT2_INFO.SIZE; at < total;) {
    const type = view.u32(at + INFO_TAG.OFFSET.TYPE);
    const size = view.u32(at + INFO_TAG.OFFSET.SIZE);
    const body = at + INFO_TAG.OFFSET.BODY;
    lines.push(`multiboot2.tag ${type} ${TAG_NAMES.get(type) ?? ""}: ${tagText(view, type, body, size)}`);
    at = alignUp(at + size, MULTIBOOT2_ALIGNMENT);
  }
  return lines;
}

const TAG_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(INFO_TAG_TYPE).map(([name, type]) => [type, name.toLowerCase().replaceAll("_", " ")]),
);

function tagText(view: ByteView, type: number, body: number, size: number): string {
  switch (type) {
    case INFO_TAG_TYPE.CMDLINE:
    case INFO_TAG_TYPE.BOOT_LOADER_NAME:
      return textAt(view, body);
    case INFO_TAG_TYPE.MODULE:
      return `${hex(view.u32(body))}–${hex(view.u32(body + 4))} ${textAt(view, body + 8)}`;
    case INFO_TAG_TYPE.BASIC_MEMINFO:
      return `${view.u32(body)} KiB, ${view.u32(body + 4)} KiB`;
    case INFO_TAG_TYPE.LOAD_BASE_ADDR:
      return hex(view.u32(body));
    default:
      return `${size} bytes`;
  }
}
