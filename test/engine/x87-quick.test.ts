/** The x87's fast path agrees with the exact one wherever it applies, in every rounding mode and precision. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as exact from "../../src/engine/x86/softfloat/extended.js";
import { defaultEnvironment, type RoundingMode } from "../../src/engine/x86/softfloat/environment.js";
import { compare } from "../../src/engine/x86/softfloat/compare.js";
import { unpackExtended, type Extended } from "../../src/engine/x86/softfloat/value.js";
import * as quick from "../../src/engine/x86/x87/quick.js";
import {
  compareWords,
  loadRegister,
  newWords,
  storeRegister,
  type Words,
} from "../../src/engine/x86/x87/words.js";
import { FPU_STATE_BYTES, FpuState } from "../../src/engine/x86/x87.js";

const SEED = { seed: 20261120, numRuns: 8000 };
const PRECISIONS = [
  [0, 24],
  [2, 53],
  [3, 64],
] as const;
const STATUS_SEEN = 0x0220;
const C1 = 0x0200;

const fpu = new FpuState(new DataView(new ArrayBuffer(FPU_STATE_BYTES)), 0);

/** A normal number: all exponents, or near 1 so that sums interact; all bits, or short runs that round exactly. */
const normal: fc.Arbitrary<Extended> = fc
  .record({
    sign: fc.constantFrom(0, 0x8000),
    exponent: fc.oneof(fc.integer({ min: 1, max: 0x7ffe }), fc.integer({ min: 16353, max: 16413 })),
    fraction: fc.oneof(
      fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }),
      fc.integer({ min: 0, max: 62 }).map((bit) => 1n << BigInt(bit)),
      fc.integer({ min: 0, max: 62 }).map((bit) => (1n << BigInt(bit)) - 1n),
      fc.integer({ min: 0, max: 62 }).map((bit) => (1n << 63n) - (1n << BigInt(bit))),
    ),
  })
  .map(({ sign, exponent, fraction }) => ({
    signExponent: sign | exponent,
    significand: (1n << 63n) | fraction,
  }));

function toWords(value: Extended): Words {
  const words = newWords();
  fpu.writePhysical(0, value);
  assert.ok(loadRegister(fpu, fpu.base, words));
  return words;
}

const OPERATIONS = [
  ["add", exact.extendedAdd, (a: Words, b: Words, r: Words) => quick.quickAdd(fpu, a, b, 0, r)],
  ["subtract", exact.extendedSubtract, (a: Words, b: Words, r: Words) => quick.quickAdd(fpu, a, b, 1, r)],
  ["multiply", exact.extendedMultiply, (a: Words, b: Words, r: Words) => quick.quickMultiply(fpu, a, b, r)],
  ["divide", exact.extendedDivide, (a: Words, b: Words, r: Words) => quick.quickDivide(fpu, a, b, r)],
] as const;

for (const [name, reference, fast] of OPERATIONS) {
  test(`R6.1 x87 ${name}: the fast path gives the exact path's result and flags`, () => {
    let decided = 0;
    const modes = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom(...PRECISIONS));
    fc.assert(
      fc.property(normal, normal, modes, (a, b, [rounding, [field, precision]]) => {
        fpu.initialise();
        fpu.control = 0x7f | (field << 8) | (rounding << 10);
        const result = newWords();
        if (!fast(toWords(a), toWords(b), result)) return;
        decided++;
        storeRegister(fpu, fpu.base, result);
        quick.noteRounding(fpu);
        const env = { ...defaultEnvironment("x87"), rounding: rounding as RoundingMode, precision };
        assert.deepEqual(fpu.readPhysical(0), reference(unpackExtended(a), unpackExtended(b), env));
        assert.equal(fpu.status & STATUS_SEEN, env.flags | (env.roundedUp ? C1 : 0));
      }),
      SEED,
    );
    assert.ok(decided > SEED.numRuns / 2, `${decided} decided`);
  });
}

test("R6.1 x87 comparison: the fast path orders as the exact path does", () => {
  fc.assert(
    fc.property(normal, normal, (a, b) => {
      const expected = compare(unpackExtended(a), unpackExtended(b), true, defaultEnvironment("x87"));
      assert.equal(compareWords(toWords(a), toWords(b)), expected);
      assert.equal(compareWords(toWords(a), toWords(a)), 0);
    }),
    SEED,
  );
});
