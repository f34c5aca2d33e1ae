/**
 * A disk that keeps what is written in memory and leaves what lies below as it is.
 *
 * ```
 *  the disk      │  cluster 0  │  cluster 1  │  cluster 2  │ …      64 KiB each
 *  written       │ ▓▓▓░░░░▓░░░ │             │             │        16 pages each: a bit says which of them are here
 *  zeros         │             │             │ ●           │        a bit a cluster, for 4 GiB of the disk in one block
 *  below         │ read where no page is written and no zeros are   │
 * ```
 *
 * A cluster that was discarded gives its memory back.
 */
import type { BlockBackend, BlockSource } from "./backend.js";
import { BlockError } from "./block-error.js";
import { checkRange } from "./range.js";
import { alignUp } from "../bytes/align.js";
import { SECTOR } from "./raw.js";

const CLUSTER = 1 << 16;
const PAGE = 1 << 12;
const PAGES = CLUSTER / PAGE;
const ALL_PAGES = 2 ** PAGES - 1;
/** Clusters whose bits lie in one block. */
const BITS_BLOCK = 1 << 16;
const BITS_BYTES = BITS_BLOCK / 8;

/** Bytes that an overlay holds at most unless somebody says otherwise: what a host can lose to a guest that writes everywhere. */
export const DEFAULT_OVERLAY_LIMIT = 2 ** 31;

interface Cluster {
  readonly bytes: Uint8Array;
  /** A bit for each page that is here. */
  pages: number;
}

/** What an overlay holds: places of the disk with what was written there, or with zeros. */
export interface OverlayPiece {
  readonly offset: number;
  readonly length: number;
  /** Absent: zeros. */
  readonly bytes?: Uint8Array;
}

/** A buffer that can be given back at once (ES2024). */
type Transferable = ArrayBuffer & { transfer?: (length: number) => ArrayBuffer };

export class OverlayDisk implements BlockBackend {
  readonly size: number;
  readonly readOnly = false;
  readonly #below: BlockSource;
  readonly #limit: number;
  readonly #clusters = new Map<number, Cluster>();
  readonly #zeros = new Map<number, Uint8Array>();
  readonly #scratch = new Uint8Array(PAGE);

  /** `limit`: bytes of memory. What does not fit throws BlockError. */
  constructor(below: BlockSource, { limit = DEFAULT_OVERLAY_LIMIT }: { limit?: number } = {}) {
    this.#below = below;
    this.#limit = limit;
    this.size = alignUp(below.size, SECTOR);
  }

  /** Bytes of memory in use. */
  get held(): number {
    return this.#clusters.size * CLUSTER + this.#zeros.size * BITS_BYTES;
  }

  read(offset: number, into: Uint8Array): void {
    checkRange(this.size, offset, into.length);
    if (this.held === 0) {
      this.#below.read(offset, into);
      return;
    }
    // What is read from below is read in as few pieces as there are; it begins at `plain`.
    let plain = 0;
    let at = 0;
    while (at < into.length) {
      const index = Math.floor((offset + at) / CLUSTER);
      const from = offset + at - index * CLUSTER;
      const part = into.subarray(at, Math.min(into.length, at + CLUSTER - from));
      const cluster = this.#clusters.get(index);
      if (cluster !== undefined || this.#isZero(index)) {
        this.#readBelow(offset + plain, into.subarray(plain, at));
        if (cluster === undefined) part.fill(0);
        else this.#readCluster(index, cluster, from, part);
        plain = at + part.length;
      }
      at += part.length;
    }
    this.#readBelow(offset + plain, into.subarray(plain));
  }

  write(offset: number, from: Uint8Array): void {
    checkRange(this.size, offset, from.length);
    for (let at = 0; at < from.length;) {
      const index = Math.floor((offset + at) / CLUSTER);
      const start = offset + at - index * CLUSTER;
      const part = from.subarray(at, at + CLUSTER - start);
      this.#writeCluster(index, start, part);
      at += part.length;
    }
  }

