/**
 * What every protocol hands to a kernel in low memory: command line, initrd, descriptors, page tables. Each
 * function claims a region and returns its address. Knows no protocol.
 */
import { hex } from "../bytes/hex.js";
import {
  COMMAND_LINE_AREA,
  GDT_AREA,
  HIGH_MEMORY_START,
  IDENTITY_MAP_SIZE,
  PAGE_TABLES_START,
  RAM_HOLE,
} from "../memory/layout.js";
import type { SearchLimits } from "../memory/regions.js";
import { SIZE_2M, SIZE_4K } from "../spec/x86-system.js";
import { bootGdt } from "../x86/gdt.js";
import { identityPageTables } from "../x86/page-tables.js";
import { BootError, OptionError } from "./boot-error.js";
import type { LoadContext } from "./loader.js";
import type { BootModule, NamedBytes } from "./options.js";

/** Text as the guest reads it: UTF-8 and a NUL. */
export function zeroTerminated(text: string): Uint8Array {
  const encoded = new TextEncoder().encode(text);
  const bytes = new Uint8Array(encoded.length + 1);
  bytes.set(encoded);
  return bytes;
}

/**
 * Places the command line in its area.
 * @param longest bytes without the NUL that the kernel takes, and `limitedBy`: where that is said.
 * @returns guest-physical address.
 */
export function placeCommandLine(
  context: LoadContext,
  owner: string,
  longest: number,
  limitedBy: string,
): number {
  const bytes = zeroTerminated(context.commandLine);
  checkCommandLine(
    context.commandLine,
    bytes.length - 1,
    Math.min(longest, COMMAND_LINE_AREA.size - 1),
    limitedBy,
  );
  const request = { name: "command line", owner, size: bytes.length, bytes };
  return context.memory.claimAt(COMMAND_LINE_AREA.start, request).start;
}

/** Refuses a command line that the kernel would cut off. `length` in bytes without the NUL. */
export function checkCommandLine(text: string, length: number, longest: number, limitedBy: string): void {
  checkText("append", text);
  if (length <= longest) return;
  throw new OptionError(
    "append",
    `a command line of ${length} bytes`,
    `at most ${longest} (${limitedBy})`,
    "The kernel would cut it off: shorten it.",
  );
}

/** Refuses text with a NUL inside, given by this option. */
function checkText(option: string, text: string): void {
  if (!text.includes("\0")) return;
  throw new OptionError(
    option,
    "a NUL character",
    "text without one",
    "The kernel would stop reading there.",
  );
}

/** An initrd in memory: guest-physical address and size, bytes. */
export interface PlacedInitrd {
  address: number;
  size: number;
}

/**
 * Places the initrd, if there is one, as high as the kernel allows: it is out of the way of whatever the kernel
 * unpacks, and the memory comes back when it is freed.
 * @param addressMax highest address that the initrd's last byte may have.
 */
export function placeInitrd(
  context: LoadContext,
  owner: string,
  addressMax: number,
): PlacedInitrd | undefined {
  const { initrd, memory } = context;
  if (initrd === undefined) return undefined;
  const size = initrd.bytes.length;
  checkNotEmpty("initrd", initrd, "an initial RAM disk");
  const region = memory.claimBySearch(
    { name: "initrd", owner, size, align: SIZE_4K, bytes: initrd.bytes },
    { prefer: "highest", above: HIGH_MEMORY_START, below: Math.min(addressMax + 1, RAM_HOLE.start) },
  );
  return { address: region.start, size };
}

/** A boot module in memory: guest-physical address and size in bytes, and its command line. */
export interface PlacedModule extends PlacedInitrd {
  name: string;
  /** Without the file's name; empty for the initrd. */
  commandLine: string;
}

/** Where modules may go, and which end is filled first. */
export type ModulePlaces = SearchLimits;

/**
 * Places the initrd, if there is one, and every boot module on pages of their own, for protocols that know modules
 * only. The initrd comes first.
 */
export function placeModules(context: LoadContext, owner: string, places: ModulePlaces): PlacedModule[] {
  const { initrd, memory, modules } = context;
  const place = (what: string, file: BootModule): PlacedModule => {
    checkNotEmpty(what, file, "a file with something in it");
    const size = file.bytes.length;
    const request = { name: what, owner, size, align: SIZE_4K, bytes: file.bytes };
    const { start } = memory.claimBySearch(request, places);
    checkText("module", file.commandLine ?? "");
    return { address: start, size, name: file.name, commandLine: file.commandLine ?? "" };
  };
  return [
    ...(initrd === undefined ? [] : [place("initrd", initrd)]),
    ...modules.map((file, index) => place(`module ${index}`, file)),
  ];
}

/** A kernel cannot tell an empty file from one that is missing. */
function checkNotEmpty(what: string, file: NamedBytes, expected: string): void {
  if (file.bytes.length > 0) return;
  throw new BootError(`load the ${what} "${file.name}"`, {
    place: { kind: "file", offset: 0 },
    found: "an empty file",
    expected,
    meaning: `Give no ${what} rather than an empty one.`,
  });
}

/** Places the descriptor table of `bootGdt`; returns its address. */
export function placeGdt(context: LoadContext, owner: string, width: 32 | 64): number {
  const { bytes } = bootGdt(width);
  return context.memory.claimAt(GDT_AREA.start, { name: "gdt", owner, size: bytes.length, bytes }).start;
}

/** Places identity page tables for everything below 4 GiB, in 2 MiB pages; returns CR3. */
export function placePageTables(context: LoadContext, owner: string): bigint {
  const { bytes, cr3 } = identityPageTables(PAGE_TABLES_START, IDENTITY_MAP_SIZE, SIZE_2M);
  const request = { name: "page tables", owner, size: bytes.length, align: SIZE_4K, bytes };
  context.memory.claimAt(PAGE_TABLES_START, request);
  return cr3;
}

/** `64-bit entry at 0x1000200` */
export function entryText(kind: string, address: number): string {
  return `${kind} at ${hex(address)}`;
}
