/**
 * Keeps what the JavaScript engine made of our files for the next start, in the user's cache; Node does it, from 22.1 on. Where
 * that cannot be, nothing is kept and nothing is said.
 */
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import path from "node:path";

type Enable = (folder: string) => { directory?: string };

const { enableCompileCache } = nodeModule as { enableCompileCache?: Enable };

/**
 * From here on. Returns what a thread is to have in its environment, so that it does the same; Node's own variables,
 * NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE, say where, or that it is not wanted.
 */
export function keepCompiledCode(): Record<string, string> {
  const { XDG_CACHE_HOME: base = "", NODE_COMPILE_CACHE: given } = process.env;
  try {
    const cache = path.isAbsolute(base) ? base : path.join(homedir(), ".cache");
    const folder = given ?? path.join(cache, "locore", "compiled");
    return enableCompileCache?.(folder).directory === undefined ? {} : { NODE_COMPILE_CACHE: folder };
  } catch {
    return {};
  }
}
