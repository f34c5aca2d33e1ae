/**
 * What GRUB's commands do with an image on i386-pc: linux, multiboot, multiboot2. Facts of grub-core/loader/i386/linux.c,
 * multiboot.c, multiboot_mbi2.c, multiboot_elfxx.c of GRUB 2.12, read, as data.
 */
import { hex } from "../../bytes/hex.js";
import { FormatError } from "../../formats/format-error.js";
import {
  explainNoMultiboot2,
  findMultiboot2,
  type Multiboot2Header,
} from "../../formats/multiboot2/multiboot2.js";
import { explainNoMultiboot1 } from "../../formats/multiboot1/multiboot1.js";
import { EI, ET, EM } from "../../spec/elf.js";
import { PROTOCOL, SETUP_OFFSET } from "../../spec/linux-boot.js";
import { MULTIBOOT1_HEADER, MULTIBOOT1_SEARCH } from "../../spec/multiboot1.js";
import { HEADER_TAG_TYPE, MULTIBOOT2_SEARCH } from "../../spec/multiboot2.js";
import { RuleTable, type Judge } from "../rules.js";
import type { FailedCheck, LoaderFacts, Verdict } from "../verdict.js";
import { cutCodeCheck, isLoaded, realModeCheck } from "./checks.js";
import {
  GOOD_BOOT_FLAG,
  promisesAddresses,
  protocolText,
  seenBy,
  setupMagicCheck,
  startText,
  type X86File,
} from "./file.js";
import { loads, type RawElf } from "./raw-elf.js";

