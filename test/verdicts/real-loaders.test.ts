/**
 * R5.1 the verdicts held to the loaders themselves, where they are installed: U-Boot's prompt, QEMU, and Debian's Xen 4.17
 * print what the verdict says, or run what it says they run.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { convert } from "../../src/convert/index.js";
import { recognise } from "../../src/formats/index.js";
import { IH_ARCH, IH_COMP, IH_TYPE } from "../../src/spec/uimage.js";
import { verdicts, type Verdict } from "../../src/verdicts/index.js";
import { checkReport, makeGuest, UART } from "../convert/guest.js";
import { bootDirectly, QEMU, RAM, runMachine, testFolder } from "../convert/machines.js";
import { GUEST_RAM, runAsDomU } from "../convert/xen.js";
import {
  makeArm64Image,
  makeFit,
  makeFitOf,
  makeFreeBsdArm,
  makeTree,
  makeUImage,
  makeZImage,
  packLz4Legacy,
} from "../support/arm-images.js";
import { requireGuest, requireTool } from "../support/requires.js";

const LOADED = RAM + 0x100_0000;
const REPORTED = /x=0+\r?\n/;

function verdictOf(bytes: Uint8Array, loader: string): Verdict {
  const verdict = verdicts(recognise(bytes)).find((one) => one.loader.name === loader);
  assert.ok(verdict, loader);
  return verdict;
}

function spoilt(bytes: Uint8Array, offset: number): Uint8Array {
  bytes[offset] ^= 1;
  return bytes;
}

/** Where a FIT's kernel is. */
function dataOffset(bytes: Uint8Array): number {
  const image = recognise(bytes);
  assert.ok(image.format === "fit" && image.kernel?.data !== undefined);
  return image.kernel.data.offset;
}

/**
 * The name of the default configuration where it is there: Debian's U-Boot chooses by the board's tree where none is named.
 */
function configurationOf(bytes: Uint8Array): string {
  try {
    const image = recognise(bytes);
    if (image.format !== "fit") return "";
    const found = image.configurations.find(({ name }) => name === image.defaultConfiguration);
    return found === undefined ? "" : `#${found.name}`;
  } catch {
    return "";
  }
}

/** U-Boot's answer to a command for the image in memory, up to its next prompt. */
async function atPrompt(
  t: TestContext,
  bits: 32 | 64,
  command: string,
  image: Uint8Array,
  until = /=> boot[^]*=> $/,
): Promise<string | undefined> {
  const uBoot = await requireGuest(t, bits === 32 ? "u-boot-arm" : "u-boot-arm64");
  if (uBoot === undefined) return undefined;
  return runMachine(t, {
    bits,
    args: [
      ...["-M", "virt", "-cpu", QEMU[bits].cpu, "-m", "256", "-bios", "@bios"],
      ...["-device", `loader,file=@kernel,addr=${LOADED},force-raw=on`],
    ],
    files: { bios: await readFile(uBoot.files["bios"]), kernel: image },
    typed: [
      [/stop autoboot/, " "],
      [/=> /, `${command} ${LOADED.toString(16)}${configurationOf(image)} - \${fdtcontroladdr}\r`],
    ],
    until,
  });
}

const FIT_KERNEL = {
  ...{ type: "kernel", arch: "arm64", os: "linux", compression: "none", data: "x" },
  ...{ load: [LOADED + 0x100_0000], entry: [LOADED + 0x100_0000] },
};

/** A FIT whose kernel lacks a property. */
function fitWithout(name: keyof typeof FIT_KERNEL): Uint8Array {
  return makeFitOf(Object.fromEntries(Object.entries(FIT_KERNEL).filter(([key]) => key !== name)));
}

