/**
 * How often each cluster of an image's file is used, and which are free.
 *
 * ```
 *  header ──▶ refcount table ──▶ refcount blocks: a count of 2^order bits for each cluster, one cluster a block
 * ```
 *
 * Counts that grow are written before what uses them is, counts that shrink after what used them is gone from the disk: whenever the
 * process dies, a count is too large at worst, and the cluster is only lost.
 */
import { TWO_32 } from "../../bytes/words.js";
import { QCOW2_ENTRY, QCOW2_HEADER, QCOW2_MAX_REFCOUNT_TABLE_BYTES } from "../../spec/qcow2.js";
import { BlockError } from "../block-error.js";
import type { BlockFile } from "../block-file.js";
import type { Qcow2Header } from "./header.js";
import { Table, Tables } from "./tables.js";

/** Clusters behind the end of the file that may be counted already: what somebody did not come to write. */
const MOST_BEHIND = 1 << 16;
const DAMAGED = "The image's refcounts are wrong: qemu-img check -r all repairs them.";

export class Refcounts {
  readonly #file: BlockFile;
  readonly #cluster: number;
  readonly #order: number;
  /** Clusters that one block counts. */
  readonly #perBlock: number;
  readonly #blocks: Tables;
  /** The table as in the file, and which of its bytes were changed. */
  #table: Table;
  /** Clusters that are used whatever their counts say. */
  readonly #reserved: Set<number>;
  /** Clusters that are to be freed once nothing on the disk names them; one may stand here several times. */
  #freed: number[] = [];
  /** No cluster below is free. */
  #next = 0;
  /** A block was added since the blocks were written. */
  #grown = false;
  /** From here on nothing was ever written in the file. */
  #virgin: number;

  /** `reserved`: clusters that hold tables. `makeRoom` brings everything to the disk. Throws BlockError. */
  constructor(file: BlockFile, header: Qcow2Header, reserved: Set<number>, makeRoom: () => void) {
    this.#file = file;
    this.#cluster = 2 ** header.clusterBits;
    this.#order = header.refcountOrder;
    this.#perBlock = (this.#cluster * 8) >>> header.refcountOrder;
    this.#blocks = new Tables(file, this.#cluster, "a refcount block", makeRoom);
    this.#table = readTable(file, header, this.#cluster);
    this.#reserved = reserved;
    this.#virgin = Math.ceil(file.size / this.#cluster);
    this.#reserveTable();
  }

  get dirty(): boolean {
    return this.#table.dirty || this.#blocks.dirty;
  }

  /** Clusters that wait to be freed. */
  get freed(): number {
    return this.#freed.length;
  }

