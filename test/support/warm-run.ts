/** Runs with a cache of their own, in which only machines are kept that they kept themselves. */
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import type { TestContext } from "node:test";
import type { Timing } from "../../src/cli/run/timing.js";
import { defaultCacheFolder, inputAt } from "../../src/guests/index.js";
import { scratch, type Ending } from "./built-tree.js";
import type { KeptRecord } from "../../src/cli/run/warm/folder.js";
import { runToEnd, type RunEnd } from "./run-command.js";

/** What goes into the variable XDG_CACHE_HOME. Guests are those of the user's cache. */
export function ownCache(t: Ending): string {
  const cache = scratch(t);
  mkdirSync(path.join(cache, "locore"));
  for (const name of ["guests", "packages"])
    symlinkSync(path.join(defaultCacheFolder(), name), path.join(cache, "locore", name));
  return cache;
}

/** What is kept in such a cache, by the ends of names. */
export function keptFiles(cache: string, end: string): string[] {
  const folder = path.join(cache, "locore/warm");
  return readdirSync(folder)
    .filter((name) => name.endsWith(end))
    .map((name) => path.join(folder, name));
}

/** Where pages begin for certain, and how far apart they are damaged: a block that has a checksum is no smaller. */
const DAMAGED_FROM = 2 ** 20;
const DAMAGED_EACH = 2 ** 16;

/** Damages pages everywhere in what is kept as a medium does that loses bytes: of the file nothing else is another. */
export function damagePages(cache: string): void {
  const [record] = keptFiles(cache, ".json");
  const [snapshot] = keptFiles(cache, ".snap");
  const file = openSync(snapshot, "r+");
  const { size } = statSync(snapshot);
  for (let at = DAMAGED_FROM; at < size; at += DAMAGED_EACH)
    writeSync(file, Buffer.from("damaged"), 0, 7, at);
  closeSync(file);
  const kept = JSON.parse(readFileSync(record, "utf8")) as KeptRecord;
  kept.facts = inputAt(snapshot).facts ?? "";
  writeFileSync(record, JSON.stringify(kept));
}

/** A run to its end, with where its time went. */
export async function timedRun(
  t: TestContext,
  words: readonly string[],
  { cache, ...options }: { cache: string; cwd: string; input?: Uint8Array },
): Promise<RunEnd & { timing: Timing }> {
  const run = await runToEnd(t, ["--timing", ...words], { ...options, env: { XDG_CACHE_HOME: cache } });
  const { timing } = run.json as { timing?: Timing };
  if (timing === undefined) throw new Error(`it says nothing of its time: ${run.err}`);
  return { ...run, timing };
}
