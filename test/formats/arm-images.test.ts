/** Kernel images of ARM machines: each field with its offset, containers, what is wrong and still described. */
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { buildPlan } from "../../src/boot/index.js";
import { FormatError } from "../../src/formats/format-error.js";
import type { Fact } from "../../src/formats/image.js";
import { recognise, type KnownImage } from "../../src/formats/index.js";
import { readDeviceTree } from "../../src/formats/device-tree/device-tree.js";
import { unpackZImage } from "../../src/formats/zimage/payload.js";
import { EM, PT } from "../../src/spec/elf.js";
import {
  krnlSizeTable,
  makeArm64Image,
  makeFit,
  makeFreeBsdArm,
  makeTree,
  makeUImage,
  makeZImage,
} from "../support/arm-images.js";
import { makeElf, makeNotes } from "../support/images.js";
import { makeSample, packedSamples } from "../codecs/sample.js";

function fact(image: KnownImage, name: string): Fact {
  const found = image.facts.find((one) => one.name === name);
  assert.ok(found, `no fact ${name} of ${image.facts.map((one) => one.name).join(", ")}`);
  return found;
}

function as<F extends KnownImage["format"]>(
  bytes: Uint8Array,
  format: F,
): Extract<KnownImage, { format: F }> {
  const image = recognise(bytes);
  assert.equal(image.format, format);
  return image as Extract<KnownImage, { format: F }>;
}

test("R5.1 a zImage's header words, each with its offset", () => {
  const image = as(makeZImage({ start: 0x4000_8000 }), "zimage");
  assert.equal(image.arch, "arm");
  assert.deepEqual([image.start, image.end], [0x4000_8000, 0x4000_8100]);
  assert.deepEqual([fact(image, "start").offset, fact(image, "end").offset], [0x28, 0x2c]);
  assert.deepEqual(image.problems, []);
  assert.match(image.summary, /ARM zImage, for address 0x40008000/);
  assert.match(recognise(makeZImage()).summary, /runs anywhere/);
  const big = as(makeZImage({ bigEndian: true, start: 0x8000 }), "zimage");
  assert.ok(big.bigEndian && big.start === 0x8000);
});

for (const { codec, bytes } of packedSamples().filter(({ codec }) => codec !== "zstd")) {
  test(`R5.1 a zImage's ${codec} payload is found, bounded by the extension table, and unpacked`, () => {
    const sizeWord = new Uint8Array(4);
    new DataView(sizeWord.buffer).setUint32(0, makeSample().length, true);
    // gzip has its size inside; others get it appended by the kernel's build.
    const payload = codec === "gzip" ? bytes : Uint8Array.from([...bytes, ...sizeWord]);
    const image = as(makeZImage({ payload, table: krnlSizeTable(payload.length) }), "zimage");
    const size = image.table?.kernelSize;
    assert.deepEqual(
      [size?.unpackedSize, size?.bssSize, size?.textOffset],
      [makeSample().length, 0x1000, 0x8000],
    );
    assert.deepEqual([image.payload?.codec, image.payload?.offset], [codec, 0x100]);
    assert.deepEqual(unpackZImage(image, { maxOutput: 1 << 20 }), makeSample());
    assert.throws(() => unpackZImage(image, { maxOutput: 10 }), FormatError);
  });
}

test("R5.1 an extension table that leaves the file is said to, and the rest is still read", () => {
  for (const table of [[0x1000_0000], [1, 2], Array<number>(100).fill(2)]) {
    const image = as(makeZImage({ table, payload: new Uint8Array(0x200) }), "zimage");
    assert.equal(image.table, undefined);
    assert.equal(image.problems[0].offset, 0x38);
  }
});

test("R5.1 a zImage that ends past its file says so at the end word", () => {
  const image = as(makeZImage({ end: 0x101 }), "zimage");
  assert.equal(image.problems[0].offset, 0x2c);
  assert.match(String(fact(image, "problem").value), /257 bytes; expected from 1 to the 256/);
});

test("R5.1 an arm64 Image's header fields, flags decoded", () => {
  const image = as(makeArm64Image({ textOffset: 0x80000, imageSize: 0x10_0000, flags: 0x2 }), "arm64-image");
  assert.deepEqual(
    [image.arch, image.pageSize, image.anywhere, image.loadOffset],
    ["arm64", 4, false, 0x80000n],
  );
  assert.equal(fact(image, "text_offset").offset, 8);
  assert.deepEqual(fact(image, "flags.bits").value, [
    "little-endian",
    "4 KiB pages",
    "2 MiB boundary near the start of memory",
  ]);
  const old = as(makeArm64Image({ textOffset: 7, imageSize: 0 }), "arm64-image");
  assert.equal(old.loadOffset, 0x80000n);
  const bad = as(makeArm64Image({ textOffset: 0x20_0000, imageSize: 1 }), "arm64-image");
  assert.deepEqual(
    bad.problems.map(({ offset }) => offset),
    [16, 8],
  );
});

