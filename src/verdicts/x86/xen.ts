/**
 * What Xen's toolstack does with an image for an x86 guest without firmware: type="pv" and type="pvh". Facts of
 * tools/libs/guest/xg_dom_*loader.c and xen/common/libelf/libelf-dominfo.c (c447b730, 4.23-dev), read, as data.
 */
import { hex } from "../../bytes/hex.js";
import { PROTOCOL, SETUP_OFFSET } from "../../spec/linux-boot.js";
import { XEN_ELFNOTE, XEN_NOTE_OWNER } from "../../spec/xen-notes.js";
import { EM } from "../../spec/elf.js";
import { RuleTable, type Judge } from "../rules.js";
import type { FailedCheck, LoaderFacts, Verdict } from "../verdict.js";
import { entryCheck, isLoaded, multibootEntryCheck, programCheck, PVH_ADVICE } from "./checks.js";
import { protocolText, seenBy, startText, type X86File } from "./file.js";
import { inFile, loads, noteNumber, noteText, type RawElf, type RawNote } from "./raw-elf.js";

const SOURCE =
  "Xen tools/libs/guest/xg_dom_bzimageloader.c, xg_dom_elfloader.c, xg_dom_hvmloader.c; xen/common/libelf/libelf-dominfo.c; read";
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

const NOTHING_FOUND = "xc_dom_find_loader: no loader found: Invalid kernel";
const NEEDS_XEN = "Linux: CONFIG_XEN_PV=y for type pv, CONFIG_PVH=y or CONFIG_XEN_PVH=y for type pvh";
export const XEN_RULES = new RuleTable("xen", SOURCE, {
  "no-loader": {
    what: "it takes bzImages and ELF files, gzip'ed ones too",
    prints: [NOTHING_FOUND],
    advice: 'Give the bzImage or the ELF kernel, or start a firmware: type = "hvm"',
  },
  "protocol-old": {
    what: "a bzImage must have protocol 2.08 or later: it is the payload that is loaded",
    prints: ["xc_dom_probe_bzimage_kernel: boot protocol too old ({value})", NOTHING_FOUND],
  },
  "payload-range": {
    what: "payload_offset and payload_length must lie in the file",
    prints: ["xc_dom_probe_bzimage_kernel: payload length overflow", NOTHING_FOUND],
  },
  payload: {
    what: "the payload must unpack to an ELF file",
    prints: ["xc_dom_probe_bzimage_kernel: unknown compression format", NOTHING_FOUND],
  },
  "no-notes": {
    what: "an ELF file needs Xen's notes",
    prints: [
      "xc_dom_parse_elf_kernel: ERROR: Not a Xen-ELF image: No ELF notes or '__xen_guest' section found",
      NOTHING_FOUND,
    ],
    advice: NEEDS_XEN,
  },
  "hvm-elf64": {
    what: "without Xen's notes an ELF file is loaded as firmware is, and must be 32-bit",
    prints: ["xc_dom_parse_hvm_kernel: ELF image is not 32bit"],
    advice: PVH_ADVICE,
  },
  "hvm-elf32": {
    what: "an ELF32 file without Xen's notes is loaded as firmware is, and entered at e_entry in 32-bit mode (read, not run)",
  },
  "not-pvh": {
    what: "type pvh needs the note PHYS32_ENTRY",
    prints: ["xc_dom_parse_elf_kernel: image not capable of booting inside a HVM container"],
    advice: PVH_ADVICE,
  },
  "loader-note": {
    what: 'type pv needs the note LOADER "generic" (or GUEST_OS "linux")',
    prints: [
      "ERROR: Will only load images built for the generic loader or Linux images (Not '{guest}' and '{loader}') or with PHYS32_ENTRY set",
    ],
    advice: NEEDS_XEN,
  },
  "version-note": {
    what: 'type pv needs the note XEN_VERSION "xen-3.0"',
    prints: ["ERROR: Xen will only load images built for Xen v3.0 (Not '{version}')"],
    advice: NEEDS_XEN,
  },
  "paddr-offset": {
    what: "PADDR_OFFSET needs VIRT_BASE",
    prints: ["ERROR: ELF_PADDR_OFFSET set, VIRT_BASE unset"],
  },
  bounds: {
    what: "the entry must lie in what is loaded",
    prints: ["ERROR: ELF start or entries are out of bounds"],
  },
  "elf-broken": {
    what: "the ELF file must be whole and for x86",
    prints: [NOTHING_FOUND],
    advice: "Fetch or build the file again",
  },
  pvh: {
    what: "the note PHYS32_ENTRY is entered in 32-bit mode, ebx = start_info",
    since: '4.11 (4.10 as device model "none")',
  },
  "pv-entry": {
    what: "without the note ENTRY e_entry is entered: kernels that run in HVM containers only have none",
    advice: 'Use type = "pvh"',
  },
  pv: { what: "a paravirtual kernel is entered at its note ENTRY, rsi = start_info page" },
});
type Name = keyof typeof XEN_RULES.rules;

