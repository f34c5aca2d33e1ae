/**
 * Reader for PE/COFF files: what EFI programs are, kernels with an EFI stub among them. Reads headers and the section table;
 * knows no firmware. A Linux kernel's first bytes are a PE file and a boot sector at once: "MZ" at 0 leads to the PE header, and
 * the setup header at 0x1f1 lies between, in bytes that PE does not use.
 *
 * Specification: Microsoft PE/COFF, §3 (headers) and §4 (section table); UEFI 2.10 §2.1.1 (subsystems).
 */
import { ByteView } from "../../bytes/byte-view.js";
import { hex } from "../../bytes/hex.js";
import {
  DOS,
  PE_HEADER,
  PE_MACHINES,
  PE_OPTIONAL_MAGIC,
  PE_SECTION,
  PE_SUBSYSTEMS,
} from "../../spec/file-magic.js";
import type { Fact } from "../image.js";

/** One section. */
export interface PeSection {
  readonly name: string;
  /** File offset of its header. */
  readonly headerOffset: number;
  /** Bytes in memory, and where, from the image's base. */
  readonly virtualSize: number;
  readonly virtualAddress: number;
  /** What the file has of it; at most `virtualSize` bytes. Undefined where it does not lie in the file. */
  readonly bytes: Uint8Array | undefined;
  /** File offset of its contents, and their padded size. */
  readonly offset: number;
  readonly rawSize: number;
}

/** A PE file's headers. */
export interface PeFile {
  /** File offset of "PE\0\0". */
  readonly offset: number;
  readonly machine: string;
  readonly subsystem: number;
  /** PE32+, for 64-bit programs. */
  readonly wide: boolean;
  readonly entry: number;
  readonly sections: readonly PeSection[];
}

/** No file has more sections (the loader of Windows takes 96). */
const MOST_SECTIONS = 96;

/** The headers; undefined when the file is no PE file, or is cut in them. */
export function readPe(bytes: Uint8Array): PeFile | undefined {
  const view = new ByteView(bytes);
  if (!DOS.MAGIC.every((byte, i) => bytes[i] === byte) || !view.holds(DOS.LFANEW, 4)) return undefined;
  const offset = view.u32(DOS.LFANEW);
  if (!view.holds(offset, PE_HEADER.SIZE) || !DOS.PE_MAGIC.every((byte, i) => bytes[offset + i] === byte))
    return undefined;
  const machine = view.u16(offset + DOS.PE_MACHINE);
  const optional = offset + PE_HEADER.SIZE;
  const optionalSize = view.u16(offset + PE_HEADER.OPTIONAL_SIZE);
  if (!view.holds(optional, PE_HEADER.OPTIONAL_LEAST)) return undefined;
  const count = Math.min(view.u16(offset + PE_HEADER.SECTIONS), MOST_SECTIONS);
  return {
    offset,
    machine: PE_MACHINES[machine] ?? `machine ${hex(machine)}`,
    subsystem: view.u16(optional + PE_HEADER.OPTIONAL.SUBSYSTEM),
    wide: view.u16(optional) === PE_OPTIONAL_MAGIC.PE32_PLUS,
    entry: view.u32(optional + PE_HEADER.OPTIONAL.ENTRY),
    sections: readSections(view, optional + optionalSize, count),
  };
}

function readSections(view: ByteView, table: number, count: number): PeSection[] {
  const sections: PeSection[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * PE_SECTION.SIZE;
    if (!view.holds(at, PE_SECTION.SIZE)) break;
    const virtualSize = view.u32(at + PE_SECTION.VIRTUAL_SIZE);
    const rawSize = view.u32(at + PE_SECTION.RAW_SIZE);
    const offset = view.u32(at + PE_SECTION.RAW_OFFSET);
    const size = Math.min(virtualSize, rawSize);
    sections.push({
      name: view.latin1(at, PE_SECTION.NAME_SIZE).replace(/\0.*$/s, ""),
      headerOffset: at,
      virtualSize,
      virtualAddress: view.u32(at + PE_SECTION.VIRTUAL_ADDRESS),
      bytes: view.holds(offset, size) ? view.slice(offset, size) : undefined,
      offset,
      rawSize,
    });
  }
  return sections;
}

/** What `locore inspect` shows of it. */
export function peFacts(pe: PeFile): Fact[] {
  const { offset, machine, subsystem, wide, entry, sections } = pe;
  const subsystemOffset = offset + PE_HEADER.SIZE + PE_HEADER.OPTIONAL.SUBSYSTEM;
  return [
    {
      name: "pe.header",
      value: hex(offset),
      offset: DOS.LFANEW,
      meaning: `a PE${wide ? "32+" : "32"} file for ${machine}`,
    },
    {
      name: "pe.subsystem",
      value: subsystem,
      offset: subsystemOffset,
      meaning: PE_SUBSYSTEMS[subsystem] ?? "unknown",
    },
    {
      name: "pe.entry",
      value: hex(entry),
      offset: offset + PE_HEADER.SIZE + PE_HEADER.OPTIONAL.ENTRY,
      meaning: "from the image's base",
    },
    ...sections.map((section, i) => sectionFact(section, i)),
  ];
}

function sectionFact(
  { name, headerOffset, offset, rawSize, virtualSize, virtualAddress, bytes }: PeSection,
  index: number,
): Fact {
  return {
    name: `pe.section[${index}]`,
    value: [
      name,
      `offset ${hex(offset)}`,
      `size ${hex(rawSize)}`,
      `vaddr ${hex(virtualAddress)}`,
      `vsize ${hex(virtualSize)}`,
    ],
    offset: headerOffset,
    meaning: bytes === undefined ? "it does not lie in the file" : "loaded by UEFI firmware",
  };
}
