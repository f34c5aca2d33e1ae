/**
 * Which of the boot protocols each image of the catalogue offers, and why each other one refuses it: every image by every
 * `loader.name`, and bzImages by every `loader.entry`. Plans only; that what is offered works is for boot tests.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { buildPlan, NoLoaderError } from "../../src/boot/index.js";
import type { BootOptions } from "../../src/boot/options.js";
import { LoaderRegistry } from "../../src/boot/registry.js";
import { CATALOGUE } from "../../src/guests/catalogue/catalogue.js";
import type { KernelBootOptions } from "../support/kernel-boot.js";
import { requireGuest } from "../support/requires.js";

/** How a protocol is asked for: a loader's name, and for "linux" the width of the entry. */
export const WAYS = [
  "linux 16",
  "linux 32",
  "linux 64",
  "pvh",
  "elf64",
  "elf32",
  "multiboot2",
  "multiboot1",
  "firmware",
] as const;
export type Way = (typeof WAYS)[number];

/** Guests for another machine; their packages may be for any. */
const ARM = /arm/;
/** Files of guests that nobody would boot. */
const NO_IMAGES = ["config", "initrd", "vgabios"];

/** For each way the text of the plan's entry, or why it is refused. */
type Row = Readonly<Record<Way, string | RegExp>>;

// ── reasons, each with the offset that decides ──────────────────────────────────────────────────────────────

const NOT_LINUX = /linux: file offset 0x202: found (ELF|PC firmware).*; expected "HdrS"/;
const NO_MULTIBOOT = {
  multiboot2: /multiboot2: file offset 0x0: found no Multiboot2 magic number 0xe85250d6/,
  multiboot1: /multiboot1: file offset 0x0: found no Multiboot magic number 0x1badb002/,
};
const NOT_FIRMWARE = {
  firmware: /firmware: file offset 0x0: found (Linux bzImage|ELF).*; expected raw firmware/,
};
const NOT_ELF64 = /elf64: file offset 0x4: found ELF32 for i386; expected ELF64 for x86-64/;
const NOT_ELF32 = /elf32: file offset 0x4: found ELF64 for x86-64; expected ELF32 for i386/;
const NO_PVH_NOTE = /pvh: file offset 0x0: found notes \(\d+\) without Xen's PHYS32_ENTRY/;
const NO_ENTRY_64 = /linux: file offset 0x236: found xloadflags 0x\w+ without XLF_KERNEL_64/;
const BEFORE_ENTRY_64 = /linux: file offset 0x206: found boot protocol 0x020\w; expected 0x020c or later/;
const NO_PAYLOAD = /file offset 0x248: found no payload \(payload_offset 0\)/;
const BEFORE_PAYLOADS = /file offset 0x206: found boot protocol 0x020[0-7], whose header names no payload/;
const VIRTUAL_ENTRY = /elf32: file offset 0x18: found entry point 0xc1000000, a virtual address/;
const FIRMWARE_BY_ELF =
  /file offset 0x0: found PC firmware.*; expected an ELF kernel, or a bzImage that holds one/;
const A_PROGRAM =
  /file offset 0x\w+: found a program header PT_TLS; expected a kernel.*program for an operating system/;

// ── kinds of images ─────────────────────────────────────────────────────────────────────────────────────────

const BY_SETUP = { "linux 16": "16-bit entry", "linux 32": "32-bit entry" };
const BZIMAGE = { ...BY_SETUP, ...NO_MULTIBOOT, ...NOT_FIRMWARE };
const NO_BZIMAGE = { "linux 16": NOT_LINUX, "linux 32": NOT_LINUX, "linux 64": NOT_LINUX };
const ELF = { ...NO_BZIMAGE, ...NOT_FIRMWARE };
const [PVH, ELF64, ELF32] = ["PVH entry", "64-bit ELF entry", "32-bit ELF entry"];
const [MB2, MB1] = ["Multiboot2 entry", "Multiboot entry"];

const LINUX_64: Row = { ...BZIMAGE, "linux 64": "64-bit entry", pvh: PVH, elf64: ELF64, elf32: NOT_ELF32 };
const LINUX_32: Row = {
  ...BZIMAGE,
  "linux 64": NO_ENTRY_64,
  pvh: NO_PVH_NOTE,
  elf64: NOT_ELF64,
  elf32: ELF32,
};
const WITHOUT_PAYLOAD = { pvh: NO_PAYLOAD, elf64: NO_PAYLOAD, elf32: NO_PAYLOAD };
const MEMTEST_64: Row = { ...BZIMAGE, ...WITHOUT_PAYLOAD, "linux 64": "64-bit entry" };
const MEMTEST_32: Row = { ...BZIMAGE, ...WITHOUT_PAYLOAD, "linux 64": NO_ENTRY_64 };
const OLD: Row = {
  ...BZIMAGE,
  "linux 64": BEFORE_ENTRY_64,
  pvh: BEFORE_PAYLOADS,
  elf64: BEFORE_PAYLOADS,
  elf32: BEFORE_PAYLOADS,
};
/** That an ELF file's entry is an address of what it loads is all that a bare ELF protocol can ask. */
const XEN: Row = {
  ...ELF,
  pvh: NO_PVH_NOTE,
  elf64: NOT_ELF64,
  elf32: ELF32,
  multiboot2: MB2,
  multiboot1: MB1,
};
const MACH: Row = { ...XEN, elf32: VIRTUAL_ENTRY };
const FIRMWARE: Row = {
  ...NO_BZIMAGE,
  pvh: FIRMWARE_BY_ELF,
  elf64: FIRMWARE_BY_ELF,
  elf32: FIRMWARE_BY_ELF,
  ...NO_MULTIBOOT,
  firmware: "reset vector",
};
const PROGRAM: Row = { ...ELF, ...NO_MULTIBOOT, pvh: A_PROGRAM, elf64: A_PROGRAM, elf32: A_PROGRAM };

