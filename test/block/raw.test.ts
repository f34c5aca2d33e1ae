/** Raw disks: what a file's end means, what is refused, and what a guest may not write (R3.6). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockError } from "../../src/block/block-error.js";
import { MemoryFile, type BlockFile } from "../../src/block/block-file.js";
import { RawDisk } from "../../src/block/raw.js";

const SECTOR = 512;

function bytes(length: number, value = 1): Uint8Array {
  return new Uint8Array(length).fill(value);
}

/** The same file, which cannot be written. */
function readOnly({ bytes }: MemoryFile): BlockFile {
  return new MemoryFile(bytes, "memory", true);
}

function readsOf(disk: RawDisk, offset: number, length: number): Uint8Array {
  const into = bytes(length, 0xaa);
  disk.read(offset, into);
  return into;
}

test("R3.6 raw: what is written is read, and nothing beside it changes", () => {
  const file = new MemoryFile(bytes(4 * SECTOR));
  const disk = new RawDisk(file);
  disk.write(SECTOR, bytes(SECTOR, 7));
  assert.deepEqual(
    readsOf(disk, 0, 3 * SECTOR),
    Uint8Array.of(...bytes(SECTOR), ...bytes(SECTOR, 7), ...bytes(SECTOR)),
  );
  assert.equal(file.size, 4 * SECTOR);
});

for (const [what, use] of Object.entries<(disk: RawDisk) => void>({
  "a read behind the end": (disk) => disk.read(2 * SECTOR, bytes(1)),
  "a read over the end": (disk) => disk.read(SECTOR, bytes(SECTOR + 1)),
  "a write over the end": (disk) => disk.write(SECTOR, bytes(SECTOR + 1)),
  "a negative offset": (disk) => disk.write(-1, bytes(1)),
  "an offset that is no number": (disk) => disk.read(NaN, bytes(1)),
  "zeros over the end": (disk) => disk.writeZeroes(0, 2 * SECTOR + 1, true),
  "a discard over the end": (disk) => disk.discard(SECTOR, 2 * SECTOR),
}))
  test(`R3.6 raw: ${what} is refused, and nothing has changed`, () => {
    const file = new MemoryFile(bytes(2 * SECTOR));
    assert.throws(() => use(new RawDisk(file)), BlockError);
    assert.deepEqual(file.bytes, bytes(2 * SECTOR));
  });

test("R3.6 raw: a file that ends within a sector reads zeros there, and is not written", () => {
  const file = new MemoryFile(bytes(SECTOR + 1));
  const disk = new RawDisk(readOnly(file));
  assert.equal(disk.size, 2 * SECTOR);
  assert.deepEqual(readsOf(disk, SECTOR, 4), Uint8Array.of(1, 0, 0, 0));
  assert.deepEqual(readsOf(disk, SECTOR + 8, 4), bytes(4, 0));
  assert.throws(() => new RawDisk(file), /0x201: found the end of memory within a sector.*truncate -s/s);
});

test("R3.6 raw: a disk that is only read refuses every change", () => {
  const disk = new RawDisk(readOnly(new MemoryFile(bytes(SECTOR))));
  assert.equal(disk.readOnly, true);
  for (const change of [
    () => disk.write(0, bytes(1)),
    () => disk.discard(0, SECTOR),
    () => disk.writeZeroes(0, SECTOR, false),
  ])
    assert.throws(change, /read only/);
});

test("R3.6 raw: a guest cannot make its disk look like another format, in one write or in several", () => {
  const magic = Uint8Array.of(0x51, 0x46, 0x49, 0xfb);
  const disk = new RawDisk(new MemoryFile(bytes(SECTOR)), { refusedMagic: magic });
  assert.throws(() => disk.write(0, magic), /another image format/);
  disk.write(2, magic.subarray(2));
  assert.throws(() => disk.write(0, magic.subarray(0, 2)), /another image format/);
  disk.write(4, magic);
});

test("R3.6 raw: zeros are zeros whether the host can give the room back or not", () => {
  for (const punch of [true, false]) {
    const file = new MemoryFile(bytes(1 << 18));
    if (!punch) file.punch = () => false;
    const disk = new RawDisk(file);
    disk.writeZeroes(SECTOR, (1 << 17) + 1, true);
    const expected = bytes(1 << 18);
    expected.fill(0, SECTOR, SECTOR + (1 << 17) + 1);
    assert.deepEqual(file.bytes, expected);
  }
});
