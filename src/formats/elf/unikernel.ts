/**
 * Unikernels whose files say what they are: Solo5's by their notes, Hermit's too, Unikraft's by a section. They look like programs
 * (an interpreter, storage for threads) or like another system's kernels, and are neither. Describes; decides nothing.
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import { PT } from "../../spec/elf.js";
import {
  GNU_ABI_TAG,
  HERMIT_NOTE,
  SOLO5_ABI,
  SOLO5_MANIFEST,
  SOLO5_NOTE,
  SOLO5_TARGETS,
  UNIKRAFT_ENTRY_CODE,
  UNIKRAFT_SECTION,
} from "../../spec/unikernels.js";
import { XEN_NOTE_OWNER } from "../../spec/xen-notes.js";
import type { Fact } from "../image.js";
import type { ElfImage } from "./elf.js";
import type { ElfNote } from "./notes.js";

/** What a Solo5 file is built for. */
export type Solo5Target = (typeof SOLO5_TARGETS)[keyof typeof SOLO5_TARGETS];

/** A unikernel for one of Solo5's tenders or machines. */
export interface Solo5Unikernel {
  readonly system: "Solo5";
  /** Undefined: a number that is not known here. */
  readonly target: Solo5Target | undefined;
  readonly targetNumber: number;
  readonly version: number;
  /** File offset of the ABI note's descriptor. */
  readonly offset: number;
}

/** An application with Hermit in it, which Hermit's loader or uhyve starts. */
export interface HermitUnikernel {
  readonly system: "Hermit";
  /** Of the interface at its entry. */
  readonly entryVersion: number;
  /** File offset of that number. */
  readonly offset: number;
}

/** An image of Unikraft. */
export interface UnikraftUnikernel {
  readonly system: "Unikraft";
  /** What its entry is made for; undefined where its code does not tell. */
  readonly entry: "linux" | "multiboot" | "xen" | undefined;
  /** File offset of what tells it. */
  readonly offset: number;
}

export type Unikernel = Solo5Unikernel | HermitUnikernel | UnikraftUnikernel;

type Marked = Pick<ElfImage, "bytes" | "header" | "notes" | "sections" | "segments">;

/** Sections among which the mark is looked for: images have some twenty. */
const SECTIONS_SEEN = 1024;

/** The unikernel that a file is; undefined for any other. */
export function unikernelOf(image: Marked): Unikernel | undefined {
  return solo5(image.notes) ?? hermit(image.notes) ?? unikraft(image);
}

function noteOf(notes: readonly ElfNote[], owner: string, type: number, size: number): ElfNote | undefined {
  return notes.find((one) => one.name === owner && one.type === type && one.desc.length >= size);
}

function solo5(notes: readonly ElfNote[]): Solo5Unikernel | undefined {
  const note = noteOf(notes, SOLO5_NOTE.OWNER, SOLO5_NOTE.ABI, SOLO5_ABI.SIZE);
  if (note === undefined) return undefined;
  const view = new ByteView(note.desc);
  const targetNumber = view.u32(SOLO5_ABI.TARGET);
  const target = (SOLO5_TARGETS as Readonly<Record<number, Solo5Target>>)[targetNumber] as
    Solo5Target | undefined;
  return {
    system: "Solo5",
    target,
    targetNumber,
    version: view.u32(SOLO5_ABI.VERSION),
    offset: note.descOffset,
  };
}

function hermit(notes: readonly ElfNote[]): HermitUnikernel | undefined {
  const note = noteOf(notes, HERMIT_NOTE.OWNER, HERMIT_NOTE.ENTRY_VERSION, 1);
  return note && { system: "Hermit", entryVersion: note.desc[0], offset: note.descOffset };
}

function unikraft(image: Marked): UnikraftUnikernel | undefined {
  const { notes, sections } = image;
  const section = sections.slice(0, SECTIONS_SEEN).find(({ name }) => name === UNIKRAFT_SECTION);
  if (section === undefined) return undefined;
  const xen = notes.find(({ name }) => name === XEN_NOTE_OWNER);
  if (xen !== undefined) return { system: "Unikraft", entry: "xen", offset: xen.offset };
  const at = entryOffset(image);
  const code = at === undefined ? undefined : new ByteView(image.bytes.subarray(at, at + ENTRY_BYTES));
  const begins = ({ opcode, valueAt, value }: EntryCode): boolean =>
    code !== undefined &&
    code.holds(valueAt, 4) &&
    opcode.every((byte, i) => code.u8(i) === byte) &&
    code.u32(valueAt) === value;
  const { LINUX, MULTIBOOT } = UNIKRAFT_ENTRY_CODE;
  const entry = begins(LINUX) ? "linux" : begins(MULTIBOOT) ? "multiboot" : undefined;
  return {
    system: "Unikraft",
    entry,
    offset: entry === undefined || at === undefined ? section.headerOffset : at,
  };
}