/** What xl does for a guest of a type. */
export function xenX86(given: X86File, type: "pv" | "pvh"): Verdict {
  const judge = XEN_RULES.judge(type === "pv" ? XEN_PV : XEN_PVH);
  const file = seenBy(given, ["gzip"]);
  const { setup, elf, view } = file;
  if (setup === undefined) {
    if (elf !== undefined) return byElf(file, elf, type, judge);
    return judge.refuses("no-loader", {
      offset: 0,
      found: startText(file),
      expected: "an ELF file or a bzImage",
    });
  }
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
  const end = setup.setupSize + setup.payloadOffset + setup.payloadLength;
  if (setup.payloadOffset === 0 || end > view.length) {
    const found = setup.payloadOffset === 0 ? "payload_offset 0" : `a payload that ends at ${hex(end)}`;
    return judge.refuses("payload-range", {
      offset: SETUP_OFFSET.payload_offset,
      found,
      expected: `a payload within the file of ${view.length} bytes`,
    });
  }
  const inside = file.payload();
  if (!("segments" in inside)) return judge.refuses("payload", inside);
  return byElf(file, inside, type, judge);
}

function byElf(file: X86File, elf: RawElf, type: "pv" | "pvh", judge: Judge<Name>): Verdict {
  const fault = elfFault(elf);
  if (fault !== undefined) return judge.refuses("elf-broken", fault);
  const notes = elf.notes.filter(({ name }) => name === XEN_NOTE_OWNER);
  const place = placeText(file);
  if (notes.length === 0) return withoutNotes(file, elf, type, judge);
  return type === "pvh" ? pvh(elf, notes, judge, place) : pv(elf, notes, judge, place);
}

function placeText({ setup }: X86File): string {
  return setup === undefined ? "" : " in the payload";
}

function elfFault(elf: RawElf): FailedCheck | undefined {
  const { ehdr, phdr } = elf.layout;
  if (elf.machine !== EM.X86_64 && elf.machine !== EM[386]) {
    return { offset: ehdr.machine, found: `e_machine ${elf.machine}`, expected: "62 (x86-64) or 3 (i386)" };
  }
  if (!elf.complete)
    return {
      offset: ehdr.phoff,
      found: `${elf.phnum} program headers at ${hex(elf.phoff)}`,
      expected: "them within the file",
    };
  const cut = loads(elf).find((one) => one.filesz > 0n && !inFile(elf, one));
  if (cut === undefined) return undefined;
  return {
    offset: cut.headerOffset + phdr.filesz,
    found: `${hex(cut.filesz)} bytes at ${hex(cut.offset)}`,
    expected: `them within the file of ${elf.view.length} bytes`,
  };
}

