/**
 * Magic numbers of file formats that are named in refusals. Sources: Microsoft PE/COFF specification §3; Devicetree
 * Specification 0.4 §5.2; ECMA-119 §8.1; QEMU,
 * docs/interop/qcow2.txt; UEFI 2.10 §5.2.3 (GPT), PC BIOS boot sector; POSIX ustar; RFC 4627 has none.
 * Holds numbers only.
 */

/** A magic number: where, which bytes, what it is, what a person can do. */
export interface FileMagic {
  readonly offset: number;
  readonly bytes: readonly number[];
  readonly name: string;
  readonly advice: string;
}

/** ASCII text as bytes. */
function text(value: string): number[] {
  return Array.from(value, (character) => character.charCodeAt(0));
}

const DISK =
  "nothing on this disk tells what to boot (locore inspect lists what is on it): locore boot KERNEL DISK boots a kernel with it";
/** Of formats that are not read. */
const OTHER_DISK =
  "qemu-img convert -O qcow2 makes an image of it that can be attached: locore boot KERNEL DISK";

/** Begins a snapshot of ours: a byte that text does not have, "LOCSNAP". */
export const SNAPSHOT_MAGIC = [0x89, ...text("LOCSNAP")];

/** Most specific first. */
export const FILE_MAGICS: readonly FileMagic[] = [
  {
    offset: 0,
    bytes: SNAPSHOT_MAGIC,
    name: "a snapshot of a machine",
    advice: "locore restore goes on with it",
  },
  {
    offset: 0,
    bytes: [0xd0, 0x0d, 0xfe, 0xed],
    name: "a device tree (and no FIT: it holds no images)",
    advice: "It describes a machine: give it to the loader, or to Xen, beside the kernel",
  },
  { offset: 0, bytes: text("QFI\xfb"), name: "a qcow2 disk image", advice: DISK },
  {
    offset: 0x8001,
    bytes: text("CD001"),
    name: "an ISO 9660 image",
    advice: "Take the kernel and initrd out of it",
  },
  { offset: 0, bytes: text("KDMV"), name: "a VMDK disk image", advice: OTHER_DISK },
  { offset: 0, bytes: text("vhdxfile"), name: "a VHDX disk image", advice: OTHER_DISK },
  { offset: 0x200, bytes: text("EFI PART"), name: "a raw disk image with a GPT", advice: DISK },
  {
    offset: 0,
    bytes: text("070701"),
    name: "a cpio archive (an initramfs, as a rule)",
    advice: "Give it with --initrd, beside a kernel",
  },
  {
    offset: 0,
    bytes: text("!<arch>\n"),
    name: "an ar archive (a Debian package or a library)",
    advice: "Unpack it (dpkg-deb -x) and give the kernel inside, boot/vmlinuz-…",
  },
  {
    offset: 0x101,
    bytes: text("ustar"),
    name: "a tar archive",
    advice: "Unpack it and give the kernel inside",
  },
  {
    offset: 0,
    bytes: text("PK\x03\x04"),
    name: "a zip archive",
    advice: "Unpack it and give the kernel inside",
  },
  {
    offset: 0,
    bytes: [0x00, ...text("asm")],
    name: "a WebAssembly module",
    advice: "It runs in a WebAssembly engine, not on a machine: give a kernel",
  },
  {
    offset: 0,
    bytes: [0xcf, 0xfa, 0xed, 0xfe],
    name: "a Mach-O file, 64-bit (macOS)",
    advice:
      "macOS programs and kernels have no boot protocol that is known here: give an ELF kernel or a bzImage",
  },
  {
    offset: 0,
    bytes: [0xce, 0xfa, 0xed, 0xfe],
    name: "a Mach-O file, 32-bit (macOS)",
    advice:
      "macOS programs and kernels have no boot protocol that is known here: give an ELF kernel or a bzImage",
  },
  {
    offset: 0,
    bytes: [0xca, 0xfe, 0xba, 0xbe],
    name: "a universal Mach-O file (macOS) or a Java class",
    advice: "Give an ELF kernel or a bzImage",
  },
  {
    offset: 0,
    bytes: [0x55, 0xaa],
    name: "an option ROM (a card's BIOS, as of a display or of a network card)",
    advice: "Firmware runs it, beside a kernel or a disk: give a kernel",
  },
  { offset: 0, bytes: text("#!"), name: "a script", advice: "Run it, or give the kernel file itself" },
];

/** DOS header of PE/COFF files, and where it points at "PE\0\0". */
export const DOS = { MAGIC: text("MZ"), LFANEW: 0x3c, PE_MAGIC: text("PE\0\0"), PE_MACHINE: 4 } as const;
/** PE/COFF §3.3, §3.4: offsets from "PE\0\0"; those of OPTIONAL from the optional header, which follows. */
export const PE_HEADER = {
  SIZE: 24,
  SECTIONS: 6,
  OPTIONAL_SIZE: 20,
  /** As far as the subsystem, which PE32 and PE32+ have in one place. */
  OPTIONAL_LEAST: 70,
  OPTIONAL: { ENTRY: 16, SUBSYSTEM: 68 },
} as const;
export const PE_OPTIONAL_MAGIC = { PE32: 0x10b, PE32_PLUS: 0x20b } as const;
/** §4: one row of the section table. */
export const PE_SECTION = {
  SIZE: 40,
  NAME_SIZE: 8,
  VIRTUAL_SIZE: 8,
  VIRTUAL_ADDRESS: 12,
  RAW_SIZE: 16,
  RAW_OFFSET: 20,
} as const;
/** IMAGE_SUBSYSTEM_*. */
export const PE_SUBSYSTEMS: Readonly<Record<number, string>> = {
  1: "native",
  2: "Windows, graphical",
  3: "Windows, console",
  10: "EFI application",
  11: "EFI boot service driver",
  12: "EFI run-time driver",
};
/** IMAGE_FILE_MACHINE_*. */
export const PE_MACHINES: Readonly<Record<number, string>> = {
  0x014c: "i386",
  0x8664: "x86-64",
  0x01c0: "arm",
  0x01c2: "arm",
  0xaa64: "arm64",
  0x5064: "riscv64",
};
/** Last two bytes of a boot sector. */
export const BOOT_SECTOR = { OFFSET: 0x1fe, MAGIC: [0x55, 0xaa] } as const;
