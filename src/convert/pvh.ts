/**
 * A PVH note for an ELF kernel that has such an entry and no note that every loader finds: in a section only, hidden by a later PT_NOTE, or
 * stripped. The file grows by a program header table and a note; nothing in it moves. Source: Xen docs/misc/pvh.pandoc, elfnote.h.
 */
import { alignUp } from "../bytes/align.js";
import { ByteView } from "../bytes/byte-view.js";
import { hex } from "../bytes/hex.js";
import { readElf, type ElfImage } from "../formats/elf/elf.js";
import type { LoadSegment } from "../formats/elf/segments.js";
import { FormatError } from "../formats/format-error.js";
import type { KnownImage } from "../formats/index.js";
import { findMultiboot1 } from "../formats/multiboot1/multiboot1.js";
import { ELF32, ELF64, NOTE, PF, PN_XNUM, PT } from "../spec/elf.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../spec/xen-notes.js";
import { ConvertError } from "./convert-error.js";
import { physicalPlace, rangeText, refused, sizesOf, x86Segments, type X86Kernel } from "./x86.js";

/** Entries for PVH by the names that kernels give them: Linux' and FreeBSD's, NetBSD's. */
const ENTRY_SYMBOLS = ["pvh_start_xen", "xen_start32", "start_xen32"];
/** Symbols that are looked through: no kernel has more. */
const MOST_SYMBOLS = 1 << 22;
const ADVICE = "Take the ELF kernel out of a bzImage first: --to vmlinux.";
const NOT_FITTING =
  "Other entries do not fit: e_entry is 64-bit code, or wants the registers of another protocol. Build it with a PVH entry (Linux: " +
  "CONFIG_PVH=y), or name code that is entered in 32-bit mode with start_info in EBX: --entry ADDRESS or SYMBOL.";

/** An entry, and how it was found. */
interface Entry {
  readonly address: bigint;
  readonly by: string;
  /** File offset of what names it. */
  readonly offset: number;
}

/**
 * Adds the note.
 * @param asked an address, or a symbol's name, of 32-bit code; absent: what the file's notes and symbols tell.
 * Throws FormatError: no ELF kernel for x86, no entry that fits, a note that is there already; ConvertError for an entry that was asked for
 * and lies elsewhere.
 */
export function addPvhNote(image: KnownImage, asked: string | undefined): X86Kernel {
  const { elf, loads } = x86Segments(image, ADVICE);
  const entry = asked === undefined ? knownEntry(elf) : askedEntry(elf, asked);
  const physical = checkedPlace(elf, loads, entry, asked !== undefined);
  if (asked === undefined && foundByAll(elf, physical)) {
    const found = `a PVH note for ${hex(physical)} in the last PT_NOTE`;
    throw refused(elf, entry.offset, found, "none that every loader finds", "Use the file as it is.");
  }
  return {
    target: "pvh",
    bytes: checked(elf, withNote(elf, physical), physical),
    input: elf.summary,
    ...sizesOf(loads),
    found: entry.by,
    entry: BigInt(physical),
    notes: [
      "The program headers stand at the end of the file now, the note behind them. Nothing that is loaded has changed or moved.",
      ...(asked === undefined
        ? []
        : ["What is at the entry is not looked at: it has to be 32-bit code that takes start_info in EBX."]),
      ...(findMultiboot1(elf.bytes) === undefined
        ? []
        : [
            "QEMU does not look at the note, because of the Multiboot header; Firecracker, Cloud Hypervisor and Xen do.",
          ]),
    ],
  };
}

function knownEntry(elf: ElfImage): Entry {
  const { pvh } = elf;
  if (pvh !== undefined) {
    const by = `the note of a ${pvh.note.source === "SHT_NOTE" ? "section" : "PT_NOTE"} at offset ${hex(pvh.note.offset)}`;
    return { address: BigInt(pvh.address), by, offset: pvh.note.descOffset };
  }
  for (const name of ENTRY_SYMBOLS) {
    const value = symbolValue(elf, name);
    if (value !== undefined) return { address: value, by: `the symbol ${name}`, offset: 0 };
  }
  const found = "no PVH note, and no symbol of such an entry";
  throw refused(elf, ELF64.ehdr.entry, found, "an entry made for PVH", NOT_FITTING);
}

function askedEntry(elf: ElfImage, asked: string): Entry {
  if (/^0x[0-9a-f]+$/i.test(asked))
    return { address: BigInt(asked), by: "the entry that was given", offset: 0 };
  const value = symbolValue(elf, asked);
  if (value !== undefined) return { address: value, by: `the symbol ${asked}`, offset: 0 };
  throw new ConvertError(
    `--entry ${asked}`,
    "an address (0x…), or the name of a symbol of the kernel",
    "The file has no such symbol; a stripped one has none at all.",
  );
}

function symbolValue(elf: ElfImage, name: string): bigint | undefined {
  let seen = 0;
  for (const symbol of elf.symbols()) {
    if (symbol.name === name && symbol.section !== 0) return symbol.value;
    if (++seen === MOST_SYMBOLS) return undefined;
  }
  return undefined;
}

