/** Plain data as bytes and back, and bytes that are none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SnapshotError } from "../../src/snapshot/snapshot-error.js";
import { decodeValue, encodeValue } from "../../src/snapshot/values.js";
import { Random } from "../support/random.js";

const BASE = 0x1000;

/** Without what encoding leaves out, and with the prototypes that decoding gives. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (typeof value !== "object" || value === null) return value;
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, one] of Object.entries(value)) if (one !== undefined) copy[key] = plain(one);
  return copy;
}

const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.string({ unit: "grapheme" }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array(),
    fc.array(tie("value")),
    fc.dictionary(fc.string(), fc.oneof(tie("value"), fc.constant(undefined))),
  ),
})).value;

test("R6.2 whatever is plain data comes back as it was", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      assert.deepEqual(decodeValue(encodeValue(value), BASE), plain(value));
    }),
    { numRuns: 2000 },
  );
});

test("R6.2 numbers take the room they need, as RFC 8949 appendix A has them", () => {
  const cases: [unknown, string][] = [
    [0, "00"],
    [23, "17"],
    [24, "1818"],
    [1000, "1903e8"],
    [1000000, "1a000f4240"],
    [1000000000000, "1b000000e8d4a51000"],
    [-1, "20"],
    [-1000, "3903e7"],
    [1.1, "fb3ff199999999999a"],
    [2n ** 63n, "c2488000000000000000"],
    [false, "f4"],
    [null, "f6"],
    [[1, [2, 3]], "8201820203"],
    [{ a: 1, b: [2, 3] }, "a26161016162820203"],
    [Uint8Array.of(1, 2, 3, 4), "4401020304"],
    ["ü", "62c3bc"],
  ];
  for (const [value, hex] of cases) {
    assert.equal(Buffer.from(encodeValue(value)).toString("hex"), hex);
    assert.deepEqual(decodeValue(Uint8Array.from(Buffer.from(hex, "hex")), BASE), plain(value));
  }
});

test("R6.2 what is no value is refused at its offset", () => {
  const cases: [hex: string, offset: number, found: RegExp][] = [
    ["", 0, /the end of the section/],
    ["0000", 1, /1 bytes behind the value/],
    ["1b0020000000000000", 0, /0x20000000000000/],
    ["5a7fffffff", 0, /2147483647 bytes in a section that has 0 more/],
    ["9a7fffffff", 0, /2147483647 values in 0 bytes/],
    ["bb001fffffffffffff", 0, /9007199254740991 values/],
    ["5f", 0, /0x5f/],
    ["f7", 0, /0xf7/],
    ["c0c0", 0, /tag 0/],
    ["c249010000000000000000", 0, /tag 2/],
    ["62c328", 0, /no UTF-8/],
    ["a2616101616102", 4, /a key/],
    ["a10000", 1, /a key/],
    ["81".repeat(40), 32, /33 deep/],
  ];
  for (const [hex, offset, found] of cases)
    assert.throws(
      () => decodeValue(Buffer.from(hex, "hex"), BASE),
      (error: SnapshotError) => {
        assert.equal(error.name, "SnapshotError", `${hex}: ${String(error)}`);
        assert.equal(error.offset, BASE + offset, hex);
        assert.match(error.found, found);
        return true;
      },
    );
});

test("R6.2 random bytes are a value or refused, never anything else", () => {
  const random = new Random(5);
  for (let i = 0; i < 20_000; i++) {
    const bytes = Uint8Array.from({ length: 1 + random.below(24) }, () => random.below(256));
    try {
      decodeValue(bytes, BASE);
    } catch (error) {
      assert.ok(error instanceof SnapshotError, String(error));
    }
  }
});