const AT_PROMPT: readonly (readonly [what: string, bits: 32 | 64, command: string, bytes: Uint8Array])[] = [
  ["an ELF file", 32, "bootz", makeFreeBsdArm()],
  ["a zImage packed with gzip", 32, "bootz", gzipSync(makeZImage())],
  ["an ELF file", 32, "bootm", makeFreeBsdArm()],
  ["a uImage with spoilt data", 32, "bootm", spoilt(makeUImage(), 70)],
  ["a uImage with a spoilt header", 32, "bootm", spoilt(makeUImage(), 40)],
  ["a uImage of a RAM disk", 32, "bootm", makeUImage({ type: IH_TYPE.RAMDISK })],
  ["a zImage", 64, "booti", makeZImage()],
  ["an Image packed with gzip", 64, "booti", gzipSync(makeArm64Image())],
  ["an Image", 64, "bootm", makeArm64Image()],
  ["an Image packed with lz4-legacy", 64, "booti", packLz4Legacy(makeArm64Image())],
  ["a uImage for MIPS", 64, "bootm", makeUImage({ arch: IH_ARCH.MIPS })],
  [
    "a 64-bit kernel_noload that is no Image",
    64,
    "bootm",
    makeUImage({ arch: IH_ARCH.ARM64, type: IH_TYPE.KERNEL_NOLOAD, load: 0, entry: 0 }),
  ],
  ["a FIT whose default is not there", 64, "bootm", makeFitOf(FIT_KERNEL, { group: { default: "gone" } })],
  [
    "a FIT whose configuration names no image",
    64,
    "bootm",
    makeFitOf(FIT_KERNEL, { parts: { kernel: "gone" } }),
  ],
  ["a FIT for FreeBSD", 64, "bootm", makeFitOf({ ...FIT_KERNEL, os: "freebsd" })],
  ["a FIT for NetBSD", 64, "bootm", makeFitOf({ ...FIT_KERNEL, os: "netbsd" })],
  ["a FIT without a kernel's data", 64, "bootm", fitWithout("data")],
  ["a FIT without a compression", 64, "bootm", fitWithout("compression")],
  ["a FIT without a load address", 64, "bootm", fitWithout("load")],
  ["a FIT without an entry point", 64, "bootm", fitWithout("entry")],
  [
    "a FIT without a timestamp",
    64,
    "bootm",
    makeTree({
      properties: { description: "x" },
      children: { images: { children: { k: { properties: { type: "kernel", arch: "arm64", data: "x" } } } } },
    }),
  ],
  [
    "a FIT without a description",
    64,
    "bootm",
    makeTree({
      properties: { timestamp: [1] },
      children: { images: { children: { k: { properties: { type: "kernel", arch: "arm64", data: "x" } } } } },
    }),
  ],
  [
    "a FIT with spoilt data",
    64,
    "bootm",
    spoilt(makeFit(makeArm64Image()), dataOffset(makeFit(makeArm64Image()))),
  ],
];

for (const [what, bits, command, bytes] of AT_PROMPT) {
  test(`R5.1 U-Boot's ${command} (${bits}-bit) refuses ${what} in the words of the verdict`, async (t) => {
    const { outcome, prints } = verdictOf(bytes, `u-boot-${command}`);
    assert.equal(outcome, "refuses");
    const output = await atPrompt(t, bits, command, bytes);
    if (output !== undefined)
      for (const text of prints) assert.ok(output.includes(text), `${text}:\n${output}`);
  });
}

/** QEMU's words and status with `-kernel`; stopped after a moment, because what it runs never ends. */
async function withKernel(t: TestContext, bits: 32 | 64, image: Uint8Array) {
  const qemu = requireTool(t, QEMU[bits].program);
  if (qemu === undefined) return undefined;
  const file = path.join(await testFolder(t), "kernel");
  await writeFile(file, image);
  const args = [
    "-M",
    "virt",
    "-cpu",
    QEMU[bits].cpu,
    "-S",
    "-display",
    "none",
    "-serial",
    "none",
    "-monitor",
    "none",
  ];
  return spawnSync(qemu, [...args, "-kernel", file], {
    encoding: "latin1",
    timeout: 700,
    killSignal: "SIGKILL",
  });
}

test("R5.1 QEMU ends silently on an ELF file for the other CPU, and says what it minds in a uImage", async (t) => {
  const wrong = await withKernel(t, 64, makeFreeBsdArm());
  if (wrong === undefined) return;
  assert.deepEqual([wrong.status, wrong.stderr], [1, ""]);
  assert.deepEqual(verdictOf(makeFreeBsdArm(), "qemu-aarch64").prints, []);
  for (const parts of [{ type: IH_TYPE.RAMDISK }, { compression: IH_COMP.LZMA }]) {
    const image = makeUImage(parts);
    const run = await withKernel(t, 32, image);
    const [text] = verdictOf(image, "qemu-arm").prints;
    assert.ok(run !== undefined && run.stderr.includes(text), `${text}: ${run?.stderr ?? ""}`);
    assert.equal(run.status, null, "it goes on");
  }
});