  discard(offset: number, length: number): void {
    checkRange(this.size, offset, length);
    const whole = this.#wholeClusters(offset, length);
    // What was never written costs nothing and may stay as it is.
    if (whole.count < this.#clusters.size) {
      for (let index = whole.first; index < whole.first + whole.count; index++)
        if (this.#clusters.has(index)) this.#drop(index);
    } else {
      for (const index of this.#clusters.keys())
        if (index >= whole.first && index < whole.first + whole.count) this.#drop(index);
    }
  }

  writeZeroes(offset: number, length: number, _unmap: boolean): void {
    checkRange(this.size, offset, length);
    const end = offset + length;
    const { first, count } = this.#wholeClusters(offset, length);
    const head = count === 0 ? end : first * CLUSTER;
    this.#zeroPart(offset, head);
    this.discard(offset, length);
    for (let index = first; index < first + count;) {
      // Whole blocks of bits at once: a guest may zero a disk of any size.
      const bits = this.#bitsOf(index);
      const within = index % BITS_BLOCK;
      const some = Math.min(BITS_BLOCK - within, first + count - index);
      setBits(bits, within, some);
      index += some;
    }
    if (count > 0) this.#zeroPart((first + count) * CLUSTER, end);
  }

  flush(): void {
    // It ends with the process; nothing of it was promised to anybody else.
  }

  /** All that was written, ascending; the bytes are the disk's own. */
  *pieces(): Generator<OverlayPiece> {
    const zeros = [...this.#zeros].flatMap(([block, bits]) => [...zeroRuns(block * BITS_BLOCK, bits)]);
    const clusters = [...this.#clusters.keys()].map((first) => ({ first, count: 1 }));
    for (const { first, count } of [...zeros, ...clusters].sort((a, b) => a.first - b.first)) {
      const cluster = this.#clusters.get(first);
      if (cluster !== undefined) yield* this.#writtenPages(first, cluster);
      else {
        const offset = first * CLUSTER;
        yield { offset, length: Math.min(this.size, offset + count * CLUSTER) - offset };
      }
    }
  }

  *#writtenPages(index: number, { bytes, pages }: Cluster): Generator<OverlayPiece> {
    for (let page = 0; page < PAGES;) {
      let end = page;
      while (end < PAGES && (pages & (1 << end)) !== 0) end++;
      if (end > page) {
        const offset = index * CLUSTER + page * PAGE;
        const length = Math.min(this.size, index * CLUSTER + end * PAGE) - offset;
        yield { offset, length, bytes: bytes.subarray(page * PAGE, page * PAGE + length) };
      }
      page = Math.max(end, page + 1);
    }
  }

  #readBelow(offset: number, into: Uint8Array): void {
    if (into.length > 0) this.#below.read(offset, into);
  }

  /** The clusters that lie in a range whole; the disk's last one may be shorter. */
  #wholeClusters(offset: number, length: number): { first: number; count: number } {
    const first = Math.ceil(offset / CLUSTER);
    const end = offset + length;
    const last = end === this.size ? Math.ceil(end / CLUSTER) : Math.floor(end / CLUSTER);
    return { first, count: Math.max(0, last - first) };
  }

  /** Zeros in parts of clusters. */
  #zeroPart(from: number, to: number): void {
    for (let at = from; at < to;) {
      const index = Math.floor(at / CLUSTER);
      const start = at - index * CLUSTER;
      const length = Math.min(CLUSTER - start, to - at);
      if (this.#clusters.has(index) || !this.#isZero(index))
        this.#writeCluster(index, start, ZEROS.subarray(0, length));
      at += length;
    }
  }

  #readCluster(index: number, { bytes, pages }: Cluster, from: number, into: Uint8Array): void {
    if (pages === ALL_PAGES) {
      into.set(bytes.subarray(from, from + into.length));
      return;
    }
    for (let at = 0; at < into.length;) {
      const page = Math.floor((from + at) / PAGE);
      const length = Math.min((page + 1) * PAGE - from - at, into.length - at);
      if ((pages & (1 << page)) !== 0) into.set(bytes.subarray(from + at, from + at + length), at);
      else this.#below.read(index * CLUSTER + from + at, into.subarray(at, at + length));
      at += length;
    }
  }

