/** The number encodings of WebAssembly (core 2.0 §5.2) at their corners. */
import assert from "node:assert/strict";
import test from "node:test";
import { BinaryWriter } from "../../../src/engine/wasm/binary-writer.js";

function written(write: (w: BinaryWriter) => void): string {
  const w = new BinaryWriter();
  write(w);
  return Buffer.from(w.bytes()).toString("hex");
}

test("unsigned LEB128 takes 7 bits a byte, the lowest first", () => {
  const rows: [number, string][] = [
    [0, "00"],
    [0x7f, "7f"],
    [0x80, "8001"],
    [0x3fff, "ff7f"],
    [0x4000, "808001"],
    [624485, "e58e26"],
    [0x7fffffff, "ffffffff07"],
    [0x80000000, "8080808008"],
    [0xffffffff, "ffffffff0f"],
  ];
  for (const [value, hex] of rows) {
    assert.equal(
      written((w) => w.unsigned(value)),
      hex,
      `${value}`,
    );
  }
});

test("signed LEB128 ends where the sign bit of the last byte says the rest", () => {
  const rows: [number, string][] = [
    [0, "00"],
    [-1, "7f"],
    [63, "3f"],
    [64, "c000"],
    [-64, "40"],
    [-65, "bf7f"],
    [127, "ff00"],
    [-128, "807f"],
    [-123456, "c0bb78"],
    [0x7fffffff, "ffffffff07"],
    [-0x80000000, "8080808078"],
  ];
  for (const [value, hex] of rows) {
    assert.equal(
      written((w) => w.signed(value)),
      hex,
      `${value}`,
    );
    assert.equal(
      written((w) => w.signed64(BigInt(value))),
      hex,
      `${value} of 64 bits`,
    );
  }
});

test("signed LEB128 of 64 bits: the extremes, and unsigned values as their signed twins", () => {
  const rows: [bigint, string][] = [
    [0x7fffffffffffffffn, "ffffffffffffffffff00"],
    [-0x8000000000000000n, "8080808080808080807f"],
    [0xffffffffffffffffn, "7f"],
    [0x8000000000000000n, "8080808080808080807f"],
    [0xffffffffn, "ffffffff0f"],
  ];
  for (const [value, hex] of rows) {
    assert.equal(
      written((w) => w.signed64(value)),
      hex,
      `${value}`,
    );
  }
});

test("floats are their bytes, a name is its length and UTF-8, a section its id and length", () => {
  assert.equal(
    written((w) => w.float32(1)),
    "0000803f",
  );
  assert.equal(
    written((w) => w.float64(-0)),
    "0000000000000080",
  );
  assert.equal(
    written((w) => w.name("é")),
    "02c3a9",
  );
  const inner = new BinaryWriter();
  inner.raw(new Uint8Array(130).fill(7));
  assert.equal(
    written((w) => w.section(10, inner)),
    "0a8201" + "07".repeat(130),
  );
});

test("the buffer grows by single bytes and by pieces larger than itself", () => {
  const w = new BinaryWriter();
  for (let i = 0; i < 3000; i++) w.byte(i & 0xff);
  w.raw(new Uint8Array(100_000).fill(9));
  assert.equal(w.length, 103_000);
  assert.equal(w.bytes()[2999], 2999 & 0xff);
  assert.equal(w.bytes()[102_999], 9);
});