interface EntryCode {
  readonly opcode: readonly number[];
  readonly valueAt: number;
  readonly value: number;
}

/** As much as the longest of those instructions. */
const ENTRY_BYTES = 16;

/** Where in the file the code at e_entry lies. */
function entryOffset({ header: { entry }, segments, bytes }: Marked): number | undefined {
  const holding = segments.find(
    ({ type, vaddr, filesz }) => type === PT.LOAD && entry >= vaddr && entry < vaddr + BigInt(filesz),
  );
  if (holding === undefined) return undefined;
  const at = BigInt(holding.offset) + entry - holding.vaddr;
  return at < BigInt(bytes.length) ? Number(at) : undefined;
}

const UNIKRAFT_ENTRIES = {
  linux: "Linux' 64-bit entry (Firecracker)",
  multiboot: "Multiboot (QEMU)",
  xen: "Xen's paravirtual mode",
} as const;

/** A few words: "Solo5 unikernel for hvt". */
export function unikernelName(unikernel: Unikernel): string {
  switch (unikernel.system) {
    case "Solo5":
      return `Solo5 unikernel for ${unikernel.target ?? `target ${unikernel.targetNumber}`}`;
    case "Hermit":
      return "Hermit unikernel";
    case "Unikraft":
      return `Unikraft unikernel${unikernel.entry === undefined ? "" : ` for ${UNIKRAFT_ENTRIES[unikernel.entry]}`}`;
  }
}

/** What it says of itself; empty for what is no unikernel. */
export function unikernelFacts(image: Marked): Fact[] {
  const unikernel = unikernelOf(image);
  if (unikernel === undefined) return [];
  const { offset } = unikernel;
  switch (unikernel.system) {
    case "Solo5":
      return [
        {
          name: "solo5.target",
          value: unikernel.target ?? unikernel.targetNumber,
          offset,
          meaning: "the tender or machine it is built for",
        },
        { name: "solo5.abi_version", value: unikernel.version, offset: offset + SOLO5_ABI.VERSION },
        ...solo5Devices(image.notes),
      ];
    case "Hermit":
      return [
        {
          name: "hermit.entry_version",
          value: unikernel.entryVersion,
          offset,
          meaning: "the interface between loader and entry",
        },
        ...hermitVersion(image.notes),
      ];
    case "Unikraft":
      return [
        {
          name: "unikraft.entry",
          value: unikernel.entry ?? "unknown",
          offset,
          meaning:
            unikernel.entry === undefined ? "its code does not tell" : UNIKRAFT_ENTRIES[unikernel.entry],
        },
      ];
  }
}

/** The devices that have to be attached, by the manifest. */
function solo5Devices(notes: readonly ElfNote[]): Fact[] {
  const { PADDING, COUNT, ENTRIES, ENTRY_SIZE, NAME_SIZE, TYPE, MOST, TYPES } = SOLO5_MANIFEST;
  const note = noteOf(notes, SOLO5_NOTE.OWNER, SOLO5_NOTE.MANIFEST, PADDING + ENTRIES);
  if (note === undefined) return [];
  const view = new ByteView(note.desc.subarray(PADDING), note.descOffset + PADDING);
  const count = Math.min(view.u32(COUNT), MOST, Math.floor((view.length - ENTRIES) / ENTRY_SIZE));
  const facts: Fact[] = [];
  for (let i = 0; i < count; i++) {
    const at = ENTRIES + i * ENTRY_SIZE;
    const type = (TYPES as Readonly<Record<number, string>>)[view.u32(at + TYPE)] as string | undefined;
    // The first entry is reserved.
    if (type === undefined) continue;
    const name = view.latin1(at, NAME_SIZE).replace(/\0.*$/s, "");
    facts.push({
      name: `solo5.device[${i}]`,
      value: [type, name],
      offset: view.base + at,
      meaning: "has to be attached",
    });
  }
  return facts;
}

function hermitVersion(notes: readonly ElfNote[]): Fact[] {
  const note = noteOf(notes, GNU_ABI_TAG.OWNER, GNU_ABI_TAG.TYPE, GNU_ABI_TAG.SIZE);
  if (note === undefined) return [];
  const [system, ...version] = [0, 4, 8, 12].map((at) => new ByteView(note.desc).u32(at));
  if (system !== GNU_ABI_TAG.HERMIT) return [];
  return [{ name: "hermit.version", value: version.join("."), offset: note.descOffset + 4 }];
}

/** By what it was recognised, for people. */
export function unikernelMark({ system, offset }: Unikernel): string {
  const what = {
    Solo5: "Solo5's ABI note",
    Hermit: "Hermit's note",
    Unikraft: `the section ${UNIKRAFT_SECTION}`,
  };
  return `${what[system]}, offset ${hex(offset)}`;
}
