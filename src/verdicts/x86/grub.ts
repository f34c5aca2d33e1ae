/**
 * What GRUB's commands do with an image on i386-pc: linux, multiboot, multiboot2. Facts of grub-core/loader/i386/linux.c,
 * multiboot.c, multiboot_mbi.c, multiboot_mbi2.c, multiboot_elfxx.c of GRUB 2.12, read, as data; 2.06 is asked by tests. Words begin with
 * "error: "; from 2.14 on file, function and line stand behind that.
 */
import { alignUp } from "../../bytes/align.js";
import { hex } from "../../bytes/hex.js";
import { explainNoMultiboot1 } from "../../formats/multiboot1/multiboot1.js";
import { explainNoMultiboot2 } from "../../formats/multiboot2/multiboot2.js";
import { EI, EM, ET, SHT } from "../../spec/elf.js";
import { PROTOCOL, SETUP_OFFSET } from "../../spec/linux-boot.js";
import { MULTIBOOT1_HEADER, MULTIBOOT1_SEARCH } from "../../spec/multiboot1.js";
import {
  HEADER_TAG,
  HEADER_TAG_TYPE,
  INFO_TAG_TYPE,
  LOAD_ADDR_FILE_START,
  MULTIBOOT2_ALIGNMENT,
  MULTIBOOT2_HEADER,
  MULTIBOOT2_SEARCH,
} from "../../spec/multiboot2.js";
import { RuleTable, type Judge } from "../rules.js";
import type { FailedCheck, LoaderFacts, Verdict } from "../verdict.js";
import {
  cutCodeCheck,
  multiboot2At,
  outsideMemoryCheck,
  realModeCheck,
  segmentOutsideMemory,
} from "./checks.js";
import {
  GOOD_BOOT_FLAG,
  promisesAddresses,
  protocolText,
  seenBy,
  setupMagicCheck,
  startText,
  type X86File,
} from "./file.js";
import { inFile, loads, type RawElf } from "./raw-elf.js";

const SOURCE =
  "GRUB grub-core/loader/i386/linux.c grub_cmd_linux, i386/multiboot_mbi.c load_kernel, multiboot_mbi2.c grub_multiboot2_load, multiboot.c, multiboot_elfxx.c (2.12, read); 2.06 run";
export const GRUB_LINUX: LoaderFacts = {
  name: "grub-linux",
  what: "GRUB's linux, on i386-pc",
  source: SOURCE,
};
export const GRUB_MULTIBOOT: LoaderFacts = {
  name: "grub-multiboot",
  what: "GRUB's multiboot",
  source: SOURCE,
};
export const GRUB_MULTIBOOT2: LoaderFacts = {
  name: "grub-multiboot2",
  what: "GRUB's multiboot2",
  source: SOURCE,
};

