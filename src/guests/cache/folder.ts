/** Where the cache of fetched guests is. What only asks for that is not to load what fills it. */
import path from "node:path";
import { GuestError } from "../errors.js";
import { cacheHome } from "./cache-home.js";

/**
 * Where the cache is: `$XDG_CACHE_HOME/locore` when that is an absolute path, else `~/.cache/locore`. Throws GuestError "storage" where
 * there is neither.
 */
export function defaultCacheFolder(): string {
  const base = cacheHome();
  if (base !== undefined) return path.join(base, "locore");
  throw new GuestError(
    "storage",
    "there is no place for the cache: this user has no home folder; set HOME, or XDG_CACHE_HOME to a folder that can be written",
  );
}

/** What XDG_CACHE_HOME is set to where it is not taken, since it is no absolute path. */
export function ignoredCacheHome(): string | undefined {
  const base = process.env["XDG_CACHE_HOME"];
  return base === undefined || base === "" || path.isAbsolute(base) ? undefined : base;
}
