/** What a boot loader's configuration comes to, whichever it is of. */
import { tryFilesOf, volumeName, type Disk, type Volume } from "../disk.js";
import type { FileTree, FoundFile } from "../files/tree.js";
import { BlockError } from "../../block/block-error.js";
import { GPT_TYPE, MBR_TYPE } from "../../spec/partition-tables.js";
import { hex } from "../../bytes/hex.js";

/** A volume whose files can be read. */
export interface ReadableVolume {
  readonly volume: Volume;
  readonly files: FileTree;
}

/** A file and where it is. */
export interface PlacedFile {
  readonly volume: Volume;
  readonly file: FoundFile;
}

/** A kernel with all that belongs to it. */
export interface BootEntry {
  readonly title: string;
  readonly kernel: PlacedFile;
  /** Their contents one after the other are the initrd. */
  readonly initrds: readonly PlacedFile[];
  /** Command line; undefined where whoever chose the kernel has none. */
  readonly options: string | undefined;
  /** For people: by what it was chosen. */
  readonly why: string;
}

/** What is looked through, and what is told on the way. */
export interface Search {
  readonly disk: Disk;
  readonly volumes: readonly ReadableVolume[];
  /** What was found and could not be used, for people. */
  note(text: string): void;
}

/** Bytes of a configuration that are read: people write them, or programs that list kernels. */
const LARGEST_TEXT = 2 ** 18;

/** The volumes with readable files: those that are made for booting first. */
export function readableVolumes(disk: Disk, note: (text: string) => void): ReadableVolume[] {
  const readable: ReadableVolume[] = [];
  for (const volume of disk.volumes) {
    const files = tryFilesOf(volume);
    if (files instanceof BlockError) note(`${volumeName(volume)}: ${files.message}`);
    else if (files !== undefined) readable.push({ volume, files });
  }
  return readable.sort((a, b) => bootRank(a.volume) - bootRank(b.volume));
}

const EXTENDED_BOOT: readonly string[] = [GPT_TYPE.EXTENDED_BOOT, hex(MBR_TYPE.EXTENDED_BOOT, 2)];
const EFI_SYSTEM: readonly string[] = [GPT_TYPE.EFI_SYSTEM, hex(MBR_TYPE.EFI_SYSTEM, 2)];

function bootRank({ partition }: Volume): number {
  const type = partition?.type ?? "";
  if (EXTENDED_BOOT.includes(type)) return 0;
  return EFI_SYSTEM.includes(type) ? 1 : 2;
}

/** What a path leads to; a damaged place is noted and is as if nothing were there. */
export function lookUp(
  search: Search,
  { volume, files }: ReadableVolume,
  path: string,
): FoundFile | undefined {
  try {
    return files.open(path);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    search.note(`${path} in ${volumeName(volume)}: ${error.message}`);
    return undefined;
  }
}

/** A configuration as text; undefined where there is none. */
export function readText(search: Search, volume: ReadableVolume, path: string): string | undefined {
  const found = lookUp(search, volume, path);
  if (found?.kind !== "file") return undefined;
  try {
    return new TextDecoder().decode(found.read(LARGEST_TEXT));
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    search.note(`${path} in ${volumeName(volume.volume)}: ${error.message}`);
    return undefined;
  }
}

/** Names in a folder; none where it is not there. */
export function namesIn(search: Search, volume: ReadableVolume, path: string): string[] {
  const found = lookUp(search, volume, path);
  if (found?.kind !== "folder") return [];
  try {
    return found.names();
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    search.note(`${path} in ${volumeName(volume.volume)}: ${error.message}`);
    return [];
  }
}

const BOOT_FOLDER = "/boot";

/**
 * A kernel or initrd that a configuration of `volume` names. A boot partition of its own is seen as /boot by the system that wrote
 * the path: where that stands before it, it is left out.
 */
export function placedFile(search: Search, volume: ReadableVolume, path: string): PlacedFile | undefined {
  const ways = [path];
  if (path.startsWith(`${BOOT_FOLDER}/`)) ways.push(path.slice(BOOT_FOLDER.length));
  for (const way of ways) {
    const file = lookUp(search, volume, way);
    if (file?.kind === "file") return { volume: volume.volume, file };
  }
  return undefined;
}

/** What a configuration says, before it is known whether its files are there. */
export interface WantedEntry {
  title: string;
  kernel: string;
  initrds: readonly string[];
  options: string | undefined;
  why: string;
}

/** An entry with its files; undefined, and noted, where one is missing. */
export function wholeEntry(search: Search, from: ReadableVolume, wanted: WantedEntry): BootEntry | undefined {
  const { title, kernel, initrds, options, why } = wanted;
  const place = (path: string): PlacedFile | undefined => {
    const found = placedFile(search, from, path);
    if (found === undefined)
      search.note(`"${title}" (${why}) names ${path}, which is not in ${volumeName(from.volume)}`);
    return found;
  };
  const kernelFile = place(kernel);
  if (kernelFile === undefined) return undefined;
  const placed: PlacedFile[] = [];
  for (const path of initrds) {
    const found = place(path);
    if (found === undefined) return undefined;
    placed.push(found);
  }
  return { title, kernel: kernelFile, initrds: placed, options, why };
}
