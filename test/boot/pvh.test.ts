// The pvh loader: layout goldens, entry state, start_info, refusals. Images are synthetic.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { NoLoaderError } from "../../src/boot/index.js";
import { commandLineWarnings } from "../../src/boot/systems.js";
import type { Plan } from "../../src/boot/plan.js";
import { PT, SHT } from "../../src/spec/elf.js";
import { XEN_ELFNOTE } from "../../src/spec/xen-notes.js";
import { describeSegment } from "../../src/x86/segments.js";
import {
  makeBzImage,
  makeElf,
  makeNotes,
  makePvhNote,
  type ElfParts,
  type NoteParts,
} from "../support/images.js";
import { memoryAt, planOf, RBX, region, regionLines, register, RSI } from "./plan-text.js";

const CODE = new Uint8Array(0x1800).fill(0xf4);
const INITRD = { name: "initrd", bytes: new Uint8Array(5000).fill(9) };

/** A kernel of code at 16 MiB, data with bss at 18 MiB, and a note. */
function kernel(
  parts: Partial<ElfParts> = {},
  notes: readonly NoteParts[] = [makePvhNote(0x1000100)],
): Uint8Array {
  return makeElf({
    entry: 0xffff_ffff_8100_0000n,
    segments: [
      { vaddr: parts.elfClass === 32 ? 0xc100_0000 : 0xffff_ffff_8100_0000n, paddr: 0x1000000, bytes: CODE },
      {
        vaddr: parts.elfClass === 32 ? 0xc120_0000 : 0xffff_ffff_8120_0000n,
        paddr: 0x1200000,
        bytes: Uint8Array.of(1, 2, 3),
        memsz: 0x5000,
      },
      { type: PT.NOTE, bytes: makeNotes(notes), vaddr: 0 },
    ],
    ...(parts.elfClass === 32 ? { entry: 0xc100_0000 } : {}),
    ...parts,
  });
}

/** start_info as fields, and what it points to. */
function startInfo(plan: Plan) {
  const view = memoryAt(plan, register(plan, RBX));
  const memmap = Number(view.u64(40));
  return {
    magic: view.u32(0),
    version: view.u32(4),
    flags: view.u32(8),
    modules: view.u32(12),
    modlist: Number(view.u64(16)),
    cmdline: Number(view.u64(24)),
    rsdp: Number(view.u64(32)),
    memmap,
    memmapEntries: view.u32(48),
    map: Array.from({ length: view.u32(48) }, (_, index) => {
      const at = memoryAt(plan, memmap + index * 24);
      return [Number(at.u64(0)), Number(at.u64(8)), at.u32(16)];
    }),
  };
}

