/**
 * Real images of many kinds, most of them Debian's, and what `locore inspect` says of each in a few lines of a golden text: what
 * it is, the answer, the rule that decided for each loader. LOCORE_UPDATE_GOLDEN=1 rewrites what is said of the images that are there.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import { locore } from "../support/cli.js";
import type { ImagePackage } from "../support/debian-images.js";
import { repositoryRoot } from "../support/repository.js";
import { requireGuest } from "../support/requires.js";

/** Files of guests of the catalogue, beside those that `test/cli/inspect-x86.test.ts` looks at closely: guest and role. */
export const CATALOGUE_IMAGES = [
  "gnumach-smp kernel",
  ...["memtest86+ kernel-i386", "memtest86+-7 kernel-i386", "memtest86+-8 kernel-i386"],
  ...["busybox busybox", "busybox-i386 busybox"],
  ...["seabios bios", "seabios vgabios", "seabios bios-128k", "seabios bios-microvm", "qboot bios"],
  ...["ovmf bios", "ovmf-sid bios", "ovmf-sid bios-with-variables"],
  ...["debian-armmp kernel", "debian-cloud-arm64 kernel", "xen-armhf kernel", "xen-arm64 kernel"],
  ...["u-boot-arm bios", "u-boot-arm64 bios"],
];

/** The same that take a second each. */
export const LARGE_IMAGES = ["debian-rt kernel", "debian-installer kernel", "debian-installer initrd"];

/** Kernels of the catalogue whose payload is looked at as the vmlinux that it is. */
export const VMLINUX_OF = [
  ...["debian-cloud", "debian-13-cloud", "debian-sid-cloud", "debian-amd64", "debian-rt"],
  ...["debian-686-pae", "debian-686"],
];

const AMD64 = { release: "bookworm", architecture: "amd64" };
const AMD64_13 = { release: "trixie", architecture: "amd64" };
const AMD64_SID = { release: "sid", architecture: "amd64" };
const I386 = { release: "bookworm", architecture: "i386" };
const ARM64 = { release: "bookworm", architecture: "arm64" };

/** systemd's EFI programs, by what Debian calls the processor in their names. */
function systemdBoot(
  target: typeof AMD64,
  processor: string,
  more: ImagePackage["files"] = {},
): ImagePackage {
  const files = {
    stub: new RegExp(`/linux${processor}\\.efi\\.stub$`),
    boot: new RegExp(`/systemd-boot${processor}\\.efi$`),
    ...more,
  };
  return { ...target, package: "systemd-boot-efi", files };
}

const ELF_STUB = { "elf-stub": /\.elf\.stub$/ };
const ADDON = { addon: /\/addonx64\.efi\.stub$/ };

/** GRUB as a guest of Xen. */
function grubXen(target: typeof AMD64): ImagePackage {
  const files = {
    "i386-xen": /\/grub-i386-xen\.bin$/,
    "i386-xen_pvh": /\/grub-i386-xen_pvh\.bin$/,
    "x86_64-xen": /\/grub-x86_64-xen\.bin$/,
  };
  return { ...target, package: "grub-xen-host", files };
}

