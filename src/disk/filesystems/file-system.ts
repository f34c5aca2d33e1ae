/** What a partition or a whole disk holds. */
import type { ByteView } from "../../bytes/byte-view.js";

export type FileSystemType =
  | "ext2"
  | "ext3"
  | "ext4"
  | "jbd"
  | "xfs"
  | "btrfs"
  | "vfat"
  | "swap"
  | "ufs1"
  | "ufs2"
  | "zfs"
  | "iso9660"
  | "squashfs"
  | "erofs"
  | "LVM2"
  | "LUKS1"
  | "LUKS2";

/** A file system, or a container of some, by its superblock. Labels and UUIDs are spelled as blkid spells them. */
export interface FileSystem {
  readonly type: FileSystemType;
  /** For people, where the type alone says too little: "FAT32", "UFS2 (FFSv2 of the BSDs)". */
  readonly meaning?: string;
  readonly label?: string;
  readonly uuid?: string;
  /** Bytes it takes, as it says. */
  readonly size?: number;
  /** Folder where it was mounted last, as it says: "/". */
  readonly mountedOn?: string;
  /** Byte of the partition or disk where its magic stands. */
  readonly offset: number;
}

/** The facts that are not empty; `offset` counts from the view's start. */
export function named(
  view: ByteView,
  facts: Omit<FileSystem, "uuid"> & { uuid?: string | undefined },
): FileSystem {
  const { label, uuid, mountedOn, ...rest } = facts;
  return {
    ...rest,
    offset: view.base + facts.offset,
    ...(label !== undefined && label !== "" && { label }),
    ...(uuid !== undefined && uuid !== "" && { uuid }),
    ...(mountedOn !== undefined && mountedOn !== "" && { mountedOn }),
  };
}
