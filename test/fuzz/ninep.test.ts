/** R3.1, the short run: random guests of a shared folder over 9P cost errors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NINEP_T } from "../../src/spec/ninep.js";
import { EXPECTED_ERRORS, fuzzNineP } from "./ninep.js";

const MESSAGES = 20_000;
/** Generous: it takes a second. */
const LIMIT_MS = 120_000;

test(
  `R3.1 9P: ${MESSAGES} messages of random guests: each is answered within its room, and no more is held than may be`,
  { timeout: LIMIT_MS },
  () => {
    const seen = fuzzNineP(MESSAGES, 1);
    for (const [name, type] of Object.entries(NINEP_T))
      assert.equal(seen.has(`${type}`), type !== NINEP_T.AUTH, `${name} succeeded`);
    for (const errno of EXPECTED_ERRORS) assert.ok(seen.has(`error ${errno}`), `error ${errno}`);
  },
);