/** Packages with images that the catalogue does not have. */
export const PACKAGED_IMAGES: readonly ImagePackage[] = [
  systemdBoot(AMD64, "x64", ELF_STUB),
  systemdBoot(AMD64_13, "x64", ADDON),
  systemdBoot(AMD64_SID, "x64", ADDON),
  systemdBoot(I386, "ia32", ELF_STUB),
  systemdBoot(ARM64, "aa64", ELF_STUB),
  grubXen(AMD64),
  grubXen(AMD64_SID),
  {
    ...AMD64,
    package: "grub-pc-bin",
    files: {
      kernel: /\/i386-pc\/kernel\.img$/,
      linux: /\/i386-pc\/lnxboot\.img$/,
      "boot-sector": /\/i386-pc\/boot\.img$/,
      pxe: /\/i386-pc\/pxeboot\.img$/,
      module: /\/i386-pc\/multiboot2\.mod$/,
    },
  },
  {
    ...AMD64,
    package: "grub-efi-amd64-bin",
    files: { kernel: /\/x86_64-efi\/kernel\.img$/, grub: /\/grubx64\.efi$/ },
  },
  {
    ...AMD64,
    package: "grub-efi-ia32-bin",
    files: { kernel: /\/i386-efi\/kernel\.img$/, grub: /\/grubia32\.efi$/ },
  },
  { ...AMD64, package: "grub-efi-amd64-signed", files: { grub: /\/grubx64\.efi\.signed$/ } },
  { ...AMD64_13, package: "grub-efi-amd64-signed", files: { grub: /\/grubx64\.efi\.signed$/ } },
  { ...AMD64, package: "grub-firmware-qemu", files: { bios: /\/qemu\/grub\.bin$/ } },
  { ...AMD64, package: "shim-signed", files: { shim: /\/shimx64\.efi\.signed$/ } },
  { ...AMD64, package: "refind", files: { refind: /\/refind_x64\.efi$/, driver: /\/ext4_x64\.efi$/ } },
  { ...AMD64, package: "efitools", files: { "key-tool": /\/KeyTool\.efi$/ } },
  { ...AMD64, package: "fwupd-unsigned", files: { fwupd: /\/fwupdx64\.efi$/ } },
  {
    ...AMD64,
    package: "efibootguard",
    files: { boot: /\/efibootguardx64\.efi$/, stub: /\/kernel-stubx64\.efi$/ },
  },
  { ...AMD64_13, package: "efi-shell-x64", files: { shell: /\/shellx64\.efi$/ } },
  {
    ...AMD64,
    package: "ipxe",
    files: { efi: /\/ipxe\.efi$/, pxe: /\/ipxe\.pxe$/, undi: /\/undionly\.kpxe$/, iso: /\/ipxe\.iso$/ },
  },
  {
    ...AMD64_13,
    package: "ipxe",
    files: {
      kernel: /\/ipxe\.lkrn$/,
      "efi-arm64": /\/ipxe-arm64\.efi$/,
      "efi-riscv64": /\/ipxe-riscv64\.efi$/,
    },
  },
  { ...AMD64, package: "ipxe-qemu", files: { "efi-rom": /\/efi-virtio\.rom$/, rom: /\/pxe-virtio\.rom$/ } },
  { ...AMD64, package: "pxelinux", files: { pxelinux: /\/pxelinux\.0$/ } },
  { ...AMD64, package: "isolinux", files: { isolinux: /\/isolinux\.bin$/ } },
  { ...AMD64, package: "syslinux-efi", files: { syslinux: /\/efi64\/syslinux\.efi$/ } },
  {
    ...AMD64,
    package: "syslinux-common",
    files: { module: /\/modules\/bios\/mboot\.c32$/, mbr: /\/mbr\/mbr\.bin$/ },
  },
  { ...AMD64, package: "loadlin", files: { dos: /\/loadlin\.exe\.gz$/ } },
  {
    ...AMD64,
    package: "kexec-tools",
    files: { program: /^sbin\/kexec$/, static: /\/kexec_test\.static$/ },
  },
  { ...AMD64, package: "bochsbios", files: { bios: /\/BIOS-bochs-latest$/ } },
  { ...AMD64, package: "xen-utils-4.17", files: { hvmloader: /\/hvmloader$/ } },
  { ...AMD64_SID, package: "xen-utils-4.20", files: { hvmloader: /\/hvmloader$/, shim: /\/xen-shim$/ } },
  { ...I386, package: "gnumach-image-1.8-xen-486", files: { kernel: /^boot\/gnumach-/ } },
  { ...AMD64_SID, package: "gnumach-image-1.8-xen-amd64", files: { kernel: /^boot\/gnumach-/ } },
  { ...AMD64_SID, package: "gnumach-image-1.8-amd64-smp", files: { kernel: /^boot\/gnumach-/ } },
  { ...AMD64_SID, package: "libkrunfw5", files: { library: /\/libkrunfw\.so\.5[\d.]*$/ } },
  {
    ...AMD64,
    package: "u-boot-qemu",
    files: {
      "x86-elf": /\/qemu-x86\/uboot\.elf$/,
      "x86-rom": /\/qemu-x86\/u-boot\.rom$/,
      "x86_64-elf": /\/qemu-x86_64\/uboot\.elf$/,
      "riscv64-elf": /\/qemu-riscv64\/uboot\.elf$/,
      "ppc-elf": /\/qemu-ppce500\/uboot\.elf$/,
      "mips-elf": /\/malta64el\/uboot\.elf$/,
    },
  },
  { ...AMD64, package: "opensbi", files: { elf: /\/fw_jump\.elf$/, binary: /\/fw_jump\.bin$/ } },
  {
    ...AMD64,
    package: "qemu-system-data",
    files: {
      pvh: /\/qemu\/pvh\.bin$/,
      multiboot: /\/qemu\/multiboot\.bin$/,
      "openbios-ppc": /\/openbios-ppc$/,
      "openbios-sparc64": /\/openbios-sparc64$/,
      s390: /\/s390-ccw\.img$/,
      alpha: /\/palcode-clipper$/,
      hppa: /\/hppa-firmware\.img$/,
    },
  },
];