test("R5.1 an Image that is an EFI program too, and one packed with gzip", () => {
  const bytes = makeArm64Image({ code0: 0xfa40_5a4d });
  bytes.set([0x80], 60);
  bytes.set([0x50, 0x45, 0, 0, 0x64, 0xaa], 0x80);
  const image = as(gzipSync(bytes), "arm64-image");
  assert.deepEqual([image.peOffset, image.packedBy], [0x80, "gzip"]);
  assert.match(image.summary, /EFI program, packed with gzip/);
});

test("R5.1 a uImage: its words, its checksums, and what is in it", () => {
  const image = as(makeUImage({ data: makeZImage(), name: "Linux-6.1" }), "uimage");
  assert.deepEqual(
    [image.arch, image.load, image.name, image.problems],
    ["arm", 0x4020_0000, "Linux-6.1", []],
  );
  assert.match(image.summary, /"Linux-6.1", arm linux kernel, load 0x40200000, .*holds: ARM zImage/);
  const packed = as(makeUImage({ data: gzipSync(makeArm64Image()), compression: 1, arch: 22 }), "uimage");
  assert.match(packed.content ?? "", /^arm64 Image.*packed with gzip$/);
  const spoilt = makeUImage();
  spoilt[70] ^= 1;
  spoilt[40] ^= 1;
  assert.deepEqual(
    as(spoilt, "uimage").problems.map(({ offset }) => offset),
    [4, 24],
  );
  assert.equal(as(makeUImage({ size: 1000 }), "uimage").problems[0].offset, 12);
});

test("R5.1 a FIT: images, configurations, digests, what the kernel is", () => {
  const image = as(makeFit(makeArm64Image()), "fit");
  assert.deepEqual(
    [image.arch, image.kernel?.name, image.defaultConfiguration],
    ["arm64", "kernel-1", "conf-1"],
  );
  assert.match(image.kernel?.content ?? "", /^arm64 Image/);
  assert.deepEqual(image.problems, []);
  const at = image.kernel?.data?.offset ?? 0;
  assert.equal(fact(image, "image kernel-1 data").offset, at);
  const spoilt = Uint8Array.from(image.bytes);
  spoilt[at] ^= 1;
  assert.match(as(spoilt, "fit").problems[0].found, /crc32 0x[0-9a-f]{8} of "kernel-1"/);
});

test("R5.1 a FIT whose data lies behind the tree", () => {
  const kernel = makeZImage();
  const tree = makeTree({
    children: {
      images: {
        children: {
          k: {
            properties: { type: "kernel", arch: "arm", "data-offset": [0], "data-size": [kernel.length] },
          },
          gone: { properties: { type: "flat_dt", "data-position": [0xffff_ff00], "data-size": [4] } },
        },
      },
    },
  });
  const start = Math.ceil(tree.length / 4) * 4;
  const bytes = new Uint8Array(start + kernel.length);
  bytes.set(tree);
  bytes.set(kernel, start);
  const image = as(bytes, "fit");
  assert.equal(image.kernel?.data?.offset, start);
  assert.match(image.kernel?.content ?? "", /ARM zImage/);
  assert.match(image.problems[0].found, /"gone" at 0xffffff00/);
});

test("R5.1 a device tree that is no FIT is named; a damaged one is refused at its offset", () => {
  const tree = makeTree({ properties: { model: "x" }, children: { chosen: {} } });
  assert.throws(() => recognise(tree), /a device tree .*beside the kernel/);
  assert.equal(readDeviceTree(tree).root.children[0].name, "chosen");
  for (const [offset, value] of [
    [4, 0xffff_ffff],
    [20, 3],
    [8, 0x7fff_fff0],
    [36, 4],
    [56, 7],
  ] as const) {
    const bad = Uint8Array.from(tree);
    new DataView(bad.buffer).setUint32(offset, value);
    assert.throws(
      () => recognise(bad),
      (error) => error instanceof FormatError && error.offset <= bad.length,
      `offset ${offset}`,
    );
  }
});

test("R5.1 a FreeBSD/arm kernel is named: interpreter, EABI5, ABI note, virtual p_paddr", () => {
  const image = as(makeFreeBsdArm(), "elf");
  assert.match(image.summary, /ELF32 arm EXEC, interpreter \/red\/herring, FreeBSD kernel, EABI5/);
  assert.deepEqual(fact(image, "arm.flags").value, ["EABI5", "soft-float"]);
  assert.equal(fact(image, "FreeBSD.version").value, 1_302_001);
  assert.equal(fact(image, "p_paddr").value, "virtual");
  assert.match(fact(image, "p_paddr").meaning ?? "", /learns its place from pc/);
  assert.match(String(fact(image, "entry.state").value), /r2 = device tree/);
});

