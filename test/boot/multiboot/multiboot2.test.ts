// The multiboot2 loader: one test a "must" sentence of the Multiboot2 Specification 2.0, each with an image that breaks
// it and the offset it is refused at; tags one by one. The machine state is in conformance.test.ts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tableLines } from "../../../src/boot/table-lines.js";
import { recognise } from "../../../src/formats/index.js";
import { makeBzImage, makeElf } from "../../support/images.js";
import { planOf, regionLines } from "../plan-text.js";
import { elfWith, headed, header2, headerAt, LINKED_AT, MAGIC2, type TagParts } from "./images.js";

const NAMED = { loader: { name: "multiboot2" } };
const at = LINKED_AT;

/** The refusal's text, at this offset from the header. */
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

function withTags(...tags: TagParts[]): Uint8Array {
  return elfWith(header2({ tags }));
}

/** Refused at `offset` bytes into the header. */
function tagRefused(tags: readonly TagParts[], offset: number, text: RegExp): void {
  const file = withTags(...tags);
  refused(file, headerAt(file, MAGIC2) + offset, text);
}

function accepted(...tags: TagParts[]): void {
  assert.equal(planOf(withTags(...tags), NAMED).loader.name, "multiboot2");
}

function flat(address: readonly number[], entry: number | undefined, size = 0x1000): Uint8Array {
  const tags: TagParts[] = [{ type: 2, words: address }];
  if (entry !== undefined) tags.push({ type: 3, words: [entry] });
  return headed(header2({ tags }), size);
}

describe("R1.3 multiboot2, §3.1 OS image format", () => {
  it('R1.3 "must contain an additional header": without one it is refused', () => {
    refused(elfWith(new Uint8Array(0)), 0, /found no Multiboot2 magic number 0xe85250d6/);
  });

  it('R1.3 "must be contained completely within the first 32768 bytes"', () => {
    const late = elfWith(Uint8Array.from([...new Uint8Array(32768), ...header2()]));
    refused(late, headerAt(late, MAGIC2), /past the first 32768 bytes/);
    const across = new Uint8Array(0x9000);
    across.set(header2(), 32768 - 16);
    refused(across, 32768 - 16 + 8, /header_length 24; .*end by 0x8000/);
  });

  it('R1.3 "must be 64-bit aligned"', () => {
    for (const lead of [1, 2, 4, 7]) {
      const file = elfWith(Uint8Array.from([...new Uint8Array(lead), ...header2()]));
      refused(file, headerAt(file, MAGIC2), /which is no multiple of 8/);
    }
  });

  it('R1.3 "must have a 32-bit unsigned sum of zero": the checksum', () => {
    const file = elfWith(header2({ checksum: 7 }));
    refused(file, headerAt(file, MAGIC2) + 12, /checksum 0x7 .*; expected 0x17adaf12/);
  });

  it("R1.3 architecture 0 is i386; MIPS and others are refused with what they are", () => {
    for (const [architecture, text] of [
      [4, /architecture 4 \(32-bit MIPS\); expected 0 \(i386\)/],
      [9, /architecture 9; expected/],
    ] as const) {
      const file = elfWith(header2({ architecture }));
      refused(file, headerAt(file, MAGIC2) + 4, text);
    }
  });

  it("R1.3 header_length counts magic fields and the end tag, and lies within the file", () => {
    for (const length of [0, 15, 23]) {
      const file = elfWith(header2({ length }));
      refused(file, headerAt(file, MAGIC2) + 8, new RegExp(`header_length ${length};`));
    }
    const file = headed(header2({ length: 0x500 }), 0x400);
    refused(elfWith(file), headerAt(elfWith(file), MAGIC2) + 8, /header_length 1280/);
  });

  it('R1.3 "Tags are terminated by a tag of type 0 and size 8"', () => {
    const file = elfWith(header2({ tags: [{ type: 6 }, { type: 6 }], endless: true }));
    refused(
      file,
      headerAt(file, MAGIC2) + 32,
      /the end of the header .*; expected another tag, or the end tag/,
    );
    tagRefused([{ type: 0, size: 16 }, { type: 6 }], 20, /type 0 with size 16; expected size 8/);
  });

  it("R1.3 a tag whose size runs past the header is refused at its offset", () => {
    tagRefused([{ type: 6, size: 0x100 }], 20, /type 6 with size 256/);
    tagRefused([{ type: 6, size: 7 }], 20, /type 6 with size 7; expected at least 8/);
    tagRefused([{ type: 6, size: 0xffff_ffff }], 20, /size 4294967295/);
  });

  it("R1.3 a tag too short for its fields is refused at its offset", () => {
    for (const [type, size] of Object.entries({ 2: 24, 3: 12, 4: 12, 5: 20, 8: 12, 9: 12, 10: 24 })) {
      tagRefused(
        [{ type: Number(type), size: size - 4, words: [0, 0, 0, 0] }],
        20,
        new RegExp(`at least ${size}`),
      );
    }
  });

  it("R1.3 a longer tag than today's is read; a later version may add fields", () => {
    accepted({ type: 3, words: [at + 0x300, 1, 2, 3] });
  });
});

