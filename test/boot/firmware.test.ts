/** Plans of machines that start in firmware: what is where, what fw_cfg says, what is refused. No firmware runs. */
import assert from "node:assert/strict";
import { usualHardware } from "../support/usual-machine.js";
import { describe, it } from "node:test";
import { buildPlan, OptionError, type BootOptions, type Plan } from "../../src/boot/index.js";
import { acpiFiles } from "../../src/firmware/acpi/table-loader.js";
import { byteSum } from "../../src/firmware/checksum.js";
import { makeBzImage, makeElf, makePvhNote, makeNotes } from "../support/images.js";
import { PT } from "../../src/spec/elf.js";
import { memoryAt, planOf, region, regionLines } from "./plan-text.js";

const KIB = 1024;
const MIB = 2 ** 20;

function image(size: number): Uint8Array {
  const bytes = new Uint8Array(size).fill(0xcc);
  bytes.set([0xea, 0x5b, 0xe0, 0, 0xf0], size - 16);
  return bytes;
}

const bios = { name: "bios", bytes: image(128 * KIB) };
const under = (kernel: Uint8Array, options: Partial<BootOptions> = {}): Plan =>
  planOf(kernel, { bios, ...options });
const item = (plan: Plan, file: string): Uint8Array => {
  const found = plan.fwCfg?.find((one) => one.file === file);
  assert.ok(found, file);
  return found.bytes;
};

describe("R1.8 firmware as a loader", () => {
  it("R1.8 the image ends at 4 GiB and at 1 MiB; the CPU is as after power-on", () => {
    const plan = planOf(image(512 * KIB));
    assert.deepEqual(plan.rom, { start: 0xfff8_0000, size: 512 * KIB });
    assert.deepEqual(regionLines(plan), [
      "00000000–000004ff  vectors and bios data area: zero, firmware, ram",
      "0009fc00–0009ffff  ebda: zero, firmware, reserved",
      "000c0000–000fffff  bios: 262144 bytes, firmware, reserved",
      "03fc0000–03ffffff  bios tables: zero, firmware, reserved",
      "fff80000–ffffffff  firmware rom: 524288 bytes, firmware, reserved",
    ]);
    const { cs, rip, cr0, gpr } = plan.bootCpu;
    assert.deepEqual([cs.selector, cs.base, rip], [0xf000, 0xffff_0000n, 0xfff0n]);
    assert.equal(cr0, 0x6000_0010n);
    assert.equal(gpr[2], BigInt(plan.cpuid.find(({ leaf }) => leaf === 1)?.eax ?? 0), "EDX is the signature");
    assert.equal(plan.handOver, undefined);
  });

  it("R1.8 a small image is seen at the end of the first MiB only", () => {
    const bytes = memoryAt(planOf(image(64 * KIB)), 0xc0000).bytes;
    assert.equal(bytes[0x2ffff], 0);
    assert.equal(bytes[0x30000], 0xcc);
  });

  it("R1.8 devices for firmware are there only where firmware is; a VGA only where it is asked for", () => {
    const names = (plan: Plan): string[] => plan.devices.map(({ name }) => name);
    assert.ok(
      !names(planOf(makeBzImage())).some((name) => ["fw_cfg", "debug-console", "vga"].includes(name)),
    );
    assert.deepEqual(names(planOf(bios.bytes)).slice(-2), ["debug-console", "fw_cfg"]);
    assert.ok(names(planOf(makeBzImage(), { screen: true })).includes("vga"));
  });

  it("R1.8 an initrd, a BIOS beneath firmware and a VGA BIOS without a BIOS are refused", () => {
    const initrd = { name: "initrd", bytes: new Uint8Array(10) };
    assert.throws(() => planOf(bios.bytes, { initrd }), /option initrd: found "initrd"; expected none/);
    assert.throws(() => planOf(bios.bytes, { bios, loader: { name: "firmware" } }), /loader.bios/);
    const vgaRom = { name: "vga.bin", bytes: new Uint8Array(512) };
    assert.throws(() => planOf(makeBzImage(), { vgaRom }), OptionError);
  });

  it("R1.8 UEFI firmware, alone or before a kernel, comes with a word about what it misses", () => {
    const uefi = image(512 * KIB);
    uefi.set(Buffer.from("_FVH"), 0x28);
    const word = /PCI host bridge.*no PCI.*SeaBIOS and qboot.*give the kernel itself/;
    for (const plan of [
      planOf(uefi),
      planOf(makeBzImage(), { bios: { name: "OVMF.fd", bytes: uefi }, loader: { entry: "16" } }),
    ]) {
      assert.equal(plan.warnings.filter((warning) => word.test(warning)).length, 1);
    }
    assert.deepEqual(planOf(image(512 * KIB)).warnings, []);
  });

  it("R1.8 a BIOS that is none is refused by its name", () => {
    const kernel = { name: "vmlinuz", bytes: makeBzImage() };
    assert.throws(() => planOf(kernel.bytes, { bios: kernel }), /read the BIOS "vmlinuz".*raw PC firmware/);
    const empty = { name: "empty", bytes: new Uint8Array(64 * KIB) };
    assert.throws(() => planOf(kernel.bytes, { bios: empty }), /read the BIOS "empty".*offset 0xfff0/);
  });
});