const error = (text: string): string[] => [`error: ${text}.`];
/** What it says of a file that ends before it should; FILE stands for its name. */
const PREMATURE = "error: premature end of file FILE.";
const AGAIN = "Fetch or build the file again";
const MULTIBOOT_ADVICE = "Give linux a bzImage, multiboot or multiboot2 a kernel with such a header";
export const GRUB_RULES = new RuleTable("grub", SOURCE, {
  "linux-short": {
    what: "a file must have the 616 bytes that linux reads first",
    prints: [PREMATURE],
    advice: MULTIBOOT_ADVICE,
  },
  magic: {
    what: "linux wants boot_flag 0xaa55",
    prints: error("invalid magic number"),
    advice: MULTIBOOT_ADVICE,
  },
  "setup-sects": { what: "setup_sects must be 64 at most", prints: error("too many setup sectors") },
  "version-old": {
    what: 'the 32-bit boot protocol needs "HdrS" and 2.03 or later',
    prints: ["error: version too old for 32-bit boot (try with `linux16')."],
    advice: "Use linux16, which runs the setup code with the BIOS",
  },
  zimage: {
    what: "a zImage has no 32-bit boot",
    prints: ["error: zImage doesn't support 32-bit boot (try with `linux16')."],
    advice: "Use linux16, which runs the setup code with the BIOS",
  },
  linux: { what: "a bzImage is entered at code32_start in 32-bit mode; on EFI by its EFI stub" },
  "linux-unchecked": { what: "what is loaded is not looked at", advice: AGAIN },
  "linux-jump": {
    what: "the byte at 0x201 tells where the setup header ends; one that ends before it begins is copied all the same, and GRUB hangs",
    advice: AGAIN,
  },
  "linux-real-mode": {
    what: "linux enters the 32-bit code; the kernel works only through its setup code",
    advice: "Use linux16, which runs the setup code with the BIOS",
  },
  short: {
    what: "a file must have 32 bytes",
    prints: [PREMATURE],
    advice: AGAIN,
  },
  "no-header": {
    what: "the header must lie in the first 8 KiB (multiboot) or 32 KiB (multiboot2)",
    prints: error("no multiboot header found"),
    advice: MULTIBOOT_ADVICE,
  },
  "unsupported-flag": {
    what: "multiboot knows the flags 0 to 2 and 16",
    prints: error("unsupported flag: {value}"),
  },
  "unsupported-information": {
    what: "information that is asked for, and not as optional, must be known",
    prints: error("unsupported information tag: {value}"),
  },
  "unsupported-tag": {
    what: "a tag that is not optional must be known; EFI's 32-bit entry is not",
    prints: error("unsupported tag: {value}"),
  },
  "tags-endless": {
    what: "tags are followed until the end tag, by their sizes, wherever that leads: GRUB hangs",
    advice: AGAIN,
  },
  "no-entry-tag": {
    what: "an address tag needs an entry address tag",
    prints: error("load address tag without entry address tag"),
  },
  "address-range": {
    what: "what is loaded by addresses must not have a size below 0",
    prints: error("address is out of range"),
  },
  "address-seek": {
    what: "load addresses must lead into the file",
    prints: error("attempt to seek outside of the file"),
  },
  "address-bss": {
    what: "bss_end_addr must not lie before the end of what is loaded: a size below 0 is cleared, and GRUB hangs",
  },
  "relocate-range": {
    what: "a relocatable kernel must fit between its least and its highest address",
    prints: error("invalid min/max address and/or load size"),
  },
  "no-elf": {
    what: "without load addresses the kernel must be ELF, for i386 (class 32) or x86-64 (class 64)",
    prints: error("invalid arch-dependent ELF magic"),
  },
  "elf-magic": {
    what: "without load addresses the kernel must be a little-endian ELF file",
    prints: error("invalid arch-independent ELF magic"),
  },
  "elf-type": {
    what: "e_type must be EXEC or DYN",
    prints: error("this ELF file is not of the right type"),
  },
  "elf-window": {
    what: "the program headers must lie in the window that headers are looked for in",
    prints: error("program header at a too high offset"),
  },
  "elf-4g": { what: "segments must lie below 4 GiB", prints: error("segment crosses 4 GiB border") },
  "elf-seek": {
    what: "segments must begin in the file",
    prints: error("attempt to seek outside of the file"),
    advice: AGAIN,
  },
  "elf-cut": { what: "segments must lie in the file", prints: [PREMATURE], advice: AGAIN },
  "elf-memsz": {
    what: "room is made for p_memsz bytes and p_filesz are read: with more of these GRUB's own memory is lost",
    advice: AGAIN,
  },
  "elf-entry": {
    what: "e_entry must lie in a segment, even where a tag names the entry",
    prints: error("entry point isn't in a segment"),
    advice: "Link the kernel so that e_entry is in a PT_LOAD, by p_vaddr",
  },
  "elf-sections": {
    what: 'section headers must lie in the file (from 2.12 on: "ELF section header region is larger than the file size")',
    prints: error("attempt to seek outside of the file"),
    advice: AGAIN,
  },
  "elf-relocs": {
    what: "multiboot2 takes no ELF file with relocations",
    prints: error("ELF files with relocs are not supported yet"),
  },
  "elf-unchecked": {
    what: "whether there is memory where segments go is not looked at",
    advice: "Link the kernel with physical addresses in the machine's memory (AT in the linker script)",
  },
  multiboot: { what: "multiboot: loaded by addresses or as ELF, entered in 32-bit mode, eax = 0x2badb002" },
  multiboot2: {
    what: "multiboot2: loaded by the address tag or as ELF, entered in 32-bit mode, eax = 0x36d76289",
  },
});
type Name = keyof typeof GRUB_RULES.rules;

