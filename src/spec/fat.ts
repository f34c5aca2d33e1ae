/** Numbers of FAT12, FAT16 and FAT32 (Microsoft FAT specification, 2005; ECMA-107). Numbers only. */

/** Boot sector. */
export const FAT = {
  SIZE: 512,
  BYTES_PER_SECTOR: 11,
  SECTORS_PER_CLUSTER: 13,
  RESERVED: 14,
  FATS: 16,
  ROOT_ENTRIES: 17,
  SECTORS16: 19,
  MEDIA: 21,
  FAT_SIZE16: 22,
  SECTORS32: 32,
  FAT_SIZE32: 36,
  ROOT_CLUSTER: 44,
  MARK_AT: 510,
  MARK: 0xaa55,
  SECTOR_SIZES: [512, 1024, 2048, 4096],
} as const;

/** Serial number, label and name where FAT12 and FAT16 have them, and where FAT32 does. */
export const FAT_NAMES = {
  old: { serial: 39, label: 43, type: 54 },
  32: { serial: 67, label: 71, type: 82 },
} as const;
export const FAT_LABEL_SIZE = 11;
export const FAT_NO_NAME = "NO NAME    ";

/** Clusters below which it is FAT12, and FAT16. */
export const FAT_CLUSTERS = { FAT12: 4085, FAT16: 65525 } as const;

/** Directory entry. */
export const FAT_ENTRY = {
  SIZE: 32,
  NAME_SIZE: 11,
  ATTRIBUTES: 11,
  CASE: 12,
  CLUSTER_HIGH: 20,
  CLUSTER: 26,
  BYTES: 28,
  FREE: 0xe5,
  END: 0,
  /** Stands for 0xe5 as the first byte of a name. */
  KANJI: 0x05,
} as const;

export const FAT_ATTRIBUTE = { VOLUME: 0x08, FOLDER: 0x10, LONG: 0x0f } as const;

/** Lower case of the name and the extension, as Windows NT marks it. */
export const FAT_CASE = { NAME: 0x08, EXTENSION: 0x10 } as const;

/** Entry of a long name: 13 characters in three places. */
export const FAT_LONG = {
  ORDER: 0,
  LAST: 0x40,
  NUMBER: 0x3f,
  CHECKSUM: 13,
  PLACES: [
    [1, 5],
    [14, 6],
    [28, 2],
  ],
  /** Entries of one name: 255 characters. */
  MOST: 20,
} as const;
