/**
 * Numbers of PC firmware images: where they end, the reset vector, the fields in the last paragraph, option ROMs.
 *
 * Specification: Intel SDM vol. 3A §9.1.4 (first instruction); IBM PC/AT technical reference (date, model byte); Plug and
 * Play BIOS specification 1.0a §3 (option ROM header); UEFI PI 1.7 vol. 3 §3.2.1 (firmware volume header).
 */

/** Images in use: 64 KiB (qboot) to 4 MiB (OVMF); chip sets decode at most 16 MiB below 4 GiB. */
export const FIRMWARE_SIZE = { LEAST: 0x1_0000, MOST: 0x100_0000, UNIT: 0x1000 } as const;

/** The first instruction lies this far before the end, guest-physical 0xfffffff0. */
export const RESET_VECTOR_FROM_END = 0x10;
/** Offsets in the last paragraph. */
export const LAST_PARAGRAPH = { DATE: 5, DATE_SIZE: 8, MODEL: 14 } as const;
/** MM/DD/YY. */
export const BIOS_DATE = /^\d\d\/\d\d\/\d\d$/;

/** Instructions that reset vectors begin with, and jumps. */
export const RESET_CODE = {
  NOP: 0x90,
  CLI: 0xfa,
  CLD: 0xfc,
  TWO_BYTE: 0x0f,
  WBINVD: 0x09,
  MOV_FROM_CR: 0x20,
  TEST_AL: 0xa8,
  JZ: 0x74,
  JNZ: 0x75,
  JMP_SHORT: 0xeb,
  JMP_NEAR: 0xe9,
  JMP_FAR: 0xea,
} as const;

/** A UEFI firmware volume has this at this offset. */
export const FIRMWARE_VOLUME = { OFFSET: 0x28, MAGIC: "_FVH" } as const;

/** Option ROM: 0xaa55, size in 512-byte blocks, init entry, …, pointer to the Plug and Play header. */
export const OPTION_ROM = {
  MAGIC: 0xaa55,
  BLOCK: 512,
  SIZE: 2,
  INIT: 3,
  PNP_POINTER: 0x1a,
} as const;

/** Plug and Play expansion header. */
export const PNP_HEADER = {
  MAGIC: "$PnP",
  REVISION: 4,
  /** In paragraphs. */
  LENGTH: 5,
  CHECKSUM: 9,
  MANUFACTURER: 0x0e,
  PRODUCT: 0x10,
  TYPE: 0x12,
  INDICATORS: 0x15,
  BOOT_ENTRY: 0x1a,
  SIZE: 0x20,
  REVISION_1: 1,
  /** Device indicators: an initial program load device. */
  IPL_DEVICE: 0x04,
} as const;
