/** R4.3 PE files, unified kernel images, archives, modules: named with their facts, and a unified kernel image boots. */
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { buildPlan } from "../../src/boot/index.js";
import { BoundsError } from "../../src/bytes/bounds-error.js";
import { FormatError } from "../../src/formats/format-error.js";
import type { Fact } from "../../src/formats/image.js";
import { recognise } from "../../src/formats/index.js";
import { namedFile } from "../../src/formats/named-file.js";
import { readPe } from "../../src/formats/pe/pe.js";
import { readUnifiedKernel } from "../../src/formats/pe/uki.js";
import { EM, ET, SHT } from "../../src/spec/elf.js";
import { makeBzImage, makeElf } from "../support/images.js";
import { makeCpio, makePe, makeUki } from "../support/pe-images.js";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function fact(facts: readonly Fact[], name: string): Fact {
  const found = facts.find((one) => one.name === name);
  assert.ok(found, `${name} in ${facts.map((one) => one.name).join()}`);
  return found;
}

test("R4.3 a PE file: machine, subsystem, entry and sections, each at its offset", () => {
  const bytes = makePe([
    [".text", new Uint8Array(100)],
    [".data", text("hello")],
  ]);
  const file = namedFile(bytes);
  assert.equal(file?.format, "pe");
  assert.equal(file?.summary, "PE/COFF program for x86-64");
  const facts = file?.facts ?? [];
  assert.equal(fact(facts, "pe.header").offset, 0x3c);
  assert.equal(fact(facts, "pe.subsystem").meaning, "EFI application");
  const section = fact(facts, "pe.section[1]");
  assert.deepEqual((section.value as string[]).slice(0, 3), [".data", "offset 0x400", "size 0x200"]);
  assert.equal(bytes[section.offset ?? 0], ".".charCodeAt(0));
  assert.deepEqual(readPe(bytes)?.sections[1].bytes, text("hello"));
});

test("R4.3 one file is a PE file and a bzImage at once: both are told of", () => {
  const kernel = makeBzImage();
  const pe = makePe([[".setup", new Uint8Array(4)]]);
  kernel.set(pe.subarray(0, 0x1f1));
  const image = recognise(kernel);
  assert.equal(image.format, "bzimage");
  assert.match(fact(image.facts, "efi_stub").meaning ?? "", /boot loaders read the setup header at 0x1f1/);
  assert.equal(fact(image.facts, "pe.header").value, "0x80");
  assert.ok(!recognise(makeBzImage()).facts.some(({ name }) => name === "efi_stub"));
});

test("R4.3 a unified kernel image: kernel, line, system, and the microcode before the initrd", () => {
  const kernel = makeBzImage();
  const unified = readUnifiedKernel(
    makeUki(kernel, { line: "console=ttyS0 quiet", ucode: makeCpio("a"), initrd: text("abc") }),
  );
  assert.deepEqual(unified?.kernel, kernel);
  assert.equal(unified?.commandLine, "console=ttyS0 quiet");
  assert.equal(unified?.system, "Test OS 1");
  assert.equal(unified?.release, "6.1.0-test");
  assert.deepEqual(unified?.initrd, Uint8Array.from([...makeCpio("a"), ...text("abc")]));
  assert.equal(readUnifiedKernel(makePe([[".text", new Uint8Array(4)]])), undefined);
});

