/** What keeps this process alive, and when it is again what it was. */
import assert from "node:assert/strict";

const TRIES = 200;
const PAUSE_MS = 10;

/** Once nothing but what was there before (`process.getActiveResourcesInfo`) keeps the process alive. */
export async function nothingLeft(before: readonly string[]): Promise<void> {
  const count = (names: readonly string[]): string[] => names.filter((name) => name !== "Timeout").sort();
  for (let tries = 0; tries < TRIES; tries++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (count(process.getActiveResourcesInfo()).join() === count(before).join()) return;
  }
  assert.deepEqual(count(process.getActiveResourcesInfo()), count(before));
}
