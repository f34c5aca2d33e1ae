/** What each loader of ARM machines does with each kind of image: rule by rule, with the message it prints. */
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { recognise } from "../../src/formats/index.js";
import { verdicts, type Outcome, type Verdict } from "../../src/verdicts/index.js";
import { IH_ARCH, IH_COMP, IH_OS, IH_TYPE, UIMAGE } from "../../src/spec/uimage.js";
import { EM } from "../../src/spec/elf.js";
import {
  makeArm64Image,
  makeFit,
  makeFitOf,
  makeFreeBsdArm,
  makeUImage,
  makeZImage,
  packLz4Legacy,
} from "../support/arm-images.js";
import { makeBzImage, makeElf, makeNotes } from "../support/images.js";
import { packedSamples } from "../codecs/sample.js";

/** Every loader, and one letter each of what it does: y takes, n refuses, b blind. */
const LOADERS = [
  "xen-arm64",
  "xen-armhf",
  "xl",
  "qemu-aarch64",
  "qemu-arm",
  "u-boot-booti",
  "u-boot-bootz",
  "u-boot-bootm",
  "firecracker-aarch64",
];
const LETTERS: Readonly<Record<Outcome, string>> = { takes: "y", refuses: "n", blind: "b" };

function judge(bytes: Uint8Array, loader: string): Verdict {
  const verdict = verdicts(recognise(bytes)).find((one) => one.loader.name === loader);
  assert.ok(verdict, loader);
  return verdict;
}

const elf64 = makeElf({
  machine: EM.AARCH64,
  entry: 0x4020_0000,
  segments: [{ vaddr: 0x4020_0000, bytes: new Uint8Array(64) }],
});
const xenNote = makeNotes([{ name: "Xen", type: 5, desc: new Uint8Array(4) }]);
const elfWithNote = makeElf({
  machine: EM.ARM,
  elfClass: 32,
  segments: [
    { vaddr: 0x4020_0000, bytes: new Uint8Array(64) },
    { type: 4, bytes: xenNote },
  ],
});

test("R5.1 the table: nine loaders by kind of image", () => {
  const table: [name: string, bytes: Uint8Array, letters: string][] = [
    ["FreeBSD/arm ELF", makeFreeBsdArm(), "nnnnbnnnn"],
    ["arm64 ELF", elf64, "nnnynnnnn"],
    ["zImage", makeZImage(), "yyybynynn"],
    ["zImage for one address", makeZImage({ start: 0x6000_8000 }), "yybbbnynn"],
    ["zImage, end past the file", makeZImage({ end: 0x200 }), "nnybynynn"],
    ["zImage, big-endian header", makeZImage({ bigEndian: true }), "nnnbbnnnn"],
    ["zImage, gzip", gzipSync(makeZImage()), "yyybbnnnn"],
    ["arm64 Image", makeArm64Image(), "ynyybynny"],
    ["arm64 Image, gzip", gzipSync(makeArm64Image()), "ynyybnnnn"],
    ["uImage", makeUImage({ data: makeZImage() }), "yynbynnyn"],
    ["uImage for MIPS", makeUImage({ arch: IH_ARCH.MIPS }), "nbnbbnnnn"],
    ["FIT for MIPS", makeFit(makeArm64Image(), { arch: "mips" }), "nnnbbnnbn"],
    ["FIT", makeFit(makeArm64Image()), "nnnbbnnyn"],
  ];
  for (const [name, bytes, letters] of table) {
    const all = verdicts(recognise(bytes));
    assert.deepEqual(
      all.map(({ loader }) => loader.name),
      LOADERS,
    );
    assert.equal(all.map(({ outcome }) => LETTERS[outcome]).join(""), letters, name);
    for (const { outcome, check, reason } of all) {
      assert.ok(reason.length > 0 && (outcome === "takes" || check !== undefined), `${name}: ${reason}`);
      assert.ok(check === undefined || check.offset <= bytes.length || bytes[0] === 0x1f);
    }
  }
});

