/** The checksums of the codecs against published vectors and an independent implementation. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import fc from "fast-check";
import { crc32 } from "../../src/codecs/crc32.js";
import { crc64 } from "../../src/codecs/xz/crc64.js";
import { sha256 } from "../../src/codecs/sha256.js";
import { xxh64Low } from "../../src/codecs/zstd/xxh64.js";

const CHECK = new TextEncoder().encode("123456789");

/** Bit by bit, straight from the definition. */
function slowCrc(bytes: Uint8Array, polynomial: bigint, width: bigint): bigint {
  const ones = (1n << width) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  }
  return crc ^ ones;
}

test("R4.4 CRC-32 matches its check value, and the definition at every length", () => {
  assert.equal(crc32(CHECK), 0xcbf43926);
  assert.equal(crc32(CHECK.subarray(4), crc32(CHECK.subarray(0, 4))), 0xcbf43926);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      assert.equal(BigInt(crc32(bytes)), slowCrc(bytes, 0xedb88320n, 32n));
    }),
  );
});

test("R4.4 CRC-64 matches its check value, and the definition at every length", () => {
  assert.deepEqual(crc64(CHECK), { high: 0x995dc9bb, low: 0xdf1939fa });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const { high, low } = crc64(bytes);
      assert.equal((BigInt(high) << 32n) | BigInt(low), slowCrc(bytes, 0xc96c5795d7870f42n, 64n));
    }),
  );
});

test("R4.4 SHA-256 matches Node's at every length around its blocks", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff);
    assert.equal(
      Buffer.from(sha256(bytes)).toString("hex"),
      createHash("sha256").update(bytes).digest("hex"),
    );
  }
});

test("R4.4 XXH64 matches vectors that xxhsum printed", () => {
  const of = (text: string): number => xxh64Low(new TextEncoder().encode(text));
  assert.equal(of(""), 0x51d8e999);
  assert.equal(of("a"), 0xa98c6e5b);
  assert.equal(of("abc"), 0xad770999);
  assert.equal(of("123456789"), 0x40e6ae83);
  assert.equal(of("The quick brown fox jumps over the lazy dog"), 0x1fda71bc);
  // 31 whole stripes, one word of eight, one of four, and three bytes.
  assert.equal(xxh64Low(Uint8Array.from({ length: 1003 }, (_, i) => (i * 7) & 0xff)), 0xa719efba);
});
