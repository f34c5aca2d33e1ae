/**
 * An ELF file as Xen's toolstack reads it: what its notes, or its section `__xen_guest`, say, and which check of theirs fails. Facts
 * of xen/common/libelf/libelf-dominfo.c (c447b730, 4.23-dev), and run: 4.17.
 */
import { alignUp } from "../../bytes/align.js";
import { hex } from "../../bytes/hex.js";
import { EI, EM, NOTE } from "../../spec/elf.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../../spec/xen-notes.js";
import type { FailedCheck } from "../verdict.js";
import { loads, noteText, sectionNamed, type RawElf, type RawNote } from "./raw-elf.js";

/** The checks of libelf, in its order. */
export type XenCheck = "no-notes" | "loader-note" | "version-note" | "paddr-offset" | "bounds";

/** What the image says of itself. */
export interface XenImage {
  /** PHYS32_ENTRY. */
  readonly physical: { readonly note: RawNote; readonly address: bigint } | undefined;
  /** Whether there is a note PHYS32_ENTRY, whatever it is worth to this guest. */
  readonly physicalNote: boolean;
  /** Whether there is an entry point for paravirtual guests: the note's, or e_entry with the section. */
  readonly entryGiven: boolean;
  /** Whether the section says all this, not notes. */
  readonly section: boolean;
  /** PAE_MODE or PAE: a 32-bit guest's page tables. */
  readonly pae: boolean;
  /** The check that fails; undefined: none. */
  readonly fault: readonly [check: XenCheck, where: FailedCheck] | undefined;
  /** File offset of the first note of Xen's, or of the section. */
  readonly offset: number;
}

const GUEST_SECTION = "__xen_guest";
const MOST_TEXT = 1024;
const { VIRT_BASE, PADDR_OFFSET, XEN_VERSION, GUEST_OS, LOADER, PAE_MODE, ENTRY, PHYS32_ENTRY } = XEN_ELFNOTE;

interface Said {
  readonly text: (note: number) => string;
  readonly number: (note: number) => bigint | undefined;
  /** File offset of a note, or of all. */
  readonly at: (note?: number) => number;
  readonly source: "notes" | "section" | "other notes" | "nothing";
}

/** The older form's names for what notes say. */
const SECTION_NAMES: Readonly<Record<number, string>> = {
  [VIRT_BASE]: "VIRT_BASE",
  [PADDR_OFFSET]: "ELF_PADDR_OFFSET",
  [XEN_VERSION]: "XEN_VER",
  [GUEST_OS]: "GUEST_OS",
  [LOADER]: "LOADER",
  [PAE_MODE]: "PAE",
  [ENTRY]: "VIRT_ENTRY",
};

/** Offset of the older form, which is text: "LOADER=generic,PAE=yes". */
export function xenGuestSection(elf: RawElf): number | undefined {
  return sectionNamed(elf, GUEST_SECTION);
}

function byNotes(elf: RawElf, notes: readonly RawNote[]): Said {
  // A later note of a type replaces an earlier one.
  const find = (type: number): RawNote | undefined => notes.filter((note) => note.type === type).at(-1);
  return {
    text: (type) => {
      const note = find(type);
      return note === undefined ? "" : noteText(elf, note);
    },
    number: (type) => {
      const note = find(type);
      return note === undefined ? undefined : noteValue(elf, note);
    },
    at: (type) => (type === undefined ? undefined : find(type)?.offset) ?? notes[0].offset,
    source: "notes",
  };
}

function bySection({ view }: RawElf, offset: number): Said {
  const text = view.latin1(offset, Math.min(MOST_TEXT, view.length - offset)).replace(/\0.*$/s, "");
  const pairs = text.split(",").map((one) => one.split("=", 2) as [string, string?]);
  const find = (type: number): string | undefined =>
    pairs.find(([name]) => name === SECTION_NAMES[type])?.[1];
  return {
    text: (type) => find(type) ?? "",
    number: (type) => {
      const value = /^(0x[0-9a-f]+|\d+)/i.exec(find(type) ?? "")?.[1];
      return value === undefined ? undefined : BigInt(value);
    },
    at: () => offset,
    source: "section",
  };
}

function silent(elf: RawElf): Said {
  const offset = elf.notes.at(0)?.offset ?? elf.layout.ehdr.phoff;
  const source = elf.notes.length > 0 ? "other notes" : "nothing";
  return { text: () => "", number: () => undefined, at: () => offset, source };
}

/** A descriptor of 1, 2, 4 or 8 bytes as a number; 0 for any other. */
function noteValue({ view }: RawElf, { descOffset, descSize }: RawNote): bigint {
  if (descSize === 1) return BigInt(view.u8(descOffset));
  if (descSize === 2) return BigInt(view.u16(descOffset));
  if (descSize === 4) return BigInt(view.u32(descOffset));
  return descSize === 8 ? view.u64(descOffset) : 0n;
}

/** The note that its segment has not all of, as far as the file has it: GRUB's for 32-bit guests ends so. */
function cutNote({ view, brokenNote: offset }: RawElf): RawNote[] {
  if (offset === undefined) return [];
  const nameSize = view.u32(offset + NOTE.NAMESZ);
  const descOffset = alignUp(offset + NOTE.HEADER_SIZE + nameSize, NOTE_PADDING);
  if (descOffset >= view.length) return [];
  const descSize = Math.min(view.u32(offset + NOTE.DESCSZ), view.length - descOffset);
  const name = view.latin1(offset + NOTE.HEADER_SIZE, Math.min(nameSize, MOST_TEXT)).replace(/\0+$/, "");
  return [{ name, type: view.u32(offset + NOTE.TYPE), offset, descOffset, descSize, segment: undefined }];
}