describe("R2.1 pvh", () => {
  it("R2.1 the layout, as a golden: segments by p_paddr, hand-over low", () => {
    assert.deepEqual(regionLines(planOf(kernel(), { initrd: INITRD })), [
      "00000000–000004ff  vectors and bios data area: 1280 bytes, firmware, ram",
      "00006000–00006fff  start_info: 184 bytes, pvh, ram",
      "00007000–0000702f  gdt: 48 bytes, pvh, ram",
      "00020000–0002000d  command line: 14 bytes, pvh, ram",
      "0009fc00–0009ffff  ebda: 16 bytes, firmware, reserved",
      "000e0000–000e041b  acpi tables: 1052 bytes, firmware, reserved",
      "000f0000–000f00d7  mp table: 216 bytes, firmware, reserved",
      "01000000–010017ff  kernel segment 0: 6144 bytes, pvh, ram",
      "01200000–01204fff  kernel segment 1: 3 bytes, pvh, ram",
      "03ffe000–03fff387  initrd: 5000 bytes, pvh, ram",
    ]);
  });

  it("R2.1 CPU: 32-bit flat, CR0 = PE, CR4 = 0, EBX start_info, interrupts and direction flag off", () => {
    const { bootCpu, loader } = planOf(kernel());
    assert.equal(loader.name, "pvh");
    assert.equal(loader.entry, "PVH entry at 0x1000100");
    assert.equal(bootCpu.rip, 0x1000100n);
    assert.equal(bootCpu.cr0 & ~0x10n, 1n);
    assert.equal(bootCpu.cr4, 0n);
    assert.equal(bootCpu.rflags, 2n);
    assert.equal(bootCpu.gpr[RBX], 0x6000n);
    assert.equal(bootCpu.gpr[RSI], 0n);
    assert.equal(describeSegment(bootCpu.cs), "code32 base=0x0 limit=0xffffffff dpl=0");
    assert.equal(describeSegment(bootCpu.ds), "data32 base=0x0 limit=0xffffffff dpl=0");
    assert.equal(describeSegment(bootCpu.tr), "tss base=0x0 limit=0x67 dpl=0");
  });

  it("R2.1 start_info version 1 with memory map, module, command line and RSDP", () => {
    const plan = planOf(kernel(), { initrd: INITRD });
    const info = startInfo(plan);
    assert.equal(info.magic, 0x336ec578);
    assert.equal(info.version, 1);
    assert.equal(info.flags, 0);
    assert.equal(info.modules, 1);
    const module = memoryAt(plan, info.modlist);
    assert.deepEqual(
      [module.u64(0), module.u64(8), module.u64(16), module.u64(24)],
      [0x3ffe000n, 5000n, 0n, 0n],
    );
    assert.equal(memoryAt(plan, info.cmdline).latin1(0, 14), "console=ttyS0\0");
    assert.equal(memoryAt(plan, info.rsdp).latin1(0, 8), "RSD PTR ");
    assert.deepEqual(
      info.map,
      plan.e820.map(({ start, size, type }) => [start, size, type === "ram" ? 1 : 2]),
    );
  });

  it("R2.1 without an initrd there is no module list; an empty command line is still an address", () => {
    const plan = planOf(kernel(), { commandLine: "" });
    const info = startInfo(plan);
    assert.deepEqual([info.modules, info.modlist], [0, 0]);
    assert.equal(memoryAt(plan, info.cmdline).u8(0), 0);
  });

  it("R2.1 bss is zero: a segment is as long as p_memsz", () => {
    const { size, content } = region(planOf(kernel()), "kernel segment 1");
    assert.equal(size, 0x5000);
    assert.deepEqual(content, { kind: "bytes", bytes: Uint8Array.of(1, 2, 3) });
  });

  it("R2.1 ELF32 kernels and 4-byte notes, as the BSDs write them", () => {
    const plan = planOf(kernel({ elfClass: 32 }, [makePvhNote(0x1000200, 4)]));
    assert.equal(plan.bootCpu.rip, 0x1000200n);
  });

  it("R2.1 a note in a section only, as FreeBSD had until 2022", () => {
    const section = { name: ".note.Xen", type: SHT.NOTE, bytes: makeNotes([makePvhNote(0x1000100, 4)]) };
    const segments = [{ vaddr: 0x1000000, bytes: CODE }];
    for (const elfClass of [32, 64] as const) {
      const { bootCpu, loader } = planOf(makeElf({ elfClass, segments, sections: [section] }));
      assert.equal(bootCpu.rip, 0x1000100n);
      assert.match(loader.why, /SHT_NOTE/);
    }
  });

  it("R2.1 of an 8-byte descriptor the low half counts; e_entry never does", () => {
    const wide = makePvhNote(0x1000100);
    wide.desc.set([0xff, 0xff, 0xff, 0xff], 4);
    assert.equal(planOf(kernel({ entry: 0x1200000 }, [wide])).bootCpu.rip, 0x1000100n);
  });

  it("R2.1 loader.version=0: 40 bytes without a memory map, and a word about who needs one", () => {
    const plan = planOf(kernel(), { loader: { version: "0" }, initrd: INITRD });
    const info = memoryAt(plan, register(plan, RBX));
    assert.deepEqual([info.u32(0), info.u32(4), info.u32(12)], [0x336ec578, 0, 1]);
    assert.equal(Number(info.u64(16)), register(plan, RBX) + 40);
    const module = memoryAt(plan, Number(info.u64(16)));
    assert.deepEqual([module.u64(0), module.u64(8)], [0x3ffe000n, 5000n]);
    assert.match(plan.warnings.join(), /version 0 has no memory map/);
    assert.throws(() => planOf(kernel(), { loader: { version: "2" } }), /found "2"; expected 0 or 1/);
  });

  it("R2.1 types of the memory map are e820's; ranges ascend, do not overlap, leave the ISA hole out", () => {
    const { map } = startInfo(planOf(kernel(), { initrd: INITRD }));
    let end = 0;
    for (const [start, size, type] of map) {
      assert.ok(start >= end && size > 0 && (type === 1 || type === 2));
      if (type === 1) assert.ok(start + size <= 0xa0000 || start >= 0x100000);
      end = start + size;
    }
  });

  it("R2.1 everything handed over lies at 0x6000–0x9f000, clear of 0–0x500 and 0x2000", () => {
    const plan = planOf(kernel(), { initrd: INITRD });
    for (const { name, start, size } of plan.regions.filter(({ owner }) => owner === "pvh")) {
      if (name.startsWith("kernel") || name === "initrd") continue;
      assert.ok(start >= 0x6000 && start + size <= 0x9f000, name);
    }
  });
});

