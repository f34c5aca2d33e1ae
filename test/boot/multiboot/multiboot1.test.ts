// The multiboot1 loader: one test a "must" sentence of the Multiboot Specification 0.6.96, each with an image that
// breaks it and the offset it is refused at; layout, choice, inspect. The machine state is in conformance.test.ts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteView } from "../../../src/bytes/byte-view.js";
import { buildPlan } from "../../../src/boot/index.js";
import { recognise } from "../../../src/formats/index.js";
import { PT } from "../../../src/spec/elf.js";
import { makeBzImage, makeElf, makeNotes, makePvhNote } from "../../support/images.js";
import { planOf, regionLines } from "../plan-text.js";
import { elfWith, headed, header1, header2, headerAt, LINKED_AT, MAGIC1 } from "./images.js";

const NAMED = { loader: { name: "multiboot1" } };
const FLAG_ADDRESSES = 0x10000;
const at = LINKED_AT;

/** A flat file with load addresses: header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr. */
function flat(addresses: readonly number[], size = 0x1000): Uint8Array {
  return headed(header1(FLAG_ADDRESSES, addresses), size);
}

/** The refusal's text, which must begin with this offset. */
function refused(file: Uint8Array, offset: number, text: RegExp): void {
  assert.throws(
    () => planOf(file, NAMED),
    (error) => {
      assert.ok(error instanceof Error);
      const place = `file offset 0x${offset.toString(16)}: `;
      assert.ok(error.message.includes(place), `${place} expected in ${error.message}`);
      assert.match(error.message, text);
      return true;
    },
  );
}

describe("R1.3 multiboot1, §3.1 OS image format", () => {
  it('R1.3 "must contain an additional header": without one it is refused', () => {
    refused(elfWith(new Uint8Array(0)), 0, /found no Multiboot magic number 0x1badb002/);
  });

  it('R1.3 "must be contained completely within the first 8192 bytes"', () => {
    const lead = new Uint8Array(8192);
    const late = elfWith(Uint8Array.from([...lead, ...header1(3)]));
    refused(late, headerAt(late, MAGIC1), /past the first 8192 bytes/);
    // The magic fields are inside, the address fields are not.
    const across = new Uint8Array(0x3000);
    across.set(header1(FLAG_ADDRESSES, [at, at, 0, 0, at]), 8192 - 16);
    refused(across, 8192 - 16, /a header of 32 bytes .* ends at 0x2010; expected it to end by 0x2000/);
    const last = new Uint8Array(0x3000);
    last.set(header1(FLAG_ADDRESSES, [at + 8160, at, 0, 0, at]), 8160);
    assert.equal(planOf(last, NAMED).bootCpu.rip, BigInt(at));
  });

  it('R1.3 "must be longword (32-bit) aligned"', () => {
    for (const lead of [1, 2, 3]) {
      const file = elfWith(Uint8Array.from([...new Uint8Array(lead), ...header1(3)]));
      refused(file, headerAt(file, MAGIC1), /which is no multiple of 4/);
    }
    for (const lead of [4, 8, 12]) {
      const file = elfWith(Uint8Array.from([...new Uint8Array(lead), ...header1(3)]));
      assert.equal(planOf(file, NAMED).loader.name, "multiboot1");
    }
  });

  it('R1.3 "must have a 32-bit unsigned sum of zero": the checksum', () => {
    const file = elfWith(header1(3, [], 0x1234));
    refused(file, headerAt(file, MAGIC1) + 8, /checksum 0x1234 .*; expected 0xe4524ffb/);
  });

  it("R1.3 a magic number by chance before the header does not hide it", () => {
    const file = elfWith(Uint8Array.from([...header1(3, [], 1), ...header1(3)]));
    assert.equal(planOf(file, NAMED).loader.name, "multiboot1");
  });

  it('R1.3 "must notify the user and fail": requirements (bits 0–15) that are not understood', () => {
    for (let bit = 3; bit < 16; bit++) {
      const file = elfWith(header1(3 | (1 << bit)));
      refused(file, headerAt(file, MAGIC1) + 4, new RegExp(`requirements 0x${(1 << bit).toString(16)};`));
    }
  });

  it('R1.3 "may simply ignore them": optional features (bits 17–31)', () => {
    for (let bit = 17; bit < 32; bit++) {
      assert.equal(planOf(elfWith(header1((1 << bit) | 3)), NAMED).loader.name, "multiboot1");
    }
  });

  it('R1.3 the address fields "must be provided" where the file is not ELF', () => {
    refused(
      makeBzImage({ setupCode: header1(3), setupSects: 4 }),
      0x274,
      /without load addresses .* no ELF file/,
    );
  });

  it('R1.3 "load_addr must be less than or equal to header_addr"', () => {
    refused(flat([at, at + 4, 0, 0, at]), 16, /load_addr 0x200004, header_addr 0x200000/);
  });

  it("R1.3 the load begins inside the file: header_addr − load_addr is at most the header's offset", () => {
    refused(flat([at + 0x100, at, 0, 0, at]), 16, /the load to begin inside the file/);
  });

  it("R1.3 load_end_addr lies above load_addr, and the file has that much", () => {
    refused(flat([at, at, at, 0, at]), 20, /load_end_addr 0x200000: 0 bytes/);
    refused(flat([at, at, at - 1, 0, at]), 20, /-1 bytes/);
    refused(flat([at, at, at + 0x1001, 0, at]), 20, /within the file of 4096 bytes/);
  });

  it("R1.3 bss_end_addr is 0 or not below the data's end", () => {
    refused(
      flat([at, at, 0, at + 0xfff, at]),
      24,
      /bss_end_addr 0x200fff; expected 0, or an address from .* 0x201000/,
    );
  });

  it("R1.3 entry_addr lies in what is loaded", () => {
    refused(flat([at, at, 0, 0, at - 1]), 28, /entry point 0x1fffff; expected .*0x200000–0x201000/);
    refused(flat([at, at, 0, at + 0x2000, at + 0x2000]), 28, /entry point 0x202000/);
  });

  it("R1.3 mode_type is 0 or 1: everything else is reserved", () => {
    const file = elfWith(header1(4, [0, 0, 0, 0, 0, 2, 80, 25, 0]));
    refused(file, headerAt(file, MAGIC1) + 32, /mode_type 2/);
    const plan = planOf(elfWith(header1(4, [0, 0, 0, 0, 0, 1, 80, 25, 0])), NAMED);
    assert.match(plan.warnings.join(), /asks for a video mode: there is no screen/);
    const screen = planOf(elfWith(header1(4, [0, 0, 0, 0, 0, 1, 80, 25, 0])), { ...NAMED, screen: true });
    assert.deepEqual(screen.warnings, []);
  });
});

