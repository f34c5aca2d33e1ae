/**
 * An ELF file's header, program headers and notes as they stand, whatever is wrong with them: what loaders of other programs
 * go by. Reads little-endian, as those do. Knows no loader.
 */
import { alignUp } from "../../bytes/align.js";
import type { ByteView } from "../../bytes/byte-view.js";
import { EI, ELF32, ELF64, ELF_MAGIC, ELFCLASS, NOTE, PT, SHT, type ElfLayout } from "../../spec/elf.js";

/** One program header. Addresses are the file's own, of any size. */
export interface RawSegment {
  readonly index: number;
  /** File offset of the header. */
  readonly headerOffset: number;
  readonly type: number;
  readonly offset: bigint;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly filesz: bigint;
  readonly memsz: bigint;
  readonly align: bigint;
}

/** One note. */
export interface RawNote {
  readonly name: string;
  readonly type: number;
  /** File offsets of the note and of its descriptor. */
  readonly offset: number;
  readonly descOffset: number;
  readonly descSize: number;
  /** Number of the program header it is in; undefined: a section's. */
  readonly segment: number | undefined;
}

/** The file header's fields, and what hangs on it. */
export interface RawElf {
  readonly view: ByteView;
  /** By EI_CLASS; undefined: neither. */
  readonly bits: 32 | 64 | undefined;
  readonly layout: ElfLayout;
  /** EI_DATA. */
  readonly data: number;
  /** EI_VERSION. */
  readonly version: number;
  readonly type: number;
  readonly machine: number;
  readonly flags: number;
  readonly entry: bigint;
  readonly phoff: bigint;
  readonly phentsize: number;
  readonly phnum: number;
  /** Those that lie in the file; as many as there are until one does not. */
  readonly segments: readonly RawSegment[];
  /** Whether every program header lies in the file. */
  readonly complete: boolean;
  readonly notes: readonly RawNote[];
  /** File offset of a note in a PT_NOTE that is larger than what it lies in. */
  readonly brokenNote: number | undefined;
}

/** Loaders read at most so many; a hostile file has more. */
const MOST_SEGMENTS = 1024;
const MOST_NOTES = 4096;
const MOST_SECTIONS = 4096;

/** Whether a file begins as ELF files do, even one that ends in its header. */
export function hasElfMagic(view: ByteView): boolean {
  return view.holds(0, ELF_MAGIC.length) && ELF_MAGIC.every((byte, i) => view.u8(i) === byte);
}

/** The header where the file begins as an ELF file does; undefined where it does not, or ends within the header. */
export function rawElf(view: ByteView): RawElf | undefined {
  if (!view.holds(0, ELF32.ehdr.size) || !hasElfMagic(view)) return undefined;
  const elfClass = view.u8(EI.CLASS);
  const bits = elfClass === ELFCLASS.CLASS32 ? 32 : elfClass === ELFCLASS.CLASS64 ? 64 : undefined;
  const layout = bits === 32 ? ELF32 : ELF64;
  if (!view.holds(0, layout.ehdr.size)) return undefined;
  const at = layout.ehdr;
  const head = {
    view,
    bits,
    layout,
    data: view.u8(EI.DATA),
    version: view.u8(EI.VERSION),
    type: view.u16(at.type),
    machine: view.u16(at.machine),
    flags: view.u32(at.flags),
    entry: word(view, layout, at.entry),
    phoff: word(view, layout, at.phoff),
    phentsize: view.u16(at.phentsize),
    phnum: view.u16(at.phnum),
  } as const;
  const segments = readSegments(view, layout, head);
  const complete = segments.length === Math.min(head.phnum, MOST_SEGMENTS);
  return { ...head, segments, complete, ...readNotes(view, layout, segments) };
}

function word(view: ByteView, layout: ElfLayout, offset: number): bigint {
  return layout.wordSize === 8 ? view.u64(offset) : BigInt(view.u32(offset));
}

function readSegments(
  view: ByteView,
  layout: ElfLayout,
  head: Pick<RawElf, "phoff" | "phnum">,
): RawSegment[] {
  const { phdr } = layout;
  const segments: RawSegment[] = [];
  for (let index = 0; index < Math.min(head.phnum, MOST_SEGMENTS); index++) {
    const place = head.phoff + BigInt(index * phdr.size);
    if (place > BigInt(view.length) || !view.holds(Number(place), phdr.size)) break;
    const at = Number(place);
    segments.push({
      index,
      headerOffset: at,
      type: view.u32(at + phdr.type),
      offset: word(view, layout, at + phdr.offset),
      vaddr: word(view, layout, at + phdr.vaddr),
      paddr: word(view, layout, at + phdr.paddr),
      filesz: word(view, layout, at + phdr.filesz),
      memsz: word(view, layout, at + phdr.memsz),
      align: word(view, layout, at + phdr.align),
    });
  }
  return segments;
}

