/**
 * A Linux kernel in RAM: its symbols, and its variables by their addresses. How far its addresses lie from physical ones is found
 * by a text that each kernel has, or by page tables.
 */
import { SIZE_2M } from "../../spec/x86-system.js";
import { readLinear, translate, type AddressSpace } from "../page-tables.js";
import { readText, type Ram } from "../ram.js";
import { findKallsyms, type Kallsyms } from "./kallsyms.js";
import { SymbolTable } from "./symbol-table.js";

/** A kernel that was found. */
export interface LinuxKernel {
  symbols: SymbolTable;
  wordSize: 4 | 8;
  /** Guest-physical addresses of its image, and linear ones minus this. */
  delta: bigint | undefined;
  /** "Linux version …", as it says of itself. */
  banner: string | undefined;
  /** Copies its memory out; undefined where it is not mapped. */
  read: (linear: bigint, length: number) => Uint8Array | undefined;
}

const BANNER = "Linux version ";
const LONGEST_BANNER = 512;
const PAGE = 0x1000;
/** Where kernels run, and how far apart they may stand. */
const RUNS = {
  8: { from: 0xffff_ffff_8000_0000n, to: 0xffff_ffff_c000_0000n, step: BigInt(SIZE_2M) },
  4: { from: 0x4000_0000n, to: 0xff00_0000n, step: 0x10_0000n },
} as const;

/** Finds the kernel. `spaces`: those that CPUs are in. */
export function findLinuxKernel(ram: Ram, spaces: readonly AddressSpace[]): LinuxKernel | undefined {
  const found = findKallsyms(ram);
  if (found === undefined) return undefined;
  const delta = deltaOf(ram, found, spaces);
  const symbols = symbolsOf(found, delta);
  if (symbols === undefined) return undefined;
  const known = kernelSpaces(symbols, delta, found.wordSize, spaces);
  const image = imageReader(ram, found, delta);
  const read = (linear: bigint, length: number): Uint8Array | undefined => {
    for (const space of known) {
      const bytes = readLinear(ram, space, linear, length);
      if (bytes !== undefined) return bytes;
    }
    return image(linear, length);
  };
  return { symbols, wordSize: found.wordSize, delta, banner: bannerOf(symbols, read), read };
}

/** By the image alone, for a kernel that has no page tables of its own yet. */
function imageReader(
  ram: Ram,
  { at, wordSize }: Kallsyms,
  delta: bigint | undefined,
): (linear: bigint, length: number) => Uint8Array | undefined {
  return (linear, length) => {
    if (delta === undefined) return undefined;
    const physical = BigInt.asIntN(64, linear - delta);
    const near = physical - BigInt(at);
    // What lies farther from the tables than this is no part of the image.
    const reach = RUNS[wordSize].step * 128n;
    if (physical < 0n || near > reach || near < -reach) return undefined;
    return ram.view(Number(physical), length)?.slice();
  };
}

function symbolsOf(found: Kallsyms, delta: bigint | undefined): SymbolTable | undefined {
  if (found.addresses !== undefined) {
    const { addresses } = found;
    return new SymbolTable(
      "kallsyms",
      found.names.map((name, i) => ({ name, address: addresses[i] })),
    );
  }
  if (delta === undefined) return undefined;
  const bits = found.wordSize * 8;
  return new SymbolTable(
    "kallsyms",
    found.names.map((name, i) => ({
      name,
      address: BigInt.asUintN(bits, BigInt(found.physical[i]) + delta),
    })),
  );
}

/** The tables of the kernel itself first: a CPU may be in a process without them. */
function kernelSpaces(
  symbols: SymbolTable,
  delta: bigint | undefined,
  wordSize: 4 | 8,
  spaces: readonly AddressSpace[],
): AddressSpace[] {
  const paging =
    wordSize === 8 ? "4-level" : (spaces.find((one) => one.paging !== "none")?.paging ?? "32-bit");
  const name = wordSize === 8 ? "init_top_pgt" : "swapper_pg_dir";
  const table = symbols.find(name);
  const own: AddressSpace[] =
    table === undefined || delta === undefined
      ? []
      : [{ paging, root: Number(BigInt.asUintN(48, table - delta)) }];
  return [...own, ...spaces.filter(({ paging: kind }) => kind !== "none")];
}

/** How far linear addresses of the image lie from physical ones. */
function deltaOf(ram: Ram, found: Kallsyms, spaces: readonly AddressSpace[]): bigint | undefined {
  if (found.addresses !== undefined) {
    const { names, addresses } = found;
    const index = names.indexOf("linux_banner");
    return index < 0
      ? addressByTables(ram, spaces, addresses[names.indexOf("_stext")])
      : byBanner(ram, addresses[index]);
  }
  const index = found.names.indexOf("linux_banner");
  const start = found.names.indexOf("_text");
  if (start < 0 || (index >= 0 && !hasBanner(ram, found.physical[index]))) return undefined;
  return byTables(ram, found, found.physical[start], spaces);
}

function hasBanner(ram: Ram, address: number): boolean {
  return readText(ram, address, BANNER.length) === BANNER;
}

/** The banner stands at the same place of a page. */
function byBanner(ram: Ram, linear: bigint): bigint | undefined {
  const offset = Number(linear % BigInt(PAGE));
  for (const { start, size } of ram.ranges)
    for (let at = start + offset; at < start + size; at += PAGE) {
      if (hasBanner(ram, at) && / \(.*\) /.test(readText(ram, at, LONGEST_BANNER) ?? ""))
        return linear - BigInt(at);
    }
  return undefined;
}

/** A kernel whose banner has no name: its first function is where tables say. */
function addressByTables(
  ram: Ram,
  spaces: readonly AddressSpace[],
  linear: bigint | undefined,
): bigint | undefined {
  if (linear === undefined) return undefined;
  for (const space of spaces) {
    const physical = space.paging === "none" ? undefined : translate(ram, space, linear);
    if (physical !== undefined) return linear - BigInt(physical);
  }
  return undefined;
}

/** Where tables map the image that is known by its physical address alone. */
function byTables(
  ram: Ram,
  { wordSize }: Kallsyms,
  physical: number,
  spaces: readonly AddressSpace[],
): bigint | undefined {
  const { from, to, step } = RUNS[wordSize];
  const offset = BigInt(physical) % step;
  for (const space of spaces) {
    if (space.paging === "none") continue;
    for (let linear = from + offset; linear < to; linear += step)
      if (translate(ram, space, linear) === physical) return linear - BigInt(physical);
  }
  return undefined;
}

function bannerOf(
  symbols: SymbolTable,
  read: (linear: bigint, length: number) => Uint8Array | undefined,
): string | undefined {
  const at = symbols.find("linux_banner");
  const bytes = at === undefined ? undefined : read(at, LONGEST_BANNER);
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf(0);
  const text = String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end)).trimEnd();
  return text.startsWith(BANNER) ? text : undefined;
}