/** Files that GRUB unpacks when it opens them. */
const UNPACKED = ["gzip", "xz", "lzo"];
/** What linux reads first: the setup header up to handover_offset. */
const LINUX_HEADER_SIZE = 0x268;
/** The jump's second byte, and what it counts from. */
const HEADER_END = 0x201;
const HEADER_MAGIC_AT = 0x202;
const SHORTEST = 32;
const MOST_SETUP_SECTS = 64;
const FOUR_GIB = 2n ** 32n;
const BAD_FLAGS = 0xfff8;
const KNOWN_TAGS: readonly number[] = Object.values(HEADER_TAG_TYPE).filter(
  (type) => type !== HEADER_TAG_TYPE.ENTRY_ADDRESS_EFI32,
);
/** Information that it knows: up to the load base address. */
const LAST_INFORMATION = INFO_TAG_TYPE.LOAD_BASE_ADDR;

/** GRUB's linux command. */
export function grubLinux(given: X86File): Verdict {
  const judge = GRUB_RULES.judge(GRUB_LINUX);
  const file = seenBy(given, UNPACKED);
  const { setup, view } = file;
  const at = SETUP_OFFSET;
  if (file.packedBy !== undefined && setup === undefined && file.elf === undefined)
    return judge.refuses("magic", setupMagicCheck(file));
  if (view.length < LINUX_HEADER_SIZE) {
    const expected = `${LINUX_HEADER_SIZE} bytes`;
    return judge.refuses("linux-short", { offset: view.length, found: "the end of the file", expected });
  }
  const bootFlag = view.u16(at.boot_flag);
  if (bootFlag !== GOOD_BOOT_FLAG) {
    const check =
      setup === undefined
        ? setupMagicCheck(file)
        : { offset: at.boot_flag, found: `boot_flag ${hex(bootFlag)}`, expected: hex(GOOD_BOOT_FLAG) };
    return judge.refuses("magic", check);
  }
  const setupSects = view.u8(at.setup_sects);
  if (setupSects > MOST_SETUP_SECTS) {
    return judge.refuses("setup-sects", {
      offset: at.setup_sects,
      found: `setup_sects ${setupSects}`,
      expected: `at most ${MOST_SETUP_SECTS}`,
    });
  }
  if (setup === undefined) return judge.refuses("version-old", setupMagicCheck(file));
  if (setup.version < PROTOCOL.V2_03) {
    return judge.refuses("version-old", {
      offset: at.version,
      found: protocolText(setup.version),
      expected: "2.03 or later",
    });
  }
  if (!setup.loadedHigh) {
    return judge.refuses("zimage", {
      offset: at.loadflags,
      found: "LOADED_HIGH clear",
      expected: "LOADED_HIGH",
    });
  }
  const jump = (view.u8(HEADER_END) << 24) >> 24;
  if (HEADER_MAGIC_AT + jump < at.setup_sects) {
    const found = `a setup header that ends at ${HEADER_MAGIC_AT} + ${jump}`;
    return judge.blind("linux-jump", {
      offset: at.jump,
      found,
      expected: "an end behind its start (not checked)",
    });
  }
  const cut = cutCodeCheck(file, at.syssize);
  if (cut !== undefined) return judge.blind("linux-unchecked", cut);
  const realMode = realModeCheck(file);
  if (realMode !== undefined) return judge.blind("linux-real-mode", realMode);
  return judge.takes(
    "linux",
    `by the 32-bit entry point at ${hex(setup.code32Start)}; on EFI by its EFI stub`,
  );
}

/** A file that this GRUB cannot unpack: it has no header to find. */
function opaque(given: X86File): boolean {
  return given.packedBy !== undefined && !UNPACKED.includes(given.packedBy);
}

function shortCheck({ view }: X86File): FailedCheck | undefined {
  if (view.length >= SHORTEST) return undefined;
  return { offset: view.length, found: "the end of the file", expected: `${SHORTEST} bytes` };
}

/** GRUB's multiboot command. */
export function grubMultiboot(given: X86File): Verdict {
  const judge = GRUB_RULES.judge(GRUB_MULTIBOOT);
  const file = seenBy(given, UNPACKED);
  const short = opaque(given) ? undefined : shortCheck(file);
  if (short !== undefined) return judge.refuses("short", short);
  const { multiboot } = file;
  if (multiboot === undefined) {
    const { offset, found, expected } = opaque(given)
      ? { offset: 0, found: startText(file), expected: "a Multiboot header" }
      : explainNoMultiboot1(file.view.bytes).fault;
    return judge.refuses("no-header", { offset, found, expected });
  }
  const { offset, flags, addresses } = multiboot;
  if ((flags & BAD_FLAGS) !== 0) {
    const check = {
      offset: offset + MULTIBOOT1_HEADER.OFFSET.FLAGS,
      found: `flags ${hex(flags)}`,
      expected: "bits 3 to 15 clear",
    };
    return judge.refuses("unsupported-flag", check, { values: { value: hex(flags) } });
  }
  if (addresses !== undefined && promisesAddresses(multiboot)) {
    const { header, load, loadEnd, bssEnd, entry } = addresses;
    const place = offset + MULTIBOOT1_HEADER.OFFSET.HEADER_ADDR;
    return (
      addressVerdict(judge, place, file.view.length, offset - ((header - load) | 0), {
        load,
        loadEnd,
        bssEnd,
      }) ?? judge.takes("multiboot", `loaded by the header's addresses, in 32-bit mode at ${hex(entry)}`)
    );
  }
  return (
    elfVerdict(file, MULTIBOOT1_SEARCH, judge, 1) ??
    judge.takes("multiboot", `loaded as ELF, in 32-bit mode at ${hex(file.elf?.entry ?? 0)}`)
  );
}

