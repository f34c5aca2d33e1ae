/**
 * Keeps what the JavaScript engine made of our files for the next start, in the user's cache; Node does it, from 22.1 on. Where
 * that cannot be, nothing is kept and nothing is said.
 */
import * as nodeModule from "node:module";
import path from "node:path";
import { lateBuiltin } from "./late-builtin.js";

type Enable = (folder: string) => { directory?: string };

const { enableCompileCache } = nodeModule as { enableCompileCache?: Enable };

/**
 * Our folder in the user's cache, where `guests/cache` has it too, which is not to be known here (`test/guests/cache-folder.test.ts` holds
 * them to each other). Throws where HOME names no folder; guests then have one by what the system knows of the user, which takes longer.
 */
export function userFolder(): string {
  const { XDG_CACHE_HOME: base = "" } = process.env;
  const folder = path.isAbsolute(base) ? base : path.join(lateBuiltin("node:os").homedir(), ".cache");
  if (!path.isAbsolute(folder)) throw new Error("an empty HOME names no folder");
  return path.join(folder, "locore");
}

/** Where compiled code is kept: Node's own variables say, or the user's cache. Undefined where none is to be. */
export function keptFolder(): string | undefined {
  const { NODE_COMPILE_CACHE: given, NODE_DISABLE_COMPILE_CACHE: not } = process.env;
  if (not !== undefined) return undefined;
  if (given !== undefined) return given;
  try {
    return path.join(userFolder(), "compiled");
  } catch {
    return undefined;
  }
}

/** What a thread is to have in its environment, so that it keeps what it compiles. */
export function keepingVariables(): Record<string, string> {
  const kept = enableCompileCache === undefined ? undefined : keptFolder();
  return kept === undefined ? {} : { NODE_COMPILE_CACHE: kept };
}

/** This thread keeps what it compiles from here on. */
export function keepCompiledCode(): void {
  const kept = keptFolder();
  if (kept !== undefined) enableCompileCache?.(kept);
}
