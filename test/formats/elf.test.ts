/** The ELF reader: both classes, notes in both places, symbols, and refusal of headers that lie. */
import assert from "node:assert/strict";
import test from "node:test";
import { FormatError } from "../../src/formats/format-error.js";
import { readElf } from "../../src/formats/elf/elf.js";
import { loadSegments } from "../../src/formats/elf/segments.js";
import { ByteView } from "../../src/bytes/byte-view.js";
import { EI, ELF32, ELF64, EM, ET, PT, SHT } from "../../src/spec/elf.js";
import { manySegments } from "../support/many-segments.js";
import { makeElf, makeNotes, makePvhNote } from "../support/images.js";
import type { ElfParts, ElfSegmentParts } from "../support/images.js";

const CODE = Uint8Array.of(0xf4, 0xeb, 0xfd, 0x90);
const HUGE = 2n ** 64n - 1n;

function refused(step: () => unknown, offset: number, found: RegExp): void {
  assert.throws(step, (error) => {
    assert.ok(error instanceof FormatError, String(error));
    assert.match(error.found, found);
    assert.equal(error.offset, offset, error.message);
    return true;
  });
}

/** File offset of a program header's field. */
function phdrAt(index: number, field: keyof typeof ELF64.phdr, layout = ELF64): number {
  return layout.ehdr.size + index * layout.phdr.size + (field === "size" ? 0 : layout.phdr[field]);
}

for (const elfClass of [32, 64] as const) {
  test(`R2.1 ELF${elfClass}: header and segments are read, loads come in order with zero-filled rests`, () => {
    const image = readElf(
      makeElf({
        elfClass,
        entry: 0x100040,
        segments: [
          { vaddr: 0xc020_0000, paddr: 0x20_0000, bytes: CODE, memsz: 0x5000, flags: 6 },
          { vaddr: 0xc010_0000, paddr: 0x10_0000, bytes: CODE, flags: 5 },
          { vaddr: 0, memsz: 0 },
        ],
      }),
    );
    assert.equal(image.header.elfClass, elfClass);
    assert.equal(image.arch, elfClass === 64 ? "x86-64" : "i386");
    assert.equal(image.header.entry, 0x100040n);
    assert.equal(image.segments.length, 3);
    const loads = loadSegments(image);
    assert.deepEqual(
      loads.map(({ index, paddr, vaddr, memsz, flags }) => ({ index, paddr, vaddr, memsz, flags })),
      [
        { index: 1, paddr: 0x10_0000, vaddr: 0xc010_0000n, memsz: 4, flags: 5 },
        { index: 0, paddr: 0x20_0000, vaddr: 0xc020_0000n, memsz: 0x5000, flags: 6 },
      ],
    );
    assert.deepEqual(loads[1].bytes, CODE);
    assert.equal(image.facts.find((fact) => fact.name === "load.range")?.value, "0x100000–0x205000");
  });

  for (const size of [4, 8] as const) {
    test(`R2.1 ELF${elfClass}: a PHYS32_ENTRY note of ${size} bytes is found in PT_NOTE`, () => {
      const bytes = makeNotes([{ name: "GNU", type: 3, desc: CODE }, makePvhNote(0x100_0850, size)]);
      const image = readElf(makeElf({ elfClass, segments: [{ type: PT.NOTE, bytes }] }));
      assert.equal(image.pvh?.address, 0x100_0850);
      assert.equal(image.pvh?.note.source, "PT_NOTE");
      assert.deepEqual(
        image.notes.map((note) => [note.name, note.type]),
        [
          ["GNU", 3],
          ["Xen", 18],
        ],
      );
      const { descOffset } = image.pvh.note;
      assert.equal(new ByteView(image.bytes).u32(descOffset), 0x100_0850);
    });

    test(`R2.1 ELF${elfClass}: a PHYS32_ENTRY note of ${size} bytes is found in a section only`, () => {
      const bytes = makeNotes([makePvhNote(0x20_0000, size)]);
      const sections = [{ name: ".note.Xen", type: SHT.NOTE, bytes }];
      const image = readElf(makeElf({ elfClass, sections, segments: [{ vaddr: 0x20_0000, bytes: CODE }] }));
      assert.equal(image.pvh?.address, 0x20_0000);
      assert.equal(image.pvh?.note.source, "SHT_NOTE");
    });
  }

  test(`ELF${elfClass}: symbols are read one by one, with their names`, () => {
    const { sym } = elfClass === 64 ? ELF64 : ELF32;
    const table = new ByteView(new Uint8Array(sym.size * 2));
    table.setU32(sym.size + sym.name, 1);
    table.setU8(sym.size + sym.info, 0x12);
    table.setU16(sym.size + sym.shndx, 1);
    if (elfClass === 64) table.setU64(sym.size + sym.value, 0xffff_ffff_8100_0000n);
    else table.setU32(sym.size + sym.value, 0xc010_0000);
    const strings = new TextEncoder().encode("\0startup\0");
    const image = readElf(
      makeElf({
        elfClass,
        sections: [
          { name: ".symtab", type: SHT.SYMTAB, bytes: table.bytes, link: 2 },
          { name: ".strtab", type: SHT.STRTAB, bytes: strings },
        ],
      }),
    );
    const [, symbol] = [...image.symbols()];
    const value = elfClass === 64 ? 0xffff_ffff_8100_0000n : 0xc010_0000n;
    assert.deepEqual(symbol, { name: "startup", value, size: 0n, type: 2, section: 1 });
    assert.deepEqual(
      image.sections.map((section) => section.name),
      ["", ".symtab", ".strtab", ".shstrtab"],
    );
  });
}

