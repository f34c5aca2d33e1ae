/**
 * The files that Debian packages install, as entries of a guest's root. No maintainer script is run: links that
 * `update-alternatives` would make, caches and accounts are missing; `/bin`, `/sbin` and `/lib*` are the links into
 * `/usr` that every Debian system has since bookworm. Programs find their libraries without /etc/ld.so.cache, since
 * Debian's loader looks into `/usr/lib/<triplet>` by itself. Knows neither apt nor the cache.
 *
 * Debian Policy §9.1 (file system), §10.1 (merged /usr); ld.so(8).
 */
import { readFile } from "node:fs/promises";
import type { CpioEntry } from "../archives/cpio.js";
import { entriesOfDeb } from "../archives/deb.js";
import { GuestError } from "../errors.js";
import type { FileTree } from "./file-tree.js";
import type { PackageSet } from "./package-set.js";
import type { TarEntry } from "../archives/tar.js";

/** Top-level folders that are links into /usr. */
const MERGED = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const LINK_MODE = 0o777;
/** More than this unpacked is no initramfs: Linux keeps it in memory, next to its archive. */
const MAX_TREE = 2 ** 31;

/** What nobody reads in an initramfs: manuals, translations, what other package tools look at. */
export const DOCUMENTATION: readonly RegExp[] = [
  /^usr\/share\/(doc|doc-base|man|info|locale|lintian|bug|linda|help|gtk-doc)(\/|$)/,
];

export interface PackageFilesOptions {
  /** Paths, without a leading slash, that stay away. Default: `DOCUMENTATION`. */
  omit?: readonly RegExp[] | undefined;
}

/** A path as the package stores it, below the merged /usr; "" for the root itself. */
function insidePath(stored: string, where: string): string {
  const parts = stored.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw new GuestError("damaged", `${where} holds a path that leaves the root: ${JSON.stringify(stored)}`);
  }
  return (MERGED.includes(parts[0]) ? ["usr", ...parts] : parts).join("/");
}

/** The link that a merged folder is (`base-files` brings them since trixie), which is no entry below /usr. */
function isMergeLink({ path, kind, linkName }: TarEntry): boolean {
  const name = path.replace(/^\.?\/+|\/+$/g, "");
  return kind === "symlink" && MERGED.includes(name) && /^\/?usr\/\w+\/?$/.test(linkName);
}

/** Reads one package's entries; hard links become files of their own with the same bytes. */
class PackageReader {
  readonly #files = new Map<string, Uint8Array>();

  constructor(readonly name: string) {}

  entry(entry: TarEntry): CpioEntry | undefined {
    const path = insidePath(entry.path, this.name);
    if (path === "" || isMergeLink(entry)) return undefined;
    const { mode, owner } = entry;
    switch (entry.kind) {
      case "directory":
        return { kind: "directory", path, mode, owner };
      case "symlink":
        return { kind: "symlink", path, mode: LINK_MODE, owner, target: entry.linkName };
      case "file":
        this.#files.set(path, entry.bytes);
        return { kind: "file", path, mode, owner, size: entry.bytes.length, content: () => [entry.bytes] };
      case "hardlink":
        return this.#hardLink(entry, path);
      case "other":
        throw new GuestError("damaged", `${this.name}: ${path} is neither a file, a link nor a folder`);
    }
  }

  #hardLink(entry: TarEntry, path: string): CpioEntry {
    const bytes = this.#files.get(insidePath(entry.linkName, this.name));
    if (bytes === undefined) {
      throw new GuestError(
        "damaged",
        `${this.name}: ${path} is a link to ${entry.linkName}, which is not there`,
      );
    }
    this.#files.set(path, bytes);
    const { mode, owner } = entry;
    return { kind: "file", path, mode, owner, size: bytes.length, content: () => [bytes] };
  }
}

/** Whether two packages may both hold this: the same link. */
function isSame(a: CpioEntry | undefined, b: CpioEntry): boolean {
  return a?.kind === "symlink" && b.kind === "symlink" && a.target === b.target;
}

/**
 * Adds the files of every package of the set to a tree, and the links of the merged /usr. Throws GuestError for a
 * damaged package, a path that leaves the root, and a file that two packages hold.
 */
export async function addPackages(
  tree: FileTree,
  set: PackageSet,
  { omit = DOCUMENTATION }: PackageFilesOptions = {},
): Promise<void> {
  let total = 0;
  for (const { name, version, file } of set.packages) {
    const reader = new PackageReader(`${name} ${version}`);
    for (const stored of entriesOfDeb(await readFile(file))) {
      const entry = reader.entry(stored);
      if (entry === undefined || omit.some((pattern) => pattern.test(entry.path))) continue;
      if (entry.kind === "file") total += entry.size;
      if (total > MAX_TREE)
        throw new GuestError("usage", `the packages unpack to more than ${MAX_TREE} bytes`);
      if (isSame(tree.at(entry.path), entry)) continue;
      try {
        tree.add(entry, "refuse");
      } catch (cause) {
        if (!(cause instanceof GuestError)) throw cause;
        throw new GuestError(cause.fault, `${name} ${version}: ${cause.message}`, { cause });
      }
    }
  }
  for (const name of MERGED) {
    if (tree.at(`usr/${name}`) !== undefined) {
      tree.add({ kind: "symlink", path: name, mode: LINK_MODE, target: `usr/${name}` });
    }
  }
}
