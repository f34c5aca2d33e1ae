/**
 * Builds the PVH start_info structure with its module list, memory map and, where wanted, command line in one run
 * of bytes.
 *
 * ```
 *  base +0x00  hvm_start_info, version 0 or 1
 *        …     module list, 32 bytes a module: at +0x28, in version 1 at +0x38
 *        …     memory map, 24 bytes an entry; not in version 0
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

export type StartInfoVersion = keyof typeof START_INFO.SIZE;

/** What start_info says. Addresses are guest-physical. */
export interface StartInfoInput {
  /** Where the bytes will lie. */
  base: number;
  version: StartInfoVersion;
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

type Lengths = Pick<StartInfoInput, "version" | "modules" | "memoryMap">;

function stringsOffset(input: Lengths): number {
  const entries = input.version === 0 ? 0 : input.memoryMap.length;
  return memoryMapOffset(input) + entries * MEMMAP_ENTRY.SIZE;
}

function memoryMapOffset({ version, modules }: Lengths): number {
  return START_INFO.SIZE[version] + modules.length * MODLIST_ENTRY.SIZE;
}

/** The structure and what it points to. */
export function buildStartInfo(input: StartInfoInput): Uint8Array {
  const { base, version, modules, commandLine } = input;
  const view = new ByteView(new Uint8Array(startInfoSize(input)));
  const at = START_INFO.OFFSET;
  const behind = setModules(view, input);
  view.setU32(at.MAGIC, START_INFO.MAGIC);
  view.setU32(at.VERSION, version);
  view.setU32(at.NR_MODULES, modules.length);
  if (modules.length > 0) view.setU64(at.MODLIST_PADDR, base + START_INFO.SIZE[version]);
  view.setU64(at.CMDLINE_PADDR, typeof commandLine === "number" ? commandLine : base + behind);
  view.setU64(at.RSDP_PADDR, input.rsdp);
  if (version !== 0) setMemoryMap(view, input);
  if (typeof commandLine !== "number") view.setBytes(behind, commandLine);
  return view.bytes;
}

function setMemoryMap(view: ByteView, input: StartInfoInput): void {
  const mapAt = memoryMapOffset(input);
  view.setU64(START_INFO.OFFSET.MEMMAP_PADDR, input.base + mapAt);
  view.setU32(START_INFO.OFFSET.MEMMAP_ENTRIES, input.memoryMap.length);
  input.memoryMap.forEach(({ start, size, type }, index) => {
    const entry = mapAt + index * MEMMAP_ENTRY.SIZE;
    view.setU64(entry + MEMMAP_ENTRY.OFFSET.ADDR, start);
    view.setU64(entry + MEMMAP_ENTRY.OFFSET.SIZE, size);
    view.setU32(entry + MEMMAP_ENTRY.OFFSET.TYPE, E820_NUMBERS[type]);
  });
}

/** The module list and the strings it points to; returns the offset behind the last string. */
function setModules(view: ByteView, input: StartInfoInput): number {
  let string = stringsOffset(input);
  input.modules.forEach(({ address, size, commandLine }, index) => {
    const entry = START_INFO.SIZE[input.version] + index * MODLIST_ENTRY.SIZE;
    view.setU64(entry + MODLIST_ENTRY.OFFSET.PADDR, address);
    view.setU64(entry + MODLIST_ENTRY.OFFSET.SIZE, size);
    if (commandLine === undefined) return;
    view.setU64(entry + MODLIST_ENTRY.OFFSET.CMDLINE_PADDR, input.base + string);
    view.setBytes(string, commandLine);
    string += commandLine.length;
  });
  return string;
}
