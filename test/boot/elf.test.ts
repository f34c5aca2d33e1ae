// The elf64 and elf32 loaders: vmlinux by the 64-bit and 32-bit boot protocols. Images are synthetic.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EM, ET, PT } from "../../src/spec/elf.js";
import { describeSegment } from "../../src/x86/segments.js";
import { makeElf, type ElfParts } from "../support/images.js";
import { memoryAt, planOf, region, register, RSI } from "./plan-text.js";

const VIRTUAL = 0xffff_ffff_8100_0000n;
const vmlinux = (parts: Partial<ElfParts> = {}): Uint8Array =>
  makeElf({
    entry: 0x1000040,
    segments: [{ vaddr: VIRTUAL, paddr: 0x1000000, bytes: new Uint8Array(256).fill(0xf4), memsz: 0x3000 }],
    ...parts,
  });

describe("R1.2 elf64", () => {
  it("R1.2 is entered at e_entry in long mode with boot_params in RSI", () => {
    const plan = planOf(vmlinux());
    assert.equal(plan.loader.name, "elf64");
    assert.equal(plan.bootCpu.rip, 0x1000040n);
    assert.equal(plan.bootCpu.efer, 0x500n);
    assert.equal(register(plan, RSI), region(plan, "boot_params").start);
  });

  it("R1.2 boot_params carry a header of ours: magic, version, loader, command line, initrd", () => {
    const initrd = { name: "i", bytes: new Uint8Array(100).fill(1) };
    const page = memoryAt(planOf(vmlinux(), { initrd }), 0x6000);
    assert.equal(page.latin1(0x202, 4), "HdrS");
    assert.equal(page.u16(0x1fe), 0xaa55);
    assert.equal(page.u16(0x206), 0x020f);
    assert.equal(page.u8(0x210), 0xff);
    assert.equal(page.u8(0x211), 1);
    assert.equal(page.u32(0x228), 0x20000);
    assert.equal(page.u32(0x218), 0x3fff000);
    assert.equal(page.u32(0x21c), 100);
    assert.equal(page.u32(0x214), 0, "code32_start says nothing about an ELF kernel");
  });

  it("R1.2 bss is zero and counted: the segment has p_memsz bytes", () => {
    assert.equal(region(planOf(vmlinux()), "kernel segment 0").size, 0x3000);
  });

  it("R1.2 the command line holds 2047 bytes", () => {
    planOf(vmlinux(), { commandLine: "console=ttyS0".padEnd(2047, "x") });
    assert.throws(
      () => planOf(vmlinux(), { commandLine: "x".repeat(2048) }),
      /at most 2047 \(COMMAND_LINE_SIZE/,
    );
  });

  const refusals: [string, Partial<ElfParts>, RegExp][] = [
    [
      "a 32-bit file",
      { elfClass: 32, segments: [{ vaddr: 0x1000000, bytes: new Uint8Array(256) }] },
      /elf64: file offset 0x4: found ELF32 for i386/,
    ],
    ["a file for another CPU", { machine: EM.AARCH64 }, /elf64: file offset 0x12: found a file for arm64/],
    ["an object file", { type: ET.REL }, /elf64: file offset 0x10: found e_type 1/],
    [
      "a virtual entry point",
      { entry: VIRTUAL },
      /found entry point 0xffffffff81000000, a virtual address; .*paging/,
    ],
    [
      "an entry point in nothing",
      { entry: 0x5000000 },
      /found entry point 0x5000000; expected an address in a loaded segment/,
    ],
    ["nothing to load", { segments: [] }, /expected something to load/],
    [
      "a program with an interpreter",
      {
        segments: [
          { vaddr: 0x400000, bytes: new Uint8Array(16) },
          { type: PT.INTERP, bytes: new TextEncoder().encode("/lib/ld.so\0") },
        ],
      },
      /found a program header PT_INTERP \(\/lib\/ld.so\); .*put it into an initrd/,
    ],
    [
      "a program with thread-local data",
      { segments: [{ type: PT.TLS, bytes: new Uint8Array(8) }] },
      /PT_TLS/,
    ],
  ];
  for (const [what, parts, expected] of refusals) {
    it(`R2.3 ${what} is refused`, () => {
      assert.throws(() => planOf(vmlinux(parts), { loader: { name: "elf64" } }), expected);
    });
  }
});

describe("R1.2 elf32", () => {
  const vmlinux32 = (parts: Partial<ElfParts> = {}): Uint8Array =>
    makeElf({
      elfClass: 32,
      entry: 0x1000040,
      segments: [
        { vaddr: 0xc100_0000, paddr: 0x1000000, bytes: new Uint8Array(256).fill(0xf4), memsz: 0x3000 },
      ],
      ...parts,
    });
  const initrd = { name: "i", bytes: new Uint8Array(100).fill(1) };

  it("R1.2 is entered at e_entry in flat protected mode, boot_params in ESI, EBP EDI EBX zero", () => {
    const plan = planOf(vmlinux32(), { initrd });
    assert.deepEqual([plan.loader.name, plan.loader.entry], ["elf32", "32-bit ELF entry at 0x1000040"]);
    const { bootCpu } = plan;
    assert.deepEqual(
      [bootCpu.rip, bootCpu.cr0 & ~0x10n, bootCpu.cr4, bootCpu.efer],
      [0x1000040n, 1n, 0n, 0n],
    );
    assert.equal(bootCpu.rflags, 2n);
    assert.equal(register(plan, RSI), region(plan, "boot_params").start);
    assert.deepEqual(
      bootCpu.gpr.filter((value) => value !== 0n),
      [BigInt(register(plan, RSI))],
    );
    assert.equal(describeSegment(bootCpu.cs), "code32 base=0x0 limit=0xffffffff dpl=0");
    assert.equal(describeSegment(bootCpu.ds), "data32 base=0x0 limit=0xffffffff dpl=0");
    assert.equal(memoryAt(plan, register(plan, RSI)).u32(0x21c), 100);
    assert.ok(plan.regions.every(({ name }) => name !== "page tables"));
  });

  it("R1.2 the initrd ends below 896 MiB, which a 32-bit kernel maps", () => {
    const { start, size } = region(planOf(vmlinux32(), { initrd, memory: 0x8000_0000 }), "initrd");
    assert.ok(start + size <= 0x3800_0000);
  });

  it("R2.3 a 64-bit file is refused, each with its offset", () => {
    const loader = { name: "elf32" };
    assert.throws(() => planOf(vmlinux(), { loader }), /file offset 0x4: found ELF64 for x86-64/);
    assert.throws(
      () => planOf(vmlinux32({ machine: EM.X86_64 }), { loader }),
      /file offset 0x12: found ELF32 for x86-64; expected ELF32 for i386/,
    );
  });

  it("R1.3 a Multiboot kernel that its loaders refuse is not entered this way unless asked for", () => {
    const header = Uint32Array.of(0x1bad_b002, 0x4, -(0x1bad_b002 + 0x4) >>> 0);
    const bytes = new Uint8Array(256).fill(0xf4);
    bytes.set(new Uint8Array(header.buffer), 0x80);
    const image = vmlinux32({ segments: [{ vaddr: 0x1000000, bytes }] });
    assert.throws(() => planOf(image), /elf32: file offset 0x[0-9a-f]+: found a Multiboot header/);
    assert.equal(planOf(image, { loader: { name: "elf32" } }).loader.name, "elf32");
  });
});