/** Every file of the catalogue that could be taken for a kernel, by guest and role. */
export const OFFERS: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  "debian-cloud": { kernel: LINUX_64 },
  "debian-13-cloud": { kernel: LINUX_64 },
  "debian-sid-cloud": { kernel: LINUX_64 },
  "debian-amd64": { kernel: LINUX_64 },
  "debian-rt": { kernel: LINUX_64 },
  "debian-installer": { kernel: LINUX_64 },
  "debian-686-pae": { kernel: { ...LINUX_32, pvh: PVH } },
  "debian-686": { kernel: LINUX_32 },
  busybox: { busybox: PROGRAM },
  "busybox-i386": { busybox: PROGRAM },
  xen: { kernel: XEN },
  "xen-shim": { kernel: { ...XEN, pvh: PVH } },
  "xen-sid": { kernel: XEN },
  gnumach: { kernel: { ...MACH, multiboot2: NO_MULTIBOOT.multiboot2 } },
  "gnumach-pae": { kernel: MACH },
  "gnumach-smp": { kernel: MACH },
  "gnumach-amd64": { kernel: { ...XEN, elf64: ELF64, elf32: NOT_ELF32 } },
  seabios: { bios: FIRMWARE, "bios-128k": FIRMWARE, "bios-microvm": FIRMWARE },
  qboot: { bios: FIRMWARE },
  ovmf: { bios: FIRMWARE },
  "ovmf-sid": { bios: FIRMWARE, "bios-with-variables": FIRMWARE },
  "memtest86+": { kernel: MEMTEST_64, "kernel-i386": MEMTEST_32 },
  "memtest86+-7": { kernel: MEMTEST_64, "kernel-i386": MEMTEST_32 },
  "memtest86+-8": { kernel: MEMTEST_64, "kernel-i386": MEMTEST_32 },
  ipxe: { kernel: OLD },
  memdisk: { kernel: OLD },
};

/** What to ask of a boot that goes by `way`. */
export function askFor(way: Way): Pick<KernelBootOptions, "loader" | "bios"> {
  const [name, entry] = way.split(" ");
  return { loader: { name, ...(entry && { entry }) }, ...(entry === "16" && { bios: true }) };
}

/** The ways that a guest's kernel offers. */
export function waysInto(guest: string): Way[] {
  return WAYS.filter((way) => typeof OFFERS[guest]["kernel"][way] === "string");
}

/** What is planned, or why it is refused. */
function answer(options: BootOptions): string {
  try {
    return buildPlan(options).loader.entry;
  } catch (error) {
    if (!(error instanceof NoLoaderError)) throw error;
    return error.message;
  }
}

/** One image by every way. */
export function testOffers(guest: string): void {
  test(`R1.1 R2.3 ${guest}: what it offers is planned, every other protocol refuses it with the reason`, async (t) => {
    const pulled = await requireGuest(t, guest);
    const seabios = await requireGuest(t, "seabios");
    if (!pulled || !seabios) return;
    const bios = { name: "bios", bytes: await readFile(seabios.files["bios"]) };
    for (const [role, row] of Object.entries(OFFERS[guest])) {
      const kernel = { name: role, bytes: await readFile(pulled.files[role]) };
      for (const way of WAYS) {
        const asked = askFor(way);
        const found = answer({ kernel, loader: asked.loader ?? {}, ...(asked.bios && { bios }) });
        const expected = row[way];
        const where = `${role} by ${way}`;
        if (typeof expected === "string") assert.ok(found.startsWith(expected), `${where}: ${found}`);
        else assert.match(found, expected, where);
      }
    }
  });
}

/** That every loader there is is asked. */
export function testWays(): void {
  test("R1.1 every loader of the registry has its column", () => {
    const names = new LoaderRegistry().all().map(({ name }) => name);
    assert.deepEqual(new Set(WAYS.map((way) => way.split(" ")[0])), new Set(names));
  });
}

/** That no image of the catalogue is left out. */
export function testCatalogue(): void {
  test("R2.3 every x86 image of the catalogue is in the table", () => {
    const images = CATALOGUE.filter(({ name }) => !ARM.test(name)).map(({ name, files }) => [
      name,
      Object.keys(files)
        .filter((role) => !NO_IMAGES.includes(role))
        .sort(),
    ]);
    const table = Object.entries(OFFERS).map(([name, roles]) => [name, Object.keys(roles).sort()]);
    assert.deepEqual(Object.fromEntries(table), Object.fromEntries(images));
  });
}
