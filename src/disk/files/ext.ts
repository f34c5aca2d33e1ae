/**
 * Files of ext2, ext3 and ext4: block maps and extents, folders read from end to end (which holds for those with an index as well),
 * data inside inodes. Checksums of metadata are not checked: what they would show is found where it does harm.
 */
import { hex } from "../../bytes/hex.js";
import { ByteView } from "../../bytes/byte-view.js";
import { TWO_32 } from "../../bytes/words.js";
import type { BlockSource } from "../../block/backend.js";
import { BlockError } from "../../block/block-error.js";
import {
  EXT,
  EXT_ATTRIBUTE,
  EXT_ENTRY,
  EXT_EXTENT,
  EXT_GROUP,
  EXT_INODE,
  EXT_INODE_FLAG,
} from "../../spec/ext.js";
import { readAt } from "../source.js";
import { readExtLayout, type ExtLayout } from "./ext-layout.js";
import type { FileNode, FolderEntry, NodeKind, TreeReader } from "./tree.js";

export interface ExtNode extends FileNode {
  readonly inode: number;
  readonly flags: number;
  /** The whole inode; its base is where it stands. */
  readonly view: ByteView;
}

type ExtEntry = FolderEntry<ExtNode>;

/** Consecutive blocks of a file. */
interface Run {
  /** Block of the file. */
  logical: number;
  /** Block of the disk. */
  physical: number;
  count: number;
}

const DAMAGED = "The file system is damaged: e2fsck repairs it.";
/** Bytes of a folder: half a million entries. */
const LARGEST_FOLDER = 2 ** 24;
/** Blocks of an extent tree or of a map that are read for one file. */
const MOST_TREE_BLOCKS = 16384;
/** Folders whose entries are kept. */
const MOST_FOLDERS = 64;
const NAME_DECODER = new TextDecoder();

const KINDS: Readonly<Record<number, NodeKind>> = { 0x4: "folder", 0x8: "file", 0xa: "link" };
const KIND_SHIFT = 12;

export class ExtReader implements TreeReader<ExtNode> {
  readonly layout: ExtLayout;
  readonly root: ExtNode;
  readonly #folders = new Map<number, Map<string, ExtEntry>>();

  /** Throws BlockError for a file system that this cannot read. */
  constructor(readonly source: BlockSource) {
    this.layout = readExtLayout(source);
    this.root = this.#inode(EXT.ROOT_INODE);
  }

  list(folder: ExtNode): readonly ExtEntry[] {
    return [...this.#entries(folder).values()];
  }

  find(folder: ExtNode, name: string): ExtEntry | undefined {
    return this.#entries(folder).get(name);
  }

  read(node: ExtNode, limit: number): Uint8Array {
    const { size, flags, kind, view } = node;
    if (size > limit)
      throw new BlockError(
        view.base,
        `${size} bytes in inode ${node.inode}`,
        `${limit} at most`,
        "It is not what it is taken for.",
      );
    if ((flags & EXT_INODE_FLAG.ENCRYPTED) !== 0)
      throw new BlockError(
        view.base,
        `inode ${node.inode} encrypted`,
        "a file that can be read",
        "Its key is not on the disk.",
      );
    if ((flags & EXT_INODE_FLAG.INLINE) !== 0) return this.#inline(node).subarray(0, size);
    if (kind === "link" && size < EXT_INODE.BLOCKS_SIZE && (flags & EXT_INODE_FLAG.EXTENTS) === 0)
      return view.slice(EXT_INODE.BLOCKS, size);
    return this.#blocks(node);
  }

  #inode(inode: number): ExtNode {
    const { inodes, inodesPerGroup, inodeSize, blockSize } = this.layout;
    if (inode < 1 || inode > inodes) throw new BlockError(0, `inode ${inode}`, `1 to ${inodes}`, DAMAGED);
    const index = inode - 1;
    const table = this.#inodeTable(Math.floor(index / inodesPerGroup));
    const view = readAt(this.source, table * blockSize + (index % inodesPerGroup) * inodeSize, inodeSize);
    const kind = KINDS[view.u16(EXT_INODE.MODE) >> KIND_SHIFT] ?? "other";
    const high = kind === "file" || kind === "folder" ? view.u32(EXT_INODE.SIZE_HIGH) : 0;
    const size = high * TWO_32 + view.u32(EXT_INODE.SIZE);
    return { kind, size, inode, flags: view.u32(EXT_INODE.FLAGS), view };
  }

