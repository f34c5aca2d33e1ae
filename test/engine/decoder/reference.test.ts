/**
 * Our decoder against iced-x86: every opcode of every map behind every combination of prefixes, and strings of pure
 * chance, in 16-, 32- and 64-bit code. Lengths, validity, registers, memory and immediates are read back from the
 * record that a handler would get.
 */
import assert from "node:assert/strict";
import test from "node:test";
import type { Random } from "../../support/random.js";
import { randomHead, systematic, vexEncoded } from "./byte-strings.js";
import { compareAll } from "./compare.js";

/** ModRM bytes for each opcode, prefix and mode, chosen by chance. */
const PER_OPCODE = 3;
const BY_CHANCE = 10_000;
const SEED = 0x10c03e;

for (const bits of [16, 32, 64] as const) {
  test(`R6.1 ${bits}-bit code decodes as the reference decodes it, for every opcode and prefix`, () => {
    const outcome = compareAll(bits, SEED, function* (random: Random) {
      yield* systematic(random, PER_OPCODE);
      yield* vexEncoded(random);
      for (let n = 0; n < BY_CHANCE; n++) yield randomHead(random);
    });
    assert.deepEqual([...outcome.failures.values()], []);
    assert.ok(outcome.compared > 100_000, `${outcome.compared} strings`);
    assert.ok(outcome.undefinedBoth < outcome.compared * 0.7, `${outcome.undefinedBoth} undefined`);
  });
}