test("R5.1 every refusal but QEMU's of another CPU says what is printed", () => {
  const samples = [
    makeFreeBsdArm(),
    makeZImage({ end: 0x200 }),
    makeArm64Image(),
    elf64,
    makeUImage({ type: 3 }),
  ];
  for (const { outcome, loader, prints } of samples.flatMap((bytes) => verdicts(recognise(bytes)))) {
    if (outcome === "refuses" && !loader.name.startsWith("qemu")) assert.ok(prints.length > 0, loader.name);
  }
});

test("R5.1 R5.2 Xen refuses an ELF kernel with the messages of 4.17, and says what to do", () => {
  const verdict = judge(makeFreeBsdArm(), "xen-arm64");
  assert.deepEqual(verdict.prints, ["Could not set up DOM0 guest OS", "Could not set up domain domU1"]);
  assert.match(verdict.advice ?? "", /locore convert KERNEL --to zimage/);
  assert.match(judge(elf64, "xen-arm64").advice ?? "", /--to arm64-image/);
  assert.match(judge(elf64, "xen-armhf").advice ?? "", /32-bit kernels only/);
});

test("R5.1 Xen checks a zImage's end against the module, and places it by start", () => {
  assert.equal(judge(makeZImage({ end: 0x101 }), "xen-armhf").check?.offset, 0x2c);
  assert.match(judge(makeZImage(), "xen-armhf").reason, /below 128 MiB/);
  assert.match(judge(makeZImage({ start: 0x6000_8000 }), "xen-armhf").reason, /0x60008000/);
});

test("R5.1 Xen knows the first arm64 kernels by their branch, and reads text_offset as it is", () => {
  const old = makeArm64Image({ code0: 0x1400_0008, textOffset: 0x80000 });
  assert.match(judge(old, "xen-arm64").reason, /0x80000 \(text_offset\)/);
});

test("R5.1 uImages on Xen: size, architecture, compression, address", () => {
  const cases: [Parameters<typeof makeUImage>[0], Outcome, RegExp][] = [
    [{ size: 1000 }, "refuses", /Could not set up/],
    [{ arch: IH_ARCH.MIPS, data: makeZImage() }, "refuses", /Unsupported uImage arch type 5/],
    [{ compression: IH_COMP.GZIP }, "blind", /4\.18 and later unpack it/],
    [{ compression: IH_COMP.LZMA }, "blind", /Unsupported uImage compression type 3/],
    [
      { load: 0, entry: 0x8000 },
      "takes",
      /4\.18 and later: refused, "Entry point cannot be non zero for PIE image/,
    ],
    [{ arch: IH_ARCH.ARM64 }, "takes", /at the start of memory/],
  ];
  for (const [parts, outcome, text] of cases) {
    const verdict = judge(makeUImage(parts), "xen-arm64");
    assert.equal(verdict.outcome, outcome);
    assert.match([verdict.reason, ...verdict.prints].join("\n"), text);
  }
});

test("R5.1 xl: the message of the mailing list for an ELF file; x86 only with notes; start must be 0", () => {
  assert.equal(
    judge(makeFreeBsdArm(), "xl").prints[0],
    "xc_dom_find_loader: no loader found: Invalid kernel",
  );
  assert.match(judge(elfWithNote, "xl").prints[0], /unknown image type 40/);
  assert.equal(judge(makeZImage({ start: 4 }), "xl").check?.offset, 0x28);
  assert.equal(judge(makeUImage(), "xl").outcome, "refuses");
});

