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
  { offset: 0, bytes: text("#!"), name: "a script", advice: "Run it, or give the kernel file itself" },
];

/** DOS header of PE/COFF files, and where it points at "PE\0\0". */
export const DOS = { MAGIC: text("MZ"), LFANEW: 0x3c, PE_MAGIC: text("PE\0\0"), PE_MACHINE: 4 } as const;
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
