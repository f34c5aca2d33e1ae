/** R3.11, the long run: a million packets of random gdbs. */
import { test } from "node:test";
import { fuzzGdb } from "./gdb.js";

const RUNS = 50;
const PACKETS = 20_000;

for (let run = 0; run < RUNS; run++)
  test(`R3.11 gdb: random packets, ${run + 1} of ${RUNS} times ${PACKETS}`, async () => {
    await fuzzGdb(PACKETS, 1_000_000 + run * PACKETS);
  });
