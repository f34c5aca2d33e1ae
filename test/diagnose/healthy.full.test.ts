/** R3.9: two hundred boots in which nothing is wrong, and nothing is said to be: not at their end, and not on their way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HEALTHY_BOOTS } from "./healthy-boots.js";
import { expectHealth } from "./seeded-run.js";

/** Where boots are looked at on their way, instructions: from the decompressor to user space, another place for each. */
const FIRST_LOOK = 20e6;
const LOOK_STEP = 37e6;
const LOOKS = 23;

for (const [i, guest] of HEALTHY_BOOTS.entries())
  test(`R3.9 diagnose: ${i + 1}. ${guest.name}: nothing is wrong`, (t) =>
    expectHealth(t, guest, FIRST_LOOK + (i % LOOKS) * LOOK_STEP));

test("R3.9 diagnose: there are two hundred healthy boots", () => assert.ok(HEALTHY_BOOTS.length >= 200));
