/**
 * Numbers of partition tables: UEFI 2.10 §5.2.3 (protective MBR), §5.3 (GPT); the PC's boot sector; BSD's struct disklabel
 * (FreeBSD sys/disk/bsd.h, NetBSD sys/disklabel.h, OpenBSD sys/disklabel.h); types of the Discoverable Partitions
 * Specification. Numbers only.
 */

/** Sector sizes that disks have, the usual one first. */
export const SECTOR_SIZES = [512, 4096] as const;

/** GPT header, offsets in its sector. */
export const GPT = {
  SIGNATURE: "EFI PART",
  HEADER_LBA: 1,
  HEADER_SIZE_AT: 12,
  HEADER_CRC: 16,
  MY_LBA: 24,
  ALTERNATE_LBA: 32,
  FIRST_USABLE: 40,
  LAST_USABLE: 48,
  DISK_GUID: 56,
  ENTRIES_LBA: 72,
  ENTRY_COUNT: 80,
  ENTRY_SIZE: 84,
  ENTRIES_CRC: 88,
  SMALLEST_HEADER: 92,
  SMALLEST_ENTRY: 128,
} as const;

/** GPT entry. */
export const GPT_ENTRY = {
  TYPE: 0,
  GUID: 16,
  FIRST: 32,
  LAST: 40,
  ATTRIBUTES: 48,
  NAME: 56,
  NAME_SIZE: 72,
} as const;

/** Attribute bits of every GPT entry. */
export const GPT_ATTRIBUTES: readonly (readonly [bit: number, name: string])[] = [
  [0, "required"],
  [1, "no block IO"],
  [2, "legacy BIOS bootable"],
];

/** Types of GPT partitions by GUID, as people call them. */
export const GPT_TYPES: Readonly<Record<string, string>> = {
  "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI System",
  "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
  "024dee41-33e7-11d3-9d69-0008c781f39f": "MBR partition scheme",
  "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Microsoft basic data",
  "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
  "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux filesystem",
  "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
  "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
  "a19d880f-05fc-4d3b-a006-743f0f84911e": "Linux RAID",
  "ca7d7ccb-63ed-4c53-861c-1742536059cc": "Linux LUKS",
  "933ac7e1-2eb4-4f13-b844-0e14e2aef915": "Linux home",
  "3b8f8425-20e0-4f3b-907f-1a25a76f98e8": "Linux server data",
  "bc13c2ff-59e6-4262-a352-b275fd6f7172": "Linux extended boot",
  "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
  "44479540-f297-41b2-9af7-d131d5f0458a": "Linux root (x86)",
  "b921b045-1df0-41c3-af44-4c6f280d3fae": "Linux root (ARM64)",
  "69dad710-2ce4-4e3c-b16c-21a1d49abed3": "Linux root (ARM)",
  "83bd6b9d-7f41-11dc-be0b-001560b84f0f": "FreeBSD boot",
  "516e7cb4-6ecf-11d6-8ff8-00022d09712b": "FreeBSD data (disklabel)",
  "516e7cb5-6ecf-11d6-8ff8-00022d09712b": "FreeBSD swap",
  "516e7cb6-6ecf-11d6-8ff8-00022d09712b": "FreeBSD UFS",
  "516e7cb8-6ecf-11d6-8ff8-00022d09712b": "FreeBSD vinum",
  "516e7cba-6ecf-11d6-8ff8-00022d09712b": "FreeBSD ZFS",
  "49f48d32-b10e-11dc-b99b-0019d1879648": "NetBSD swap",
  "49f48d5a-b10e-11dc-b99b-0019d1879648": "NetBSD FFS",
  "49f48d82-b10e-11dc-b99b-0019d1879648": "NetBSD LFS",
  "49f48daa-b10e-11dc-b99b-0019d1879648": "NetBSD RAID",
  "824cc7a0-36a8-11e3-890a-952519ad3f61": "OpenBSD data",
  "6a898cc3-1dd2-11b2-99a6-080020736631": "ZFS",
};

/** The type GUIDs that decide something. */
export const GPT_TYPE = {
  EFI_SYSTEM: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
  EXTENDED_BOOT: "bc13c2ff-59e6-4262-a352-b275fd6f7172",
  LINUX_ROOT_X86_64: "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
} as const;

/** Boot sector with a partition table. */
export const MBR = {
  DISK_SIGNATURE: 440,
  TABLE: 446,
  ENTRY_SIZE: 16,
  ENTRIES: 4,
  MARK_AT: 510,
  MARK: 0xaa55,
  ACTIVE: 0x80,
} as const;

/** An entry of it. */
export const MBR_ENTRY = { STATUS: 0, TYPE: 4, FIRST: 8, COUNT: 12 } as const;

/** The types that decide something. */
export const MBR_TYPE = {
  EXTENDED: [0x05, 0x0f, 0x85],
  PROTECTIVE: 0xee,
  EFI_SYSTEM: 0xef,
  EXTENDED_BOOT: 0xea,
  FREEBSD: 0xa5,
  OPENBSD: 0xa6,
  NETBSD: 0xa9,
} as const;

/** Types of MBR partitions, as people call them. */
export const MBR_TYPES: Readonly<Record<number, string>> = {
  0x01: "FAT12",
  0x04: "FAT16 (below 32 MiB)",
  0x05: "extended",
  0x06: "FAT16",
  0x07: "NTFS or exFAT",
  0x0b: "FAT32",
  0x0c: "FAT32 (LBA)",
  0x0e: "FAT16 (LBA)",
  0x0f: "extended (LBA)",
  0x17: "hidden NTFS or exFAT",
  0x82: "Linux swap",
  0x83: "Linux",
  0x85: "extended (Linux)",
  0x8e: "Linux LVM",
  0xa5: "FreeBSD",
  0xa6: "OpenBSD",
  0xa9: "NetBSD",
  0xea: "Linux extended boot",
  0xee: "GPT protective",
  0xef: "EFI System",
  0xfd: "Linux RAID",
};

/** struct disklabel. */
export const DISKLABEL = {
  /** In sectors of 512 bytes from the start of the disk or slice. */
  SECTOR: 1,
  MAGIC: 0x82564557,
  PACK_NAME: 24,
  PACK_NAME_SIZE: 16,
  SECTOR_SIZE: 40,
  SECTORS: 60,
  /** OpenBSD: version of the label; 1 when 64-bit fields are there. */
  OPENBSD_VERSION: 114,
  MAGIC2: 132,
  CHECKSUM: 136,
  COUNT: 138,
  PARTITIONS: 148,
  ENTRY_SIZE: 16,
  /** More than any of them has: OpenBSD has 52. */
  MOST: 64,
} as const;

/** A partition of a disklabel. */
export const DISKLABEL_ENTRY = { SIZE: 0, OFFSET: 4, OFFSET_HIGH: 8, SIZE_HIGH: 10, TYPE: 12 } as const;

/** fs types of disklabels. */
export const DISKLABEL_TYPES: Readonly<Record<number, string>> = {
  0: "unused",
  1: "swap",
  7: "4.2BSD",
  8: "MSDOS",
  9: "4.4LFS",
  12: "ISO9660",
  13: "boot",
  14: "vinum",
  15: "RAID",
  17: "ext2fs",
  27: "ZFS",
};

/** Partition c is the slice or the whole disk, d the whole disk of NetBSD on PCs. */
export const RAW_PARTITION = { c: 2, d: 3 } as const;