describe("R1.3 multiboot2, header tags", () => {
  it('R1.3 "If bit 0 of flags is set, the bootloader may ignore this tag": unknown types', () => {
    tagRefused([{ type: 6 }, { type: 77, words: [1] }], 24, /a required tag of type 77/);
    accepted({ type: 77, words: [1], optional: true });
  });

  it('R1.3 "must fail with an error" for a requested information that is not understood', () => {
    tagRefused([{ type: 1, words: [4, 6, 22] }], 32, /request for information of type 22/);
    accepted({ type: 1, words: [22, 999], optional: true });
  });

  it("R1.3 requested information that is known but not there is left out, and the kernel starts", () => {
    accepted({ type: 1, words: [5, 7, 8, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21] });
  });

  it('R1.3 "When the address tag is present it must be used", in an ELF file too', () => {
    const file = elfWith(new Uint8Array(0));
    const offset = 0x80;
    const tags = [
      { type: 2, words: [0x40_0000 + offset, 0xffff_ffff, 0, 0] },
      { type: 3, words: [0x40_0000 + 0x100] },
    ];
    file.set(header2({ tags }), offset);
    const plan = planOf(file, NAMED);
    assert.equal(plan.bootCpu.rip, 0x40_0100n);
    assert.ok(regionLines(plan).some((line) => line.startsWith("00400000") && line.includes("kernel:")));
  });

  it("R1.3 load_addr −1 loads the file from its beginning", () => {
    const lead = new Uint8Array(0x100);
    const tags = [
      { type: 2, words: [at + 0x100, 0xffff_ffff, 0, at + 0x3000] },
      { type: 3, words: [at + 0x200] },
    ];
    const plan = planOf(headed(Uint8Array.from([...lead, ...header2({ tags })])), NAMED);
    assert.ok(regionLines(plan).includes("00200000–00202fff  kernel: 1024 bytes, multiboot2, ram"));
  });

  it('R1.3 "load_addr must be less than or equal to header_addr", and the rest of the address tag', () => {
    refused(flat([at, at + 8, 0, 0], at), 28, /load_addr 0x200008, header_addr 0x200000/);
    refused(flat([at + 0x100, at, 0, 0], at), 28, /the load to begin inside the file/);
    const tags = [
      { type: 2, words: [4, 0xffff_ffff, 0, 0] },
      { type: 3, words: [4] },
    ];
    const late = headed(Uint8Array.from([...new Uint8Array(0x100), ...header2({ tags })]));
    refused(late, 0x100 + 28, /header_addr 0x4, the header at 0x100/);
    refused(flat([at, at, at, 0], at), 32, /load_end_addr 0x200000: 0 bytes/);
    refused(flat([at, at, at + 0x2000, 0], at), 32, /within the file of 4096 bytes/);
    refused(flat([at, at, 0, at + 1], at), 36, /bss_end_addr 0x200001/);
  });

  it("R1.3 an address tag needs an entry address tag, and the entry lies in what is loaded", () => {
    refused(flat([at, at, 0, 0], undefined), 16, /an address tag without an entry address tag/);
    refused(flat([at, at, 0, 0], at + 0x1000), 48, /entry point 0x201000/);
  });

  it("R1.3 an entry address tag overrides e_entry and lies in what is loaded", () => {
    assert.equal(planOf(withTags({ type: 3, words: [at + 0x310] }), NAMED).bootCpu.rip, BigInt(at + 0x310));
    tagRefused([{ type: 3, words: [at + 0x3000] }], 24, /entry point 0x203000/);
  });

  it("R1.3 without an address tag the file must be ELF", () => {
    const image = makeBzImage({ setupSects: 4 });
    image.set(header2(), 0x300);
    refused(image, 0x300, /a header without an address tag, in a file that is no ELF file/);
  });

  it("R1.3 a required console is refused without a screen", () => {
    tagRefused([{ type: 4, words: [1] }], 24, /console_flags 0x1: a console is required/);
    accepted({ type: 4, words: [2] });
    accepted({ type: 4, words: [3], optional: true });
    assert.equal(
      planOf(withTags({ type: 4, words: [1] }), { ...NAMED, screen: true }).loader.name,
      "multiboot2",
    );
  });

  it("R1.3 a framebuffer is a wish: the kernel starts, and a warning tells that there is none", () => {
    const plan = planOf(withTags({ type: 5, words: [1024, 768, 32] }), NAMED);
    assert.match(plan.warnings.join(), /asks for a video mode: there is no screen/);
    assert.deepEqual(planOf(withTags({ type: 5, words: [0, 0, 0], optional: true }), NAMED).warnings, []);
  });

  it("R1.3 required EFI tags are refused with the reason; optional ones are not; loader.efi=ignore starts it", () => {
    for (const [type, words, name] of [
      [7, [], "efi bs"],
      [8, [at], "entry address efi32"],
      [9, [at], "entry address efi64"],
    ] as const) {
      tagRefused([{ type, words }], 16, new RegExp(`a required tag "${name}" .*without EFI`));
      accepted({ type, words, optional: true });
      const plan = planOf(withTags({ type, words }), { loader: { name: "multiboot2", efi: "ignore" } });
      assert.equal(plan.bootCpu.rip, BigInt(at + 0x300));
    }
  });

  it("R1.3 modules are page-aligned whether the tag asks or not", () => {
    const modules = [1, 2].map((n) => ({ name: `${n}`, bytes: Uint8Array.of(n) }));
    for (const tags of [[], [{ type: 6 }]]) {
      const plan = planOf(withTags(...tags), { ...NAMED, modules });
      for (const { name, start } of plan.regions)
        if (name.startsWith("module")) assert.equal(start % 4096, 0);
    }
  });
});

