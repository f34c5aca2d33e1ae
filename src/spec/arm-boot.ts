/**
 * Numbers of the two kernel images of ARM machines: zImage (32-bit) and Image (64-bit), and of what a boot loader
 * hands over with them. Sources: Linux, Documentation/arch/arm/booting.rst, arch/arm/boot/compressed/head.S and
 * vmlinux.lds.S (header, extension table), arch/arm/include/asm/image.h; Documentation/arch/arm64/booting.rst §4;
 * Devicetree Specification 0.4 §5.2. Holds numbers only.
 */

/** Header of a zImage: 4-byte words at these offsets, in the byte order that `ENDIAN_MAGIC` shows. */
export const ZIMAGE = {
  /** code[9]: eight no-ops and a branch. */
  CODE: 0x00,
  BRANCH: 0x20,
  /** _magic_sig. */
  MAGIC: 0x24,
  /** _magic_start: the address it is linked for; 0: position independent. */
  START: 0x28,
  /** _magic_end: where it ends, counted as START is. */
  END: 0x2c,
  ENDIAN_MAGIC: 0x30,
  /** Linux 4.15 and later: a second magic number, and the file offset of the extension table. */
  MAGIC2: 0x34,
  TABLE: 0x38,
  /** Least size of a file that has the words up to END. */
  SIZE: 0x30,
  /** Least size of a file that has them all. */
  EXTENDED_SIZE: 0x3c,
} as const;
/** ARM_ZIMAGE_MAGIC1. */
export const ZIMAGE_MAGIC = 0x016f2818;
/** The word at ENDIAN_MAGIC, read little-endian, of a little-endian and of a big-endian (BE32 or BE8) kernel. */
export const ZIMAGE_ENDIAN = { LITTLE: 0x04030201, BIG: 0x01020304 } as const;
/** ARM_ZIMAGE_MAGIC2. */
export const ZIMAGE_MAGIC2 = 0x45454545;

/**
 * The extension table: tags like ATAGs, each led by its length in words (length and tag included); a length of 0 ends
 * it. Word indices are within a tag.
 */
export const ZIMAGE_TAG = { LENGTH: 0, TAG: 1 } as const;
/** ARM_ZIMAGE_MAGIC3, "KLSZ": how large the kernel becomes. */
export const ZIMAGE_TAG_KRNL_SIZE = 0x5a534c4b;
/** Words of the KLSZ tag; TEXT_OFFSET is in newer kernels, MALLOC_SIZE in those of 2020 and later. */
export const ZIMAGE_KRNL_SIZE = {
  /** File offset of the unaligned word that holds the unpacked kernel's size: the last four bytes of the payload. */
  SIZE_OFFSET: 2,
  BSS_SIZE: 3,
  TEXT_OFFSET: 4,
  MALLOC_SIZE: 5,
} as const;

/** Header of an arm64 Image, always little-endian; from MAGIC on there are 4-byte fields. */
export const ARM64_IMAGE = {
  CODE0: 0,
  CODE1: 4,
  /** u64: where it goes, counted from a 2 MiB boundary. */
  TEXT_OFFSET: 8,
  /** u64: memory needed from there on, bss included; 0 before Linux 3.17. */
  IMAGE_SIZE: 16,
  /** u64. */
  FLAGS: 24,
  RES2: 32,
  RES3: 40,
  RES4: 48,
  MAGIC: 56,
  /** res5: file offset of the PE header when CODE0 is "MZ". */
  PE_OFFSET: 60,
  SIZE: 64,
} as const;
/** "ARM\x64". */
export const ARM64_IMAGE_MAGIC = 0x644d5241;
/** First instruction of the first arm64 kernels, which had no magic number (Xen: ZIMAGE64_MAGIC_V0). */
export const ARM64_FIRST_BRANCH = 0x1400_0008;
/** Bits of FLAGS. */
export const ARM64_IMAGE_FLAGS = {
  BIG_ENDIAN: 1n,
  /** Two bits: 0 unspecified, 1 4 KiB, 2 16 KiB, 3 64 KiB. */
  PAGE_SIZE_SHIFT: 1n,
  PAGE_SIZE_MASK: 3n,
  /** The 2 MiB boundary may be anywhere in memory, not only near its start. */
  PHYSICAL_PLACEMENT: 8n,
} as const;
/** What TEXT_OFFSET means when IMAGE_SIZE is 0. */
export const ARM64_DEFAULT_TEXT_OFFSET = 0x80000;
/** Unit of the place of an Image. */
export const ARM64_IMAGE_ALIGNMENT = 0x20_0000;

/** booting.rst of arm: the kernel lies within the first 128 MiB of memory, from which it learns where memory starts. */
export const ARM_BASE_ALIGNMENT = 0x800_0000;
/** booting.rst of arm: the word in r1 that names no machine, as a device tree does. */
export const ARM_MACHINE_NONE = 0xffff_ffff;

/** Flattened device tree (§5.2): first two words of its header, big-endian. */
export const FDT = { MAGIC_VALUE: 0xd00dfeed, MAGIC: 0, TOTAL_SIZE: 4 } as const;