describe("R2.4 pvh, start_info behind the kernel", () => {
  const options = { loader: { start_info: "after-kernel" }, initrd: INITRD };

  it("R2.4 the layout, as a golden: one run on the first page behind the last segment", () => {
    const plan = planOf(kernel(), options);
    assert.deepEqual(
      regionLines(plan).filter((line) => line.includes("pvh")),
      [
        "00007000–0000702f  gdt: 48 bytes, pvh, ram",
        "01000000–010017ff  kernel segment 0: 6144 bytes, pvh, ram",
        "01200000–01204fff  kernel segment 1: 3 bytes, pvh, ram",
        "01205000–01205fff  start_info: 198 bytes, pvh, ram",
        "03ffe000–03fff387  initrd: 5000 bytes, pvh, ram",
      ],
    );
    const info = startInfo(plan);
    assert.equal(register(plan, RBX), 0x1205000);
    assert.equal(memoryAt(plan, info.cmdline).latin1(0, 14), "console=ttyS0\0");
    assert.equal(info.map.length, 4);
  });

  it("R2.4 the option's values are checked", () => {
    assert.throws(
      () => planOf(kernel(), { loader: { start_info: "high" } }),
      /found "high"; expected low or after-kernel/,
    );
  });
});

describe("R2.1 pvh, the kernel inside a bzImage", () => {
  it("R2.1 loader.name=pvh unpacks the payload on the host", () => {
    const elf = kernel();
    const size = Buffer.alloc(4);
    size.writeUInt32LE(elf.length);
    const image = makeBzImage({ payload: new Uint8Array(gzipSync(elf)) });
    const plan = planOf(image, { loader: { name: "pvh" } });
    assert.equal(plan.bootCpu.rip, 0x1000100n);
    assert.match(
      plan.loader.why,
      /asked for by name: the ELF kernel unpacked from the bzImage's gzip payload/,
    );
    assert.equal(planOf(image).loader.name, "linux", "by default the guest unpacks");
  });

  it("R4.4 a payload that unpacks to more than the guest's RAM is refused", () => {
    const image = makeBzImage({ payload: new Uint8Array(gzipSync(new Uint8Array(65 * 1024 * 1024))) });
    assert.throws(() => planOf(image, { loader: { name: "pvh" } }), NoLoaderError);
  });

  it("R2.3 a bzImage without payload says so at payload_offset", () => {
    assert.throws(
      () => planOf(makeBzImage(), { loader: { name: "pvh" } }),
      /pvh: file offset 0x248: found no payload/,
    );
  });
});

