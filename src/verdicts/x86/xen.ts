/**
 * What Xen's toolstack does with an image for an x86 guest without firmware: type="pv" and type="pvh". Facts of
 * tools/libs/guest/xg_dom_*loader.c and xen/common/libelf/libelf-dominfo.c (c447b730, 4.23-dev), read, as data; 4.17's library is
 * asked by tests. It probes its loaders in turn: firmware's (pvh only), bzImage, ELF. A probe that fails says nothing, so that most
 * faults have the words "no loader found".
 */
import { hex, hexBytes } from "../../bytes/hex.js";
import { EI, EM } from "../../spec/elf.js";
import { PROTOCOL, SECTOR_SIZE, SETUP_OFFSET } from "../../spec/linux-boot.js";
import { RuleTable, type Judge } from "../rules.js";
import type { FailedCheck, LoaderFacts, Verdict } from "../verdict.js";
import {
  entryCheck,
  isLoaded,
  machineCheck,
  multibootEntryCheck,
  programCheck,
  PVH_ADVICE,
} from "./checks.js";
import { protocolText, seenBy, startText, type X86File } from "./file.js";
import { inFile, loads, type RawElf } from "./raw-elf.js";
import { headerFault, xenGuestSection, xenImage, type XenImage } from "./xen-image.js";

const SOURCE =
  "Xen tools/libs/guest/xg_dom_core.c xc_dom_find_loader, xg_dom_elfloader.c, xg_dom_hvmloader.c, xg_dom_bzimageloader.c; xen/common/libelf (c447b730, read); libxenguest 4.17 run";
export const XEN_PVH: LoaderFacts = {
  name: "xen-pvh",
  what: 'Xen, xl create with type = "pvh"',
  source: SOURCE,
};
export const XEN_PV: LoaderFacts = {
  name: "xen-pv",
  what: 'Xen, xl create with type = "pv"',
  source: SOURCE,
};

/** What every message of this kind ends with. */
const INVALID = ": Invalid kernel";
const NOTHING_FOUND = `xc_dom_find_loader: no loader found${INVALID}`;
const PROBE = "xc_dom_probe_bzimage_kernel";
const NEEDS_XEN = "Linux: CONFIG_XEN_PV=y for type pv, CONFIG_PVH=y or CONFIG_XEN_PVH=y for type pvh";
const AGAIN = "Fetch or build the file again";
export const XEN_RULES = new RuleTable("xen", SOURCE, {
  "no-loader": {
    what: "it takes bzImages and ELF files, gzip'ed ones too",
    prints: [NOTHING_FOUND],
    advice: 'Give the bzImage or the ELF kernel, or start a firmware: type = "hvm"',
  },
  "protocol-old": {
    what: "a bzImage must have protocol 2.08 or later: it is the payload that is loaded",
    prints: [`${PROBE}: boot protocol too old ({value})${INVALID}`, NOTHING_FOUND],
  },
  "payload-offset": {
    what: "payload_offset must lie in the file",
    prints: [`${PROBE}: payload offset overflow${INVALID}`, NOTHING_FOUND],
    advice: AGAIN,
  },
  "payload-length": {
    what: "the payload must lie in the file",
    prints: [`${PROBE}: payload length overflow${INVALID}`, NOTHING_FOUND],
    advice: AGAIN,
  },
  "payload-format": {
    what: "the payload must be packed with gzip, bzip2, xz, zstd, lzma, lzo or lz4",
    prints: [`${PROBE}: unknown compression format${INVALID}`, NOTHING_FOUND],
  },
  payload: {
    what: "the payload must unpack to an ELF file",
    prints: [NOTHING_FOUND],
    advice: AGAIN,
  },
  "no-notes": {
    what: "an ELF file needs Xen's notes, or a section __xen_guest; what is missing is not said",
    prints: [NOTHING_FOUND],
    advice: NEEDS_XEN,
  },
  "loader-note": {
    what: 'type pv needs the note LOADER "generic" (or GUEST_OS "linux"); what is missing is not said',
    prints: [NOTHING_FOUND],
    advice: NEEDS_XEN,
  },
  "version-note": {
    what: 'type pv needs the note XEN_VERSION "xen-3.0"; what is missing is not said',
    prints: [NOTHING_FOUND],
    advice: NEEDS_XEN,
  },
  "paddr-offset": {
    what: "PADDR_OFFSET needs VIRT_BASE; what is missing is not said",
    prints: [NOTHING_FOUND],
  },
  bounds: {
    what: "the entry must lie between the first and the last byte that is loaded; what is wrong is not said",
    prints: [NOTHING_FOUND],
  },
  "elf-broken": {
    what: "the ELF file's tables must lie in it",
    prints: [NOTHING_FOUND],
    advice: AGAIN,
  },
  machine: {
    what: "a paravirtual kernel must be for x86",
    prints: [`xc_dom_guest_type: unknown image type {value}${INVALID}`],
    advice: "Get the x86 build of it",
  },
  "hvm-elf64": {
    what: "an ELF file whose notes do not do is loaded as firmware is, and must be 32-bit",
    prints: [`xc_dom_parse_hvm_kernel: ELF image is not 32bit${INVALID}`],
    advice: PVH_ADVICE,
  },
  "hvm-elf32": {
    what: "an ELF32 file whose notes do not do is loaded as firmware is, and entered at e_entry in 32-bit mode",
  },
  "not-pvh": {
    what: "type pvh needs the note PHYS32_ENTRY",
    prints: [`xc_dom_guest_type: image not capable of booting inside a HVM container${INVALID}`],
    advice: PVH_ADVICE,
  },
  pvh: {
    what: "the note PHYS32_ENTRY is entered in 32-bit mode, ebx = start_info",
    since: '4.11 (4.10 as device model "none")',
  },
  "pvh-unchecked": { what: "neither e_machine nor what is at the entry is looked at" },
  "pv-no-pae": {
    what: "a 32-bit paravirtual kernel must have page tables with PAE",
    prints: [`xc_dom_compat_check: guest type xen-3.0-x86_32 not supported by xen kernel, sorry${INVALID}`],
    advice: "Give a 64-bit kernel, or a 32-bit one with PAE",
  },
  "pv-entry": {
    what: "without the note ENTRY e_entry is entered: kernels with a PVH entry that run in HVM containers only have none",
    advice: 'Use type = "pvh"',
  },
  pv: { what: "a paravirtual kernel is entered at its note ENTRY, rsi = start_info page" },
});
type Name = keyof typeof XEN_RULES.rules;

