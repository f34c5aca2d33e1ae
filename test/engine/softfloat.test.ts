/**
 * Properties of the exact float arithmetic: against the host's binary64, between rounding modes, and of the fast
 * path against the exact one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  PRECISION,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_UP,
  ROUND_ZERO,
  defaultEnvironment,
  type FloatEnvironment,
  type RoundingMode,
} from "../../src/engine/x86/softfloat/environment.js";
import * as binary from "../../src/engine/x86/softfloat/binary.js";
import * as native from "../../src/engine/x86/softfloat/native.js";
import { fromBcd, toBcd } from "../../src/engine/x86/softfloat/bcd.js";
import {
  BINARY32,
  BINARY64,
  bitLength,
  packBinary,
  packExtended,
  unpackBinary,
  unpackExtended,
  type BinaryFormat,
} from "../../src/engine/x86/softfloat/value.js";

const SEED = { seed: 20261120, numRuns: 3000 };
const buffer = new DataView(new ArrayBuffer(8));

function toBits(value: number, format: BinaryFormat): bigint {
  if (format === BINARY32) {
    buffer.setFloat32(0, value);
    return BigInt(buffer.getUint32(0));
  }
  buffer.setFloat64(0, value);
  return buffer.getBigUint64(0);
}

function fromBits(bits: bigint, format: BinaryFormat): number {
  if (format === BINARY32) {
    buffer.setUint32(0, Number(bits));
    return buffer.getFloat32(0);
  }
  buffer.setBigUint64(0, bits);
  return buffer.getFloat64(0);
}

/** Numbers of a format by their bits, so that all exponents are as likely; partners are often near each other. */
function numbers(format: BinaryFormat): fc.Arbitrary<[number, number]> {
  const bits = fc.bigInt({ min: 0n, max: (1n << BigInt(format.width)) - 1n });
  const near = fc.tuple(bits, fc.bigInt({ min: -(1n << 54n), max: 1n << 54n })).map(([a, distance]) => {
    const scaled = format === BINARY32 ? distance >> 28n : distance;
    return [a, BigInt.asUintN(format.width, a + scaled)] as [bigint, bigint];
  });
  const pair = fc.oneof(fc.tuple(bits, bits), near) as fc.Arbitrary<[bigint, bigint]>;
  return pair.map(([a, b]): [number, number] => [fromBits(a, format), fromBits(b, format)]);
}

type Exact = (format: BinaryFormat, a: bigint, b: bigint, env: FloatEnvironment) => bigint;
const OPERATIONS: [string, Exact, (a: number, b: number) => number, typeof native.nativeAdd][] = [
  ["add", binary.binaryAdd, (a, b) => a + b, native.nativeAdd],
  [
    "subtract",
    binary.binarySubtract,
    (a, b) => a - b,
    (a, b, width, env) => native.nativeAdd(a, -b, width, env),
  ],
  ["multiply", binary.binaryMultiply, (a, b) => a * b, native.nativeMultiply],
  ["divide", binary.binaryDivide, (a, b) => a / b, native.nativeDivide],
  [
    "square root",
    (format, a, _, env) => binary.binarySquareRoot(format, a, env),
    (a) => Math.sqrt(a),
    (a, _, width, env) => native.nativeSquareRoot(a, width, env),
  ],
];