  #writeCluster(index: number, from: number, bytes: Uint8Array): void {
    const cluster = this.#clusters.get(index) ?? this.#newCluster(index);
    const first = Math.floor(from / PAGE);
    const last = Math.floor((from + bytes.length - 1) / PAGE);
    if (from % PAGE !== 0) this.#fillPage(index, cluster, first);
    if ((from + bytes.length) % PAGE !== 0) this.#fillPage(index, cluster, last);
    cluster.bytes.set(bytes, from);
    for (let page = first; page <= last; page++) cluster.pages |= 1 << page;
  }

  /** Brings a page up from below before a part of it is written. */
  #fillPage(index: number, cluster: Cluster, page: number): void {
    if ((cluster.pages & (1 << page)) !== 0) return;
    const offset = index * CLUSTER + page * PAGE;
    const into = this.#scratch.subarray(0, Math.min(PAGE, this.size - offset));
    this.#below.read(offset, into);
    cluster.bytes.set(into, page * PAGE);
    cluster.pages |= 1 << page;
  }

  /** A cluster of which nothing is here, or all of it where it was zeros. */
  #newCluster(index: number): Cluster {
    this.#reserve(index, CLUSTER);
    const cluster = { bytes: new Uint8Array(CLUSTER), pages: this.#isZero(index) ? ALL_PAGES : 0 };
    this.#clusters.set(index, cluster);
    const bits = this.#zeros.get(Math.floor(index / BITS_BLOCK));
    if (bits !== undefined) bits[(index % BITS_BLOCK) >> 3] &= ~(1 << (index & 7));
    return cluster;
  }

  #reserve(index: number, bytes: number): void {
    if (this.held + bytes <= this.#limit) return;
    throw new BlockError(
      index * CLUSTER,
      `${this.held} bytes written to a disk that is kept in memory`,
      `at most ${this.#limit}`,
      "Keep what is written in a file: overlay=FILE, or rw.",
    );
  }

  #isZero(index: number): boolean {
    const bits = this.#zeros.get(Math.floor(index / BITS_BLOCK));
    return bits !== undefined && (bits[(index % BITS_BLOCK) >> 3] & (1 << (index & 7))) !== 0;
  }

  /** A cluster that reads as zeros takes no memory. */
  #drop(index: number): void {
    const bits = this.#bitsOf(index);
    const cluster = this.#clusters.get(index);
    this.#clusters.delete(index);
    (cluster?.bytes.buffer as Transferable | undefined)?.transfer?.(0);
    setBits(bits, index % BITS_BLOCK, 1);
  }

  /** The block of bits that a cluster's is in. */
  #bitsOf(index: number): Uint8Array {
    const block = Math.floor(index / BITS_BLOCK);
    const there = this.#zeros.get(block);
    if (there !== undefined) return there;
    this.#reserve(index, BITS_BYTES);
    const bits = new Uint8Array(BITS_BYTES);
    this.#zeros.set(block, bits);
    return bits;
  }
}

const ZEROS = new Uint8Array(CLUSTER);

const ALL_BITS = 0xff;

/** Sets `count` bits from `first` on. */
function setBits(bits: Uint8Array, first: number, count: number): void {
  const end = first + count;
  let at = first;
  for (; at < end && (at & 7) !== 0; at++) bits[at >> 3] |= 1 << (at & 7);
  const whole = Math.max(at, end & ~7);
  bits.fill(ALL_BITS, at >> 3, whole >> 3);
  for (at = whole; at < end; at++) bits[at >> 3] |= 1 << (at & 7);
}

/** Runs of bits that are set, behind `base`. */
function* zeroRuns(base: number, bits: Uint8Array): Generator<{ first: number; count: number }> {
  const isSet = (at: number): boolean => (bits[at >> 3] & (1 << (at & 7))) !== 0;
  for (let at = 0; at < BITS_BLOCK;) {
    if (!isSet(at)) {
      at++;
      continue;
    }
    let end = at;
    while (end < BITS_BLOCK && isSet(end)) end++;
    yield { first: base + at, count: end - at };
    at = end;
  }
}
