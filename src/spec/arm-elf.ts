/**
 * What ELF files of ARM kernels carry beside the generic format. Sources: ELF for the Arm Architecture (IHI 0044) §5.2
 * (e_flags); FreeBSD sys/sys/elf_common.h and NetBSD sys/sys/exec_elf.h (notes, names only). Holds numbers only.
 */

/** e_flags of 32-bit files. */
export const EF_ARM = {
  EABIMASK: 0xff00_0000,
  EABI_SHIFT: 24,
  /** EF_ARM_EABI_VER5. */
  EABI_VER5: 0x0500_0000,
  BE8: 0x0080_0000,
  ABI_FLOAT_HARD: 0x400,
  ABI_FLOAT_SOFT: 0x200,
} as const;

/** Owners of the notes by which the BSDs mark their files, and the type that holds a version. */
export const OS_NOTE = {
  FREEBSD: { owner: "FreeBSD", type: 1, system: "FreeBSD", value: "__FreeBSD_version" },
  NETBSD: { owner: "NetBSD", type: 1, system: "NetBSD", value: "__NetBSD_Version__" },
  OPENBSD: { owner: "OpenBSD", type: 1, system: "OpenBSD", value: "version" },
} as const;
/** The interpreter that FreeBSD's linker scripts name so that the kernel is linked dynamically; nothing has that path. */
export const FREEBSD_KERNEL_INTERPRETER = "/red/herring";
/** Linux's notes of a kernel: its owner, and the text by which an image without notes is known. */
export const LINUX_NOTE_OWNER = "Linux";

/**
 * From here on an address is one of the kernel's virtual ones: 32-bit kernels of Linux (3 GiB split) and FreeBSD live
 * above 0xc0000000; a 64-bit kernel above what 48 bits of physical address reach.
 */
export const ARM_KERNEL_SPACE = { 32: 0xc000_0000n, 64: 1n << 48n } as const;
