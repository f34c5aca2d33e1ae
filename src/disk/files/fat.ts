/** Files of FAT12, FAT16 and FAT32, with long names. Names are found in any case, by the long or the short one. */
import { hex } from "../../bytes/hex.js";
import { ByteView } from "../../bytes/byte-view.js";
import type { BlockSource } from "../../block/backend.js";
import { BlockError } from "../../block/block-error.js";
import { FAT_ATTRIBUTE, FAT_CASE, FAT_ENTRY, FAT_LONG } from "../../spec/fat.js";
import { readAt, viewAt } from "../source.js";
import { utf16Text } from "../text.js";
import type { FatLayout } from "./fat-layout.js";
import type { FileNode, FolderEntry, TreeReader } from "./tree.js";

/** Cluster 0 is the root folder of FAT12 and FAT16, or an empty file. */
export interface FatNode extends FileNode {
  readonly cluster: number;
}

interface FatEntry extends FolderEntry<FatNode> {
  readonly short: string;
}

/** Bytes of a folder, as the specification bounds it. */
const LARGEST_FOLDER = 65536 * FAT_ENTRY.SIZE;
/** Of the FAT that is kept. */
const CHUNK = 4096;
const FIRST_CLUSTER = 2;
/** Entries at and above end a chain or are none, less the bits above. */
const LAST_CLUSTER = { 12: 0xff0, 16: 0xfff0, 32: 0xffffff0 } as const;
/** Bits of an entry of FAT32. */
const ENTRY_MASK = 0xfffffff;
const DAMAGED = "The file system is damaged: fsck.vfat repairs it.";

export class FatReader implements TreeReader<FatNode> {
  readonly root: FatNode;
  readonly #folders = new Map<number, FatEntry[]>();
  #chunk: { at: number; view: ByteView } | undefined;

  constructor(
    readonly source: BlockSource,
    readonly layout: FatLayout,
  ) {
    this.root = { kind: "folder", size: 0, cluster: layout.rootCluster };
  }

  list({ cluster }: FatNode): readonly FatEntry[] {
    const known = this.#folders.get(cluster);
    if (known !== undefined) return known;
    const entries = folderEntries(this.#folder(cluster));
    // A chain of folders on a damaged disk may not end.
    if (this.#folders.size >= MOST_FOLDERS) this.#folders.clear();
    this.#folders.set(cluster, entries);
    return entries;
  }

  find(folder: FatNode, name: string): FatEntry | undefined {
    const wanted = name.toLowerCase();
    const entries = this.list(folder);
    return (
      entries.find((one) => one.name.toLowerCase() === wanted) ??
      entries.find(({ short }) => short.toLowerCase() === wanted)
    );
  }

  read({ cluster, size }: FatNode, limit: number): Uint8Array {
    if (size > limit)
      throw new BlockError(
        0,
        `a file of ${size} bytes`,
        `${limit} at most`,
        "It is not what it is taken for.",
      );
    // What is larger than the disk is refused before memory is taken for it.
    if (size > this.source.size)
      throw new BlockError(0, `a file of ${size} bytes`, "less than the disk", DAMAGED);
    return this.#chain(cluster, size, true);
  }

  #folder(cluster: number): ByteView {
    const { root, bits } = this.layout;
    if (cluster === 0 && bits !== 32)
      return readAt(this.source, root.at, Math.min(root.size, LARGEST_FOLDER));
    return new ByteView(this.#chain(cluster, Math.min(LARGEST_FOLDER, this.source.size), false));
  }

  /** Up to `size` bytes of a chain of clusters; `exact`: an error where it has fewer. */
  #chain(first: number, size: number, exact: boolean): Uint8Array {
    const { clusterSize, data } = this.layout;
    const parts: [at: number, length: number][] = [];
    let total = 0;
    let cluster = first;
    while (total < size) {
      if (!this.#isCluster(cluster)) {
        if (!exact && total > 0) break;
        throw new BlockError(
          0,
          `a chain that ends with ${hex(cluster)} after ${total} bytes`,
          `${size} bytes`,
          DAMAGED,
        );
      }
      const at = data + (cluster - FIRST_CLUSTER) * clusterSize;
      const length = Math.min(clusterSize, size - total);
      const last = parts[parts.length - 1];
      if (last !== undefined && last[0] + last[1] === at) last[1] += length;
      else parts.push([at, length]);
      total += length;
      cluster = this.#next(cluster);
    }
    const bytes = new Uint8Array(total);
    let filled = 0;
    for (const [at, length] of parts) {
      this.source.read(at, bytes.subarray(filled, filled + length));
      filled += length;
    }
    return bytes;
  }

  #isCluster(cluster: number): boolean {
    const { clusters, bits } = this.layout;
    return cluster >= FIRST_CLUSTER && cluster < FIRST_CLUSTER + clusters && cluster < LAST_CLUSTER[bits];
  }

