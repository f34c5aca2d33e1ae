/** The monitor under a hostile guest for a minute (issue 2, "how correctness is shown", item 5). */
import { test } from "node:test";
import { runHostileLives } from "./isolation.js";

test("isolation: a guest that writes random values to random registers for 60 s cannot crash the monitor", async (t) => {
  t.diagnostic(JSON.stringify(await runHostileLives({ firstSeed: 100_000, lives: 300, seconds: 60 })));
});
