/** Larger images with a BIOS underneath, to their own output: Linux by each entry, iPXE, memtest86+, Xen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { recognise } from "../../src/formats/index.js";
import { grubImage } from "../support/grub.js";
import { runImage } from "./real-images.js";

const QUARTER_GIB = 2 ** 28;
const LINUX = { memory: QUARTER_GIB, commandLine: "console=ttyS0 earlyprintk=ttyS0 panic=-1" };

test("R1.2 iPXE by the 16-bit entry says who it is, and gives up without a network card", async (t) => {
  const ran = await runImage(t, {
    guest: "ipxe",
    bios: "seabios",
    screen: true,
    marker: /iPXE 1\.\S+ -- Open Source Network Boot Firmware/,
    instructions: 1e9,
  });
  if (ran === undefined) return;
  assert.match(ran.screen, /iPXE initialising devices/);
});

for (const guest of ["debian-cloud", "debian-amd64", "debian-13-cloud", "debian-686-pae", "debian-686"]) {
  test(`R1.2 ${guest} by the 16-bit entry: its set-up code has the memory map from SeaBIOS`, async (t) => {
    const marker = /Kernel panic - not syncing: VFS: Unable to mount root fs/;
    const ran = await runImage(t, { guest, bios: "seabios", marker, instructions: 8e9, options: LINUX });
    if (ran === undefined) return;
    assert.match(ran.console, /BIOS-e820: \[mem 0x0000000000100000-0x000000000fffefff\] usable/);
    assert.match(ran.console, /SMBIOS 2\.\d present/);
    assert.match(ran.console, /ACPI: RSDP 0x00000000000F[0-9A-F]{4} 000024 \(v02 LOCORE\)/);
  });
}

for (const [what, loader] of [
  ["the 32-bit entry", { entry: "32" }],
  ["the 64-bit entry", { entry: "64" }],
  ["PVH", { name: "pvh" }],
  ["the 64-bit ELF protocol", { name: "elf64" }],
] as const) {
  test(`R1.8 SeaBIOS hands over to Linux by ${what}`, async (t) => {
    const marker = /Linux version 6\.1[\s\S]*ACPI: RSDP 0x00000000000F/;
    const options = { ...LINUX, loader };
    const ran = await runImage(t, {
      guest: "debian-cloud",
      bios: "seabios",
      marker,
      instructions: 3e9,
      options,
    });
    if (ran === undefined) return;
    assert.match(ran.console, /SeaBIOS \(version/);
  });
}

test("R1.3 Xen by Multiboot2 with SeaBIOS underneath: its trampoline's INT 15h and 16h work", async (t) => {
  const ran = await runImage(t, {
    guest: "xen",
    bios: "seabios",
    marker: /dom0 kernel not specified/,
    instructions: 1e9,
    options: {
      memory: QUARTER_GIB,
      commandLine: "console=com1 com1=115200,8n1 noreboot",
      loader: { name: "multiboot2" },
    },
  });
  if (ran === undefined) return;
  assert.match(ran.console, /Xen version 4\.17/);
  // What the trampoline learned from the BIOS in real mode.
  assert.match(ran.console, /No VGA detected/);
  assert.match(ran.console, /Found 0 EDD information structures/);
});

test("R1.2 GRUB as a Linux kernel (lkrn, protocol 2.03) by the 16-bit entry, to its prompt and its commands", async (t) => {
  const bytes = await grubImage(t, {
    format: "i386-pc",
    head: "linux",
    modules: ["normal", "echo", "serial", "terminal", "minicmd", "halt"],
    config: "serial --port=0x3f8 --speed=115200\nterminal_output serial\necho GRUB speaks\n",
  });
  if (bytes === undefined) return;
  const image = recognise(bytes);
  assert.ok(image.format === "bzimage" && image.protocol === 0x0203);
  const ran = await runImage(t, {
    image: { name: "grub.lkrn", bytes },
    bios: "seabios",
    marker: /grub> /,
    instructions: 3e9,
  });
  if (ran === undefined) return;
  assert.match(ran.console, /GRUB loading|Welcome to GRUB/);
  assert.match(ran.console, /GRUB speaks/);
});
