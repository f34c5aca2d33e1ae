/**
 * Numbers of the Multiboot2 protocol: header, entry state, boot information. Numbers only.
 *
 * Specification: Multiboot2 Specification 2.0, §3.1 (header), §3.4 (i386 machine state), §3.6 (boot information).
 */

/** §3.1: the header lies in the first 32 KiB of the image, at a multiple of 8. */
export const MULTIBOOT2_SEARCH = 32768;
export const MULTIBOOT2_ALIGNMENT = 8;

/** §3.1.1. */
export const MULTIBOOT2_HEADER = {
  MAGIC: 0xe852_50d6,
  SIZE: 16,
  OFFSET: { MAGIC: 0, ARCHITECTURE: 4, HEADER_LENGTH: 8, CHECKSUM: 12 },
} as const;

/** §3.1.2. */
export const MULTIBOOT2_ARCHITECTURE = { I386: 0, MIPS32: 4 } as const;

/** §3.1.3: what every header tag begins with. */
export const HEADER_TAG = {
  SIZE: 8,
  OFFSET: { TYPE: 0, FLAGS: 2, SIZE: 4, BODY: 8 },
  FLAG_OPTIONAL: 1,
} as const;

/** §3.1.3–3.1.13. */
export const HEADER_TAG_TYPE = {
  END: 0,
  INFORMATION_REQUEST: 1,
  ADDRESS: 2,
  ENTRY_ADDRESS: 3,
  CONSOLE_FLAGS: 4,
  FRAMEBUFFER: 5,
  MODULE_ALIGN: 6,
  EFI_BS: 7,
  ENTRY_ADDRESS_EFI32: 8,
  ENTRY_ADDRESS_EFI64: 9,
  RELOCATABLE: 10,
} as const;

/** Bytes that a tag of each type has; an information request has at least so many. */
export const HEADER_TAG_SIZE: Readonly<Record<number, number>> = {
  [HEADER_TAG_TYPE.END]: 8,
  [HEADER_TAG_TYPE.INFORMATION_REQUEST]: 8,
  [HEADER_TAG_TYPE.ADDRESS]: 24,
  [HEADER_TAG_TYPE.ENTRY_ADDRESS]: 12,
  [HEADER_TAG_TYPE.CONSOLE_FLAGS]: 12,
  [HEADER_TAG_TYPE.FRAMEBUFFER]: 20,
  [HEADER_TAG_TYPE.MODULE_ALIGN]: 8,
  [HEADER_TAG_TYPE.EFI_BS]: 8,
  [HEADER_TAG_TYPE.ENTRY_ADDRESS_EFI32]: 12,
  [HEADER_TAG_TYPE.ENTRY_ADDRESS_EFI64]: 12,
  [HEADER_TAG_TYPE.RELOCATABLE]: 24,
};

/** §3.1.5: load_addr that says "from the start of the file". */
export const LOAD_ADDR_FILE_START = 0xffff_ffff;
/** §3.1.9: a console must be there. */
export const CONSOLE_FLAG = { REQUIRED: 1, EGA_TEXT_SUPPORTED: 2 } as const;
/** §3.1.13. */
export const LOAD_PREFERENCE = { NONE: 0, LOW: 1, HIGH: 2 } as const;

/** §3.4: EAX at the entry. */
export const MULTIBOOT2_BOOT_MAGIC = 0x36d7_6289;

/** §3.6.1: total size and a reserved word, then tags. */
export const MULTIBOOT2_INFO = { SIZE: 8, OFFSET: { TOTAL_SIZE: 0 } } as const;
/** §3.6.2: what every tag begins with. */
export const INFO_TAG = { SIZE: 8, OFFSET: { TYPE: 0, SIZE: 4, BODY: 8 } } as const;

/** §3.6.3–3.6.21. */
export const INFO_TAG_TYPE = {
  END: 0,
  CMDLINE: 1,
  BOOT_LOADER_NAME: 2,
  MODULE: 3,
  BASIC_MEMINFO: 4,
  BOOTDEV: 5,
  MMAP: 6,
  VBE: 7,
  FRAMEBUFFER: 8,
  ELF_SECTIONS: 9,
  APM: 10,
  EFI32: 11,
  EFI64: 12,
  SMBIOS: 13,
  ACPI_OLD: 14,
  ACPI_NEW: 15,
  NETWORK: 16,
  EFI_MMAP: 17,
  EFI_BS: 18,
  EFI32_IH: 19,
  EFI64_IH: 20,
  LOAD_BASE_ADDR: 21,
} as const;
/** Highest type that is defined. */
export const INFO_TAG_TYPE_MAX = INFO_TAG_TYPE.LOAD_BASE_ADDR;

/** §3.6.8. */
export const MMAP_TAG = { ENTRY_SIZE: 24, ENTRY_VERSION: 0 } as const;
