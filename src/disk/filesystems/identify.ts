/** Which file system is it? Each is asked for its magic at its place, then whether the numbers beside it make sense. */
import type { BlockSource } from "../../block/backend.js";
import type { FileSystem } from "./file-system.js";
import { btrfs, ext, xfs } from "./linux.js";
import { luks, lvm2, swap } from "./containers.js";
import { erofs, iso9660, squashfs } from "./read-only.js";
import { ufs } from "./ufs.js";
import { vfat } from "./vfat.js";
import { zfs } from "./zfs.js";

type Probe = (source: BlockSource) => FileSystem | undefined;

/** Containers first: what they hold may show through. The last may lie beside what another left of itself. */
const PROBES: readonly Probe[] = [
  luks,
  lvm2,
  swap,
  xfs,
  ext,
  btrfs,
  squashfs,
  erofs,
  iso9660,
  ufs,
  zfs,
  vfat,
];

/** What a partition or a disk holds; undefined when nothing is known. Throws only what `source` throws. */
export function identifyFileSystem(source: BlockSource): FileSystem | undefined {
  for (const probe of PROBES) {
    const found = probe(source);
    if (found !== undefined) return found;
  }
  return undefined;
}