  /** How often a cluster is used; what is above 2^53 is rounded. */
  get(cluster: number): number {
    const index = Math.floor(cluster / this.#perBlock);
    const block = this.#block(index);
    return block === undefined ? 0 : this.#read(block, cluster - index * this.#perBlock);
  }

  /**
   * Takes `wanted` clusters that lie one behind the other, or fewer. `virgin`: they read as zeros, the file ends before them.
   * Throws BlockError.
   */
  allocate(wanted: number): { first: number; count: number; virgin: boolean } {
    const first = this.#findFree();
    let count = 0;
    while (count < wanted && (count === 0 || this.#isFree(first + count))) {
      this.#set(first + count, 1);
      count++;
    }
    this.#next = first + count;
    const virgin = first >= this.#virgin;
    this.#virgin = Math.max(this.#virgin, first + count);
    return { first, count, virgin };
  }

  /** Marks a cluster as holding a table. */
  reserve(cluster: number): void {
    this.#reserved.add(cluster);
  }

  /** One use less of a cluster, once nothing on the disk names it. */
  free(cluster: number): void {
    this.#freed.push(cluster);
  }

  /** Gives back what was allocated and never named. */
  giveBack(first: number, count: number): void {
    for (let i = 0; i < count; i++) this.#set(first + i, 0);
    this.#next = Math.min(this.#next, first);
  }

  /** Writes what was changed, blocks before the table that names them. */
  write(): void {
    this.#blocks.write();
    if (!this.#table.dirty) return;
    if (this.#grown) this.#file.flush();
    this.#grown = false;
    this.#table.write(this.#file);
  }

  /** What is to be freed: whoever takes it applies it, or puts it back. */
  takeFreed(): number[] {
    const freed = this.#freed;
    this.#freed = [];
    return freed;
  }

  /** What was taken is to be freed still. */
  putBackFreed(freed: readonly number[]): void {
    for (const cluster of freed) this.#freed.push(cluster);
  }

  /** Frees what nothing on the disk names any more. What the host can take back it gets. */
  applyFreed(freed: number[]): void {
    let run = { first: 0, count: 0 };
    const punch = (): void => {
      if (run.count > 0) this.#file.punch(run.first * this.#cluster, run.count * this.#cluster);
    };
    for (const cluster of freed.sort((a, b) => a - b)) {
      const uses = this.get(cluster);
      if (uses === 0) continue;
      this.#set(cluster, uses - 1);
      if (uses > 1) continue;
      this.#next = Math.min(this.#next, cluster);
      if (cluster !== run.first + run.count) {
        punch();
        run = { first: cluster, count: 0 };
      }
      run.count++;
    }
    this.#blocks.write();
    punch();
  }

  #reserveTable(): void {
    const { offset, bytes, view } = this.#table;
    for (let at = 0; at < bytes.length; at += this.#cluster)
      this.#reserved.add((offset + at) / this.#cluster);
    for (let at = 0; at < bytes.length; at += QCOW2_ENTRY.size) {
      const block = wideAt(view, at);
      if (block !== 0) this.#reserved.add(block / this.#cluster);
    }
  }

  /** Blocks that the table has room for. */
  get #blockCount(): number {
    return this.#table.bytes.length / QCOW2_ENTRY.size;
  }

  #block(index: number): Table | undefined {
    if (index >= this.#blockCount) return undefined;
    const at = index * QCOW2_ENTRY.size;
    const offset = wideAt(this.#table.view, at);
    return offset === 0 ? undefined : this.#blocks.get(offset, this.#table.offset + at);
  }

  #read({ view, bytes }: Table, index: number): number {
    switch (this.#order) {
      case 3:
        return bytes[index];
      case 4:
        return view.getUint16(index * 2);
      case 5:
        return view.getUint32(index * 4);
      case 6:
        return wideAt(view, index * 8);
    }
    const width = 1 << this.#order;
    const bit = index * width;
    return (bytes[bit >> 3] >> (bit & 7)) & ((1 << width) - 1);
  }

  #write(table: Table, index: number, count: number): void {
    const { view, bytes } = table;
    const width = 1 << this.#order;
    const at = Math.floor((index * width) / 8);
    table.changed(at, Math.max(1, width / 8));
    switch (this.#order) {
      case 3:
        bytes[at] = count;
        return;
      case 4:
        return view.setUint16(at, count);
      case 5:
        return view.setUint32(at, count);
      case 6:
        view.setUint32(at, Math.floor(count / TWO_32));
        return view.setUint32(at + 4, count % TWO_32);
    }
    const shift = (index * width) & 7;
    bytes[at] = (bytes[at] & ~(((1 << width) - 1) << shift)) | (count << shift);
  }

  /** The cluster's block is there. */
  #set(cluster: number, count: number): void {
    const index = Math.floor(cluster / this.#perBlock);
    const block = this.#block(index);
    if (block === undefined) throw new Error(`no refcount block for cluster ${cluster}`);
    this.#write(block, cluster - index * this.#perBlock, count);
  }

  /** The first cluster that is free, and whose block is there: one is made in its own first cluster. */
  #findFree(): number {
    const mostBehind = Math.ceil(this.#file.size / this.#cluster) + MOST_BEHIND;
    for (let cluster = this.#next; cluster < Math.max(mostBehind, this.#next + MOST_BEHIND); cluster++) {
      const index = Math.floor(cluster / this.#perBlock);
      if (index >= this.#blockCount) this.#growTable(index);
      if (this.#block(index) === undefined) this.#addBlock(index, this.#clear(cluster));
      if (this.#isFree(cluster)) return this.#clear(cluster);
    }
    throw new BlockError(
      this.#file.size,
      `${MOST_BEHIND} clusters behind the end that are counted as used`,
      "a free one",
      DAMAGED,
    );
  }

  #isFree(cluster: number): boolean {
    const index = Math.floor(cluster / this.#perBlock);
    const block = this.#block(index);
    return (
      block !== undefined &&
      this.#read(block, cluster - index * this.#perBlock) === 0 &&
      !this.#reserved.has(cluster)
    );
  }

  /** Refuses a cluster that holds a table, though it is counted as free. */
  #clear(cluster: number): number {
    if (!this.#reserved.has(cluster)) return cluster;
    throw new BlockError(
      cluster * this.#cluster,
      "a table in a cluster that is counted as free",
      "a count of 1",
      DAMAGED,
    );
  }

  /** A block in a cluster that it counts itself. */
  #addBlock(index: number, cluster: number): void {
    const block = this.#blocks.add(cluster * this.#cluster);
    this.#write(block, cluster - index * this.#perBlock, 1);
    this.#reserved.add(cluster);
    this.#virgin = Math.max(this.#virgin, cluster + 1);
    const at = index * QCOW2_ENTRY.size;
    setWide(this.#table.view, at, cluster * this.#cluster);
    this.#table.changed(at, QCOW2_ENTRY.size);
    this.#grown = true;
  }

  /**
   * A larger table, for the block of this index too: it lies, with the blocks that count it, in the clusters that the table had no
   * room for. Everything new is on the disk before the header names it.
   */
  #growTable(index: number): void {
    const old = this.#table;
    const first = index * this.#perBlock;
    const entries = Math.max(index + 1, Math.ceil((this.#blockCount * 3) / 2));
    let clusters = Math.ceil((entries * QCOW2_ENTRY.size) / this.#cluster);
    let blocks = 1;
    while (blocks * this.#perBlock < blocks + clusters) blocks++;
    clusters = Math.max(clusters, Math.ceil(((index + blocks) * QCOW2_ENTRY.size) / this.#cluster));
    while (blocks * this.#perBlock < blocks + clusters) blocks++;
    if (clusters * this.#cluster > QCOW2_MAX_REFCOUNT_TABLE_BYTES)
      throw new BlockError(
        old.offset,
        `a refcount table of ${clusters} clusters`,
        `${QCOW2_MAX_REFCOUNT_TABLE_BYTES} bytes at most`,
        "An image of such small clusters cannot grow further: qemu-img convert makes one of larger ones.",
      );
    this.write();
    const bytes = new Uint8Array(clusters * this.#cluster);
    bytes.set(old.bytes);
    const offset = (first + blocks) * this.#cluster;
    this.#table = new Table(offset, bytes);
    for (let i = 0; i < blocks; i++) this.#addBlock(index + i, first + i);
    for (let i = 0; i < clusters; i++) {
      this.#set(first + blocks + i, 1);
      this.#reserved.add(first + blocks + i);
    }
    this.#virgin = Math.max(this.#virgin, first + blocks + clusters);
    this.#table.changed(0, bytes.length);
    this.write();
    this.#file.flush();
    const pointer = new DataView(new ArrayBuffer(QCOW2_ENTRY.size + 4));
    setWide(pointer, 0, offset);
    pointer.setUint32(QCOW2_ENTRY.size, clusters);
    this.#file.write(QCOW2_HEADER.refcountTableOffset, new Uint8Array(pointer.buffer));
    this.#file.flush();
    for (let at = 0; at < old.bytes.length; at += this.#cluster) {
      const cluster = (old.offset + at) / this.#cluster;
      this.#reserved.delete(cluster);
      this.free(cluster);
    }
  }
}

function readTable(file: BlockFile, { refcountTable }: Qcow2Header, cluster: number): Table {
  const bytes = new Uint8Array(refcountTable.clusters * cluster);
  file.read(refcountTable.offset, bytes);
  return new Table(refcountTable.offset, bytes);
}

/** 64 bits, big-endian. */
export function wideAt(view: DataView, at: number): number {
  return view.getUint32(at) * TWO_32 + view.getUint32(at + 4);
}

/** Writes 64 bits, big-endian; `value` below 2^53. */
export function setWide(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / TWO_32));
  view.setUint32(at + 4, value % TWO_32);
}