  #next(cluster: number): number {
    const { bits, fat } = this.layout;
    if (bits === 32) return this.#fatBytes(fat + cluster * 4, 4) & ENTRY_MASK;
    if (bits === 16) return this.#fatBytes(fat + cluster * 2, 2);
    const pair = this.#fatBytes(fat + cluster + (cluster >> 1), 2);
    return (cluster & 1) !== 0 ? pair >> 4 : pair & 0xfff;
  }

  #fatBytes(at: number, size: 2 | 4): number {
    let chunk = this.#chunk;
    if (chunk === undefined || at < chunk.at || at + size > chunk.at + chunk.view.length) {
      chunk = { at, view: readAt(this.source, at, Math.max(size, Math.min(CHUNK, this.source.size - at))) };
      this.#chunk = chunk;
    }
    return size === 4 ? chunk.view.u32(at - chunk.at) : chunk.view.u16(at - chunk.at);
  }
}

/** Folders whose entries are kept. */
const MOST_FOLDERS = 64;

/** Label that stands as an entry of the root folder; undefined where none does, or the folder cannot be read. */
export function fatVolumeLabel(source: BlockSource, layout: FatLayout): string | undefined {
  const { bits, root, rootCluster, data, clusterSize } = layout;
  const at = bits === 32 ? data + (rootCluster - FIRST_CLUSTER) * clusterSize : root.at;
  const folder = viewAt(source, at, bits === 32 ? clusterSize : Math.min(root.size, LARGEST_FOLDER));
  if (folder === undefined) return undefined;
  for (const entry of slots(folder)) {
    const attributes = entry.u8(FAT_ENTRY.ATTRIBUTES);
    const isLabel = (attributes & (FAT_ATTRIBUTE.VOLUME | FAT_ATTRIBUTE.FOLDER)) === FAT_ATTRIBUTE.VOLUME;
    if (isLabel && attributes !== FAT_ATTRIBUTE.LONG) return entry.latin1(0, FAT_ENTRY.NAME_SIZE).trimEnd();
  }
  return undefined;
}

/** The entries in use, long names' parts among them. */
function* slots(folder: ByteView): Generator<ByteView> {
  for (let at = 0; folder.holds(at, FAT_ENTRY.SIZE); at += FAT_ENTRY.SIZE) {
    const mark = folder.u8(at);
    if (mark === FAT_ENTRY.END) return;
    if (mark !== FAT_ENTRY.FREE) yield folder.view(at, FAT_ENTRY.SIZE);
  }
}

function folderEntries(folder: ByteView): FatEntry[] {
  const entries: FatEntry[] = [];
  let long: ByteView[] = [];
  for (const slot of slots(folder)) {
    const attributes = slot.u8(FAT_ENTRY.ATTRIBUTES);
    if (attributes === FAT_ATTRIBUTE.LONG) {
      if ((slot.u8(FAT_LONG.ORDER) & FAT_LONG.LAST) !== 0) long = [];
      if (long.length < FAT_LONG.MOST) long.push(slot);
      continue;
    }
    const parts = long;
    long = [];
    if ((attributes & FAT_ATTRIBUTE.VOLUME) !== 0) continue;
    const short = shortName(slot);
    if (short === "." || short === "..") continue;
    const isFolder = (attributes & FAT_ATTRIBUTE.FOLDER) !== 0;
    const node: FatNode = {
      kind: isFolder ? "folder" : "file",
      size: isFolder ? 0 : slot.u32(FAT_ENTRY.BYTES),
      cluster: slot.u16(FAT_ENTRY.CLUSTER_HIGH) * 0x10000 + slot.u16(FAT_ENTRY.CLUSTER),
    };
    entries.push({ name: longName(parts, slot) ?? short, short, node: () => node });
  }
  return entries;
}

function shortName(slot: ByteView): string {
  const BASE = 8;
  const bytes = slot.slice(0, FAT_ENTRY.NAME_SIZE).slice();
  if (bytes[0] === FAT_ENTRY.KANJI) bytes[0] = FAT_ENTRY.FREE;
  const text = String.fromCharCode(...bytes);
  const cases = slot.u8(FAT_ENTRY.CASE);
  const lower = (part: string, bit: number): string => ((cases & bit) !== 0 ? part.toLowerCase() : part);
  const base = lower(text.slice(0, BASE).trimEnd(), FAT_CASE.NAME);
  const extension = lower(text.slice(BASE).trimEnd(), FAT_CASE.EXTENSION);
  return extension === "" ? base : `${base}.${extension}`;
}

/** The long name before a short one: its parts stand last to first, each with the short name's checksum. */
function longName(parts: readonly ByteView[], slot: ByteView): string | undefined {
  if (parts.length === 0) return undefined;
  let sum = 0;
  for (const byte of slot.slice(0, FAT_ENTRY.NAME_SIZE)) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  const whole = parts.every(
    (part, index) =>
      (part.u8(FAT_LONG.ORDER) & FAT_LONG.NUMBER) === parts.length - index &&
      part.u8(FAT_LONG.CHECKSUM) === sum,
  );
  if (!whole) return undefined;
  const text = [...parts]
    .reverse()
    .flatMap((part) => FAT_LONG.PLACES.map(([at, units]) => rawUtf16(part, at, units)))
    .join("");
  const nul = text.indexOf("\0");
  return nul < 0 ? text : text.slice(0, nul);
}

/** Characters that fill the rest of the last part are no characters. */
function rawUtf16(part: ByteView, at: number, units: number): string {
  const text = utf16Text(part, at, units * 2);
  return text.length < units ? `${text}\0` : text;
}
