/**
 * The long form of `reference.test.ts`: every class of ModRM behind every opcode and prefix, every ModRM byte behind
 * every mandatory prefix, and half a million strings of chance for each mode. Also that each explained difference still
 * exists.
 */
import assert from "node:assert/strict";
import test from "node:test";
import type { Random } from "../../support/random.js";
import { everyModrm, randomHead, systematic, vexEncoded } from "./byte-strings.js";
import { compareAll } from "./compare.js";
import { DIFFERENCES } from "./differences.js";

const BY_CHANCE = 500_000;
const SEED = 0xdec0de;
const MILLION = 1_000_000;

const explained = new Set<string>();
let compared = 0;

for (const bits of [16, 32, 64] as const) {
  test(`R6.1 ${bits}-bit code: every opcode, prefix and ModRM class decodes as the reference decodes it`, () => {
    const outcome = compareAll(bits, SEED, function* (random: Random) {
      yield* systematic(random, 0);
      yield* vexEncoded(random);
      yield* everyModrm();
      for (let n = 0; n < BY_CHANCE; n++) yield randomHead(random);
    });
    for (const reason of outcome.explained.keys()) explained.add(reason);
    compared += outcome.compared;
    assert.deepEqual([...outcome.failures.values()], []);
  });
}

test("R6.1 at least five million strings were compared, and every explained difference exists", () => {
  assert.ok(compared >= 5 * MILLION, `${compared} strings`);
  assert.deepEqual(
    DIFFERENCES.map((d) => d.reason).filter((reason) => !explained.has(reason)),
    [],
  );
});
