/**
 * What QEMU's -kernel does with an image on x86 machines. Facts of hw/i386/x86.c (x86_load_linux, load_elfboot,
 * read_pvh_start_addr; x86-common.c since 9.0), hw/i386/multiboot.c, include/hw/elf_ops.h, of 7.2.0, 10.2.2 and master
 * 04ddbb13, and of runs of 7.2, as data.
 */
import { hex } from "../../bytes/hex.js";
import { EI, EM, PT } from "../../spec/elf.js";
import {
  DEFAULT_SETUP_SECTS,
  JUMP_OFFSET,
  JUMP_OPCODE,
  PROTOCOL,
  SECTOR_SIZE,
  SETUP_OFFSET,
} from "../../spec/linux-boot.js";
import { MULTIBOOT1_FLAG, MULTIBOOT1_HEADER } from "../../spec/multiboot1.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../../spec/xen-notes.js";
import { RuleTable, type Judge } from "../rules.js";
import type { FailedCheck, LoaderFacts, Verdict } from "../verdict.js";
import {
  cutCodeCheck,
  isLoaded,
  PVH_ADVICE,
  segmentOutsideMemory,
  outsideMemoryCheck,
  UNPACK_ADVICE,
} from "./checks.js";
import {
  promisesAddresses,
  protocolText,
  seenBy,
  startText,
  type RawMultiboot,
  type X86File,
} from "./file.js";
import { hasElfMagic, inFile, loads, type RawElf, type RawSegment } from "./raw-elf.js";

const SOURCE =
  "QEMU hw/i386/x86.c x86_load_linux, load_elfboot; hw/i386/multiboot.c; include/hw/elf_ops.h; 7.2 run, 10.2 and master read";
export const QEMU_MICROVM: LoaderFacts = {
  name: "qemu-microvm",
  what: "qemu-system-x86_64 -M microvm -kernel",
  source: SOURCE,
};
export const QEMU_PC: LoaderFacts = {
  name: "qemu-pc",
  what: "qemu-system-x86_64 -M pc or q35 -kernel",
  source: SOURCE,
};

