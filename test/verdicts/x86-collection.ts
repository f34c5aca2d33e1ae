/**
 * Small kernels made here for x86 loaders: sound ones of every protocol, which end the machine by QEMU's debug-exit device at
 * once, and broken ones, each with one wrong field and the offset of it.
 */
import { ByteView } from "../../src/bytes/byte-view.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise, type KnownImage } from "../../src/formats/index.js";
import { XEN_ELFNOTE } from "../../src/spec/xen-notes.js";
import { ELF64, EM, PT, SHT } from "../../src/spec/elf.js";
import { SETUP_OFFSET } from "../../src/spec/linux-boot.js";
import {
  makeBzImage,
  makeElf,
  makeNotes,
  makePvhNote,
  type BzImageParts,
  type ElfParts,
} from "../support/images.js";

/** A file, and of a broken one where its fault is. */
export interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly offset?: number;
}

/** I/O port of isa-debug-exit, and the values that tell in which mode the guest was entered. */
export const EXIT_PORT = 0xf4;
export const EXIT_VALUE = { real: 0x21, flat32: 0x22 } as const;

const BASE = 0x20_0000;
/** mov edx, port; mov al, value; out dx, al; hlt; jmp to the hlt. */
const CODE32 = [0xba, EXIT_PORT, 0, 0, 0, 0xb0, EXIT_VALUE.flat32, 0xee, 0xf4, 0xeb, 0xfd];
const CODE16 = [0xba, EXIT_PORT, 0, 0xb0, EXIT_VALUE.real, 0xee, 0xf4, 0xeb, 0xfd];

const body = (...front: number[]): Uint8Array => Uint8Array.from([...front, ...CODE32]);
const word = (value: number): number[] => [
  value & 255,
  (value >>> 8) & 255,
  (value >>> 16) & 255,
  value >>> 24,
];
const note = makePvhNote(BASE);
const pvhNotes = makeNotes([note]);
const gnuNotes = makeNotes([{ name: "GNU", type: 3, desc: new Uint8Array(4) }]);

/** An ELF kernel with a PVH entry. */
export function pvhKernel(parts: ElfParts = {}): Uint8Array {
  const segments = [
    { vaddr: BASE, bytes: body() },
    { type: PT.NOTE, bytes: pvhNotes },
  ];
  return makeElf({ entry: BASE, segments, ...parts });
}

/** The three words of a Multiboot header. */
function header(flags: number): number[] {
  return [...word(0x1bad_b002), ...word(flags), ...word(-(0x1bad_b002 + flags) >>> 0)];
}

/** An ELF kernel with a Multiboot header before its code. */
export function multibootKernel(parts: ElfParts = {}, flags = 0): Uint8Array {
  const bytes = body(...header(flags));
  return makeElf({ elfClass: 32, entry: BASE + 12, segments: [{ vaddr: BASE, bytes }], ...parts });
}

const FLAT_SIZE = 128;

/** A flat kernel with load addresses; `change` sets any of header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr. */
export function flatKernel(
  change: Partial<Record<"header" | "load" | "loadEnd" | "bssEnd" | "entry", number>> = {},
): Uint8Array {
  const at = { header: BASE, load: BASE, loadEnd: 0, bssEnd: 0, entry: BASE + 32, ...change };
  const bytes = body(
    ...header(0x1_0000),
    ...[at.header, at.load, at.loadEnd, at.bssEnd, at.entry].flatMap(word),
  );
  const padded = new Uint8Array(FLAT_SIZE);
  padded.set(bytes);
  return padded;
}

/** A tag of a Multiboot2 header. */
function tag(type: number, flags: number, ...words: number[]): number[] {
  const size = 8 + 4 * words.length;
  const padding = new Array<number>((8 - (size % 8)) % 8).fill(0);
  return [type & 255, type >> 8, flags, 0, ...word(size), ...words.flatMap(word), ...padding];
}

/** An ELF kernel with a Multiboot2 header; `length` overrides header_length. */
export function multiboot2Kernel(
  tags: readonly number[][] = [],
  more: { length?: number; end?: boolean } = {},
): Uint8Array {
  const rest = [...tags.flat(), ...(more.end === false ? [] : tag(0, 0))];
  const length = more.length ?? 16 + rest.length;
  const sum = -(0xe852_50d6 + length) >>> 0;
  const front = [...word(0xe852_50d6), ...word(0), ...word(length), ...word(sum), ...rest];
  const segments = [{ vaddr: BASE, bytes: body(...front) }];
  return makeElf({ elfClass: 32, entry: BASE + front.length, segments });
}