test("R2.1 a PVH entry keeps the low half of its note, which is 32-bit code's", () => {
  const note = makePvhNote(0x100_0000, 8);
  note.desc[7] = 0xff;
  const image = readElf(makeElf({ segments: [{ type: PT.NOTE, bytes: makeNotes([note]) }] }));
  assert.equal(image.pvh?.address, 0x100_0000);
});

test("R2.1 a note that a segment and a section share is listed once", () => {
  const bytes = makeNotes([makePvhNote(0x20_0000)]);
  const at = 128;
  const file = makeElf({
    segments: [{ type: PT.NOTE, bytes }],
    sections: [{ name: ".note.Xen", type: SHT.NOTE, offset: at, size: bytes.length }],
  });
  assert.deepEqual(file.subarray(at, at + bytes.length), bytes);
  assert.deepEqual(
    readElf(file).notes.map((note) => note.source),
    ["PT_NOTE"],
  );
});

test("R2.1 notes of an 8-byte aligned segment are padded to 8", () => {
  const notes = [
    { name: "GNU", type: 5, desc: CODE },
    { name: "GNU", type: 6, desc: CODE },
  ];
  const image = readElf(makeElf({ segments: [{ type: PT.NOTE, bytes: makeNotes(notes, 8), align: 8 }] }));
  assert.deepEqual(
    image.notes.map((note) => note.type),
    [5, 6],
  );
});

test("R5.1 the interpreter is named", () => {
  const bytes = new TextEncoder().encode("/red/herring\0");
  const image = readElf(makeElf({ machine: EM.ARM, elfClass: 32, segments: [{ type: PT.INTERP, bytes }] }));
  assert.equal(image.interpreter, "/red/herring");
  assert.equal(image.arch, "arm");
  assert.match(image.summary, /arm EXEC, interpreter \/red\/herring/);
});