const NOTE_PADDING = 4;

/** Reads it as for a guest of a type. */
export function xenImage(elf: RawElf, type: "pv" | "pvh"): XenImage {
  const notes = [...elf.notes, ...cutNote(elf)].filter(({ name }) => name === XEN_NOTE_OWNER);
  const section = notes.length > 0 || type === "pvh" ? undefined : xenGuestSection(elf);
  const said =
    notes.length > 0 ? byNotes(elf, notes) : section === undefined ? silent(elf) : bySection(elf, section);
  const physical = notes.filter((note) => note.type === PHYS32_ENTRY).at(-1);
  const address = physical === undefined ? 0n : BigInt.asUintN(32, noteValue(elf, physical));
  const entry = type === "pvh" && physical !== undefined ? { note: physical, address } : undefined;
  return {
    physical: entry,
    physicalNote: physical !== undefined,
    // Kernels with the section are paravirtual ones, whatever they say of their entry.
    entryGiven: said.source === "section" || said.number(ENTRY) !== undefined,
    section: said.source === "section",
    pae: /^yes|bimodal/.test(said.text(PAE_MODE)),
    fault: wordsFault(elf, said, entry !== undefined) ?? addressFault(elf, said, type, entry),
    offset: said.at(),
  };
}

/** What must be said, and how. */
function wordsFault(elf: RawElf, said: Said, hasPhysical: boolean): XenImage["fault"] {
  const x86 = elf.machine === EM.X86_64 || elf.machine === EM[386];
  if (said.source === "nothing") {
    const check = { offset: said.at(), found: 'no note of "Xen"', expected: "Xen's notes" };
    return x86 ? ["no-notes", check] : undefined;
  }
  if (hasPhysical) return undefined;
  const [loader, guest, version] = [said.text(LOADER), said.text(GUEST_OS), said.text(XEN_VERSION)];
  if (!loader.startsWith("generic") && !guest.startsWith("linux")) {
    if (said.source === "other notes")
      return ["no-notes", { offset: said.at(), found: 'no note of "Xen"', expected: "Xen's notes" }];
    const found = `LOADER "${loader}", GUEST_OS "${guest}"`;
    return ["loader-note", { offset: said.at(LOADER), found, expected: 'LOADER "generic"' }];
  }
  if (version.startsWith("xen-3.0")) return undefined;
  const found = `XEN_VERSION "${version}"`;
  return ["version-note", { offset: said.at(XEN_VERSION), found, expected: '"xen-3.0"' }];
}

/** Where it lies and where it is entered, by 64-bit numbers that wrap. */
function addressFault(
  elf: RawElf,
  said: Said,
  type: "pv" | "pvh",
  physical: XenImage["physical"],
): XenImage["fault"] {
  const wrapped = (value: bigint): bigint => BigInt.asUintN(64, value);
  const pv = type === "pv";
  const base = pv ? said.number(VIRT_BASE) : undefined;
  const given = pv ? said.number(PADDR_OFFSET) : undefined;
  if (given !== undefined && base === undefined) {
    const check = {
      offset: said.at(PADDR_OFFSET),
      found: "PADDR_OFFSET without VIRT_BASE",
      expected: "both",
    };
    return ["paddr-offset", check];
  }
  const offset = given ?? (said.source === "section" ? (base ?? 0n) : 0n);
  const all = loads(elf);
  const start = all.map(({ paddr }) => paddr).reduce((a, b) => (a < b ? a : b), 2n ** 64n - 1n);
  const end = all.map(({ paddr, memsz }) => paddr + memsz).reduce((a, b) => (a > b ? a : b), 0n);
  const [from, to] = [start, end].map((place) => wrapped(place + (base ?? 0n) - offset));
  const entry = physical?.address ?? (pv ? said.number(ENTRY) : undefined) ?? elf.entry;
  if (from <= to && entry >= from && entry <= to && (base ?? 0n) <= from) return undefined;
  const where = physical === undefined ? "the entry" : "the PVH entry";
  const check = {
    offset:
      physical?.note.descOffset ??
      (said.number(ENTRY) === undefined ? elf.layout.ehdr.entry : said.at(ENTRY)),
    found: `${where} ${hex(entry)}`,
    expected: `an address from ${hex(from)} to ${hex(to)}`,
  };
  return ["bounds", check];
}

/** Why libelf takes no look at it: nothing in it is where the header says. */
export function headerFault(elf: RawElf): FailedCheck | undefined {
  const { view, layout, data, complete, phoff, phnum } = elf;
  if (data !== 1) return { offset: EI.DATA, found: `EI_DATA ${data}`, expected: "1 (little-endian)" };
  const { ehdr } = layout;
  if (phoff + BigInt(elf.phentsize * phnum) > BigInt(view.length) || !complete)
    return {
      offset: ehdr.phoff,
      found: `${phnum} program headers at ${hex(phoff)}`,
      expected: "them within the file",
    };
  const shoff = layout.wordSize === 8 ? view.u64(ehdr.shoff) : BigInt(view.u32(ehdr.shoff));
  const count = view.u16(ehdr.shnum);
  if (shoff + BigInt(view.u16(ehdr.shentsize) * count) <= BigInt(view.length)) return undefined;
  return {
    offset: ehdr.shoff,
    found: `${count} section headers at ${hex(shoff)}`,
    expected: "them within the file",
  };
}
