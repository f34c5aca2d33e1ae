/**
 * Files shaped as the build systems of Solo5, Hermit and Unikraft shape them: headers, notes and sections as their linker scripts have
 * them, with code of ours that says its name on the serial port. Builds bytes only.
 */
import { ByteView } from "../../src/bytes/byte-view.js";
import { alignUp } from "../../src/bytes/align.js";
import { PT, SHT } from "../../src/spec/elf.js";
import { XEN_ELFNOTE } from "../../src/spec/xen-notes.js";
import { makeElf, makeNotes, makePvhNote, type ElfParts, type ElfSegmentParts } from "./images.js";

/** Solo5's linker scripts and Unikraft's begin here. */
const BASE = 0x10_0000;
const PAGE = 0x1000;
const DEBUG_EXIT = 0xf4;
/** What ends QEMU: its status is twice this and one. */
export const EXIT_VALUE = 0x21;

const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
const words = (...values: readonly number[]): number[] =>
  values.flatMap((value) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]);

/** Code for 32-bit and 64-bit mode alike: says a text on COM1, ends QEMU by its debug-exit device, halts. */
export function saying(said: string): number[] {
  const out = Array.from(said, (character) => [0xb0, character.charCodeAt(0), 0xee]).flat();
  return [
    0x66,
    0xba,
    0xf8,
    0x03,
    ...out,
    0x66,
    0xba,
    DEBUG_EXIT,
    0,
    0xb0,
    EXIT_VALUE,
    0xee,
    0xfa,
    0xf4,
    0xeb,
    0xfd,
  ];
}

/** Code that begins with a comparison (of 32 bits) and says a text if it holds; else it halts. */
function saidIf(compare: readonly number[], said: string): number[] {
  return [...compare, 0x74, 0x04, 0xfa, 0xf4, 0xeb, 0xfd, ...saying(said)];
}

/** Solo5's targets by number. */
const TARGETS = { hvt: 1, spt: 2, virtio: 3, muen: 4, genode: 5, xen: 6 } as const;

export interface Solo5Parts {
  version?: number;
  manifest?: boolean;
  /** Flags of the text's program header. */
  flags?: number;
  elf?: Partial<ElfParts>;
}

/** A manifest with a network device: head, the reserved entry, the device. */
function manifest(): Uint8Array {
  const view = new ByteView(new Uint8Array(4 + 8 + 2 * 104));
  view.setU32(4, 1);
  view.setU32(8, 2);
  view.setU32(12 + 68, 2 ** 30);
  view.setLatin1(12 + 104, "service0");
  view.setU32(12 + 104 + 68, 2);
  return view.bytes;
}

/** A Solo5 unikernel: an interpreter that nobody has, a note of OpenBSD's, its own notes; of virtio and xen the entries of those. */
export function solo5Image(target: keyof typeof TARGETS, parts: Solo5Parts = {}): Uint8Array {
  const { version = target === "hvt" || target === "spt" ? 2 : 1, flags = 5 } = parts;
  const interpreter = text("/nonexistent/solo5/");
  const front = alignUp(interpreter.length, 4);
  const multiboot = target === "virtio" || target === "xen";
  const entry = BASE + front + (multiboot ? 32 : 0);
  const code = saying(`${target}\n`);
  const end = entry + code.length;
  const sum = -(0x1bad_b002 + 0x1_0003) >>> 0;
  const header = multiboot ? words(0x1bad_b002, 0x1_0003, sum, BASE + front, BASE, end, end, entry) : [];
  const bytes = new Uint8Array(end - BASE);
  bytes.set(interpreter);
  bytes.set([...header, ...code], front);
  const note = (name: string, type: number, desc: Uint8Array): ElfSegmentParts => ({
    type: PT.NOTE,
    bytes: makeNotes([{ name, type, desc }]),
  });
  const abi = Uint8Array.from(words(TARGETS[target], version, 0, 0));
  return makeElf({
    entry,
    segments: [
      { type: PT.INTERP, vaddr: BASE, bytes: interpreter },
      { vaddr: BASE, bytes, flags, align: PAGE },
      { type: PT.TLS, vaddr: BASE + PAGE },
      note("OpenBSD", 1, new Uint8Array(4)),
      ...(target === "xen" ? [{ type: PT.NOTE, bytes: makeNotes([makePvhNote(entry, 4)]) }] : []),
      note("Solo5", 0x3149_4241, abi),
      ...(parts.manifest === false ? [] : [note("Solo5", 0x3154_464d, manifest())]),
    ],
    ...parts.elf,
  });
}

/** A Hermit application: linked to be moved, with storage for threads, and Hermit's notes. */
export function hermitImage(entryVersion = 4): Uint8Array {
  const notes = makeNotes([
    { name: "HERMIT", type: 0x5a00, desc: Uint8Array.of(entryVersion) },
    { name: "GNU", type: 1, desc: Uint8Array.from(words(6, 0, 11, 2)) },
  ]);
  return makeElf({
    type: 3,
    osabi: 255,
    entry: 0x40,
    segments: [
      { type: PT.NOTE, vaddr: 0x300, bytes: notes },
      { vaddr: 0, bytes: new Uint8Array(0x200).fill(0xf4) },
      { type: PT.TLS, vaddr: 0x400 },
    ],
  });
}

const bootInfo = { name: ".uk_bootinfo", type: SHT.PROGBITS, bytes: new Uint8Array(80) };

/** A Unikraft image for Firecracker, for QEMU, or for Xen's paravirtual mode. */
export function unikraftImage(kind: "linux" | "multiboot" | "xen"): Uint8Array {
  const tls = { type: PT.TLS, vaddr: BASE + PAGE };
  if (kind === "linux") {
    // cmp dword [rsi + 0x202], "HdrS"
    const code = saidIf([0x81, 0xbe, ...words(0x202, 0x5372_6448)], "lxboot\n");
    return makeElf({
      entry: BASE,
      segments: [{ vaddr: BASE, bytes: Uint8Array.from(code) }, tls],
      sections: [bootInfo],
    });
  }
  if (kind === "multiboot") {
    // cmp eax, Multiboot's magic number
    const code = saidIf([0x3d, ...words(0x2bad_b002)], "multiboot\n");
    const header = words(0x1bad_b002, 3, -(0x1bad_b002 + 3) >>> 0);
    return makeElf({
      elfClass: 32,
      entry: BASE + header.length,
      segments: [{ vaddr: BASE, bytes: Uint8Array.from([...header, ...code]) }, tls],
      sections: [bootInfo],
    });
  }
  const notes = [
    { name: "Xen", type: XEN_ELFNOTE.GUEST_OS, desc: text("Unikraft") },
    { name: "Xen", type: XEN_ELFNOTE.LOADER, desc: text("generic") },
    { name: "Xen", type: XEN_ELFNOTE.HYPERCALL_PAGE, desc: Uint8Array.from(words(PAGE, 0)) },
    { name: "Xen", type: XEN_ELFNOTE.XEN_VERSION, desc: text("xen-3.0") },
  ];
  return makeElf({
    entry: 0,
    segments: [{ vaddr: 0, bytes: new Uint8Array(64).fill(0xf4) }, tls],
    sections: [{ name: ".note", type: SHT.NOTE, bytes: makeNotes(notes) }, bootInfo],
  });
}
