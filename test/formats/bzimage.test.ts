/** The bzImage reader: every protocol, every field, and refusal of headers that lie. */
import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { readBzImage } from "../../src/formats/bzimage/bzimage.js";
import { decompressPayload } from "../../src/formats/bzimage/payload.js";
import { FormatError } from "../../src/formats/format-error.js";
import { recognise } from "../../src/formats/index.js";
import {
  PROTOCOL,
  SETUP_FIELDS,
  SETUP_HEADER_START,
  SETUP_OFFSET,
  XLOADFLAGS,
} from "../../src/spec/linux-boot.js";
import type { SetupFieldName } from "../../src/spec/linux-boot.js";
import { makeBzImage, makeElf } from "../support/images.js";
import { repositoryText } from "../support/repository.js";
import { packedSamples, makeSample } from "../codecs/sample.js";

function refusedAt(bytes: Uint8Array, offset: number, found: RegExp): void {
  assert.throws(
    () => recognise(bytes),
    (error) => {
      assert.ok(error instanceof FormatError, String(error));
      assert.equal(error.offset, offset, error.message);
      assert.match(error.found, found);
      assert.ok(error.expected !== "" && error.meaning !== "");
      return true;
    },
  );
}

function withFields(fields: Partial<Record<SetupFieldName, number | bigint>>): Uint8Array {
  return makeBzImage({ payload: gzipSync(makeElf()), fields });
}

test("R1.2 the setup header's table covers 0x1f1 to 0x26c without gap or overlap", () => {
  let next = 0x1f1;
  for (const field of SETUP_FIELDS) {
    assert.equal(field.offset, next, field.name);
    next += field.size;
  }
  assert.equal(next, 0x26c);
});

test("R1.2 every field is read at its offset, by name", () => {
  // These decide where other things are; the others take any value.
  const fixed = new Set<string>(["setup_sects", "syssize", "boot_flag", "jump", "header", "version"]);
  const pointers = ["kernel_version", "payload_offset", "payload_length", "kernel_info_offset"];
  const sane = ["kernel_alignment", "relocatable_kernel", "min_alignment", "pref_address", "init_size"];
  for (const name of [...pointers, ...sane]) fixed.add(name);
  const fields: Partial<Record<SetupFieldName, number | bigint>> = {};
  SETUP_FIELDS.forEach((field, i) => {
    if (!fixed.has(field.name)) fields[field.name] = field.size === 8 ? BigInt(i) << 56n : 0x80 + i;
  });
  const image = readBzImage(makeBzImage({ fields }));
  for (const [name, value] of Object.entries(fields)) {
    assert.equal(image.header[name as SetupFieldName], value, name);
    const field = image.fields.find((one) => one.name === name);
    assert.equal(field?.offset, SETUP_OFFSET[name as SetupFieldName]);
  }
});

for (const protocol of Object.values(PROTOCOL)) {
  test(`R1.2 protocol 0x${protocol.toString(16)} has its fields, and only them`, () => {
    const image = readBzImage(makeBzImage({ protocol, version: "6.1.0-test", payload: gzipSync(makeElf()) }));
    assert.equal(image.protocol, protocol);
    const expected = SETUP_FIELDS.filter((field) => field.since <= protocol).map((field) => field.name);
    assert.deepEqual(
      image.fields.map((field) => field.name),
      expected,
    );
    assert.equal(image.version, "6.1.0-test");
    assert.equal(image.loadedHigh, true);
    assert.equal(image.loadAddress, 0x100000);
    assert.equal(image.commandLineMax, protocol >= PROTOCOL.V2_06 ? 2047 : 255);
    assert.equal(image.initrdAddressMax, protocol >= PROTOCOL.V2_03 ? 0x7fffffff : 0x37ffffff);
    assert.equal(image.relocatable, protocol >= PROTOCOL.V2_05);
    assert.equal(image.preferredAddress, protocol >= PROTOCOL.V2_10 ? 0x1000000 : 0);
    assert.equal(image.arch, protocol >= PROTOCOL.V2_12 ? "x86-64" : "i386");
    assert.equal(image.payload?.codec, protocol >= PROTOCOL.V2_08 ? "gzip" : undefined);
    assert.equal(image.kernelInfo?.setupTypeMax, protocol >= PROTOCOL.V2_15 ? 0x80000009 : undefined);
  });
}

