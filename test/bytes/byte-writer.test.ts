// The append-only writer that tables are built with.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteWriter } from "../../src/bytes/byte-writer.js";

describe("ByteWriter", () => {
  it("fields are little-endian and in order", () => {
    const bytes = new ByteWriter()
      .u8(1)
      .u16(0x203)
      .u32(0x4050607)
      .u64(2 ** 40)
      .text("ab", 4, " ")
      .zeros(1)
      .finish();
    assert.equal(
      Buffer.from(bytes).toString("hex"),
      "01" + "0302" + "07060504" + "0000000000010000" + "61622020" + "00",
    );
  });

  it("growing keeps what was written, at every size of field", () => {
    const writer = new ByteWriter();
    for (let i = 0; i < 1000; i++)
      writer
        .u8(i & 0xff)
        .u16(i)
        .u32(i)
        .u64(i);
    const bytes = writer.finish();
    const view = new DataView(bytes.buffer);
    assert.equal(bytes.length, 15_000);
    for (let i = 0; i < 1000; i++) {
      assert.equal(view.getUint8(i * 15), i & 0xff);
      assert.equal(view.getUint16(i * 15 + 1, true), i);
      assert.equal(view.getUint32(i * 15 + 3, true), i);
      assert.equal(view.getBigUint64(i * 15 + 7, true), BigInt(i));
    }
  });

  it("a value that does not fit is refused", () => {
    assert.throws(() => new ByteWriter().u8(256), RangeError);
    assert.throws(() => new ByteWriter().u16(-1), RangeError);
    assert.throws(() => new ByteWriter().u64(2 ** 60), RangeError);
  });
});
