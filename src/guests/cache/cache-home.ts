/** Where this user's caches are, by the XDG Base Directory Specification. */
import { homedir, userInfo } from "node:os";
import path from "node:path";

/** Of what the environment says, and what the system has of this user; either may be missing, or no path. */
const HOMES = [homedir, (): string => userInfo().homedir];

function home(): string | undefined {
  for (const find of HOMES) {
    try {
      const found = find();
      if (path.isAbsolute(found)) return found;
    } catch {
      // The system has no entry for this user, as in a container that runs as any number.
    }
  }
  return undefined;
}

/** `$XDG_CACHE_HOME` where that is an absolute path, else `~/.cache`; undefined for who has no home. */
export function cacheHome(): string | undefined {
  const base = process.env["XDG_CACHE_HOME"] ?? "";
  if (path.isAbsolute(base)) return base;
  const own = home();
  return own && path.join(own, ".cache");
}
