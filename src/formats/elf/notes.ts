/**
 * Notes of an ELF file, from PT_NOTE segments and SHT_NOTE sections, and the PVH entry point among Xen's.
 * Source: gABI chapter 5, "Note Section"; Xen's elfnote.h for PHYS32_ENTRY (numbers in spec/xen-notes.ts).
 */
import { alignUp } from "../../bytes/align.js";
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { NOTE, PT, SHT } from "../../spec/elf.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../../spec/xen-notes.js";
import { FormatError } from "../format-error.js";
import { ELF } from "./header.js";
import type { ElfFile } from "./header.js";
import { sectionView } from "./sections.js";
import type { ElfSection } from "./sections.js";
import type { ElfSegment } from "./segments.js";

/** One note. */
export interface ElfNote {
  /** Owner, without its NUL. */
  readonly name: string;
  readonly type: number;
  readonly desc: Uint8Array;
  /** File offset of the note, and of its descriptor. */
  readonly offset: number;
  readonly descOffset: number;
  /** Where it was found. Old FreeBSD kernels have notes in sections only. */
  readonly source: "PT_NOTE" | "SHT_NOTE";
}

/** The PVH entry point, from a PHYS32_ENTRY note. */
export interface PvhEntry {
  /** Guest-physical address, below 4 GiB. */
  readonly address: number;
  readonly note: ElfNote;
}

/** More than any kernel has (Linux has about 20); a hostile file could name the same bytes very often. */
const MAX_NOTES = 4096;
/** The same notes read again count here, unless the same range was: segments and sections overlap in part. */
const MAX_READ = 4 * MAX_NOTES;
/** Owners are short words. */
const MAX_OWNER = 256;
/** Notes are padded to 4 bytes, or to 8 where the segment or section says so. */
const WIDE_ALIGNMENT = 8n;

/** Collects notes from segments first, then from sections; the same note is listed once. Throws FormatError. */
export function readNotes(
  file: ElfFile,
  segments: readonly ElfSegment[],
  sections: readonly ElfSection[],
): ElfNote[] {
  const list: NoteList = { notes: new Map(), ranges: new Set(), read: 0 };
  for (const segment of segments) {
    if (segment.type !== PT.NOTE) continue;
    addNotes(list, new ByteView(segment.bytes, segment.offset), segment.align, "PT_NOTE");
  }
  for (const section of sections) {
    if (section.type !== SHT.NOTE) continue;
    addNotes(list, sectionView(file, section), section.alignment, "SHT_NOTE");
  }
  return [...list.notes.values()];
}

/** Notes by their file offsets, what was looked through for them, and how many were looked at. */
interface NoteList {
  readonly notes: Map<number, ElfNote>;
  /** Start, size and padding. */
  readonly ranges: Set<string>;
  read: number;
}

function addNotes(list: NoteList, view: ByteView, alignment: bigint, source: ElfNote["source"]): void {
  const { notes } = list;
  const padding = alignment === WIDE_ALIGNMENT ? 8 : 4;
  const range = `${view.base} ${view.length} ${padding}`;
  if (list.ranges.has(range)) return;
  list.ranges.add(range);
  let at = 0;
  // What is left over and too small for a note is padding.
  while (at + NOTE.HEADER_SIZE <= view.length) {
    const namesz = view.u32(at + NOTE.NAMESZ);
    const descsz = view.u32(at + NOTE.DESCSZ);
    const descAt = alignUp(at + NOTE.HEADER_SIZE + namesz, padding);
    if (namesz > MAX_OWNER || descAt + descsz > view.length) throw badNote(view, at, namesz, descsz);
    const offset = view.base + at;
    if (notes.size >= MAX_NOTES && !notes.has(offset)) throw tooMany(offset, `${MAX_NOTES} notes`);
    if (++list.read > MAX_READ)
      throw tooMany(offset, `${MAX_READ} notes, those that are named again counted`);
    if (notes.has(offset)) {
      // Sections repeat what segments held: the rest of this range has been read.
      at = alignUp(descAt + descsz, padding);
      continue;
    }
    notes.set(offset, {
      name: view.latin1(at + NOTE.HEADER_SIZE, namesz).replace(/\0+$/, ""),
      type: view.u32(at + NOTE.TYPE),
      desc: view.slice(descAt, descsz),
      offset,
      descOffset: view.base + descAt,
      source,
    });
    at = alignUp(descAt + descsz, padding);
  }
}

function badNote(view: ByteView, at: number, namesz: number, descsz: number): FormatError {
  return new FormatError(ELF, {
    offset: view.base + at,
    found: `a note with namesz ${hex(namesz)} and descsz ${hex(descsz)}`,
    expected: `an owner of at most ${MAX_OWNER} bytes, and the note to end by ${hex(view.base + view.length)}`,
    meaning: "The notes are damaged: fetch or build the file again.",
  });
}

function tooMany(offset: number, most: string): FormatError {
  return new FormatError(ELF, {
    offset,
    found: `more than ${most}`,
    expected: "a few dozen at most",
    meaning: "No kernel has that many: the file is damaged or made to waste time.",
  });
}

/** The PVH entry point; undefined when there is no PHYS32_ENTRY note. Throws FormatError for a malformed one. */
export function findPvhEntry(notes: readonly ElfNote[]): PvhEntry | undefined {
  const note = notes.find((one) => one.name === XEN_NOTE_OWNER && one.type === XEN_ELFNOTE.PHYS32_ENTRY);
  if (!note) return undefined;
  // The BSDs write 4 bytes, Linux 8 of which the entry is 32-bit code: the low half counts.
  if (note.desc.length !== 4 && note.desc.length !== 8) {
    throw new FormatError(ELF, {
      offset: note.descOffset,
      found: `a PHYS32_ENTRY note with a descriptor of ${note.desc.length} bytes`,
      expected: "4 or 8",
      meaning: "The PVH entry note is damaged: fetch or build the kernel again.",
    });
  }
  return { address: new ByteView(note.desc, note.descOffset).u32(0), note };
}