test("R2.1 a stripped or broken section table is told, not refused", () => {
  const segments: ElfSegmentParts[] = [{ vaddr: 0x10_0000, bytes: CODE }];
  const sections = [{ name: ".text", type: SHT.PROGBITS, bytes: CODE }];
  for (const broken of [{ shoff: 2n ** 63n }, { shoff: 1 << 20 }, { shnum: 60000 }] satisfies ElfParts[]) {
    const image = readElf(makeElf({ segments, sections, ...broken }));
    assert.equal(image.sections.length, 0);
    assert.notEqual(image.sectionProblem, undefined);
    assert.equal(loadSegments(image).length, 1);
    assert.deepEqual([...image.symbols()], []);
  }
  assert.equal(readElf(makeElf({ segments })).sectionProblem, undefined);
});

test("R2.1 more than 0xfffe program headers are counted in section 0", () => {
  const file = makeElf({
    segments: [
      { vaddr: 0x1000, bytes: CODE },
      { vaddr: 0x2000, bytes: CODE },
    ],
    sections: [],
    phnum: 0xffff,
  });
  const view = new ByteView(file);
  view.setU32(Number(view.u64(ELF64.ehdr.shoff)) + ELF64.shdr.info, 2);
  assert.equal(readElf(file).segments.length, 2);
});

test("R2.1 big-endian and damaged identifications are refused with what they mean", () => {
  const spoil = (at: number, value: number): Uint8Array => {
    const file = makeElf();
    file[at] = value;
    return file;
  };
  refused(() => readElf(spoil(EI.DATA, 2)), EI.DATA, /big-endian/);
  refused(() => readElf(spoil(EI.DATA, 9)), EI.DATA, /EI_DATA 9/);
  refused(() => readElf(spoil(EI.CLASS, 3)), EI.CLASS, /EI_CLASS 3/);
  refused(() => readElf(spoil(EI.VERSION, 0)), EI.VERSION, /EI_VERSION 0/);
  refused(() => readElf(spoil(ELF64.ehdr.version, 7)), ELF64.ehdr.version, /e_version 0x7/);
  refused(() => readElf(makeElf().subarray(0, 40)), 0, /the end of the file/);
  const counted = makeElf({ segments: [{}], phnum: 0xffff, shoff: 1 << 30 });
  refused(() => readElf(counted), counted.length, /the end of the file/);
});

test("R1.6 segments that lie are refused at their program header", () => {
  const load = (segment: ElfSegmentParts) => () =>
    loadSegments(readElf(makeElf({ segments: [{ vaddr: 0x1000, bytes: CODE, ...segment }] })));
  refused(load({ offset: HUGE }), phdrAt(0, "offset"), /0xffffffffffffffff/);
  refused(load({ offset: 1 << 20 }), phdrAt(0, "offset"), /0x100000/);
  refused(load({ filesz: HUGE }), phdrAt(0, "offset"), /0xffffffffffffffff bytes/);
  refused(load({ memsz: 2 }), phdrAt(0, "size"), /p_memsz 0x2 below p_filesz 0x4/);
  refused(load({ memsz: HUGE }), phdrAt(0, "size"), /p_memsz 0xffffffffffffffff/);
  refused(load({ paddr: HUGE }), phdrAt(0, "size"), /p_paddr 0xffffffffffffffff/);
  refused(() => readElf(makeElf({ segments: [{}], phoff: HUGE })), ELF64.ehdr.phoff, /0xffffffffffffffff/);
  refused(() => readElf(makeElf({ segments: [{}], phnum: 5000 })), ELF64.ehdr.phoff, /5000 program headers/);
  refused(() => readElf(makeElf({ segments: [{}], phentsize: 32 })), ELF64.ehdr.phentsize, /32/);
});

test("R1.6 overlapping segments are refused, and both are named", () => {
  const file = makeElf({
    segments: [
      { paddr: 0x10_0000, vaddr: 0, bytes: CODE, memsz: 0x2000 },
      { paddr: 0x30_0000, vaddr: 0, bytes: CODE },
      { paddr: 0x10_1fff, vaddr: 0, bytes: CODE },
    ],
  });
  const image = readElf(file);
  refused(() => loadSegments(image), phdrAt(2, "size"), /program header 2 at physical 0x101fff/);
  const problem = image.facts.find((fact) => fact.name === "load.problem");
  assert.match(String(problem?.value), /program header 0 at 0x100000–0x102000/);
});

