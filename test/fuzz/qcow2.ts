/**
 * Images that somebody has damaged (R3.6): each is refused as what it is, or is a disk whose every use comes back, with a BlockError
 * at worst, in bounded time and memory.
 */
import assert from "node:assert/strict";
import zlib from "node:zlib";
import { BlockError } from "../../src/block/block-error.js";
import { MemoryFile } from "../../src/block/block-file.js";
import { createQcow2 } from "../../src/block/qcow2/create.js";
import { Qcow2Disk } from "../../src/block/qcow2/disk.js";
import { Random } from "../support/random.js";

const CLUSTER = 512;
const SIZE = 100 * CLUSTER;
const HEADER = 112;
/** More than an image of this size can grow to by what is done here: counts may send a writer some way behind the end. */
const MOST_GROWTH = 2 ** 27;
const ONE_USE = 0x8000_0000;

/** Writes an L2 entry of the first table, as big-endian halves. */
function setEntry(file: MemoryFile, index: number, high: number, low: number): void {
  const view = new DataView(file.bytes.buffer, 0, file.size);
  const l2 = view.getUint32(view.getUint32(44) + 4);
  view.setUint32(l2 + index * 8, high);
  view.setUint32(l2 + index * 8 + 4, low);
}

/** An image with data, zeros, holes, and a packed cluster. */
function goodImage(version: 2 | 3, over: boolean): Uint8Array {
  const file = new MemoryFile();
  createQcow2(file, {
    size: SIZE,
    clusterBits: 9,
    ...(over && { backing: { name: "below.raw", format: "raw" as const } }),
  });
  if (version === 2 && !over) {
    const header = new DataView(file.bytes.buffer, 0, HEADER);
    header.setUint32(4, 2);
    for (let at = 72; at < 104; at += 4) header.setUint32(at, 0);
  }
  const disk = new Qcow2Disk(file);
  disk.write(0, new Uint8Array(20 * CLUSTER).fill(7));
  disk.write(70 * CLUSTER + 5, new Uint8Array(9 * CLUSTER).fill(9));
  disk.writeZeroes(3 * CLUSTER, 4 * CLUSTER, false);
  disk.discard(10 * CLUSTER, 2 * CLUSTER);
  disk.flush();
  const packed = zlib.deflateRawSync(new Uint8Array(CLUSTER).fill(3));
  const place = file.size;
  file.write(place, packed);
  setEntry(file, 15, 0x4000_0000, place);
  setEntry(file, 16, 0, (place & ~0x1ff) + CLUSTER);
  return file.bytes.slice();
}

/** The images that are damaged. */
export function goodImages(): Uint8Array[] {
  return [goodImage(3, false), goodImage(3, true), goodImage(2, false)];
}

/** One to four places that are something else: in the header, in a table, or anywhere. */
function damaged(good: Uint8Array, random: Random): Uint8Array {
  const bytes = good.slice(0, random.below(20) === 0 ? random.below(good.length) : good.length);
  const view = new DataView(bytes.buffer);
  for (let left = 1 + random.below(4); left > 0 && bytes.length > 8; left--) {
    const header = random.below(3) === 0;
    const at = random.below(Math.min(header ? HEADER : bytes.length, bytes.length) - 7);
    switch (random.below(5)) {
      case 0:
        bytes[at] ^= 1 << random.below(8);
        break;
      case 1:
        bytes[at] = random.below(256);
        break;
      case 2:
        view.setUint32(at & ~3, random.pick([0, 1, 0xffff_ffff, ONE_USE, CLUSTER, bytes.length]));
        break;
      case 3:
        // A place of the file, where a table may name one.
        view.setUint32(at & ~7, random.pick([0, ONE_USE, 0x4000_0000]));
        view.setUint32((at & ~7) + 4, random.below(bytes.length / CLUSTER + 2) * CLUSTER + random.below(2));
        break;
      case 4:
        bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length));
    }
  }
  return bytes;
}

/** Uses a disk in every way; what it refuses is a BlockError. */
function use(disk: Qcow2Disk, random: Random): void {
  const most = Math.min(disk.size, 2 ** 20);
  const ways: (() => void)[] = [
    () => disk.read(0, new Uint8Array(Math.min(most, SIZE))),
    () => disk.read(Math.max(0, disk.size - CLUSTER), new Uint8Array(Math.min(disk.size, CLUSTER))),
    () =>
      disk.write(
        random.below(Math.max(1, most - 5000)),
        new Uint8Array(Math.min(most, 1 + random.below(5000))).fill(1),
      ),
    () => disk.discard(0, most),
    () => disk.writeZeroes(random.below(Math.max(1, most / 2)), most / 2, random.below(2) === 0),
    () => disk.flush(),
  ];
  for (let i = 0; i < 6; i++) tolerate(random.pick(ways));
  tolerate(() => disk.flush());
}

function tolerate(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    assert.ok(Number.isFinite(error.offset) && error.offset >= 0, error.message);
    return false;
  }
}

export interface FuzzCount {
  images: number;
  /** Those that could be opened. */
  opened: number;
}

/** Opens and uses so many damaged images; throws what names the seed of one that is not taken as it must be. */
export function fuzzQcow2(images: number, firstSeed: number): FuzzCount {
  const good = goodImages();
  const below = new MemoryFile(new Uint8Array(SIZE - 3 * CLUSTER).fill(5));
  let opened = 0;
  for (let seed = firstSeed; seed < firstSeed + images; seed++) {
    const random = new Random(seed);
    const file = new MemoryFile(damaged(random.pick(good), random), "image", random.below(4) === 0);
    const before = below.bytes.length;
    try {
      const isOpen = tolerate(() => use(new Qcow2Disk(file, { backing: below }), random));
      if (isOpen) opened++;
      assert.ok(file.size <= MOST_GROWTH, `it grew to ${file.size} bytes`);
      assert.equal(below.bytes.length, before);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).stack ?? String(error)}`, { cause: error });
    }
  }
  assert.ok(
    below.bytes.every((byte) => byte === 5),
    "what lies below was changed",
  );
  return { images, opened };
}