/** Beginnings of payloads that it unpacks. */
const PACKED: readonly (readonly number[])[] = [
  [0x1f, 0x8b],
  [0x42, 0x5a, 0x68],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a],
  [0x28, 0xb5, 0x2f, 0xfd],
  [0x5d, 0x00],
  [0x89, 0x4c, 0x5a, 0x4f],
  [0x02, 0x21],
];

/** What xl does for a guest of a type. */
export function xenX86(given: X86File, type: "pv" | "pvh"): Verdict {
  const judge = XEN_RULES.judge(type === "pv" ? XEN_PV : XEN_PVH);
  const file = seenBy(given, ["gzip"]);
  const { setup, elf } = file;
  if (setup !== undefined) return bzImage(file, type, judge);
  if (elf !== undefined) return byElf(file, elf, type, judge);
  return judge.refuses("no-loader", {
    offset: 0,
    found: startText(file),
    expected: "an ELF file or a bzImage",
  });
}

function bzImage(file: X86File, type: "pv" | "pvh", judge: Judge<Name>): Verdict {
  const { setup, view } = file;
  if (setup === undefined) throw new RangeError("no setup header");
  if (setup.version < PROTOCOL.V2_08) {
    const check = {
      offset: SETUP_OFFSET.version,
      found: protocolText(setup.version),
      expected: "2.08 or later",
    };
    return judge.refuses("protocol-old", check, {
      values: { value: setup.version.toString(16).padStart(4, "0") },
    });
  }
  // Unlike Linux, it takes setup_sects 0 as it stands.
  const start = (setup.setupSects + 1) * SECTOR_SIZE + setup.payloadOffset;
  const within = `a payload within the file of ${view.length} bytes`;
  if (start >= view.length) {
    const check = {
      offset: SETUP_OFFSET.payload_offset,
      found: `a payload that starts at ${hex(start)}`,
      expected: within,
    };
    return judge.refuses("payload-offset", check);
  }
  if (start + setup.payloadLength > view.length) {
    const check = {
      offset: SETUP_OFFSET.payload_length,
      found: `a payload that ends at ${hex(start + setup.payloadLength)}`,
      expected: within,
    };
    return judge.refuses("payload-length", check);
  }
  const beginning = view.bytes.subarray(start, start + setup.payloadLength);
  if (!PACKED.some((magic) => magic.every((byte, i) => beginning[i] === byte))) {
    const none = setup.payloadOffset === 0 && setup.payloadLength === 0;
    const found = none
      ? "payload_offset 0: no payload"
      : `a payload that begins ${hexBytes(beginning.subarray(0, 4))}`;
    return judge.refuses("payload-format", {
      offset: none ? SETUP_OFFSET.payload_offset : start,
      found,
      expected: "a packed kernel",
    });
  }
  const inside = file.payload();
  if (!("segments" in inside)) return judge.refuses("payload", inside);
  return byElf(file, inside, type, judge);
}

