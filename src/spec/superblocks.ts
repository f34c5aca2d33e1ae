/**
 * Where file systems and containers say what they are: offsets in their superblocks, each from the source that defines it.
 * ext, FAT: their own files (ext.ts, fat.ts). Numbers only.
 */

/** Linux fs/xfs/libxfs/xfs_format.h; big-endian. */
export const XFS = {
  MAGIC: "XFSB",
  BLOCK_SIZE: 4,
  BLOCKS: 8,
  UUID: 32,
  LABEL: 108,
  LABEL_SIZE: 12,
  SIZE: 512,
  BLOCK_SIZES: [512, 65536],
} as const;

/** Linux fs/btrfs, btrfs-progs ctree.h. */
export const BTRFS = {
  AT: 0x10000,
  MAGIC_AT: 0x40,
  MAGIC: "_BHRfS_M",
  UUID: 0x20,
  BYTES: 0x70,
  SECTOR_SIZE: 0x90,
  LABEL: 0x12b,
  LABEL_SIZE: 256,
  SIZE: 0x300,
} as const;

/** Linux include/linux/swap.h: the magic ends the first page. */
export const SWAP = {
  MAGIC: "SWAPSPACE2",
  OLD_MAGIC: "SWAP-SPACE",
  PAGE_SIZES: [4096, 8192, 16384, 65536],
  HEADER: 1024,
  VERSION: 0,
  LAST_PAGE: 4,
  UUID: 12,
  LABEL: 28,
  LABEL_SIZE: 16,
  SIZE: 44,
} as const;

/** FreeBSD sys/ufs/ffs/fs.h, NetBSD sys/ufs/ffs/fs.h. */
export const UFS = {
  /** SBLOCKSEARCH. */
  PLACES: [65536, 8192, 0, 262144],
  MAGIC_AT: 1372,
  MAGICS: { 0x011954: "ufs1", 0x19540119: "ufs2", 0x19012038: "ufs2" } as Readonly<Record<number, string>>,
  OLD_SIZE: 36,
  BLOCK_SIZE: 48,
  FRAGMENT_SIZE: 52,
  FRAGMENTS: 56,
  ID: 144,
  MOUNTED_ON: 212,
  MOUNTED_ON_SIZE: 468,
  VOLUME: 680,
  VOLUME_SIZE: 32,
  BLOCKS: 1080,
  SIZE: 1376,
  BLOCK_SIZES: [4096, 65536],
} as const;

/** OpenZFS include/sys/vdev_impl.h, uberblock_impl.h, nvpair.h: the first of the labels. */
export const ZFS = {
  PAIRS: 16384,
  PAIRS_SIZE: 114688,
  UBERBLOCKS: 131072,
  UBERBLOCKS_SIZE: 131072,
  UBERBLOCK: 1024,
  MAGIC: 0x00bab10c,
  XDR: 1,
  TYPE_UINT64: 8,
  TYPE_STRING: 9,
} as const;

/** ECMA-119 §8.4. */
export const ISO9660 = {
  AT: 0x8000,
  MAGIC_AT: 1,
  MAGIC: "CD001",
  VOLUME: 40,
  VOLUME_SIZE: 32,
  BLOCKS: 80,
  BLOCK_SIZE: 128,
  CREATED: 813,
  MODIFIED: 830,
  DATE_DIGITS: 16,
  SIZE: 2048,
} as const;

/** Linux fs/squashfs/squashfs_fs.h. */
export const SQUASHFS = { MAGIC: "hsqs", BLOCK_SIZE: 12, MAJOR: 28, BYTES: 40, SIZE: 96 } as const;

/** Linux fs/erofs/erofs_fs.h. */
export const EROFS = {
  AT: 1024,
  MAGIC: 0xe0f5e1e2,
  BLOCK_BITS: 12,
  BLOCKS: 36,
  UUID: 48,
  LABEL: 64,
  LABEL_SIZE: 16,
  SIZE: 128,
} as const;

/** LVM2 lib/format_text/layout.h, lib/label/label.h. */
export const LVM2 = {
  SECTOR: 512,
  SECTORS: 4,
  MAGIC: "LABELONE",
  OWN_SECTOR: 8,
  CONTENT: 20,
  TYPE_AT: 24,
  TYPE: "LVM2 001",
  UUID_SIZE: 32,
} as const;

/** LUKS1 on-disk format 1.2.3 §2.3; LUKS2 on-disk format 1.1.3 §2.1. Big-endian. */
export const LUKS = {
  MAGIC: [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe],
  VERSION: 6,
  LABEL: 24,
  LABEL_SIZE: 48,
  UUID: 168,
  UUID_SIZE: 40,
  SIZE: 512,
} as const;