test("R1.2 the parts of the file: setup code and protected-mode code, without what follows", () => {
  const plain = makeBzImage({ setupSects: 3, code: new Uint8Array(0x300).fill(0x90) });
  const signed = Uint8Array.from([...plain, ...new Uint8Array(100).fill(0x55)]);
  const image = readBzImage(signed);
  assert.equal(image.setup.length, 4 * 512);
  assert.deepEqual(image.kernel, plain.subarray(4 * 512));
  assert.equal(image.facts.find((fact) => fact.name === "trailing")?.value, 100);
  assert.equal(image.facts.find((fact) => fact.name === "checksum")?.value, "valid");
});

test("R1.2 setup_sects 0 means 4", () => {
  const image = readBzImage(makeBzImage({ setupSects: 4, fields: { setup_sects: 0 } }));
  assert.equal(image.setup.length, 5 * 512);
});

test("R1.2 a kernel without LOADED_HIGH is a zImage, loaded at 0x10000", () => {
  const image = readBzImage(makeBzImage({ fields: { loadflags: 0 } }));
  assert.deepEqual([image.loadedHigh, image.loadAddress], [false, 0x10000]);
  assert.match(image.summary, /zImage/);
});

test("R1.2 before protocol 2.04 the code goes to the end of the file: syssize is too narrow", () => {
  const bytes = makeBzImage({ protocol: PROTOCOL.V2_03, fields: { syssize: 1 } });
  const image = readBzImage(bytes);
  assert.equal(image.kernel.length, bytes.length - image.setup.length);
  assert.equal(image.header.syssize, 1);
});

test("R1.2 flags are decoded by name", () => {
  const all = Object.values(XLOADFLAGS).reduce((sum, bit) => sum | bit, 0x400);
  const { facts } = readBzImage(withFields({ loadflags: 0x81, xloadflags: all }));
  const value = (name: string): unknown => facts.find((fact) => fact.name === name)?.value;
  assert.deepEqual(value("loadflags.bits"), ["LOADED_HIGH", "CAN_USE_HEAP"]);
  assert.deepEqual(value("xloadflags.bits"), [...Object.keys(XLOADFLAGS), "0x400"]);
});

test("R1.2 the version string is undefined when its pointer leads out of the setup code", () => {
  assert.equal(readBzImage(makeBzImage({ fields: { kernel_version: 0xfff0 } })).version, undefined);
});

test("R4.4 the payload of every codec gives the ELF inside", () => {
  const elf = makeSample();
  for (const { codec, bytes, made } of packedSamples()) {
    const size = [elf.length & 255, elf.length >> 8, 0, 0];
    const payload = codec === "gzip" ? bytes : Uint8Array.from([...bytes, ...size]);
    const image = readBzImage(makeBzImage({ payload }));
    assert.equal(image.payload?.codec, codec, made);
    assert.deepEqual(decompressPayload(image, { maxOutput: 1 << 20 }), elf, made);
  }
});

test("R4.4 a payload that is not packed is given as it is; others are named", () => {
  const elf = makeElf();
  const plain = readBzImage(makeBzImage({ payload: elf }));
  assert.equal(plain.payload?.codecName, "none (ELF)");
  assert.deepEqual(decompressPayload(plain, { maxOutput: 1 << 20 }), elf);
  const bzip2 = readBzImage(makeBzImage({ payload: Uint8Array.from([0x42, 0x5a, 0x68, 0x39, 1, 2, 3]) }));
  assert.equal(bzip2.payload?.codecName, "bzip2");
  assert.throws(
    () => decompressPayload(bzip2, { maxOutput: 1 << 20 }),
    (error) =>
      error instanceof FormatError && error.offset === bzip2.payload?.offset && /bzip2/.test(error.found),
  );
  const none = readBzImage(makeBzImage());
  assert.throws(
    () => decompressPayload(none, { maxOutput: 1 << 20 }),
    (error) => error instanceof FormatError && error.offset === SETUP_OFFSET.payload_offset,
  );
});

test("R4.4 a damaged payload and a payload bomb are refused at their file offset", () => {
  const payload = Uint8Array.from(gzipSync(makeSample()));
  payload[payload.length - 8] ^= 1;
  const damaged = readBzImage(makeBzImage({ payload }));
  const start = damaged.payload?.offset ?? 0;
  assert.throws(
    () => decompressPayload(damaged, { maxOutput: 1 << 20 }),
    (error) => error instanceof FormatError && error.offset === start + payload.length - 8,
  );
  const bomb = readBzImage(makeBzImage({ payload: gzipSync(new Uint8Array(1 << 24)) }));
  assert.throws(
    () => decompressPayload(bomb, { maxOutput: 1 << 20 }),
    (error) => error instanceof FormatError && error.offset >= start && /limit/.test(error.meaning),
  );
});

