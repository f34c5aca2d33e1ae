/**
 * What crosvm does with an image on x86-64. Facts of kernel_loader/src/elf.rs and multiboot.rs, x86_64/src/bzimage.rs and
 * lib.rs (f1e797a6), read, as data.
 */
import { hex } from "../../bytes/hex.js";
import { EI, EM } from "../../spec/elf.js";
import { SETUP_OFFSET } from "../../spec/linux-boot.js";
import { MULTIBOOT1_HEADER } from "../../spec/multiboot1.js";
import { RuleTable } from "../rules.js";
import type { FailedCheck, LoaderFacts, Verdict } from "../verdict.js";
import {
  cutCodeCheck,
  entryCheck,
  isLoaded,
  machineCheck,
  multibootEntryCheck,
  outsideMemoryCheck,
  programCheck,
  realModeCheck,
  segmentOutsideMemory,
} from "./checks.js";
import { promisesAddresses, seenBy, setupMagicCheck, type RawMultiboot, type X86File } from "./file.js";
import { hasElfMagic, inFile, loads, type RawElf } from "./raw-elf.js";

const SOURCE =
  "crosvm kernel_loader/src/elf.rs, multiboot.rs; x86_64/src/bzimage.rs, lib.rs (f1e797a6); read";
export const CROSVM: LoaderFacts = { name: "crosvm", what: "crosvm run KERNEL on x86-64", source: SOURCE };

const elf = (text: string): string[] => [`error loading Kernel: ${text}`];
const bz = (text: string): string[] => [`error loading kernel bzImage: ${text}`];
const REBUILD = "The file is damaged or cut short: fetch or build it again";

export const CROSVM_RULES = new RuleTable("crosvm", SOURCE, {
  "multiboot-flags": {
    what: "a Multiboot header may have the flags 0x10007 only, in an ELF file too",
    prints: elf("invalid flags"),
    since: "2024-08 (008c3bc1)",
  },
  "multiboot-addresses": {
    what: "the addresses of a Multiboot header must agree with each other and with the file",
    prints: elf("invalid kernel offset"),
    since: "2024-08 (008c3bc1)",
  },
  multiboot: {
    what: "a Multiboot header with load addresses is obeyed, 32-bit mode, no modules",
    since: "2024-08 (008c3bc1)",
  },
  "elf-short": {
    what: "the ELF header must lie in the file",
    prints: elf("unable to read header"),
    advice: REBUILD,
  },
  "elf-endian": {
    what: "the ELF file must be little-endian",
    prints: elf("trying to load big-endian binary on little-endian machine"),
  },
  "elf-version": { what: "EI_VERSION must be 1", prints: elf("invalid elf version"), advice: REBUILD },
  "elf-class": { what: "EI_CLASS must be 1 or 2", prints: elf("invalid elf class"), advice: REBUILD },
  "elf-phentsize": {
    what: "e_phentsize must be that of the class",
    prints: elf("invalid program header size"),
    advice: REBUILD,
  },
  "elf-phoff": {
    what: "e_phoff must not lie in the ELF header",
    prints: elf("invalid program header offset"),
    advice: REBUILD,
  },
  "elf-headers": {
    what: "every program header must lie in the file",
    prints: elf("unable to read program header"),
    advice: REBUILD,
  },
  "elf-low": {
    what: "every segment must lie at 2 MiB or higher, by p_paddr",
    prints: elf("program header address out of allowed address range"),
    advice: "Link the kernel for 2 MiB or higher (Linux: CONFIG_PHYSICAL_START=0x200000 or more)",
  },
  "elf-segments": {
    what: "every segment's bytes must lie in the file and in memory",
    prints: elf("unable to read kernel image"),
    advice: REBUILD,
  },
  "elf-empty": {
    what: "there must be a segment to load",
    prints: elf("no loadable program headers found"),
    advice: REBUILD,
  },
  "elf-entry": {
    what: "e_entry must lie in what was loaded",
    prints: elf("invalid entry point"),
    advice:
      "Link the kernel with a physical entry address (FreeBSD's and other virtual ones are for their loaders)",
  },
  "elf-32": {
    what: "an ELF32 file is entered at e_entry in 32-bit mode, esi = zero page",
    since: "2025-04 (4760a632)",
  },
  "elf-64": {
    what: "an ELF64 file is entered at e_entry in 64-bit mode, rsi = zero page; a PVH note is not looked at",
  },
  "elf-unchecked": { what: "what is at e_entry is not looked at: it runs in the mode of the ELF class" },
  "bz-signature": {
    what: "what is no ELF file is read as a bzImage",
    prints: bz("bad kernel header signature"),
    advice:
      "It takes ELF files, bzImages and Multiboot kernels with load addresses; a packed file has to be unpacked first",
  },
  "bz-short": {
    what: "the setup header must lie in the file",
    prints: bz("unable to read header size: failed to fill whole buffer"),
    advice: REBUILD,
  },
  "bz-setup-sects": {
    what: "setup_sects must not be 0",
    prints: bz("invalid setup_sects value {value}"),
    advice: REBUILD,
  },
  "bz-syssize": {
    what: "the file must hold setup code and syssize",
    prints: bz("invalid syssize value {value}"),
    advice: REBUILD,
  },
  bzimage: { what: "a bzImage is entered by its 64-bit entry where it has one, else by the 32-bit one" },
  "real-mode": {
    what: "nothing tells that the kernel works only through its real-mode setup code, which asks a BIOS",
    advice: "Boot it with a BIOS: QEMU, or locore boot KERNEL -o loader.bios=on",
  },
});

