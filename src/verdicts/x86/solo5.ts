/**
 * What Solo5's tenders do with a file of Solo5's. Facts of tenders/hvt/hvt_main.c, tenders/spt and tenders/common/elf.c (469c1a8d),
 * read, as data. They are asked about such files only: they refuse every other in the same words.
 */
import { hex } from "../../bytes/hex.js";
import type { Solo5Unikernel } from "../../formats/elf/unikernel.js";
import { EM, ET, PF } from "../../spec/elf.js";
import { SOLO5_ABI, SOLO5_NOTE, SOLO5_TENDER } from "../../spec/unikernels.js";
import { RuleTable } from "../rules.js";
import type { FailedCheck, LoaderFacts, Verdict } from "../verdict.js";
import { isLoaded } from "./checks.js";
import { inFile, loads, type RawElf, type RawNote } from "./raw-elf.js";

const SOURCE = "Solo5 tenders/hvt/hvt_main.c, tenders/common/elf.c (469c1a8d); read";
export const SOLO5_HVT: LoaderFacts = {
  name: "solo5-hvt",
  what: "solo5-hvt: Solo5's tender for KVM, bhyve's vmm, OpenBSD's vmm",
  source: SOURCE,
};
export const SOLO5_SPT: LoaderFacts = {
  name: "solo5-spt",
  what: "solo5-spt: Solo5's tender for a Linux process under seccomp",
  source: SOURCE.replace("hvt/hvt_main.c", "spt/spt_main.c"),
};

const REBUILD = "Build it again with Solo5's toolchain, which links it by its own scripts";
const INVALID = (text: string): string[] => [`FILE: invalid executable: ${text}`];

export const SOLO5_RULES = new RuleTable("solo5", SOURCE, {
  "elf-header": {
    what: "the file must be an ELF64 executable for this CPU",
    prints: [
      "FILE: invalid executable: invalid or unsupported executable (elf header invalid while loading note)",
    ],
    advice: REBUILD,
  },
  target: {
    what: "the ABI note must name this tender",
    prints: ["FILE: Executable is not for the {tender} target"],
  },
  version: {
    what: "the ABI note must have the tender's version",
    prints: ["FILE: Executable requests unsupported ABI version {version}"],
    advice: "Use tender and toolchain of the same Solo5",
  },
  manifest: {
    what: "there must be a manifest note",
    prints: ["FILE: No Solo5 manifest found in executable"],
    advice: "Make a manifest with solo5-elftool, and link it in",
  },
  entry: {
    what: "e_entry must lie in memory, at 1 MiB or higher",
    prints: INVALID("e_entry does not fall within the memory allocation range ({entry})"),
    advice: REBUILD,
  },
  segments: {
    what: "segments lie at 1 MiB or higher, in ascending order, in the file, aligned to pages",
    prints: INVALID("phdr[{index}].p_vaddr outside of valid memory range"),
    advice: REBUILD,
  },
  "write-exec": {
    what: "no segment may be writable and executable",
    prints: INVALID("phdr[{index}] requests WRITE and EXEC permissions"),
    advice: REBUILD,
  },
  loaded: {
    what: "it is entered at e_entry in 64-bit mode, its first argument points to what the tender says",
  },
});

const VERSIONS = { hvt: SOLO5_TENDER.HVT_VERSION, spt: SOLO5_TENDER.SPT_VERSION } as const;

