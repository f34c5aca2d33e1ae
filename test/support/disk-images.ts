/** Small disks written by tests: partition tables, FAT and ext with files in them. Independent of the readers in `src/disk`. */
import { ByteView } from "../../src/bytes/byte-view.js";
import type { BlockSource } from "../../src/block/backend.js";
import { crc32 } from "../../src/codecs/crc32.js";
import { memorySource } from "../../src/disk/source.js";

const SECTOR = 512;

/** A file's content, or a symbolic link. */
export type Content = Uint8Array | string | { link: string };
/** By path: "/boot/vmlinuz". Folders are made as they are needed. */
export type Files = Readonly<Record<string, Content>>;

const encoder = new TextEncoder();

function contentBytes(content: Content): Uint8Array {
  if (content instanceof Uint8Array) return content;
  return encoder.encode(typeof content === "string" ? content : content.link);
}

interface Tree {
  name: string;
  content?: Content;
  inside: Map<string, Tree>;
}

function treeOf(files: Files): Tree {
  const root: Tree = { name: "", inside: new Map() };
  for (const [path, content] of Object.entries(files)) {
    let at = root;
    for (const name of path.split("/").filter((one) => one !== "")) {
      const next = at.inside.get(name) ?? { name, inside: new Map<string, Tree>() };
      at.inside.set(name, next);
      at = next;
    }
    at.content = content;
  }
  return root;
}

export interface GptPartition {
  type: string;
  guid: string;
  first: number;
  last: number;
  name?: string;
  attributes?: bigint;
}

/** A GUID as EFI stores it. */
export function guidBytes(text: string): Uint8Array {
  const digits = text.replaceAll("-", "");
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => parseInt(digits.slice(i * 2, i * 2 + 2), 16));
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return Uint8Array.from(order, (from) => bytes[from]);
}

export const DISK_GUID = "12345678-9abc-def0-1122-334455667788";

export interface GptOptions {
  sectorSize?: number;
  protective?: boolean;
}

/** Writes both copies of a GPT into a disk, and a protective MBR. */
export function writeGpt(
  disk: Uint8Array,
  partitions: readonly (GptPartition | undefined)[],
  { sectorSize = SECTOR, protective = true }: GptOptions = {},
): void {
  const last = disk.length / sectorSize - 1;
  const count = 4;
  const entries = new ByteView(new Uint8Array(count * 128));
  partitions.forEach((one, index) => {
    if (one === undefined) return;
    const at = index * 128;
    entries.bytes.set(guidBytes(one.type), at);
    entries.bytes.set(guidBytes(one.guid), at + 16);
    entries.setU64(at + 32, one.first);
    entries.setU64(at + 40, one.last);
    entries.setU64(at + 48, one.attributes ?? 0n);
    [...(one.name ?? "")].forEach((letter, i) => entries.setU16(at + 56 + 2 * i, letter.charCodeAt(0)));
  });
  const copies = [
    [1, last, 2],
    [last, 1, last - 1],
  ];
  for (const [own, other, array] of copies) {
    const header = new ByteView(disk.subarray(own * sectorSize, (own + 1) * sectorSize));
    header.bytes.set(encoder.encode("EFI PART"), 0);
    header.setU32(8, 0x10000);
    header.setU32(12, 92);
    header.setU64(24, own);
    header.setU64(32, other);
    header.setU64(40, 3);
    header.setU64(48, last - 2);
    header.bytes.set(guidBytes(DISK_GUID), 56);
    header.setU64(72, array);
    header.setU32(80, count);
    header.setU32(84, 128);
    header.setU32(88, crc32(entries.bytes));
    sealGptHeader(header.bytes);
    disk.set(entries.bytes, array * sectorSize);
  }
  if (protective) writeMbr(disk, [{ type: 0xee, first: 1, count: last }]);
}

/** Puts the right checksum into a header. */
export function sealGptHeader(header: Uint8Array): void {
  const view = new ByteView(header);
  view.setU32(16, 0);
  view.setU32(16, crc32(header.subarray(0, 92)));
}

export interface MbrEntry {
  type: number;
  first: number;
  count: number;
  active?: boolean;
}

export const MBR_SIGNATURE = 0x1234abcd;

