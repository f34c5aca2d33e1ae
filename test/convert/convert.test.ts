/** R5.2 conversions as data: where a kernel goes and why, what is refused, and the way back. Nothing runs. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import test from "node:test";
import { ByteView } from "../../src/bytes/byte-view.js";
import { convert, ConvertError, type ConvertOptions } from "../../src/convert/index.js";
import { HEADER_SIZE, TAIL_SIZE, WRAPPER32 } from "../../src/convert/wrapper.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise } from "../../src/formats/index.js";
import { loadSegments } from "../../src/formats/elf/segments.js";
import {
  ARM64_IMAGE,
  ZIMAGE,
  ZIMAGE_MAGIC,
  ZIMAGE_MAGIC2,
  ZIMAGE_TAG_KRNL_SIZE,
} from "../../src/spec/arm-boot.js";
import { ELF32, EM, ET, PN_XNUM } from "../../src/spec/elf.js";
import { makeElf, type ElfParts } from "../support/images.js";
import { makeGuest, UART } from "./guest.js";

const CODE = Uint8Array.from({ length: 100 }, (_, i) => i + 1);

function arm(parts: ElfParts = {}): Uint8Array {
  const segments = [{ vaddr: 0x4000_8000, bytes: CODE, memsz: 300 }];
  return makeElf({ elfClass: 32, machine: EM.ARM, entry: 0x4000_8010, segments, ...parts });
}

function arm64(parts: ElfParts = {}): Uint8Array {
  const segments = [{ vaddr: 0x4008_0000n, bytes: CODE, memsz: 300 }];
  return makeElf({ elfClass: 64, machine: EM.AARCH64, entry: 0x4008_0010n, segments, ...parts });
}

function refused(elf: Uint8Array, options: ConvertOptions, wanted: RegExp): void {
  assert.throws(
    () => convert(elf, options),
    (error) => error instanceof FormatError && wanted.test(error.message) && error.meaning.length > 0,
    String(wanted),
  );
}

test("R5.2 a zImage has the header of spec, no fixed address, and ends where the file does", () => {
  const { bytes, placement, entry, memory, contents } = convert(arm(), { to: "zimage" });
  const image = recognise(bytes);
  assert.ok(image.format === "zimage");
  assert.deepEqual(
    { start: image.start, end: image.end, problems: image.problems },
    { start: 0, end: bytes.length, problems: [] },
  );
  assert.deepEqual([placement.kind, placement.address, entry], ["absolute", 0x4000_8000, 0x4000_8010]);
  // 100 and 300 bytes, in units of 16.
  assert.deepEqual([contents, memory], [112, 304]);
  assert.equal(bytes.length, HEADER_SIZE + 112 + TAIL_SIZE);
});

test("R5.2 an arm64 Image counts the memory that it will need, and may be anywhere only with a fixed address", () => {
  const fixed = recognise(convert(arm64(), { to: "arm64-image" }).bytes);
  assert.ok(fixed.format === "arm64-image");
  assert.deepEqual([fixed.anywhere, fixed.textOffset, fixed.problems], [true, 0n, []]);
  // The trampoline may copy itself above the image, and above what it unpacks.
  assert.equal(fixed.imageSize, BigInt(fixed.bytes.length + TAIL_SIZE));
  const moving = recognise(convert(arm64(), { to: "arm64-image", relative: true }).bytes);
  assert.ok(moving.format === "arm64-image");
  assert.equal(moving.anywhere, false);
  assert.equal(moving.imageSize, BigInt(0x8_0000 + 304 + TAIL_SIZE));
});

test("R5.2 the place follows from the addresses, and the choice is explained", () => {
  const high = { vaddr: 0xc040_0000, bytes: CODE };
  const cases: [Uint8Array, "zimage" | "arm64-image", string, number, RegExp][] = [
    [arm(), "zimage", "absolute", 0x4000_8000, /linked for this place.*if it is a virtual address/],
    [
      arm({ segments: [{ ...high, paddr: 0x8000_0000 }], entry: 0xc040_0000 }),
      "zimage",
      "absolute",
      0x8000_0000,
      /differs from p_vaddr/,
    ],
    [
      arm({ segments: [high], entry: 0xc040_0000 }),
      "zimage",
      "relative",
      0x40_0000,
      /where kernels are mapped.*128 MiB/,
    ],
    [
      // As Linux' vmlinux has them: the vectors alone have a virtual address of their own.
      arm({
        segments: [
          { vaddr: 0xc000_8000, bytes: CODE },
          { vaddr: 0xffff_0000, paddr: 0xc000_9000, bytes: CODE },
        ],
        entry: 0xc000_8000,
      }),
      "zimage",
      "relative",
      0x8000,
      /where kernels are mapped/,
    ],
    [
      makeGuest({ bits: 32, link: 0x8040_0000n, uart: UART.QEMU, freebsd: true }).elf,
      "zimage",
      "relative",
      0x40_0000,
      /FreeBSD's linker scripts give no physical addresses/,
    ],
    [arm64(), "arm64-image", "absolute", 0x4008_0000, /linked for this place.*if it is a virtual address/],
    [
      arm64({ segments: [{ vaddr: 0xffff_8000_0808_0000n, bytes: CODE }], entry: 0xffff_8000_0808_0000n }),
      "arm64-image",
      "relative",
      0x8_0000,
      /beyond all physical memory/,
    ],
  ];
  for (const [elf, to, kind, address, reason] of cases) {
    const { placement } = convert(elf, { to });
    assert.deepEqual([placement.kind, placement.address], [kind, address], placement.reason);
    assert.match(placement.reason, reason);
  }
});

test("R5.2 --relative and --at decide where the file leaves it open", () => {
  assert.equal(convert(arm(), { to: "zimage", relative: true }).placement.address, 0x8000);
  const at = convert(arm(), { to: "zimage", at: 0x8000_0000 });
  assert.deepEqual(
    [at.placement.kind, at.placement.address, at.entry],
    ["absolute", 0x8000_0000, 0x8000_0010],
  );
  for (const options of [
    { at: 0x8000_0004 },
    { at: 0xffff_0000 },
    { at: 0x1_0000_0000 },
    { at: 0, relative: true },
  ]) {
    assert.throws(() => convert(arm(), { to: "zimage", ...options }), ConvertError, JSON.stringify(options));
  }
});

test("R5.2 a kernel that begins between two units keeps its place in them", () => {
  const elf = arm({ segments: [{ vaddr: 0x4000_8004, bytes: CODE }], entry: 0x4000_8004 });
  const { placement, bytes, entry } = convert(elf, { to: "zimage" });
  assert.deepEqual([placement.address, entry], [0x4000_8000, 0x4000_8004]);
  assert.deepEqual([...bytes.subarray(HEADER_SIZE, HEADER_SIZE + 6)], [0, 0, 0, 0, 1, 2]);
  assert.equal(convert(elf, { to: "zimage", at: 0x8000_0004 }).entry, 0x8000_0004);
  assert.throws(() => convert(elf, { to: "zimage", at: 0x8000_0000 }), /a multiple of 16, plus 4/);
});

test("R5.2 segments lie as their physical addresses say, holes and bss between them zero", () => {
  const elf = arm({
    segments: [
      { paddr: 0x4000_0100, vaddr: 0xc000_0100, bytes: Uint8Array.of(7, 8) },
      { paddr: 0x4000_0000, vaddr: 0xc000_0000, bytes: Uint8Array.of(1, 2, 3, 4), memsz: 0x80 },
    ],
    entry: 0xc000_0000,
  });
  const { bytes, contents, memory } = convert(elf, { to: "zimage" });
  assert.deepEqual([contents, memory], [0x110, 0x110]);
  const laid = bytes.subarray(HEADER_SIZE, HEADER_SIZE + contents);
  assert.deepEqual([...laid.subarray(0, 5), ...laid.subarray(0xff, 0x103)], [1, 2, 3, 4, 0, 0, 7, 8, 0]);
});

test("R5.2 what cannot be converted is refused at its offset, with what to do", () => {
  const zimage = { to: "zimage" } as const;
  const zero = { vaddr: 0x4000_8000, bytes: CODE };
  refused(makeElf(), zimage, /e_machine 62.*ELF64.*built for one/);
  refused(arm64(), zimage, /offset 0x12: .*ask for arm64-image/);
  refused(arm(), { to: "arm64-image" }, /ask for zimage/);
  refused(arm({ type: ET.REL }), zimage, /e_type 1.*not a linked kernel/);
  refused(arm({ segments: [] }), zimage, /no PT_LOAD segment/);
  refused(arm({ entry: 0x1000 }), zimage, /e_entry 0x1000/);
  refused(arm({ entry: 0x4000_8012 }), zimage, /multiple of 4, or bit 0/);
  refused(arm64({ entry: 0x4008_0011n }), { to: "arm64-image" }, /multiple of 4/);
  refused(arm({ segments: [{ ...zero, memsz: 10 }] }), zimage, /p_memsz 0xa below p_filesz/);
  refused(
    arm({ segments: [zero, { ...zero, vaddr: 0x4000_8040 }] }),
    zimage,
    /not to overlap program header 0/,
  );
  refused(arm({ segments: [zero, { ...zero, vaddr: 0xffff_0000 }] }), zimage, /at most 0x8000000 bytes/);
  refused(arm({ segments: [{ ...zero, memsz: 0x900_0000 }] }), zimage, /at most 0x8000000 bytes/);
  refused(convert(arm(), zimage).bytes, zimage, /already/);
  refused(arm(), { to: "elf" }, /an ELF file already/);
  refused(Uint8Array.from(CODE), zimage, /No known format|text/);
});

/** As many segments of one byte, 16 bytes apart; their number stands in section 0 (gABI, PN_XNUM). */
function manySegments(count: number): Uint8Array {
  const segments = Array.from({ length: count }, (_, i) => ({
    vaddr: 0x4000_8000 + i * 16,
    bytes: CODE.subarray(0, 1),
  }));
  const elf = arm({ segments, sections: [], phnum: PN_XNUM, entry: 0x4000_8000 });
  const view = new ByteView(elf);
  view.setU32(view.u32(ELF32.ehdr.shoff) + ELF32.shdr.info, count);
  return elf;
}

