/** File systems by their superblocks (R3.6): those that no program of Debian's writes, from bytes; `filesystems-tools.test.ts` has the others. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { ByteView } from "../../src/bytes/byte-view.js";
import { identifyFileSystem } from "../../src/disk/filesystems/identify.js";
import { memorySource } from "../../src/disk/source.js";

const encoder = new TextEncoder();

function xdrString(text: string): Uint8Array {
  const view = new ByteView(new Uint8Array(4 + Math.ceil(text.length / 4) * 4));
  view.bytes.set([0, 0, 0, text.length]);
  view.bytes.set(encoder.encode(text), 4);
  return view.bytes;
}

function pair(name: string, type: number, value: Uint8Array): Uint8Array {
  const encoded = xdrString(name);
  const bytes = new Uint8Array(8 + encoded.length + 8 + value.length);
  bytes.set(encoded, 8);
  bytes[8 + encoded.length + 3] = type;
  bytes[8 + encoded.length + 7] = 1;
  bytes.set(value, 16 + encoded.length);
  bytes[3] = bytes.length;
  return bytes;
}

test("R3.6 a member of a ZFS pool: name and GUID of the pool", () => {
  const disk = new Uint8Array(512 * 1024);
  disk.set([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 16384);
  let at = 16384 + 12;
  for (const one of [
    pair("version", 8, Uint8Array.from([0, 0, 0, 0, 0, 0, 0x13, 0x88])),
    pair("name", 9, xdrString("zroot")),
    pair("pool_guid", 8, Uint8Array.from([0, 0, 0, 0, 0, 0, 1, 0])),
  ]) {
    disk.set(one, at);
    at += one.length;
  }
  new ByteView(disk).setU32(131072 + 5 * 1024, 0x00bab10c);
  const found = identifyFileSystem(memorySource(disk));
  assert.deepEqual(found, {
    type: "zfs",
    meaning: "member of a ZFS pool",
    label: "zroot",
    uuid: "256",
    offset: 131072 + 5 * 1024,
  });
});

function ufsImage(magic: number, at: number): Uint8Array {
  const disk = new Uint8Array(2 ** 20);
  const sb = new ByteView(disk.subarray(at, at + 1376));
  sb.setU32(1372, magic);
  sb.setU32(36, 1000);
  sb.setU32(48, 32768);
  sb.setU32(52, 4096);
  sb.setU32(56, 8);
  sb.setU32(144, 0x65000000);
  sb.setU32(148, 0x1234);
  sb.bytes.set(encoder.encode("/"), 212);
  sb.bytes.set(encoder.encode("rootfs"), 680);
  sb.setU64(1080, 200);
  return disk;
}

for (const [type, magic, at, size] of [
  ["ufs1", 0x011954, 8192, 4096000],
  ["ufs2", 0x19540119, 65536, 819200],
  ["ufs2", 0x19012038, 65536, 819200],
  ["ufs2", 0x19540119, 262144, 819200],
] as const)
  test(`R3.6 ${type} with magic 0x${magic.toString(16)} at ${at}: label, id, where it was mounted`, () => {
    const found = identifyFileSystem(memorySource(ufsImage(magic, at)));
    assert.equal(found?.type, type);
    assert.equal(found?.label, "rootfs");
    assert.equal(found?.uuid, "6500000000001234");
    assert.equal(found?.mountedOn, "/");
    assert.equal(found?.size, size);
    assert.equal(found?.offset, at + 1372);
  });

test("R3.6 UFS with blocks that cannot be is none", () => {
  const disk = ufsImage(0x19540119, 65536);
  new ByteView(disk).setU32(65536 + 48, 12345);
  assert.equal(identifyFileSystem(memorySource(disk)), undefined);
});

// Where the FreeBSD images are, if they are.
const freebsd = process.env["LOCORE_FREEBSD"];
if (freebsd !== undefined)
  test("R3.6 the root file system that FreeBSD's makefs made is named", () => {
    const found = identifyFileSystem(memorySource(readFileSync(`${freebsd}/freebsd-root.ufs`)));
    assert.match(found?.type ?? "", /^ufs[12]$/);
  });

test("R3.6 zeros, random bytes and too few bytes are no file system", () => {
  for (const size of [0, 1, 511, 4096, 300_000])
    assert.equal(identifyFileSystem(memorySource(new Uint8Array(size))), undefined);
  const noise = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) >>> 13);
  assert.equal(identifyFileSystem(memorySource(noise)), undefined);
});
