/** Real firmware from the reset vector, and small programs that need a BIOS, to their own output. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlan, NoLoaderError } from "../../src/boot/index.js";
import { guestFile, runImage } from "./real-images.js";

const NO_DEVICE = /No bootable device\./;

for (const role of ["bios", "bios-128k", "bios-microvm"]) {
  test(`R1.8 SeaBIOS (${role}) starts at the reset vector and finds no bootable device`, async (t) => {
    const ran = await runImage(t, { guest: "seabios", role, instructions: 2e8 });
    if (ran === undefined) return;
    assert.match(ran.console, /SeaBIOS \(version 1\.\d+/);
    assert.match(ran.console, NO_DEVICE);
    assert.match(ran.log, /Found QEMU fw_cfg\nQEMU fw_cfg DMA interface supported\n/);
    assert.match(ran.log, /Detected non-PCI system/);
    assert.deepEqual([ran.end?.kind, ran.end?.route], ["reset", "port-cf9"]);
  });
}

test("R1.8 SeaBIOS takes the machine's ACPI tables through its loader: DSDT parsed, PM timer used", async (t) => {
  const ran = await runImage(t, { guest: "seabios", role: "bios", instructions: 2e8 });
  if (ran === undefined) return;
  assert.match(ran.log, /Moving pm_base to 0x600/);
  assert.match(ran.log, /ACPI: parse DSDT at 0x/);
});

test("R1.8 SeaBIOS starts all CPUs", async (t) => {
  const ran = await runImage(t, { guest: "seabios", role: "bios", instructions: 4e8, options: { cpus: 4 } });
  if (ran === undefined) return;
  assert.match(ran.log, /Found 4 cpu\(s\) max supported 4 cpu\(s\)/);
  assert.match(ran.console, NO_DEVICE);
});

test("R1.8 SeaBIOS writes to the screen when there is one", async (t) => {
  const vgaRom = await guestFile(t, "seabios", "vgabios");
  if (!vgaRom) return;
  const ran = await runImage(t, {
    guest: "seabios",
    role: "bios",
    instructions: 2e8,
    options: { screen: true, vgaRom },
  });
  if (ran === undefined) return;
  assert.match(ran.screen, /^SeaBIOS \(version 1/);
  assert.match(ran.screen, NO_DEVICE);
});

test("R1.2 memdisk by the 16-bit entry (protocol 2.03) says that it misses its disk image", async (t) => {
  const marker = /MEMDISK: No ramdisk image specified!/;
  const ran = await runImage(t, { guest: "memdisk", bios: "seabios", marker, instructions: 2e8 });
  if (ran === undefined) return;
  assert.match(ran.console, /MEMDISK 6\.04 .* H\. Peter Anvin/);
});

test("R1.2 memdisk makes a BIOS disk of its initrd and boots from it", async (t) => {
  const ran = await runImage(t, {
    guest: "memdisk",
    bios: "seabios",
    marker: /boot sector of the disk/,
    instructions: 3e8,
    options: {
      initrd: {
        name: "floppy",
        bytes: bootFloppy("boot sector of the disk, which SeaBIOS' serial console prints with a delay\r\n"),
      },
    },
  });
  if (ran === undefined) return;
  assert.match(ran.console, /Ramdisk at 0x/);
});

test("R1.8 qboot loads a kernel through fw_cfg as QEMU hands it out", async (t) => {
  const ran = await runImage(t, {
    guest: "debian-cloud",
    bios: "qboot",
    marker: /Linux version 6\.1/,
    instructions: 2e9,
    options: { memory: 256 * 2 ** 20, commandLine: "console=ttyS0 earlyprintk=ttyS0" },
  });
  if (ran === undefined) return;
  assert.match(ran.console, /Command line: console=ttyS0 earlyprintk=ttyS0/);
});

test("R2.3 each is refused by the protocols that it does not offer", async (t) => {
  for (const [guest, role, loaders] of [
    ["ipxe", "kernel", ["pvh", "elf64", "elf32", "firmware", "multiboot2", "multiboot1"]],
    ["memdisk", "kernel", ["pvh", "elf64", "elf32", "firmware", "multiboot2", "multiboot1"]],
    ["memtest86+", "kernel", ["pvh", "elf64", "elf32", "firmware", "multiboot2", "multiboot1"]],
    ["seabios", "bios", ["linux", "pvh", "elf64", "elf32", "multiboot2", "multiboot1"]],
  ] as const) {
    const kernel = await guestFile(t, guest, role);
    if (!kernel) return;
    for (const name of loaders)
      assert.throws(() => buildPlan({ kernel, loader: { name } }), NoLoaderError, `${guest} by ${name}`);
  }
});

test("R1.2 the 16-bit entry without a BIOS is refused, and says what to give", async (t) => {
  const kernel = await guestFile(t, "ipxe");
  if (!kernel) return;
  assert.throws(() => buildPlan({ kernel, loader: { name: "linux", entry: "16" } }), /loader\.bios=on/);
});

/** A 1.44 MB floppy whose boot sector prints a text by INT 10h and stops. */
function bootFloppy(text: string): Uint8Array {
  const disk = new Uint8Array(2880 * 512);
  // xor ax, ax; mov ds, ax; mov si, 0x7c18; lodsb; test al, al; jz +6; mov ah, 0xe; int 0x10; jmp -11; hlt
  disk.set([
    0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x18, 0x7c, 0xac, 0x84, 0xc0, 0x74, 0x06, 0xb4, 0x0e, 0xcd, 0x10, 0xeb,
    0xf5, 0xf4,
  ]);
  disk.set(Buffer.from(`${text}\0`), 0x18);
  disk.set([0x55, 0xaa], 510);
  return disk;
}