describe("R1.8 a BIOS before a kernel", () => {
  it("R1.2 a bzImage is entered by its 16-bit entry; its regions come by fw_cfg, not with the machine", () => {
    const plan = under(makeBzImage());
    assert.match(plan.loader.entry, /16-bit entry at 0x30200, after the BIOS/);
    assert.deepEqual(
      plan.handOver?.regions.map(({ name }) => name),
      ["command line", "set-up code", "kernel"],
    );
    assert.ok(!plan.regions.some(({ name }) => name === "kernel"));
    assert.equal(Buffer.from(item(plan, "bootorder")).toString(), "/rom@genroms/locore.bin\n");
    assert.deepEqual([...item(plan, "genroms/locore.bin").subarray(0, 2)], [0x55, 0xaa]);
    assert.equal(Buffer.from(item(plan, "opt/locore/region/0000")).toString(), "console=ttyS0\0");
  });

  it("R2.1 PVH and 32-bit entries keep their state, and leave the RSDP to be searched", () => {
    const pvh = makeElf({
      segments: [
        { vaddr: 0x10_0000, bytes: new Uint8Array(64) },
        { type: PT.NOTE, bytes: makeNotes([makePvhNote(0x10_0000)]) },
      ],
    });
    for (const [kernel, loader] of [
      [pvh, { name: "pvh" }],
      [makeBzImage(), { entry: "32" }],
      [makeBzImage(), { entry: "64" }],
    ] as const) {
      const alone = planOf(kernel, { loader });
      const after = under(kernel, { loader });
      assert.equal(after.handOver?.cpu.rip, alone.bootCpu.rip);
      assert.deepEqual(after.tables, {});
    }
  });

  it("R1.6 nothing of the kernel's lies where firmware keeps its own", () => {
    const initrd = { name: "initrd", bytes: new Uint8Array(MIB) };
    const plan = under(makeBzImage(), { initrd });
    const placed = plan.handOver?.regions.find(({ name }) => name === "initrd");
    assert.equal((placed?.start ?? 0) + MIB, 64 * MIB - 256 * KIB);
    assert.equal(region(plan, "bios tables").start, 64 * MIB - 256 * KIB);
  });

  it("R1.8 fw_cfg has the kernel as QEMU hands it out: to be loaded at 1 MiB, header as in the file", () => {
    const kernel = makeBzImage();
    const plan = under(kernel);
    const numbered = (key: number): Uint8Array =>
      plan.fwCfg?.find((one) => one.key === key)?.bytes ?? new Uint8Array(0);
    const u32 = (key: number): number => new DataView(numbered(key).slice().buffer).getUint32(0, true);
    assert.equal(u32(0x07), 0x10_0000);
    assert.equal(u32(0x08), numbered(0x11).length);
    assert.equal(u32(0x17), numbered(0x18).length);
    assert.equal(new DataView(numbered(0x18).slice().buffer).getUint32(0x214, true), 0x10_0000);
    assert.equal(Buffer.from(numbered(0x15)).toString(), "console=ttyS0\0");
  });

  it("R1.2 with a screen the zero page describes it, without one it does not", () => {
    const info = (screen: boolean): number[] => {
      const view = memoryAt(planOf(makeBzImage(), { screen }), 0x6000);
      return [view.u8(6), view.u8(7), view.u8(14), view.u8(15), view.u16(16)];
    };
    assert.deepEqual(info(true), [3, 80, 25, 1, 16]);
    assert.deepEqual(info(false), [0, 0, 0, 0, 0]);
  });
});