describe("R1.3 multiboot2, what the loader must do", () => {
  it('R1.3 "must not load any part of the kernel, the modules, the information structure higher than 4 GiB - 1"', () => {
    const modules = [{ name: "m", bytes: new Uint8Array(5000) }];
    const tags = [{ type: 10, words: [0, 0xffff_ffff, 0x1000, 2] }];
    const plan = planOf(withTags(...tags), { ...NAMED, modules, memory: 5 * 2 ** 30 });
    const ours = plan.regions.filter(({ owner }) => owner === "multiboot2");
    assert.ok(ours.length >= 4);
    for (const { name, start, size } of ours) assert.ok(start + size <= 0xc000_0000, name);
  });

  it("R1.3 mem_upper ends at the first hole, the memory map goes on behind it", () => {
    const plan = planOf(withTags(), { ...NAMED, memory: 5 * 2 ** 30 });
    const lines = tableLines(plan).filter((line) => line.startsWith("multiboot2.tag 4"));
    assert.deepEqual(lines, [`multiboot2.tag 4 basic meminfo: 639 KiB, ${3 * 2 ** 20 - 1024} KiB`]);
    assert.ok(plan.e820.some(({ start, type }) => start === 2 ** 32 && type === "ram"));
  });

  it("R1.3 modules go below the kernel where there is no room behind it", () => {
    const modules = [{ name: "m", bytes: new Uint8Array(2 * 2 ** 20) }];
    const tags = [{ type: 10, words: [0, 0xffff_ffff, 0x1000, 2] }];
    const plan = planOf(withTags(...tags), { ...NAMED, modules });
    assert.equal(plan.regions.find(({ name }) => name === "module 0")?.start, 0x10_0000);
  });
});

