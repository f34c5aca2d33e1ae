/** Recorded vectors as text: what is written is read back, what is broken is refused with its line. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CASE, FX_AT, RESULT } from "./layout.js";
import { FX } from "./case.js";
import { VECTOR_FILES } from "./vector-files.js";
import { formatVector, parseVector, slotAddress } from "./vector-text.js";

test("R6.1 a vector's line holds what differs from the quiet machine, and what changed", () => {
  const line = "1f 660f58c1 f=a02 mx=1fa0 x0=7ff0000000000000 m180=01ff > mx=1fa1 x0=7ff8000000000000";
  const v = parseVector(line);
  const before = new DataView(v.record.buffer);
  const after = new DataView(v.result.buffer);
  assert.deepEqual([...v.code], [0x66, 0x0f, 0x58, 0xc1]);
  assert.equal(before.getUint32(CASE.RIP, true), slotAddress(0x1f));
  assert.equal(before.getUint32(CASE.RFLAGS, true), 0xa02);
  assert.equal(after.getUint32(RESULT.RFLAGS, true), 0xa02, "what is not named stays");
  assert.equal(after.getUint32(FX_AT + FX.MXCSR, true), 0x1fa1);
  assert.equal(after.getBigUint64(FX_AT + FX.XMM0, true), 0x7ff8000000000000n);
  assert.equal(after.getUint32(RESULT.VECTOR, true), 3, "it falls through to INT3");
  assert.equal(after.getUint32(RESULT.RIP, true), slotAddress(0x1f) + 5);
  assert.equal(formatVector(v), line);
});

test("R6.1 every recorded line is written as it was read", () => {
  for (const { url } of VECTOR_FILES) {
    const lines = readFileSync(url, "utf8").split(/\r?\n/);
    for (const line of lines.filter((text) => /^[0-9a-f]/.test(text))) {
      assert.equal(formatVector(parseVector(line)), line);
    }
  }
});

test("R6.1 a broken line is refused and quoted", () => {
  for (const line of [
    "",
    "1f",
    "1f 90",
    "zz 90 >",
    "1f 9 >",
    "1f 90 q9=1 >",
    "1f 90 v=1 >",
    "fffff 90 >",
    "1f 90 > m5",
  ]) {
    assert.throws(() => parseVector(line), /recorded vector/, line);
  }
});