/** What a tender does with a file that has Solo5's ABI note. */
export function solo5(elf: RawElf, unikernel: Solo5Unikernel, tender: "hvt" | "spt"): Verdict {
  const facts = tender === "hvt" ? SOLO5_HVT : SOLO5_SPT;
  const judge = SOLO5_RULES.judge(facts);
  const header = headerFault(elf);
  if (header !== undefined) return judge.refuses("elf-header", header);
  const { target, targetNumber, version, offset } = unikernel;
  if (target !== tender) {
    const check = { offset, found: `target ${target ?? targetNumber}`, expected: tender };
    return judge.refuses("target", check, { values: { tender: facts.name } });
  }
  if (version !== VERSIONS[tender]) {
    const expected = `version ${VERSIONS[tender]}`;
    const check = { offset: offset + SOLO5_ABI.VERSION, found: `version ${version}`, expected };
    return judge.refuses("version", check, { values: { version } });
  }
  if (!elf.notes.some(isManifest)) {
    const check = { offset: elf.layout.ehdr.phoff, found: "no manifest note", expected: "one in a PT_NOTE" };
    return judge.refuses("manifest", check);
  }
  if (!isLoaded(elf, elf.entry) || elf.entry < BigInt(SOLO5_TENDER.LOWEST)) {
    const check = {
      offset: elf.layout.ehdr.entry,
      found: `e_entry ${hex(elf.entry)}`,
      expected: `an address in a segment, from ${hex(SOLO5_TENDER.LOWEST)} on`,
    };
    return judge.refuses("entry", check, { values: { entry: elf.entry.toString() } });
  }
  const fault = segmentFault(elf);
  if (fault !== undefined) return judge.refuses(fault.rule, fault.check, { values: { index: fault.index } });
  return judge.takes(
    "loaded",
    `in 64-bit mode at e_entry ${hex(elf.entry)}, with the devices of its manifest`,
  );
}

function isManifest({ name, type, segment }: RawNote): boolean {
  return segment !== undefined && name === SOLO5_NOTE.OWNER && type === SOLO5_NOTE.MANIFEST;
}

function headerFault(elf: RawElf): FailedCheck | undefined {
  const { ehdr } = elf.layout;
  if (elf.type !== ET.EXEC)
    return { offset: ehdr.type, found: `e_type ${elf.type}`, expected: `${ET.EXEC} (ET_EXEC)` };
  if (elf.bits === 64 && elf.machine === EM.X86_64) return undefined;
  const found = `e_machine ${elf.machine}, ELF${elf.bits ?? ""}`;
  return { offset: ehdr.machine, found, expected: `${EM.X86_64} in an ELF64 file, on this CPU` };
}

const WRITE_EXECUTE = PF.W | PF.X;

/** The first segment with bytes that breaks a rule. */
function segmentFault(
  elf: RawElf,
): { rule: "segments" | "write-exec"; index: number; check: FailedCheck } | undefined {
  const { phdr } = elf.layout;
  let last = 0n;
  for (const segment of loads(elf)) {
    const { headerOffset, vaddr, filesz, index } = segment;
    if (filesz === 0n) continue;
    const wrong = (field: number, found: string, expected: string) =>
      ({ rule: "segments", index, check: { offset: headerOffset + field, found, expected } }) as const;
    const at = `p_vaddr ${hex(vaddr)} in program header ${index}`;
    if (vaddr < BigInt(SOLO5_TENDER.LOWEST))
      return wrong(phdr.vaddr, at, `${hex(SOLO5_TENDER.LOWEST)} or higher`);
    if (vaddr < last) return wrong(phdr.vaddr, at, `at least ${hex(last)}, where the one before ends`);
    if (vaddr % BigInt(SOLO5_TENDER.PAGE) !== 0n)
      return wrong(phdr.vaddr, at, `a multiple of ${hex(SOLO5_TENDER.PAGE)}`);
    if (!inFile(elf, segment))
      return wrong(phdr.filesz, `p_filesz ${hex(filesz)}`, "bytes that are in the file");
    last = vaddr + segment.memsz;
    const flags = elf.view.u32(headerOffset + phdr.flags);
    if ((flags & WRITE_EXECUTE) === WRITE_EXECUTE) {
      const check = {
        offset: headerOffset + phdr.flags,
        found: `p_flags ${hex(flags)}`,
        expected: "not both of W and X",
      };
      return { rule: "write-exec", index, check };
    }
  }
  return undefined;
}