test("R2.1 malformed notes are refused at their offset", () => {
  const spoiled = (at: number, value: number): (() => unknown) => {
    const bytes = makeNotes([makePvhNote(0x1000)]);
    new ByteView(bytes).setU32(at, value);
    return () => readElf(makeElf({ segments: [{ type: PT.NOTE, bytes }] }));
  };
  refused(spoiled(0, 0xffff_ffff), 128, /namesz 0xffffffff/);
  refused(spoiled(4, 0xffff_ffff), 128, /descsz 0xffffffff/);
  const odd = makeNotes([{ name: "Xen", type: 18, desc: Uint8Array.of(1, 2) }]);
  refused(
    () => readElf(makeElf({ segments: [{ type: PT.NOTE, bytes: odd }] })),
    144,
    /descriptor of 2 bytes/,
  );
});

test("R2.1 very many notes, and very many sections over the same notes, take little time", () => {
  const many = makeNotes(
    Array.from({ length: 5000 }, () => ({ name: "a", type: 1, desc: new Uint8Array(0) })),
  );
  assert.throws(() => readElf(makeElf({ segments: [{ type: PT.NOTE, bytes: many }] })), FormatError);
  const bytes = makeNotes(
    Array.from({ length: 4000 }, () => ({ name: "a", type: 1, desc: new Uint8Array(0) })),
  );
  const sections = Array.from({ length: 3000 }, (_, i) => ({
    name: "n",
    type: SHT.NOTE,
    ...(i === 0 ? { bytes } : { offset: 64, size: bytes.length }),
  }));
  const started = performance.now();
  const image = readElf(makeElf({ type: ET.REL, sections }));
  assert.equal(image.notes.length, 4000);
  assert.ok(performance.now() - started < 5000);
});

test("R2.1 ranges of notes that overlap in part are looked through a bounded number of times", () => {
  const bytes = makeNotes(
    Array.from({ length: 4000 }, () => ({ name: "a", type: 1, desc: new Uint8Array(0) })),
  );
  // Each begins a note later than the one before it: no two are the same range.
  const segments = Array.from({ length: 3000 }, (_, i) => ({
    type: PT.NOTE,
    ...(i === 0 ? { bytes } : { filesz: bytes.length - i * 16, offset: 0 }),
  }));
  const file = makeElf({ segments });
  const view = new ByteView(file);
  const first = Number(view.u64(phdrAt(0, "offset")));
  for (let i = 1; i < segments.length; i++) view.setU64(phdrAt(i, "offset"), first + i * 16);
  const started = performance.now();
  assert.throws(() => readElf(file), /more than 16384 notes, those that are named again counted/);
  assert.ok(performance.now() - started < 5000);
});

test("R2.1 2^18 program headers are read; more are refused where they are counted", () => {
  assert.equal(readElf(manySegments(2 ** 18)).segments.length, 2 ** 18);
  refused(() => readElf(manySegments(2 ** 18 + 1)), ELF64.ehdr.phnum, /262145 program headers/);
});

test("R2.1 more than 2^18 sections are told, not refused", () => {
  const count = 2 ** 18 + 1;
  const file = makeElf({ segments: [{ vaddr: 0x1000, bytes: CODE }], sections: [], shnum: 0 });
  const table = Number(new ByteView(file).u64(ELF64.ehdr.shoff));
  const grown = new Uint8Array(table + count * ELF64.shdr.size);
  grown.set(file);
  const view = new ByteView(grown);
  view.setU64(table + ELF64.shdr.bytes, count - 1);
  assert.equal(readElf(grown).sections.length, count - 1);
  view.setU64(table + ELF64.shdr.bytes, count);
  const { sections, sectionProblem } = readElf(grown);
  assert.equal(sections.length, 0);
  assert.match(sectionProblem ?? "", /262145 section headers, more than the 262144 that are read/);
});
