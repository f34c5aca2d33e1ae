/** `locore inspect` of the files of this host's root, as Debian or another system has filled it. For tests. */
import assert from "node:assert/strict";
import { accessSync, constants, readdirSync } from "node:fs";
import path from "node:path";
import { EXIT_STATUS } from "../../src/machine/end.js";
import { locore } from "../support/cli.js";

/** Where programs are, and the rest. */
export const PROGRAMS = ["/boot", "/usr/bin", "/usr/sbin", "/usr/libexec"];
export const LIBRARIES = ["/usr/lib"];
/** Longest that one file may take, in milliseconds, on a host that does other things too. */
const LIMIT_MS = 30_000;

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Every file in these folders that may be read, links left out, in order of their names. */
export function rootFiles(folders: readonly string[]): string[] {
  return folders
    .flatMap((folder) => {
      try {
        return readdirSync(folder, { withFileTypes: true, recursive: true })
          .filter((entry) => entry.isFile())
          .map((entry) => path.join(entry.parentPath, entry.name))
          .filter(isReadable);
      } catch {
        return [];
      }
    })
    .sort();
}

/** Inspects each: it is described or refused, and nothing else, in a bounded time. What was said is counted by status. */
export async function inspectAll(files: readonly string[]): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  for (const file of files) {
    const start = performance.now();
    const { status, out, err } = await locore("inspect", file);
    const took = performance.now() - start;
    assert.ok(status === EXIT_STATUS.ok || status === EXIT_STATUS.imageRefused, `${file}: ${status} ${err}`);
    assert.ok(out !== "" || err !== "", file);
    assert.ok(took < LIMIT_MS, `${file}: ${took} ms`);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return counts;
}
