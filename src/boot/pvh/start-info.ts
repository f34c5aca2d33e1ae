/**
 * Builds the PVH start_info structure with its module list, memory map and, where wanted, command line in one run
 * of bytes.
 *
 * ```
 *  base +0x00  hvm_start_info, version 1
 *       +0x38  module list, 32 bytes a module
 *        …     memory map, 24 bytes an entry
 *        …     command lines of the modules that have one, each with its NUL
 *        …     command line (only when it is kept together)
 * ```
 *
 * Specification: Xen docs/misc/pvh.pandoc; xen/include/public/arch-x86/hvm/start_info.h.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { E820_NUMBERS, type E820Entry } from "../../spec/e820.js";
import { MEMMAP_ENTRY, MODLIST_ENTRY, START_INFO } from "../../spec/pvh.js";

/** A module; its command line is bytes with their NUL, absent when there is none. */
export interface StartInfoModule {
  address: number;
  size: number;
  commandLine?: Uint8Array;
}

/** What start_info says. Addresses are guest-physical. */
export interface StartInfoInput {
  /** Where the bytes will lie. */
  base: number;
  modules: readonly StartInfoModule[];
  rsdp: number;
  memoryMap: readonly E820Entry[];
  /** An address, or bytes with their NUL to be put behind the memory map. */
  commandLine: number | Uint8Array;
}

/** Bytes that `buildStartInfo` makes. */
export function startInfoSize(input: Omit<StartInfoInput, "base">): number {
  const behind = typeof input.commandLine === "number" ? 0 : input.commandLine.length;
  const strings = input.modules.reduce((sum, { commandLine }) => sum + (commandLine?.length ?? 0), 0);
  return stringsOffset(input) + strings + behind;
}

function stringsOffset(input: Pick<StartInfoInput, "modules" | "memoryMap">): number {
  return memoryMapOffset(input) + input.memoryMap.length * MEMMAP_ENTRY.SIZE;
}

function memoryMapOffset({ modules }: Pick<StartInfoInput, "modules">): number {
  return START_INFO.SIZE + modules.length * MODLIST_ENTRY.SIZE;
}

/** The structure and what it points to. */
export function buildStartInfo(input: StartInfoInput): Uint8Array {
  const { base, modules, memoryMap, commandLine } = input;
  const view = new ByteView(new Uint8Array(startInfoSize(input)));
  const at = START_INFO.OFFSET;
  const mapAt = memoryMapOffset(input);
  const behind = setModules(view, input);
  view.setU32(at.MAGIC, START_INFO.MAGIC);
  view.setU32(at.VERSION, START_INFO.VERSION);
  view.setU32(at.NR_MODULES, modules.length);
  if (modules.length > 0) view.setU64(at.MODLIST_PADDR, base + START_INFO.SIZE);
  view.setU64(at.CMDLINE_PADDR, typeof commandLine === "number" ? commandLine : base + behind);
  view.setU64(at.RSDP_PADDR, input.rsdp);
  view.setU64(at.MEMMAP_PADDR, base + mapAt);
  view.setU32(at.MEMMAP_ENTRIES, memoryMap.length);
  memoryMap.forEach(({ start, size, type }, index) => {
    const entry = mapAt + index * MEMMAP_ENTRY.SIZE;
    view.setU64(entry + MEMMAP_ENTRY.OFFSET.ADDR, start);
    view.setU64(entry + MEMMAP_ENTRY.OFFSET.SIZE, size);
    view.setU32(entry + MEMMAP_ENTRY.OFFSET.TYPE, E820_NUMBERS[type]);
  });
  if (typeof commandLine !== "number") view.setBytes(behind, commandLine);
  return view.bytes;
}

/** The module list and the strings it points to; returns the offset behind the last string. */
function setModules(view: ByteView, input: StartInfoInput): number {
  let string = stringsOffset(input);
  input.modules.forEach(({ address, size, commandLine }, index) => {
    const entry = START_INFO.SIZE + index * MODLIST_ENTRY.SIZE;
    view.setU64(entry + MODLIST_ENTRY.OFFSET.PADDR, address);
    view.setU64(entry + MODLIST_ENTRY.OFFSET.SIZE, size);
    if (commandLine === undefined) return;
    view.setU64(entry + MODLIST_ENTRY.OFFSET.CMDLINE_PADDR, input.base + string);
    view.setBytes(string, commandLine);
    string += commandLine.length;
  });
  return string;
}
