/** What a disk would boot: by whichever boot loader's configuration is on it, in the order in which they are asked. */
import type { Disk } from "../disk.js";
import { readableVolumes, type BootEntry, type Search } from "./entry.js";
import { findExtlinux } from "./extlinux.js";
import { findGrub } from "./grub.js";
import { findKernelFiles } from "./kernel-files.js";
import { findLoaderSpec } from "./loader-spec.js";

export interface FoundEntry {
  readonly entry?: BootEntry;
  /** What was found on the way and could not be used, for people. */
  readonly notes: readonly string[];
}

/** Notes that are kept: a hostile disk may give cause for many. */
const MOST_NOTES = 64;

const FINDERS = [findLoaderSpec, findGrub, findExtlinux, findKernelFiles];

/** Throws only what the disk's source throws. */
export function findBootEntry(disk: Disk): FoundEntry {
  const notes: string[] = [];
  const note = (text: string): void => {
    if (notes.length < MOST_NOTES) notes.push(text);
  };
  const search: Search = { disk, volumes: readableVolumes(disk, note), note };
  for (const find of FINDERS) {
    const entry = find(search);
    if (entry !== undefined) return { entry, notes };
  }
  return { notes };
}