test("R5.1 QEMU: ELF files get no device tree; text_offset, image_size 0, and uImages", () => {
  assert.match(judge(elf64, "qemu-aarch64").reason, /no device tree.*x0 = 0/);
  assert.match(judge(makeFreeBsdArm(), "qemu-arm").reason, /p_paddr, which is virtual/);
  const places: [number, number, string][] = [
    [0x80000, 0x1000, "0x40080000"],
    [0, 0x1000, "0x40200000"],
    [7, 0, "0x40080000"],
  ];
  for (const [textOffset, imageSize, where] of places) {
    assert.match(judge(makeArm64Image({ textOffset, imageSize }), "qemu-aarch64").reason, new RegExp(where));
  }
  const uImages: [Parameters<typeof makeUImage>[0], RegExp][] = [
    [{ type: IH_TYPE.RAMDISK }, /Wrong image type 3, expected 2/],
    [{ compression: IH_COMP.LZMA }, /compression type 3/],
    [{ os: IH_OS.FREEBSD }, /only Linux is handed a device tree/],
    [{ load: 0x8000 }, /there is no memory/],
  ];
  const noLoad = judge(makeUImage({ type: IH_TYPE.KERNEL_NOLOAD, load: 0, entry: 0x10 }), "qemu-arm");
  assert.match(noLoad.reason, /loads it at 0x42000040, enters it at 0x42000050/);
  assert.equal(noLoad.outcome, "takes");
  for (const [parts, text] of uImages) {
    const verdict = judge(makeUImage(parts), "qemu-arm");
    assert.equal(verdict.outcome, "blind");
    assert.match([verdict.reason, ...verdict.prints].join("\n"), text);
  }
});

test("R5.1 U-Boot: checksums, types, packed files, the end of an old Image", () => {
  const spoilt = makeUImage();
  spoilt[70] ^= 1;
  assert.match(judge(spoilt, "u-boot-bootm").prints[0], /Bad Data CRC/);
  const header = makeUImage();
  header[40] ^= 1;
  assert.equal(judge(header, "u-boot-bootm").prints[0], "Bad Header Checksum");
  assert.match(judge(makeUImage({ type: 3 }), "u-boot-bootm").prints[0], /Wrong Image Type/);
  assert.match(judge(gzipSync(makeArm64Image()), "u-boot-booti").prints[0], /kernel_comp_addr_r/);
  assert.match(judge(makeArm64Image({ imageSize: 0 }), "u-boot-booti").prints[0], /assuming 16MiB/);
  const fit = makeFit(makeArm64Image());
  fit[recognise(fit).facts.find(({ name }) => name === "image kernel-1 data")?.offset ?? 0] ^= 1;
  assert.equal(judge(fit, "u-boot-bootm").outcome, "refuses");
});

test("R5.1 files packed with anything but gzip are refused by all that look", () => {
  const xz = packedSamples().find(({ codec }) => codec === "xz");
  assert.ok(xz);
  const image = { ...recognise(makeZImage()), packedBy: "xz" };
  const letters = verdicts(image).map(({ outcome }) => LETTERS[outcome]);
  assert.equal(letters.join(""), "nnnbbnnnn");
});

test("R2.3 an x86 kernel has no verdicts of ARM loaders", () => {
  for (const bytes of [makeBzImage(), makeElf()]) {
    const names = verdicts(recognise(bytes)).map(({ loader }) => loader.name);
    assert.ok(names.length > 0 && names.every((name) => !LOADERS.includes(name)), names.join());
  }
});

test("R5.1 U-Boot's booti takes a file of a compression that it does not know for an Image", () => {
  const { prints, check } = judge(packLz4Legacy(makeArm64Image()), "u-boot-booti");
  assert.deepEqual(prints, ["Bad Linux ARM64 Image magic!"]);
  assert.match(check?.found ?? "", /lz4-legacy/);
});

test("R5.1 xl: an ELF file packed with what xl does not unpack is a packed file to it", () => {
  const { check, prints } = judge(packLz4Legacy(makeFreeBsdArm()), "xl");
  assert.match(check?.found ?? "", /packed with lz4-legacy/);
  assert.match(prints[0], /no loader found/);
});