/** The entry as a physical address of code in the file. */
function checkedPlace(
  elf: ElfImage,
  loads: readonly LoadSegment[],
  { address, by, offset }: Entry,
  asked: boolean,
): number {
  const place = physicalPlace(loads, address);
  const inFile = place !== undefined && place.physical - place.segment.paddr < place.segment.bytes.length;
  const runs = inFile && (place.segment.flags & PF.X) !== 0 && place.physical < 2 ** 32;
  if (runs) return place.physical;
  const found = `${hex(address)}, ${by}${inFile ? ", in a segment that is not executable" : ""}`;
  const expected = `an address of code below 4 GiB (physical ${rangeText(loads)})`;
  const meaning = "A loader would start the CPU where no code is.";
  if (asked) throw new ConvertError(found, expected, meaning);
  throw refused(elf, offset, found, expected, meaning);
}

/** Whether loaders agree: those that take the first note, those that take the last, those that look in the last PT_NOTE only. */
function foundByAll({ notes, segments }: ElfImage, entry: number): boolean {
  const last = segments.filter(({ type }) => type === PT.NOTE).at(-1);
  const all = notes.filter(isEntryNote);
  const inLast = all.filter(
    ({ offset }) => last !== undefined && offset >= last.offset && offset < last.offset + last.filesz,
  );
  return inLast.length > 0 && all.every(({ desc }) => new ByteView(desc).u32(0) === entry);
}

/** Holds what was made to our reader: in a damaged file notes lie over each other, and a changed one spoils the next. */
function checked(elf: ElfImage, bytes: Uint8Array, entry: number): Uint8Array {
  const read = ((): number | undefined => {
    try {
      return readElf(bytes).pvh?.address;
    } catch (error) {
      if (error instanceof FormatError) return undefined;
      throw error;
    }
  })();
  if (read === entry) return bytes;
  const at = elf.notes.find(isEntryNote)?.offset ?? 0;
  const meaning = "The file is damaged: fetch or build it again.";
  throw refused(elf, at, "notes that lie over each other", "notes one behind the other", meaning);
}

function isEntryNote({ name, type, desc }: ElfImage["notes"][number]): boolean {
  return name === XEN_NOTE_OWNER && type === XEN_ELFNOTE.PHYS32_ENTRY && desc.length >= 4;
}

/** Owner with its NUL. */
const OWNER_SIZE = XEN_NOTE_OWNER.length + 1;
const NOTE_ALIGNMENT = 4;

/** The file with one program header more, and the note that it names. */
function withNote(elf: ElfImage, entry: number): Uint8Array {
  const { header, bytes, segments } = elf;
  const wide = header.elfClass === 64;
  const layout = wide ? ELF64 : ELF32;
  const { ehdr, phdr } = layout;
  const count = segments.length + 1;
  if (count >= PN_XNUM)
    throw refused(
      elf,
      ehdr.phnum,
      `${segments.length} program headers`,
      "room for one more",
      "Link it into fewer segments.",
    );
  const table = alignUp(bytes.length, layout.wordSize);
  const noteAt = table + count * phdr.size;
  const noteSize = NOTE.HEADER_SIZE + OWNER_SIZE + layout.wordSize;
  const view = new ByteView(new Uint8Array(noteAt + noteSize));
  view.setBytes(0, bytes);
  const word = (at: number, value: number): void => (wide ? view.setU64(at, value) : view.setU32(at, value));
  // A loader that takes the first note of all must find the same entry.
  for (const note of elf.notes.filter(isEntryNote)) view.setU32(note.descOffset, entry);
  segments.forEach(({ headerOffset, type }, i) => {
    const row = table + i * phdr.size;
    view.setBytes(row, bytes.subarray(headerOffset, headerOffset + phdr.size));
    // The table is not where this one says any more.
    if (type === PT.PHDR) view.setU32(row + phdr.type, PT.NULL);
  });
  const row = table + segments.length * phdr.size;
  view.setU32(row + phdr.type, PT.NOTE);
  view.setU32(row + phdr.flags, PF.R);
  word(row + phdr.offset, noteAt);
  word(row + phdr.filesz, noteSize);
  word(row + phdr.memsz, noteSize);
  word(row + phdr.align, NOTE_ALIGNMENT);
  view.setU32(noteAt + NOTE.NAMESZ, OWNER_SIZE);
  view.setU32(noteAt + NOTE.DESCSZ, layout.wordSize);
  view.setU32(noteAt + NOTE.TYPE, XEN_ELFNOTE.PHYS32_ENTRY);
  view.setLatin1(noteAt + NOTE.HEADER_SIZE, XEN_NOTE_OWNER);
  word(noteAt + NOTE.HEADER_SIZE + OWNER_SIZE, entry);
  word(ehdr.phoff, table);
  view.setU16(ehdr.phnum, count);
  return view.bytes;
}
