/** R3.11, the short run: random gdbs cost errors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzGdb } from "./gdb.js";

const PACKETS = 6_000;
/** Generous: it takes some seconds. */
const LIMIT_MS = 120_000;

test(
  `R3.11 gdb: ${PACKETS} random packets: each is answered within its size or not at all, and nothing breaks`,
  { timeout: LIMIT_MS },
  async () => {
    const seen = await fuzzGdb(PACKETS, 1);
    for (const letter of ["", "E", "O", "T", "m", "l", "Q", "v"])
      assert.ok(seen.has(letter), `an answer "${letter}…"`);
  },
);