/** What is wrong with loading by addresses: where the kernel begins in the file, and how much of memory it takes. */
function addressVerdict(
  judge: Judge<Name>,
  place: number,
  fileSize: number,
  start: number,
  { load, loadEnd, bssEnd }: Readonly<Record<"load" | "loadEnd" | "bssEnd", number>>,
): Verdict | undefined {
  const loaded = loadEnd === 0 ? fileSize - start : loadEnd - load;
  const size = bssEnd === 0 ? loaded : bssEnd - load;
  if (size < 0) {
    const check = {
      offset: place,
      found: `an end ${-size} bytes before load_addr`,
      expected: "an end behind it",
    };
    return judge.refuses("address-range", check);
  }
  if (start < 0 || start > fileSize) {
    const check = { offset: place, found: `a kernel that begins at ${start}`, expected: `0 to ${fileSize}` };
    return judge.refuses("address-seek", check);
  }
  if (bssEnd === 0 || bssEnd - load >= loaded) return undefined;
  const found = `bss_end_addr ${hex(bssEnd)}`;
  return judge.blind("address-bss", {
    offset: place,
    found,
    expected: `${hex(load + loaded)} or more (not checked)`,
  });
}

/** GRUB's multiboot2 command. */
export function grubMultiboot2(given: X86File): Verdict {
  const judge = GRUB_RULES.judge(GRUB_MULTIBOOT2);
  const file = seenBy(given, UNPACKED);
  const short = opaque(given) ? undefined : shortCheck(file);
  if (short !== undefined) return judge.refuses("short", short);
  // What it has unpacked is a file like any other.
  const at = opaque(given) ? undefined : multiboot2At({ view: file.view, packedBy: undefined });
  if (at === undefined) {
    const { offset, found, expected } = opaque(given)
      ? { offset: 0, found: startText(file), expected: "a Multiboot2 header" }
      : explainNoMultiboot2(file.view.bytes).fault;
    return judge.refuses("no-header", { offset, found, expected });
  }
  const { tags, lost } = tagsOf(file, at);
  for (const tag of tags) {
    const fault = tagVerdict(file, tag, judge);
    if (fault !== undefined) return fault;
  }
  if (lost !== undefined) return judge.blind("tags-endless", lost);
  const find = (type: number): Tag | undefined => tags.filter((one) => one.type === type).at(-1);
  const word = (tag: Tag, index: number): number => {
    const place = tag.offset + HEADER_TAG.OFFSET.BODY + 4 * index;
    return file.view.holds(place, 4) ? file.view.u32(place) : 0;
  };
  const { ADDRESS, ENTRY_ADDRESS } = HEADER_TAG_TYPE;
  const [address, entry] = [find(ADDRESS), find(ENTRY_ADDRESS)];
  const entryText = hex(entry === undefined ? (file.elf?.entry ?? 0) : word(entry, 0));
  if (address === undefined) {
    const relocatable = find(HEADER_TAG_TYPE.RELOCATABLE);
    const range = relocatable && {
      tag: relocatable,
      least: word(relocatable, 0),
      most: word(relocatable, 1),
    };
    return (
      elfVerdict(file, MULTIBOOT2_SEARCH, judge, 2, range) ??
      judge.takes("multiboot2", `loaded as ELF, in 32-bit mode at ${entryText}`)
    );
  }
  if (entry === undefined) {
    return judge.refuses("no-entry-tag", {
      offset: address.offset,
      found: "an address tag and no entry address tag",
      expected: "both",
    });
  }
  const [header, givenLoad, loadEnd, bssEnd] = [0, 1, 2, 3].map((index) => word(address, index));
  const load = givenLoad === LOAD_ADDR_FILE_START ? header - at : givenLoad;
  return (
    addressVerdict(judge, address.offset, file.view.length, at - ((header - load) | 0), {
      load,
      loadEnd,
      bssEnd,
    }) ?? judge.takes("multiboot2", `loaded by the address tag, in 32-bit mode at ${entryText}`)
  );
}