test("R5.2 any number of segments is laid out: 200,000 of one byte", () => {
  const { contents } = convert(manySegments(200_000), { to: "zimage" });
  assert.equal(contents, 200_000 * 16);
});

test("R5.2 a small file does not become an image of holes: the segments that lie apart are named", () => {
  const [low, byte] = [0x4008_0000n, CODE.subarray(0, 1)];
  const apart = (...distances: bigint[]): Uint8Array =>
    arm64({ segments: distances.map((distance) => ({ vaddr: low + distance, bytes: byte })), entry: low });
  refused(
    apart(0n, 0x100n, 0x3ff0_0000n, 0x3ff0_0100n),
    { to: "arm64-image" },
    /program header 2 at physical 0x7ff80000–.* lies 0x3feffeff bytes above the contents of program header 1 .*64 MiB of holes/,
  );
  assert.equal(convert(apart(0n, 0x300_0000n), { to: "arm64-image" }).contents, 0x300_0010);
});

test("R5.2 what is overwritten beside the kernel's own memory is said", () => {
  const notes = (options: ConvertOptions): string => convert(arm(), options).notes.join("\n");
  const fixed = notes({ to: "zimage" });
  assert.match(fixed, /0x40008000 to 0x40008130 is overwritten, and up to 0x400 bytes above that and above/);
  assert.match(fixed, /device tree .* is moved: to the next 2 MiB boundary above both/);
  assert.match(notes({ to: "zimage", relative: true }), /is moved: below kernel and image if there is room/);
});