for (const format of [BINARY32, BINARY64]) {
  const name = format === BINARY32 ? "binary32" : "binary64";
  const host = format === BINARY32 ? Math.fround : (value: number): number => value;

  for (const [label, exact, reference, fast] of OPERATIONS) {
    test(`R6.1 ${name} ${label} rounds to nearest as the host does`, () => {
      fc.assert(
        fc.property(numbers(format), ([a, b]) => {
          const result = exact(format, toBits(a, format), toBits(b, format), defaultEnvironment("sse"));
          assert.equal(fromBits(result, format), host(reference(a, b)));
        }),
        SEED,
      );
    });

    test(`R6.1 ${name} ${label}: the fast path, where it decides, agrees with the exact one in every mode`, () => {
      let decided = 0;
      fc.assert(
        fc.property(numbers(format), fc.integer({ min: 0, max: 3 }), ([a, b], rounding) => {
          const env = { ...defaultEnvironment("sse"), rounding: rounding as RoundingMode };
          const quick = fast(a, b, format.width, env);
          if (Number.isNaN(quick)) return;
          decided++;
          const check = { ...env, flags: 0 };
          const result = exact(format, toBits(a, format), toBits(b, format), check);
          assert.ok(Object.is(quick, fromBits(result, format)), `${quick} ${fromBits(result, format)}`);
          assert.equal(env.flags, check.flags);
        }),
        SEED,
      );
      assert.ok(decided > SEED.numRuns / 20, `${decided} decided`);
    });
  }

  test(`R6.1 ${name}: rounding down and up enclose the exact result, and the other modes give one of both`, () => {
    fc.assert(
      fc.property(numbers(format), ([a, b]) => {
        const results = [ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_ZERO].map((rounding) => {
          const env = { ...defaultEnvironment("sse"), rounding: rounding as RoundingMode };
          const bits = binary.binaryMultiply(format, toBits(a, format), toBits(b, format), env);
          return { value: fromBits(bits, format), inexact: (env.flags & PRECISION) !== 0 };
        });
        const [nearest, down, up, zero] = results;
        if (Number.isNaN(nearest.value)) return;
        assert.ok(down.value <= up.value);
        assert.equal(down.inexact, down.value !== up.value);
        assert.ok(nearest.value === down.value || nearest.value === up.value);
        assert.equal(zero.value, Math.abs(down.value) < Math.abs(up.value) ? down.value : up.value);
      }),
      SEED,
    );
  });

  test(`R6.1 ${name}: every number survives unpacking, the extended format, and packing`, () => {
    fc.assert(
      fc.property(numbers(format), ([a]) => {
        if (Number.isNaN(a)) return;
        const wide = packExtended(unpackBinary(format, toBits(a, format)));
        const back = binary.binaryAdd(
          format,
          packBinary(format, unpackExtended(wide)),
          0n,
          defaultEnvironment("sse"),
        );
        assert.equal(fromBits(back, format), a);
      }),
      SEED,
    );
  });
}

test("R6.1 binary64 narrows to binary32 as Math.fround does", () => {
  fc.assert(
    fc.property(numbers(BINARY64), ([a]) => {
      const bits = binary.binaryConvert(BINARY64, BINARY32, toBits(a, BINARY64), defaultEnvironment("sse"));
      assert.equal(fromBits(bits, BINARY32), Math.fround(a));
    }),
    SEED,
  );
});

test("R6.1 integers convert to binary64 as Number does, and back when they fit", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), (value) => {
      const env = defaultEnvironment("sse");
      const bits = binary.binaryFromInteger(BINARY64, value, env);
      assert.equal(fromBits(bits, BINARY64), Number(value));
      if (env.flags === 0) assert.equal(binary.binaryToInteger(BINARY64, bits, 64, ROUND_ZERO, env), value);
    }),
    SEED,
  );
});

test("R6.1 rounding to an integral value goes the way its mode says", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const round = (rounding: RoundingMode): number => {
        const env = defaultEnvironment("sse");
        const bits = binary.binaryRoundIntegral(BINARY64, toBits(value, BINARY64), rounding, false, env);
        assert.ok(
          Object.is(fromBits(bits, BINARY64), native.nativeRound(value, rounding)),
          `${value} ${rounding}`,
        );
        return fromBits(bits, BINARY64);
      };
      assert.ok(Object.is(round(ROUND_DOWN), Math.floor(value)));
      assert.ok(Object.is(round(ROUND_UP), Math.ceil(value)));
      assert.ok(Object.is(round(ROUND_ZERO), Math.trunc(value)));
      assert.ok(Math.abs(round(ROUND_NEAREST) - value) <= 0.5);
    }),
    SEED,
  );
});

test("R6.1 packed decimals of up to 18 digits survive loading and storing", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }), fc.boolean(), (magnitude, negative) => {
      const bits = BigInt("0x" + magnitude.toString()) | (negative ? 1n << 79n : 0n);
      assert.equal(toBcd(fromBcd(bits), defaultEnvironment("x87")), bits);
    }),
    SEED,
  );
});

test("R6.1 bitLength counts the bits of numbers of any size", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 1n << 300n }), (value) => {
      assert.equal(bitLength(value), value === 0n ? 0 : value.toString(2).length);
    }),
    SEED,
  );
});