const SELF = "qemu-system-x86_64: ";
export const QEMU_RULES = new RuleTable("qemu", SOURCE, {
  empty: { what: "an empty file is no kernel", prints: ["qemu: could not load kernel '{file}': Success"] },
  bzimage: {
    what: '"HdrS" at 0x202 makes it a Linux kernel, whatever else it is; the firmware starts its setup code',
  },
  "setup-size": {
    what: "the setup code must lie in the file",
    prints: ["qemu: invalid kernel header"],
    advice: "The file is cut short or setup_sects is wrong: fetch or build it again",
  },
  "bzimage-unchecked": {
    what: "boot_flag, syssize and the checksum are not looked at: the kernel runs as far as it is whole",
    advice: "Fetch or build the file again",
  },
  "multiboot-elf": {
    what: "a Multiboot header without load addresses: loaded as an ELF32 file, entered at e_entry in 32-bit mode",
  },
  "multiboot-elf64": {
    what: "a Multiboot kernel without load addresses must not be x86-64 (a PVH note does not help)",
    prints: [`${SELF}Cannot load x86-64 image, give a 32bit one.`],
    advice:
      "locore convert KERNEL --to elf32 makes the file that QEMU takes; GRUB and locore take it as it is",
  },
  "multiboot-not-elf": {
    what: "a Multiboot kernel without load addresses must be an ELF file",
    prints: [`${SELF}Error while loading elf kernel`],
    advice: "Set flag 16 and the addresses, or link it as ELF",
  },
  "multiboot-kludge": {
    what: "a Multiboot header with load addresses: loaded by them, entered in 32-bit mode; the ELF header is not looked at",
  },
  "multiboot-load-addr": {
    what: "load_addr must not lie behind header_addr",
    prints: [`${SELF}invalid load_addr address`],
  },
  "multiboot-header-addr": {
    what: "header_addr - load_addr must not pass the header's place in the file",
    prints: [`${SELF}invalid header_addr address`],
  },
  "multiboot-load-end": {
    what: "load_end_addr must not lie before load_addr",
    prints: [`${SELF}invalid load_end_addr address`],
  },
  "multiboot-bss-end": {
    what: "bss_end_addr must not lie before load_end_addr",
    prints: [`${SELF}invalid bss_end_addr address`],
  },
  "multiboot-short": {
    what: "the file must hold what lies between load_addr and load_end_addr",
    prints: [`${SELF}fread() failed`],
    advice: "The file is cut short, or load_end_addr is too high",
  },
  "multiboot-address-space": {
    what: "the kernel must fit into the address space",
    prints: [`${SELF}kernel does not fit in address space`],
  },
  pvh: {
    what: "an ELF file with a note of type 18 is entered there in 32-bit mode, ebx = start_info (PVH)",
    since: "4.0",
  },
  "elf-flags": {
    what: "e_flags must not have the bits 0x10004",
    prints: [`${SELF}elfboot unsupported flags = {flags}`],
  },
  "elf-broken": {
    what: "the ELF file must be little-endian, for x86, and whole",
    prints: [`${SELF}Error while loading elf kernel`],
    advice: "Fetch or build the file again, for x86",
  },
  "elf-align": {
    what: "a PT_NOTE with p_align 0 ends QEMU by SIGFPE: it divides by it",
    advice: "Set p_align of the note's program header to 4",
  },
  "elf-note-size": {
    what: "a note that is larger than its PT_NOTE is followed all the same: QEMU ends by SIGSEGV, or finds no entry",
    advice: "Fetch or build the file again",
  },
  "elf-overlap": {
    what: "segments must not overlap in memory, by p_paddr",
    prints: [`${SELF}Some ROM regions are overlapping`],
    advice: "Link the kernel with physical addresses of its own for each segment",
  },
  "elf-memsz": {
    what: "of a segment that is larger in the file than in memory, only the part of p_memsz is loaded",
    advice: "Fetch or build the file again",
  },
  "elf-no-pvh": {
    what: "an ELF file without Multiboot header needs a PVH entry (a note of type 18 in a PT_NOTE)",
    prints: [`${SELF}Error loading uncompressed kernel without PVH ELF Note`],
    advice: PVH_ADVICE,
  },
  "pvh-entry": {
    what: "neither the PVH entry nor p_paddr is checked: the CPU starts where nothing was loaded",
    advice:
      "Link the kernel with physical addresses (AT in the linker script), and the note with a physical entry",
  },
  "protocol-0": {
    what: "anything else is taken for a Linux kernel from before 2.00: it runs as real-mode code, nothing is refused",
    advice: UNPACK_ADVICE,
  },
});
type Name = keyof typeof QEMU_RULES.rules;

/** Offsets in the file that QEMU looks for a Multiboot header at, exclusive. */
const SEARCH_END = 8144;
const BAD_FLAGS = 0x1_0004;
const ADDRESS_SPACE = 2 ** 32;
const AT = MULTIBOOT1_HEADER.OFFSET;

/** What QEMU does on a machine: microvm, pc and q35 share the code. */
export function qemuX86(given: X86File, loader: LoaderFacts): Verdict {
  const judge = QEMU_RULES.judge(loader);
  const file = seenBy(given);
  if (file.view.length === 0) {
    return judge.refuses(
      "empty",
      { offset: 0, found: "an empty file", expected: "a kernel" },
      { values: { file: "KERNEL" } },
    );
  }
  if (file.setup !== undefined) return linux(file, judge);
  const { multiboot, elf } = file;
  if (multiboot !== undefined && multiboot.offset < SEARCH_END) {
    return promisesAddresses(multiboot)
      ? kludge(file, multiboot, judge)
      : multibootElf(file, multiboot, judge);
  }
  if (elf !== undefined) return pvh(elf, judge);
  if (given.packedBy === undefined && hasElfMagic(file.view)) {
    const check = { offset: file.view.length, found: "the end of the file", expected: "a whole ELF header" };
    return judge.refuses("elf-broken", check);
  }
  return protocol0(file, judge);
}

