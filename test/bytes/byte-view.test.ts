/** The checked byte access, alignment and hexadecimal of `src/bytes/`. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { alignDown, alignUp, isPowerOfTwo } from "../../src/bytes/align.js";
import { BoundsError } from "../../src/bytes/bounds-error.js";
import { ByteView } from "../../src/bytes/byte-view.js";
import { inOneLine } from "../../src/bytes/one-line.js";
import { hex, hexBytes, printable } from "../../src/bytes/hex.js";

const SAMPLE = Uint8Array.of(0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0x88, 0xff);

test("bytes: integers are read little-endian, or big-endian where the name says so", () => {
  const view = new ByteView(SAMPLE);
  assert.equal(view.u8(1), 0x82);
  assert.equal(view.u16(1), 0x0382);
  assert.equal(view.u32(1), 0x05840382);
  assert.equal(view.i32(0), 0x84038201 - 2 ** 32);
  assert.equal(view.u64(0), 0x8807860584038201n);
  assert.equal(view.u16be(1), 0x8203);
  assert.equal(view.u32be(1), 0x82038405);
  assert.equal(view.u64be(0), 0x0182038405860788n);
});

test("bytes: a 64-bit value is a number only up to 2^53 - 1", () => {
  const view = new ByteView(new Uint8Array(8));
  view.setU64(0, Number.MAX_SAFE_INTEGER);
  assert.equal(view.u64Number(0), Number.MAX_SAFE_INTEGER);
  view.setU64(0, 2n ** 53n);
  assert.equal(view.u64Number(0), undefined);
  view.setU64(0, 2n ** 64n - 1n);
  assert.equal(view.u64Number(0), undefined);
});

test("bytes: every access outside is a BoundsError with the absolute offset", () => {
  const accesses: [number, (view: ByteView, at: number) => unknown][] = [
    [1, (view, at) => view.u8(at)],
    [2, (view, at) => view.u16(at)],
    [4, (view, at) => view.u32(at)],
    [4, (view, at) => view.i32(at)],
    [8, (view, at) => view.u64(at)],
    [8, (view, at) => view.u64Number(at)],
    [2, (view, at) => view.u16be(at)],
    [4, (view, at) => view.u32be(at)],
    [8, (view, at) => view.u64be(at)],
    [3, (view, at) => view.slice(at, 3)],
    [1, (view, at) => view.setU8(at, 0)],
    [2, (view, at) => view.setU16(at, 0)],
    [4, (view, at) => view.setU32(at, 0)],
    [8, (view, at) => view.setU64(at, 0)],
    [2, (view, at) => view.setU16be(at, 0)],
    [4, (view, at) => view.setU32be(at, 0)],
    [3, (view, at) => view.setBytes(at, new Uint8Array(3))],
    [2, (view, at) => view.setLatin1(at, "ab")],
  ];
  const base = 0x1000;
  for (const [size, access] of accesses) {
    for (const at of [-1, 10 - size + 1, 10, 11, 2 ** 40, Infinity, 0.5, NaN]) {
      const bytes = new Uint8Array(10).fill(7);
      assert.throws(
        () => access(new ByteView(bytes, base), at),
        (error) =>
          error instanceof BoundsError && Object.is(error.offset, base + at) && error.end === base + 10,
        `${access.toString()} at ${at}`,
      );
      assert.deepEqual(bytes, new Uint8Array(10).fill(7));
    }
    access(new ByteView(new Uint8Array(10)), 10 - size);
  }
});

test("bytes: what is written is read back, and nothing beside it changes", () => {
  const at = fc.integer({ min: 0, max: 24 });
  const cases = fc.record({ at, u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) });
  fc.assert(
    fc.property(cases, ({ at: offset, u64 }) => {
      const view = new ByteView(new Uint8Array(32).fill(0xa5));
      view.setU64(offset, u64);
      assert.equal(view.u64(offset), u64);
      assert.equal(BigInt(view.u32(offset)) | (BigInt(view.u32(offset + 4)) << 32n), u64);
      const beside = view.bytes.filter((_, i) => i < offset || i >= offset + 8);
      assert.ok(beside.every((byte) => byte === 0xa5));
    }),
  );
});

test("bytes: a value that does not fit is refused, not cut", () => {
  const view = new ByteView(new Uint8Array(16));
  assert.throws(() => view.setU8(0, 0x100), RangeError);
  assert.throws(() => view.setU16(0, 0x1_0000), RangeError);
  assert.throws(() => view.setU32(0, 2 ** 32), RangeError);
  assert.throws(() => view.setU32(0, -1), RangeError);
  assert.throws(() => view.setU32(0, 1.5), RangeError);
  assert.throws(() => view.setU64(0, 2n ** 64n), RangeError);
  assert.throws(() => view.setU64(0, -1n), RangeError);
  assert.throws(() => view.setU64(0, 2 ** 60), RangeError);
  assert.throws(() => view.setLatin1(0, "€"), RangeError);
  assert.deepEqual(view.bytes, new Uint8Array(16));
});

test("bytes: a narrower view reports offsets from the outermost start", () => {
  const inner = new ByteView(SAMPLE, 0x200).view(4, 3);
  assert.equal(inner.u8(0), 0x05);
  assert.throws(
    () => inner.u32(0),
    (error) =>
      error instanceof BoundsError && error.offset === 0x204 && error.wanted === 4 && error.end === 0x207,
  );
});

test("bytes: strings end at NUL, and a missing NUL is told", () => {
  const view = new ByteView(Uint8Array.of(0x68, 0xe9, 0, 0x78, 0x79));
  assert.equal(view.cString(0, 10), "hé");
  assert.equal(view.cString(3, 10), undefined);
  assert.equal(view.cString(0, 2), undefined);
  assert.equal(view.latin1(3, 2), "xy");
  assert.ok(view.matches(3, "xy"));
  assert.ok(!view.matches(3, "xyz"));
});

test("R1.6 alignment works above 4 GiB and refuses nonsense", () => {
  assert.equal(alignUp(0x1_0000_0001, 0x1000), 0x1_0000_1000);
  assert.equal(alignUp(0x2000, 0x1000), 0x2000);
  assert.equal(alignDown(0x1_0000_0fff, 0x1000), 0x1_0000_0000);
  assert.throws(() => alignUp(-1, 16), RangeError);
  assert.throws(() => alignUp(1, 0), RangeError);
  assert.throws(() => alignDown(2 ** 60, 16), RangeError);
  assert.ok(isPowerOfTwo(1) && isPowerOfTwo(2 ** 40));
  assert.ok(!isPowerOfTwo(0) && !isPowerOfTwo(3) && !isPowerOfTwo(2 ** 40 + 1) && !isPowerOfTwo(-2));
});

test("bytes: numbers and dumps are spelled one way", () => {
  assert.equal(hex(0x1f1), "0x1f1");
  assert.equal(hex(5, 4), "0x0005");
  assert.equal(hex(0xffff_ffff_8100_0000n), "0xffffffff81000000");
  assert.equal(hex(-16), "-0x10");
  assert.equal(hex(1.5), "1.5");
  assert.equal(hexBytes(Uint8Array.of(1, 0xab)), "01 ab");
  assert.equal(hexBytes(new Uint8Array(3), 2), "00 00 …");
  assert.equal(printable(Uint8Array.of(0x41, 0, 0x7f, 0x7e)), "A..~");
});

test("bytes: long Latin-1 text is the same characters, at every length around a chunk", () => {
  for (const length of [0, 1, 4095, 4096, 4097, 20_000]) {
    const view = new ByteView(Uint8Array.from({ length }, (_, i) => i % 255));
    const text = view.latin1(0, length);
    assert.ok(text.length === length && Array.from(text).every((c, i) => c.charCodeAt(0) === i % 255));
  }
});

test("bytes: text of a file in one line has no character that a terminal obeys", () => {
  assert.equal(inOneLine("a\nb\x1b[2J\r\x7f\x9b\u2028ä\t€"), "a\\x0ab\\x1b[2J\\x0d\\x7f\\x9b\\u2028ä\t€");
});
