/**
 * A lock beside a path, for the moments in which somebody takes the path. A process that is killed leaves it behind; the next breaks it.
 *
 * It is a symbolic link that leads nowhere: what it says is its holder's alone, is there as soon as it is, and is read in one step.
 */
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf, takeSeen } from "./path-seen.js";

/** It is held for some milliseconds: one that is seen for longer was left. */
const LEFT_MS = 2000;
const LOOK_MS = 20;
/** What ours say first: nothing else is ever removed. */
const MARK = "locore-lock-";

/** What a link says; undefined where there is none. */
function saidBy(link: string): string | undefined {
  try {
    return fs.readlinkSync(link);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    if (codeOf(error) === "EINVAL") return "";
    throw error;
  }
}

/** Makes a link; false where something is there. */
function linked(link: string, text: string): boolean {
  try {
    fs.symlinkSync(text, link);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a lock that says `text`, and no other. */
function removed(link: string, text: string, folder: string): void {
  const away = path.join(folder, "lock");
  takeSeen(link, away, {
    isSeen: () => saidBy(away) === text,
    putBack: () => void linked(link, fs.readlinkSync(away)),
  });
  fs.rmSync(away, { force: true });
}

/**
 * Holds the lock of `at`, and gives what gives it back. `folder`: one beside it that is the caller's alone. Rejects as the host does, and
 * where something else has the lock's name.
 */
export async function lockPath(at: string, folder: string): Promise<() => void> {
  const link = path.join(path.dirname(at), `.${path.basename(at)}.locore-lock`);
  const own = MARK + randomUUID();
  let seen: string | undefined;
  let since = 0;
  while (!linked(link, own)) {
    const found = saidBy(link);
    if (found?.startsWith(MARK) === false) throw new Error(`${link} is there, which is no lock of locore's`);
    if (found !== seen) {
      seen = found;
      since = performance.now();
    } else if (found !== undefined && performance.now() - since > LEFT_MS) {
      removed(link, found, folder);
      continue;
    }
    await sleep(LOOK_MS);
  }
  return () => {
    try {
      // Somebody who thought that it was left may have broken it.
      if (saidBy(link) === own) fs.rmSync(link, { force: true });
    } catch {
      // What cannot be removed is broken by the next.
    }
  };
}