/** Whatever is no kernel of a known kind: only the length of its setup code is looked at. */
function protocol0(file: X86File, judge: Judge<Name>): Verdict {
  const { view, packedBy } = file;
  const at = SETUP_OFFSET.setup_sects;
  const sectors = packedBy === undefined && view.holds(at, 1) ? view.u8(at) : 0;
  const size = ((sectors === 0 ? DEFAULT_SETUP_SECTS : sectors) + 1) * SECTOR_SIZE;
  if (packedBy === undefined && size > view.length) {
    const found = `${startText(file)}; by the byte at ${hex(at)} it has ${size} bytes of setup code`;
    return judge.refuses(
      "setup-size",
      { offset: 0, found, expected: `a kernel, or at most ${view.length} bytes of setup code` },
      {
        advice:
          "It is no kernel that QEMU knows: it takes bzImages, Multiboot kernels and ELF kernels with a PVH entry",
      },
    );
  }
  const check = {
    offset: 0,
    found: startText(file),
    expected: "a bzImage, a Multiboot kernel or an ELF file (not checked)",
  };
  return judge.blind("protocol-0", check, packedBy === undefined ? { advice: undefined } : {});
}

function linux(file: X86File, judge: Judge<Name>): Verdict {
  const { setup, view } = file;
  if (setup === undefined) throw new RangeError("no setup header");
  if (setup.setupSize > view.length) {
    return judge.refuses("setup-size", {
      offset: SETUP_OFFSET.setup_sects,
      found: `setup_sects ${setup.setupSects}: ${setup.setupSize} bytes of setup code`,
      expected: `at most the file's ${view.length}`,
    });
  }
  const cut = setup.version >= PROTOCOL.V2_04 ? cutCodeCheck(file, SETUP_OFFSET.syssize) : undefined;
  if (cut !== undefined) return judge.blind("bzimage-unchecked", cut);
  const opcode = view.u8(JUMP_OFFSET);
  if (opcode !== JUMP_OPCODE && opcode !== JUMP_NEAR) {
    const check = {
      offset: JUMP_OFFSET,
      found: `opcode ${hex(opcode)}`,
      expected: "a jump over the header (not checked)",
    };
    return judge.blind("bzimage-unchecked", check);
  }
  return judge.takes(
    "bzimage",
    `by its 16-bit setup code, which the firmware enters at 0x10200 in real mode (${protocolText(setup.version)})`,
  );
}

/** JMP rel16. */
const JUMP_NEAR = 0xe9;

function elfFault(elf: RawElf): FailedCheck | undefined {
  const { ehdr, phdr } = elf.layout;
  if (elf.bits === undefined) return { offset: EI.CLASS, found: "another EI_CLASS", expected: "1 or 2" };
  if (elf.data !== 1) return { offset: EI.DATA, found: `EI_DATA ${elf.data}`, expected: "1 (little-endian)" };
  if (elf.machine !== EM.X86_64 && elf.machine !== EM[386]) {
    return { offset: ehdr.machine, found: `e_machine ${elf.machine}`, expected: "62 (x86-64) or 3 (i386)" };
  }
  if (!elf.complete) {
    return {
      offset: ehdr.phoff,
      found: `${elf.phnum} program headers at ${hex(elf.phoff)}`,
      expected: "them within the file",
    };
  }
  const read = elf.segments.filter(({ type }) => type === PT.LOAD || type === PT.NOTE);
  const cut = read.find((segment) => segment.filesz > 0n && !inFile(elf, segment));
  if (cut === undefined) return undefined;
  return {
    offset: cut.headerOffset + phdr.filesz,
    found: `${hex(cut.filesz)} bytes at ${hex(cut.offset)} in program header ${cut.index}`,
    expected: `them within the file of ${elf.view.length} bytes`,
  };
}

function multibootElf(file: X86File, { offset, flags }: RawMultiboot, judge: Judge<Name>): Verdict {
  const { elf, view } = file;
  if (view.holds(MACHINE, 2) && view.u16(MACHINE) === EM.X86_64) {
    return judge.refuses("multiboot-elf64", {
      offset: MACHINE,
      found: "e_machine 62 (x86-64)",
      expected: "3 (i386)",
    });
  }
  const fault =
    elf === undefined
      ? {
          offset,
          found: `a Multiboot header (flags ${hex(flags)}) in a file that is no ELF file`,
          expected: "an ELF file, or flag 16",
        }
      : elfFault(elf);
  if (elf === undefined || fault !== undefined) {
    return judge.refuses("multiboot-not-elf", fault ?? { offset, found: "no ELF file", expected: "one" });
  }
  return judge.takes(
    "multiboot-elf",
    `by Multiboot, in 32-bit mode at e_entry ${hex(elf.entry)}${videoNote(flags)}`,
  );
}