const HLT = 0xf4;
/** More than the smallest file that kvmtool takes for a bzImage. */
const CODE_SIZE = 0x1000;

/** A bzImage whose 16-bit setup code ends the machine. */
export function linuxKernel(parts: BzImageParts = {}): Uint8Array {
  const code = new Uint8Array(CODE_SIZE).fill(HLT);
  return makeBzImage({ setupSects: 4, setupCode: Uint8Array.from(CODE16), code, ...parts });
}

/** The same file with bytes replaced. */
function poked(bytes: Uint8Array, offset: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, offset);
  return copy;
}

/** Where bytes lie in a file. */
function find(bytes: Uint8Array, wanted: readonly number[]): number {
  const last = bytes.length - wanted.length;
  for (let at = 0; at <= last; at++) if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  throw new Error("not there");
}

/** Sound kernels. */
export function soundKernels(): Sample[] {
  return [
    { name: "ELF64 with a PVH entry", bytes: pvhKernel() },
    { name: "ELF32 with a PVH entry", bytes: pvhKernel({ elfClass: 32 }) },
    {
      name: "ELF64 without notes",
      bytes: makeElf({ entry: BASE, segments: [{ vaddr: BASE, bytes: body() }] }),
    },
    {
      name: "ELF32 without notes",
      bytes: makeElf({ elfClass: 32, entry: BASE, segments: [{ vaddr: BASE, bytes: body() }] }),
    },
    { name: "ELF32 with a Multiboot header", bytes: multibootKernel() },
    { name: "ELF64 with a Multiboot header", bytes: multibootKernel({ elfClass: 64 }) },
    { name: "flat with a Multiboot header", bytes: flatKernel() },
    { name: "ELF32 with a Multiboot2 header", bytes: multiboot2Kernel() },
    { name: "bzImage 2.15, 64-bit entry", bytes: linuxKernel() },
    { name: "bzImage 2.10, 32-bit", bytes: linuxKernel({ protocol: 0x020a }) },
    { name: "bzImage 2.03", bytes: linuxKernel({ protocol: 0x0203 }) },
  ];
}

const at64 = ELF64.ehdr;
const PH = at64.size;
const phdr = ELF64.phdr;