function byElf(file: X86File, elf: RawElf, type: "pv" | "pvh", judge: Judge<Name>): Verdict {
  const fault = headerFault(elf);
  if (fault !== undefined) return judge.refuses("elf-broken", fault);
  if (elf.bits === undefined) {
    const check = { offset: EI.CLASS, found: "another EI_CLASS", expected: "1 or 2" };
    return judge.refuses(type === "pv" ? "elf-broken" : "hvm-elf64", check);
  }
  const { ehdr, phdr } = elf.layout;
  if (elf.phentsize !== phdr.size) {
    const check = {
      offset: ehdr.phentsize,
      found: `e_phentsize ${elf.phentsize}: other program headers than were meant`,
      expected: `${phdr.size} (not checked)`,
    };
    if (type === "pv") return judge.refuses("no-notes", check);
    return elf.bits === 32 ? judge.blind("hvm-elf32", check) : judge.refuses("hvm-elf64", check);
  }
  const image = xenImage(elf, type);
  return type === "pvh" ? pvh(file, elf, image, judge) : pv(file, elf, image, judge);
}

function placeText({ setup }: X86File): string {
  return setup === undefined ? "" : " in the payload";
}

function placed(file: X86File, check: FailedCheck): FailedCheck {
  return { ...check, found: `${check.found}${placeText(file)}` };
}

/** What waits in a segment that the file has not all of; loaded as far as it goes. */
function cutCheck(elf: RawElf): FailedCheck | undefined {
  const cut = loads(elf).find((one) => one.filesz > 0n && !inFile(elf, one));
  if (cut === undefined) return undefined;
  return {
    offset: cut.headerOffset + elf.layout.phdr.filesz,
    found: `${hex(cut.filesz)} bytes at ${hex(cut.offset)}`,
    expected: `them within the file of ${elf.view.length} bytes (not checked)`,
  };
}

function pvh(file: X86File, elf: RawElf, image: XenImage, judge: Judge<Name>): Verdict {
  const { fault, physical, offset } = image;
  if (fault !== undefined) {
    const check = placed(file, fault[1]);
    if (placeText(file) !== "") return judge.refuses(fault[0], check);
    return elf.bits === 32 ? asFirmware(file, elf) : judge.refuses("hvm-elf64", check);
  }
  if (physical === undefined) {
    const check = { offset, found: "no note PHYS32_ENTRY", expected: "one" };
    return judge.refuses("not-pvh", placed(file, check));
  }
  const { address, note } = physical;
  const machine = machineCheck(elf, [EM.X86_64, EM[386]]) ?? cutCheck(elf);
  if (machine !== undefined) return judge.blind("pvh-unchecked", placed(file, machine));
  if (!isLoaded(elf, address)) {
    const check = {
      offset: note.descOffset,
      found: `the PVH entry ${hex(address)}`,
      expected: "an address in a loaded segment (not checked)",
    };
    return judge.blind("pvh-unchecked", placed(file, check));
  }
  return judge.takes(
    "pvh",
    `by PVH${placeText(file) === "" ? "" : " (the payload, unpacked)"}, in 32-bit mode at ${hex(address)}, ebx = start_info`,
  );
}

function asFirmware(file: X86File, elf: RawElf): Verdict {
  const judge = XEN_RULES.judge(XEN_PVH);
  const section = xenGuestSection(elf);
  const paravirtual = section !== undefined && {
    offset: section,
    found: "a section __xen_guest: a paravirtual kernel",
    expected: "code for a machine without Xen's interface (not checked)",
  };
  const machine = machineCheck(elf, [EM[386]]) ?? cutCheck(elf);
  const entry = entryCheck(elf) ?? multibootEntryCheck(file, elf) ?? programCheck(file, elf);
  const check = machine ?? (paravirtual === false ? entry : paravirtual);
  if (check !== undefined) return judge.blind("hvm-elf32", check);
  return judge.takes(
    "hvm-elf32",
    `as firmware is: in 32-bit mode at e_entry ${hex(elf.entry)}; no start_info note was asked for`,
  );
}

function entryText({ section, entryGiven }: XenImage): string {
  if (section) return "by its section __xen_guest";
  return entryGiven ? "by its note ENTRY" : "at e_entry, as it has no note ENTRY";
}

function pv(file: X86File, elf: RawElf, image: XenImage, judge: Judge<Name>): Verdict {
  const { fault, offset, entryGiven, pae } = image;
  if (fault !== undefined) return judge.refuses(fault[0], placed(file, fault[1]));
  const machine = machineCheck(elf, [EM.X86_64, EM[386]]);
  if (machine !== undefined)
    return judge.refuses("machine", placed(file, machine), { values: { value: elf.machine } });
  if (elf.machine === EM[386] && !pae) {
    const check = { offset, found: "no note PAE_MODE with yes or bimodal", expected: "one" };
    return judge.refuses("pv-no-pae", placed(file, check));
  }
  if (!entryGiven && image.physicalNote) {
    const check = {
      offset,
      found: "no note ENTRY",
      expected: "the paravirtual entry point (not checked)",
    };
    return judge.blind("pv-entry", placed(file, check));
  }
  const wide = elf.bits === 64 ? "" : "; a 32-bit guest, which a Xen built without CONFIG_PV32 refuses";
  return judge.takes(
    "pv",
    `paravirtual${placeText(file) === "" ? "" : " (the payload, unpacked)"}: ${entryText(image)}${wide}`,
  );
}