/** e_machine stands there in both classes. */
const MACHINE = 18;

function videoNote(flags: number): string {
  return (flags & MULTIBOOT1_FLAG.VIDEO_MODE) !== 0
    ? '; it warns "multiboot knows VBE. we don\'t" and goes on'
    : "";
}

type Addresses = NonNullable<RawMultiboot["addresses"]>;

function kludge({ view }: X86File, header: RawMultiboot, judge: Judge<Name>): Verdict {
  const { offset, flags, addresses } = header;
  if (addresses === undefined) {
    const check = { offset, found: "a header that the file ends in", expected: "all its fields" };
    return judge.refuses("multiboot-short", check);
  }
  const fault = addressFault(addresses, offset, view.length);
  if (fault !== undefined) {
    const [name, at, found, expected] = fault;
    return judge.refuses(name, { offset: offset + at, found, expected });
  }
  const { load, loadEnd, bssEnd, entry } = addresses;
  const start = offset - (addresses.header - load);
  const end = Math.max(loadEnd === 0 ? load + view.length - start : loadEnd, bssEnd);
  if (entry < load || entry >= end) {
    const expected = `within ${hex(load)}–${hex(end)} (not checked)`;
    const check = { offset: offset + AT.ENTRY_ADDR, found: `entry_addr ${hex(entry)}`, expected };
    return judge.blind("multiboot-kludge", check, {
      reason: "entry_addr is not checked: the CPU starts where nothing was loaded",
    });
  }
  return judge.takes(
    "multiboot-kludge",
    `by Multiboot, loaded by the header's addresses, in 32-bit mode at ${hex(entry)}${videoNote(flags)}`,
  );
}

/** The first rule that the addresses break, and the field in the header. `size`: of the file. */
function addressFault(
  { header, load, loadEnd, bssEnd }: Addresses,
  offset: number,
  size: number,
): [name: Name, field: number, found: string, expected: string] | undefined {
  if (header < load) {
    return [
      "multiboot-load-addr",
      AT.LOAD_ADDR,
      `load_addr ${hex(load)}`,
      `at most header_addr ${hex(header)}`,
    ];
  }
  const start = offset - (header - load);
  if (start < 0) {
    const found = `header_addr ${hex(header)}, ${hex(header - load)} behind load_addr`;
    return [
      "multiboot-header-addr",
      AT.HEADER_ADDR,
      found,
      `at most ${hex(offset)}: the header's place in the file`,
    ];
  }
  if (loadEnd !== 0 && loadEnd < load) {
    const expected = `0, or at least load_addr ${hex(load)}`;
    return ["multiboot-load-end", AT.LOAD_END_ADDR, `load_end_addr ${hex(loadEnd)}`, expected];
  }
  const loaded = loadEnd === 0 ? size - start : loadEnd - load;
  if (load + loaded > ADDRESS_SPACE) {
    return ["multiboot-address-space", AT.LOAD_ADDR, `load_addr ${hex(load)}`, "room below 4 GiB"];
  }
  if (bssEnd !== 0 && bssEnd < load + loaded) {
    const expected = `0, or at least ${hex(load + loaded)}`;
    return ["multiboot-bss-end", AT.BSS_END_ADDR, `bss_end_addr ${hex(bssEnd)}`, expected];
  }
  if (start + loaded <= size) return undefined;
  const found = `${loaded} bytes wanted from ${hex(start)} on`;
  return ["multiboot-short", AT.LOAD_END_ADDR, found, `at most ${size - start}: the file's`];
}

/** The entry by QEMU's rules: of every PT_NOTE's first note of type 18, whoever owns it, the last one. */
function pvhNote(elf: RawElf): { address: bigint; offset: number } | undefined {
  let found: { address: bigint; offset: number } | undefined;
  for (const segment of elf.segments.filter(({ type }) => type === PT.NOTE)) {
    const note = elf.notes.find(
      (one) => one.segment === segment.index && one.type === XEN_ELFNOTE.PHYS32_ENTRY,
    );
    if (note === undefined) continue;
    const wide = elf.bits === 64 && elf.view.holds(note.descOffset, 8);
    const value = wide
      ? elf.view.u64(note.descOffset)
      : elf.view.holds(note.descOffset, 4)
        ? BigInt(elf.view.u32(note.descOffset))
        : 0n;
    found = { address: BigInt.asUintN(32, value), offset: note.descOffset };
  }
  return found;
}

