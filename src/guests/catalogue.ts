/**
 * The guests that can be fetched: what each is, where it comes from, how it is verified, its licence, what it
 * shows. Data only; `pull.ts` fetches.
 */
import type { AptTarget } from "./apt.js";

/** One guest of the catalogue. */
export interface CatalogueEntry {
  name: string;
  /** What it is, in a line. */
  what: string;
  source: string;
  verified: string;
  licence: string;
  /** What booting it shows. */
  shows: string;
  target: AptTarget;
  /** The package to ask for. */
  package: string;
  /** Set when `package` only depends on the real one: what that one is called, or each one on the way to it. */
  dependsOn?: RegExp | readonly RegExp[];
  /** The files taken from the package, by role; patterns on paths without a leading slash. */
  files: Readonly<Record<string, RegExp>>;
}

const SOURCE = "Debian 12 (bookworm), through this host's apt-get, mirrors and keys";
const SOURCE_13 = "Debian 13 (trixie), through this host's apt-get, mirrors and keys";
const VERIFIED =
  "apt checks the package against the archive's signed index; the cache is checked by SHA-256 on every use";
const KERNEL_LICENCE =
  "GPL-2.0-only WITH Linux-syscall-note (some files under other GPL-compatible licences)";
const KERNEL_FILES = { kernel: /^boot\/vmlinuz-/, config: /^boot\/config-/ };
const AMD64: AptTarget = { release: "bookworm", architecture: "amd64" };
const I386: AptTarget = { release: "bookworm", architecture: "i386" };
const AMD64_13: AptTarget = { release: "trixie", architecture: "amd64" };
const SOURCE_SID = "Debian unstable (sid), through this host's apt-get, mirrors and keys";
const AMD64_SID: AptTarget = { release: "sid", architecture: "amd64" };
const I386_SID: AptTarget = { release: "sid", architecture: "i386" };
const ARM64: AptTarget = { release: "bookworm", architecture: "arm64" };
const ARMHF: AptTarget = { release: "bookworm", architecture: "armhf" };
const XEN_LICENCE = "GPL-2.0-only (some files under other compatible licences)";
const XEN_FILES = { kernel: /^boot\/xen-[\d.]+-amd64\.gz$/ };
const MACH_LICENCE = "Mach's own permissive licences, and GPL-2.0-or-later";
const MACH_FILES = { kernel: /^boot\/gnumach-[^/]*$/ };
const BUSYBOX_FILES = { busybox: /^(usr\/)?bin\/busybox$/ };

const SEABIOS_LICENCE = "LGPL-3.0-only (vgabios: LGPL-2.0-or-later parts)";
const SEABIOS_FILES = {
  bios: /^usr\/share\/seabios\/bios-256k\.bin$/,
  vgabios: /^usr\/share\/seabios\/vgabios-isavga\.bin$/,
  "bios-128k": /^usr\/share\/seabios\/bios\.bin$/,
  "bios-microvm": /^usr\/share\/seabios\/bios-microvm\.bin$/,
};