/** A tag of a Multiboot2 header, at its file offset. */
interface Tag {
  readonly type: number;
  readonly optional: boolean;
  readonly size: number;
  readonly offset: number;
}

/** Tags as GRUB follows them: by their sizes until the end tag, whatever header_length says. `lost`: where they lead out of what was read. */
function tagsOf({ view }: X86File, header: number): { tags: readonly Tag[]; lost: FailedCheck | undefined } {
  const tags: Tag[] = [];
  const end = Math.min(MULTIBOOT2_SEARCH, view.length);
  for (let offset = header + MULTIBOOT2_HEADER.SIZE; ;) {
    if (offset + HEADER_TAG.SIZE > end) {
      const last = tags.at(-1);
      const found =
        last === undefined ? "no tag" : `a tag of size ${last.size}, behind which nothing was read`;
      const expected = "an end tag (not checked)";
      return { tags, lost: { offset: last?.offset ?? Math.min(offset, view.length), found, expected } };
    }
    const type = view.u16(offset + HEADER_TAG.OFFSET.TYPE);
    if (type === HEADER_TAG_TYPE.END) return { tags, lost: undefined };
    const size = view.u32(offset + HEADER_TAG.OFFSET.SIZE);
    const optional = (view.u16(offset + HEADER_TAG.OFFSET.FLAGS) & HEADER_TAG.FLAG_OPTIONAL) !== 0;
    tags.push({ type, optional, size, offset });
    if (size === 0)
      return { tags, lost: { offset, found: "a tag of size 0", expected: "8 or more (not checked)" } };
    offset += alignUp(size, MULTIBOOT2_ALIGNMENT);
  }
}

function tagVerdict({ view }: X86File, tag: Tag, judge: Judge<Name>): Verdict | undefined {
  const { type, optional, size, offset } = tag;
  if (optional) return undefined;
  if (!KNOWN_TAGS.includes(type)) {
    const check = {
      offset,
      found: `a tag of type ${type} that is not optional`,
      expected: "a tag that is known",
    };
    return judge.refuses("unsupported-tag", check, { values: { value: hex(type) } });
  }
  if (type !== HEADER_TAG_TYPE.INFORMATION_REQUEST) return undefined;
  for (let at = offset + HEADER_TAG.SIZE; at + 4 <= Math.min(offset + size, view.length); at += 4) {
    const wanted = view.u32(at);
    if (wanted <= LAST_INFORMATION) continue;
    const check = { offset: at, found: `information ${wanted}`, expected: `at most ${LAST_INFORMATION}` };
    return judge.refuses("unsupported-information", check, { values: { value: hex(wanted) } });
  }
  return undefined;
}

/** Where a relocatable kernel may go. */
interface Range {
  readonly tag: Tag;
  readonly least: number;
  readonly most: number;
}

function elfVerdict(
  file: X86File,
  window: number,
  judge: Judge<Name>,
  version: 1 | 2,
  range?: Range,
): Verdict | undefined {
  const { elf } = file;
  if (elf === undefined) {
    const ofAClass = file.view.length > EI.CLASS && [1, 2].includes(file.view.u8(EI.CLASS));
    const check = { offset: 0, found: startText(file), expected: "an ELF file" };
    return judge.refuses(ofAClass ? "elf-magic" : "no-elf", check);
  }
  const large = loads(elf).find(({ filesz, memsz }) => filesz > memsz);
  if (headFault(elf, window) === undefined && large !== undefined) {
    const offset = large.headerOffset + elf.layout.phdr.memsz;
    const found = `p_memsz ${hex(large.memsz)}, p_filesz ${hex(large.filesz)}`;
    return judge.blind("elf-memsz", { offset, found, expected: "room for what is read (not checked)" });
  }
  const fault = headFault(elf, window) ?? segmentsFault(elf, range) ?? sectionsFault(elf, version);
  if (fault !== undefined) return judge.refuses(...fault);
  const far = range === undefined ? segmentOutsideMemory(elf) : undefined;
  return far === undefined ? undefined : judge.blind("elf-unchecked", outsideMemoryCheck(elf, far));
}

type Fault = readonly [Name, FailedCheck];

