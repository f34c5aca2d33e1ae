/**
 * A process of its own for `cache.test.ts`: adds one to a counter file, slowly, under the cache's lock, several
 * times. Without the lock two of these lose counts.
 */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GuestCache } from "../../src/guests/cache/cache.js";

const [folder = "", rounds = "0"] = process.argv.slice(2);
const cache = new GuestCache(folder);
const counter = path.join(folder, "counter");
for (let round = 0; round < Number(rounds); round++) {
  await cache.exclusively(async () => {
    const before = Number(await readFile(counter, "utf8").catch(() => "0"));
    await sleep(5);
    await writeFile(counter, String(before + 1));
  });
}