/** Two segments in one place. */
function overlap(elf: RawElf): FailedCheck | undefined {
  const sorted = loads(elf)
    .filter(({ memsz }) => memsz > 0n)
    .sort((a, b) => (a.paddr < b.paddr ? -1 : a.paddr > b.paddr ? 1 : 0));
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1], sorted[i]];
    if (after.paddr >= before.paddr + before.memsz) continue;
    const found = `program header ${after.index} at ${hex(after.paddr)}`;
    const expected = `it not to overlap program header ${before.index}, which ends at ${hex(before.paddr + before.memsz)}`;
    return { offset: after.headerOffset, found, expected };
  }
  return undefined;
}

/** Why there is no entry: it is 0, in a section only, or other notes of Xen's are there. */
function noNoteCheck(elf: RawElf, zero: number | undefined): FailedCheck {
  const expected = "a Xen note of type 18 (PHYS32_ENTRY) in a PT_NOTE";
  if (zero !== undefined) return { offset: zero, found: "a PVH entry of 0", expected };
  const inSection = elf.notes.find(
    (one) => one.type === XEN_ELFNOTE.PHYS32_ENTRY && one.segment === undefined,
  );
  if (inSection !== undefined)
    return { offset: inSection.offset, found: "the note in a section only", expected };
  const other = elf.notes.find(({ name }) => name === XEN_NOTE_OWNER);
  if (other !== undefined)
    return { offset: other.offset, found: "notes of Xen's, and none of type 18", expected };
  return { offset: elf.layout.ehdr.phoff, found: "no PVH note", expected };
}

function pvh(elf: RawElf, judge: Judge<Name>): Verdict {
  const { ehdr, phdr } = elf.layout;
  if ((elf.flags & BAD_FLAGS) !== 0) {
    const check = {
      offset: ehdr.flags,
      found: `e_flags ${hex(elf.flags)}`,
      expected: `none of the bits ${hex(BAD_FLAGS)}`,
    };
    return judge.refuses("elf-flags", check, { values: { flags: elf.flags.toString(16) } });
  }
  const fault = elfFault(elf);
  if (fault !== undefined) return judge.refuses("elf-broken", fault);
  const unaligned = elf.segments.find(
    (one: RawSegment) => one.type === PT.NOTE && one.align === 0n && one.filesz > 0n,
  );
  if (unaligned !== undefined) {
    return judge.refuses("elf-align", {
      offset: unaligned.headerOffset + phdr.align,
      found: "p_align 0",
      expected: "4 or 8",
    });
  }
  if (elf.brokenNote !== undefined) {
    const found = "a note that ends behind its segment";
    return judge.refuses("elf-note-size", {
      offset: elf.brokenNote,
      found,
      expected: "it within the PT_NOTE",
    });
  }
  const note = pvhNote(elf);
  if (note === undefined || note.address === 0n)
    return judge.refuses("elf-no-pvh", noNoteCheck(elf, note?.offset));
  const outside = segmentOutsideMemory(elf);
  if (outside !== undefined) return judge.blind("pvh-entry", outsideMemoryCheck(elf, outside));
  if (!isLoaded(elf, note.address)) {
    const found = `the PVH entry ${hex(note.address)}`;
    return judge.blind("pvh-entry", {
      offset: note.offset,
      found,
      expected: "an address in a loaded segment (not checked)",
    });
  }
  const overlapping = overlap(elf);
  if (overlapping !== undefined) return judge.refuses("elf-overlap", overlapping);
  const larger = loads(elf).find(({ filesz, memsz }) => filesz > memsz);
  if (larger !== undefined) {
    const found = `p_memsz ${hex(larger.memsz)} below p_filesz ${hex(larger.filesz)}`;
    return judge.blind("elf-memsz", {
      offset: larger.headerOffset,
      found,
      expected: "p_memsz at least as large",
    });
  }
  return judge.takes("pvh", `by PVH, in 32-bit mode at ${hex(note.address)}, ebx = start_info`, {
    since: "4.0 (machine types pc-*-4.0 and later; older ones run it as protocol 0)",
  });
}