/** Writes a table into a sector: by default the first. */
export function writeMbr(disk: Uint8Array, entries: readonly (MbrEntry | undefined)[], sector = 0): void {
  const view = new ByteView(disk.subarray(sector * SECTOR, (sector + 1) * SECTOR));
  if (sector === 0) view.setU32(440, MBR_SIGNATURE);
  entries.forEach((one, index) => {
    if (one === undefined) return;
    const at = 446 + index * 16;
    view.setU8(at, one.active === true ? 0x80 : 0);
    view.setU8(at + 4, one.type);
    view.setU32(at + 8, one.first);
    view.setU32(at + 12, one.count);
  });
  view.setU16(510, 0xaa55);
}

export interface LabelEntry {
  offset: number;
  size: number;
  type: number;
}

/** Writes a disklabel into the second sector behind `start` bytes. */
export function writeDisklabel(
  disk: Uint8Array,
  start: number,
  partitions: readonly (LabelEntry | undefined)[],
  { openBsd = false }: { openBsd?: boolean } = {},
): void {
  const view = new ByteView(disk.subarray(start + SECTOR, start + 3 * SECTOR));
  view.setU32(0, 0x82564557);
  view.bytes.set(encoder.encode("fictitious"), 24);
  view.setU32(40, SECTOR);
  if (openBsd) view.setU16(114, 1);
  view.setU32(132, 0x82564557);
  view.setU16(138, partitions.length);
  partitions.forEach((one, index) => {
    if (one === undefined) return;
    const at = 148 + index * 16;
    view.setU32(at, one.size);
    view.setU32(at + 4, one.offset);
    view.setU8(at + 12, one.type);
  });
  view.setU16(136, 0);
  let sum = 0;
  for (let at = 0; at < 148 + partitions.length * 16; at += 2) sum ^= view.u16(at);
  view.setU16(136, sum);
}

export interface FatOptions {
  bits?: 12 | 16 | 32;
  label?: string;
  /** 512-byte sectors of a cluster. */
  perCluster?: number;
  clusters?: number;
}

const FAT_CLUSTERS = { 12: 200, 16: 5000, 32: 65600 } as const;

/** A FAT file system with files. */
export function fatImage(
  files: Files,
  { bits = 12, label, perCluster = 1, clusters = FAT_CLUSTERS[bits] }: FatOptions = {},
): Uint8Array {
  const reserved = bits === 32 ? 32 : 1;
  const fatSectors = Math.ceil(((clusters + 2) * bits) / 8 / SECTOR);
  const rootSectors = bits === 32 ? 0 : 4;
  const dataSector = reserved + fatSectors + rootSectors;
  const sectors = dataSector + clusters * perCluster;
  const disk = new Uint8Array(sectors * SECTOR);
  const view = new ByteView(disk);
  view.setU16(11, SECTOR);
  view.setU8(13, perCluster);
  view.setU16(14, reserved);
  view.setU8(16, 1);
  view.setU16(17, (rootSectors * SECTOR) / 32);
  if (sectors < 0x10000) view.setU16(19, sectors);
  else view.setU32(32, sectors);
  view.setU8(21, 0xf8);
  if (bits === 32) {
    view.setU32(36, fatSectors);
    view.setU32(44, 2);
  } else view.setU16(22, fatSectors);
  const names = bits === 32 ? 67 : 39;
  view.setU32(names, 0xabcd1234);
  view.bytes.set(encoder.encode((label ?? "NO NAME").padEnd(11)), names + 4);
  view.setU16(510, 0xaa55);

  let free = 2;
  const clusterSize = perCluster * SECTOR;
  const link = (cluster: number, next: number): void => {
    if (bits === 32) view.setU32(reserved * SECTOR + cluster * 4, next);
    else if (bits === 16) view.setU16(reserved * SECTOR + cluster * 2, next & 0xffff);
    else {
      const at = reserved * SECTOR + cluster + (cluster >> 1);
      const old = view.u16(at);
      view.setU16(
        at,
        (cluster & 1) !== 0 ? (old & 0xf) | ((next & 0xfff) << 4) : (old & 0xf000) | (next & 0xfff),
      );
    }
  };
  const store = (bytes: Uint8Array): number => {
    const count = Math.max(1, Math.ceil(bytes.length / clusterSize));
    const first = free;
    free += count;
    if (free > clusters + 2) throw new Error("the FAT image is full");
    for (let i = 0; i < count; i++) link(first + i, i === count - 1 ? 0x0fffffff : first + i + 1);
    disk.set(bytes, (dataSector + (first - 2) * perCluster) * SECTOR);
    return first;
  };
  // The root of FAT32 comes first.
  const rootSize = clusterSize * 8;
  const rootCluster = bits === 32 ? store(new Uint8Array(rootSize)) : 0;
  const folder = (tree: Tree, isRoot: boolean): Uint8Array => {
    const slots: Uint8Array[] = [];
    if (isRoot && label !== undefined) slots.push(fatSlot(label.padEnd(11), 0x08, 0, 0));
    let number = 0;
    for (const child of tree.inside.values()) {
      const isFolder = child.content === undefined;
      const bytes = isFolder ? folder(child, false) : contentBytes(child.content ?? "");
      const cluster = bytes.length === 0 ? 0 : store(bytes);
      const short = shortName(child.name) ?? `F${String(number++).padStart(7, "0")}   `;
      if (shortName(child.name) === undefined) slots.push(...longSlots(child.name, short));
      slots.push(fatSlot(short, isFolder ? 0x10 : 0x20, cluster, isFolder ? 0 : bytes.length));
    }
    const all = new Uint8Array(Math.max(1, slots.length + 1) * 32);
    slots.forEach((slot, i) => all.set(slot, i * 32));
    return all;
  };
  const root = folder(treeOf(files), true);
  if (bits === 32) disk.set(root, (dataSector + (rootCluster - 2) * perCluster) * SECTOR);
  else disk.set(root, (reserved + fatSectors) * SECTOR);
  return disk;
}

