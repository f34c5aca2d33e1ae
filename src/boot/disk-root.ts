/**
 * Which words tell a kernel that its root file system is on a disk: the partition is chosen by what is in it, the words follow the
 * names that each system has for the disk.
 *
 * Sources: Linux Documentation/admin-guide/kernel-parameters.txt, block/early-lookup.c; FreeBSD sys/kern/vfs_mountroot.c, geom/part;
 * NetBSD sys/kern/subr_disk_mbr.c (what has no label is partition a, slices without one are e and on), dev/dkwedge.
 */
import { tryFilesOf, volumeName, type Disk, type Volume } from "../disk/disk.js";
import { BlockError } from "../block/block-error.js";
import type { FileSystemType } from "../disk/filesystems/file-system.js";
import type { KernelSystem } from "../formats/elf/system.js";
import { GPT_TYPE } from "../spec/partition-tables.js";

/** Words for one system, and why, for people. */
export interface RootWords {
  readonly text: string;
  readonly why: string;
}

/** By system; one whose root is not on the disk is not there. */
export type DiskRoots = Partial<Record<KernelSystem, RootWords>>;

export interface Choice {
  readonly volume: Volume;
  readonly why: string;
}

const LINUX_TYPES: readonly FileSystemType[] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "squashfs", "erofs"];
const UFS_TYPES: readonly FileSystemType[] = ["ufs1", "ufs2"];
/** What a root file system has beside /etc. */
const ROOT_FOLDERS = ["/sbin", "/bin", "/usr", "/init"];
const ROOT_LABEL = /root/i;
const FIRST_LETTER = 0x61;
/** NetBSD: a to d are the whole and its own, primaries are e to h, logical ones follow. */
const FIRST_SLICE_LETTER = 0x65;

/**
 * The words for a disk's root.
 * @param disk what is on it.
 * @param index which of the machine's disks it is, from 0 on.
 */
export function rootWords(disk: Disk, index = 0): DiskRoots {
  const roots: DiskRoots = {};
  const linux = linuxRoot(disk);
  const text = linux && linuxWord(linux.volume, index);
  if (linux !== undefined && text !== undefined) roots.Linux = { text, why: linux.why };
  const bsd = ufsRoot(disk);
  if (bsd === undefined) return roots;
  roots.FreeBSD = { text: `vfs.root.mountfrom=ufs:/dev/${freeBsdName(bsd.volume, index)}`, why: bsd.why };
  const netBsd = netBsdName(disk, bsd.volume, index);
  if (netBsd !== undefined) roots.NetBSD = { text: `root=${netBsd}`, why: bsd.why };
  return roots;
}

function of({ volume, why }: Choice): Choice {
  return { volume, why: `${volumeName(volume)}: ${why}` };
}

function typed(disk: Disk, types: readonly FileSystemType[]): Volume[] {
  return disk.volumes.filter(({ fileSystem }) => fileSystem !== undefined && types.includes(fileSystem.type));
}

/** Where Linux's root is on a disk; undefined where nothing looks like one. */
export function linuxRoot(disk: Disk): Choice | undefined {
  const volumes = typed(disk, LINUX_TYPES);
  const byType = volumes.find(({ partition }) => partition?.type === GPT_TYPE.LINUX_ROOT_X86_64);
  if (byType !== undefined) return of({ volume: byType, why: "its type is Linux root (x86-64)" });
  const byFiles = volumes.find(looksLikeRoot);
  if (byFiles !== undefined) return of({ volume: byFiles, why: "it has /etc and what a root has beside it" });
  return byNameOrSize(volumes, "of Linux");
}

function byNameOrSize(volumes: readonly Volume[], whose: string): Choice | undefined {
  const mounted = volumes.find(({ fileSystem }) => fileSystem?.mountedOn === "/");
  if (mounted !== undefined) return of({ volume: mounted, why: "it was mounted on / last" });
  const named = volumes.find(
    ({ partition, fileSystem }) =>
      ROOT_LABEL.test(fileSystem?.label ?? "") || ROOT_LABEL.test(partition?.name ?? ""),
  );
  if (named !== undefined) return of({ volume: named, why: "it is named so" });
  if (volumes.length === 0) return undefined;
  const largest = volumes.reduce((a, b) => (b.source.size > a.source.size ? b : a));
  const why = volumes.length === 1 ? "the only file system" : "the largest file system";
  return of({ volume: largest, why: `${why} ${whose} on the disk` });
}

function looksLikeRoot(volume: Volume): boolean {
  const files = tryFilesOf(volume);
  if (files === undefined || files instanceof BlockError) return false;
  const has = (path: string): boolean => {
    try {
      return files.open(path) !== undefined;
    } catch (error) {
      if (error instanceof BlockError) return false;
      throw error;
    }
  };
  return has("/etc") && ROOT_FOLDERS.some(has);
}

/** PARTUUID is known without an initrd; a disk without partitions has only its name. */
function linuxWord({ partition }: Volume, index: number): string | undefined {
  if (partition === undefined) return `root=/dev/vd${String.fromCharCode(FIRST_LETTER + index)}`;
  return partition.uuid === undefined ? undefined : `root=PARTUUID=${partition.uuid}`;
}

function ufsRoot(disk: Disk): Choice | undefined {
  const volumes = typed(disk, UFS_TYPES);
  const first = volumes.find(({ partition }) => partition?.letter === "a");
  if (first !== undefined) return of({ volume: first, why: "it is partition a of its disklabel" });
  return byNameOrSize(volumes, "of the BSDs");
}

/** `vtbd0`, `vtbd0p2`, `vtbd0s1`, `vtbd0s1a`, `vtbd0a` */
function freeBsdName({ partition }: Volume, index: number): string {
  const device = `vtbd${index}`;
  if (partition === undefined) return device;
  const { number, letter, inSlice } = partition;
  if (letter !== undefined) return inSlice === true ? `${device}s${number}${letter}` : `${device}${letter}`;
  return `${device}${isGpt(partition.type) ? "p" : "s"}${number}`;
}

/** `ld0a`, `ld0e`, `dk1`; undefined where it has no name there. */
function netBsdName(disk: Disk, { partition }: Volume, index: number): string | undefined {
  const device = `ld${index}`;
  if (partition === undefined) return `${device}a`;
  if (partition.letter !== undefined) return `${device}${partition.letter}`;
  if (!isGpt(partition.type))
    return `${device}${String.fromCharCode(FIRST_SLICE_LETTER + partition.number - 1)}`;
  // Wedges are counted over all disks, in the order of their tables.
  const place = disk.table?.partitions.indexOf(partition) ?? -1;
  return index === 0 ? `dk${place}` : undefined;
}

/** Types of a GPT are GUIDs, those of an MBR two digits. */
function isGpt(type: string): boolean {
  return type.includes("-");
}