  /** First block of a group's inodes. */
  #inodeTable(group: number): number {
    const { wide, descriptorSize } = this.layout;
    const descriptor = readAt(this.source, this.layout.descriptorAt(group), descriptorSize);
    const high =
      wide && descriptorSize > EXT.OLD_DESCRIPTOR_SIZE ? descriptor.u32(EXT_GROUP.INODE_TABLE_HIGH) : 0;
    return high * TWO_32 + descriptor.u32(EXT_GROUP.INODE_TABLE);
  }

  /** Content in blocks; holes are zeros. */
  #blocks({ size, flags, view }: ExtNode): Uint8Array {
    const { blockSize } = this.layout;
    const blocks = Math.ceil(size / blockSize);
    const runs =
      (flags & EXT_INODE_FLAG.EXTENTS) !== 0 ? this.#extents(view, blocks) : this.#map(view, blocks);
    const bytes = new Uint8Array(size);
    for (const { logical, physical, count } of runs) {
      const at = logical * blockSize;
      this.source.read(physical * blockSize, bytes.subarray(at, Math.min(size, at + count * blockSize)));
    }
    return bytes;
  }

  #block(block: number): ByteView {
    const { blockSize } = this.layout;
    return readAt(this.source, block * blockSize, blockSize);
  }

  /** The runs of an extent tree, which must stand in order: then all of them together are no more than the file. */
  #extents(inode: ByteView, blocks: number): Run[] {
    const runs: Run[] = [];
    let end = 0;
    let read = 0;
    const visit = (node: ByteView, deepest: number): void => {
      const depth = node.u16(EXT_EXTENT.DEPTH);
      const count = node.u16(EXT_EXTENT.COUNT);
      const fits = node.holds(EXT_EXTENT.HEADER, count * EXT_EXTENT.ENTRY);
      if (node.u16(0) !== EXT_EXTENT.MAGIC || !fits || depth > deepest || ++read > MOST_TREE_BLOCKS)
        throw new BlockError(
          node.base,
          "a node of extents that makes no sense",
          "one of the level above",
          DAMAGED,
        );
      for (let i = 0; i < count; i++) {
        const at = EXT_EXTENT.HEADER + i * EXT_EXTENT.ENTRY;
        const logical = node.u32(at);
        if (logical >= blocks) return;
        if (depth > 0) {
          visit(this.#block(node.u16(at + 8) * TWO_32 + node.u32(at + 4)), depth - 1);
          continue;
        }
        const length = node.u16(at + 4);
        if (logical < end)
          throw new BlockError(node.base + at, `an extent of block ${logical}`, `${end} or above`, DAMAGED);
        const unwritten = length > EXT_EXTENT.INITIALISED;
        const used = Math.min(unwritten ? length - EXT_EXTENT.INITIALISED : length, blocks - logical);
        end = logical + used;
        const physical = node.u16(at + 6) * TWO_32 + node.u32(at + 8);
        if (!unwritten && used > 0) runs.push({ logical, physical, count: used });
      }
    };
    visit(inode.view(EXT_INODE.BLOCKS, EXT_INODE.BLOCKS_SIZE), EXT_EXTENT.DEEPEST);
    return runs;
  }

  /** The runs of the map of ext2 and ext3: twelve blocks, then blocks of numbers, of one level to three. */
  #map(inode: ByteView, blocks: number): Run[] {
    const runs: Run[] = [];
    const perBlock = this.layout.blockSize / 4;
    let logical = 0;
    let read = 0;
    const add = (physical: number): void => {
      const last = runs[runs.length - 1];
      if (physical !== 0) {
        if (
          last !== undefined &&
          last.logical + last.count === logical &&
          last.physical + last.count === physical
        )
          last.count++;
        else runs.push({ logical, physical, count: 1 });
      }
      logical++;
    };
    const visit = (block: number, level: number): void => {
      if (block === 0) {
        logical += perBlock ** level;
        return;
      }
      if (++read > MOST_TREE_BLOCKS)
        throw new BlockError(inode.base, "a map without an end", "one of a file", DAMAGED);
      const numbers = this.#block(block);
      for (let i = 0; i < perBlock && logical < blocks; i++) {
        if (level === 1) add(numbers.u32(i * 4));
        else visit(numbers.u32(i * 4), level - 1);
      }
    };
    const own = inode.view(EXT_INODE.BLOCKS, EXT_INODE.BLOCKS_SIZE);
    for (let i = 0; i < EXT_INODE.DIRECT && logical < blocks; i++) add(own.u32(i * 4));
    for (let level = 1; level <= EXT_INODE.LEVELS && logical < blocks; level++)
      visit(own.u32((EXT_INODE.DIRECT + level - 1) * 4), level);
    return runs;
  }

  /** What is kept in the inode: where its block numbers would be, and the rest in an attribute. */
  #inline({ view }: ExtNode): Uint8Array {
    const first = view.slice(EXT_INODE.BLOCKS, EXT_INODE.BLOCKS_SIZE);
    const rest = inlineAttribute(view);
    const bytes = new Uint8Array(first.length + rest.length);
    bytes.set(first);
    bytes.set(rest, first.length);
    return bytes;
  }

  #entries(folder: ExtNode): Map<string, ExtEntry> {
    const known = this.#folders.get(folder.inode);
    if (known !== undefined) return known;
    const entries = new Map<string, ExtEntry>();
    for (const part of this.#folderParts(folder)) {
      for (const { name, inode } of folderEntries(part)) {
        if (name !== "." && name !== "..") entries.set(name, { name, node: () => this.#inode(inode) });
      }
    }
    if (this.#folders.size >= MOST_FOLDERS) this.#folders.clear();
    this.#folders.set(folder.inode, entries);
    return entries;
  }

  /** Pieces of a folder that entries do not cross. */
  #folderParts(folder: ExtNode): ByteView[] {
    const { blockSize } = this.layout;
    const bytes = this.read(folder, LARGEST_FOLDER);
    // The parent's inode stands first.
    const starts =
      (folder.flags & EXT_INODE_FLAG.INLINE) !== 0
        ? [4, EXT_INODE.BLOCKS_SIZE]
        : blockStarts(bytes.length, blockSize);
    return starts
      .filter((start) => start < bytes.length)
      .map((start, i) => new ByteView(bytes.subarray(start, starts[i + 1] ?? bytes.length), start));
  }
}