test("R4.3 a unified kernel image is planned as the kernel, initrd and line in it; what is given counts", () => {
  const [kernel, initrd] = [makeBzImage(), makeCpio("init")];
  const image = { name: "uki.efi", bytes: makeUki(kernel, { line: "console=ttyS0 a=b", initrd }) };
  const fixed = { clock: { deterministic: { nsPerInstruction: 10 } } };
  const plan = buildPlan({ kernel: image, ...fixed });
  const same = buildPlan({
    kernel: { name: "uki.efi", bytes: kernel },
    initrd: { name: "uki.efi:.initrd", bytes: initrd },
    commandLine: "console=ttyS0 a=b",
    ...fixed,
  });
  assert.equal(plan.commandLine, same.commandLine);
  assert.match(plan.commandLine, /a=b/);
  assert.deepEqual(
    plan.regions.map(({ name, start, size }) => [name, start, size]),
    same.regions.map(({ name, start, size }) => [name, start, size]),
  );
  assert.match(buildPlan({ kernel: image, commandLine: "c=d", ...fixed }).commandLine, /c=d/);
});

test("R4.3 an initramfs: archives one behind the other, microcode first, then what is packed", () => {
  const early = makeCpio("kernel/x86/microcode/GenuineIntel.bin");
  const whole = Uint8Array.from([...early, 0, 0, 0, 0, ...makeCpio("init", "bin/sh"), ...gzipSync("x")]);
  const facts = namedFile(whole)?.facts ?? [];
  assert.match(
    fact(facts, "cpio[0]").meaning ?? "",
    /^microcode: kernel\/x86\/microcode\/GenuineIntel\.bin$/,
  );
  assert.deepEqual(fact(facts, "cpio[1]").value, ["2 files", "2 bytes"]);
  assert.equal(fact(facts, "cpio[1]").offset, early.length + 4);
  assert.equal(fact(facts, "cpio[1]").meaning, "has /init");
  assert.equal(fact(facts, "packed").value, "gzip");
  const cut = namedFile(early.subarray(0, early.length - 100))?.facts ?? [];
  assert.match(String(fact(cut, "problem").value), /cut, or damaged|ends behind the end/);
});

test("R4.3 a Linux kernel module says its name, version and licence", () => {
  const modinfo = text("license=GPL\0vermagic=6.1.0-9-amd64 SMP\0name=virtio_mmio\0depends=virtio\0");
  const image = recognise(
    makeElf({
      type: ET.REL,
      machine: EM.X86_64,
      sections: [{ name: ".modinfo", type: SHT.PROGBITS, bytes: modinfo }],
    }),
  );
  assert.match(image.summary, /Linux kernel module virtio_mmio/);
  assert.equal(fact(image.facts, "module.vermagic").value, "6.1.0-9-amd64 SMP");
  const { offset = 0 } = fact(image.facts, "module.name");
  assert.equal(String.fromCharCode(...image.bytes.subarray(offset, offset + 5)), "name=");
});

test("R4.3 WebAssembly and Mach-O are named", () => {
  const refused = (...bytes: number[]): string => {
    try {
      recognise(Uint8Array.from([...bytes, ...new Uint8Array(64).fill(1)]));
    } catch (error) {
      if (error instanceof FormatError) return error.found;
    }
    return "";
  };
  assert.equal(refused(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), "a WebAssembly module");
  assert.match(refused(0xcf, 0xfa, 0xed, 0xfe), /Mach-O file, 64-bit/);
  assert.match(refused(0xca, 0xfe, 0xba, 0xbe), /Mach-O/);
});

test("R4.3 hostile files: any cut and any byte wrong is at most a missing fact", () => {
  const kernel = makeBzImage();
  for (const good of [
    makeUki(kernel, { line: "x", initrd: makeCpio("init") }).subarray(0, 0x900),
    makeCpio("init", "a/b"),
  ]) {
    const survives = (bytes: Uint8Array): void => {
      try {
        namedFile(bytes);
      } catch (error) {
        assert.fail(error instanceof BoundsError ? `reads past the end: ${error.message}` : String(error));
      }
    };
    for (let size = 0; size <= good.length; size += 3) survives(good.subarray(0, size));
    for (let at = 0; at < Math.min(good.length, 0x300); at++) {
      for (const value of [0, 0x7f, 0xff])
        survives(Uint8Array.from(good, (byte, i) => (i === at ? value : byte)));
    }
  }
});