describe("R1.3 multiboot2, the relocatable tag", () => {
  const relocatable = (...words: number[]): TagParts[] => [{ type: 10, words }];

  it("R1.3 limits, alignment and preference must make sense", () => {
    tagRefused(relocatable(0x30_0000, 0x20_0000, 1, 0), 24, /min_addr 0x300000 above max_addr 0x200000/);
    tagRefused(relocatable(0, 0xffff_ffff, 3, 0), 32, /align 0x3/);
    tagRefused(relocatable(0, 0xffff_ffff, 1, 3), 36, /preference 3/);
  });

  it('R1.3 "cannot load any part of image below" min_addr or above max_addr: no such place is a refusal', () => {
    const file = withTags(...relocatable(0x20_0000, 0x20_2fff, 0x1000, 1));
    assert.throws(
      () => planOf(file, NAMED),
      new RegExp(
        `relocate the kernel: file offset 0x${(headerAt(file, MAGIC2) + 16).toString(16)}: .*0x3000 bytes`,
      ),
    );
    const exact = planOf(withTags(...relocatable(0x20_0000, 0x20_3000, 0x1000, 1)), NAMED);
    assert.equal(exact.bootCpu.rip, BigInt(at + 0x300));
  });

  it("R1.3 align 0 counts as none; without a preference a taken place is left", () => {
    assert.equal(
      planOf(withTags(...relocatable(0x20_0010, 0xffff_ffff, 0, 1)), NAMED).bootCpu.rip,
      0x200310n,
    );
    const low = makeElf({
      elfClass: 32,
      entry: 0x300,
      segments: [
        { vaddr: 0, bytes: headed(header2({ tags: relocatable(0, 0xffff_ffff, 0x1000, 0) }), 0x500) },
      ],
    });
    assert.equal(planOf(low, NAMED).bootCpu.rip, 0x1300n, "the BIOS data area is in the way at 0");
  });

  it("R1.3 load addresses are moved as well", () => {
    const tags = [
      { type: 2, words: [at, at, 0, 0] },
      { type: 3, words: [at + 0x80] },
      ...relocatable(0x80_0000, 0xffff_ffff, 0x1000, 1),
    ];
    assert.equal(planOf(headed(header2({ tags })), NAMED).bootCpu.rip, 0x80_0080n);
  });
});

describe("R2.3 inspect shows Multiboot2 headers", () => {
  it("R2.3 every tag with its offset, name and whether it is required", () => {
    const file = withTags({ type: 1, words: [4, 6] }, { type: 10, words: [0, 1, 2, 0], optional: true });
    const start = headerAt(file, MAGIC2);
    const facts = recognise(file).facts.filter(({ name }) => name.startsWith("multiboot2.tag"));
    assert.deepEqual(
      facts.map(({ value, offset, meaning }) => [offset, value, meaning]),
      [
        [start + 16, ["information request", "basic meminfo, mmap"], "required"],
        [
          start + 32,
          ["relocatable", "min_addr 0x0", "max_addr 0x1", "align 0x2", "preference 0x0"],
          "optional",
        ],
      ],
    );
  });

  it("R2.3 a damaged header is a fact, not a refusal of the file", () => {
    const file = withTags({ type: 6, size: 0x1000 });
    const image = recognise(file);
    assert.equal(image.format, "elf");
    assert.ok(!image.summary.includes("Multiboot2"));
    const problem = image.facts.find(({ name }) => name === "multiboot2.problem");
    assert.equal(problem?.offset, headerAt(file, MAGIC2) + 20);
  });
});
