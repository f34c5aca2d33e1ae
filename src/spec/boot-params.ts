/**
 * Offsets in Linux's struct boot_params ("zero page") outside the setup header, and values a loader writes there.
 * Numbers only; the setup header is in `linux-boot.ts`.
 *
 * Specification: Linux Documentation/arch/x86/zero-page.rst, boot.rst ("type_of_loader", "setup_data").
 */

export const BOOT_PARAMS_SIZE = 0x1000;

export const BOOT_PARAMS = {
  /** struct screen_info: mode, columns, rows, kind, height of a character. */
  ORIG_VIDEO_MODE: 0x006,
  ORIG_VIDEO_COLS: 0x007,
  ORIG_VIDEO_LINES: 0x00e,
  ORIG_VIDEO_IS_VGA: 0x00f,
  ORIG_VIDEO_POINTS: 0x010,
  /** u64: physical address of the RSDP. */
  ACPI_RSDP_ADDR: 0x070,
  /** High halves of ramdisk_image, ramdisk_size and cmd_line_ptr. */
  EXT_RAMDISK_IMAGE: 0x0c0,
  EXT_RAMDISK_SIZE: 0x0c4,
  EXT_CMD_LINE_PTR: 0x0c8,
  /** u8: entries used of the table. */
  E820_ENTRIES: 0x1e8,
  /** u8: must be zero, else the kernel distrusts what lies around the header. */
  SENTINEL: 0x1ef,
  E820_TABLE: 0x2d0,
} as const;

/** E820_MAX_ENTRIES_ZEROPAGE, and the packed entry: u64 address, u64 size, u32 type. */
export const E820_TABLE_ENTRIES = 128;
export const E820_ENTRY_SIZE = 20;

/** type_of_loader: no identifier assigned. */
export const LOADER_UNDEFINED = 0xff;

/** Longest command line, with NUL, that x86 kernels keep (COMMAND_LINE_SIZE); an ELF does not say its own. */
export const LINUX_COMMAND_LINE_SIZE = 2048;

/** initrd_addr_max of 64-bit kernels, for images without a header. */
export const LINUX_INITRD_ADDR_MAX = 0x7fff_ffff;

/** struct setup_data: next u64, type u32, length u32, contents. */
export const SETUP_DATA = { TYPE: 8, LENGTH: 12, HEADER_SIZE: 16, ALIGNMENT: 8 } as const;
/** Types, arch/x86/include/uapi/asm/setup_data.h. */
export const SETUP_TYPE = { RNG_SEED: 9 } as const;