describe("R1.3 multiboot1, ELF kernels", () => {
  it("R1.3 the entry point lies in a segment, by its virtual or its physical address", () => {
    const segments = [{ vaddr: 0xc020_0000, paddr: at, bytes: headed(header1(3)), memsz: 0x3000 }];
    for (const entry of [0xc020_0300, at + 0x300]) {
      const file = makeElf({ elfClass: 32, entry, segments });
      assert.equal(planOf(file, NAMED).bootCpu.rip, BigInt(at + 0x300));
    }
    refused(makeElf({ elfClass: 32, entry: 0x1000, segments }), 0x18, /e_entry 0x1000/);
    refused(makeElf({ elfClass: 64, entry: 0x1000, segments }), 0x18, /e_entry 0x1000/);
  });

  it("R1.3 something to load, all of it below 4 GiB", () => {
    const note = { type: PT.PHDR, bytes: headed(header1(3)) };
    refused(makeElf({ elfClass: 32, segments: [note] }), 44, /no PT_LOAD segment/);
    const high = { vaddr: at, paddr: 0xffff_f000, bytes: headed(header1(3)), memsz: 0x2000 };
    refused(makeElf({ elfClass: 64, entry: at, segments: [high] }), 64, /up to physical 0x100001000/);
  });

  it("R1.3 a file for another CPU is refused with what it is", () => {
    refused(elfWith(header1(3), { machine: 40 }), 0x12, /a file for arm/);
  });

  it("R1.3 a header makes a kernel of what a compiler linked as a program; without one it is refused", () => {
    const interpreter = { type: PT.INTERP, bytes: new TextEncoder().encode("/lib/ld.so\0") };
    const local = { type: PT.TLS, bytes: new Uint8Array(8) };
    const linked = (bytes: Uint8Array): Uint8Array =>
      makeElf({ elfClass: 32, entry: at, segments: [{ vaddr: at, bytes }, interpreter, local] });
    assert.equal(planOf(linked(headed(header1(3))), NAMED).bootCpu.rip, BigInt(at));
    for (const name of ["pvh", "elf32"]) {
      assert.throws(
        () => planOf(linked(new Uint8Array(64)), { loader: { name } }),
        /file offset 0x54: found a program header PT_INTERP \(\/lib\/ld\.so\)/,
      );
    }
  });

  it("R1.3 a sound header behind the first 8192 bytes is the answer, and no other loader starts the kernel", () => {
    const bytes = new Uint8Array(0x4000).fill(0xf4);
    bytes.set(header1(3), 0x3000);
    for (const elfClass of [32, 64] as const) {
      const file = makeElf({ elfClass, entry: at, segments: [{ vaddr: at, bytes }] });
      const where = headerAt(file, MAGIC1).toString(16);
      assert.throws(
        () => planOf(file),
        new RegExp(
          `^NoLoaderError: boot ".*": found the Multiboot magic number at 0x${where}, past .*ld -n`,
          "s",
        ),
      );
      assert.equal(planOf(file, { loader: { name: `elf${elfClass}` } }).loader.name, `elf${elfClass}`);
    }
  });

  it("R1.3 CS is 0x08, the data segments are 0x10, as QEMU has it; kernels rely on it", () => {
    const { bootCpu, regions } = planOf(elfWith(header1(3)), NAMED);
    assert.equal(bootCpu.cs.selector, 0x08);
    for (const name of ["ds", "es", "fs", "gs", "ss"] as const) assert.equal(bootCpu[name].selector, 0x10);
    const gdt = regions.find(({ name }) => name === "gdt");
    assert.equal(BigInt(gdt?.start ?? 0), bootCpu.gdtr.base);
    const content = gdt?.content;
    assert.ok(content?.kind === "bytes");
    const view = new DataView(content.bytes.slice().buffer);
    assert.equal(view.getBigUint64(0x08, true), 0x00cf_9b00_0000_ffffn);
    assert.equal(view.getBigUint64(0x10, true), 0x00cf_9300_0000_ffffn);
  });

  it("R1.6 the layout, as a golden: kernel where it is linked, modules behind it, the rest low", () => {
    const modules = [{ name: "m", bytes: new Uint8Array(5000) }];
    const initrd = { name: "i", bytes: new Uint8Array(10) };
    assert.deepEqual(
      regionLines(planOf(elfWith(header1(3)), { ...NAMED, modules, initrd })).filter((l) =>
        l.includes("multiboot"),
      ),
      [
        "00006000–00006117  multiboot information: 280 bytes, multiboot1, ram",
        "00006118–00006147  gdt: 48 bytes, multiboot1, ram",
        "00200000–00202fff  kernel segment 0: 1024 bytes, multiboot1, ram",
        "00203000–00203009  initrd: 10 bytes, multiboot1, ram",
        "00204000–00205387  module 0: 5000 bytes, multiboot1, ram",
      ],
    );
  });

  it("R1.3 an information structure too large for base memory goes above it", () => {
    const modules = Array.from({ length: 20 }, (_, i) => ({
      name: `m${i}`,
      bytes: Uint8Array.of(i),
      commandLine: "x".repeat(60_000),
    }));
    const plan = planOf(elfWith(header1(3)), { ...NAMED, modules });
    assert.ok(Number(plan.bootCpu.gpr[3]) >= 0x10_0000);
  });

  it("R1.6 sections that find no room are left out with a warning", () => {
    const sections = [{ name: ".debug", type: 1, bytes: new Uint8Array(5 * 1024 * 1024) }];
    const plan = planOf(elfWith(header1(3), { sections }), { ...NAMED, memory: 6 * 1024 * 1024 });
    assert.match(plan.warnings.join(), /no room for the kernel's symbols/);
    const info = plan.regions.find(({ name }) => name === "multiboot information");
    assert.ok(info?.content.kind === "bytes");
    assert.equal(new ByteView(info.content.bytes).u32(0) & (1 << 5), 0);
  });
});

describe("R1.1 choice among protocols that an image offers", () => {
  const both = Uint8Array.from([...header2(), ...header1(3)]);

  it("R1.1 PVH, then Multiboot2, then Multiboot, then plain ELF; a name chooses otherwise", () => {
    const segments = [
      { vaddr: at, bytes: headed(both) },
      { type: PT.NOTE, bytes: makeNotes([makePvhNote(at)]) },
    ];
    const all = makeElf({ entry: at, segments });
    assert.equal(planOf(all).loader.name, "pvh");
    assert.equal(planOf(makeElf({ entry: at, segments: segments.slice(0, 1) })).loader.name, "multiboot2");
    assert.equal(
      planOf(makeElf({ entry: at, segments: [{ vaddr: at, bytes: headed(header1(3)) }] })).loader.name,
      "multiboot1",
    );
    for (const name of ["pvh", "multiboot2", "multiboot1", "elf64"]) {
      assert.match(planOf(all, { loader: { name } }).loader.why, /^asked for by name/);
    }
  });

  it("R3.1 only kernels that read it are given console=ttyS0 by default, and the plan says so", () => {
    const kernel = (bytes: Uint8Array) => ({ kernel: { name: "k", bytes } });
    assert.equal(buildPlan(kernel(makeBzImage())).commandLine, "console=ttyS0");
    assert.equal(buildPlan(kernel(elfWith(both))).commandLine, "");
    assert.equal(buildPlan({ ...kernel(makeBzImage()), commandLine: "" }).commandLine, "");
  });

  it("R1.3 a bzImage that carries a header goes by the Linux protocol, and by Multiboot when asked", () => {
    const image = makeBzImage({ setupSects: 4 });
    image.set(header1(FLAG_ADDRESSES, [at + 0x300, at, 0, 0, at + 0x400]), 0x300);
    assert.equal(planOf(image).loader.name, "linux");
    assert.equal(planOf(image, NAMED).bootCpu.rip, BigInt(at + 0x400));
  });

  it("R1.3 a flat file is recognised by its header alone", () => {
    const image = recognise(flat([at, at, 0, 0, at]));
    assert.deepEqual([image.format, image.summary], ["flat", "flat binary, Multiboot"]);
    const offsets = Object.fromEntries(image.facts.map(({ name, offset }) => [name, offset]));
    assert.equal(offsets["multiboot.entry_addr"], 28);
    for (const name of ["pvh", "elf64"]) {
      assert.throws(
        () => planOf(flat([at, at, 0, 0, at]), { loader: { name } }),
        /flat binary, Multiboot; expected an ELF/,
      );
    }
  });
});