const FLAGS = 0x1_0007;
const LOWEST = 0x20_0000n;
const SHORTEST = 0x202;
const AT = MULTIBOOT1_HEADER.OFFSET;

/** What crosvm does. */
export function crosvm(given: X86File): Verdict {
  const file = seenBy(given);
  const { multiboot } = file;
  const byHeader = multiboot === undefined ? undefined : byMultiboot(file, multiboot);
  if (byHeader !== undefined) return byHeader;
  if (file.elf !== undefined) return byElf(file, file.elf);
  if (given.packedBy === undefined && hasElfMagic(file.view)) {
    const check = { offset: file.view.length, found: "the end of the file", expected: "a whole ELF header" };
    return CROSVM_RULES.judge(CROSVM).refuses("elf-short", check);
  }
  return bzImage(file);
}

function byMultiboot({ view }: X86File, header: RawMultiboot): Verdict | undefined {
  const judge = CROSVM_RULES.judge(CROSVM);
  const { offset, flags, addresses } = header;
  if ((flags & ~FLAGS) !== 0) {
    return judge.refuses("multiboot-flags", {
      offset: offset + AT.FLAGS,
      found: `flags ${hex(flags)}`,
      expected: `only bits of ${hex(FLAGS)}`,
    });
  }
  if (!promisesAddresses(header)) return undefined;
  const wrong = (at: number, found: string, expected: string): Verdict =>
    judge.refuses("multiboot-addresses", { offset: offset + at, found, expected });
  if (addresses === undefined) return wrong(AT.HEADER_ADDR, "the end of the file", "the header's addresses");
  const { header: at, load, loadEnd, bssEnd, entry } = addresses;
  if (at < load) return wrong(AT.LOAD_ADDR, `load_addr ${hex(load)}`, `at most header_addr ${hex(at)}`);
  const start = offset - (at - load);
  if (start < 0)
    return wrong(AT.HEADER_ADDR, `header_addr ${hex(at)}`, "the header's place in the file behind load_addr");
  if (loadEnd !== 0 && loadEnd < load)
    return wrong(AT.LOAD_END_ADDR, `load_end_addr ${hex(loadEnd)}`, "0, or at least load_addr");
  const end = loadEnd === 0 ? load + view.length - start : loadEnd;
  if (bssEnd !== 0 && bssEnd < end)
    return wrong(AT.BSS_END_ADDR, `bss_end_addr ${hex(bssEnd)}`, `0, or at least ${hex(end)}`);
  if (entry < load || entry >= end)
    return wrong(AT.ENTRY_ADDR, `entry_addr ${hex(entry)}`, `within ${hex(load)}–${hex(end)}`);
  if (start + (end - load) > view.length)
    return wrong(AT.LOAD_END_ADDR, `load_end_addr ${hex(loadEnd)}`, "no more than the file has");
  return judge.takes(
    "multiboot",
    `by Multiboot, loaded by the header's addresses, in 32-bit mode at ${hex(entry)}; no modules`,
  );
}

