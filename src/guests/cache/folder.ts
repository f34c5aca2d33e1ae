/** Where the cache of fetched guests is. What only asks for that is not to load what fills it. */
import { homedir } from "node:os";
import path from "node:path";

/** `$XDG_CACHE_HOME/locore` when that is an absolute path, else `~/.cache/locore`. */
export function defaultCacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"];
  return path.join(
    base !== undefined && path.isAbsolute(base) ? base : path.join(homedir(), ".cache"),
    "locore",
  );
}

/** What XDG_CACHE_HOME is set to where it is not taken, since it is no absolute path. */
export function ignoredCacheHome(): string | undefined {
  const base = process.env["XDG_CACHE_HOME"];
  return base === undefined || base === "" || path.isAbsolute(base) ? undefined : base;
}