/** Notes of PT_NOTE segments in order, then those of sections that lie elsewhere. */
function readNotes(
  view: ByteView,
  layout: ElfLayout,
  segments: readonly RawSegment[],
): Pick<RawElf, "notes" | "brokenNote"> {
  const notes: RawNote[] = [];
  let brokenNote: number | undefined;
  const seen = new Set<number>();
  const collect = (place: NotePlace): void => {
    const found = notesIn(view, place);
    if (place.segment !== undefined) brokenNote ??= found.broken;
    for (const note of found.notes) {
      if (notes.length >= MOST_NOTES) return;
      if (seen.has(note.offset)) continue;
      seen.add(note.offset);
      notes.push(note);
    }
  };
  for (const { type, offset, filesz, align, index } of segments) {
    if (type === PT.NOTE) collect({ offset, size: filesz, wide: align === 8n, segment: index });
  }
  for (const place of noteSections(view, layout)) collect(place);
  return { notes, brokenNote };
}

/** Where notes lie. */
interface NotePlace {
  readonly offset: bigint;
  readonly size: bigint;
  /** Padded to 8 bytes instead of 4. */
  readonly wide: boolean;
  readonly segment: number | undefined;
}

function noteSections(view: ByteView, layout: ElfLayout): NotePlace[] {
  const { ehdr, shdr } = layout;
  const table = word(view, layout, ehdr.shoff);
  const count = Math.min(view.u16(ehdr.shnum), MOST_SECTIONS);
  const places: NotePlace[] = [];
  for (let i = 0; i < count; i++) {
    const place = table + BigInt(i * shdr.size);
    if (place === 0n || place > BigInt(view.length) || !view.holds(Number(place), shdr.size)) break;
    const at = Number(place);
    if (view.u32(at + shdr.type) !== SHT.NOTE) continue;
    const wide = word(view, layout, at + shdr.addralign) === 8n;
    const [offset, size] = [word(view, layout, at + shdr.offset), word(view, layout, at + shdr.bytes)];
    places.push({ offset, size, wide, segment: undefined });
  }
  return places;
}

/** File offset of the contents of the first section with this name; undefined where there is none. */
export function sectionNamed({ view, layout }: RawElf, name: string): number | undefined {
  const { ehdr, shdr } = layout;
  const table = word(view, layout, ehdr.shoff);
  const header = (index: number): number | undefined => {
    const place = table + BigInt(index * shdr.size);
    return place <= BigInt(view.length) && view.holds(Number(place), shdr.size) ? Number(place) : undefined;
  };
  const names = header(view.u16(ehdr.shstrndx));
  const count = Math.min(view.u16(ehdr.shnum), MOST_SECTIONS);
  if (table === 0n || names === undefined) return undefined;
  const strings = word(view, layout, names + shdr.offset);
  for (let i = 1; i < count; i++) {
    const at = header(i);
    if (at === undefined) return undefined;
    const place = strings + BigInt(view.u32(at + shdr.name));
    if (place > BigInt(view.length) || !view.matches(Number(place), `${name}\0`)) continue;
    const offset = word(view, layout, at + shdr.offset);
    return offset < BigInt(view.length) ? Number(offset) : undefined;
  }
  return undefined;
}

function notesIn(
  view: ByteView,
  { offset, size, wide, segment }: NotePlace,
): { notes: RawNote[]; broken: number | undefined } {
  if (offset + size > BigInt(view.length)) return { notes: [], broken: undefined };
  const [start, end, padding] = [Number(offset), Number(offset + size), wide ? 8 : 4];
  const notes: RawNote[] = [];
  for (let at = start; at + NOTE.HEADER_SIZE <= end && notes.length < MOST_NOTES;) {
    const [nameSize, descSize] = [view.u32(at + NOTE.NAMESZ), view.u32(at + NOTE.DESCSZ)];
    const descOffset = start + alignUp(at - start + NOTE.HEADER_SIZE + nameSize, padding);
    if (descOffset + descSize > end) return { notes, broken: at };
    const name = view.latin1(at + NOTE.HEADER_SIZE, Math.min(nameSize, NAME_SHOWN)).replace(/\0+$/, "");
    notes.push({ name, type: view.u32(at + NOTE.TYPE), offset: at, descOffset, descSize, segment });
    at = start + alignUp(descOffset - start + descSize, padding);
  }
  return { notes, broken: undefined };
}

/** Owners are short words. */
const NAME_SHOWN = 64;

/** Whether a segment's bytes lie in the file. */
export function inFile({ view }: RawElf, { offset, filesz }: RawSegment): boolean {
  return offset + filesz <= BigInt(view.length);
}

/** The PT_LOAD segments. */
export function loads({ segments }: RawElf): RawSegment[] {
  return segments.filter(({ type }) => type === PT.LOAD);
}

/** A note's descriptor as a number: its first 4 bytes, or 8 where it has them and `wide` is asked for. */
export function noteNumber({ view }: RawElf, { descOffset, descSize }: RawNote): number | undefined {
  return descSize >= 4 ? view.u32(descOffset) : undefined;
}

/** A note's descriptor as text up to its NUL. */
export function noteText({ view }: RawElf, { descOffset, descSize }: RawNote): string {
  return view.latin1(descOffset, Math.min(descSize, TEXT_SHOWN)).replace(/\0.*$/s, "");
}

const TEXT_SHOWN = 1024;