function shortName(name: string): string | undefined {
  const [, base, extension = ""] = /^([A-Z0-9_]{1,8})(?:\.([A-Z0-9_]{1,3}))?$/.exec(name) ?? [];
  return base === undefined ? undefined : base.padEnd(8) + extension.padEnd(3);
}

function fatSlot(name: string, attributes: number, cluster: number, size: number): Uint8Array {
  const view = new ByteView(new Uint8Array(32));
  view.bytes.set(encoder.encode(name), 0);
  view.setU8(11, attributes);
  view.setU16(20, cluster >>> 16);
  view.setU16(26, cluster & 0xffff);
  view.setU32(28, size);
  return view.bytes;
}

function longSlots(name: string, short: string): Uint8Array[] {
  let sum = 0;
  for (const byte of encoder.encode(short)) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  const places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
  const count = Math.ceil(name.length / places.length);
  return Array.from({ length: count }, (_, i) => {
    const order = count - i;
    const view = new ByteView(new Uint8Array(32).fill(0xff));
    view.setU8(0, order | (i === 0 ? 0x40 : 0));
    view.setU8(11, 0x0f);
    view.setU8(12, 0);
    view.setU8(13, sum);
    view.setU16(26, 0);
    places.forEach((place, j) => {
      const at = (order - 1) * places.length + j;
      if (at < name.length) view.setU16(place, name.charCodeAt(at));
      else if (at === name.length) view.setU16(place, 0);
    });
    return view.bytes;
  });
}

export interface ExtOptions {
  /** Extents instead of block maps. */
  extents?: boolean;
  label?: string;
  blocks?: number;
  mountedOn?: string;
}

const EXT_BLOCK = 1024;
const EXT_INODES = 64;
const INODE_TABLE = 5;

export const EXT_UUID = "00112233-4455-6677-8899-aabbccddeeff";

