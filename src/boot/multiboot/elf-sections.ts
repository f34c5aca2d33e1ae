/**
 * The section headers of an ELF kernel as both versions of Multiboot hand them over: sections that are not part of
 * the loaded image (symbols, strings, debugging information) are put into memory too, and their headers say where.
 *
 * Specification: Multiboot 0.6.96 §3.3 (syms), Multiboot2 2.0 §3.6.7; ELF gABI chapter 4, "Sections".
 */
import { alignUp } from "../../bytes/align.js";
import { ByteView } from "../../bytes/byte-view.js";
import type { ElfImage } from "../../formats/elf/elf.js";
import type { ElfSection } from "../../formats/elf/sections.js";
import { HIGH_MEMORY_START, RAM_HOLE } from "../../memory/layout.js";
import { ELF32, ELF64, SHF, SHN, SHT } from "../../spec/elf.js";
import { SIZE_4K } from "../../spec/x86-system.js";
import type { LoadContext } from "../loader.js";

/** The table as the kernel finds it. */
export interface SectionTable {
  readonly count: number;
  readonly entrySize: number;
  /** Index of the section that holds the names. */
  readonly names: number;
  readonly bytes: Uint8Array;
}

/** A section that is to be put into memory, and where in the run of them. */
interface Placed {
  section: ElfSection;
  at: number;
}

const LONGEST_ALIGNMENT = BigInt(SIZE_4K);

/** Sections with contents that no segment brings along. */
function unloaded(elf: ElfImage): ElfSection[] {
  return elf.sections.filter(
    ({ type, flags, address, size, offset }) =>
      type !== SHT.NULL &&
      type !== SHT.NOBITS &&
      (flags & SHF.ALLOC) === 0n &&
      address === 0n &&
      size > 0n &&
      offset + size <= BigInt(elf.bytes.length),
  );
}

/** Lays the sections out one behind the other, each as aligned as it asks, up to a page. */
function layOut(sections: readonly ElfSection[]): { placed: Placed[]; size: number } {
  let end = 0;
  const placed = sections.map((section) => {
    const { alignment } = section;
    const wanted = alignment > LONGEST_ALIGNMENT ? SIZE_4K : Number(alignment);
    const at = Number.isInteger(Math.log2(wanted)) ? alignUp(end, wanted) : end;
    end = at + Number(section.size);
    return { section, at };
  });
  return { placed, size: end };
}

/**
 * Puts the sections into memory; returns the table, or undefined when the kernel has none or there is no room, which
 * a warning tells.
 * @param offset what was added to the kernel's link addresses.
 */
export function placeSections(
  context: LoadContext,
  owner: string,
  elf: ElfImage,
  offset: number,
): SectionTable | undefined {
  const { header, sections } = elf;
  if (sections.length === 0) return undefined;
  const { placed, size } = layOut(unloaded(elf));
  const base = size === 0 ? 0 : placeContents(context, owner, elf, placed, size);
  if (base === undefined) {
    context.warn("no room for the kernel's symbols and other sections: it is told of no sections");
    return undefined;
  }
  const layout = header.elfClass === 64 ? ELF64 : ELF32;
  const entrySize = layout.shdr.size;
  const table = elf.bytes.slice(
    sections[0].headerOffset,
    sections[0].headerOffset + sections.length * entrySize,
  );
  const view = new ByteView(table);
  const setAddress = (index: number, address: bigint): void => {
    const field = index * entrySize + layout.shdr.addr;
    if (layout.wordSize === 8) view.setU64(field, BigInt.asUintN(64, address));
    else view.setU32(field, Number(BigInt.asUintN(32, address)));
  };
  for (const { section, at } of placed) setAddress(section.index, BigInt(base + at));
  for (const { index, flags, address } of sections) {
    if ((flags & SHF.ALLOC) !== 0n) setAddress(index, address + BigInt(offset));
  }
  const names = header.shstrndx === SHN.XINDEX ? sections[0].link : header.shstrndx;
  return { count: sections.length, entrySize, names, bytes: table };
}

function placeContents(
  context: LoadContext,
  owner: string,
  elf: ElfImage,
  placed: readonly Placed[],
  size: number,
): number | undefined {
  const roomy = context.memory
    .freeGaps(HIGH_MEMORY_START, RAM_HOLE.start)
    .some((gap) => gap.size >= size + SIZE_4K);
  if (!roomy) return undefined;
  const bytes = new Uint8Array(size);
  for (const { section, at } of placed) {
    const from = Number(section.offset);
    bytes.set(elf.bytes.subarray(from, from + Number(section.size)), at);
  }
  const request = { name: "kernel sections", owner, size, align: SIZE_4K, bytes };
  const limits = { prefer: "highest", above: HIGH_MEMORY_START, below: RAM_HOLE.start } as const;
  return context.memory.claimBySearch(request, limits).start;
}
