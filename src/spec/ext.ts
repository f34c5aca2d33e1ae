/** Numbers of ext2, ext3 and ext4 (Linux Documentation/filesystems/ext4, fs/ext4/ext4.h). Numbers only. */

/** Superblock. */
export const EXT = {
  AT: 1024,
  SIZE: 1024,
  INODES: 0,
  BLOCKS: 4,
  FIRST_DATA_BLOCK: 20,
  LOG_BLOCK_SIZE: 24,
  BLOCKS_PER_GROUP: 32,
  INODES_PER_GROUP: 40,
  MAGIC_AT: 56,
  MAGIC: 0xef53,
  REVISION: 76,
  INODE_SIZE: 88,
  COMPAT: 92,
  INCOMPAT: 96,
  RO_COMPAT: 100,
  UUID: 104,
  LABEL: 120,
  LABEL_SIZE: 16,
  LAST_MOUNTED: 136,
  LAST_MOUNTED_SIZE: 64,
  DESCRIPTOR_SIZE: 254,
  FIRST_META_GROUP: 260,
  BLOCKS_HIGH: 336,
  /** SPARSE_SUPER2: the two groups with copies of the superblock. */
  COPIES: [588, 592],
  LARGEST_LOG_BLOCK: 6,
  SMALLEST_BLOCK: 1024,
  OLD_INODE_SIZE: 128,
  OLD_DESCRIPTOR_SIZE: 32,
  ROOT_INODE: 2,
} as const;

export const EXT_COMPAT = { HAS_JOURNAL: 0x4, SPARSE_SUPER2: 0x200 } as const;
export const EXT_RO_COMPAT = { SPARSE_SUPER: 0x1 } as const;

export const EXT_INCOMPAT = {
  COMPRESSION: 0x1,
  FILETYPE: 0x2,
  RECOVER: 0x4,
  JOURNAL_DEV: 0x8,
  META_BG: 0x10,
  EXTENTS: 0x40,
  SIXTY_FOUR: 0x80,
  MMP: 0x100,
  FLEX_BG: 0x200,
  EA_INODE: 0x400,
  CSUM_SEED: 0x2000,
  LARGE_DIR: 0x4000,
  INLINE_DATA: 0x8000,
  ENCRYPT: 0x10000,
  CASEFOLD: 0x20000,
} as const;

/** What ext3 may have; with more it is ext4. */
export const EXT3_FEATURES = { INCOMPAT: 0x16, RO_COMPAT: 0x7 } as const;

/** Group descriptor. */
export const EXT_GROUP = { INODE_TABLE: 8, INODE_TABLE_HIGH: 40 } as const;

/** Inode. */
export const EXT_INODE = {
  MODE: 0,
  SIZE: 4,
  MODIFIED: 16,
  FLAGS: 32,
  BLOCKS: 40,
  BLOCKS_SIZE: 60,
  SIZE_HIGH: 108,
  EXTRA_SIZE: 128,
  DIRECT: 12,
  LEVELS: 3,
} as const;

export const EXT_INODE_FLAG = { ENCRYPTED: 0x800, EXTENTS: 0x80000, INLINE: 0x10000000 } as const;

/** Extent tree. */
export const EXT_EXTENT = {
  MAGIC: 0xf30a,
  HEADER: 12,
  ENTRY: 12,
  COUNT: 2,
  DEPTH: 6,
  DEEPEST: 5,
  /** Lengths above it are of extents that were never written. */
  INITIALISED: 32768,
} as const;

/** Directory entry. */
export const EXT_ENTRY = { INODE: 0, LENGTH: 4, NAME_LENGTH: 6, NAME: 8, SMALLEST: 8 } as const;

/** Extended attributes inside an inode: the rest of a file that is kept there is the value of system.data. */
export const EXT_ATTRIBUTE = {
  MAGIC: 0xea020000,
  ENTRY: 16,
  NAME_LENGTH: 0,
  NAME_INDEX: 1,
  VALUE: 2,
  VALUE_INODE: 4,
  VALUE_SIZE: 8,
  SYSTEM: 7,
  DATA: "data",
} as const;