test("R5.2 a packed ELF file is unpacked first", () => {
  assert.deepEqual(convert(gzipSync(arm()), { to: "zimage" }).bytes, convert(arm(), { to: "zimage" }).bytes);
});

for (const [name, elf, to] of [
  ["zImage", arm(), "zimage"],
  ["arm64 Image", arm64(), "arm64-image"],
] as const) {
  test(`R5.2 the kernel in a ${name} of ours comes out again, and goes in again as it was`, () => {
    const wrapped = convert(elf, { to });
    const out = convert(wrapped.bytes, { to: "elf" });
    const image = recognise(out.bytes);
    assert.ok(image.format === "elf");
    const [segment, ...more] = loadSegments(image);
    assert.equal(more.length, 0);
    assert.deepEqual(segment.bytes.subarray(0, CODE.length), CODE);
    assert.deepEqual([segment.memsz, image.header.entry], [304, BigInt(wrapped.entry)]);
    assert.deepEqual(convert(out.bytes, { to }).bytes, wrapped.bytes);
  });
}

test("R5.2 a damaged wrapper is refused when it is to be unwrapped", () => {
  const { bytes } = convert(arm(), { to: "zimage" });
  for (const [at, value] of [
    [WRAPPER32.FILE, 0],
    [WRAPPER32.FILE, 0x1000],
    [WRAPPER32.MEMORY, 0x10],
    [WRAPPER32.ENTRY, 0x1000],
    [WRAPPER32.LINK, 0xffff_fff0],
  ]) {
    const damaged = Uint8Array.from(bytes);
    new ByteView(damaged).setU32(at, value);
    refused(damaged, { to: "elf" }, /a wrapper around .*convert the kernel again/);
  }
});