function elfFault(raw: RawElf): [name: keyof typeof CROSVM_RULES.rules, check: FailedCheck] | undefined {
  const { ehdr, phdr } = raw.layout;
  if (raw.data === 2)
    return [
      "elf-endian",
      { offset: EI.DATA, found: "EI_DATA 2 (big-endian)", expected: "1 (little-endian)" },
    ];
  if (raw.version !== 1)
    return ["elf-version", { offset: EI.VERSION, found: `EI_VERSION ${raw.version}`, expected: "1" }];
  if (raw.bits === undefined)
    return ["elf-class", { offset: EI.CLASS, found: "another EI_CLASS", expected: "1 or 2" }];
  if (raw.phentsize !== phdr.size)
    return [
      "elf-phentsize",
      { offset: ehdr.phentsize, found: `e_phentsize ${raw.phentsize}`, expected: `${phdr.size}` },
    ];
  if (raw.phoff < BigInt(ehdr.size))
    return [
      "elf-phoff",
      { offset: ehdr.phoff, found: `e_phoff ${hex(raw.phoff)}`, expected: `${hex(ehdr.size)} or more` },
    ];
  if (!raw.complete)
    return [
      "elf-headers",
      {
        offset: ehdr.phoff,
        found: `${raw.phnum} program headers at ${hex(raw.phoff)}`,
        expected: "them within the file",
      },
    ];
  return segmentFault(raw);
}

function segmentFault(raw: RawElf): [name: keyof typeof CROSVM_RULES.rules, check: FailedCheck] | undefined {
  const { ehdr, phdr } = raw.layout;
  const all = loads(raw);
  if (all.length === 0)
    return ["elf-empty", { offset: ehdr.phnum, found: "no PT_LOAD", expected: "one at least" }];
  const low = all.find(({ paddr }) => paddr < LOWEST);
  if (low !== undefined) {
    return [
      "elf-low",
      {
        offset: low.headerOffset + phdr.paddr,
        found: `p_paddr ${hex(low.paddr)} in program header ${low.index}`,
        expected: `${hex(LOWEST)} or more`,
      },
    ];
  }
  const cut = all.find((one) => one.filesz > 0n && !inFile(raw, one));
  if (cut !== undefined) {
    return [
      "elf-segments",
      {
        offset: cut.headerOffset + phdr.filesz,
        found: `${hex(cut.filesz)} bytes at ${hex(cut.offset)}`,
        expected: `them within the file of ${raw.view.length} bytes`,
      },
    ];
  }
  const outside = segmentOutsideMemory(raw);
  if (outside !== undefined) return ["elf-segments", outsideMemoryCheck(raw, outside)];
  return isLoaded(raw, raw.entry)
    ? undefined
    : [
        "elf-entry",
        {
          ...(entryCheck(raw) ?? { offset: ehdr.entry, found: "" }),
          expected: "an address in a loaded segment",
        },
      ];
}

function byElf(file: X86File, raw: RawElf): Verdict {
  const judge = CROSVM_RULES.judge(CROSVM);
  const fault = elfFault(raw);
  if (fault !== undefined) return judge.refuses(...fault);
  const wide = raw.bits === 64;
  const check =
    machineCheck(raw, wide ? [EM.X86_64] : [EM[386], EM.X86_64]) ??
    multibootEntryCheck(file, raw) ??
    programCheck(file, raw);
  if (check !== undefined) return judge.blind("elf-unchecked", check);
  return judge.takes(
    wide ? "elf-64" : "elf-32",
    `in ${raw.bits ?? 64}-bit mode at e_entry ${hex(raw.entry)}, rsi = zero page`,
  );
}

function bzImage(file: X86File): Verdict {
  const judge = CROSVM_RULES.judge(CROSVM);
  const { view, setup, packedBy } = file;
  if (packedBy === undefined && view.length < SHORTEST) {
    return judge.refuses("bz-short", {
      offset: view.length,
      found: "the end of the file",
      expected: "a setup header at 0x1f1",
    });
  }
  if (setup === undefined) return judge.refuses("bz-signature", setupMagicCheck(file));
  if (setup.setupSects === 0) {
    return judge.refuses(
      "bz-setup-sects",
      { offset: SETUP_OFFSET.setup_sects, found: "setup_sects 0", expected: "1 or more" },
      { values: { value: 0 } },
    );
  }
  const cut = cutCodeCheck(file, SETUP_OFFSET.syssize);
  if (cut !== undefined)
    return judge.refuses("bz-syssize", cut, { values: { value: setup.codeSize / PARAGRAPH } });
  const realMode = realModeCheck(file);
  if (realMode !== undefined) return judge.blind("real-mode", realMode);
  return judge.takes(
    "bzimage",
    setup.entry64
      ? "by the 64-bit entry point at 0x200200, rsi = zero page"
      : "by the 32-bit entry point at 0x200000, esi = zero page",
  );
}

const PARAGRAPH = 16;