test("R5.1 U-Boot: kernel_noload is entered where its data lies, or moved as booti does", () => {
  const noLoad = { type: IH_TYPE.KERNEL_NOLOAD, load: 0, entry: 0x40 };
  assert.match(judge(makeUImage(noLoad), "u-boot-bootm").reason, /where it lies, 0x40 bytes in/);
  const wide = { ...noLoad, arch: IH_ARCH.ARM64 };
  assert.match(
    judge(makeUImage({ ...wide, data: makeArm64Image() }), "u-boot-bootm").reason,
    /as booti does/,
  );
  assert.equal(judge(makeUImage(wide), "u-boot-bootm").prints[0], "Bad Linux ARM64 Image magic!");
});

test("R5.1 containers for other CPUs: loaders that look refuse them, the others run what is in them", () => {
  const mips = makeUImage({ arch: IH_ARCH.MIPS });
  assert.equal(judge(mips, "u-boot-bootm").prints[0], "Unsupported Architecture 0x5");
  assert.equal(judge(mips, "xen-arm64").prints[0], "Unsupported uImage arch type 5");
  for (const loader of ["xen-armhf", "qemu-arm", "qemu-aarch64"]) {
    assert.equal(judge(mips, loader).check?.offset, UIMAGE.ARCH, loader);
  }
});

const FIT_KERNEL = {
  type: "kernel",
  arch: "arm64",
  os: "linux",
  compression: "none",
  load: [0x4020_0000],
  entry: [0x4020_0000],
  data: "x",
};

/** FIT_KERNEL with changes; a property of "" is left out. */
function fitKernel(changes: Readonly<Record<string, string>>): Record<string, string | number[]> {
  return Object.fromEntries(
    Object.entries({ ...FIT_KERNEL, ...changes }).filter(([, value]) => value !== ""),
  );
}

test("R5.1 U-Boot and a FIT: what fit_image_load and bootm_find_os mind, in their words", () => {
  const damaged = (type: string) => ({
    properties: { type, data: "x" },
    children: { "hash-1": { properties: { algo: "crc32", value: [1] } } },
  });
  const cases: [Uint8Array, string][] = [
    [makeFitOf(FIT_KERNEL, { group: { default: "gone" } }), "Could not find configuration node"],
    [makeFitOf(FIT_KERNEL, { parts: { kernel: "gone" } }), "Could not find subimage node type 'kernel'"],
    [makeFitOf(fitKernel({ data: "" })), "Can't get image data/size in 'k' image node"],
    [makeFitOf(fitKernel({ os: "freebsd" })), "No Unknown OS AArch64 Kernel Image Image"],
    [makeFitOf(fitKernel({ os: "netbsd", arch: "arm" })), "No NetBSD ARM Kernel Image Image"],
    [makeFitOf(fitKernel({ type: "ramdisk" })), "No Linux AArch64 Kernel Image Image"],
    [makeFitOf(fitKernel({ compression: "" })), "Can't get image compression!"],
    [makeFitOf(fitKernel({ arch: "" })), "Can't get image ARCH!"],
    [makeFitOf(fitKernel({ load: "" })), "Can't get image load address!"],
    [makeFitOf(fitKernel({ entry: "" })), "Can't get entry point property!"],
    [
      makeFitOf(FIT_KERNEL, { images: { r: damaged("ramdisk") }, parts: { ramdisk: "r" } }),
      "Ramdisk image is corrupt or invalid",
    ],
  ];
  for (const [bytes, text] of cases) {
    const { outcome, prints } = judge(bytes, "u-boot-bootm");
    assert.deepEqual([outcome, prints.includes(text)], ["refuses", true], `${text}: ${prints.join()}`);
  }
  for (const more of [{}, { images: { r: damaged("ramdisk") } }, { group: { default: "conf-1#overlay" } }]) {
    assert.equal(judge(makeFitOf(FIT_KERNEL, more), "u-boot-bootm").outcome, "takes", JSON.stringify(more));
  }
});