/** ELF files with one fault each. */
function brokenElfs(): Sample[] {
  const good = pvhKernel();
  const noteAt = find(good, [...word(4), ...word(8), ...word(18)]);
  const cut = good.subarray(0, noteAt + 8);
  const virtual = makeElf({
    entry: 0xffff_ffff_8020_0000n,
    segments: [{ vaddr: 0xffff_ffff_8020_0000n, paddr: BASE, bytes: body() }],
  });
  const hidden = makeElf({
    entry: BASE,
    segments: [
      { vaddr: BASE, bytes: body() },
      { type: PT.NOTE, bytes: pvhNotes },
      { type: PT.NOTE, bytes: gnuNotes },
    ],
  });
  const inSection = makeElf({
    entry: BASE,
    segments: [{ vaddr: BASE, bytes: body() }],
    sections: [{ name: ".note", type: SHT.NOTE, bytes: pvhNotes }],
  });
  const noteOffset = (bytes: Uint8Array): number => find(bytes, [...word(4), ...word(8), ...word(18)]);
  const segment = (changes: object) =>
    pvhKernel({
      segments: [
        { vaddr: BASE, bytes: body(), ...changes },
        { type: PT.NOTE, bytes: pvhNotes },
      ],
    });
  const overlapping = pvhKernel({
    segments: [
      { vaddr: BASE, bytes: body() },
      { vaddr: BASE + 4, bytes: body() },
      { type: PT.NOTE, bytes: pvhNotes },
    ],
  });
  const shortNote = makeNotes([{ name: "Xen", type: XEN_ELFNOTE.PHYS32_ENTRY, desc: new Uint8Array(2) }]);
  const short = pvhKernel({
    segments: [
      { vaddr: BASE, bytes: body() },
      { type: PT.NOTE, bytes: shortNote },
    ],
  });
  return [
    { name: "first byte wrong", bytes: poked(good, 0, 0x7e), offset: 0 },
    { name: "EI_CLASS 3", bytes: poked(good, 4, 3), offset: 4 },
    { name: "big-endian", bytes: poked(good, 5, 2), offset: 5 },
    { name: "EI_VERSION 0", bytes: poked(good, 6, 0), offset: 6 },
    { name: "e_type REL", bytes: poked(good, at64.type, 1), offset: at64.type },
    { name: "e_machine RISC-V", bytes: poked(good, at64.machine, EM.RISCV), offset: at64.machine },
    { name: "e_version 0", bytes: poked(good, at64.version, 0), offset: at64.version },
    { name: "virtual e_entry, no note", bytes: virtual, offset: at64.entry },
    { name: "e_phoff past the end", bytes: poked(good, at64.phoff + 2, 9), offset: at64.phoff },
    { name: "e_phentsize 32", bytes: poked(good, at64.phentsize, 32), offset: at64.phentsize },
    { name: "e_phnum 200", bytes: poked(good, at64.phnum, 200), offset: at64.phoff },
    { name: "e_flags 4", bytes: poked(good, at64.flags, 4), offset: at64.flags },
    { name: "p_offset past the end", bytes: segment({ offset: 0x9000 }), offset: PH + phdr.offset },
    {
      name: "p_filesz past the end",
      bytes: segment({ filesz: 0x9000, memsz: 0x9000 }),
      offset: PH + phdr.filesz,
    },
    { name: "p_memsz below p_filesz", bytes: segment({ memsz: 4 }), offset: PH },
    { name: "p_paddr virtual", bytes: segment({ paddr: 0xffff_ffff_8020_0000n }), offset: PH + phdr.paddr },
    {
      name: "p_paddr at 1 MiB, PVH entry at 2 MiB",
      bytes: segment({ paddr: 0x10_0000 }),
      offset: noteOffset(segment({ paddr: 0x10_0000 })) + 16,
    },
    { name: "segments overlap", bytes: overlapping, offset: PH + phdr.size },
    { name: "note of type 17", bytes: poked(good, noteAt + 8, 17), offset: noteAt },
    { name: "note with a name of 4 GiB", bytes: poked(good, noteAt, 255, 255, 255, 127), offset: noteAt },
    { name: "PVH entry 0", bytes: poked(good, noteAt + 16, 0, 0, 0, 0), offset: noteAt + 16 },
    {
      name: "PVH entry outside of segments",
      bytes: poked(good, noteAt + 16, ...word(0x70_0000)),
      offset: noteAt + 16,
    },
    { name: "PVH note of 2 bytes", bytes: short, offset: find(short, [...word(4), ...word(2), ...word(18)]) },
    { name: "PVH note hidden by a later PT_NOTE", bytes: hidden, offset: noteOffset(hidden) },
    { name: "PVH note in a section only", bytes: inSection, offset: noteOffset(inSection) },
    {
      name: "p_align 0 of the notes",
      bytes: pvhKernel({
        segments: [
          { vaddr: BASE, bytes: body() },
          { type: PT.NOTE, bytes: pvhNotes, align: 0 },
        ],
      }),
      offset: PH + phdr.size + phdr.align,
    },
    { name: "cut in the notes", bytes: cut, offset: PH + phdr.size + phdr.offset },
    { name: "cut in the ELF header", bytes: good.subarray(0, 60), offset: 60 },
  ];
}

