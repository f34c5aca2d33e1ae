/**
 * Numbers of the Multiboot protocol, version 1: header, entry state, information structure. Numbers only.
 *
 * Specification: Multiboot Specification 0.6.96, §3.1 (header), §3.2 (machine state), §3.3 (information).
 */

/** §3.1: the header lies in the first 8 KiB of the image, at a multiple of 4. */
export const MULTIBOOT1_SEARCH = 8192;
export const MULTIBOOT1_HEADER_ALIGNMENT = 4;

/** §3.1.1. Address fields are there with flag 16, graphics fields with flag 2. */
export const MULTIBOOT1_HEADER = {
  MAGIC: 0x1bad_b002,
  OFFSET: {
    MAGIC: 0,
    FLAGS: 4,
    CHECKSUM: 8,
    HEADER_ADDR: 12,
    LOAD_ADDR: 16,
    LOAD_END_ADDR: 20,
    BSS_END_ADDR: 24,
    ENTRY_ADDR: 28,
    MODE_TYPE: 32,
    WIDTH: 36,
    HEIGHT: 40,
    DEPTH: 44,
  },
  /** Bytes of the header without, with address and with graphics fields. */
  SIZE: 12,
  SIZE_WITH_ADDRESSES: 32,
  SIZE_WITH_GRAPHICS: 48,
} as const;

/** §3.1.2, flags. */
export const MULTIBOOT1_FLAG = {
  PAGE_ALIGN: 1 << 0,
  MEMORY_INFO: 1 << 1,
  VIDEO_MODE: 1 << 2,
  ADDRESSES: 1 << 16,
} as const;
/** §3.1.2: bits 0–15 are requirements; a loader that does not understand one must refuse. */
export const MULTIBOOT1_REQUIREMENTS = 0xffff;

/** §3.1.4: linear graphics or EGA text; everything else is reserved. */
export const MULTIBOOT1_MODE_TYPE_MAX = 1;

/** §3.2: EAX at the entry. */
export const MULTIBOOT1_BOOT_MAGIC = 0x2bad_b002;

/** §3.3. Fields of BIOS tables and of VBE are not here: they stay 0 and their flags clear. */
export const MULTIBOOT1_INFO = {
  SIZE: 120,
  FLAG: {
    MEMORY: 1 << 0,
    COMMAND_LINE: 1 << 2,
    MODULES: 1 << 3,
    ELF_SECTIONS: 1 << 5,
    MEMORY_MAP: 1 << 6,
    LOADER_NAME: 1 << 9,
    FRAMEBUFFER: 1 << 12,
  },
  OFFSET: {
    FLAGS: 0,
    MEM_LOWER: 4,
    MEM_UPPER: 8,
    CMDLINE: 16,
    MODS_COUNT: 20,
    MODS_ADDR: 24,
    ELF_NUM: 28,
    ELF_SIZE: 32,
    ELF_ADDR: 36,
    ELF_SHNDX: 40,
    MMAP_LENGTH: 44,
    MMAP_ADDR: 48,
    BOOT_LOADER_NAME: 64,
    FRAMEBUFFER_ADDR: 88,
    FRAMEBUFFER_PITCH: 96,
    FRAMEBUFFER_WIDTH: 100,
    FRAMEBUFFER_HEIGHT: 104,
    FRAMEBUFFER_BPP: 108,
    FRAMEBUFFER_TYPE: 109,
  },
} as const;

/** §3.3, framebuffer_type: characters with attributes; width and height count characters. Both versions have it. */
export const FRAMEBUFFER_EGA_TEXT = 2;

/** §3.3: start, end (exclusive), string, 0. */
export const MULTIBOOT1_MODULE = { SIZE: 16, OFFSET: { START: 0, END: 4, STRING: 8 } } as const;

/** §3.3: a size that does not count itself, then base, length, type. */
export const MULTIBOOT1_MMAP = {
  SIZE: 24,
  SIZE_VALUE: 20,
  OFFSET: { SIZE: 0, BASE: 4, LENGTH: 12, TYPE: 20 },
} as const;

/** §3.3: lower memory starts at 0 and has at most 640 KiB, upper memory starts at 1 MiB; both are counted in KiB. */
export const UPPER_MEMORY_START = 0x10_0000;
export const LOWER_MEMORY_MAX = 640 * 1024;