describe("R1.8 ACPI tables for firmware", () => {
  it("R1.8 the loader's script, carried out anywhere, gives tables that point at each other and sum to zero", () => {
    const files = acpiFiles(usualHardware(3));
    const memory = new Uint8Array(0x4000);
    const places = new Map<string, number>();
    const script = files.get("etc/table-loader") ?? new Uint8Array(0);
    const view = new DataView(memory.buffer);
    let free = 0x1000;
    for (let at = 0; at < script.length; at += 128) {
      const entry = Buffer.from(script.subarray(at, at + 128));
      const name = (offset: number): string =>
        entry.toString("latin1", offset, offset + 56).replace(/\0+$/, "");
      const base = places.get(name(4)) ?? 0;
      switch (entry.readUInt32LE(0)) {
        case 1:
          places.set(name(4), free);
          memory.set(files.get(name(4)) ?? [], free);
          free += 0x1000;
          break;
        case 2: {
          const where = base + entry.readUInt32LE(116);
          const target = places.get(name(60)) ?? 0;
          view.setUint32(where, view.getUint32(where, true) + target, true);
          break;
        }
        case 3: {
          const [sum, start, length] = [60, 64, 68].map((offset) => entry.readUInt32LE(offset));
          memory[base + sum] = 0;
          memory[base + sum] = -byteSum(memory, base + start, length) & 0xff;
          break;
        }
        default:
          assert.fail(`command ${entry.readUInt32LE(0)}`);
      }
    }
    const text = (at: number, length: number): string =>
      Buffer.from(memory.subarray(at, at + length)).toString("latin1");
    const rsdp = places.get("etc/acpi/rsdp") ?? 0;
    assert.equal(text(rsdp, 8), "RSD PTR ");
    assert.deepEqual([byteSum(memory, rsdp, 20), byteSum(memory, rsdp, 36)], [0, 0]);
    const table = (at: number, signature: string): number => {
      assert.equal(text(at, 4), signature);
      if (signature !== "FACS") assert.equal(byteSum(memory, at, view.getUint32(at + 4, true)), 0, signature);
      return at;
    };
    const xsdt = table(view.getUint32(rsdp + 24, true), "XSDT");
    table(view.getUint32(rsdp + 16, true), "RSDT");
    const fadt = table(view.getUint32(xsdt + 36, true), "FACP");
    table(view.getUint32(xsdt + 44, true), "APIC");
    table(view.getUint32(fadt + 36, true), "FACS");
    assert.equal(table(view.getUint32(fadt + 40, true), "DSDT"), view.getUint32(fadt + 140, true));
  });
});

describe("the same machine twice", () => {
  it("R6.3 equal options give equal plans, firmware included", () => {
    const options: BootOptions = { kernel: { name: "k", bytes: makeBzImage() }, bios, memory: 64 * MIB };
    assert.deepEqual(buildPlan(options), buildPlan(options));
  });
});
