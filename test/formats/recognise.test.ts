/** Recognition by magic number, and refusals that name what a file is. */
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise } from "../../src/formats/index.js";
import { describingLimit } from "../../src/formats/unpack-limit.js";
import { UnrecognisedImage } from "../../src/formats/unrecognised.js";
import { makeBzImage, makeElf } from "../support/images.js";
import { noise, packedSamples } from "../codecs/sample.js";
import { repositoryText } from "../support/repository.js";

const MIB = 2 ** 20;

function refusal(bytes: Uint8Array): UnrecognisedImage {
  try {
    recognise(bytes);
  } catch (error) {
    assert.ok(error instanceof UnrecognisedImage && error instanceof FormatError, String(error));
    assert.ok(error.meaning.endsWith("."), error.meaning);
    return error;
  }
  assert.fail("recognised");
}

/** `size` zero bytes with others at an offset. */
function at(offset: number, bytes: readonly number[] | string, size = offset + 64): Uint8Array {
  const file = new Uint8Array(size);
  file.set(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes, offset);
  return file;
}

test("R2.3 a bzImage and an ELF file are recognised", () => {
  assert.equal(recognise(makeBzImage()).format, "bzimage");
  assert.equal(recognise(makeElf()).format, "elf");
});

test("R4.3 a kernel with an EFI stub is a bzImage, although it begins as a program", () => {
  const kernel = makeBzImage();
  kernel.set([0x4d, 0x5a]);
  assert.equal(recognise(kernel).format, "bzimage");
});

test("R4.4 a kernel packed as a whole is unpacked, within a limit; the image says so", () => {
  const image = recognise(gzipSync(makeElf()));
  assert.equal(image.format, "elf");
  assert.equal(image.packedBy, "gzip");
  assert.match(image.summary, /, packed with gzip$/);
  assert.throws(() => recognise(gzipSync(new Uint8Array(5000)), 4096), /gzip, offset .*4096/);
  const cut = gzipSync(makeElf()).subarray(0, 40);
  assert.throws(
    () => recognise(cut),
    (error) => error instanceof FormatError && error.format === "gzip",
  );
  const broken = makeElf();
  broken[5] = 2;
  assert.throws(
    () => recognise(gzipSync(broken)),
    /ELF, offset 0x5: .*big-endian.* \(in the file, which is packed/,
  );
});

test("R4.4 what a file may unpack to, to be described: 32 MiB, or 20 times its size up to 96 MiB", () => {
  for (const [packed, unpacked] of [
    [0, 32 * MIB],
    [MIB, 32 * MIB],
    [2 * MIB, 40 * MIB],
    [4 * MIB, 80 * MIB],
    [5 * MIB, 96 * MIB],
    [2 ** 31, 96 * MIB],
  ]) {
    assert.equal(describingLimit(packed).maxOutput, unpacked);
  }
});

test("R4.4 a kernel of 32 MiB is described whatever its packed size, a larger one if it is not packed to nothing", () => {
  const packed = (size: number, incompressible: number): Uint8Array => {
    const kernel = new Uint8Array(size);
    kernel.set(makeElf());
    kernel.set(noise(incompressible, 5), size - incompressible);
    return gzipSync(kernel, { level: 1 });
  };
  assert.equal(recognise(packed(32 * MIB, 0)).format, "elf");
  assert.equal(recognise(packed(40 * MIB, 2 * MIB)).format, "elf");
  const bomb = packed(32 * MIB + 1, 0);
  assert.throws(
    () => recognise(bomb),
    (error) =>
      error instanceof FormatError &&
      error.offset > 0 &&
      error.offset <= bomb.length &&
      error.found === "more than 33554432 bytes" &&
      error.expected === "no more than that" &&
      /32 MiB are unpacked, or 20 times its size up to 96 MiB\. .*unpack it first/.test(error.meaning),
  );
  assert.equal(recognise(bomb, 64 * MIB).format, "elf");
});

test("R2.3 what cannot be read is named, with what to do", () => {
  const pe = at(0x80, [0x50, 0x45, 0, 0, 0x64, 0x86], 512);
  pe.set([0x4d, 0x5a]);
  pe[0x3c] = 0x80;
  const cases: [Uint8Array, RegExp, RegExp][] = [
    [new Uint8Array(0), /an empty file/, /make it again/],
    [gzipSync(at(0, "070701")), /a cpio archive .* \(in the file, which is packed with gzip\)/, /--initrd/],
    [at(0, [0x42, 0x5a, 0x68, 0x39]), /a file compressed with bzip2/, /bunzip2/],
    [pe, /PE\/COFF program \(x86-64\)/, /firmware/],
    [at(0, "MZ"), /DOS program/, /kernel/],
    [at(0x8001, "CD001"), /ISO 9660/, /kernel and initrd/],
    [at(0, [0x51, 0x46, 0x49, 0xfb]), /qcow2/, /locore boot KERNEL DISK/],
    [at(0x1fe, [0x55, 0xaa], 1024), /boot sector/, /BIOS/],
    [at(0x200, "EFI PART"), /GPT/, /locore boot KERNEL DISK/],
    [at(0, "070701"), /cpio archive/, /--initrd/],
    [at(0, "!<arch>\n"), /ar archive/, /Debian package|Unpack/],
    [at(0, "#!/bin/sh\n", 10), /a script/, /kernel/],
    [at(0, [0x55, 0xaa, 4], 2048), /an option ROM/, /Firmware runs it/],
    // An initramfs of more than is unpacked to describe a file.
    [gzipSync(at(0, "070701", 40 * MIB)), /a cpio archive .* \(in the file, which is packed/, /--initrd/],
    [at(0, "<!DOCTYPE html>\n<p>404", 22), /an HTML page, which begins "<!DOCTYPE html>"/, /web page/],
    [noise(4096, 3), /[0-9a-f]{2} [0-9a-f]{2} .*"/, /arrived whole/],
  ];
  for (const { bytes, codec } of packedSamples()) {
    cases.push([bytes, new RegExp(`in the file, which is packed with ${codec}`), /arrived whole/]);
  }
  for (const [bytes, found, meaning] of cases) {
    const error = refusal(bytes);
    assert.match(error.found, found);
    assert.match(error.meaning, meaning);
  }
});

test("R2.3 README.md is said to be text, with its first line", () => {
  const text = "# locore\n\nHand it a kernel and it runs – or says why not.\n";
  const error = refusal(new TextEncoder().encode(text));
  assert.equal(error.kind, "text");
  assert.match(error.message, /text, which begins "# locore"/);
  assert.match(error.meaning, /give the kernel file itself/);
  assert.equal(refusal(new TextEncoder().encode(repositoryText("LICENSE"))).kind, "text");
});

test("R2.3 an unknown file shows its first bytes", () => {
  const error = refusal(Uint8Array.of(1, 2, 3, 0x41, 0xff, 0, 9, 9, 9, 9));
  assert.equal(error.kind, undefined);
  assert.match(error.found, /^01 02 03 41 ff 00 09/);
  assert.match(error.found, /"\.\.\.A\.\./);
});

test("R2.3 the same file with a header of protocol before 2.00 is a boot sector, not a bzImage", () => {
  const old = makeBzImage();
  old.fill(0, 0x202, 0x206);
  assert.match(refusal(old).found, /boot sector/);
});