/** A text for each tier, so that each can be rewritten by itself. */
const GOLDEN = {
  usual: path.join(repositoryRoot, "test/fixtures/inspect-images.txt"),
  full: path.join(repositoryRoot, "test/fixtures/inspect-images-full.txt"),
} as const;
export type Tier = keyof typeof GOLDEN;
/** Versions of programs, which change with every update. */
const VERSION = /\b\d+\.\d+\.\d[\w.+~-]*/g;
const ADDRESS = /0x[0-9a-f]{5,}/g;

interface Said {
  verdicts?: { loader: { name: string }; outcome: string; rule?: string }[];
  traps?: { id: string }[];
}

function shortened(line: string, file: string): string {
  return line.replaceAll(file, "FILE").replaceAll(VERSION, "N").replaceAll(ADDRESS, "0x…").trimEnd();
}

/** The rules by which loaders decided, and the traps behind them, a line each. */
function decided({ verdicts = [], traps = [] }: Said): string[] {
  const rules = verdicts
    .filter(({ rule }) => rule !== undefined)
    .map(({ loader, rule }) => `${loader.name}=${rule ?? ""}`);
  const behind = [...new Set(traps.map(({ id }) => id))];
  return [
    ...(rules.length === 0 ? [] : [`rules: ${rules.join(" ")}`]),
    ...(behind.length === 0 ? [] : [`traps: ${behind.join(" ")}`]),
  ];
}

/** What inspect says of a file, without what every build of it changes. */
async function said(name: string, file: string): Promise<string> {
  const { status, out, err } = await locore("inspect", file);
  assert.ok(status === 0 || status === 8, `${name}: status ${status}, ${err}`);
  const json = await locore("inspect", file, "--json");
  const lines = out
    .split("\n")
    .slice(0, 3)
    .filter((line, i) => i === 0 || /^(boots|not) in/.test(line));
  const refused = status === 0 ? [] : err.split("\n").slice(0, 1);
  const rules = json.out === "" ? [] : decided(JSON.parse(json.out) as Said);
  const text = [...lines, ...refused, ...rules].filter((line) => line !== "");
  return `${name}\n${text.map((line) => `  ${shortened(line, file)}\n`).join("")}\n`;
}

/** An image's part of the golden text; empty when it has none. */
function part(text: string, name: string): string {
  const at = `\n${text}`.indexOf(`\n${name}\n`);
  return at < 0 ? "" : text.slice(at, text.indexOf("\n\n", at) + 2);
}

/** The same of a file of the catalogue, by guest and role. */
export async function assertGuestGolden(t: TestContext, tier: Tier, name: string): Promise<void> {
  const [guest, role] = name.split(" ");
  const pulled = await requireGuest(t, guest);
  if (pulled !== undefined) await assertGolden(tier, name, pulled.files[role]);
}

/** What inspect says of a file is what the golden text has under this name. */
export async function assertGolden(tier: Tier, name: string, file: string): Promise<void> {
  const [actual, text] = [await said(name, file), GOLDEN[tier]];
  const golden = existsSync(text) ? readFileSync(text, "utf8") : "";
  if (process.env["LOCORE_UPDATE_GOLDEN"] === "1") {
    const before = part(golden, name);
    writeFileSync(text, before === "" ? golden + actual : golden.replace(before, () => actual));
  }
  assert.equal(actual, part(readFileSync(text, "utf8"), name));
}
