/**
 * A disk in a qcow2 image: read and written. Two tables say where each cluster of the disk lies in the file:
 *
 * ```
 *  header ──▶ L1 table ──▶ L2 tables ──▶ clusters          nothing there: the backing disk's bytes, or zeros
 * ```
 *
 * What a crash leaves: data is written at once to clusters that nothing names yet. Bringing the image to the disk writes counts
 * that grew, waits for the disk, writes L2 tables, waits, writes L1, waits, and only then lets go of clusters that are no longer
 * named (`#commit`). So whatever is named is there, and at worst a cluster is counted that nobody uses.
 */
import { QCOW2_ENTRY, QCOW2_HEADER, QCOW2_INCOMPATIBLE } from "../../spec/qcow2.js";
import { alignUp } from "../../bytes/align.js";
import { hex } from "../../bytes/hex.js";
import { TWO_32 } from "../../bytes/words.js";
import type { BlockBackend, BlockSource } from "../backend.js";
import { BlockError } from "../block-error.js";
import type { BlockFile } from "../block-file.js";
import { checkRange, readOnlyError } from "../range.js";
import { SECTOR } from "../raw.js";
import { packedPlace, PackedClusters } from "./compressed.js";
import { readQcow2Header, type Qcow2Header } from "./header.js";
import { Refcounts, setWide, wideAt } from "./refcounts.js";
import { rebuildRefcounts } from "./repair.js";
import { Table, Tables, type Change } from "./tables.js";

const DAMAGED = "The image is damaged; qemu-img check says more.";
/** Clusters that are freed at once at most. */
const MOST_FREED = 1 << 16;

/** Where a cluster of the disk is. */
type Place =
  | { kind: "none" }
  /** `host`: bytes of the file that are kept for it, though it reads as zeros; 0: none. */
  | { kind: "zero"; host: number }
  | { kind: "data"; host: number; copied: boolean }
  | { kind: "packed"; high: number; low: number };

const NONE: Place = { kind: "none" };

/** What is on its way to the disk. */
interface Aside {
  readonly changes: readonly Change[];
  readonly freed: number[];
}

type FlushDone = (failed: BlockError | undefined) => void;

export interface Qcow2Options {
  /** What the header was read as, where that was done. */
  header?: Qcow2Header;
  /** The disk below, where the header names one. */
  backing?: BlockSource;
}

/** The disk of an image, which is changed unless its file is read only. Throws BlockError. */
export class Qcow2Disk implements BlockBackend {
  readonly size: number;
  readonly readOnly: boolean;
  readonly #file: BlockFile;
  readonly #header: Qcow2Header;
  readonly #backing: BlockSource | undefined;
  readonly #bits: number;
  readonly #cluster: number;
  /** Clusters that an L2 table has. */
  readonly #perTable: number;
  readonly #l1: Table;
  readonly #l2: Tables;
  readonly #packed: PackedClusters;
  /** Only of an image that is written. */
  readonly #refcounts: Refcounts | undefined;
  #committing = false;
  readonly flushAside?: (done: FlushDone) => void;
  /** What is on its way to the disk beside this thread; undefined: nothing, or it was taken back. */
  #aside: Aside | undefined;
  #isBusy = false;
  /** Those who wait for what is written now to be on the disk. */
  #waiting: FlushDone[] = [];

  constructor(file: BlockFile, { header = readQcow2Header(file), backing }: Qcow2Options = {}) {
    this.#file = file;
    this.#header = header;
    this.#backing = backing;
    this.readOnly = file.readOnly;
    this.size = alignUp(header.size, SECTOR);
    this.#bits = header.clusterBits;
    this.#cluster = 2 ** header.clusterBits;
    this.#perTable = this.#cluster / QCOW2_ENTRY.size;
    const l1 = new Uint8Array(header.l1.entries * QCOW2_ENTRY.size);
    file.read(header.l1.offset, l1);
    this.#l1 = new Table(header.l1.offset, l1);
    this.#l2 = new Tables(file, this.#cluster, "an L2 table", () => this.#makeRoom());
    this.#packed = new PackedClusters(file, header);
    if (file.readOnly) return;
    this.#refcounts = this.#prepareToWrite();
    if (file.flushAside === undefined) return;
    this.flushAside = (done) => {
      this.#waiting.push(done);
      this.#flushNext();
    };
  }

