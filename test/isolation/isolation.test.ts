/** The monitor under a hostile guest, for a few seconds: `isolation.full.test.ts` takes a minute. */
import { test } from "node:test";
import { runHostileLives } from "./isolation.js";

test("isolation: random writes to every register of every device neither crash nor hold the monitor", async (t) => {
  t.diagnostic(JSON.stringify(await runHostileLives({ firstSeed: 1, lives: 100, seconds: 0 })));
});
