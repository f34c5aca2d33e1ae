/**
 * What the linux-loader crate does with an image, for the monitors that are built with it. Facts of rust-vmm's
 * linux-loader v0.14.0, src/loader/elf/mod.rs and src/loader/bzimage/mod.rs, read, as data.
 */
import { hex } from "../../bytes/hex.js";
import { EI, PT } from "../../spec/elf.js";
import { PROTOCOL, SETUP_OFFSET } from "../../spec/linux-boot.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../../spec/xen-notes.js";
import type { Rule } from "../rules.js";
import type { FailedCheck } from "../verdict.js";
import { outsideMemoryCheck, segmentOutsideMemory } from "./checks.js";
import { elfMagicCheck, protocolText, setupMagicCheck, type X86File } from "./file.js";
import { inFile, loads, noteNumber, type RawElf } from "./raw-elf.js";

/** Names of what the crate refuses. */
export type ElfRule =
  | "elf-short"
  | "elf-magic"
  | "elf-endian"
  | "elf-class"
  | "elf-phoff"
  | "elf-entry"
  | "elf-headers"
  | "elf-note"
  | "elf-segments";
export type BzRule = "bz-short" | "bz-magic" | "bz-start";

const REBUILD = "The file is damaged or cut short: fetch or build it again";

/** The crate's rules for ELF files; `outer` makes the monitor's text of the crate's reason. */
export function elfRules(outer: (reason: string) => string): Record<ElfRule, Rule> {
  const elf = (reason: string): string[] => [outer(`Kernel Loader: ${reason}`)];
  return {
    "elf-short": {
      what: "the file must be as long as an ELF64 header",
      prints: elf("Unable to read elf header"),
      advice: REBUILD,
    },
    "elf-magic": {
      what: "the file must begin as ELF files do",
      prints: elf("Invalid Elf magic number"),
      advice: "Give the uncompressed ELF kernel: locore convert KERNEL --to vmlinux",
    },
    "elf-endian": {
      what: "the ELF file must be little-endian",
      prints: elf("Trying to load big-endian binary on little-endian machine"),
      advice: "Get the x86 build",
    },
    "elf-class": {
      what: "e_phentsize must be ELF64's 56: every ELF32 file is refused here",
      prints: elf("Invalid program header size"),
      advice: "A 32-bit kernel boots elsewhere: QEMU, crosvm, Xen or locore; else get the 64-bit build",
    },
    "elf-phoff": {
      what: "e_phoff must not lie in the ELF header",
      prints: elf("Invalid program header offset"),
      advice: REBUILD,
    },
    "elf-entry": {
      what: "e_entry must be 1 MiB or higher",
      prints: elf("Invalid entry address"),
      advice: "A program for an operating system looks like this: give a kernel, linked for 1 MiB or higher",
    },
    "elf-headers": {
      what: "every program header must lie in the file",
      prints: elf("Unable to read program header"),
      advice: REBUILD,
    },
    "elf-note": {
      what: "a PVH note must have 4 bytes at least",
      prints: elf("Invalid PVH note header"),
      advice: REBUILD,
    },
    "elf-segments": {
      what: "every loaded segment must lie in the file and, by p_paddr, in the guest's memory",
      prints: elf("Unable to read kernel image"),
      advice:
        "Give the guest more memory, or link the kernel with physical addresses (AT in the linker script)",
    },
  };
}

/** The same for bzImages. */
export function bzRules(outer: (reason: string) => string): Record<BzRule, Rule> {
  return {
    "bz-short": {
      what: "the setup header must lie in the file",
      prints: [outer("Kernel Loader: Unable to read bzImage header")],
      advice: REBUILD,
    },
    "bz-magic": {
      what: 'a bzImage has "HdrS", protocol 2.00 or later, and LOADED_HIGH',
      prints: [outer("Kernel Loader: Invalid bzImage")],
    },
    "bz-start": {
      what: "code32_start must be 1 MiB or higher",
      prints: [outer("Kernel Loader: invalid kernel start address")],
      advice: REBUILD,
    },
  };
}

/** Where a kernel is entered, or which rule it breaks. */
export type ElfAnswer =
  | { rule: ElfRule; check: FailedCheck }
  | { rule: undefined; pvh: number | undefined; note: number | undefined };

/** Lowest address of a kernel. */
const HIGH_MEMORY = 0x10_0000n;
const ELF64_HEADER = 64;
const ELF64_PHENTSIZE = 56;

/** The checks on an ELF file, in the crate's order. */
export function loadElf(file: X86File): ElfAnswer {
  const { view, elf, packedBy } = file;
  if (packedBy === undefined && view.length < ELF64_HEADER) {
    return {
      rule: "elf-short",
      check: { offset: view.length, found: `the end of the file`, expected: `${ELF64_HEADER} bytes` },
    };
  }
  if (elf === undefined) return { rule: "elf-magic", check: elfMagicCheck(file) };
  return headerFault(elf) ?? noteFault(elf) ?? segmentFault(elf) ?? { rule: undefined, ...entryNote(elf) };
}