function headFault(elf: RawElf, window: number): Fault | undefined {
  const { view } = elf;
  const { ehdr } = elf.layout;
  const wanted = elf.bits === 32 ? EM[386] : EM.X86_64;
  if (elf.bits === undefined)
    return ["no-elf", { offset: EI.CLASS, found: "another EI_CLASS", expected: "1 or 2" }];
  if (elf.data !== 1) return ["elf-magic", { offset: EI.DATA, found: `EI_DATA ${elf.data}`, expected: "1" }];
  if (elf.machine !== wanted) {
    const check = { offset: ehdr.machine, found: `e_machine ${elf.machine}`, expected: `${wanted}` };
    return ["no-elf", check];
  }
  const version = view.u32(ehdr.version);
  if (version !== 1)
    return ["no-elf", { offset: ehdr.version, found: `e_version ${version}`, expected: "1" }];
  if (elf.type !== ET.EXEC && elf.type !== ET.DYN) {
    const expected = `${ET.EXEC} (EXEC) or ${ET.DYN} (DYN)`;
    return ["elf-type", { offset: ehdr.type, found: `e_type ${elf.type}`, expected }];
  }
  const end = elf.phoff + BigInt(elf.phnum * elf.phentsize);
  const limit = Math.min(window, view.length);
  if (end <= BigInt(limit)) return undefined;
  const check = {
    offset: ehdr.phoff,
    found: `program headers up to ${hex(end)}`,
    expected: `at most ${hex(limit)}`,
  };
  return ["elf-window", check];
}

function segmentsFault(elf: RawElf, range: Range | undefined): Fault | undefined {
  const { ehdr, phdr } = elf.layout;
  const all = loads(elf);
  const high = elf.bits === 64 ? all.find(({ paddr, memsz }) => paddr + memsz >= FOUR_GIB) : undefined;
  if (high !== undefined) {
    const offset = high.headerOffset + phdr.paddr;
    return ["elf-4g", { offset, found: `p_paddr ${hex(high.paddr)}`, expected: "an end below 4 GiB" }];
  }
  const lowest = all.map(({ paddr }) => paddr).reduce((a, b) => (a < b ? a : b), FOUR_GIB - 1n);
  const highest = all.map(({ paddr, memsz }) => paddr + memsz).reduce((a, b) => (a > b ? a : b), 0n);
  if (range !== undefined && BigInt(range.least) + (highest - lowest) > BigInt(range.most)) {
    const found = `${hex(highest - lowest)} bytes from ${hex(range.least)} to ${hex(range.most)}`;
    return ["relocate-range", { offset: range.tag.offset, found, expected: "room for the kernel" }];
  }
  for (const one of all) {
    if (one.filesz === 0n || inFile(elf, one)) continue;
    const outside = one.offset > BigInt(elf.view.length);
    const offset = one.headerOffset + (outside ? phdr.offset : phdr.filesz);
    const found = `${hex(one.filesz)} bytes at ${hex(one.offset)}`;
    const expected = `them within the file of ${elf.view.length} bytes`;
    return [outside ? "elf-seek" : "elf-cut", { offset, found, expected }];
  }
  const inside = elf.segments.some(({ vaddr, memsz }) => elf.entry >= vaddr && elf.entry < vaddr + memsz);
  if (inside) return undefined;
  const expected = "an address in a segment";
  return ["elf-entry", { offset: ehdr.entry, found: `e_entry ${hex(elf.entry)}`, expected }];
}

function sectionsFault({ view, layout }: RawElf, version: 1 | 2): Fault | undefined {
  const { ehdr, shdr } = layout;
  const table = layout.wordSize === 8 ? view.u64(ehdr.shoff) : BigInt(view.u32(ehdr.shoff));
  const [count, size] = [view.u16(ehdr.shnum), view.u16(ehdr.shentsize)];
  if (count === 0) return undefined;
  if (table + BigInt(count * size) > BigInt(view.length)) {
    const found = `${count} section headers at ${hex(table)}`;
    return ["elf-sections", { offset: ehdr.shoff, found, expected: "them within the file" }];
  }
  if (version === 1 || size < shdr.size) return undefined;
  for (let i = 0; i < count; i++) {
    const at = Number(table) + i * size;
    const type = view.u32(at + shdr.type);
    if (type !== SHT.REL && type !== SHT.RELA) continue;
    return ["elf-relocs", { offset: at + shdr.type, found: `section ${i} of relocations`, expected: "none" }];
  }
  return undefined;
}
