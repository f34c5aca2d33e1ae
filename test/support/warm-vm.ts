/** Machines of the library with a cache of their own, and which boot each of them has. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import type { Vm } from "../../src/vm/index.js";
import type { Ending } from "./built-tree.js";
import { ownCache } from "./warm-run.js";

/** This process has a cache in which only machines are kept that it kept itself; gives its folder. */
export function useOwnCache(t: Ending): string {
  const before = process.env["XDG_CACHE_HOME"];
  const cache = ownCache(t);
  process.env["XDG_CACHE_HOME"] = cache;
  t.after(() => {
    if (before === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = before;
  });
  return cache;
}

/** The kernel's messages with their times, to a microsecond: no two boots have the same. */
export async function bootOf(vm: Vm): Promise<string> {
  const { stdout } = await vm.exec("dmesg | head -n 100");
  assert.match(stdout, /Linux version/);
  return stdout;
}

/** What lies where machines are kept, by the ends of names, but for what was found out about a start: that depends on how much a machine did. */
export function keptNames(cache: string): string[] {
  const names = readdirSync(path.join(cache, "locore/warm"));
  const ends = names.map((name) => name.replace(/^.*?\./, ".").replace(/\.[0-9a-f-]{36}/, ""));
  return ends.filter((end) => end !== ".start").sort();
}