function headerFault(elf: RawElf): ElfAnswer | undefined {
  const at = elf.layout.ehdr;
  if (elf.data === 2) {
    return {
      rule: "elf-endian",
      check: { offset: EI.DATA, found: "EI_DATA 2 (big-endian)", expected: "1 (little-endian)" },
    };
  }
  if (elf.phentsize !== ELF64_PHENTSIZE || elf.bits === 32) {
    const found = elf.bits === 32 ? "an ELF32 file" : `e_phentsize ${elf.phentsize}`;
    const offset = elf.bits === 32 ? EI.CLASS : at.phentsize;
    return { rule: "elf-class", check: { offset, found, expected: "ELF64's program headers of 56 bytes" } };
  }
  if (elf.phoff < BigInt(ELF64_HEADER)) {
    return {
      rule: "elf-phoff",
      check: { offset: at.phoff, found: `e_phoff ${hex(elf.phoff)}`, expected: "0x40 or more" },
    };
  }
  if (elf.entry < HIGH_MEMORY) {
    return {
      rule: "elf-entry",
      check: {
        offset: at.entry,
        found: `e_entry ${hex(elf.entry)}`,
        expected: `${hex(HIGH_MEMORY)} or more`,
      },
    };
  }
  if (elf.complete) return undefined;
  const found = `${elf.phnum} program headers at ${hex(elf.phoff)}`;
  return { rule: "elf-headers", check: { offset: at.phoff, found, expected: "them within the file" } };
}

function noteFault(elf: RawElf): ElfAnswer | undefined {
  const short = elf.notes.find((note) => isPvh(note) && note.segment !== undefined && note.descSize < 4);
  if (short === undefined) return undefined;
  return {
    rule: "elf-note",
    check: { offset: short.offset, found: `a PVH note of ${short.descSize} bytes`, expected: "4 or 8" },
  };
}

function isPvh({ name, type }: { name: string; type: number }): boolean {
  return name === XEN_NOTE_OWNER && type === XEN_ELFNOTE.PHYS32_ENTRY;
}

/** The last PT_NOTE decides, whether it has the note or not. */
function entryNote(elf: RawElf): { pvh: number | undefined; note: number | undefined } {
  const last = elf.segments.filter(({ type }) => type === PT.NOTE).at(-1);
  const note = elf.notes.find((one) => last !== undefined && one.segment === last.index && isPvh(one));
  return note === undefined
    ? { pvh: undefined, note: hiddenNote(elf) }
    : { pvh: noteNumber(elf, note), note: note.offset };
}

/** A PVH note that the crate does not find: in a section, or hidden by a later PT_NOTE. */
function hiddenNote(elf: RawElf): number | undefined {
  return elf.notes.find(isPvh)?.offset;
}

function segmentFault(elf: RawElf): ElfAnswer | undefined {
  const { phdr } = elf.layout;
  const cut = loads(elf).find((one) => one.filesz > 0n && !inFile(elf, one));
  if (cut !== undefined) {
    const found = `${hex(cut.filesz)} bytes at ${hex(cut.offset)} in program header ${cut.index}`;
    return {
      rule: "elf-segments",
      check: {
        offset: cut.headerOffset + phdr.filesz,
        found,
        expected: `them within the file of ${elf.view.length} bytes`,
      },
    };
  }
  const outside = segmentOutsideMemory(elf);
  return outside === undefined
    ? undefined
    : { rule: "elf-segments", check: outsideMemoryCheck(elf, outside) };
}

const SHORTEST = 0x268;

/** The checks on a bzImage; undefined: it is taken. */
export function loadBzImage(file: X86File): { rule: BzRule; check: FailedCheck } | undefined {
  const { view, setup, packedBy } = file;
  if (packedBy === undefined && view.length < SHORTEST) {
    return {
      rule: "bz-short",
      check: { offset: view.length, found: "the end of the file", expected: `${SHORTEST} bytes` },
    };
  }
  if (setup === undefined) return { rule: "bz-magic", check: setupMagicCheck(file) };
  if (setup.version < PROTOCOL.V2_00) {
    return {
      rule: "bz-magic",
      check: { offset: SETUP_OFFSET.version, found: protocolText(setup.version), expected: "2.00 or later" },
    };
  }
  if (!setup.loadedHigh) {
    return {
      rule: "bz-magic",
      check: {
        offset: SETUP_OFFSET.loadflags,
        found: "LOADED_HIGH clear (a zImage)",
        expected: "LOADED_HIGH",
      },
    };
  }
  if (BigInt(setup.code32Start) < HIGH_MEMORY) {
    const found = `code32_start ${hex(setup.code32Start)}`;
    return {
      rule: "bz-start",
      check: { offset: SETUP_OFFSET.code32_start, found, expected: `${hex(HIGH_MEMORY)} or more` },
    };
  }
  return undefined;
}
