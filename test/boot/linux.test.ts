// The linux loader against boot.rst: one test for each "must" that it relies on. Images are synthetic.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OptionError } from "../../src/boot/index.js";
import type { Plan } from "../../src/boot/plan.js";
import type { SetupFieldName } from "../../src/spec/linux-boot.js";
import { SETUP_FIELDS, SETUP_OFFSET } from "../../src/spec/linux-boot.js";
import { describeSegment } from "../../src/x86/segments.js";
import { decodePageTables } from "../../src/x86/page-tables.js";
import { makeBzImage } from "../support/images.js";
import { memoryAt, planOf, RBP, RBX, RDI, region, regionLines, register, RSI } from "./plan-text.js";

const INITRD = { name: "initrd", bytes: new Uint8Array(10_000).fill(7) };
const zeroPage = (plan: Plan) => memoryAt(plan, register(plan, RSI));
const field = (plan: Plan, name: SetupFieldName): number => {
  const spec = SETUP_FIELDS.find((one) => one.name === name);
  assert.ok(spec);
  const view = zeroPage(plan);
  switch (spec.size) {
    case 1:
      return view.u8(spec.offset);
    case 2:
      return view.u16(spec.offset);
    case 4:
      return view.u32(spec.offset);
    case 8:
      return Number(view.u64(spec.offset));
  }
};

describe("R1.2 linux, 64-bit entry", () => {
  it("R1.2 the layout of a plain boot, as a golden", () => {
    assert.deepEqual(regionLines(planOf(makeBzImage(), { initrd: INITRD })), [
      "00000000–000004ff  vectors and bios data area: 1280 bytes, firmware, ram",
      "00006000–00006fff  boot_params: 4096 bytes, linux, ram",
      "00007000–0000702f  gdt: 48 bytes, linux, ram",
      "00009000–0000efff  page tables: 24576 bytes, linux, ram",
      "00020000–0002000d  command line: 14 bytes, linux, ram",
      "0009fc00–0009ffff  ebda: 16 bytes, firmware, reserved",
      "000e0000–000e041b  acpi tables: 1052 bytes, firmware, reserved",
      "000f0000–000f00d7  mp table: 216 bytes, firmware, reserved",
      "01000000–010fffff  kernel: 1056 bytes, linux, ram",
      "03ffd000–03fff70f  initrd: 10000 bytes, linux, ram",
    ]);
  });

  it("R1.2 is the default where the kernel has XLF_KERNEL_64, at load address + 0x200", () => {
    const plan = planOf(makeBzImage());
    assert.equal(plan.loader.entry, "64-bit entry at 0x1000200");
    assert.equal(plan.bootCpu.rip, 0x1000200n);
    assert.match(plan.loader.why, /protocol 0x020f.*XLF_KERNEL_64/);
  });

  it("R1.2 CPU: 64-bit mode with paging, __BOOT_CS 0x10, __BOOT_DS 0x18, interrupts off", () => {
    const { bootCpu } = planOf(makeBzImage());
    assert.equal(describeSegment(bootCpu.cs), "code64 base=0x0 limit=0xffffffff dpl=0");
    assert.equal(bootCpu.cs.selector, 0x10);
    for (const name of ["ds", "es", "ss"] as const) assert.equal(bootCpu[name].selector, 0x18);
    assert.equal(bootCpu.rflags & 0x200n, 0n);
    assert.equal(bootCpu.cr0 & 0x80000001n, 0x80000001n);
  });

  it("R1.2 kernel, zero page and command line are mapped by identity", () => {
    const plan = planOf(makeBzImage());
    const tables = region(plan, "page tables");
    const view = memoryAt(plan, tables.start);
    const runs = decodePageTables((at) => view.u64(Number(at) - tables.start), plan.bootCpu.cr3);
    assert.deepEqual(
      runs.map(({ linear, physical, size }) => [linear, physical, size]),
      [[0n, 0n, 0x1_0000_0000n]],
    );
  });
});

describe("R1.2 linux, 32-bit entry", () => {
  const options = { loader: { entry: "32" } };

  it("R1.2 is entered at the load address, paging off, ESI zero page, EBP EDI EBX zero", () => {
    const plan = planOf(makeBzImage(), options);
    assert.equal(plan.bootCpu.rip, 0x1000000n);
    assert.equal(plan.bootCpu.cr0, 0x11n);
    assert.equal(register(plan, RSI), 0x6000);
    assert.deepEqual(
      [RBP, RDI, RBX].map((index) => register(plan, index)),
      [0, 0, 0],
    );
    assert.equal(describeSegment(plan.bootCpu.cs), "code32 base=0x0 limit=0xffffffff dpl=0");
    assert.equal(
      plan.regions.some(({ name }) => name === "page tables"),
      false,
    );
  });

  it("R1.2 is the default where the kernel has no 64-bit entry", () => {
    const plan = planOf(makeBzImage({ fields: { xloadflags: 0 } }));
    assert.equal(plan.loader.entry, "32-bit entry at 0x1000000");
    assert.match(plan.loader.why, /no 64-bit entry/);
  });

  it("R1.2 loader.entry=64 without XLF_KERNEL_64 is refused at the flag's offset", () => {
    assert.throws(
      () => planOf(makeBzImage({ fields: { xloadflags: 0 } }), { loader: { name: "linux", entry: "64" } }),
      /linux: file offset 0x236: found xloadflags 0x0000 without XLF_KERNEL_64/,
    );
  });
});