const SOURCE =
  "GRUB 2.12 grub-core/loader/i386/linux.c, multiboot.c, multiboot_mbi2.c, multiboot_elfxx.c; read";
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
const MULTIBOOT_ADVICE = "Give linux a bzImage, multiboot or multiboot2 a kernel with such a header";
export const GRUB_RULES = new RuleTable("grub", SOURCE, {
  magic: {
    what: 'linux wants boot_flag 0xaa55 and "HdrS"',
    prints: error("invalid magic number"),
    advice: MULTIBOOT_ADVICE,
  },
  "setup-sects": { what: "setup_sects must be 64 at most", prints: error("too many setup sectors") },
  "version-old": {
    what: "the 32-bit boot protocol needs 2.03 or later",
    prints: ["error: version too old for 32-bit boot (try with `linux16')."],
    advice: "Use linux16, which runs the setup code with the BIOS",
  },
  zimage: {
    what: "a zImage has no 32-bit boot",
    prints: ["error: zImage doesn't support 32-bit boot (try with `linux16')."],
    advice: "Use linux16, which runs the setup code with the BIOS",
  },
  linux: { what: "a bzImage is entered at code32_start in 32-bit mode; on EFI by its EFI stub" },
  "linux-unchecked": { what: "what is loaded is not looked at", advice: "Fetch or build the file again" },
  "linux-real-mode": {
    what: "linux enters the 32-bit code; the kernel works only through its setup code",
    advice: "Use linux16, which runs the setup code with the BIOS",
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
  "unsupported-tag": {
    what: "a tag that is not optional must be known",
    prints: error("unsupported tag: {value}"),
  },
  "no-entry-tag": {
    what: "an address tag needs an entry address tag",
    prints: error("load address tag without entry address tag"),
  },
  "bad-header": {
    what: "multiboot2's tags must lie in the header",
    prints: error("no multiboot header found"),
  },
  "no-elf": { what: "without load addresses the kernel must be ELF", prints: error("unknown ELF class") },
  "elf-arch": {
    what: "the ELF file must be little-endian, for i386 (class 32) or x86-64 (class 64)",
    prints: error("invalid arch-dependent ELF magic"),
  },
  "elf-type": { what: "e_type must be EXEC", prints: error("this ELF file is not of the right type") },
  "elf-window": {
    what: "the program headers must lie in the window that headers are looked for in",
    prints: error("program header at a too high offset"),
  },
  "elf-4g": { what: "segments must lie below 4 GiB", prints: error("segment crosses 4 GiB border") },
  "elf-entry": {
    what: "the entry must lie in a segment",
    prints: error("entry point isn't in a segment"),
    advice: "Link the kernel so that e_entry is in a PT_LOAD, by p_vaddr",
  },
  multiboot: { what: "multiboot: loaded by addresses or as ELF, entered in 32-bit mode, eax = 0x2badb002" },
  multiboot2: {
    what: "multiboot2: loaded by the address tag or as ELF, entered in 32-bit mode, eax = 0x36d76289",
  },
});
type Name = keyof typeof GRUB_RULES.rules;

/** Files that GRUB unpacks when it opens them. */
const UNPACKED = ["gzip", "xz", "lzo"];
const MOST_SETUP_SECTS = 64;
const FOUR_GIB = 2n ** 32n;
const BAD_FLAGS = 0xfff8;

/** GRUB's linux command. */
export function grubLinux(given: X86File): Verdict {
  const judge = GRUB_RULES.judge(GRUB_LINUX);
  const file = seenBy(given, UNPACKED);
  const { setup } = file;
  if (setup === undefined) return judge.refuses("magic", setupMagicCheck(file));
  const at = SETUP_OFFSET;
  if (setup.bootFlag !== GOOD_BOOT_FLAG) {
    return judge.refuses("magic", {
      offset: 0x1fe,
      found: `boot_flag ${hex(setup.bootFlag)}`,
      expected: hex(GOOD_BOOT_FLAG),
    });
  }
  if (setup.setupSects > MOST_SETUP_SECTS) {
    return judge.refuses("setup-sects", {
      offset: at.setup_sects,
      found: `setup_sects ${setup.setupSects}`,
      expected: `at most ${MOST_SETUP_SECTS}`,
    });
  }
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
  const cut = cutCodeCheck(file, at.syssize);
  if (cut !== undefined) return judge.blind("linux-unchecked", cut);
  const realMode = realModeCheck(file);
  if (realMode !== undefined) return judge.blind("linux-real-mode", realMode);
  return judge.takes(
    "linux",
    `by the 32-bit entry point at ${hex(setup.code32Start)}; on EFI by its EFI stub`,
  );
}

/** GRUB's multiboot command. */
export function grubMultiboot(given: X86File): Verdict {
  const judge = GRUB_RULES.judge(GRUB_MULTIBOOT);
  const file = seenBy(given, UNPACKED);
  const { multiboot } = file;
  if (multiboot === undefined) {
    const { offset, found, expected } =
      given.packedBy !== undefined && file.view === given.view && file.elf === undefined
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
    return judge.refuses("unsupported-flag", check, { values: { value: hex(flags & BAD_FLAGS) } });
  }
  if (promisesAddresses(multiboot)) {
    return judge.takes(
      "multiboot",
      `loaded by the header's addresses, in 32-bit mode at ${hex(addresses?.entry ?? 0)}`,
    );
  }
  return (
    elfVerdict(file, MULTIBOOT1_SEARCH, judge) ??
    judge.takes("multiboot", `loaded as ELF, in 32-bit mode at ${entryText(file)}`)
  );
}

/** GRUB's multiboot2 command. */
export function grubMultiboot2(given: X86File): Verdict {
  const judge = GRUB_RULES.judge(GRUB_MULTIBOOT2);
  const file = seenBy(given, UNPACKED);
  const opaque = given.packedBy !== undefined && !UNPACKED.includes(given.packedBy);
  let header: Multiboot2Header | undefined;
  try {
    header = opaque ? undefined : findMultiboot2(file.view.bytes);
  } catch (failure) {
    if (!(failure instanceof FormatError)) throw failure;
    const { offset, found, expected } = failure;
    return judge.refuses("bad-header", { offset, found, expected });
  }
  if (header === undefined) {
    const { offset, found, expected } = opaque
      ? { offset: 0, found: startText(file), expected: "a Multiboot2 header" }
      : explainNoMultiboot2(file.view.bytes).fault;
    return judge.refuses("no-header", { offset, found, expected });
  }
  const known: readonly number[] = Object.values(HEADER_TAG_TYPE);
  const strange = header.tags.find(({ type, optional }) => !optional && !known.includes(type));
  if (strange !== undefined) {
    const check = {
      offset: strange.offset,
      found: `a tag of type ${strange.type} that is not optional`,
      expected: "types 0 to 10",
    };
    return judge.refuses("unsupported-tag", check, { values: { value: hex(strange.type) } });
  }
  const tag = (type: number) => header.tags.find((one) => one.type === type);
  const [address, entry] = [tag(HEADER_TAG_TYPE.ADDRESS), tag(HEADER_TAG_TYPE.ENTRY_ADDRESS)];
  if (address !== undefined && entry === undefined) {
    return judge.refuses("no-entry-tag", {
      offset: address.offset,
      found: "an address tag and no entry address tag",
      expected: "both",
    });
  }
  if (address !== undefined)
    return judge.takes(
      "multiboot2",
      `loaded by the address tag, in 32-bit mode at ${hex(entry?.words[0] ?? 0)}`,
    );
  const refused = elfVerdict(file, MULTIBOOT2_SEARCH, judge, entry !== undefined);
  return (
    refused ??
    judge.takes(
      "multiboot2",
      `loaded as ELF, in 32-bit mode at ${entry === undefined ? entryText(file) : hex(entry.words[0])}`,
    )
  );
}

function entryText({ elf }: X86File): string {
  return hex(elf?.entry ?? 0);
}

function elfVerdict(
  file: X86File,
  window: number,
  judge: Judge<Name>,
  ownEntry = false,
): Verdict | undefined {
  const { elf } = file;
  if (elf === undefined)
    return judge.refuses("no-elf", { offset: 0, found: startText(file), expected: "an ELF file" });
  const fault = elfFault(elf, window, ownEntry);
  return fault === undefined ? undefined : judge.refuses(...fault);
}

function elfFault(elf: RawElf, window: number, ownEntry: boolean): [Name, FailedCheck] | undefined {
  const { ehdr, phdr } = elf.layout;
  const wanted = elf.bits === 32 ? EM[386] : EM.X86_64;
  if (elf.bits === undefined)
    return ["no-elf", { offset: EI.CLASS, found: "another EI_CLASS", expected: "1 or 2" }];
  if (elf.machine !== wanted || elf.data !== 1) {
    return [
      "elf-arch",
      {
        offset: ehdr.machine,
        found: `e_machine ${elf.machine}, EI_DATA ${elf.data}`,
        expected: `${wanted}, 1`,
      },
    ];
  }
  if (elf.type !== ET.EXEC)
    return ["elf-type", { offset: ehdr.type, found: `e_type ${elf.type}`, expected: `${ET.EXEC} (EXEC)` }];
  if (elf.phoff + BigInt(elf.phnum * elf.phentsize) > BigInt(window)) {
    return [
      "elf-window",
      {
        offset: ehdr.phoff,
        found: `program headers up to ${hex(elf.phoff + BigInt(elf.phnum * elf.phentsize))}`,
        expected: `at most ${hex(window)}`,
      },
    ];
  }
  const high = loads(elf).find(({ paddr, memsz }) => paddr + memsz > FOUR_GIB);
  if (high !== undefined) {
    return [
      "elf-4g",
      {
        offset: high.headerOffset + phdr.paddr,
        found: `p_paddr ${hex(high.paddr)}`,
        expected: "an end below 4 GiB",
      },
    ];
  }
  const virtual = loads(elf).some(({ vaddr, memsz }) => elf.entry >= vaddr && elf.entry < vaddr + memsz);
  if (ownEntry || virtual || isLoaded(elf, elf.entry)) return undefined;
  return [
    "elf-entry",
    { offset: ehdr.entry, found: `e_entry ${hex(elf.entry)}`, expected: "an address in a segment" },
  ];
}