describe("R2.3 pvh, refusals", () => {
  it("R2.3 a descriptor of another size is refused at its offset", () => {
    for (const size of [0, 2, 16]) {
      const note = { ...makePvhNote(0x1000100), desc: new Uint8Array(size) };
      assert.throws(
        () => planOf(kernel({}, [note])),
        new RegExp(`file offset 0x[0-9a-f]+: found a PHYS32_ENTRY note with a descriptor of ${size} bytes`),
      );
    }
  });

  it("R2.3 no note: says what to build", () => {
    assert.throws(() => planOf(kernel({}, [])), /pvh: .*found notes \(0\) without.*CONFIG_PVH/);
  });

  it("R2.3 an entry outside every segment is refused at the note's descriptor", () => {
    const image = kernel({}, [makePvhNote(0x900000)]);
    assert.throws(
      () => planOf(image, { loader: { name: "pvh" } }),
      /found entry point 0x900000; expected an address in a loaded segment \(physical 0x1000000–0x1001800, 0x1200000–0x1205000\)/,
    );
  });

  it("R1.6 a segment over the firmware's tables names both", () => {
    const image = kernel({
      segments: [
        { vaddr: 0xdf000, bytes: CODE },
        { type: PT.NOTE, bytes: makeNotes([makePvhNote(0xdf000)]), vaddr: 0 },
      ],
    });
    assert.throws(
      () => planOf(image),
      /load "kernel" with the pvh loader: guest-physical 0xdf000: found "kernel segment 0" of pvh .* over "acpi tables" of firmware/,
    );
  });

  it("R1.6 a segment outside RAM says what RAM there is", () => {
    const image = kernel({
      segments: [
        { vaddr: 0x8000_0000, bytes: CODE },
        { type: PT.NOTE, bytes: makeNotes([makePvhNote(0x8000_0000)]), vaddr: 0 },
      ],
    });
    assert.throws(() => planOf(image), /inside RAM \(0x0–0x4000000\)/);
  });
});

describe("R2.1 pvh, rules of particular systems", () => {
  const guestOs = (name: string): NoteParts => ({
    name: "Xen",
    type: XEN_ELFNOTE.GUEST_OS,
    desc: new TextEncoder().encode(`${name}\0`),
  });
  const note = makePvhNote(0x1000100);
  const netbsd = (length: number): string => "console=com ".padEnd(length, "x");

  it("R2.1 NetBSD parses 255 bytes and keeps 1023", () => {
    const image = kernel({}, [note, guestOs("NetBSD")]);
    assert.deepEqual(planOf(image, { commandLine: netbsd(255) }).warnings, []);
    assert.match(planOf(image, { commandLine: netbsd(256) }).warnings.join(), /first 255 bytes/);
    assert.match(planOf(image, { commandLine: netbsd(1024) }).warnings.join(), /first 1023 bytes/);
  });

  it("R2.1 NetBSD without console=, or with one that it does not reach, is silent", () => {
    const image = kernel({}, [note, guestOs("NetBSD")]);
    assert.match(
      planOf(image, { commandLine: "root=ld0a" }).warnings.join(),
      /first 255 bytes of the command line has no console=com: .* not there/,
    );
    const late = `${"x".repeat(250)} console=com`;
    assert.match(planOf(image, { commandLine: late }).warnings.join(), /has no console=com/);
  });

  it("R2.1 FreeBSD wants no initrd", () => {
    const image = kernel({}, [note, guestOs("FreeBSD")]);
    assert.match(planOf(image, { initrd: INITRD }).warnings.join(), /FreeBSD takes the first module/);
  });

  it("R2.1 Linux keeps 2047 bytes and wants a console", () => {
    assert.match(commandLineWarnings("Linux", "x".repeat(2048), true).join(), /first 2047 bytes/);
    const image = kernel({}, [note, guestOs("linux")]);
    assert.match(planOf(image, { commandLine: "" }).warnings.join(), /console=ttyS0/);
  });
});