describe("R1.2 linux, zero page", () => {
  it("R1.2 is zero but for what the loader fills and the image's setup header", () => {
    const image = makeBzImage();
    const page = zeroPage(planOf(image, { initrd: INITRD }));
    const written = new Set<number>();
    const mark = (start: number, size: number): void => {
      for (let at = start; at < start + size; at++) written.add(at);
    };
    mark(0x70, 8);
    mark(0x1e8, 1);
    mark(0x1f1, 0x26c - 0x1f1);
    mark(0x2d0, 4 * 20);
    for (let at = 0; at < 0x1000; at++)
      if (!written.has(at)) assert.equal(page.u8(at), 0, `0x${at.toString(16)}`);
  });

  it("R1.2 the setup header is copied as far as its jump says, not further", () => {
    const image = makeBzImage({ protocol: 0x0206 });
    image[0x23c] = 0xee;
    const page = zeroPage(planOf(image));
    assert.equal(page.u16(0x206), 0x0206);
    assert.equal(page.u8(0x23c), 0, "behind the header of 2.06");
  });

  it("R1.2 type_of_loader 0xff, no heap, code32_start = load address, sentinel 0", () => {
    const plan = planOf(makeBzImage({ fields: { loadflags: 0x81 } }));
    assert.equal(field(plan, "type_of_loader"), 0xff);
    assert.equal(field(plan, "loadflags"), 0x01);
    assert.equal(field(plan, "code32_start"), 0x1000000);
    assert.equal(zeroPage(plan).u8(0x1ef), 0);
  });

  it("R1.2 no screen is described", () => {
    const page = zeroPage(planOf(makeBzImage()));
    for (let at = 0; at < 0x40; at++) assert.equal(page.u8(at), 0);
  });

  it("R1.6 e820 in the zero page is the plan's", () => {
    const plan = planOf(makeBzImage());
    const page = zeroPage(plan);
    const numbers = { ram: 1, reserved: 2, acpi: 3, nvs: 4, unusable: 5 };
    assert.equal(page.u8(0x1e8), plan.e820.length);
    plan.e820.forEach(({ start, size, type }, index) => {
      const at = 0x2d0 + index * 20;
      assert.deepEqual(
        [page.u64(at), page.u64(at + 8), page.u32(at + 16)],
        [BigInt(start), BigInt(size), numbers[type]],
      );
    });
    assert.equal(plan.e820[0].start, 0, "FreeBSD and NetBSD look for memory at 0");
  });

  it("R3.4 acpi_rsdp_addr leads to the RSDP", () => {
    const plan = planOf(makeBzImage());
    const rsdp = Number(zeroPage(plan).u64(0x70));
    assert.equal(memoryAt(plan, rsdp).latin1(0, 8), "RSD PTR ");
  });
});