function withoutNotes(file: X86File, elf: RawElf, type: "pv" | "pvh", judge: Judge<Name>): Verdict {
  const place = placeText(file);
  const check = { offset: elf.layout.ehdr.phoff, found: `no note of "Xen"${place}`, expected: "Xen's notes" };
  if (type === "pv" || place !== "") return judge.refuses("no-notes", check);
  if (elf.bits !== 32) return judge.refuses("hvm-elf64", check);
  const entry = entryCheck(elf) ?? multibootEntryCheck(file, elf) ?? programCheck(file, elf);
  if (entry !== undefined) return judge.blind("hvm-elf32", entry);
  return judge.takes(
    "hvm-elf32",
    `as firmware is: in 32-bit mode at e_entry ${hex(elf.entry)}; no start_info note was asked for`,
  );
}

function find(notes: readonly RawNote[], type: number): RawNote | undefined {
  return notes.find((note) => note.type === type);
}

function pvh(elf: RawElf, notes: readonly RawNote[], judge: Judge<Name>, place: string): Verdict {
  const entry = find(notes, XEN_ELFNOTE.PHYS32_ENTRY);
  const address = entry === undefined ? undefined : noteNumber(elf, entry);
  if (entry === undefined || address === undefined) {
    return judge.refuses("not-pvh", {
      offset: notes[0].offset,
      found: `no note PHYS32_ENTRY${place}`,
      expected: "one",
    });
  }
  if (!isLoaded(elf, BigInt(address))) {
    return judge.refuses("bounds", {
      offset: entry.descOffset,
      found: `the PVH entry ${hex(address)}${place}`,
      expected: "an address in a loaded segment",
    });
  }
  return judge.takes(
    "pvh",
    `by PVH${place === "" ? "" : " (the payload, unpacked)"}, in 32-bit mode at ${hex(address)}, ebx = start_info`,
  );
}

function pv(elf: RawElf, notes: readonly RawNote[], judge: Judge<Name>, place: string): Verdict {
  const text = (type: number): string => {
    const note = find(notes, type);
    return note === undefined ? "" : noteText(elf, note);
  };
  const [loader, guest, version] = [XEN_ELFNOTE.LOADER, XEN_ELFNOTE.GUEST_OS, XEN_ELFNOTE.XEN_VERSION].map(
    text,
  );
  const at = (type: number): number => find(notes, type)?.offset ?? notes[0].offset;
  if (loader !== "generic" && guest !== "linux") {
    const check = {
      offset: at(XEN_ELFNOTE.LOADER),
      found: `LOADER "${loader}", GUEST_OS "${guest}"${place}`,
      expected: 'LOADER "generic"',
    };
    return judge.refuses("loader-note", check, { values: { guest, loader } });
  }
  if (version !== "xen-3.0") {
    const check = {
      offset: at(XEN_ELFNOTE.XEN_VERSION),
      found: `XEN_VERSION "${version}"${place}`,
      expected: '"xen-3.0"',
    };
    return judge.refuses("version-note", check, { values: { version } });
  }
  if (
    find(notes, XEN_ELFNOTE.PADDR_OFFSET) !== undefined &&
    find(notes, XEN_ELFNOTE.VIRT_BASE) === undefined
  ) {
    return judge.refuses("paddr-offset", {
      offset: at(XEN_ELFNOTE.PADDR_OFFSET),
      found: "PADDR_OFFSET without VIRT_BASE",
      expected: "both",
    });
  }
  const byNote = find(notes, XEN_ELFNOTE.ENTRY) !== undefined;
  if (!byNote && find(notes, XEN_ELFNOTE.PHYS32_ENTRY) !== undefined) {
    const check = {
      offset: notes[0].offset,
      found: `no note ENTRY${place}`,
      expected: "the paravirtual entry point (not checked)",
    };
    return judge.blind("pv-entry", check);
  }
  const wide = elf.bits === 64 ? "" : "; a 32-bit guest, which a Xen built without CONFIG_PV32 refuses";
  return judge.takes(
    "pv",
    `paravirtual${place === "" ? "" : " (the payload, unpacked)"}: ${byNote ? "by its note ENTRY" : "at e_entry, as it has no note ENTRY"}${wide}`,
  );
}