test("R5.1 NetBSD, Linux and bare ARM ELF files: whose they are, whether p_paddr is physical", () => {
  const netbsd = makeNotes([{ name: "NetBSD", type: 1, desc: new Uint8Array([1, 2, 3, 4]) }]);
  const cases: [Parameters<typeof makeElf>[0], string | undefined, string][] = [
    [
      {
        machine: EM.ARM,
        elfClass: 32,
        segments: [
          { vaddr: 0x8000_0000, paddr: 0x4000_0000, bytes: netbsd },
          { type: PT.NOTE, bytes: netbsd },
        ],
      },
      "NetBSD",
      "physical",
    ],
    [
      { machine: EM.AARCH64, segments: [{ vaddr: 0xffff_8000_0800_0000n, bytes: netbsd }] },
      undefined,
      "virtual",
    ],
    [
      { machine: EM.ARM, elfClass: 32, segments: [{ vaddr: 0xc000_8000, bytes: netbsd }] },
      undefined,
      "virtual",
    ],
    [
      { machine: EM.ARM, elfClass: 32, segments: [{ vaddr: 0x4020_0000, bytes: netbsd }] },
      undefined,
      "physical",
    ],
  ];
  for (const [parts, system, addresses] of cases) {
    const image = recognise(makeElf(parts));
    assert.equal(image.facts.find(({ name }) => name === "system")?.value, system);
    assert.equal(fact(image, "p_paddr").value, addresses);
  }
});

test("R5.1 booting an ARM kernel here is refused once, with what to do instead", () => {
  for (const bytes of [makeZImage(), makeArm64Image(), makeFreeBsdArm(), makeUImage()]) {
    assert.throws(
      () => buildPlan({ kernel: { name: "kernel", bytes } }),
      /boot "kernel": file offset 0x0: found .*expected a kernel for x86-64 or i386\. This machine has an x86 CPU\. locore inspect says/,
    );
  }
});

test("R5.1 a FIT's words are data: one named as a part of every object is no architecture's other name", () => {
  for (const arch of ["constructor", "toString", "__proto__"]) {
    assert.equal(recognise(makeFit(makeArm64Image(), { arch })).arch, arch);
  }
});

/** A tree whose root has `count` properties without values, all of one name at the start of the strings. */
function manyProperties(count: number, nameLength: number): Uint8Array {
  const tree = makeTree({ properties: { ["n".repeat(nameLength)]: new Uint8Array(0) } });
  const words = new DataView(tree.buffer);
  const [structAt, stringsAt] = [words.getUint32(8), words.getUint32(12)];
  const [head, property, end] = [tree.slice(0, structAt + 8), 12, 8];
  const bytes = new Uint8Array(tree.length + (count - 1) * property);
  bytes.set(head);
  for (let i = 0; i < count; i++) {
    bytes.set(tree.subarray(structAt + 8, structAt + 8 + property), structAt + 8 + i * property);
  }
  bytes.set(tree.subarray(stringsAt - end), bytes.length - (tree.length - stringsAt) - end);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, bytes.length);
  view.setUint32(12, bytes.length - (tree.length - stringsAt));
  view.setUint32(36, view.getUint32(12) - structAt);
  return bytes;
}

test("R5.1 a tree with a quarter of a million properties of one long name is read in little memory", () => {
  const bytes = manyProperties(262_000, 255);
  const before = process.memoryUsage().heapUsed;
  const { root } = readDeviceTree(bytes);
  const grown = process.memoryUsage().heapUsed - before;
  assert.equal(root.properties.length, 262_000);
  assert.ok(root.properties.every(({ name }) => name.length === 255));
  assert.ok(grown < 200 * 2 ** 20, `${grown} bytes`);
});

test("R5.1 a FIT's text without an end is refused at its offset", () => {
  const fit = makeFit(makeArm64Image(), {}, { description: "x".repeat(5000) });
  assert.throws(() => recognise(fit), /offset 0x[0-9a-f]+: found "description" without an end in 4096 bytes/);
});

test("R5.1 a FIT whose images all share the whole file is looked at a few times, and says what was not checked", () => {
  const size = 2 ** 23;
  const images = Object.fromEntries(
    Array.from({ length: 256 }, (_, i) => [
      `i${i}`,
      {
        properties: { type: "kernel", "data-position": [i], "data-size": [size - 256 - i] },
        children: Object.fromEntries(
          [1, 2, 3, 4].map((n) => [`hash-${n}`, { properties: { algo: "crc32", value: [0] } }]),
        ),
      },
    ]),
  );
  const tree = makeTree({ children: { images: { children: images } } });
  const bytes = new Uint8Array(size);
  bytes.set(tree);
  const image = as(bytes, "fit");
  const { hashes } = image.images[255];
  assert.match(hashes[0], /^crc32 \(not checked/);
  const summed = image.images.filter(({ problems }) => problems.length > 0);
  assert.ok(summed.length >= 1 && summed.length <= 4, `${summed.length} of 256 summed`);
  assert.equal(summed[0].problems.length, 4, "each digest that was checked is wrong");
});
