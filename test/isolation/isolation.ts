/** The isolation test as both tiers run it: how long is theirs to say, what must hold is here. */
import assert from "node:assert/strict";
import type { LivesOrder, LivesResult } from "./lives-worker.js";
import { watched } from "./watchdog.js";

/** No life takes a tenth of it, even on a busy machine. */
const LONGEST_SILENCE_MS = 60_000;
/** What the process may grow by: a few machines of 40 MB each that the collector has not come to yet. */
const MOST_GROWTH = 300 * 2 ** 20;
/** Every way out but the triple fault, which takes luck. */
const WAYS_OUT = ["acpi-s5", "debug-exit", "i8042", "port-92", "port-cf9"];

/** Runs hostile lives and checks that they broke nothing and reached everything. */
export async function runHostileLives(order: LivesOrder): Promise<LivesResult> {
  const url = new URL("./lives-worker.js", import.meta.url);
  const result = await watched<LivesResult>(url, order, LONGEST_SILENCE_MS);
  assert.deepEqual(result.missed, [], "every register of every device is read and written");
  for (const route of WAYS_OUT) assert.ok(result.ends[route] > 0, `no life ended by ${route}`);
  assert.ok(
    result.exceptions > 0 && result.interrupts > 0 && result.consoleBytes > 0,
    JSON.stringify(result),
  );
  const growth = result.residentLate - result.residentEarly;
  assert.ok(growth < MOST_GROWTH, `the process grew by ${growth} bytes over ${result.lives} lives`);
  return result;
}