/** A zImage as Linux builds them: code with xz's magic number in it, the payload, the extension table. */
function linuxZImage(payload: Uint8Array, textOffset: number, bss: number): Uint8Array {
  const at = 0x100;
  const table = at + payload.length + (4 - (payload.length % 4));
  const view = new ByteView(new Uint8Array(table + 7 * 4));
  view.setU32(ZIMAGE.MAGIC, ZIMAGE_MAGIC);
  view.setU32(ZIMAGE.END, view.length);
  view.setU32(ZIMAGE.MAGIC2, ZIMAGE_MAGIC2);
  view.setU32(ZIMAGE.TABLE, table);
  view.setBytes(0x80, Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0, 0x58, 0x5a, 0x20, 0x64));
  view.setBytes(at, payload);
  [6, ZIMAGE_TAG_KRNL_SIZE, at + payload.length - 4, bss, textOffset, 0].forEach((word, i) =>
    view.setU32(table + i * 4, word),
  );
  return view.bytes;
}

test("R5.2 a Linux zImage: its payload, at the text offset that its table names, with its bss", () => {
  const kernel = Uint8Array.from({ length: 5000 }, (_, i) => i);
  const made = convert(linuxZImage(gzipSync(kernel), 0x20_8000, 1000), { to: "elf" });
  assert.deepEqual([made.address, made.entry, made.memory], [0xc020_8000n, 0xc020_8000n, 6000]);
  const { placement, contents } = convert(made.bytes, { to: "zimage" });
  assert.deepEqual([placement.kind, placement.address, contents], ["relative", 0x20_8000, 5008]);
});

test("R5.2 an arm64 Image as it is: its text offset and its size in memory", () => {
  const view = new ByteView(new Uint8Array(0x200));
  view.setLatin1(ARM64_IMAGE.MAGIC, "ARM\x64");
  view.setU64(ARM64_IMAGE.TEXT_OFFSET, 0x8_0000);
  view.setU64(ARM64_IMAGE.IMAGE_SIZE, 0x1000);
  const made = convert(view.bytes, { to: "elf" });
  assert.deepEqual([made.address, made.memory], [0xffff_8000_0008_0000n, 0x1000]);
  assert.equal(convert(made.bytes, { to: "arm64-image" }).placement.address, 0x8_0000);
  view.setU64(ARM64_IMAGE.FLAGS, 1);
  refused(view.bytes, { to: "elf" }, /big-endian/);
});