/** Multiboot kernels with one fault each. */
function brokenMultiboots(): Sample[] {
  const good = multibootKernel();
  const at = find(good, word(0x1bad_b002));
  const good2 = multiboot2Kernel();
  const at2 = find(good2, word(0xe852_50d6));
  const far = (bytes: Uint8Array, size: number): Uint8Array => {
    const padded = new Uint8Array(size + bytes.length);
    padded.set(bytes, size);
    return padded;
  };
  const strange = multiboot2Kernel([tag(0x77, 0, 0)]);
  const noEntry = multiboot2Kernel([tag(2, 0, BASE, BASE, 0, 0)]);
  const endless = multiboot2Kernel([tag(6, 0)], { end: false });
  const badLength = multiboot2Kernel([], { length: 4 });
  const late = makeElf({
    elfClass: 32,
    entry: BASE + 0x2000 + 12,
    segments: [{ vaddr: BASE, bytes: far(body(...header(0)), 0x2000) }],
  });
  const skewed = makeElf({
    elfClass: 32,
    entry: BASE + 14,
    segments: [{ vaddr: BASE, bytes: far(body(...header(0)), 2) }],
  });
  const flag3 = multibootKernel({}, 8);
  return [
    { name: "Multiboot checksum off by one", bytes: poked(good, at + 8, good[at + 8] + 1), offset: at + 8 },
    { name: "Multiboot header past 8 KiB", bytes: late, offset: find(late, word(0x1bad_b002)) },
    { name: "Multiboot header not aligned", bytes: skewed, offset: find(skewed, word(0x1bad_b002)) },
    { name: "Multiboot flag 3", bytes: flag3, offset: find(flag3, word(0x1bad_b002)) + 4 },
    { name: "header_addr below load_addr", bytes: flatKernel({ header: BASE - 4 }), offset: 16 },
    { name: "header_addr too far above load_addr", bytes: flatKernel({ header: BASE + 4 }), offset: 12 },
    { name: "load_end_addr below load_addr", bytes: flatKernel({ loadEnd: BASE - 4 }), offset: 20 },
    { name: "bss_end_addr below the end", bytes: flatKernel({ bssEnd: BASE + 4 }), offset: 24 },
    { name: "entry_addr outside", bytes: flatKernel({ entry: BASE + 0x10_0000 }), offset: 28 },
    { name: "load_end_addr past the file", bytes: flatKernel({ loadEnd: BASE + 0x1000 }), offset: 20 },
    { name: "ELF64 with a Multiboot header", bytes: multibootKernel({ elfClass: 64 }), offset: 18 },
    {
      name: "Multiboot2 checksum off by one",
      bytes: poked(good2, at2 + 12, good2[at2 + 12] + 1),
      offset: at2 + 12,
    },
    { name: "Multiboot2 header_length 4", bytes: badLength, offset: find(badLength, word(0xe852_50d6)) + 8 },
    {
      name: "Multiboot2 tag that nobody knows",
      bytes: strange,
      offset: find(strange, word(0xe852_50d6)) + 16,
    },
    {
      name: "Multiboot2 address tag without entry",
      bytes: noEntry,
      offset: find(noEntry, word(0xe852_50d6)) + 16,
    },
    { name: "Multiboot2 without an end tag", bytes: endless, offset: find(endless, word(0xe852_50d6)) + 24 },
  ];
}

/** bzImages with one fault each. */
function brokenLinux(): Sample[] {
  const good = linuxKernel();
  const at = SETUP_OFFSET;
  const field = (name: string, parts: NonNullable<BzImageParts["fields"]>, offset: number): Sample => ({
    name,
    bytes: linuxKernel({ fields: parts }),
    offset,
  });
  const packed = linuxKernel({ payload: Uint8Array.from([1, 2, 3, 4, ...new Uint8Array(60)]) });
  const payloadAt = find(packed, [1, 2, 3, 4, 0, 0, 0, 0]);
  const view = new ByteView(Uint8Array.from(good));
  view.setU16(at.xloadflags, 0);
  return [
    field("boot_flag wrong", { boot_flag: 0xaa54 }, at.boot_flag),
    field("setup_sects 255", { setup_sects: 255 }, at.setup_sects),
    field("syssize twice the file", { syssize: 0x4000 }, at.syssize),
    { name: "cut in the code", bytes: good.subarray(0, good.length - 64), offset: at.syssize },
    field("protocol 15.255", { version: 0x0fff }, at.version),
    field("protocol 1.00", { version: 0x0100 }, at.version),
    field("protocol 2.01", { version: 0x0201 }, at.version),
    field("LOADED_HIGH clear", { loadflags: 0 }, at.loadflags),
    field("code32_start 0", { code32_start: 0 }, at.code32_start),
    { name: "XLF_KERNEL_64 clear", bytes: view.bytes, offset: at.xloadflags },
    field("payload past the end", { payload_offset: 0x7000, payload_length: 16 }, at.payload_offset),
    field("kernel_alignment 3", { kernel_alignment: 3 }, at.kernel_alignment),
    field("min_alignment above kernel_alignment", { min_alignment: 30 }, at.min_alignment),
    field("pref_address of 60 bits", { pref_address: 2n ** 60n }, at.pref_address),
    field("kernel_info_offset past the end", { kernel_info_offset: 0x9000 }, at.kernel_info_offset),
    field("jump is no jump", { jump: 0x9090 }, at.jump),
    { name: "payload of no known compression", bytes: packed, offset: payloadAt },
    { name: "setup_sects 65", bytes: linuxKernel({ setupSects: 65 }), offset: at.setup_sects },
  ];
}

/** Every broken kernel, each with one fault and its offset. */
export function brokenKernels(): Sample[] {
  return [...brokenElfs(), ...brokenMultiboots(), ...brokenLinux()];
}

/** The image where one of our readers takes it: verdicts about packed files need it. */
export function recognised(bytes: Uint8Array): KnownImage | undefined {
  try {
    return recognise(bytes);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