/** Setup headers of real images, in files of their size that are zero elsewhere. */
function realHeaders(): { name: string; image: ReturnType<typeof readBzImage> }[] {
  const text = repositoryText("test/fixtures/setup-headers.json");
  const { headers } = JSON.parse(text) as { headers: { name: string; size: number; hex: string }[] };
  return headers.map(({ name, size, hex }) => {
    const file = new Uint8Array(size);
    file.set(Buffer.from(hex, "hex"), SETUP_HEADER_START);
    return { name, image: recognise(file) as ReturnType<typeof readBzImage> };
  });
}

test("R1.2 headers of memdisk, iPXE and memtest86+ are read as their packages mean them", () => {
  const facts = realHeaders().map(({ name, image }) => {
    const { arch, protocol, setup, kernel, relocatable, preferredAddress, commandLineMax } = image;
    const sizes = [setup.length, kernel.length];
    return { name, arch, protocol, sizes, relocatable, preferredAddress, commandLineMax };
  });
  const memtest = { protocol: 0x020c, relocatable: false, preferredAddress: 0x100000, commandLineMax: 255 };
  const old = { arch: "i386", relocatable: false, preferredAddress: 0 };
  assert.deepEqual(facts, [
    { ...old, name: "memdisk", protocol: 0x0203, sizes: [2048, 24744], commandLineMax: 255 },
    // The last paragraph of iPXE's code is partly filled.
    { ...old, name: "ipxe.lkrn", protocol: 0x0207, sizes: [3072, 303449], commandLineMax: 2047 },
    { ...memtest, name: "memtest86+x64.bin", arch: "x86-64", sizes: [1536, 142776] },
    { ...memtest, name: "memtest86+ia32.bin", arch: "i386", sizes: [1536, 137176] },
    { ...memtest, name: "mt86+x64", arch: "x86-64", sizes: [4096, 159120] },
  ]);
});

test("R1.2 headers that lie are refused at the field that lies", () => {
  refusedAt(withFields({ version: 0x0199 }), SETUP_OFFSET.version, /1\.153/);
  refusedAt(withFields({ version: 0x0300 }), SETUP_OFFSET.version, /3\.00/);
  refusedAt(withFields({ jump: 0x6a90 }), SETUP_OFFSET.jump, /0x90/);
  refusedAt(withFields({ jump: 0x02eb }), SETUP_OFFSET.jump + 1, /ends at 0x204/);
  refusedAt(withFields({ setup_sects: 255 }), SETUP_OFFSET.setup_sects, /131072 bytes/);
  refusedAt(withFields({ syssize: 0xffff_ffff }), SETUP_OFFSET.syssize, /bytes of protected-mode code/);
  refusedAt(withFields({ kernel_alignment: 0x30_0000 }), SETUP_OFFSET.kernel_alignment, /0x300000/);
  refusedAt(withFields({ kernel_alignment: 0 }), SETUP_OFFSET.kernel_alignment, /0x0/);
  refusedAt(withFields({ min_alignment: 255 }), SETUP_OFFSET.min_alignment, /2\^255/);
  refusedAt(withFields({ pref_address: 2n ** 64n - 1n }), SETUP_OFFSET.pref_address, /0xffffffffffffffff/);
  refusedAt(withFields({ payload_offset: 0xffff_fff0 }), SETUP_OFFSET.payload_offset, /0xfffffff0/);
  refusedAt(withFields({ payload_length: 0xffff_ffff }), SETUP_OFFSET.payload_offset, /4294967295/);
  refusedAt(withFields({ kernel_info_offset: 0xffff_ff00 }), SETUP_OFFSET.kernel_info_offset, /0xffffff00/);
  refusedAt(withFields({ kernel_info_offset: 4 }), 3 * 512 + 4, /"/);
});

test("R1.2 a file cut short is refused, and says how much is there", () => {
  const whole = makeBzImage({ payload: gzipSync(makeElf()) });
  refusedAt(whole.subarray(0, whole.length - 16), SETUP_OFFSET.syssize, /bytes of protected-mode code/);
  refusedAt(whole.subarray(0, 1024), SETUP_OFFSET.setup_sects, /1536 bytes/);
  refusedAt(whole.subarray(0, 0x210), SETUP_OFFSET.jump + 1, /ends at 0x26c/);
});
