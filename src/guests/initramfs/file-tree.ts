/**
 * The files of a guest's root before they are packed: one entry a path, folders made as they are needed, paths led
 * through links as the guest's kernel would, never out of the root. Nothing touches the host's files. Knows neither
 * packages nor what an initramfs needs.
 */
import type { CpioEntry } from "../archives/cpio.js";
import { GuestError } from "../errors.js";

const DIRECTORY_MODE = 0o755;
/** Linux gives up after so many links in one path (path_resolution(7)). */
const MAX_LINKS = 40;

/** What to do when a path is taken already: the new one counts, the old one does, or, folders aside, it is an error. */
export type Collision = "replace" | "keep" | "refuse";

/** A path that cannot be stored, as an error. */
function refused(path: string, why: string): GuestError {
  return new GuestError("usage", `initramfs: ${JSON.stringify(path)} ${why}`);
}

export class FileTree {
  readonly #entries = new Map<string, CpioEntry>();

  /** What is at a path, links not followed. */
  at(path: string): CpioEntry | undefined {
    return this.#entries.get(path);
  }

  /**
   * Adds an entry. Throws GuestError for a path with `..` or empty parts, one that leads through a file or round in
   * a circle, a folder where there is something else, and, with `refuse`, a path that is taken.
   */
  add(entry: CpioEntry, collision: Collision = "replace"): void {
    const parts = entry.path.split("/");
    if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"))) {
      throw refused(entry.path, "is no plain path inside the root");
    }
    const name = parts.pop() ?? "";
    const folder = this.#folder(parts, entry.path);
    const path = folder === "" ? name : `${folder}/${name}`;
    const there = this.#entries.get(path);
    if (there === undefined || this.#mayReplace(there, entry, collision)) {
      this.#entries.set(path, { ...entry, path });
    }
  }

  /** Whether the new entry takes the place of the old; throws where neither may stand. */
  #mayReplace(there: CpioEntry, entry: CpioEntry, collision: Collision): boolean {
    if (there.kind === "directory" && entry.kind === "directory") return collision === "replace";
    // A folder that is a link elsewhere already stays one, as dpkg and tar have it.
    if (there.kind === "symlink" && entry.kind === "directory") {
      this.#folder(entry.path.split("/"), entry.path);
      return false;
    }
    if (collision === "keep") return false;
    if (there.kind === "directory" || entry.kind === "directory") {
      throw refused(entry.path, `is a ${entry.kind} where there is a ${there.kind}`);
    }
    if (collision === "refuse") throw refused(entry.path, "is there already");
    return true;
  }

  /** The folder that the parts lead to, links followed, missing ones made; "" is the root. */
  #folder(parts: readonly string[], whole: string): string {
    const pending = [...parts].reverse();
    let at = "";
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
        continue;
      }
      const child = at === "" ? name : `${at}/${name}`;
      const found = this.#entries.get(child);
      if (found === undefined) {
        this.#entries.set(child, { kind: "directory", path: child, mode: DIRECTORY_MODE });
      }
      if (found === undefined || found.kind === "directory") at = child;
      else if (found.kind === "symlink") {
        links += 1;
        if (links > MAX_LINKS) throw refused(whole, `leads through more than ${MAX_LINKS} links`);
        if (found.target.startsWith("/")) at = "";
        pending.push(...found.target.split("/").reverse());
      } else throw refused(whole, `leads through ${child}, which is a ${found.kind}`);
    }
    return at;
  }

  /** Every entry, sorted by path, so that each folder comes before what it holds. No path leads through a link. */
  sorted(): CpioEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }
}