test("R5.1 QEMU loads a uImage of type kernel_noload where the verdict says", async (t) => {
  const guest = makeGuest({ bits: 32, link: BigInt(RAM + 0x10_0000), uart: UART.QEMU });
  const kernel = makeUImage({
    data: convert(guest.elf, { to: "zimage" }).bytes,
    type: IH_TYPE.KERNEL_NOLOAD,
    load: 0,
    entry: 0,
  });
  assert.equal(verdictOf(kernel, "qemu-arm").outcome, "takes");
  const output = await bootDirectly(t, 32, kernel);
  if (output !== undefined) checkReport(output, guest, RAM + 0x10_0000);
});

test("R5.1 Xen refuses a uImage for another architecture, and one that is cut short, in the words of the verdict", async (t) => {
  const mips = makeUImage({ arch: IH_ARCH.MIPS });
  const verdict = verdictOf(mips, "xen-arm64");
  const run = { kernel: mips, until: /Could not set up .*\r?\n/ };
  const output = await runAsDomU(t, 64, run);
  if (output === undefined) return;
  assert.ok(output.includes(verdict.prints[0]), output);
  const cut = makeUImage({ size: 10_000 });
  assert.equal(verdictOf(cut, "xen-arm64").outcome, "refuses");
  assert.match((await runAsDomU(t, 64, { ...run, kernel: cut })) ?? "", /Could not set up domain domU1/);
});

/**
 * Packed, with a file name (RFC 1952 §2.3, FNAME) that makes the size a multiple of 4: Xen 4.17 for armhf reads the
 * last word in one access, and ends by "Unexpected Trap: Data Abort" where that is not aligned.
 */
function gzipOfWords(bytes: Uint8Array): Uint8Array {
  const [headerSize, flags, name] = [10, 3, 8];
  const packed = gzipSync(bytes);
  packed[flags] |= name;
  const text = Buffer.from("x".repeat((3 - (packed.length % 4) + 4) % 4) + "\0");
  return Buffer.concat([packed.subarray(0, headerSize), text, packed.subarray(headerSize)]);
}

test("R5.1 Xen 4.17 runs what is in a uImage, whatever its addresses, and unpacks gzip", async (t) => {
  const guest = makeGuest({ bits: 32, link: 0xc040_0000n, uart: UART.XEN, freebsd: true });
  const zImage = convert(guest.elf, { to: "zimage" }).bytes;
  const uImage = makeUImage({ data: zImage, load: 0x1000, entry: 0x2000 });
  const entryOnly = makeUImage({ data: zImage, load: 0, entry: 0x2000 });
  assert.equal(verdictOf(entryOnly, "xen-armhf").outcome, "takes");
  assert.match(verdictOf(uImage, "xen-armhf").reason, /4\.17 and before ignore ih_load and ih_ep/);
  assert.match(verdictOf(gzipSync(zImage), "xen-armhf").reason, /unpacks it/);
  for (const kernel of [uImage, entryOnly, gzipOfWords(zImage)]) {
    const output = await runAsDomU(t, 32, { kernel, until: REPORTED });
    if (output === undefined) return;
    checkReport(output, guest, GUEST_RAM + 0x40_0000);
  }
});

test("R5.1 U-Boot's bootm starts the kernel of a FIT where the verdict says", async (t) => {
  const address = RAM + 0x20_0000;
  const guest = makeGuest({ bits: 64, link: BigInt(RAM + 0x400_0000), uart: UART.QEMU });
  const data = convert(guest.elf, { to: "arm64-image" }).bytes;
  const kernel = makeFit(data, { load: [address], entry: [address] });
  const verdict = verdictOf(kernel, "u-boot-bootm");
  assert.match(verdict.reason, /"conf-1" at 0x40200000/);
  const output = await atPrompt(t, 64, "bootm", kernel, REPORTED);
  if (output !== undefined) checkReport(output, guest, RAM + 0x400_0000);
});