/** An ext2 file system of one group with files, or one with extents; its files lie one behind the other. */
export function extImage(
  files: Files,
  { extents = false, label = "", blocks = 128, mountedOn = "" }: ExtOptions = {},
): Uint8Array {
  const disk = new Uint8Array(blocks * EXT_BLOCK);
  const sb = new ByteView(disk.subarray(1024, 2048));
  sb.setU32(0, EXT_INODES);
  sb.setU32(4, blocks);
  sb.setU32(20, 1);
  sb.setU32(32, 8192);
  sb.setU32(40, EXT_INODES);
  sb.setU16(56, 0xef53);
  sb.setU32(76, 1);
  sb.setU16(88, 128);
  sb.setU32(96, extents ? 0x42 : 0x2);
  sb.bytes.set(
    Uint8Array.from({ length: 16 }, (_, i) => i * 0x11),
    104,
  );
  sb.bytes.set(encoder.encode(label), 120);
  sb.bytes.set(encoder.encode(mountedOn), 136);
  new ByteView(disk).setU32(2 * EXT_BLOCK + 8, INODE_TABLE);

  let freeBlock = INODE_TABLE + (EXT_INODES * 128) / EXT_BLOCK;
  let freeInode = 11;
  const take = (bytes: Uint8Array): [first: number, count: number] => {
    const count = Math.ceil(bytes.length / EXT_BLOCK);
    const first = freeBlock;
    freeBlock += count;
    if (freeBlock > blocks) throw new Error("the ext image is full");
    disk.set(bytes, first * EXT_BLOCK);
    return [first, count];
  };
  const writeInode = (inode: number, mode: number, bytes: Uint8Array): void => {
    const at = INODE_TABLE * EXT_BLOCK + (inode - 1) * 128;
    const view = new ByteView(disk.subarray(at, at + 128));
    view.setU16(0, mode);
    view.setU32(4, bytes.length);
    if (mode === 0xa1ff && bytes.length < 60) {
      view.bytes.set(bytes, 40);
      return;
    }
    const [first, count] = take(bytes);
    if (extents) writeExtent(view, first, count);
    else writeMap(view, first, count, (numbers) => take(numbers)[0]);
  };
  const folder = (tree: Tree, inode: number, parent: number): void => {
    const entries: [name: string, inode: number][] = [
      [".", inode],
      ["..", parent],
    ];
    const later: (() => void)[] = [];
    for (const child of tree.inside.values()) {
      const own = freeInode++;
      entries.push([child.name, own]);
      const { content } = child;
      if (content === undefined) later.push(() => folder(child, own, inode));
      else {
        const isLink = typeof content === "object" && "link" in content;
        writeInode(own, isLink ? 0xa1ff : 0x81a4, contentBytes(content));
      }
    }
    writeInode(inode, 0x41ed, extFolder(entries));
    for (const write of later) write();
  };
  folder(treeOf(files), 2, 2);
  return disk;
}

function writeExtent(inode: ByteView, first: number, count: number): void {
  inode.setU32(32, 0x80000);
  inode.setU16(40, 0xf30a);
  inode.setU16(42, count > 0 ? 1 : 0);
  inode.setU16(44, 4);
  inode.setU16(56, count);
  inode.setU32(60, first);
}

function writeMap(
  inode: ByteView,
  first: number,
  count: number,
  store: (numbers: Uint8Array) => number,
): void {
  for (let i = 0; i < Math.min(12, count); i++) inode.setU32(40 + i * 4, first + i);
  if (count <= 12) return;
  const numbers = new ByteView(new Uint8Array(EXT_BLOCK));
  for (let i = 12; i < count; i++) numbers.setU32((i - 12) * 4, first + i);
  inode.setU32(40 + 12 * 4, store(numbers.bytes));
}

function extFolder(entries: readonly [name: string, inode: number][]): Uint8Array {
  const view = new ByteView(new Uint8Array(EXT_BLOCK));
  let at = 0;
  entries.forEach(([name, inode], i) => {
    const bytes = encoder.encode(name);
    const size = 8 + Math.ceil(bytes.length / 4) * 4;
    const length = i === entries.length - 1 ? EXT_BLOCK - at : size;
    view.setU32(at, inode);
    view.setU16(at + 4, length);
    view.setU8(at + 6, bytes.length);
    view.bytes.set(bytes, at + 8);
    at += length;
  });
  return view.bytes;
}

/** An image with others in it at byte offsets. */
export function composed(
  size: number,
  parts: readonly (readonly [at: number, bytes: Uint8Array])[],
): Uint8Array {
  const disk = new Uint8Array(size);
  for (const [at, bytes] of parts) disk.set(bytes, at);
  return disk;
}

/** A source with single bytes changed. */
export function patched(
  bytes: Uint8Array,
  patches: ReadonlyMap<number, number>,
  size = bytes.length,
): BlockSource {
  const below = memorySource(bytes.subarray(0, size));
  return {
    size,
    read(offset, into) {
      below.read(offset, into);
      for (const [at, value] of patches)
        if (at >= offset && at < offset + into.length) into[at - offset] = value;
    },
  };
}
