/**
 * The qcow2 image format as its specification names things. Numbers are big-endian.
 *
 * Specification: QEMU, docs/interop/qcow2.rst.
 */

/** "QFI" and 0xfb. */
export const QCOW2_MAGIC = [0x51, 0x46, 0x49, 0xfb] as const;

/** Offsets in the header ("Header"). */
export const QCOW2_HEADER = {
  version: 4,
  backingFileOffset: 8,
  backingFileSize: 16,
  clusterBits: 20,
  size: 24,
  cryptMethod: 32,
  l1Size: 36,
  l1TableOffset: 40,
  refcountTableOffset: 48,
  refcountTableClusters: 56,
  snapshotCount: 60,
  snapshotsOffset: 64,
  /** From here on version 3 only. */
  incompatibleFeatures: 72,
  compatibleFeatures: 80,
  autoclearFeatures: 88,
  refcountOrder: 96,
  headerLength: 100,
  compressionType: 104,
} as const;

export const QCOW2_V2_HEADER_LENGTH = 72;
export const QCOW2_V3_HEADER_LENGTH = 104;
/** Of version 2, 16 bits. */
export const QCOW2_V2_REFCOUNT_ORDER = 4;
export const QCOW2_MAX_REFCOUNT_ORDER = 6;
export const QCOW2_MIN_CLUSTER_BITS = 9;
export const QCOW2_MAX_CLUSTER_BITS = 21;
/** "Length of the backing file name in bytes. Must not be longer than 1023 bytes." */
export const QCOW2_MAX_BACKING_NAME = 1023;
/** What QEMU takes at most (block/qcow2.h): QCOW_MAX_L1_SIZE and QCOW_MAX_REFTABLE_SIZE, bytes. */
export const QCOW2_MAX_L1_BYTES = 0x200_0000;
export const QCOW2_MAX_REFCOUNT_TABLE_BYTES = 0x80_0000;

/** Bits of incompatible_features. */
export const QCOW2_INCOMPATIBLE = {
  dirty: 1 << 0,
  corrupt: 1 << 1,
  externalData: 1 << 2,
  compressionType: 1 << 3,
  extendedL2: 1 << 4,
} as const;

export const QCOW2_COMPRESSION = { zlib: 0, zstd: 1 } as const;

/** Types of header extensions ("Header extensions"). */
export const QCOW2_EXTENSION = { end: 0, backingFormat: 0xe279_2aca } as const;

/** An entry of an L1 or L2 table, the upper and the lower 32 bits ("Cluster mapping"). */
export const QCOW2_ENTRY = {
  size: 8,
  /** Bit 63: the refcount is exactly one. */
  copiedHigh: 0x8000_0000,
  /** Bit 62: compressed. */
  compressedHigh: 0x4000_0000,
  /** Bits 32 to 55 of the offset. */
  offsetHigh: 0x00ff_ffff,
  /** Bits 9 to 31. */
  offsetLow: 0xffff_fe00,
  /** Bit 0 of a standard cluster, version 3: it reads as zeros. */
  zeroLow: 1,
} as const;

/** Compressed data is counted in sectors of so many bytes. */
export const QCOW2_SECTOR = 512;
/** Bits of a compressed cluster's descriptor beside the two flags. */
export const QCOW2_COMPRESSED_BITS = 62;
