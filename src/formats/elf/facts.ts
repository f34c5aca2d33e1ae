/**
 * What `locore inspect` shows of an ELF file. Only describes; decides nothing.
 */
import { hex, hexBytes } from "../../bytes/hex.js";
import { EI, ELF32, ELF64, ELFOSABI, ET, PF, PT } from "../../spec/elf.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER, XEN_TEXT_NOTES } from "../../spec/xen-notes.js";
import { FormatError } from "../format-error.js";
import type { Fact } from "../image.js";
import { armFacts, armSummary } from "./arm.js";
import type { ElfImage } from "./elf.js";
import type { ElfNote } from "./notes.js";
import { unikernelFacts, unikernelName, unikernelOf } from "./unikernel.js";
import { loadSegments } from "./segments.js";
import type { ElfSegment } from "./segments.js";

type Described = Omit<ElfImage, "facts" | "summary">;

/** How many bytes of a note that is not understood are shown. */
const SHOWN_DESC = 20;
/** How many characters of a text note are shown. */
const SHOWN_TEXT = 256;
/** How many program headers and notes are described one by one. */
const LISTED = 64;
/** Numeric Xen notes have descriptors of these sizes. */
const NUMBER_SIZES = [4, 8];

/** Name of a value in a table of numbers; the number itself when it has none. */
function nameOf(table: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(table).find(([, number]) => number === value)?.[0] ?? hex(value);
}

/** One line: class, machine, what kind of file, PVH or not. */
export function elfSummary(image: Described): string {
  const parts = [`ELF${image.header.elfClass} ${image.arch} ${nameOf(ET, image.header.type)}`];
  if (image.pvh) parts.push(`PVH entry at ${hex(image.pvh.address)}`);
  if (image.interpreter !== undefined) parts.push(`interpreter ${image.interpreter}`);
  parts.push(...armSummary(image));
  const unikernel = unikernelOf(image);
  if (unikernel !== undefined) parts.push(unikernelName(unikernel));
  return parts.join(", ");
}

function flagText(flags: number): string {
  return `${(flags & PF.R) !== 0 ? "r" : "-"}${(flags & PF.W) !== 0 ? "w" : "-"}${(flags & PF.X) !== 0 ? "x" : "-"}`;
}

function segmentFact(segment: ElfSegment): Fact {
  const { offset, filesz, vaddr, paddr, memsz, align } = segment;
  return {
    name: `program[${segment.index}]`,
    value: [
      nameOf(PT, segment.type),
      flagText(segment.flags),
      `offset ${hex(offset)}`,
      `filesz ${hex(filesz)}`,
      `vaddr ${hex(vaddr)}`,
      `paddr ${hex(paddr)}`,
      `memsz ${hex(memsz)}`,
      `align ${hex(align)}`,
    ],
    offset: segment.headerOffset,
    meaning: segment.type === PT.LOAD ? "goes into memory" : "describes",
  };
}

function littleEndian(desc: Uint8Array): bigint {
  return desc.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function noteFact(note: ElfNote, index: number): Fact {
  const xen = note.name === XEN_NOTE_OWNER;
  const type = xen ? nameOf(XEN_ELFNOTE, note.type) : hex(note.type);
  let value = hexBytes(note.desc, SHOWN_DESC);
  if (xen && XEN_TEXT_NOTES.has(note.type)) {
    value = String.fromCharCode(...note.desc.subarray(0, SHOWN_TEXT)).replace(/\0+$/, "");
  } else if (xen && NUMBER_SIZES.includes(note.desc.length)) value = hex(littleEndian(note.desc));
  return {
    name: `note[${index}] ${note.name} ${type}`,
    value,
    offset: note.offset,
    meaning: `from ${note.source}`,
  };
}

/** Where the image would go in physical memory, or why it cannot. */
function loadFacts(image: Described): Fact[] {
  try {
    const loads = loadSegments(image);
    if (loads.length === 0) return [];
    const last = loads[loads.length - 1];
    return [
      {
        name: "load.range",
        value: `${hex(loads[0].paddr)}–${hex(last.paddr + last.memsz)}`,
        meaning: "physical addresses from the first to the last loaded byte",
      },
    ];
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return [
      { name: "load.problem", value: error.message, offset: error.offset, meaning: "cannot be loaded" },
    ];
  }
}

/** All facts of the image. */
export function elfFacts(image: Described): Fact[] {
  const { header, pvh } = image;
  const at = (header.elfClass === 64 ? ELF64 : ELF32).ehdr;
  const facts: Fact[] = [
    { name: "format", value: `ELF${header.elfClass}` },
    { name: "arch", value: image.arch, offset: at.machine, meaning: `e_machine ${header.machine}` },
    { name: "e_type", value: nameOf(ET, header.type), offset: at.type },
    { name: "EI_OSABI", value: nameOf(ELFOSABI, header.osabi), offset: EI.OSABI },
    { name: "e_entry", value: hex(header.entry), offset: at.entry, meaning: "entry point" },
    { name: "e_flags", value: hex(header.flags), offset: at.flags, meaning: "processor flags" },
    { name: "e_phnum", value: image.segments.length, meaning: "program headers" },
    { name: "e_shnum", value: image.sections.length, meaning: image.sectionProblem ?? "section headers" },
  ];
  if (image.interpreter !== undefined) facts.push({ name: "interpreter", value: image.interpreter });
  if (pvh) {
    const offset = pvh.note.descOffset;
    const meaning = `Xen PHYS32_ENTRY, from ${pvh.note.source}`;
    facts.push({ name: "pvh.entry", value: hex(pvh.address), offset, meaning });
  }
  facts.push(
    ...armFacts(image),
    ...unikernelFacts(image),
    ...loadFacts(image),
    ...image.segments.slice(0, LISTED).map(segmentFact),
    ...image.notes.slice(0, LISTED).map(noteFact),
  );
  return facts;
}