/** Every guest, in the order they are listed. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: "debian-cloud",
    what: "Debian's kernel for cloud machines (Linux 6.1, bzImage, lz4 payload)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "Linux by the 64-bit, 32-bit and PVH entries, to a shell on the serial console",
    target: AMD64,
    package: "linux-image-cloud-amd64",
    dependsOn: /^linux-image-\d\S*-cloud-amd64$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-13-cloud",
    what: "Debian 13's kernel for cloud machines (Linux 6.12, bzImage, zstd payload)",
    source: SOURCE_13,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a newer Linux: what two years of kernel changes ask of a machine",
    target: AMD64_13,
    package: "linux-image-cloud-amd64",
    dependsOn: /^linux-image-\d\S*-cloud-amd64$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-sid-cloud",
    what: "Debian unstable's kernel for cloud machines (Linux 7, bzImage, zstd payload)",
    source: SOURCE_SID,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "the newest Linux that Debian has; a PVH entry far from the kernel's start",
    target: AMD64_SID,
    package: "linux-image-cloud-amd64",
    // Since Linux 7 the image package is empty as well, and the kernel lies beside its modules.
    dependsOn: [/^linux-image-\d\S*-cloud-amd64$/, /^linux-binary-\d\S*-cloud-amd64$/],
    files: { kernel: /^(usr\/)?lib\/modules\/[^/]+\/vmlinuz$/ },
  },
  {
    name: "debian-amd64",
    what: "Debian's generic kernel (Linux 6.1, bzImage, xz payload)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a kernel with drivers for everything: probes of absent devices, the MP table, an xz payload",
    target: AMD64,
    package: "linux-image-amd64",
    dependsOn: /^linux-image-\d\S*-amd64$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-686-pae",
    what: "Debian's 32-bit kernel with PAE (Linux 6.1, bzImage, xz payload)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a 32-bit kernel: protected mode, PAE paging, the 32-bit entry",
    target: I386,
    package: "linux-image-686-pae",
    dependsOn: /^linux-image-\d\S*-686-pae$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-rt",
    what: "Debian's kernel for real-time work (Linux 6.1, PREEMPT_RT, bzImage, xz payload)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "interrupt handlers as threads",
    target: AMD64,
    package: "linux-image-rt-amd64",
    dependsOn: /^linux-image-\d\S*-rt-amd64$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-installer",
    what: "the installer of Debian 12: its kernel and its initrd, as for booting over a network",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-or-later and others, by package",
    shows: "a large initrd with a whole system in it, to a menu on the serial console",
    target: AMD64,
    package: "debian-installer-12-netboot-amd64",
    files: {
      kernel: /\/text\/debian-installer\/amd64\/linux$/,
      initrd: /\/text\/debian-installer\/amd64\/initrd\.gz$/,
    },
  },
  {
    name: "busybox",
    what: "one static program that is a shell and some 270 Unix tools",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-only",
    shows: "user space: what locore's initramfs is made from",
    target: AMD64,
    package: "busybox-static",
    files: BUSYBOX_FILES,
  },
  {
    name: "busybox-i386",
    what: "the same for 32-bit kernels",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-only",
    shows: "32-bit user space",
    target: I386,
    package: "busybox-static",
    files: BUSYBOX_FILES,
  },
  {
    name: "xen",
    what: "the Xen 4.17 hypervisor (gzip, ELF32 with Multiboot and Multiboot2 headers)",
    source: SOURCE,
    verified: VERIFIED,
    licence: XEN_LICENCE,
    shows: "a hypervisor by both Multiboot protocols, with Linux as its first domain",
    target: AMD64,
    package: "xen-hypervisor-4.17-amd64",
    files: XEN_FILES,
  },
  {
    name: "xen-shim",
    what: "Xen 4.17 as the shim around a paravirtual guest (ELF32 with Multiboot headers and a PVH entry)",
    source: SOURCE,
    verified: VERIFIED,
    licence: XEN_LICENCE,
    shows: "an image with three boot protocols",
    target: AMD64,
    package: "xen-utils-4.17",
    files: { kernel: /\/boot\/xen-shim$/ },
  },
  {
    name: "xen-sid",
    what: "Debian unstable's Xen hypervisor",
    source: SOURCE_SID,
    verified: VERIFIED,
    licence: XEN_LICENCE,
    shows: "a newer Xen by both Multiboot protocols",
    target: AMD64_SID,
    package: "xen-system-amd64",
    dependsOn: /^xen-hypervisor-\d[\d.]*-amd64$/,
    files: XEN_FILES,
  },
  {
    name: "gnumach",
    what: "GNU Mach 1.8, the Hurd's microkernel (ELF32, Multiboot)",
    source: SOURCE,
    verified: VERIFIED,
    licence: MACH_LICENCE,
    shows: "a microkernel by Multiboot, with modules",
    target: I386,
    package: "gnumach-image-1.8-486",
    files: MACH_FILES,
  },
  {
    name: "gnumach-pae",
    what: "GNU Mach 1.8 of Debian unstable with PAE (ELF32, Multiboot and Multiboot2)",
    source: SOURCE_SID,
    verified: VERIFIED,
    licence: MACH_LICENCE,
    shows: "a microkernel by both Multiboot protocols",
    target: I386_SID,
    package: "gnumach-image-1.8-486-pae",
    files: MACH_FILES,
  },
  {
    name: "gnumach-smp",
    what: "the same for several CPUs",
    source: SOURCE_SID,
    verified: VERIFIED,
    licence: MACH_LICENCE,
    shows: "a microkernel that starts the other CPUs",
    target: I386_SID,
    package: "gnumach-image-1.8-486-smp",
    files: MACH_FILES,
  },
  {
    name: "gnumach-amd64",
    what: "GNU Mach 1.8 of Debian unstable for amd64 (ELF64, Multiboot and Multiboot2)",
    source: SOURCE_SID,
    verified: VERIFIED,
    licence: MACH_LICENCE,
    shows: "an ELF64 kernel by both Multiboot protocols",
    target: AMD64_SID,
    package: "gnumach-image-1.8-amd64-up",
    files: MACH_FILES,
  },
  {
    name: "debian-686",
    what: "Debian's 32-bit kernel without PAE (Linux 6.1, bzImage, xz payload)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "two-level paging; no PVH entry",
    target: I386,
    package: "linux-image-686",
    dependsOn: /^linux-image-\d\S*-686$/,
    files: KERNEL_FILES,
  },
  {
    name: "seabios",
    what: "SeaBIOS and its VGA BIOS: what runs before a kernel that wants a BIOS",
    source: SOURCE,
    verified: VERIFIED,
    licence: SEABIOS_LICENCE,
    shows: "firmware from the reset vector; INT services under the 16-bit entry",
    target: AMD64,
    package: "seabios",
    files: SEABIOS_FILES,
  },
  {
    name: "qboot",
    what: "qboot, a minimal firmware that loads a Linux kernel through fw_cfg",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-or-later",
    shows: "another firmware under a Linux kernel",
    target: AMD64,
    package: "qemu-system-data",
    files: { bios: /^usr\/share\/qemu\/qboot\.rom$/ },
  },
  {
    name: "ovmf",
    what: "OVMF, UEFI firmware for virtual machines",
    source: SOURCE,
    verified: VERIFIED,
    licence: "BSD-2-Clause-Patent",
    shows: "how far UEFI firmware comes on a machine without PCI",
    target: AMD64,
    package: "ovmf",
    files: { bios: /^usr\/share\/OVMF\/OVMF_CODE_4M\.fd$/ },
  },
  {
    name: "ovmf-sid",
    what: "Debian unstable's OVMF",
    source: SOURCE_SID,
    verified: VERIFIED,
    licence: "BSD-2-Clause-Patent",
    shows: "the same with newer UEFI firmware",
    target: AMD64_SID,
    package: "ovmf-generic",
    files: {
      bios: /^usr\/share\/OVMF\/OVMF_CODE_4M\.fd$/,
      "bios-with-variables": /^usr\/share\/ovmf\/OVMF\.fd$/,
    },
  },
  {
    name: "memtest86+",
    what: "memtest86+ 6.10, 64-bit and 32-bit (bzImage without a payload)",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-only",
    shows: "a program packed as a kernel, by every entry; a text screen",
    target: AMD64,
    package: "memtest86+",
    files: { kernel: /^boot\/memtest86\+x64\.bin$/, "kernel-i386": /^boot\/memtest86\+ia32\.bin$/ },
  },
  {
    name: "memtest86+-7",
    what: "memtest86+ 7, 64-bit and 32-bit (bzImage without a payload)",
    source: SOURCE_13,
    verified: VERIFIED,
    licence: "GPL-2.0-only",
    shows: "the same program, two years newer",
    target: AMD64_13,
    package: "memtest86+",
    files: { kernel: /^boot\/memtest86\+x64\.bin$/, "kernel-i386": /^boot\/memtest86\+ia32\.bin$/ },
  },
  {
    name: "memtest86+-8",
    what: "memtest86+ 8, 64-bit and 32-bit (bzImage without a payload, an EFI program at once)",
    source: SOURCE_SID,
    verified: VERIFIED,
    licence: "GPL-2.0-only",
    shows: "one file that is a kernel and an EFI program",
    target: AMD64_SID,
    package: "memtest86+",
    files: { kernel: /^boot\/mt86\+x64$/, "kernel-i386": /^boot\/mt86\+ia32$/ },
  },
  {
    name: "ipxe",
    what: "iPXE as a kernel (bzImage of protocol 2.07, real mode)",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-or-later",
    shows: "a program that needs a BIOS",
    target: AMD64,
    package: "ipxe",
    files: { kernel: /^boot\/ipxe\.lkrn$/ },
  },
  {
    name: "memdisk",
    what: "syslinux' memdisk (bzImage of protocol 2.03, real mode)",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-or-later",
    shows: "an old boot protocol; an initrd that becomes a BIOS disk",
    target: AMD64,
    package: "syslinux-common",
    files: { kernel: /^usr\/lib\/syslinux\/memdisk$/ },
  },
  {
    name: "xen-arm64",
    what: "the Xen 4.17 hypervisor for 64-bit ARM (arm64 Image)",
    source: SOURCE,
    verified: VERIFIED,
    licence: XEN_LICENCE,
    shows: "what converted ARM kernels are for: guests of a real Xen, in QEMU",
    target: ARM64,
    package: "xen-hypervisor-4.17-arm64",
    files: { kernel: /^boot\/xen-[\d.]+-arm64$/ },
  },
  {
    name: "xen-armhf",
    what: "the same for 32-bit ARM (zImage)",
    source: SOURCE,
    verified: VERIFIED,
    licence: XEN_LICENCE,
    shows: "the same on 32-bit ARM",
    target: ARMHF,
    package: "xen-hypervisor-4.17-armhf",
    files: { kernel: /^boot\/xen-[\d.]+-armhf$/ },
  },
  {
    name: "debian-armmp",
    what: "Debian's kernel for 32-bit ARM (Linux 6.1, zImage)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a real zImage, unwrapped and converted again",
    target: ARMHF,
    package: "linux-image-armmp",
    dependsOn: /^linux-image-\d\S*-armmp$/,
    files: KERNEL_FILES,
  },
  {
    name: "debian-cloud-arm64",
    what: "Debian's cloud kernel for 64-bit ARM (Linux 6.1, arm64 Image)",
    source: SOURCE,
    verified: VERIFIED,
    licence: KERNEL_LICENCE,
    shows: "a real arm64 Image, unwrapped and converted again",
    target: ARM64,
    package: "linux-image-cloud-arm64",
    dependsOn: /^linux-image-\d\S*-cloud-arm64$/,
    files: KERNEL_FILES,
  },
  {
    name: "u-boot-arm",
    what: "U-Boot for QEMU's virt machine, 32-bit ARM",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-or-later",
    shows: "converted kernels started by bootz",
    target: AMD64,
    package: "u-boot-qemu",
    files: { bios: /^usr\/lib\/u-boot\/qemu_arm\/u-boot\.bin$/ },
  },
  {
    name: "u-boot-arm64",
    what: "the same for 64-bit ARM",
    source: SOURCE,
    verified: VERIFIED,
    licence: "GPL-2.0-or-later",
    shows: "converted kernels started by booti",
    target: AMD64,
    package: "u-boot-qemu",
    files: { bios: /^usr\/lib\/u-boot\/qemu_arm64\/u-boot\.bin$/ },
  },
];