function blockStarts(size: number, blockSize: number): number[] {
  return Array.from({ length: Math.ceil(size / blockSize) }, (_, i) => i * blockSize);
}

function folderEntries(part: ByteView): { name: string; inode: number }[] {
  const entries: { name: string; inode: number }[] = [];
  let at = 0;
  while (part.holds(at, EXT_ENTRY.SMALLEST)) {
    const inode = part.u32(at + EXT_ENTRY.INODE);
    const length = entryLength(part.u16(at + EXT_ENTRY.LENGTH));
    // A hole in a folder.
    if (length === 0 && inode === 0) return entries;
    const nameLength = part.u8(at + EXT_ENTRY.NAME_LENGTH);
    if (length < EXT_ENTRY.SMALLEST + nameLength || !part.holds(at, length))
      throw new BlockError(
        part.base + at,
        `a folder's entry of ${length} bytes`,
        "one that holds its name",
        DAMAGED,
      );
    if (inode !== 0)
      entries.push({ name: NAME_DECODER.decode(part.slice(at + EXT_ENTRY.NAME, nameLength)), inode });
    at += length;
  }
  return entries;
}

/** Blocks of 64 KiB need more than 16 bits: the lowest two, which are zero in every length, are the highest. */
function entryLength(stored: number): number {
  const WHOLE = 0xffff;
  return stored === WHOLE ? WHOLE + 1 : (stored & ~3) | ((stored & 3) << 16);
}

/** Value of system.data; empty where there is none. */
function inlineAttribute(inode: ByteView): Uint8Array {
  const none = new Uint8Array(0);
  if (!inode.holds(EXT_INODE.EXTRA_SIZE, 2)) return none;
  const at = EXT.OLD_INODE_SIZE + inode.u16(EXT_INODE.EXTRA_SIZE);
  if (!inode.holds(at, 4) || inode.u32(at) !== EXT_ATTRIBUTE.MAGIC) return none;
  const first = at + 4;
  let entry = first;
  while (inode.holds(entry, EXT_ATTRIBUTE.ENTRY) && inode.u32(entry) !== 0) {
    const nameLength = inode.u8(entry + EXT_ATTRIBUTE.NAME_LENGTH);
    const isData =
      inode.u8(entry + EXT_ATTRIBUTE.NAME_INDEX) === EXT_ATTRIBUTE.SYSTEM &&
      nameLength === EXT_ATTRIBUTE.DATA.length &&
      inode.matches(entry + EXT_ATTRIBUTE.ENTRY, EXT_ATTRIBUTE.DATA);
    if (isData) {
      const value = first + inode.u16(entry + EXT_ATTRIBUTE.VALUE);
      const size = inode.u32(entry + EXT_ATTRIBUTE.VALUE_SIZE);
      const inside = inode.u32(entry + EXT_ATTRIBUTE.VALUE_INODE) === 0 && inode.holds(value, size);
      if (inside) return inode.slice(value, size);
      throw new BlockError(
        inode.base + entry,
        `data of ${hex(size)} bytes outside its inode`,
        "it inside",
        DAMAGED,
      );
    }
    entry += EXT_ATTRIBUTE.ENTRY + Math.ceil(nameLength / 4) * 4;
  }
  return none;
}