  read(offset: number, into: Uint8Array): void {
    checkRange(this.size, offset, into.length);
    for (let at = 0; at < into.length;) at += this.#readSome(offset + at, into.subarray(at));
  }

  write(offset: number, from: Uint8Array): void {
    this.#checkChange(offset, from.length);
    for (let at = 0; at < from.length;) at += this.#writeSome(offset + at, from.subarray(at));
  }

  discard(offset: number, length: number): void {
    this.#checkChange(offset, length);
    this.#eachWhole(offset, length, true, (index, place) => {
      if (place.kind !== "none") this.#emptyCluster(index, place);
    });
  }

  writeZeroes(offset: number, length: number, unmap: boolean): void {
    this.#checkChange(offset, length);
    const end = offset + length;
    const first = alignUp(offset, this.#cluster);
    const last = end === this.size ? end : end - (end % this.#cluster);
    if (first >= last) return this.#writeZeros(offset, end);
    this.#writeZeros(offset, first);
    const passEmpty = this.#backing === undefined;
    this.#eachWhole(first, last - first, passEmpty, (index, place) => this.#zeroCluster(index, place, unmap));
    this.#writeZeros(last, end);
  }

  flush(): void {
    if (this.#refcounts === undefined) return;
    this.#commit(this.#refcounts);
    this.#file.flush();
  }

  // ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Fills the beginning of `into`; returns how many bytes that were. */
  #readSome(offset: number, into: Uint8Array): number {
    const index = Math.floor(offset / this.#cluster);
    const from = offset - index * this.#cluster;
    const place = this.#place(index);
    const run = this.#sameBehind(index, place, Math.ceil((from + into.length) / this.#cluster));
    const part = into.subarray(0, run * this.#cluster - from);
    switch (place.kind) {
      case "none":
        this.#readBacking(offset, part);
        break;
      case "zero":
        part.fill(0);
        break;
      case "data":
        this.#readFile(place.host + from, part);
        break;
      case "packed": {
        const cluster = this.#packed.read(packedPlace(place.high, place.low, this.#bits));
        part.set(cluster.subarray(from, from + part.length));
      }
    }
    return part.length;
  }

  /** How many clusters, `most` at most, go on as the first does; none that is packed has a successor. */
  #sameBehind(index: number, place: Place, most: number): number {
    if (place.kind === "packed") return 1;
    let count = 1;
    for (; count < most; count++) {
      const next = this.#place(index + count);
      if (next.kind !== place.kind) break;
      if (place.kind === "data" && (next as typeof place).host !== place.host + count * this.#cluster) break;
    }
    return count;
  }

  #readBacking(offset: number, into: Uint8Array): void {
    const there = Math.max(0, Math.min(into.length, (this.#backing?.size ?? 0) - offset));
    if (there > 0) this.#backing!.read(offset, into.subarray(0, there));
    into.fill(0, there);
  }

  /** What lies behind the file's end reads as zeros. */
  #readFile(offset: number, into: Uint8Array): void {
    const there = Math.max(0, Math.min(into.length, this.#file.size - offset));
    if (there > 0) this.#file.read(offset, into.subarray(0, there));
    into.fill(0, there);
  }

  // ── Mapping ───────────────────────────────────────────────────────────────────────────────────────────────

  /** The L2 table of a cluster; undefined where there is none. */
  #tableOf(index: number): Table | undefined {
    const at = Math.floor(index / this.#perTable) * QCOW2_ENTRY.size;
    if (at >= this.#l1.bytes.length) return undefined;
    const offset = placeIn(this.#l1.view, at);
    return offset === 0 ? undefined : this.#l2.get(offset, this.#l1.offset + at);
  }

  #place(index: number): Place {
    const table = this.#tableOf(index);
    if (table === undefined) return NONE;
    const at = (index % this.#perTable) * QCOW2_ENTRY.size;
    const high = table.view.getUint32(at);
    const low = table.view.getUint32(at + 4);
    if (high === 0 && low === 0) return NONE;
    if ((high & QCOW2_ENTRY.compressedHigh) !== 0) return { kind: "packed", high, low };
    const host = placeIn(table.view, at);
    if (host % this.#cluster !== 0)
      throw new BlockError(
        table.offset + at,
        `a cluster at ${hex(host)}`,
        "one at a cluster's start",
        DAMAGED,
      );
    if (this.#header.version > 2 && (low & QCOW2_ENTRY.zeroLow) !== 0) return { kind: "zero", host };
    if (host === 0) return NONE;
    return { kind: "data", host, copied: (high & QCOW2_ENTRY.copiedHigh) !== 0 };
  }

  /** The L2 table of a cluster, to be changed: made where there is none. */
  #tableToChange(index: number, refcounts: Refcounts): Table {
    const slot = Math.floor(index / this.#perTable);
    const at = slot * QCOW2_ENTRY.size;
    const offset = placeIn(this.#l1.view, at);
    if (offset === 0) {
      const { first } = refcounts.allocate(1);
      refcounts.reserve(first);
      const table = this.#l2.add(first * this.#cluster);
      this.#nameTable(at, table.offset);
      return table;
    }
    if ((this.#l1.view.getUint32(at) & QCOW2_ENTRY.copiedHigh) === 0) {
      if (refcounts.get(offset / this.#cluster) !== 1)
        throw new BlockError(
          this.#l1.offset + at,
          "an L2 table that is used more than once",
          "one use",
          DAMAGED,
        );
      this.#nameTable(at, offset);
    }
    return this.#l2.get(offset, this.#l1.offset + at);
  }

  #nameTable(at: number, offset: number): void {
    setWide(this.#l1.view, at, offset);
    this.#l1.bytes[at] |= QCOW2_ENTRY.copiedHigh >>> 24;
    this.#l1.changed(at, QCOW2_ENTRY.size);
  }

  /** What an L2 entry is from now on. `flags`: those of its lower half. */
  #setEntry(index: number, host: number, flags = 0): void {
    const table = this.#tableToChange(index, this.#refcounts!);
    const at = (index % this.#perTable) * QCOW2_ENTRY.size;
    setWide(table.view, at, host + flags);
    if (host !== 0) table.bytes[at] |= QCOW2_ENTRY.copiedHigh >>> 24;
    table.changed(at, QCOW2_ENTRY.size);
  }

  // ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────

  #checkChange(offset: number, length: number): void {
    checkRange(this.size, offset, length);
    if (this.readOnly) throw readOnlyError(offset);
  }

  /** Whether the cluster's bytes in the file are its own alone, so that they may be written. */
  #isOwn(place: Place): place is Place & { kind: "data" } {
    return place.kind === "data" && (place.copied || this.#refcounts!.get(place.host / this.#cluster) === 1);
  }

  /** Writes the beginning of `bytes`; returns how many of them. */
  #writeSome(offset: number, bytes: Uint8Array): number {
    const index = Math.floor(offset / this.#cluster);
    const from = offset - index * this.#cluster;
    const place = this.#place(index);
    const most = Math.ceil((from + bytes.length) / this.#cluster);
    if (this.#isOwn(place)) {
      if (place.host >= this.#file.size)
        throw new BlockError(place.host, "a cluster behind the end of the file", "one inside", DAMAGED);
      let count = 1;
      while (count < most && this.#follows(index + count, place.host + count * this.#cluster)) count++;
      const part = bytes.subarray(0, count * this.#cluster - from);
      this.#file.write(place.host + from, part);
      return part.length;
    }
    const whole = from === 0 ? Math.floor(bytes.length / this.#cluster) : 0;
    if (whole > 0) return this.#writeWhole(index, bytes.subarray(0, whole * this.#cluster));
    const part = bytes.subarray(0, this.#cluster - from);
    this.#writePart(index, place, from, part);
    return part.length;
  }

  #follows(index: number, host: number): boolean {
    const place = this.#place(index);
    return this.#isOwn(place) && place.host === host;
  }

  /** Whole clusters, as many of them as there is room for in one place; returns how many bytes. */
  #writeWhole(index: number, bytes: Uint8Array): number {
    const refcounts = this.#refcounts!;
    let wanted = 1;
    const most = bytes.length / this.#cluster;
    while (wanted < most && !this.#isOwn(this.#place(index + wanted))) wanted++;
    const { first, count } = refcounts.allocate(wanted);
    const part = bytes.subarray(0, count * this.#cluster);
    this.#fill(first, count, () => this.#file.write(first * this.#cluster, part));
    for (let i = 0; i < count; i++) this.#replace(index + i, (first + i) * this.#cluster);
    return part.length;
  }

  /** A part of a cluster that has no bytes of its own yet: they are what it read as, with the part. */
  #writePart(index: number, place: Place, from: number, bytes: Uint8Array): void {
    if (place.kind === "zero" && place.host !== 0 && this.#refcounts!.get(place.host / this.#cluster) === 1) {
      const cluster = new Uint8Array(this.#cluster);
      cluster.set(bytes, from);
      this.#file.write(place.host, cluster);
      this.#setEntry(index, place.host);
      return;
    }
    const { first, virgin } = this.#refcounts!.allocate(1);
    const host = first * this.#cluster;
    this.#fill(first, 1, () => {
      if (virgin && this.#readsAsZeros(index, place)) {
        if (this.#file.size < host + this.#cluster) this.#file.resize(host + this.#cluster);
        this.#file.write(host + from, bytes);
        return;
      }
      const cluster = new Uint8Array(this.#cluster);
      const start = index * this.#cluster;
      this.read(start, cluster.subarray(0, Math.min(this.#cluster, this.size - start)));
      cluster.set(bytes, from);
      this.#file.write(host, cluster);
    });
    this.#replace(index, host);
  }

  #readsAsZeros(index: number, { kind }: Place): boolean {
    if (kind === "zero") return true;
    return kind === "none" && index * this.#cluster >= (this.#backing?.size ?? 0);
  }

  /** Writes to clusters that were allocated; where that fails they are free again. */
  #fill(first: number, count: number, write: () => void): void {
    this.#packed.forget();
    try {
      write();
    } catch (error) {
      this.#refcounts!.giveBack(first, count);
      throw error;
    }
  }

  /** The cluster lies there from now on; what it took before is to be freed. */
  #replace(index: number, host: number, flags = 0): void {
    const before = this.#place(index);
    this.#setEntry(index, host, flags);
    this.#release(before);
  }

  #release(place: Place): void {
    const refcounts = this.#refcounts!;
    if (place.kind === "none") return;
    if (place.kind === "packed") {
      const { offset, length } = packedPlace(place.high, place.low, this.#bits);
      const last = Math.floor((offset + length - 1) / this.#cluster);
      for (let cluster = Math.floor(offset / this.#cluster); cluster <= last; cluster++)
        refcounts.free(cluster);
      this.#packed.forget();
    } else if (place.host !== 0) refcounts.free(place.host / this.#cluster);
    if (refcounts.freed >= MOST_FREED) this.#commit(refcounts);
  }

  /** Each cluster that lies in the range whole; the disk's last one may be shorter. `passEmpty`: not those of which no table tells. */
  #eachWhole(
    offset: number,
    length: number,
    passEmpty: boolean,
    tell: (index: number, place: Place) => void,
  ): void {
    const end = offset + length;
    const last = end === this.size ? Math.ceil(end / this.#cluster) : Math.floor(end / this.#cluster);
    for (let index = Math.ceil(offset / this.#cluster); index < last; index++) {
      if (passEmpty && this.#tableOf(index) === undefined) {
        index = (Math.floor(index / this.#perTable) + 1) * this.#perTable - 1;
        continue;
      }
      tell(index, this.#place(index));
    }
  }

  /** A cluster that nobody needs: it reads as zeros, and takes nothing in the file. */
  #emptyCluster(index: number, place: Place): void {
    if (this.#backing === undefined) {
      this.#replace(index, 0);
      return;
    }
    // Nothing there would show what lies below.
    if (this.#header.version > 2 && !(place.kind === "zero" && place.host === 0))
      this.#replace(index, 0, QCOW2_ENTRY.zeroLow);
  }

  #zeroCluster(index: number, place: Place, unmap: boolean): void {
    if (place.kind === "zero" && (place.host === 0 || !unmap)) return;
    if (this.#readsAsZeros(index, place) && place.kind === "none") return;
    const start = index * this.#cluster;
    if (this.#backing !== undefined && this.#header.version === 2) {
      this.#writeZeros(start, Math.min(this.size, start + this.#cluster));
      return;
    }
    if (!unmap && this.#header.version > 2 && this.#isOwn(place)) {
      this.#setEntry(index, place.host, QCOW2_ENTRY.zeroLow);
      return;
    }
    this.#emptyCluster(index, place);
  }

  /** Writes zeros, where it does not read as zeros already. */
  #writeZeros(from: number, to: number): void {
    for (let at = from; at < to;) {
      const index = Math.floor(at / this.#cluster);
      const end = Math.min(to, (index + 1) * this.#cluster);
      if (!this.#readsAsZeros(index, this.#place(index))) this.write(at, new Uint8Array(end - at));
      at = end;
    }
  }

  // ── To the disk ───────────────────────────────────────────────────────────────────────────────────────────

  #makeRoom(): void {
    const refcounts = this.#refcounts;
    if (refcounts === undefined) return;
    // Then what the tables say is on the disk already, and counts only shrink.
    if (this.#committing) refcounts.write();
    else this.#commit(refcounts);
  }

  /** Brings what the tables say to the disk, in the order that a crash may cut anywhere. */
  #commit(refcounts: Refcounts): void {
    const hasFreed = refcounts.freed > 0 || this.#aside !== undefined;
    if (!refcounts.dirty && !this.#l1.dirty && !this.#l2.dirty && !hasFreed) return;
    this.#committing = true;
    try {
      this.#takeBack(refcounts);
      refcounts.write();
      this.#file.flush();
      this.#l2.write();
      if (this.#l1.dirty) {
        this.#file.flush();
        this.#l1.write(this.#file);
      }
      if (refcounts.freed === 0) return;
      this.#file.flush();
      refcounts.applyFreed(refcounts.takeFreed());
    } finally {
      this.#committing = false;
    }
  }

  // ── To the disk, beside this thread: the same steps, each when the one before is done ─────────────────────

  #flushNext(): void {
    if (this.#isBusy || this.#waiting.length === 0) return;
    this.#isBusy = true;
    const told = this.#waiting.splice(0);
    const refcounts = this.#refcounts!;
    const failed = this.#failureOf(() => refcounts.write());
    if (failed !== undefined) {
      this.#tell(told, failed);
      return;
    }
    const l1 = this.#l1.take();
    const aside: Aside = { changes: [...this.#l2.take(), ...(l1 ? [l1] : [])], freed: refcounts.takeFreed() };
    this.#aside = aside;
    const steps = [
      this.#writing(aside, this.#l1, false),
      ...(l1 ? [this.#writing(aside, this.#l1, true)] : []),
    ];
    this.#step(aside, aside.changes.length === 0 ? [] : steps, told);
  }

  /** Writes the changes of L1, or those of all other tables. */
  #writing({ changes }: Aside, l1: Table, isL1: boolean): () => void {
    return () => {
      for (const change of changes)
        if ((change.table === l1) === isL1) change.table.writeChange(change, this.#file);
    };
  }

  /** Waits for the disk, then goes on with the next step. */
  #step(aside: Aside, steps: (() => void)[], told: readonly FlushDone[]): void {
    this.#file.flushAside!((failed) => {
      // A commit has overtaken it: all of it is written, and only to be waited for.
      if (this.#aside !== aside) {
        this.#file.flushAside!((failedThen) => this.#tell(told, failed ?? failedThen));
        return;
      }
      const [write, ...later] = steps;
      const error = failed ?? this.#failureOf(write ?? ((): void => this.#letGo(aside)));
      if (error !== undefined) this.#takeBack(this.#refcounts!);
      if (error === undefined && write !== undefined) this.#step(aside, later, told);
      else this.#tell(told, error);
    });
  }

  /** All of it is on the disk. */
  #letGo(aside: Aside): void {
    this.#aside = undefined;
    this.#refcounts!.applyFreed(aside.freed);
  }

  /** What a step throws of what a file or an image does. */
  #failureOf(step: () => void): BlockError | undefined {
    try {
      step();
      return undefined;
    } catch (error) {
      if (error instanceof BlockError) return error;
      throw error;
    }
  }

  #tell(told: readonly FlushDone[], error: BlockError | undefined): void {
    this.#isBusy = false;
    for (const done of told) done(error);
    this.#flushNext();
  }

  /** What is on its way is not waited for: it is written with all else. */
  #takeBack(refcounts: Refcounts): void {
    if (this.#aside === undefined) return;
    const { changes, freed } = this.#aside;
    this.#aside = undefined;
    for (const change of changes) change.table.putBack(change);
    refcounts.putBackFreed(freed);
  }

  /** Refuses what would be harmed by being written; repairs what an interrupted writer left. */
  #prepareToWrite(): Refcounts {
    const { corrupt, snapshots, dirty, autoclear, version } = this.#header;
    const refuse = (at: number, found: string, advice: string): never => {
      throw new BlockError(at, found, "an image that can be written", advice);
    };
    if (corrupt)
      refuse(
        QCOW2_HEADER.incompatibleFeatures,
        "an image that is marked as corrupt",
        "qemu-img check -r all repairs it.",
      );
    if (snapshots > 0)
      refuse(
        QCOW2_HEADER.snapshotCount,
        `${snapshots} snapshots in the image`,
        "Without rw it can be read; qemu-img snapshot -d takes them out.",
      );
    let header = this.#header;
    if (dirty) {
      header = { ...header, refcountTable: rebuildRefcounts(this.#file, header, this.#l1) };
      this.#clearFeature(QCOW2_HEADER.incompatibleFeatures + 4, QCOW2_INCOMPATIBLE.dirty);
    }
    // What these features say of the image's contents is not kept up to date here.
    if (autoclear && version > 2)
      this.#file.write(QCOW2_HEADER.autoclearFeatures, new Uint8Array(QCOW2_ENTRY.size));
    return new Refcounts(this.#file, header, tableClusters(header, this.#l1, this.#cluster), () =>
      this.#makeRoom(),
    );
  }

  #clearFeature(at: number, bit: number): void {
    const word = new Uint8Array(4);
    this.#file.read(at, word);
    word[3] &= ~bit;
    this.#file.write(at, word);
    this.#file.flush();
  }
}

/** The offset in an entry of an L1 or L2 table. */
function placeIn(view: DataView, at: number): number {
  const high = view.getUint32(at) & QCOW2_ENTRY.offsetHigh;
  return high * TWO_32 + ((view.getUint32(at + 4) & QCOW2_ENTRY.offsetLow) >>> 0);
}

/** Clusters of the header, of the L1 table and of all L2 tables. */
function tableClusters({ l1 }: Qcow2Header, { bytes, view }: Table, cluster: number): Set<number> {
  const found = new Set([0]);
  for (let at = l1.offset; at < l1.offset + bytes.length; at += cluster) found.add(at / cluster);
  for (let at = 0; at < bytes.length; at += QCOW2_ENTRY.size) {
    const table = wideAt(view, at) === 0 ? 0 : placeIn(view, at);
    if (table !== 0) found.add(Math.floor(table / cluster));
  }
  return found;
}
