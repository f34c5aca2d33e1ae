/**
 * Reader for ELF32 and ELF64 files, little-endian: header, segments, sections, notes, symbols, interpreter. Knows
 * no loader. Source: System V gABI chapters 4 and 5 (numbers in spec/elf.ts).
 */
import { ByteView } from "../../bytes/byte-view.js";
import { PT } from "../../spec/elf.js";
import { reading } from "../format-error.js";
import { once } from "../image.js";
import { multibootFacts, multibootNames } from "../multiboot-facts.js";
import type { ImageBase } from "../image.js";
import { elfFacts, elfSummary } from "./facts.js";
import { ELF, archName, readElfHeader } from "./header.js";
import type { ElfHeader } from "./header.js";
import { moduleFacts, moduleName } from "./module.js";
import { findPvhEntry, readNotes } from "./notes.js";
import type { ElfNote, PvhEntry } from "./notes.js";
import { readSections, readSymbols } from "./sections.js";
import type { ElfSection, ElfSymbol } from "./sections.js";
import { readSegments } from "./segments.js";
import type { ElfSegment } from "./segments.js";

/** An ELF file. `loadSegments(image)` gives what goes into memory. */
export interface ElfImage extends ImageBase {
  readonly format: "elf";
  readonly header: ElfHeader;
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
  /** Why there is no section table although the header names one. */
  readonly sectionProblem: string | undefined;
  readonly notes: readonly ElfNote[];
  /** From the Xen PHYS32_ENTRY note. */
  readonly pvh: PvhEntry | undefined;
  /** PT_INTERP: the program loader a user program asks for. */
  readonly interpreter: string | undefined;
  /** Symbols, read one at a time; see `readSymbols`. */
  symbols(): Generator<ElfSymbol, void>;
}

/** Longest interpreter path that is shown. */
const MAX_INTERPRETER = 4096;

/** Reads an ELF file. The caller has checked the magic number. Throws FormatError. */
export function readElf(bytes: Uint8Array): ElfImage {
  return reading(ELF, "the ELF file", () => {
    const { file, header } = readElfHeader(bytes);
    const segments = readSegments(file, header);
    const { sections, problem } = readSections(file, header);
    const notes = readNotes(file, segments, sections);
    const base = {
      format: "elf" as const,
      bytes,
      arch: archName(header.machine),
      header,
      segments,
      sections,
      sectionProblem: problem,
      notes,
      pvh: findPvhEntry(notes),
      interpreter: interpreterOf(segments),
      symbols: () => readSymbols(file, sections),
    };
    const facts = once(() => [...elfFacts(base), ...moduleFacts(base), ...multibootFacts(bytes)]);
    return {
      ...base,
      summary: [elfSummary(base), ...moduleWords(base), ...multibootNames(bytes)].join(", "),
      get facts() {
        return facts();
      },
    };
  });
}

function moduleWords(image: Parameters<typeof moduleName>[0]): string[] {
  const name = moduleName(image);
  return name === undefined ? [] : [`Linux kernel module ${name}`];
}

function interpreterOf(segments: readonly ElfSegment[]): string | undefined {
  const segment = segments.find((one) => one.type === PT.INTERP);
  if (!segment) return undefined;
  const view = new ByteView(segment.bytes, segment.offset);
  const limit = Math.min(view.length, MAX_INTERPRETER);
  return view.cString(0, limit) ?? view.latin1(0, limit);
}
