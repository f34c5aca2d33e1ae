/**
 * Numbers of U-Boot's legacy image ("uImage"). Source: U-Boot include/image.h, struct legacy_img_hdr and the IH_*
 * enumerations; all words are big-endian. Holds numbers only.
 */

/** Header: byte offsets. */
export const UIMAGE = {
  /** ih_magic. */
  MAGIC: 0,
  /** ih_hcrc: CRC-32 of the header with this word 0. */
  HCRC: 4,
  /** ih_time: seconds since 1970 UTC. */
  TIME: 8,
  /** ih_size: bytes behind the header. */
  SIZE_FIELD: 12,
  /** ih_load: where the data goes. */
  LOAD: 16,
  /** ih_ep: entry point. */
  EP: 20,
  /** ih_dcrc: CRC-32 of the data. */
  DCRC: 24,
  OS: 28,
  ARCH: 29,
  TYPE: 30,
  COMP: 31,
  NAME: 32,
  NAME_SIZE: 32,
  SIZE: 64,
} as const;
export const UIMAGE_MAGIC = 0x27051956;

/** IH_OS_*: those that kernels have. */
export const IH_OS = {
  INVALID: 0,
  OPENBSD: 1,
  NETBSD: 2,
  FREEBSD: 3,
  LINUX: 5,
  VXWORKS: 14,
  QNX: 16,
  "U-BOOT": 17,
  RTEMS: 18,
  EFI: 28,
} as const;
/** IH_ARCH_*. */
export const IH_ARCH = {
  INVALID: 0,
  ALPHA: 1,
  ARM: 2,
  I386: 3,
  IA64: 4,
  MIPS: 5,
  MIPS64: 6,
  PPC: 7,
  S390: 8,
  SH: 9,
  SPARC: 10,
  SPARC64: 11,
  M68K: 12,
  ARM64: 22,
  ARC: 23,
  X86_64: 24,
  XTENSA: 25,
  RISCV: 26,
} as const;
/** IH_TYPE_*: those of what is booted. */
export const IH_TYPE = {
  INVALID: 0,
  STANDALONE: 1,
  KERNEL: 2,
  RAMDISK: 3,
  MULTI: 4,
  FIRMWARE: 5,
  SCRIPT: 6,
  FILESYSTEM: 7,
  FLATDT: 8,
  KERNEL_NOLOAD: 14,
} as const;
/** IH_COMP_*. */
export const IH_COMP = { NONE: 0, GZIP: 1, BZIP2: 2, LZMA: 3, LZO: 4, LZ4: 5, ZSTD: 6 } as const;