describe("R1.2 linux, command line", () => {
  it("R1.2 stands where cmd_line_ptr says, with its NUL, in UTF-8", () => {
    const plan = planOf(makeBzImage(), { commandLine: "console=ttyS0 name=é" });
    const at = field(plan, "cmd_line_ptr");
    assert.equal(memoryAt(plan, at).latin1(0, 22), "console=ttyS0 name=\xc3\xa9\0");
  });

  it("R1.2 cmdline_size bytes are allowed, one more is refused with the number", () => {
    const image = makeBzImage({ fields: { cmdline_size: 20 } });
    planOf(image, { commandLine: "console=ttyS0".padEnd(20, "x") });
    assert.throws(
      () => planOf(image, { commandLine: "x".repeat(21) }),
      (error) =>
        error instanceof OptionError && /21 bytes; expected at most 20 \(cmdline_size/.test(error.message),
    );
  });

  it("R1.2 before protocol 2.06 the limit is 255", () => {
    const image = makeBzImage({ protocol: 0x0205 });
    assert.throws(() => planOf(image, { commandLine: "x".repeat(256) }), /at most 255/);
  });

  it("R1.2 a NUL inside is refused", () => {
    assert.throws(() => planOf(makeBzImage(), { commandLine: "a\0b" }), OptionError);
  });

  it("R3.9 a command line without a console is warned of", () => {
    assert.match(planOf(makeBzImage(), { commandLine: "quiet" }).warnings.join(), /console=ttyS0/);
    assert.deepEqual(planOf(makeBzImage(), { commandLine: "console=ttyS0" }).warnings, []);
  });
});

describe("R1.2 linux, initrd", () => {
  it("R1.2 lies page-aligned at the top of low memory, announced in ramdisk_image and _size", () => {
    const plan = planOf(makeBzImage(), { initrd: INITRD });
    assert.equal(field(plan, "ramdisk_image"), region(plan, "initrd").start);
    assert.equal(field(plan, "ramdisk_size"), INITRD.bytes.length);
    assert.equal(field(plan, "ramdisk_image") % 4096, 0);
    assert.equal(zeroPage(plan).u32(0xc0), 0, "ext_ramdisk_image");
  });

  it("R1.2 no byte lies above initrd_addr_max", () => {
    const plan = planOf(makeBzImage({ fields: { initrd_addr_max: 0x2ff_ffff } }), { initrd: INITRD });
    const { start, size } = region(plan, "initrd");
    assert.ok(start + size - 1 <= 0x2ffffff);
    assert.ok(start + size - 1 > 0x2ffe000);
  });

  it("R1.2 never lies in the kernel's start-up memory", () => {
    const image = makeBzImage({ fields: { init_size: 0x2ff_d000 } });
    const plan = planOf(image, { initrd: INITRD, memory: 0x400_0000 - 0x1000 });
    assert.equal(region(plan, "initrd").start, 0xffd000, "the place above the kernel is too small");
  });

  it("R1.2 without one the fields are zero; an empty one is refused", () => {
    const plan = planOf(makeBzImage());
    assert.equal(field(plan, "ramdisk_image"), 0);
    assert.throws(
      () => planOf(makeBzImage(), { initrd: { name: "i", bytes: new Uint8Array(0) } }),
      /empty file/,
    );
  });
});

describe("R1.2 linux, where the kernel goes", () => {
  it("R1.2 a relocatable kernel goes to pref_address with init_size reserved", () => {
    const { start, size } = region(planOf(makeBzImage({ fields: { init_size: 0x123_4567 } })), "kernel");
    assert.equal(start, 0x1000000);
    assert.equal(size, 0x1235000);
  });

  it("R1.2 pref_address off kernel_alignment is raised to it", () => {
    const image = makeBzImage({ fields: { pref_address: 0x110_0000, kernel_alignment: 0x100_0000 } });
    assert.equal(region(planOf(image), "kernel").start, 0x2000000);
  });

  it("R1.2 a relocatable kernel of protocol 2.05 has no preference: first aligned place from 1 MiB", () => {
    assert.equal(region(planOf(makeBzImage({ protocol: 0x0205 })), "kernel").start, 0x200000);
  });

  it("R1.2 a kernel that is not relocatable loads at 1 MiB and keeps pref_address free", () => {
    const plan = planOf(makeBzImage({ fields: { relocatable_kernel: 0 } }));
    assert.equal(region(plan, "kernel").start, 0x100000);
    const { start, size } = region(plan, "kernel start-up memory");
    assert.deepEqual([start, size], [0x1000000, 0x100000]);
    assert.equal(plan.bootCpu.rip, 0x100200n);
  });

  it("R1.2 start-up memory that begins inside the code is one region with it", () => {
    const plan = planOf(makeBzImage({ fields: { relocatable_kernel: 0, pref_address: 0x10_0000 } }));
    assert.deepEqual([region(plan, "kernel").start, region(plan, "kernel").size], [0x100000, 0x100000]);
  });

  it("R1.2 too little RAM for init_size says how much there is", () => {
    assert.throws(
      () => planOf(makeBzImage({ fields: { init_size: 0x1000_0000 } })),
      /load "kernel" with the linux loader: guest-physical 0x1000000: found no free 268435456 bytes/,
    );
  });
});

describe("R1.2 linux, refusals", () => {
  it("R1.2 a zImage is refused at loadflags", () => {
    assert.throws(
      () => planOf(makeBzImage({ fields: { loadflags: 0 } })),
      new RegExp(`linux: file offset 0x${SETUP_OFFSET.loadflags.toString(16)}: found LOADED_HIGH clear`),
    );
  });

  it("R1.2 protocols before 2.03 are refused at the version", () => {
    assert.throws(
      () => planOf(makeBzImage({ protocol: 0x0202 })),
      /linux: file offset 0x206: found boot protocol 0x0202/,
    );
  });

  it("R1.2 protocols before 2.08 are booted with a warning that they may want a BIOS", () => {
    assert.match(planOf(makeBzImage({ protocol: 0x0207 })).warnings.join(), /0x0207.*need a BIOS/);
  });
});

describe("R1.2 linux, setup_data", () => {
  it("R1.2 loader.rng_seed makes one SETUP_RNG_SEED record", () => {
    const plan = planOf(makeBzImage(), { loader: { rng_seed: "00ff10" } });
    const record = memoryAt(plan, field(plan, "setup_data"));
    assert.equal(record.u64(0), 0n, "next");
    assert.equal(record.u32(8), 9, "type");
    assert.equal(record.u32(12), 3, "length");
    assert.deepEqual([...record.slice(16, 3)], [0, 255, 16]);
  });

  it("R1.2 without the option setup_data is 0", () => {
    assert.equal(field(planOf(makeBzImage()), "setup_data"), 0);
  });

  for (const bad of ["", "abc", "0x12", "zz", "00".repeat(513)]) {
    it(`R1.2 the seed "${bad.slice(0, 8)}" is refused`, () => {
      assert.throws(() => planOf(makeBzImage(), { loader: { rng_seed: bad } }), OptionError);
    });
  }
});
